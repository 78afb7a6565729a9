//! The price of a page, per series, against the other clients, a copy of the page, and "prefix and number".

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use measured::LabelGroup;
use measured::label::LabelGroupSet;
use measured::lasso::{Rodeo, RodeoReader};
use measured::metric::MetricFamilyEncoding;
use measured::metric::group::FamilyMeta;
use measured::metric::name::MetricName;
use measured_prometheus_text::BufferedTextEncoder;
use metrics::{Key, Label, Level, Metadata, Recorder};
use paracord::ParaCord;
use prometheus::TextEncoder;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter as ClientCounter, family::Family as ClientFamily};
use scrapeport_benches::data::{HELP, LABELS, SHAPES, Shape, family_name, labels, value};
use scrapeport_benches::instructions::{counted_repetitions, per_repetition};
use scrapeport_benches::ours;
use scrapeport_benches::rounds::{Repeat, take_turns};
use scrapeport_benches::table::{Table, maybe, ratio, short};

/// A candidate: gives one page to look at, and the way to repeat it.
struct Candidate {
    name: &'static str,
    make: fn(Shape) -> (Vec<u8>, Repeat),
}

const CANDIDATES: [Candidate; 9] = [
    Candidate { name: "prefix and number", make: prefix_and_number },
    Candidate { name: "copy of the page", make: copy },
    Candidate { name: "scrapeport", make: ours::page },
    Candidate { name: "scrapeport, 16 KiB buffer", make: ours::page_in_pieces },
    Candidate { name: "measured, any values", make: measured_any },
    Candidate { name: "measured, values known at start", make: measured_fixed },
    Candidate { name: "prometheus", make: prometheus },
    Candidate { name: "prometheus-client", make: client },
    Candidate { name: "metrics", make: metrics },
];
const OURS: usize = 2;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value_of = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    if let (Some(case), Some(times)) = (value_of("--case"), value_of("--times")) {
        let (shape, name) = case.split_once('/').unwrap();
        let candidate = CANDIDATES.iter().find(|candidate| candidate.name == name).unwrap();
        let (_, run) = (candidate.make)(SHAPES[shape.parse::<usize>().unwrap()]);
        return counted_repetitions(&run, times.parse().unwrap());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only: Option<usize> = value_of("--size").map(|size| size.parse().unwrap());
    for at in (0..SHAPES.len()).filter(|at| only.is_none_or(|only| only == *at)) {
        compare(at, quick);
    }
}

fn compare(at: usize, quick: bool) {
    let shape = SHAPES[at];
    let made: Vec<(Vec<u8>, Repeat)> = CANDIDATES.iter().map(|candidate| (candidate.make)(shape)).collect();
    let (pages, runs): (Vec<_>, Vec<_>) = made.into_iter().map(|(page, run)| (page, (1, run))).unzip();
    for (candidate, page) in CANDIDATES.iter().zip(&pages) {
        let samples = String::from_utf8_lossy(page)
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count();
        assert!(samples == shape.series(), "{}: {samples} samples", candidate.name);
    }
    let (count, turn) = match (at, quick) {
        (2, true) => (5, 1e6),
        (2, false) => (21, 1e6),
        (_, true) => (15, 1e6),
        (_, false) => (61, 2e6),
    };
    let rounds = take_turns(&runs, count, turn);
    println!("### {} series in {} families, two labels each\n", shape.series(), shape.families);
    let mut table = Table::new(&[
        "",
        "ns per series, median",
        "least",
        "to the first row",
        "to scrapeport",
        "instructions per series",
        "bytes of the page",
    ]);
    let series = shape.series() as f64;
    for (place, (candidate, result)) in CANDIDATES.iter().zip(&rounds).enumerate() {
        let case = format!("{at}/{}", candidate.name);
        let (few, many) = [(200, 2200), (20, 120), (1, 3)][at];
        let instructions =
            if quick && at == 2 { None } else { per_repetition(&["--case", &case], few, many) };
        table.row(vec![
            candidate.name.to_owned(),
            short(result.median() / series),
            short(result.least() / series),
            ratio(result.ratio_to(&rounds[0])),
            ratio(result.ratio_to(&rounds[OURS])),
            maybe(instructions.map(|count| count / series)),
            pages[place].len().to_string(),
        ]);
    }
    table.print();
}

