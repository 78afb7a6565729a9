//! The metrics as a program sees them: what is counted is what the page shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use proptest::prelude::*;
use scrapeport::text::{Escaping, Format, Kind, NameFilter, Output, Page, Stopped, Syntax};
use scrapeport::{
    Collect, CollectError, Collector, Counter, CounterFamily, ExemplarCounter, ExemplarHistogram, Gauge,
    GaugeFamily, GaugeFn, Histogram, HistogramFamily, Info, InfoFamily, Registry, SlotCounter, SlotHistogram,
    StateSet, Summary, SummaryFamily,
};

/// Collects a page in one piece.
#[derive(Default)]
struct Text {
    text: Vec<u8>,
    expired: bool,
    failures: Vec<String>,
}

impl Output for Text {
    fn flush(&mut self, buffer: &mut [u8], content: std::ops::Range<usize>) -> Result<(), Stopped> {
        self.text.extend_from_slice(&buffer[content]);
        Ok(())
    }

    fn expired(&self) -> bool {
        self.expired
    }

    fn collector_failed(&mut self, collector: &'static str, why: &dyn std::fmt::Display) {
        self.failures.push(format!("{collector}: {why}"));
    }
}

/// The page in a buffer of the given size, through the filter of a query.
fn page(registry: &Registry, format: Format, buffer: usize, query: &str, output: &mut Text) -> String {
    let mut buffer = vec![0; buffer];
    let mut page = Page::new(&mut buffer, format, output).with_filter(NameFilter::new(query.as_bytes()));
    registry.encode(&mut page);
    page.finish().unwrap();
    String::from_utf8(std::mem::take(&mut output.text)).unwrap()
}

fn filtered(registry: &Registry, query: &str) -> String {
    page(registry, Format::TEXT, 4096, query, &mut Text::default())
}

const OPENMETRICS: Format = Format::new(Syntax::OpenMetrics1_0_0, Escaping::AllowUtf8);

