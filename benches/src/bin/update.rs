//! The price of one update, against the raw atomic instruction and against the other clients.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use measured::LabelGroup;
use measured::lasso::{Rodeo, RodeoReader};
use measured::metric::histogram::Thresholds;
use metrics::{Key, Label, Level, Metadata, Recorder};
use paracord::ParaCord;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{
    counter::Counter as ClientCounter, family::Family as ClientFamily, gauge::Gauge as ClientGauge,
    histogram::Histogram as ClientHistogram,
};
use scrapeport_benches::data::{BOUNDS, HELP, LABELS, hundred_shuffled, observations};
use scrapeport_benches::instructions::{counted_repetitions, per_repetition};
use scrapeport_benches::ours;
use scrapeport_benches::rounds::{Case, Repeat, Rounds, take_turns};
use scrapeport_benches::table::{Table, maybe, ratio, short};

struct Group {
    key: &'static str,
    title: &'static str,
    /// How the candidates are called whose ratios get a column each: the floor, then ours.
    cases: Vec<Case>,
}

fn groups() -> Vec<Group> {
    vec![
        Group {
            key: "counter",
            title: "Counter: add one through a kept reference",
            cases: vec![
                Case::new("raw atomic add", raw_counter),
                Case::new("scrapeport", ours::counter),
                Case::new("scrapeport, kept row", ours::kept_row),
                Case::new("prometheus", prometheus_counter),
                Case::new("prometheus-client", client_counter),
                Case::new("measured", measured_counter),
                Case::new("metrics", metrics_counter),
            ],
        },
        Group {
            key: "gauge",
            title: "Gauge: set",
            cases: vec![
                Case::new("raw atomic store", raw_gauge),
                Case::new("scrapeport", ours::gauge),
                Case::new("prometheus", prometheus_gauge),
                Case::new("prometheus-client", client_gauge),
                Case::new("measured", measured_gauge),
                Case::new("metrics", metrics_gauge),
            ],
        },
        Group {
            key: "histogram",
            title: "Histogram: observe, 14 bounds",
            cases: vec![
                Case::new("raw atomics", raw_histogram),
                Case::new("scrapeport", ours::histogram),
                Case::new("prometheus", prometheus_histogram),
                Case::new("prometheus-client", client_histogram),
                Case::new("measured", measured_histogram),
                Case::new("metrics", metrics_histogram),
            ],
        },
        Group {
            key: "lookup",
            title: "Look-up: one of 100 rows by two strings, then add one",
            cases: vec![
                Case::new("raw atomic add", raw_counter),
                Case::new("scrapeport", ours::look_up),
                Case::new("prometheus", prometheus_look_up),
                Case::new("prometheus-client", client_look_up),
                Case::new("measured, values known at start", measured_look_up_fixed),
                Case::new("measured, any values", measured_look_up),
                Case::new("metrics", metrics_look_up),
            ],
        },
        Group {
            key: "own",
            title: "Own-thread cells",
            cases: vec![
                Case::new("raw atomic add", raw_counter),
                Case::new("raw load and store", raw_own),
                Case::new("scrapeport, own-thread counter", ours::own_counter),
                Case::new("scrapeport, shared counter", ours::counter),
                Case::new("scrapeport, own-thread histogram", ours::own_histogram),
                Case::new("scrapeport, shared histogram", ours::histogram),
            ],
        },
        Group {
            key: "two",
            title: "Two threads at once",
            cases: vec![
                Case::by_two("raw atomic add", raw_counter),
                Case::by_two("scrapeport, own-thread counter", ours::own_counter),
                Case::by_two("scrapeport, shared counter", ours::counter),
                Case::by_two("prometheus, shared counter", prometheus_counter),
                Case::by_two("scrapeport, own-thread histogram", ours::own_histogram),
                Case::by_two("scrapeport, shared histogram", ours::histogram),
                Case::by_two("prometheus, shared histogram", prometheus_histogram),
            ],
        },
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value_of = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    if let (Some(case), Some(times)) = (value_of("--case"), value_of("--times")) {
        return run_alone(&case, times.parse().unwrap());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = value_of("--group");
    for group in groups() {
        if only.as_ref().is_none_or(|only| only == group.key) {
            compare(&group, quick);
        }
    }
}

/// One candidate, for callgrind to count.
fn run_alone(case: &str, times: u64) {
    let (key, name) = case.split_once('/').unwrap();
    let group = groups().into_iter().find(|group| group.key == key).unwrap();
    let case = group.cases.iter().find(|case| case.name == name).unwrap();
    counted_repetitions(&(case.make)(), times);
}

fn compare(group: &Group, quick: bool) {
    let ready: Vec<(usize, Repeat)> = group.cases.iter().map(|case| (case.threads, (case.make)())).collect();
    let rounds = take_turns(&ready, if quick { 15 } else { 61 }, if quick { 1e6 } else { 2e6 });
    println!("### {}\n", group.title);
    let ours = group.cases.iter().position(|case| case.name.starts_with("scrapeport")).unwrap();
    let mut table =
        Table::new(&["", "ns, median", "least", "most", "to the first row", "to scrapeport", "instructions"]);
    for (case, result) in group.cases.iter().zip(&rounds) {
        let instructions = (case.threads == 1)
            .then(|| per_repetition(&["--case", &format!("{}/{}", group.key, case.name)], 1_000, 11_000))
            .flatten();
        table.row(row(case.name, result, &rounds[0], &rounds[ours], instructions));
    }
    table.print();
}

fn row(name: &str, result: &Rounds, floor: &Rounds, ours: &Rounds, instructions: Option<f64>) -> Vec<String> {
    vec![
        name.to_owned(),
        short(result.median()),
        short(result.least()),
        short(result.most()),
        ratio(result.ratio_to(floor)),
        ratio(result.ratio_to(ours)),
        maybe(instructions),
    ]
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Repeats an update of something that lives for ever.
fn repeat<T: Sync>(target: &'static T, update: impl Fn(&T) + Send + Sync + 'static) -> Repeat {
    Box::new(move |times| {
        let target = black_box(target);
        for _ in 0..times {
            update(target);
        }
    })
}

/// Repeats an observation with changing values.
fn repeat_observing<T: Sync>(target: &'static T, update: impl Fn(&T, f64) + Send + Sync + 'static) -> Repeat {
    let values = observations();
    Box::new(move |times| {
        let (target, values) = (black_box(target), black_box(&values));
        for at in 0..times {
            update(target, values[at as usize % values.len()]);
        }
    })
}

/// Repeats an update of a changing row.
fn repeat_rows<T: Sync>(
    target: &'static T,
    update: impl Fn(&T, [&'static str; 2]) + Send + Sync + 'static,
) -> Repeat {
    let rows = hundred_shuffled();
    for row in &rows {
        update(target, *row);
    }
    Box::new(move |times| {
        let target = black_box(target);
        let mut order = rows.iter().cycle();
        for _ in 0..times {
            update(target, *order.next().unwrap());
        }
    })
}

// ---- floors

fn raw_counter() -> Repeat {
    static CELL: AtomicU64 = AtomicU64::new(0);
    repeat(&CELL, |cell| {
        cell.fetch_add(1, Relaxed);
    })
}

fn raw_own() -> Repeat {
    static CELL: AtomicU64 = AtomicU64::new(0);
    repeat(&CELL, |cell| cell.store(cell.load(Relaxed) + 1, Relaxed))
}

fn raw_gauge() -> Repeat {
    static CELL: AtomicU64 = AtomicU64::new(0);
    repeat_observing(&CELL, |cell, value| cell.store(value.to_bits(), Relaxed))
}

fn raw_histogram() -> Repeat {
    struct Raw {
        buckets: [AtomicU64; 15],
        sum: AtomicU64,
    }
    static RAW: Raw = Raw { buckets: [const { AtomicU64::new(0) }; 15], sum: AtomicU64::new(0) };
    repeat_observing(&RAW, |raw, value| {
        let bucket = BOUNDS.iter().take_while(|bound| value > **bound).count();
        raw.buckets[bucket].fetch_add(1, Relaxed);
        let _ = raw.sum.fetch_update(Relaxed, Relaxed, |bits| Some((f64::from_bits(bits) + value).to_bits()));
    })
}

// ---- prometheus

fn prometheus_counter() -> Repeat {
    repeat(leak(prometheus::IntCounter::new("requests_total", HELP).unwrap()), |counter| counter.inc())
}

fn prometheus_gauge() -> Repeat {
    repeat_observing(leak(prometheus::Gauge::new("temperature", HELP).unwrap()), |gauge, value| {
        gauge.set(value);
    })
}

fn prometheus_histogram() -> Repeat {
    let options = prometheus::HistogramOpts::new("latency", HELP).buckets(BOUNDS.to_vec());
    repeat_observing(leak(prometheus::Histogram::with_opts(options).unwrap()), |histogram, value| {
        histogram.observe(value);
    })
}

fn prometheus_look_up() -> Repeat {
    let options = prometheus::Opts::new("requests_total", HELP);
    let family = leak(prometheus::IntCounterVec::new(options, &LABELS).unwrap());
    repeat_rows(family, |family, row| family.with_label_values(&row).inc())
}

// ---- prometheus-client

fn client_counter() -> Repeat {
    repeat(leak(ClientCounter::<u64, AtomicU64>::default()), |counter| {
        counter.inc();
    })
}

fn client_gauge() -> Repeat {
    repeat_observing(leak(ClientGauge::<f64, AtomicU64>::default()), |gauge, value| {
        gauge.set(value);
    })
}

fn client_histogram() -> Repeat {
    repeat_observing(leak(ClientHistogram::new(BOUNDS)), |histogram, value| histogram.observe(value))
}

/// Its own `String` labels would cost it two allocations more per look-up.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClientLabels {
    interface: &'static str,
    endpoint: &'static str,
}

fn client_look_up() -> Repeat {
    let family = leak(ClientFamily::<ClientLabels, ClientCounter>::default());
    repeat_rows(family, |family, [interface, endpoint]| {
        family.get_or_create(&ClientLabels { interface, endpoint }).inc();
    })
}

// ---- measured

fn measured_counter() -> Repeat {
    repeat(leak(measured::Counter::default()), |counter| counter.inc())
}

fn measured_gauge() -> Repeat {
    repeat_observing(leak(measured::FloatGauge::default()), |gauge, value| gauge.set(value))
}

fn measured_histogram() -> Repeat {
    let histogram = measured::Histogram::<14>::with_metadata(Thresholds::with_buckets(BOUNDS));
    repeat_observing(leak(histogram), |histogram, value| histogram.observe(value))
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = FixedSet)]
struct Fixed<'a> {
    #[label(fixed_with = RodeoReader)]
    interface: &'a str,
    #[label(fixed_with = RodeoReader)]
    endpoint: &'a str,
}

fn measured_look_up_fixed() -> Repeat {
    let rows = hundred_shuffled();
    let family = measured::CounterVec::with_label_set(FixedSet {
        interface: Rodeo::from_iter(rows.iter().map(|row| row[0])).into_reader(),
        endpoint: Rodeo::from_iter(rows.iter().map(|row| row[1])).into_reader(),
    });
    repeat_rows(leak(family), |family, [interface, endpoint]| family.inc(Fixed { interface, endpoint }))
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = AnySet)]
struct Any<'a> {
    #[label(dynamic_with = ParaCord)]
    interface: &'a str,
    #[label(dynamic_with = ParaCord)]
    endpoint: &'a str,
}

