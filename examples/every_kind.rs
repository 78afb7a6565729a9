//! Every kind of metric on one page, with names, labels and numbers that need care.
//!
//! `cargo run --example every_kind -- 127.0.0.1:9100`, then `curl http://127.0.0.1:9100`. With `created` as a second
//! argument, the page also tells when each series began. Port 0 takes a free port; the address is printed.

use scrapeport::text::Kind;
use scrapeport::text::Page;
use scrapeport::{
    Collect, CollectError, Collector, Counter, CounterFamily, ExemplarCounter, ExemplarHistogram, Gauge,
    GaugeFamily, Histogram, HistogramFamily, Info, Registry, Server, StateSet, Summary, SummaryFamily,
};

static REQUESTS: Counter = Counter::new("demo_requests_total", "Requests served.");
static TEMPERATURE: Gauge = Gauge::new("demo_temperature_celsius", "Board temperature.").unit("celsius");
static REPLIES: CounterFamily<2, 4> =
    CounterFamily::new("demo_replies_total", "Replies by method and code.", ["method", "code"]);
static LABEL_VALUES: GaugeFamily<1, 8> =
    GaugeFamily::new("demo_label_values", "Label values that need care.", ["value"]);
static NUMBERS: GaugeFamily<1, 16> = GaugeFamily::new("demo_numbers", "Numbers that need care.", ["case"]);
static LATENCY: Histogram<4> =
    Histogram::with_bounds("demo_latency_seconds", "Time to answer.", [0.01, 0.1, 1.0, 10.0]);
static PHASES: HistogramFamily<1, 2, 2> =
    HistogramFamily::new("demo_phase_seconds", "Time in each phase.", ["phase"], [0.5, 1.0]);
static SIZE: Summary = Summary::new("demo_size_bytes", "Size of requests.");
static SENT: SummaryFamily<1, 2> = SummaryFamily::new("demo_sent_bytes", "Bytes sent.", ["to"]);
static BUILD: Info<2> =
    Info::new("demo_build_info", "What runs here.", [("version", "1.0"), ("revision", "abc")]);
static STATE: StateSet<2> = StateSet::new("demo_state", "What it is doing.", ["idle", "busy"]);
static BOARD: Counter = Counter::utf8("demo.board.requests_total", "A name with dots.");
static BREADTH: GaugeFamily<1, 2> = GaugeFamily::utf8("demo.größe", "Names in UTF-8.", ["fühler.name"]);
static RATIO: Gauge = Gauge::new("demo:ratio", "A name with a colon.");
static HELP: Gauge = Gauge::new("demo_help", "A back\\slash, a \"quote\" and\na new line.");
static EMPTY: GaugeFamily<1, 1> = GaugeFamily::new("demo_empty", "A family without rows.", ["row"]);
static TRACED: ExemplarCounter = ExemplarCounter::new("demo_traced_total", "With an example.");
static SLOWEST: ExemplarHistogram<2> =
    ExemplarHistogram::with_bounds("demo_slowest_seconds", "With an example in a bucket.", [0.5, 1.0]);
static DISCOVERED: Collector<Discovered> =
    Collector::new("discovered", &["demo_unknown", "demo_queue_seconds", "demo_sampled_volts"], Discovered);

static REGISTRY: Registry = Registry::new(&[
    &REQUESTS,
    &TEMPERATURE,
    &REPLIES,
    &LABEL_VALUES,
    &NUMBERS,
    &LATENCY,
    &PHASES,
    &SIZE,
    &SENT,
    &BUILD,
    &STATE,
    &BOARD,
    &BREADTH,
    &RATIO,
    &HELP,
    &EMPTY,
    &TRACED,
    &SLOWEST,
])
.collecting(&[&DISCOVERED]);

/// What is only known at the time of the scrape.
#[derive(Debug)]
struct Discovered;

impl Collect for Discovered {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Unknown, "demo_unknown", "Of no known kind.").sample(&[], 5);
        let mut queue = page.family(Kind::GaugeHistogram, "demo_queue_seconds", "Age of what waits.");
        queue.bucket(&[], 1.0, 2);
        queue.bucket(&[], 10.0, 3);
        queue.bucket(&[], f64::INFINITY, 4);
        queue.count_and_sum(&[], 4, 30.5);
        page.family(Kind::Gauge, "demo_sampled_volts", "Measured some time ago.").sample_at(
            &[],
            3.3,
            1_700_000_000_500,
        );
        Ok(())
    }
}

fn set_values() {
    REQUESTS.inc_by(3);
    TEMPERATURE.set(41.5);
    REPLIES.with(["GET", "200"]).inc_by(1_027);
    REPLIES.with(["POST", "404"]).inc_by(3);
    let values = ["back\\slash", "double\"quote", "new\nline", "größe", "{a=\"b\"} # ,"];
    for (value, number) in values.into_iter().zip([1.0, 2.0, 3.0, 4.0, 5.0]) {
        LABEL_VALUES.with([value]).set(number);
    }
    for (case, number) in [
        ("nan", f64::NAN),
        ("plus_infinity", f64::INFINITY),
        ("minus_infinity", f64::NEG_INFINITY),
        ("negative", -0.5),
        ("zero", 0.0),
        ("minus_zero", -0.0),
        ("huge", 1e300),
        ("tiny", 5e-324),
        ("million", 1_234_567.0),
        ("third", 1.0 / 3.0),
        ("whole", 9_007_199_254_740_992.0),
    ] {
        NUMBERS.with([case]).set(number);
    }
    for seconds in [0.05, 0.5, 0.5, 20.0] {
        LATENCY.observe(seconds);
    }
    PHASES.with(["read"]).observe(0.25);
    PHASES.with(["write"]).observe(0.75);
    SIZE.observe(100.0);
    SIZE.observe(200.5);
    SENT.with(["cloud"]).observe(1_000.0);
    STATE.set("busy");
    BOARD.inc_by(7);
    BREADTH.with(["a b"]).set(2.5);
    RATIO.set(0.5);
    HELP.set(1.0);
    TRACED.inc_with_exemplar(2, &[("trace_id", "abc")]);
    SLOWEST.observe_with_exemplar(0.75, &[("trace_id", "def"), ("span_id", "1")]);
}

fn main() -> Result<(), scrapeport::Error> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9100".into());
    let created = arguments.next().is_some_and(|word| word == "created");
    set_values();
    let (server, thread) =
        Server::builder(&REGISTRY).created(created).server_metrics(false).start_on(address)?;
    if let Some(address) = server.local_addr() {
        println!("{address}");
    }
    let _ = thread.join();
    Ok(())
}