#[test]
fn numbers_that_32_bits_do_not_hold() {
    static BYTES: Counter = Counter::new("bytes_total", "Bytes.");
    static SIZE: SlotCounter<1> = SlotCounter::new("size_total", "Bytes.");
    static FREE: Gauge = Gauge::new("free_bytes", "Bytes.");
    static UNTIL: Gauge = Gauge::new("until_seconds", "A time after 2038.");
    static REGISTRY: Registry = Registry::new(&[&BYTES, &SIZE, &FREE, &UNTIL]);
    BYTES.inc_by(u64::from(u32::MAX));
    BYTES.inc();
    let mut slot = SIZE.claim().unwrap();
    slot.inc_by(u64::from(u32::MAX));
    slot.inc_by(2);
    FREE.set(4_294_967_295.0);
    FREE.inc();
    UNTIL.set(4_102_444_800.0);
    let text = REGISTRY.to_text(Format::TEXT);
    for line in [
        "bytes_total 4294967296",
        "size_total 4294967297",
        "free_bytes 4294967296",
        "until_seconds 4102444800",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn every_kind_in_both_syntaxes() {
    static COUNTER: Counter = Counter::new("a_total", "Count \\ \"quoted\"\nsecond line.");
    static GAUGE: Gauge = Gauge::new("b_celsius", "Degrees.").unit("celsius");
    static CALLBACK: GaugeFn = GaugeFn::new("c", "Asked.", || 1.5);
    static HISTOGRAM: Histogram<2> = Histogram::with_bounds("d_seconds", "Time.", [0.5, 1.0]);
    static SUMMARY: Summary = Summary::new("e_bytes", "Size.");
    static INFO: Info<2> = Info::new("f_info", "Fact.", [("version", "1"), ("model", "x\"y")]);
    static STATES: StateSet<2> = StateSet::new("g", "State.", ["idle", "busy"]);
    static REGISTRY: Registry =
        Registry::new(&[&COUNTER, &GAUGE, &CALLBACK, &HISTOGRAM, &SUMMARY, &INFO, &STATES]);
    COUNTER.inc_by(3);
    GAUGE.set(-0.5);
    HISTOGRAM.observe(0.75);
    HISTOGRAM.observe(9.0);
    SUMMARY.observe(10.0);
    STATES.set("busy");
    assert_eq!(
        REGISTRY.to_text(Format::TEXT),
        "# HELP a_total Count \\\\ \"quoted\"\\nsecond line.\n# TYPE a_total counter\na_total 3\n\
         # HELP b_celsius Degrees.\n# TYPE b_celsius gauge\nb_celsius -0.5\n\
         # HELP c Asked.\n# TYPE c gauge\nc 1.5\n\
         # HELP d_seconds Time.\n# TYPE d_seconds histogram\n\
         d_seconds_bucket{le=\"0.5\"} 0\nd_seconds_bucket{le=\"1.0\"} 1\nd_seconds_bucket{le=\"+Inf\"} 2\n\
         d_seconds_count 2\nd_seconds_sum 9.75\n\
         # HELP e_bytes Size.\n# TYPE e_bytes summary\ne_bytes_count 1\ne_bytes_sum 10\n\
         # HELP f_info Fact.\n# TYPE f_info gauge\nf_info{version=\"1\",model=\"x\\\"y\"} 1\n\
         # HELP g State.\n# TYPE g gauge\ng{g=\"idle\"} 0\ng{g=\"busy\"} 1\n"
    );
    assert_eq!(
        REGISTRY.to_text(OPENMETRICS),
        "# HELP a Count \\\\ \\\"quoted\\\"\\nsecond line.\n# TYPE a counter\na_total 3\n\
         # HELP b_celsius Degrees.\n# TYPE b_celsius gauge\n# UNIT b_celsius celsius\nb_celsius -0.5\n\
         # HELP c Asked.\n# TYPE c gauge\nc 1.5\n\
         # HELP d_seconds Time.\n# TYPE d_seconds histogram\n\
         d_seconds_bucket{le=\"0.5\"} 0\nd_seconds_bucket{le=\"1.0\"} 1\nd_seconds_bucket{le=\"+Inf\"} 2\n\
         d_seconds_count 2\nd_seconds_sum 9.75\n\
         # HELP e_bytes Size.\n# TYPE e_bytes summary\ne_bytes_count 1\ne_bytes_sum 10\n\
         # HELP f Fact.\n# TYPE f info\nf_info{version=\"1\",model=\"x\\\"y\"} 1\n\
         # HELP g State.\n# TYPE g stateset\ng{g=\"idle\"} 0\ng{g=\"busy\"} 1\n# EOF\n"
    );
}

#[test]
fn created_times_only_when_asked() {
    static PLAIN: Counter = Counter::new("a_total", "");
    static ROWS: CounterFamily<1, 2> = CounterFamily::new("b_total", "", ["x"]);
    static SIZES: HistogramFamily<1, 2, 1> = HistogramFamily::new("c", "", ["x"], [1.0]);
    static GAUGE: Gauge = Gauge::new("d", "");
    static REGISTRY: Registry = Registry::new(&[&PLAIN, &ROWS, &SIZES, &GAUGE]);
    ROWS.with(["1"]).inc();
    SIZES.with(["1"]).observe(0.0);
    assert!(!REGISTRY.to_text(OPENMETRICS).contains("_created"));
    let blank_times = |text: String| {
        text.lines()
            .map(|line| match line.split_once("_created") {
                Some((name, rest)) if !line.starts_with('#') => {
                    let (labels, time) = rest.rsplit_once(' ').unwrap();
                    assert!(time.parse::<f64>().unwrap() > 1.6e9, "{line}");
                    format!("{name}_created{labels} T\n")
                }
                _ => format!("{line}\n"),
            })
            .collect::<String>()
    };
    assert_eq!(
        blank_times(REGISTRY.to_text(OPENMETRICS.with_created(true))),
        "# HELP a \n# TYPE a counter\na_total 0\na_created T\n\
         # HELP b \n# TYPE b counter\nb_total{x=\"1\"} 1\nb_created{x=\"1\"} T\n\
         # HELP c \n# TYPE c histogram\nc_bucket{x=\"1\",le=\"1.0\"} 1\nc_bucket{x=\"1\",le=\"+Inf\"} 1\n\
         c_count{x=\"1\"} 1\nc_sum{x=\"1\"} 0\nc_created{x=\"1\"} T\n\
         # HELP d \n# TYPE d gauge\nd 0\n# EOF\n"
    );
    assert_eq!(
        blank_times(REGISTRY.to_text(Format::TEXT.with_created(true))),
        "# HELP a_total \n# TYPE a_total counter\na_total 0\n# HELP a_created \n# TYPE a_created gauge\na_created T\n\
         # HELP b_total \n# TYPE b_total counter\nb_total{x=\"1\"} 1\n\
         # HELP b_created \n# TYPE b_created gauge\nb_created{x=\"1\"} T\n\
         # HELP c \n# TYPE c histogram\nc_bucket{x=\"1\",le=\"1.0\"} 1\nc_bucket{x=\"1\",le=\"+Inf\"} 1\n\
         c_count{x=\"1\"} 1\nc_sum{x=\"1\"} 0\n# HELP c_created \n# TYPE c_created gauge\nc_created{x=\"1\"} T\n\
         # HELP d \n# TYPE d gauge\nd 0\n"
    );
}

#[test]
fn exemplars_show_in_openmetrics_only_and_never_cost_an_increment() {
    static COUNTER: ExemplarCounter = ExemplarCounter::new("a_total", "");
    static SIZES: ExemplarHistogram<2> = ExemplarHistogram::with_bounds("b", "", [1.0, 2.0]);
    static REGISTRY: Registry = Registry::new(&[&COUNTER, &SIZES]);
    assert!(COUNTER.inc_with_exemplar(2, &[("trace_id", "a\"b")]));
    assert!(SIZES.observe_with_exemplar(1.5, &[("trace_id", "c")]));
    assert!(SIZES.observe_with_exemplar(7.5, &[]));
    let text = REGISTRY.to_text(OPENMETRICS);
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_string();
    let without_time = |line: String| line.rsplit_once(' ').unwrap().0.to_string();
    assert_eq!(without_time(line("a_total")), "a_total 2 # {trace_id=\"a\\\"b\"} 2");
    assert_eq!(line("b_bucket{le=\"1.0\"}"), "b_bucket{le=\"1.0\"} 0");
    assert_eq!(without_time(line("b_bucket{le=\"2.0\"}")), "b_bucket{le=\"2.0\"} 1 # {trace_id=\"c\"} 1.5");
    assert_eq!(without_time(line("b_bucket{le=\"+Inf\"}")), "b_bucket{le=\"+Inf\"} 2 # {} 7.5");
    assert!(!REGISTRY.to_text(Format::TEXT).contains(" # "));

    let long = "x".repeat(scrapeport::EXEMPLAR_LIMIT - 1);
    assert!(!COUNTER.inc_with_exemplar(1, &[("ab", &long)]), "129 characters");
    assert!(!COUNTER.inc_with_exemplar(1, &[("not a name", "x")]));
    assert!(COUNTER.inc_with_exemplar(1, &[("a", &long)]), "128 characters");
    assert_eq!(COUNTER.get(), 5.0);
}

#[test]
fn a_negative_bound_shows_no_sum_to_openmetrics() {
    static TEMPERATURES: Histogram<2> = Histogram::with_bounds("t", "", [-1.0, 1.0]);
    static REGISTRY: Registry = Registry::new(&[&TEMPERATURES]);
    TEMPERATURES.observe(-5.0);
    assert!(REGISTRY.to_text(Format::TEXT).contains("t_count 1\nt_sum -5\n"));
    let text = REGISTRY.to_text(OPENMETRICS);
    assert!(
        text.contains("t_bucket{le=\"-1.0\"} 1\n") && !text.contains("_count") && !text.contains("_sum"),
        "{text}"
    );
}

#[test]
fn rows_come_go_and_come_again() {
    static LINKS: GaugeFamily<1, 3> = GaugeFamily::new("link_up", "", ["interface"]);
    static REGISTRY: Registry = Registry::new(&[&LINKS]);
    let shown = || {
        let text = REGISTRY.to_text(Format::TEXT);
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_string).collect::<Vec<_>>()
    };
    for interface in ["eth0", "eth1", "wlan0"] {
        LINKS.with([interface]).set(1.0);
    }
    assert!(LINKS.try_with(["usb0"]).is_none());
    assert!(LINKS.remove(["eth1"]) && !LINKS.remove(["eth1"]) && !LINKS.remove(["ppp0"]));
    assert_eq!(shown(), ["link_up{interface=\"eth0\"} 1", "link_up{interface=\"wlan0\"} 1"]);
    LINKS.try_with(["usb0"]).unwrap().inc();
    assert_eq!(
        shown(),
        ["link_up{interface=\"eth0\"} 1", "link_up{interface=\"usb0\"} 1", "link_up{interface=\"wlan0\"} 1"],
        "a row used again begins at zero"
    );
    assert_eq!(LINKS.dropped(), 0);
    assert_eq!(LINKS.clear(), 3);
    assert!(shown().is_empty());
}

#[test]
fn rows_are_removed_by_some_of_their_values() {
    static FLOWS: CounterFamily<2, 8> = CounterFamily::new("flows_total", "", ["interface", "peer"]);
    for interface in ["eth0", "eth1"] {
        for peer in ["a", "b", "c"] {
            FLOWS.with([interface, peer]).inc();
        }
    }
    assert_eq!(FLOWS.remove_matching([Some("eth0"), None]), 3);
    assert_eq!(FLOWS.remove_matching([None, Some("b")]), 1);
    assert_eq!(FLOWS.remove_matching([Some("eth0"), None]), 0);
    assert_eq!(FLOWS.clear(), 2);
}

#[test]
fn a_full_family_loses_nothing() {
    static REPLIES: CounterFamily<2, 2> = CounterFamily::new("replies_total", "", ["method", "code"]);
    static REGISTRY: Registry = Registry::new(&[&REPLIES]);
    REPLIES.with(["GET", "200"]).inc();
    REPLIES.with(["GET", "404"]).inc();
    assert!(!REGISTRY.to_text(Format::TEXT).contains("dropped"));
    REPLIES.with(["PUT", "200"]).inc_by(5);
    REPLIES.with(["PUT", "500"]).inc_by(6);
    REPLIES.with(["other", "other"]).inc_by(7);
    assert!(REPLIES.try_with(["PUT", "500"]).is_none());
    assert_eq!(REPLIES.dropped(), 2);
    for (format, name) in [(Format::TEXT, "replies_total"), (OPENMETRICS, "replies_total")] {
        let text = REGISTRY.to_text(format);
        assert_eq!(text.matches("method=\"other\"").count(), 1, "{text}");
        assert!(text.contains(&format!("{name}{{method=\"other\",code=\"other\"}} 18\n")), "{text}");
        assert!(text.contains("scrapeport_dropped_series_total{family=\"replies_total\"} 2\n"), "{text}");
    }
}

#[test]
fn labels_too_long_for_their_storage_go_to_the_overflow_row() {
    static PEERS: CounterFamily<1, 4, 1> = CounterFamily::new("peers_total", "", ["peer"]);
    // peer="…" takes seven bytes of the 32.
    PEERS.with(["x".repeat(25).as_str()]).inc();
    assert_eq!(PEERS.dropped(), 0);
    PEERS.with(["x".repeat(26).as_str()]).inc();
    PEERS.with(["\"".repeat(13).as_str()]).inc();
    assert_eq!(PEERS.dropped(), 2);
    PEERS.with(["x".repeat(1 << 20).as_str()]).inc();
    assert_eq!(PEERS.dropped(), 3);
}

#[test]
fn a_kept_row_is_not_given_to_others() {
    static LINKS: CounterFamily<1, 2> = CounterFamily::new("link_total", "", ["interface"]);
    static REGISTRY: Registry = Registry::new(&[&LINKS]);
    let kept = LINKS.keep(["eth0"]).unwrap();
    kept.inc();
    LINKS.with(["eth1"]).inc();
    LINKS.remove(["eth0"]);
    assert!(LINKS.try_with(["eth2"]).is_none(), "its storage is still kept");
    kept.inc();
    assert!(!REGISTRY.to_text(Format::TEXT).contains("eth0"));
    drop(kept);
    assert_eq!(LINKS.try_with(["eth2"]).map(|row| row.get()), Some(0.0));
}

#[test]
fn label_values_compare_exactly() {
    static F: CounterFamily<2, 16> = CounterFamily::new("f_total", "", ["a", "b"]);
    let pairs = [
        ["ab", "c"],
        ["a", "bc"],
        ["", "abc"],
        ["abc", ""],
        ["a\0", "bc"],
        ["12345678", "9"],
        ["123456789", ""],
    ];
    for (index, pair) in pairs.iter().enumerate() {
        F.with(*pair).inc_by(index as u64 + 1);
    }
    for (index, pair) in pairs.iter().enumerate() {
        assert_eq!(F.with(*pair).get(), index as f64 + 1.0, "{pair:?}");
    }
}

#[test]
fn labels_from_a_type() {
    struct Reply {
        ok: bool,
    }
    impl From<Reply> for [&'static str; 1] {
        fn from(reply: Reply) -> Self {
            [if reply.ok { "ok" } else { "failed" }]
        }
    }
    static F: CounterFamily<1, 2> = CounterFamily::new("f_total", "", ["result"]);
    F.with(Reply { ok: true }).inc();
    F.with(Reply { ok: false }).inc_by(2);
    assert_eq!((F.with(["ok"]).get(), F.with(["failed"]).get()), (1.0, 2.0));
}

#[test]
fn the_filter_takes_family_and_sample_names() {
    static COUNTER: Counter = Counter::new("a_total", "A.");
    static HISTOGRAM: Histogram<1> = Histogram::with_bounds("h_seconds", "H.", [1.0]).unit("seconds");
    static GAUGE: GaugeFamily<1, 1> = GaugeFamily::new("g", "G.", ["x"]);
    static REGISTRY: Registry = Registry::new(&[&COUNTER, &HISTOGRAM, &GAUGE]);
    GAUGE.with(["1"]).set(1.0);
    let a = "# HELP a_total A.\n# TYPE a_total counter\na_total 0\n";
    assert_eq!(filtered(&REGISTRY, "name[]=a_total"), a);
    assert_eq!(filtered(&REGISTRY, "name[]=a"), a);
    assert_eq!(filtered(&REGISTRY, "name[]=nothing"), "");
    assert_eq!(
        filtered(&REGISTRY, "name[]=h_seconds_sum&name%5B%5D=g"),
        "# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_sum 0\n# HELP g G.\n# TYPE g gauge\ng{x=\"1\"} 1\n"
    );
    let openmetrics = page(&REGISTRY, OPENMETRICS, 4096, "name[]=h_seconds_count", &mut Text::default());
    assert_eq!(
        openmetrics,
        "# HELP h_seconds H.\n# TYPE h_seconds histogram\n# UNIT h_seconds seconds\nh_seconds_count 0\n# EOF\n"
    );
}

struct Failing;
impl Collect for Failing {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Gauge, "before", "").sample(&[], 1.0);
        Err(CollectError::new("cannot read the sensor").with_code(5))
    }
}

