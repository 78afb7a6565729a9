#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scrapeport::http::fuzz::filter(input));
