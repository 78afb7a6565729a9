#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scrapeport::exporter::fuzz::collectors(input));