struct Panicking;
impl Collect for Panicking {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Gauge, "first", "").sample(&[], 1.0);
        panic!("for this test")
    }
}

#[test]
fn one_failing_collector_never_fails_a_page() {
    static FAILING: Collector<Failing> = Collector::new("failing", &["before"], Failing);
    static PANICKING: Collector<Panicking> = Collector::new("panicking", &[], Panicking);
    static ASKED: GaugeFn = GaugeFn::new("asked", "", || panic!("for this test"));
    static GOOD: Gauge = Gauge::new("good", "");
    static INNER: Registry = Registry::new(&[&GOOD]).collecting(&[&PANICKING]);
    static REGISTRY: Registry = Registry::new(&[&ASKED]).including(&[&INNER]).collecting(&[&FAILING]);
    let mut output = Text::default();
    let text = page(&REGISTRY, Format::TEXT, 4096, "", &mut output);
    for line in [
        "good 0\n",
        "before 1\n",
        "first 1\n",
        "scrapeport_collector_errors_total{collector=\"failing\"} 1\n",
        "scrapeport_collector_errors_total{collector=\"panicking\"} 1\n",
        "scrapeport_collector_skipped_total{collector=\"failing\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains("asked"), "{text}");
    output.failures.sort();
    assert_eq!(output.failures.len(), 3);
    assert!(output.failures[1].starts_with("failing: cannot read the sensor: "), "{:?}", output.failures);

    // Only those that declare a name asked for, or none at all, run under a filter.
    output.failures.clear();
    page(&REGISTRY, Format::TEXT, 4096, "name[]=good", &mut output);
    assert_eq!(output.failures, ["panicking: it panicked"]);

    output.failures.clear();
    output.expired = true;
    let text = page(&REGISTRY, Format::TEXT, 4096, "", &mut output);
    assert!(
        text.contains("scrapeport_collector_skipped_total{collector=\"failing\"} 1\n")
            && text.contains("good 0")
    );
}

struct Everything;
impl Collect for Everything {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Counter, "c_total", "C.").sample(&[("a", "1"), ("b-c", "x\ny")], u64::MAX);
        page.family(Kind::Counter, "odd", "Without the suffix.").sample(&[], 1_u8);
        page.family(Kind::Gauge, "g_seconds", "G.").unit("seconds").sample_at(&[], -1_i64, 1_500);
        let mut histogram = page.family(Kind::Histogram, "h", "H.");
        histogram.bucket(&[("a", "1")], 1.0, 2);
        histogram.bucket(&[("a", "1")], f64::INFINITY, 3);
        histogram.count_and_sum(&[("a", "1")], 3, 4.5);
        let mut summary = page.family(Kind::Summary, "s", "S.");
        summary.quantile(&[], 0.5, 7_u32);
        summary.count_and_sum(&[], 1, 7_u32);
        page.family(Kind::Unknown, "u", "U.").sample(&[], f64::NAN);
        page.family(Kind::Gauge, "unused", "No sample, no header.");
        Ok(())
    }
}

