#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scrapeport::tls_fuzz::pem(input));
