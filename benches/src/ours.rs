//! Our side of the comparisons.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Mutex;

use scrapeport::text::{Format, Output, Page, Stopped};
use scrapeport::{
    Counter, CounterFamily, Gauge, Histogram, Metric, Registry, SlotCounter, SlotHistogram, Value,
};

use crate::data::{BOUNDS, HELP, LABELS, Shape, family_name, hundred_shuffled, labels, observations, value};
use crate::rounds::Repeat;

static COUNTER: Counter = Counter::new("requests_total", HELP);
static GAUGE: Gauge = Gauge::new("temperature", HELP);
static HISTOGRAM: Histogram = Histogram::new("latency", HELP);
static FAMILY: CounterFamily<2, 128> = CounterFamily::new("rows_total", HELP, LABELS);
static OWN: SlotCounter<8> = SlotCounter::new("own_total", HELP);
static OWN_HISTOGRAM: SlotHistogram<8> = SlotHistogram::with_bounds("own", HELP, BOUNDS);

pub fn counter() -> Repeat {
    Box::new(|times| {
        let counter = black_box(&COUNTER);
        for _ in 0..times {
            counter.inc();
        }
    })
}

pub fn kept_row() -> Repeat {
    let row = FAMILY.keep(hundred_shuffled()[0]).unwrap();
    Box::new(move |times| {
        let row = black_box(&row);
        for _ in 0..times {
            row.inc();
        }
    })
}

pub fn gauge() -> Repeat {
    let values = observations();
    Box::new(move |times| {
        let (gauge, values) = black_box((&GAUGE, &values));
        for at in 0..times {
            gauge.set(values[at as usize % values.len()]);
        }
    })
}

pub fn histogram() -> Repeat {
    let values = observations();
    Box::new(move |times| {
        let (histogram, values) = black_box((&HISTOGRAM, &values));
        for at in 0..times {
            histogram.observe(values[at as usize % values.len()]);
        }
    })
}

pub fn look_up() -> Repeat {
    let rows = hundred_shuffled();
    for row in &rows {
        FAMILY.with(*row).inc();
    }
    Box::new(move |times| {
        let family = black_box(&FAMILY);
        let mut order = rows.iter().cycle();
        for _ in 0..times {
            family.with(*order.next().unwrap()).inc();
        }
    })
}

pub fn own_counter() -> Repeat {
    Box::new(|times| {
        let mut own = OWN.claim().unwrap();
        let own = black_box(&mut own);
        for _ in 0..times {
            own.inc();
        }
    })
}

pub fn own_histogram() -> Repeat {
    let values = observations();
    Box::new(move |times| {
        let mut own = OWN_HISTOGRAM.claim().unwrap();
        let (own, values) = black_box((&mut own, &values));
        for at in 0..times {
            own.observe(values[at as usize % values.len()]);
        }
    })
}

/// A registry with the series of a shape. What is a `static` in a program is made at run time here, for any shape.
pub fn registry(shape: Shape) -> &'static Registry {
    match shape.rows {
        ..=16 => registry_with_room::<16>(shape),
        17..=128 => registry_with_room::<128>(shape),
        _ => registry_with_room::<1024>(shape),
    }
}

fn registry_with_room<const R: usize>(shape: Shape) -> &'static Registry {
    let rows: Vec<_> = (0..shape.rows).map(labels).collect();
    let metrics: Vec<&'static Metric<dyn Value>> = (0..shape.families)
        .map(|at| {
            let family: &'static CounterFamily<2, R> =
                Box::leak(Box::new(CounterFamily::new(family_name(at), HELP, LABELS)));
            for (row, labels) in rows.iter().enumerate() {
                family.with(*labels).inc_by(value(at, row));
            }
            family as _
        })
        .collect();
    Box::leak(Box::new(Registry::new(metrics.leak())))
}

/// An output whose pages are looked at by nobody.
struct Nowhere;

impl Output for Nowhere {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        black_box(&buffer[content]);
        Ok(())
    }
}

/// Pages in a buffer that holds them whole.
pub fn page(shape: Shape) -> (Vec<u8>, Repeat) {
    let registry = registry(shape);
    let text = registry.to_text(Format::TEXT).into_bytes();
    let buffer = Mutex::new(vec![0; text.len() + 4096]);
    let run = move |times| {
        let mut buffer = buffer.lock().unwrap();
        for _ in 0..times {
            let mut nowhere = Nowhere;
            let mut page = Page::new(&mut buffer, Format::TEXT, &mut nowhere);
            registry.encode(&mut page);
            let (_, flushed) = page.finish_in_place().unwrap();
            assert!(!flushed);
            black_box(&mut *buffer);
        }
    };
    (text, Box::new(run))
}

/// Pages through a buffer as small as a server's.
pub fn page_in_pieces(shape: Shape) -> (Vec<u8>, Repeat) {
    let registry = registry(shape);
    let text = registry.to_text(Format::TEXT).into_bytes();
    let buffer = Mutex::new(vec![0; 16 * 1024]);
    let run = move |times| {
        let mut buffer = buffer.lock().unwrap();
        for _ in 0..times {
            let mut nowhere = Nowhere;
            let mut page = Page::new(&mut buffer, Format::TEXT, &mut nowhere);
            registry.encode(&mut page);
            page.finish().unwrap();
        }
    };
    (text, Box::new(run))
}

/// Serves a registry of the given shape, with or without the server's own metrics on the page.
pub fn serve(shape: Shape, server_metrics: bool, announce: impl Fn(std::net::SocketAddr)) {
    let builder = scrapeport::Server::builder(registry(shape)).server_metrics(server_metrics);
    let (server, thread) = builder.start_on("127.0.0.1:0").unwrap();
    announce(server.local_addr().unwrap());
    thread.join().unwrap();
}

/// The same over TLS, with room for so many connections.
pub fn serve_encrypted(
    shape: Shape,
    [certificate, key]: [&std::path::Path; 2],
    connections: usize,
    announce: impl Fn(std::net::SocketAddr),
) {
    let builder = scrapeport::Server::builder(registry(shape)).server_metrics(false);
    let builder = builder.certfile(certificate).keyfile(key).max_connections(connections);
    let (server, thread) = builder.start_on("127.0.0.1:0").unwrap();
    announce(server.local_addr().unwrap());
    thread.join().unwrap();
}