#[test]
fn collectors_can_write_every_kind() {
    static EVERYTHING: Collector<Everything> = Collector::new("everything", &[], Everything);
    static REGISTRY: Registry = Registry::new(&[]).collecting(&[&EVERYTHING]);
    let own = "# HELP scrapeport_collector_errors_total Scrapes at which";
    let text = REGISTRY.to_text(Format::TEXT);
    assert_eq!(
        text.split_once(own).unwrap().0,
        "# HELP c_total C.\n# TYPE c_total counter\nc_total{a=\"1\",b_c=\"x\\ny\"} 18446744073709551615\n\
         # HELP odd Without the suffix.\n# TYPE odd counter\nodd 1\n\
         # HELP g_seconds G.\n# TYPE g_seconds gauge\ng_seconds -1 1500\n\
         # HELP h H.\n# TYPE h histogram\nh_bucket{a=\"1\",le=\"1.0\"} 2\nh_bucket{a=\"1\",le=\"+Inf\"} 3\n\
         h_count{a=\"1\"} 3\nh_sum{a=\"1\"} 4.5\n\
         # HELP s S.\n# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_count 1\ns_sum 7\n\
         # HELP u U.\n# TYPE u untyped\nu NaN\n"
    );
    let text = REGISTRY.to_text(OPENMETRICS);
    for line in [
        "c_total{a=\"1\",\"b-c\"=\"x\\ny\"} 18446744073709551615\n",
        "odd_total 1\n",
        "# UNIT g_seconds seconds\ng_seconds -1 1.5\n",
        "# TYPE u unknown\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn threads_count_in_slots_of_their_own() {
    static PACKETS: SlotCounter<3> = SlotCounter::new("packets_total", "");
    static TIMES: SlotHistogram<2, 1> = SlotHistogram::with_bounds("times", "", [1.0]);
    static REGISTRY: Registry = Registry::new(&[&PACKETS, &TIMES]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (mut packets, mut times) = (PACKETS.claim().unwrap(), TIMES.claim().unwrap());
                for _ in 0..10_000 {
                    packets.inc();
                    times.observe(2.0);
                }
                packets.inc_by(5);
            });
        }
    });
    let claims: Vec<_> = std::iter::from_fn(|| PACKETS.claim()).collect();
    assert_eq!(claims.len(), 3, "all slots are free again");
    let text = REGISTRY.to_text(Format::TEXT);
    for line in [
        "packets_total 20010\n",
        "times_bucket{le=\"1.0\"} 0\n",
        "times_bucket{le=\"+Inf\"} 20000\n",
        "times_sum 40000\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

/// Tells the working threads to end, also when an assertion fails: the test would wait for them for ever.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// While some threads count, two others read pages: every page is consistent in itself.
#[test]
fn histograms_are_consistent_under_concurrent_updates() {
    static TIMES: HistogramFamily<1, 2> =
        HistogramFamily::new("times", "", ["x"], scrapeport::DEFAULT_BOUNDS);
    static REGISTRY: Registry = Registry::new(&[&TIMES]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        for label in ["a", "b"] {
            let done = &done;
            scope.spawn(move || {
                let row = TIMES.with([label]);
                for step in 0_u32.. {
                    if done.load(Relaxed) {
                        break;
                    }
                    row.observe(f64::from(step % 12_000) / 1_000.0);
                }
            });
        }
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut last_counts = [0_u64; 2];
                    for _ in 0..300 {
                        let text = REGISTRY.to_text(Format::TEXT);
                        for (label, last_count) in ["a", "b"].iter().zip(&mut last_counts) {
                            let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
                            let lines =
                                |start: String| text.lines().filter(move |line| line.starts_with(&start));
                            let buckets: Vec<u64> =
                                lines(format!("times_bucket{{x=\"{label}\"")).map(value).collect();
                            let Some(infinite) = buckets.last() else { continue };
                            let count =
                                lines(format!("times_count{{x=\"{label}\"")).map(value).next().unwrap();
                            assert!(buckets.is_sorted(), "{buckets:?}");
                            assert_eq!((buckets.len(), *infinite), (15, count));
                            assert!(*last_count <= count, "a count went back");
                            *last_count = count;
                        }
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// Rows are removed and their storage used again while pages are read: no line ever shows one row's labels with
/// another's number, none is there twice, none is broken.
#[test]
fn rows_are_never_mixed_up_while_they_come_and_go() {
    static ROWS: CounterFamily<2, 4> = CounterFamily::new("rows_total", "", ["key", "twice"]);
    static REGISTRY: Registry = Registry::new(&[&ROWS]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        for worker in 0..2_u64 {
            let done = &done;
            scope.spawn(move || {
                let mut step = worker;
                while !done.load(Relaxed) {
                    step += 2;
                    let (key, twice) = (step.to_string(), (2 * step).to_string());
                    // Kept, so that the count cannot go to a row that has replaced this one.
                    if let Some(row) = ROWS.keep([key.as_str(), twice.as_str()]) {
                        row.inc_by(step);
                    }
                    ROWS.remove([(step - worker).to_string().as_str(), ""]);
                    ROWS.remove([key.as_str(), twice.as_str()]);
                }
            });
        }
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0_u64;
                    // On a busy machine the workers may not run for a while.
                    for _ in 0..1_000_000 {
                        if seen > 1_000 {
                            break;
                        }
                        let text = REGISTRY.to_text(Format::TEXT);
                        let mut keys = BTreeSet::new();
                        for line in text.lines().filter(|line| line.starts_with("rows_total{")) {
                            let parts: Vec<&str> = line.split(['"', ' ']).collect();
                            let (key, twice): (u64, u64) =
                                (parts[1].parse().unwrap(), parts[3].parse().unwrap());
                            let count: u64 = parts.last().unwrap().parse().unwrap();
                            assert_eq!(key * 2, twice, "{line}");
                            assert!(count == 0 || count == key, "{line}");
                            assert!(keys.insert(key), "twice: {line}");
                            seen += 1;
                        }
                    }
                    seen
                })
            })
            .collect();
        let seen: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(seen > 0, "the readers saw rows");
    });
    assert_eq!(ROWS.clear() as u64 + ROWS.dropped(), 0, "all were removed and none found the family full");
}