fn measured_look_up() -> Repeat {
    let family = measured::CounterVec::with_label_set(AnySet {
        interface: ParaCord::default(),
        endpoint: ParaCord::default(),
    });
    repeat_rows(leak(family), |family, [interface, endpoint]| family.inc(Any { interface, endpoint }))
}

// ---- metrics, with its exporter for Prometheus

const METADATA: Metadata<'static> = Metadata::new("benches", Level::INFO, None);

fn recorder() -> &'static metrics_exporter_prometheus::PrometheusRecorder {
    let builder = metrics_exporter_prometheus::PrometheusBuilder::new();
    leak(builder.set_buckets(&BOUNDS).unwrap().build_recorder())
}

fn metrics_counter() -> Repeat {
    let counter = recorder().register_counter(&Key::from_static_name("requests_total"), &METADATA);
    repeat(leak(counter), |counter| counter.increment(1))
}

fn metrics_gauge() -> Repeat {
    let gauge = recorder().register_gauge(&Key::from_static_name("temperature"), &METADATA);
    repeat_observing(leak(gauge), |gauge, value| gauge.set(value))
}

fn metrics_histogram() -> Repeat {
    let histogram = recorder().register_histogram(&Key::from_static_name("latency"), &METADATA);
    repeat_observing(leak(histogram), |histogram, value| histogram.record(value))
}

fn metrics_look_up() -> Repeat {
    repeat_rows(recorder(), |recorder, [interface, endpoint]| {
        let labels = vec![
            Label::from_static_parts("interface", interface),
            Label::from_static_parts("endpoint", endpoint),
        ];
        recorder.register_counter(&Key::from_parts("requests_total", labels), &METADATA).increment(1);
    })
}
