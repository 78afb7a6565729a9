#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scrapeport::web_config_fuzz::authorization(input));