/// Names, labels and values for the oracle below.
#[derive(Clone, Debug)]
struct Model {
    counters: Vec<(String, u64)>,
    gauges: Vec<(String, f64)>,
    observations: Vec<(String, f64)>,
}

fn model() -> impl Strategy<Value = Model> {
    let label = "[a-z\"\\\\\n äß€]{0,12}";
    (
        prop::collection::vec((label, 0..1_u64 << 60), 0..12),
        prop::collection::vec((label, any::<f64>()), 0..12),
        prop::collection::vec((label, -2.0..20.0), 0..12),
    )
        .prop_map(|(counters, gauges, observations)| Model { counters, gauges, observations })
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value == 0.0 && value.is_sign_negative() {
        "-0.0".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.into()
    } else {
        let (plain, exponent) = (format!("{value}"), format!("{value:e}"));
        if (1e-5..1e21).contains(&value.abs()) || value == 0.0 || plain.len() < exponent.len() {
            plain
        } else {
            exponent
        }
    }
}

/// The obvious encoder: the order of first use, one string at a time.
fn naive(model: &Model, openmetrics: bool) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, lines: String| {
        write!(text, "# HELP {name} Help.\n# TYPE {name} {kind}\n{lines}").unwrap();
    };
    let mut order: Vec<(String, u64)> = Vec::new();
    for (label, amount) in &model.counters {
        match order.iter_mut().find(|(known, _)| known == label) {
            Some((_, sum)) => *sum += amount,
            None => order.push((label.clone(), *amount)),
        }
    }
    let lines =
        order.iter().map(|(label, sum)| format!("c_total{{x=\"{}\"}} {sum}\n", escaped(label))).collect();
    family(if openmetrics { "c" } else { "c_total" }, "counter", lines);
    let mut order: Vec<(String, f64)> = Vec::new();
    for (label, value) in &model.gauges {
        match order.iter_mut().find(|(known, _)| known == label) {
            Some((_, last)) => *last = *value,
            None => order.push((label.clone(), *value)),
        }
    }
    let lines = order
        .iter()
        .map(|(label, value)| format!("g{{x=\"{}\"}} {}\n", escaped(label), number(*value)))
        .collect();
    family("g", "gauge", lines);
    let mut order: Vec<(String, Vec<f64>)> = Vec::new();
    for (label, value) in &model.observations {
        match order.iter_mut().find(|(known, _)| known == label) {
            Some((_, values)) => values.push(*value),
            None => order.push((label.clone(), vec![*value])),
        }
    }
    let mut lines = String::new();
    for (label, values) in &order {
        let label = escaped(label);
        for (bound, shown) in [(0.5, "0.5"), (1.0, "1.0"), (12.25, "12.25"), (f64::INFINITY, "+Inf")] {
            let count = values.iter().filter(|value| **value <= bound).count();
            writeln!(lines, "h_bucket{{x=\"{label}\",le=\"{shown}\"}} {count}").unwrap();
        }
        let sum = values.iter().fold(0.0, |sum, value| sum + value);
        writeln!(lines, "h_count{{x=\"{label}\"}} {}\nh_sum{{x=\"{label}\"}} {}", values.len(), number(sum))
            .unwrap();
    }
    family("h", "histogram", lines);
    if openmetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// The registries of the test below, kept reachable: they are of static lifetime on purpose.
