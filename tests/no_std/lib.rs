//! Metrics and the encoder without std, without a heap, without an operating system.
#![no_std]

use core::ops::Range;

use scrapeport::text::{Format, Kind, Output, Page, Stopped};
use scrapeport::{
    Collect, CollectError, Collector, Counter, CounterFamily, ExemplarCounter, Gauge, Histogram, Info,
    Registry, StateSet, Summary,
};

static REQUESTS: Counter = Counter::new("app_requests_total", "Requests served.");
static TRACED: ExemplarCounter = ExemplarCounter::new("app_traced_total", "With an example.");
static TEMPERATURE: Gauge = Gauge::new("app_temperature_celsius", "Board temperature.");
static LATENCY: Histogram = Histogram::new("app_latency_seconds", "Time to answer.");
static SIZE: Summary = Summary::new("app_size_bytes", "Size of requests.");
static BUILD: Info<1> = Info::new("app_build_info", "What this is.", [("version", "1.0")]);
static STATE: StateSet<2> = StateSet::new("app_state", "What it is doing.", ["idle", "busy"]);
static REPLIES: CounterFamily<1, 4> = CounterFamily::new("app_replies_total", "Replies.", ["code"]);
static FOUND: Collector<Found> = Collector::new("found", &["app_found"], Found);
static REGISTRY: Registry =
    Registry::new(&[&REQUESTS, &TRACED, &TEMPERATURE, &LATENCY, &SIZE, &BUILD, &STATE, &REPLIES])
        .collecting(&[&FOUND]);

struct Found;

impl Collect for Found {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Gauge, "app_found", "Found at the time of the scrape.").sample(&[("a", "b")], 1);
        Ok(())
    }
}

/// Where the text goes: here only its length is kept.
struct Length(usize);

impl Output for Length {
    fn flush(&mut self, _: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        self.0 += content.len();
        Ok(())
    }
}

/// Updates every kind and tells how long the page is.
#[allow(unsafe_code, reason = "an exported name keeps the code in the library")]
#[unsafe(no_mangle)]
pub extern "C" fn page_length() -> usize {
    REQUESTS.inc();
    TRACED.inc_with_exemplar(1, &[("id", "a")]);
    TEMPERATURE.set(41.5);
    LATENCY.observe(0.2);
    SIZE.observe(100.0);
    STATE.set("busy");
    REPLIES.with(["200"]).inc();
    let mut length = Length(0);
    let mut buffer = [0; 512];
    let mut page = Page::new(&mut buffer, Format::OPENMETRICS, &mut length);
    REGISTRY.encode(&mut page);
    let _ = page.finish();
    length.0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