/// Repeats what fills a buffer that is kept between the pages, and shows the first page.
fn repeat<B: Send + Default + 'static>(
    fill: impl Fn(&mut B) + Send + Sync + 'static,
    show: impl Fn(&B) -> Vec<u8>,
) -> (Vec<u8>, Repeat) {
    let mut buffer = B::default();
    fill(&mut buffer);
    let page = show(&buffer);
    let buffer = Mutex::new(buffer);
    let run = move |times| {
        let mut buffer = buffer.lock().unwrap();
        for _ in 0..times {
            fill(&mut buffer);
            black_box(&mut *buffer);
        }
    };
    (page, Box::new(run))
}

fn each_series(shape: Shape, mut take: impl FnMut(usize, usize, [&'static str; 2])) {
    let rows: Vec<_> = (0..shape.rows).map(labels).collect();
    for family in 0..shape.families {
        for (row, labels) in rows.iter().enumerate() {
            take(family, row, *labels);
        }
    }
}

// ---- floors

struct Row {
    prefix: Box<[u8]>,
    cell: AtomicU64,
}

fn prefix_and_number(shape: Shape) -> (Vec<u8>, Repeat) {
    let mut rows = Vec::new();
    each_series(shape, |family, row, [interface, endpoint]| {
        let mut prefix = String::new();
        let name = family_name(family);
        if row == 0 {
            let _ = write!(prefix, "# HELP {name} {HELP}\n# TYPE {name} counter\n");
        }
        let _ = write!(prefix, "{name}{{interface=\"{interface}\",endpoint=\"{endpoint}\"}} ");
        let prefix = prefix.into_bytes().into_boxed_slice();
        rows.push(Row { prefix, cell: AtomicU64::new(value(family, row)) });
    });
    repeat(
        move |page: &mut Vec<u8>| {
            page.clear();
            let mut text = itoa::Buffer::new();
            for row in &rows {
                page.extend_from_slice(&row.prefix);
                page.extend_from_slice(text.format(row.cell.load(Relaxed)).as_bytes());
                page.push(b'\n');
            }
        },
        Vec::clone,
    )
}

fn copy(shape: Shape) -> (Vec<u8>, Repeat) {
    let (finished, _) = prefix_and_number(shape);
    repeat(
        move |page: &mut Vec<u8>| {
            page.clear();
            page.extend_from_slice(&finished);
        },
        Vec::clone,
    )
}

// ---- peers

#[derive(Clone, Copy, LabelGroup)]
#[label(set = AnySet)]
struct Any<'a> {
    #[label(dynamic_with = ParaCord)]
    interface: &'a str,
    #[label(dynamic_with = ParaCord)]
    endpoint: &'a str,
}

fn measured_any(shape: Shape) -> (Vec<u8>, Repeat) {
    let set = || AnySet { interface: ParaCord::default(), endpoint: ParaCord::default() };
    measured(shape, set, |counters, [interface, endpoint], value| {
        counters.inc_by(Any { interface, endpoint }, value);
    })
}

#[derive(Clone, Copy, LabelGroup)]
#[label(set = FixedSet)]
struct Fixed<'a> {
    #[label(fixed_with = RodeoReader)]
    interface: &'a str,
    #[label(fixed_with = RodeoReader)]
    endpoint: &'a str,
}