static LEAKED: std::sync::Mutex<Vec<Registry>> = std::sync::Mutex::new(Vec::new());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn pages_are_those_of_a_naive_encoder(model in model(), buffer in 256_usize..2_000) {
        let counters: &'static CounterFamily<1, 12> =
            Box::leak(Box::new(CounterFamily::new("c_total", "Help.", ["x"])));
        let gauges: &'static GaugeFamily<1, 12> = Box::leak(Box::new(GaugeFamily::new("g", "Help.", ["x"])));
        let histograms: &'static HistogramFamily<1, 12, 3> =
            Box::leak(Box::new(HistogramFamily::new("h", "Help.", ["x"], [0.5, 1.0, 12.25])));
        let registry = Registry::new(Box::leak(Box::new([counters as _, gauges as _, histograms as _])));
        LEAKED.lock().unwrap().push(registry);
        for (label, amount) in &model.counters {
            counters.with([label.as_str()]).inc_by(*amount);
        }
        for (label, value) in &model.gauges {
            gauges.with([label.as_str()]).set(*value);
        }
        for (label, value) in &model.observations {
            histograms.with([label.as_str()]).observe(*value);
        }
        for format in [Format::TEXT, OPENMETRICS] {
            let text = page(&registry, format, buffer, "", &mut Text::default());
            prop_assert_eq!(text, naive(&model, format.is_openmetrics()));
        }
    }
}

