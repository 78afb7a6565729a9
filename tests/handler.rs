//! The handler as a program mounts it: answers, streaming, and no memory taken per scrape.

#[path = "support/counting.rs"]
mod counting;

use std::io::{self, Write};
use std::time::Duration;

use scrapeport::http::{MetricsHandler, Request};
use scrapeport::text::{Format, Kind, Page};
use scrapeport::{Collect, CollectError, Collector, Counter, Registry};

use counting::{ALLOCATIONS, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static HITS: Counter = Counter::new("hits_total", "Hits.");

struct Many;

impl Collect for Many {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut family = page.family(Kind::Gauge, "many", "Many.");
        for number in 0..2_000_u64 {
            family.sample(&[("kind", "a")], number);
        }
        Ok(())
    }
}

static MANY: Collector<Many> = Collector::new("many", &["many"], Many);
static REGISTRY: Registry = Registry::new(&[&HITS]);
static LARGE: Registry = Registry::new(&[]).collecting(&[&MANY]);
static HANDLER: MetricsHandler = MetricsHandler::new(&REGISTRY).including(&LARGE);

fn body(handler: &MetricsHandler, request: &Request<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    handler.answer(request).write_body(&mut body).unwrap();
    body
}

#[test]
fn both_registries_are_on_the_page() {
    let text = String::from_utf8(body(&HANDLER, &Request::new("GET", "/metrics"))).unwrap();
    assert_eq!(text, REGISTRY.to_text(Format::TEXT) + &LARGE.to_text(Format::TEXT));
    let om = Request::new("GET", "/").accept("application/openmetrics-text");
    let text = String::from_utf8(body(&HANDLER, &om)).unwrap();
    assert_eq!(text.matches("# EOF\n").count(), 1);
}

#[test]
fn status_and_headers() {
    let headers = |request: &Request<'_>| {
        let response = HANDLER.answer(request);
        (response.status(), response.reason(), response.headers().collect::<Vec<_>>())
    };
    let allow = ("Allow", "OPTIONS, GET");
    assert_eq!(headers(&Request::new("POST", "/")), (405, "Method Not Allowed", vec![allow]));
    assert_eq!(headers(&Request::new(b"OPTIONS", b"*")), (200, "OK", vec![allow]));
    assert_eq!(headers(&Request::new("GET", "/favicon.ico")), (200, "OK", vec![]));
    let vary = ("Vary", "Accept, Accept-Encoding");
    let text = ("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(headers(&Request::new("GET", "/")), (200, "OK", vec![text, vary]));
}

#[test]
fn bodies_that_are_not_metrics() {
    assert_eq!(body(&HANDLER, &Request::new("HEAD", "/")), b"");
    assert_eq!(body(&HANDLER, &Request::new("OPTIONS", "/")), b"");
    assert_eq!(body(&HANDLER, &Request::new("GET", "/favicon.ico")), b"");
    let line = b"# HTTP 405 Method Not Allowed: PUT; use OPTIONS or GET\n";
    assert_eq!(body(&HANDLER, &Request::new("PUT", "/").accept_encoding("gzip")), line);
}

#[test]
fn the_filter_is_in_the_target() {
    let text = String::from_utf8(body(&HANDLER, &Request::new("GET", "/x?name[]=hits_total"))).unwrap();
    assert_eq!(text, REGISTRY.to_text(Format::TEXT));
}

#[test]
fn collectors_are_left_out_after_the_scrape_timeout() {
    // A collector of its own: the page tells how often one was skipped.
    static LATE: Collector<Many> = Collector::new("late", &["many"], Many);
    static REGISTRY: Registry = Registry::new(&[&HITS]).collecting(&[&LATE]);
    static HANDLER: MetricsHandler = MetricsHandler::new(&REGISTRY);
    let served = |timeout| {
        let request = Request::new("GET", "/").scrape_timeout(timeout);
        String::from_utf8(body(&HANDLER, &request)).unwrap().contains("many{")
    };
    assert!(served(Duration::from_secs(60)));
    assert!(!served(Duration::from_nanos(1)));
}

#[test]
fn a_writer_that_fails_ends_the_page() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 2 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut full = Full(0);
    let error = HANDLER.answer(&Request::new("GET", "/")).write_body(&mut full).unwrap_err();
    assert_eq!((error.kind(), full.0), (io::ErrorKind::StorageFull, 3));
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_is_an_option_of_the_handler() {
    static PLAIN: MetricsHandler = MetricsHandler::new(&REGISTRY).compression(false);
    let request = Request::new("GET", "/").accept_encoding("gzip");
    let encoded = |handler: &'static MetricsHandler| {
        handler.answer(&request).headers().any(|header| header == ("Content-Encoding", "gzip"))
    };
    assert!(encoded(&HANDLER) && !encoded(&PLAIN));
    let packed = body(&HANDLER, &request);
    assert!(packed.starts_with(b"\x1f\x8b") && packed.len() < 10_000);
    assert_eq!(body(&PLAIN, &request), REGISTRY.to_text(Format::TEXT).as_bytes());
}

#[test]
fn a_scrape_takes_no_memory() {
    // Its own, so that no other test has the compressor that exists.
    static HANDLER: MetricsHandler = MetricsHandler::new(&REGISTRY).including(&LARGE);
    let scrape = |request: &Request<'_>| HANDLER.answer(request).write_body(&mut io::sink()).unwrap();
    let requests = [
        Request::new("GET", "/metrics"),
        Request::new("GET", "/metrics?name[]=many").accept("application/openmetrics-text;version=1.0.0"),
        Request::new("GET", "/metrics").accept_encoding("gzip"),
        Request::new("PUT", "/metrics"),
    ];
    requests.iter().for_each(scrape);
    let before = ALLOCATIONS.get();
    for _ in 0..20 {
        requests.iter().for_each(scrape);
    }
    assert_eq!(ALLOCATIONS.get(), before);
}