fn measured_fixed(shape: Shape) -> (Vec<u8>, Repeat) {
    let rows: Vec<_> = (0..shape.rows).map(labels).collect();
    let set = || FixedSet {
        interface: Rodeo::from_iter(rows.iter().map(|row| row[0])).into_reader(),
        endpoint: Rodeo::from_iter(rows.iter().map(|row| row[1])).into_reader(),
    };
    measured(shape, set, |counters, [interface, endpoint], value| {
        counters.inc_by(Fixed { interface, endpoint }, value);
    })
}

fn measured<L: LabelGroupSet + Send + Sync + 'static>(
    shape: Shape,
    set: impl Fn() -> L,
    count: impl Fn(&measured::CounterVec<L>, [&'static str; 2], u64),
) -> (Vec<u8>, Repeat)
where
    measured::CounterVec<L>: Send + Sync,
{
    let families: Vec<_> = (0..shape.families)
        .map(|family| (family_name(family), measured::CounterVec::with_label_set(set())))
        .collect();
    each_series(shape, |family, row, labels| count(&families[family].1, labels, value(family, row)));
    let encoder = Mutex::new(BufferedTextEncoder::new());
    repeat(
        move |page: &mut bytes::Bytes| {
            // The page before must be gone, or the encoder cannot use its memory again.
            *page = bytes::Bytes::new();
            let mut encoder = encoder.lock().unwrap();
            for (name, family) in &families {
                let name = MetricName::try_from_str(name).unwrap();
                family.collect_family_into(name, FamilyMeta::new().with_help(HELP), &mut *encoder).unwrap();
            }
            *page = encoder.finish();
        },
        |page| page.to_vec(),
    )
}

fn prometheus(shape: Shape) -> (Vec<u8>, Repeat) {
    let registry = prometheus::Registry::new();
    let families: Vec<_> = (0..shape.families)
        .map(|family| {
            let options = prometheus::Opts::new(family_name(family), HELP);
            let family = prometheus::IntCounterVec::new(options, &LABELS).unwrap();
            registry.register(Box::new(family.clone())).unwrap();
            family
        })
        .collect();
    each_series(shape, |family, row, labels| {
        families[family].with_label_values(&labels).inc_by(value(family, row));
    });
    repeat(
        move |page: &mut String| {
            page.clear();
            TextEncoder::new().encode_utf8(&registry.gather(), page).unwrap();
        },
        |page| page.clone().into_bytes(),
    )
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClientLabels {
    interface: &'static str,
    endpoint: &'static str,
}

fn client(shape: Shape) -> (Vec<u8>, Repeat) {
    let mut registry = prometheus_client::registry::Registry::default();
    let families: Vec<_> = (0..shape.families)
        .map(|family| {
            let counters = ClientFamily::<ClientLabels, ClientCounter>::default();
            registry.register(family_name(family).trim_end_matches("_total"), HELP, counters.clone());
            counters
        })
        .collect();
    each_series(shape, |family, row, [interface, endpoint]| {
        families[family].get_or_create(&ClientLabels { interface, endpoint }).inc_by(value(family, row));
    });
    repeat(
        move |page: &mut String| {
            page.clear();
            prometheus_client::encoding::text::encode(page, &registry).unwrap();
        },
        |page| page.clone().into_bytes(),
    )
}

fn metrics(shape: Shape) -> (Vec<u8>, Repeat) {
    const METADATA: Metadata<'static> = Metadata::new("benches", Level::INFO, None);
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    each_series(shape, |family, row, [interface, endpoint]| {
        let name = family_name(family);
        if row == 0 {
            recorder.describe_counter(name.into(), None, HELP.into());
        }
        let labels = vec![
            Label::from_static_parts("interface", interface),
            Label::from_static_parts("endpoint", endpoint),
        ];
        recorder.register_counter(&Key::from_parts(name, labels), &METADATA).increment(value(family, row));
    });
    let handle = recorder.handle();
    repeat(
        move |page: &mut Vec<u8>| {
            page.clear();
            handle.render_to_write(page).unwrap();
        },
        Vec::clone,
    )
}
