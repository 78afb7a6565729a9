//! A Rust program with a C part: both share one page. Linked with `part.c` by `tests/c/run`.
#![allow(unsafe_code, reason = "the functions are those of C")]

use std::ffi::c_int;

use scrapeport::text::Format;
use scrapeport::{Counter, Registry};

static RUNS: Counter = Counter::new("mixed_runs_total", "Runs of the Rust part.");
static REGISTRY: Registry = Registry::new(&[&RUNS]).including(&[&scrapeport::capi::METRICS]);

unsafe extern "C" {
    safe fn part_start() -> c_int;
    safe fn part_work();
}

#[test]
fn both_parts_share_one_page() {
    assert_eq!(part_start(), 0);
    part_work();
    RUNS.inc();
    let page = REGISTRY.to_text(Format::TEXT);
    assert!(page.contains("\nmixed_runs_total 1\n"), "{page}");
    assert!(page.contains("\npart_frames_total 3\n"), "{page}");
}