#[test]
fn families_of_facts_and_summaries() {
    static FACTS: InfoFamily<2> = InfoFamily::new("board_info", "Board.", ["model", "serial"]);
    static SIZES: SummaryFamily<1, 2> = SummaryFamily::new("sent_bytes", "Sent.", ["to"]);
    static REGISTRY: Registry = Registry::new(&[&FACTS, &SIZES]);
    FACTS.with(["Router 3000", "0042"]);
    SIZES.with(["a"]).observe(2.5);
    assert_eq!(
        REGISTRY.to_text(Format::TEXT),
        "# HELP board_info Board.\n# TYPE board_info gauge\nboard_info{model=\"Router 3000\",serial=\"0042\"} 1\n\
         # HELP sent_bytes Sent.\n# TYPE sent_bytes summary\nsent_bytes_count{to=\"a\"} 1\nsent_bytes_sum{to=\"a\"} 2.5\n"
    );
    assert!(REGISTRY.to_text(OPENMETRICS).starts_with("# HELP board Board.\n# TYPE board info\nboard_info{"));
}

#[test]
fn utf8_names_are_escaped_as_the_page_asks() {
    static FLOWS: CounterFamily<1, 2> = CounterFamily::utf8("net.flows_total", "Flows.", ["peer.name"]);
    static REGISTRY: Registry = Registry::new(&[&FLOWS]);
    FLOWS.with(["a"]).inc();
    for (escaping, line) in [
        (Escaping::AllowUtf8, "{\"net.flows_total\",\"peer.name\"=\"a\"} 1\n"),
        (Escaping::Underscores, "net_flows_total{peer_name=\"a\"} 1\n"),
        (Escaping::Dots, "net_dot_flows_total{peer_dot_name=\"a\"} 1\n"),
        (Escaping::Values, "U__net_2e_flows_total{U__peer_2e_name=\"a\"} 1\n"),
    ] {
        let text = REGISTRY.to_text(Format::new(Syntax::Text1_0_0, escaping));
        assert!(text.ends_with(line), "{text}");
    }
    assert!(REGISTRY.to_text(Format::TEXT).ends_with("net_flows_total{peer_name=\"a\"} 1\n"));
}
