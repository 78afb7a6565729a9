//! The process metrics on a page: whole, in order, and without a heap.

#[path = "support/counting.rs"]
mod counting;

use std::io;

use scrapeport::Registry;
use scrapeport::http::{MetricsHandler, Request};
use scrapeport::process::PROCESS;
use scrapeport::text::Format;

use counting::{ALLOCATIONS, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static REGISTRY: Registry = Registry::new(&[]).collecting(&[&PROCESS]);
static HANDLER: MetricsHandler = MetricsHandler::new(&REGISTRY);

#[test]
fn the_process_metrics_take_no_memory() {
    let scrape = || HANDLER.answer(&Request::new("GET", "/")).write_body(&mut io::sink()).unwrap();
    let before = ALLOCATIONS.get();
    for _ in 0..20 {
        scrape();
    }
    assert_eq!(ALLOCATIONS.get(), before);
    assert_eq!(PROCESS.errors(), 0);
}

#[test]
fn the_process_metrics_have_the_names_and_kinds_of_other_libraries() {
    let page = REGISTRY.to_text(Format::TEXT);
    for (name, kind) in [
        ("process_cpu_seconds_total", "counter"),
        ("process_max_fds", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
        ("process_threads", "gauge"),
        ("process_virtual_memory_bytes", "gauge"),
        ("process_virtual_memory_max_bytes", "gauge"),
    ] {
        assert_eq!(page.matches(&format!("# TYPE {name} {kind}\n")).count(), 1, "{page}");
        assert_eq!(page.matches(&format!("\n{name} ")).count(), 1, "{page}");
    }
    assert_eq!(page.matches("# TYPE process_").count(), 8, "{page}");
}
