//! The C API as its functions answer, and its header against the code. What takes a C program is in `tests/c/run`.
#![allow(unsafe_code, reason = "the functions are those of C")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each keeps what the header asks for, or breaks it to be refused"
)]
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::io::{Read, Write};
use std::mem::offset_of;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::prelude::*;
use scrapeport::capi::*;
use scrapeport::http::{MetricsHandler, Request};

const HEADER: &str = include_str!("../include/scrapeport.h");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A metric in memory of C: never moved, never freed.
fn lasting<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

fn is(result: c_int, outcome: Outcome) {
    assert_eq!(result, outcome as c_int, "{:?}", unsafe { CStr::from_ptr(scrapeport_strerror(result)) });
}

fn static_counter(name: &CStr, help: &CStr, labels: &[Label]) -> *mut Counter {
    let labels: &'static [Label] = Vec::leak(labels.to_vec());
    let (name, help) = (name.to_owned().into_raw(), help.to_owned().into_raw());
    lasting(Counter { metric: Head::new(1, name, help, labels.as_ptr(), labels.len()), value: Cell::new(0) })
}

fn label(name: &'static CStr, value: &'static CStr) -> Label {
    Label { name: name.as_ptr(), value: value.as_ptr() }
}

fn static_gauge_function(
    name: &'static CStr,
    labels: &[Label],
    ask: Option<Ask>,
    user: *mut c_void,
) -> *mut GaugeFunction {
    let labels: &'static [Label] = Vec::leak(labels.to_vec());
    let metric = Head::new(4, name.as_ptr(), c"h".as_ptr(), labels.as_ptr(), labels.len());
    lasting(GaugeFunction { metric, ask, user })
}

fn counter(name: &CStr, help: &CStr, labels: &[Label]) -> (c_int, *mut Counter) {
    let mut out = null_mut();
    let (name, help) = (name.to_owned().into_raw(), help.to_owned().into_raw());
    let result =
        unsafe { scrapeport_counter_register(name, help, labels.as_ptr(), labels.len(), &raw mut out) };
    (result, out)
}

unsafe extern "C" fn collect(user: *mut c_void, text: *const c_char, length: usize) -> c_int {
    let page = unsafe { &mut *user.cast::<Vec<u8>>() };
    page.extend_from_slice(unsafe { std::slice::from_raw_parts(text.cast(), length) });
    0
}

fn page(accept: Option<&CStr>) -> String {
    let mut page = Vec::<u8>::new();
    let accept = accept.map_or(null(), CStr::as_ptr);
    is(unsafe { scrapeport_write_as(accept, Some(collect), (&raw mut page).cast()) }, Outcome::Ok);
    String::from_utf8(page).unwrap()
}

/// The lines of a page that have this word in them.
fn lines(page: &str, word: &str) -> Vec<String> {
    page.lines().filter(|line| line.contains(word)).map(Into::into).collect()
}

#[test]
fn statics_and_registered_metrics_are_one_family() {
    let up = static_counter(c"family_total", c"Of C.", &[label(c"way", c"up")]);
    unsafe {
        is(scrapeport_add(up.cast()), Outcome::Ok);
        is(scrapeport_add(up.cast()), Outcome::Ok);
        let other = static_counter(c"between_total", c"Stands elsewhere.", &[]);
        is(scrapeport_add(other.cast()), Outcome::Ok);
        let (result, down) = counter(c"family_total", c"Of C.", &[label(c"way", c"do\"wn")]);
        is(result, Outcome::Ok);
        assert_eq!(counter(c"family_total", c"Of C.", &[label(c"way", c"do\"wn")]), (0, down));
        assert_eq!(counter(c"family_total", c"Of C.", &[label(c"way", c"up")]), (0, up));

        scrapeport_counter_inc(up);
        scrapeport_counter_add(down, u64::MAX);
        let expected = [
            "# HELP family_total Of C.",
            "# TYPE family_total counter",
            "family_total{way=\"up\"} 1",
            "family_total{way=\"do\\\"wn\"} 18446744073709551615",
        ];
        assert_eq!(lines(&page(None), "family_total"), expected);
        assert_eq!((scrapeport_counter_get(up), scrapeport_counter_get(down)), (1, u64::MAX));

        // Off the page, and on it again with its number.
        scrapeport_hide(up.cast());
        assert_eq!(lines(&page(None), "family_total"), [expected[0], expected[1], expected[3]]);
        is(scrapeport_add(up.cast()), Outcome::Ok);
        scrapeport_hide(down.cast());
        assert_eq!(lines(&page(None), "family_total"), &expected[..3]);
        scrapeport_hide(up.cast());
        assert!(lines(&page(None), "family_total").is_empty());
    }
}

#[test]
fn a_table_is_announced_up_to_its_first_error() {
    let good = static_counter(c"table_total", c"", &[]);
    let bad = static_counter(c"table", c"", &[]);
    let late = static_counter(c"table_late_total", c"", &[]);
    let table: [*mut Head; 3] = [good.cast(), bad.cast(), late.cast()];
    unsafe {
        is(scrapeport_add_all(table.as_ptr(), 3), Outcome::InvalidName);
        assert_eq!(
            lines(&page(None), "table"),
            ["# HELP table_total ", "# TYPE table_total counter", "table_total 0"]
        );
        is(scrapeport_add_all(null(), 0), Outcome::Ok);
        is(scrapeport_add_all(null(), 1), Outcome::InvalidArgument);
        is(scrapeport_add_all([null_mut::<Head>()].as_ptr(), 1), Outcome::InvalidArgument);
        is(scrapeport_add_all(table.as_ptr(), usize::MAX), Outcome::InvalidArgument);
    }
}

#[test]
fn what_differs_is_named() {
    let labels = [label(c"a", c"1"), label(c"b", c"2")];
    let help = c"Help.";
    is(counter(c"differs_total", help, &labels).0, Outcome::Ok);
    is(counter(c"differs_total", c"Other.", &labels).0, Outcome::HelpDiffers);
    is(counter(c"differs_total", help, &labels[..1]).0, Outcome::LabelsDiffer);
    is(counter(c"differs_total", help, &[labels[1], labels[0]]).0, Outcome::LabelsDiffer);
    let (mut gauge, mut histogram) = (null_mut(), null_mut());
    unsafe {
        let name = c"differs_total".as_ptr();
        is(
            scrapeport_gauge_register(name, help.as_ptr(), labels.as_ptr(), 2, &raw mut gauge),
            Outcome::KindDiffers,
        );
        assert!(gauge.is_null());
        // Samples of one name from two metrics.
        is(
            scrapeport_gauge_register(c"differs".as_ptr(), help.as_ptr(), null(), 0, &raw mut gauge),
            Outcome::NameTaken,
        );
        let mut register = |bounds: &[f64]| {
            let name = c"differs_seconds".as_ptr();
            scrapeport_histogram_register(
                name,
                help.as_ptr(),
                bounds.as_ptr(),
                bounds.len(),
                null(),
                0,
                &raw mut histogram,
            )
        };
        is(register(&[1.0, 2.0]), Outcome::Ok);
        is(register(&[1.0, 2.0]), Outcome::Ok);
        is(register(&[1.0, 3.0]), Outcome::BoundsDiffer);
        for bad in [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[1.0, f64::INFINITY], &[0.0; 25]] {
            is(register(bad), Outcome::InvalidBounds);
        }
        assert!(histogram.is_null());
        is(
            scrapeport_gauge_register(
                c"differs_seconds_sum".as_ptr(),
                help.as_ptr(),
                null(),
                0,
                &raw mut gauge,
            ),
            Outcome::NameTaken,
        );
        // Another structure of the same name and labels.
        let twin = static_counter(c"differs_total", help, &labels);
        is(scrapeport_add(twin.cast()), Outcome::NameTaken);
    }
}

#[test]
fn what_is_invalid_is_refused() {
    for name in
        [c"", c"1_total", c"a-b_total", c"no_suffix", c"_total", c"scrapeport_mine_total", c"\xc3\xa4_total"]
    {
        is(counter(name, c"", &[]).0, Outcome::InvalidName);
    }
    for name in [c"", c"1", c"a:b", c"le", c"quantile", c"__x", c"\xc3\xa4"] {
        is(counter(c"invalid_total", c"", &[label(name, c"")]).0, Outcome::InvalidLabel);
    }
    is(counter(c"invalid_total", c"", &[label(c"a", c""); 2]).0, Outcome::InvalidLabel);
    is(counter(c"invalid_total", c"", &[label(c"a", c""); 9]).0, Outcome::InvalidLabel);
    is(counter(c"inv\xffalid_total", c"", &[]).0, Outcome::InvalidUtf8);
    is(counter(c"invalid_total", c"\xff", &[]).0, Outcome::InvalidUtf8);
    is(counter(c"invalid_total", c"", &[label(c"a", c"\xff")]).0, Outcome::InvalidUtf8);
    is(counter(c"invalid_total", c"", &[label(c"\xff", c"")]).0, Outcome::InvalidUtf8);
    assert!(!page(None).contains("invalid"));
}

#[test]
fn null_is_survived_everywhere() {
    let name = c"null_total".as_ptr();
    let mut counter = null_mut();
    let mut gauge = null_mut();
    let mut histogram = null_mut();
    let mut server = null();
    let labels = [Label { name: null(), value: null() }];
    unsafe {
        let bad = Outcome::InvalidArgument;
        is(scrapeport_counter_register(name, name, null(), 0, null_mut()), bad);
        is(scrapeport_counter_register(null(), name, null(), 0, &raw mut counter), bad);
        is(scrapeport_counter_register(name, null(), null(), 0, &raw mut counter), bad);
        is(scrapeport_counter_register(name, name, null(), 1, &raw mut counter), bad);
        is(scrapeport_counter_register(name, name, labels.as_ptr(), 1, &raw mut counter), bad);
        is(
            scrapeport_counter_register(name, name, labels.as_ptr(), usize::MAX, &raw mut counter),
            Outcome::InvalidLabel,
        );
        is(scrapeport_gauge_register(null(), null(), null(), 0, &raw mut gauge), bad);
        is(scrapeport_histogram_register(name, name, null(), 1, null(), 0, &raw mut histogram), bad);
        is(
            scrapeport_histogram_register(name, name, null(), usize::MAX, null(), 0, &raw mut histogram),
            Outcome::InvalidBounds,
        );
        assert!(counter.is_null() && gauge.is_null() && histogram.is_null());
        scrapeport_counter_inc(counter);
        scrapeport_counter_add(counter, 1);
        scrapeport_gauge_set(gauge, 1.0);
        scrapeport_gauge_add(gauge, 1.0);
        scrapeport_histogram_observe(histogram, 1.0);
        assert_eq!((scrapeport_counter_get(counter), scrapeport_gauge_get(gauge)), (0, 0.0));
        is(scrapeport_add(null_mut()), bad);
        scrapeport_hide(null_mut());
        // A gauge that has nothing to ask: none of its kind, and the structures as a static initialises them.
        let mut function = std::ptr::dangling_mut();
        is(
            scrapeport_gauge_function_register(name, name, None, null_mut(), null(), 0, &raw mut function),
            bad,
        );
        assert!(function.is_null());
        is(
            scrapeport_gauge_function_register(name, name, Some(told), null_mut(), null(), 0, null_mut()),
            bad,
        );
        let nothing = static_gauge_function(c"null_function", &[], None, null_mut());
        is(scrapeport_add(nothing.cast()), bad);
        is(scrapeport_add_all([nothing.cast::<Head>()].as_ptr(), 1), bad);
        scrapeport_hide(nothing.cast());
        // Zeros, as of a static without its initialiser, and kinds that there are not.
        for kind in [0, 5, u32::MAX] {
            let zeros =
                lasting(Counter { metric: Head::new(kind, null(), null(), null(), 0), value: Cell::new(0) });
            is(scrapeport_add(zeros.cast()), bad);
            is(scrapeport_add(zeros.cast::<u8>().wrapping_add(4).cast()), bad);
        }
        let empty = lasting(Histogram {
            metric: Head::new(3, name, name, null(), 0),
            bounds: null(),
            buckets: null(),
            n_bounds: 0,
            sum: Cell::new(0),
        });
        is(scrapeport_add(empty.cast()), bad);
        scrapeport_histogram_observe(empty, 1.0);
        is(scrapeport_write(None, null_mut()), bad);
        is(scrapeport_log_to(None, null_mut(), 1), bad);
        is(scrapeport_server_start(null(), &raw mut server), bad);
        is(scrapeport_server_start(&options(c"127.0.0.1:0"), null_mut()), bad);
        is(scrapeport_server_start(&Options { address: null(), ..options(c"") }, &raw mut server), bad);
        assert_eq!(scrapeport_server_port(null()), 0);
        scrapeport_server_stop(null());
        assert!(!CStr::from_ptr(scrapeport_content_type(null())).is_empty());
    }
}

#[test]
fn histograms_and_gauges_are_written_as_those_of_rust() {
    let mut histogram = null_mut();
    let bounds = [0.5, 2.0];
    let labels: &'static [Label] = Vec::leak(vec![label(c"x", c"y")]);
    // Not from the pool, which another test uses up.
    let gauge = lasting(Gauge {
        metric: Head::new(2, c"shape".as_ptr(), c"h".as_ptr(), labels.as_ptr(), 1),
        value: Cell::new(0),
    });
    unsafe {
        let (name, help) = (c"shape_seconds".as_ptr(), c"h".as_ptr());
        is(
            scrapeport_histogram_register(
                name,
                help,
                bounds.as_ptr(),
                2,
                labels.as_ptr(),
                1,
                &raw mut histogram,
            ),
            Outcome::Ok,
        );
        for value in [0.5, 1.0, 3.0, f64::NAN] {
            scrapeport_histogram_observe(histogram, value);
        }
        is(scrapeport_add(gauge.cast()), Outcome::Ok);
        scrapeport_gauge_set(gauge, 1.5);
        scrapeport_gauge_add(gauge, -4.0);
        assert_eq!(scrapeport_gauge_get(gauge), -2.5);
    }
    assert_eq!(
        lines(&page(None), "shape"),
        [
            "# HELP shape_seconds h",
            "# TYPE shape_seconds histogram",
            "shape_seconds_bucket{x=\"y\",le=\"0.5\"} 1",
            "shape_seconds_bucket{x=\"y\",le=\"2.0\"} 2",
            "shape_seconds_bucket{x=\"y\",le=\"+Inf\"} 3",
            "shape_seconds_count{x=\"y\"} 3",
            "shape_seconds_sum{x=\"y\"} 4.5",
            "# HELP shape h",
            "# TYPE shape gauge",
            "shape{x=\"y\"} -2.5",
        ]
    );
}

/// The number that `user` leads to; NaN if it leads nowhere.
unsafe extern "C" fn told(user: *mut c_void) -> f64 {
    let number = unsafe { user.cast::<AtomicU64>().as_ref() };
    number.map_or(f64::NAN, |number| f64::from_bits(number.load(Relaxed)))
}

/// A function like [`told`] that nobody else asks, and how often a page of this thread has: the tests beside make pages
/// of the same metrics.
macro_rules! counted {
    ($function:ident, $count:ident) => {
        thread_local! {
            static $count: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
        }
        unsafe extern "C" fn $function(user: *mut c_void) -> f64 {
            $count.set($count.get() + 1);
            unsafe { told(user) }
        }
    };
}

fn number(value: f64) -> (&'static AtomicU64, *mut c_void) {
    let number: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(value.to_bits())));
    (number, std::ptr::from_ref(number).cast_mut().cast())
}

#[test]
fn a_gauge_asks_its_function_at_each_scrape() {
    counted!(counted, ASKED);
    let (value, user) = number(1.5);
    let labels = [label(c"of", c"function"), label(c"n", c"1")];
    let asked = static_gauge_function(c"asked", &labels, Some(counted), user);
    let nowhere = static_gauge_function(
        c"asked",
        &[label(c"of", c"nothing"), label(c"n", c"2")],
        Some(counted),
        null_mut(),
    );
    let own: &'static [Label] = Vec::leak(vec![label(c"of", c"number"), label(c"n", c"3")]);
    let metric = Head::new(2, c"asked".as_ptr(), c"h".as_ptr(), own.as_ptr(), 2);
    let plain = lasting(Gauge { metric, value: Cell::new(7.0_f64.to_bits()) });
    unsafe {
        is(scrapeport_add_all([asked.cast(), nowhere.cast(), plain.cast::<Head>()].as_ptr(), 3), Outcome::Ok);
        is(scrapeport_add(asked.cast()), Outcome::Ok);
    }
    let expected = [
        "# HELP asked h",
        "# TYPE asked gauge",
        "asked{of=\"function\",n=\"1\"} 1.5",
        "asked{of=\"nothing\",n=\"2\"} NaN",
        "asked{of=\"number\",n=\"3\"} 7",
    ];
    let of_asked = || lines(&page(None), "asked");
    assert_eq!(of_asked(), expected);
    value.store(f64::NEG_INFINITY.to_bits(), Relaxed);
    assert_eq!(of_asked()[2], "asked{of=\"function\",n=\"1\"} -Inf");
    value.store((-2.0_f64).to_bits(), Relaxed);
    let open = page(Some(c"application/openmetrics-text; version=1.0.0"));
    assert_eq!(lines(&open, "asked")[2], "asked{of=\"function\",n=\"1\"} -2");
    assert_eq!(ASKED.replace(0), 6);

    // Hidden ones are not asked, nor are those that a scrape does not want.
    unsafe { scrapeport_hide(asked.cast()) };
    assert_eq!(of_asked(), [expected[0], expected[1], expected[3], expected[4]]);
    unsafe { scrapeport_hide(nowhere.cast()) };
    assert_eq!(of_asked(), [expected[0], expected[1], expected[4]]);
    assert_eq!(ASKED.replace(0), 1);
    is(unsafe { scrapeport_add(asked.cast()) }, Outcome::Ok);
    static HANDLER: MetricsHandler = MetricsHandler::new(&METRICS);
    for (query, times) in [("asked_not", 0), ("asked", 1), ("asked_not&name[]=asked", 1)] {
        let target = format!("/metrics?name[]={query}");
        HANDLER.answer(&Request::new("GET", &target)).write_body(&mut std::io::sink()).unwrap();
        assert_eq!(ASKED.replace(0), times, "{query}");
    }
}

#[test]
fn a_sink_that_refuses_ends_the_asking() {
    counted!(counted, ASKED);
    unsafe extern "C" fn refuse(_: *mut c_void, _: *const c_char, _: usize) -> c_int {
        1
    }
    // The first is longer than a piece of the page.
    let long = CString::new("x".repeat(5000)).unwrap().into_raw();
    for value in [long.cast_const(), c"2".as_ptr()] {
        let labels = [Label { name: c"a".as_ptr(), value }];
        let asks = static_gauge_function(c"refused", &labels, Some(counted), null_mut());
        is(unsafe { scrapeport_add(asks.cast()) }, Outcome::Ok);
    }
    is(unsafe { scrapeport_write(Some(refuse), null_mut()) }, Outcome::Stopped);
    // Not at all if the page was over before.
    assert!(ASKED.get() <= 1);
    page(None);
    assert!(ASKED.get() >= 2);
}

#[test]
fn a_function_is_asked_on_several_threads_at_once() {
    /// Counts its calls: no two get the same number.
    unsafe extern "C" fn count(calls: *mut c_void) -> f64 {
        unsafe { &*calls.cast::<AtomicU64>() }.fetch_add(1, Relaxed) as f64
    }
    let calls: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    let user = std::ptr::from_ref(calls).cast_mut().cast();
    let counting = static_gauge_function(c"threads_ask", &[], Some(count), user);
    is(unsafe { scrapeport_add(counting.cast()) }, Outcome::Ok);
    let seen = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let line = lines(&page(None), "threads_ask ");
                    assert!(seen.lock().unwrap().insert(line));
                }
            });
        }
    });
    assert_eq!(seen.into_inner().unwrap().len(), 200);
    assert!(calls.load(Relaxed) >= 200);
}

/// The one test that takes from this pool, until it is empty.
#[test]
fn a_gauge_that_asks_is_registered_with_its_function() {
    unsafe extern "C" fn other(_: *mut c_void) -> f64 {
        f64::INFINITY
    }
    let (_, user) = number(3.0);
    let (name, help) = (c"ask_registered".as_ptr(), c"h".as_ptr());
    let register = |name, ask, user, value| {
        let (labels, mut out) = ([label(c"a", value)], null_mut());
        let result = unsafe {
            scrapeport_gauge_function_register(name, help, Some(ask), user, labels.as_ptr(), 1, &raw mut out)
        };
        assert_eq!(out.is_null(), result != 0);
        (result, out)
    };
    let (result, first) = register(name, told, user, c"1");
    is(result, Outcome::Ok);
    assert_eq!(register(name, told, user, c"1"), (0, first));
    is(register(name, other, user, c"1").0, Outcome::NameTaken);
    is(register(name, told, null_mut(), c"1").0, Outcome::NameTaken);
    assert_ne!(register(name, other, user, c"2").1, first);
    // One with a number is never given for one with a function, nor the other way about: setting it would write there.
    let (labels, mut plain) = ([label(c"a", c"1")], null_mut());
    unsafe {
        let labels = labels.as_ptr();
        is(scrapeport_gauge_register(name, help, labels, 1, &raw mut plain), Outcome::NameTaken);
        assert!(plain.is_null());
        let metric =
            Head::new(2, c"ask_plain".as_ptr(), help, Vec::leak(vec![label(c"a", c"1")]).as_ptr(), 1);
        is(scrapeport_add(lasting(Gauge { metric, value: Cell::new(0) }).cast()), Outcome::Ok);
        is(register(c"ask_plain".as_ptr(), told, user, c"1").0, Outcome::NameTaken);
        let mut counter = null_mut();
        let name = c"ask_counted_total".as_ptr();
        is(scrapeport_counter_register(name, help, labels, 1, &raw mut counter), Outcome::Ok);
        is(register(name, told, user, c"1").0, Outcome::KindDiffers);
        scrapeport_hide(first.cast());
        assert_eq!(lines(&page(None), "ask_registered{"), ["ask_registered{a=\"2\"} +Inf"]);
        assert_eq!(register(c"ask_registered".as_ptr(), told, user, c"1"), (0, first));
        assert_eq!(
            lines(&page(None), "ask_registered{"),
            ["ask_registered{a=\"1\"} 3", "ask_registered{a=\"2\"} +Inf"]
        );
    }
    for at in 2..GAUGE_FUNCTIONS {
        let name = CString::new(format!("ask_pool_{at}")).unwrap().into_raw();
        is(register(name, told, user, c"1").0, Outcome::Ok);
    }
    is(register(c"ask_pool".as_ptr(), told, user, c"1").0, Outcome::Full);
    is(
        unsafe { scrapeport_add(static_gauge_function(c"ask_pool", &[], Some(told), user).cast()) },
        Outcome::Ok,
    );
}

/// Gauges alone: the other tests want room in the pools of the other kinds.
#[test]
fn a_full_pool_is_a_result() {
    let mut results = BTreeSet::new();
    let mut out = null_mut();
    for number in 0..=GAUGES {
        let name = CString::new(format!("pool_{number}")).unwrap().into_raw();
        let result = unsafe { scrapeport_gauge_register(name, c"".as_ptr(), null(), 0, &raw mut out) };
        results.insert(result);
    }
    assert_eq!(results, BTreeSet::from([Outcome::Ok as c_int, Outcome::Full as c_int]));
    assert!(out.is_null());
    // What is there is still found, and statics need no pool.
    let name = c"pool_0".as_ptr();
    is(unsafe { scrapeport_gauge_register(name, c"".as_ptr(), null(), 0, &raw mut out) }, Outcome::Ok);
    let more = lasting(Gauge {
        metric: Head::new(2, c"pool_static".as_ptr(), c"".as_ptr(), null(), 0),
        value: Cell::new(0),
    });
    is(unsafe { scrapeport_add(more.cast()) }, Outcome::Ok);
}

#[test]
fn pages_come_in_the_format_that_is_asked_for() {
    is(counter(c"format_total", c"h", &[]).0, Outcome::Ok);
    let open = c"application/openmetrics-text; version=1.0.0";
    let content_type = |accept: *const c_char| unsafe { CStr::from_ptr(scrapeport_content_type(accept)) };
    assert_eq!(content_type(null()), c"text/plain; version=0.0.4; charset=utf-8");
    assert!(
        content_type(open.as_ptr()).to_bytes().starts_with(b"application/openmetrics-text; version=1.0.0")
    );
    let page = page(Some(open));
    assert!(page.contains("# TYPE format counter\nformat_total 0\n") && page.ends_with("# EOF\n"), "{page}");

    unsafe extern "C" fn refuse(user: *mut c_void, _: *const c_char, _: usize) -> c_int {
        unsafe { *user.cast::<u32>() += 1 };
        -1
    }
    let mut calls = 0_u32;
    is(unsafe { scrapeport_write(Some(refuse), (&raw mut calls).cast()) }, Outcome::Stopped);
    assert_eq!(calls, 1);
}

fn options(address: &'static CStr) -> Options {
    Options {
        size: size_of::<Options>(),
        address: address.as_ptr(),
        problem: null_mut(),
        problem_size: 0,
        web_config_file: null(),
        certfile: null(),
        keyfile: null(),
        client_cafile: null(),
        client_capath: null(),
        client_allowed_names: null(),
        n_client_allowed_names: 0,
        client_auth_required: 0,
        process_metrics: 0,
        no_server_metrics: 0,
        max_connections: 0,
    }
}

/// Those who start servers: there is a limit on them.
static SERVING: Mutex<()> = Mutex::new(());

fn serving() -> impl Drop {
    SERVING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn started(options: &Options) -> *const ServerSlot {
    let mut server = null();
    is(unsafe { scrapeport_server_start(options, &raw mut server) }, Outcome::Ok);
    server
}

fn refused(mut options: Options) -> (c_int, String) {
    let mut problem = [0xff_u8; 300];
    (options.problem, options.problem_size) = (problem.as_mut_ptr().cast(), problem.len());
    let mut server = std::ptr::dangling();
    let result = unsafe { scrapeport_server_start(&raw const options, &raw mut server) };
    assert!(server.is_null());
    (result, CStr::from_bytes_until_nul(&problem).unwrap().to_str().unwrap().into())
}

fn get(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_starts_serves_and_stops_and_twice_is_harmless() {
    let _serving = serving();
    let (_, requests) = counter(c"served_total", c"h", &[]);
    unsafe { scrapeport_counter_add(requests, 7) };
    let server = started(&options(c"127.0.0.1:0"));
    let port = scrapeport_server_port(server);
    let answer = get(port);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\nserved_total 7\n"), "{answer}");
    assert!(answer.contains("scrapeport_http_connections_accepted_total"));

    let busy = CString::new(format!("127.0.0.1:{port}")).unwrap();
    let (result, problem) = refused(Options { address: busy.as_ptr(), ..options(c"") });
    is(result, Outcome::Address);
    assert!(problem.contains("choose another port"), "{problem}");
    // A short room holds as much as fits, and its zero.
    let mut short = [0x55_u8; 6];
    let little = Options {
        address: busy.as_ptr(),
        problem: short.as_mut_ptr().cast(),
        problem_size: 5,
        ..options(c"")
    };
    is(unsafe { scrapeport_server_start(&raw const little, &mut null()) }, Outcome::Address);
    assert_eq!(&short, b"cann\0\x55");

    // From other threads, at once.
    let address = server as usize;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || scrapeport_server_stop(address as *const ServerSlot));
        }
    });
    scrapeport_server_stop(server);
    assert_eq!(scrapeport_server_port(server), 0);
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    let again = started(&options(c"127.0.0.1:0"));
    assert_ne!(again, server);
    scrapeport_server_stop(server);
    assert_ne!(scrapeport_server_port(again), 0);
    scrapeport_server_stop(again);
    scrapeport_server_stop(std::ptr::dangling());

    let alone = started(&Options { no_server_metrics: 1, max_connections: 2, ..options(c"127.0.0.1:0") });
    assert!(!get(scrapeport_server_port(alone)).contains("scrapeport_"));
    scrapeport_server_stop(alone);
    let (result, problem) = refused(Options { max_connections: 1_000_000, ..options(c"127.0.0.1:0") });
    is(result, Outcome::Setting);
    assert!(problem.contains("max_connections"), "{problem}");
}

#[test]
fn too_many_servers_are_a_result() {
    let _serving = serving();
    let one = Options { max_connections: 1, ..options(c"127.0.0.1:0") };
    let all: Vec<_> = (0..SERVERS).map(|_| started(&one)).collect();
    is(refused(one).0, Outcome::Full);
    all.iter().for_each(|server| scrapeport_server_stop(*server));
    assert_eq!(BTreeSet::from_iter(all).len(), SERVERS);
    scrapeport_server_stop(started(&one));
}

/// The options of a caller who knows more or less, in memory of that size.
#[test]
fn options_of_other_sizes_are_told_apart() {
    let _serving = serving();
    let word = size_of::<usize>();
    let own = size_of::<Options>() / word;
    let start = |words: &[usize]| {
        let mut server = null();
        let result = unsafe { scrapeport_server_start(words.as_ptr().cast(), &raw mut server) };
        scrapeport_server_stop(server);
        result
    };
    let with = |words: usize, last: usize| {
        // On the heap, so that a sanitizer sees a read beyond the end.
        let mut memory = vec![0; words];
        (memory[0], memory[1]) = (words * word, c"127.0.0.1:0".as_ptr() as usize);
        if last != 0 {
            memory[words - 1] = last;
        }
        memory
    };
    for words in 2..own {
        is(start(&with(words, 0)), Outcome::Ok);
    }
    for words in [own + 1, own + 20] {
        is(start(&with(words, 0)), Outcome::Ok);
        is(start(&with(words, 1)), Outcome::Unsupported);
    }
    for size in [0, word, 2 * word - 1, 2 * word + 1, usize::MAX, usize::MAX - word + 1, 8192] {
        let mut memory = with(2, 0);
        memory[0] = size;
        is(start(&memory), Outcome::InvalidArgument);
    }
    let mut server = std::ptr::dangling();
    is(unsafe { scrapeport_server_start(null(), &raw mut server) }, Outcome::InvalidArgument);
    assert!(server.is_null());
}

#[cfg(feature = "tls")]
#[test]
fn files_of_tls_are_followed_or_named() {
    let _serving = serving();
    let certs = root().join("tests/data/certs");
    let path = |name: &str| CString::new(certs.join(name).to_str().unwrap()).unwrap();
    let (cert, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let base = options(c"127.0.0.1:0");
    let both = Options { certfile: cert.as_ptr(), keyfile: key.as_ptr(), ..base };
    let names = [c"device.test".as_ptr()];
    let locked = Options {
        client_cafile: ca.as_ptr(),
        client_auth_required: 1,
        client_allowed_names: names.as_ptr(),
        n_client_allowed_names: 1,
        ..both
    };
    for secure in [both, locked] {
        let server = started(&secure);
        let answer = get(scrapeport_server_port(server));
        assert!(answer.starts_with("HTTP/1.0 400 ") && answer.contains("HTTPS"), "{answer}");
        scrapeport_server_stop(server);
    }
    let (result, problem) = refused(Options { certfile: cert.as_ptr(), ..base });
    is(result, Outcome::Setting);
    assert!(problem.starts_with("keyfile: is missing"), "{problem}");
    let (result, problem) = refused(Options { keyfile: cert.as_ptr(), ..both });
    is(result, Outcome::Tls);
    assert!(problem.starts_with("keyfile: "), "{problem}");
    is(refused(Options { n_client_allowed_names: usize::MAX, ..locked }).0, Outcome::InvalidArgument);
    let (result, _) = refused(Options { client_allowed_names: [null()].as_ptr(), ..locked });
    is(result, Outcome::InvalidArgument);
}

#[cfg(feature = "web-config")]
#[test]
fn the_web_configuration_file_is_followed_or_named() {
    let _serving = serving();
    let base = options(c"127.0.0.1:0");
    let (result, problem) = refused(Options { web_config_file: c"/no/such/file.yml".as_ptr(), ..base });
    is(result, Outcome::WebConfig);
    assert!(problem.contains("/no/such/file.yml"), "{problem}");
    let file = std::env::temp_dir().join(format!("scrapeport-capi-{}.yml", std::process::id()));
    fs::write(&file, "http_server_config:\n  headers:\n    X-Frame-Options: deny\n").unwrap();
    let path = CString::new(file.to_str().unwrap()).unwrap();
    let server = started(&Options { web_config_file: path.as_ptr(), ..base });
    let answer = get(scrapeport_server_port(server));
    assert!(answer.contains("X-Frame-Options: deny"), "{answer}");
    scrapeport_server_stop(server);
    fs::remove_file(file).unwrap();
}

#[cfg(not(feature = "tls"))]
#[test]
fn what_was_left_out_is_unsupported() {
    let base = options(c"127.0.0.1:0");
    let some = c"/etc/hostname".as_ptr();
    for asked in [
        Options { certfile: some, ..base },
        Options { keyfile: some, ..base },
        Options { client_cafile: some, ..base },
        Options { client_capath: some, ..base },
        Options { client_auth_required: 1, ..base },
        Options { n_client_allowed_names: 1, ..base },
        Options { web_config_file: some, ..base },
    ] {
        let (result, problem) = refused(asked);
        is(result, Outcome::Unsupported);
        assert!(problem.contains("built without"), "{problem}");
    }
}

#[test]
fn the_process_is_on_the_page_if_asked_for() {
    let _serving = serving();
    let asked = Options { process_metrics: 1, ..options(c"127.0.0.1:0") };
    if cfg!(feature = "process") {
        let server = started(&asked);
        assert!(get(scrapeport_server_port(server)).contains("\nprocess_open_fds "));
        scrapeport_server_stop(server);
    } else {
        is(refused(asked).0, Outcome::Unsupported);
    }
}

static LOGGED: Mutex<Vec<(usize, c_int, String)>> = Mutex::new(Vec::new());

#[test]
fn the_log_goes_to_the_callback_once() {
    unsafe extern "C" fn keep(user: *mut c_void, level: c_int, text: *const c_char) {
        let text = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
        LOGGED.lock().unwrap().push((user as usize, level, text));
    }
    let user = std::ptr::without_provenance_mut(77);
    unsafe {
        is(scrapeport_log_to(Some(keep), user, 5), Outcome::InvalidArgument);
        is(scrapeport_log_to(Some(keep), user, -1), Outcome::InvalidArgument);
        is(scrapeport_log_to(Some(keep), user, 3), Outcome::Ok);
        is(scrapeport_log_to(Some(keep), user, 3), Outcome::LoggerTaken);
    }
    log::warn!("some\0thing");
    log::debug!("too quiet");
    let logged = LOGGED.lock().unwrap();
    assert!(logged.contains(&(77, 2, "some thing".into())), "{logged:?}");
    assert!(!logged.iter().any(|(.., text)| text == "too quiet"));
}

proptest! {
    // So many that the pools do not become full.
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the texts, they are refused or stand on a page that can be read.
    #[test]
    fn any_bytes_are_survived(
        mut name in proptest::collection::vec(prop_oneof![1_u8..=255, b'a'..=b'c'], 0..12),
        classic in any::<bool>(),
        total in any::<bool>(),
        help in proptest::collection::vec(1_u8..=255, 0..12),
        label_name in "[a-c\u{1}-\u{7f}]{0,3}",
        value in proptest::collection::vec(1_u8..=255, 0..12),
        bounds in proptest::collection::vec(any::<f64>(), 0..30),
    ) {
        if classic {
            name = name.iter().map(|byte| b"abc_:"[usize::from(*byte) % 5]).collect();
            name.extend_from_slice(if total { b"_total" } else { b"" });
        }
        let leak = |bytes: Vec<u8>| CString::new(bytes).unwrap().into_raw().cast_const();
        let (name, help) = (leak(name), leak(help));
        let labels = [Label { name: leak(label_name.into_bytes()), value: leak(value) }];
        let mut out = null_mut();
        let (counter, histogram) = unsafe {
            let mut counter = null_mut();
            let counter = scrapeport_counter_register(name, help, labels.as_ptr(), 1, &raw mut counter);
            (counter, scrapeport_histogram_register(name, help, bounds.as_ptr(), bounds.len(), labels.as_ptr(), 1, &raw mut out))
        };
        prop_assert_ne!(counter, Outcome::Internal as c_int);
        prop_assert_ne!(histogram, Outcome::Internal as c_int);
        prop_assert_eq!(out.is_null(), histogram != 0);
        page(None);
    }
}

/// `scrapeport_x(` of every declaration in the header, inline or not.
fn declared() -> BTreeSet<String> {
    let code: String =
        HEADER.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = BTreeSet::new();
    for line in code.lines().filter(|line| !line.starts_with([' ', '#', '}'])) {
        let Some((before, _)) = line.split_once('(') else { continue };
        let name = before.rsplit(|c| !is_name(c)).next().unwrap();
        if name.starts_with("scrapeport_") && !line.starts_with("typedef") {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn the_header_declares_every_function_and_no_other() {
    let mut exported = BTreeSet::new();
    for entry in fs::read_dir(root().join("src/capi")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("#[unsafe(no_mangle)]").skip(1) {
            let (_, rest) = part.split_once("extern \"C\" fn ").unwrap();
            exported.insert(rest.split('(').next().unwrap().to_owned());
        }
    }
    assert!(exported.len() > 15);
    assert_eq!(declared(), exported);
    let version = unsafe { CStr::from_ptr(scrapeport_version()) }.to_str().unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(HEADER.contains(&format!("#define SCRAPEPORT_VERSION \"{version}\"\n")));
}

#[test]
fn the_header_has_every_number() {
    let mut numbers = BTreeSet::new();
    let (_, list) = HEADER.split_once("typedef int scrapeport_result;\nenum {").unwrap();
    for line in list.split_once("};").unwrap().0.lines() {
        if let Some((name, rest)) = line.split_once(" = ") {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            numbers.insert((number.parse::<c_int>().unwrap(), name.trim().to_owned()));
        }
    }
    let name = |outcome: &Outcome| {
        let mut name = String::from("SCRAPEPORT");
        for character in format!("{outcome:?}").chars() {
            if character.is_uppercase() {
                name.push('_');
            }
            name.push(character.to_ascii_uppercase());
        }
        (*outcome as c_int, name)
    };
    assert_eq!(numbers, Outcome::ALL.iter().map(name).collect());
    for (name, value) in [
        ("counters", COUNTERS),
        ("gauges", GAUGES),
        ("gauge functions", GAUGE_FUNCTIONS),
        ("histograms", HISTOGRAMS),
    ] {
        let words = format!("{value} {name}");
        assert!(HEADER.replace("\n * ", " ").contains(&words), "the header does not say {words}");
    }
    assert!(
        HEADER.contains(&format!("up to {BOUNDS} bounds"))
            && HEADER.contains(&format!("or more than {LABELS} "))
    );
    assert!(HEADER.contains(&format!("At most {SERVERS} servers at once")));
    for result in [-1, 21, c_int::MAX, c_int::MIN] {
        assert!(!unsafe { CStr::from_ptr(scrapeport_strerror(result)) }.is_empty());
    }
}

/// What the compiler of C says of a file that includes the header, with these arguments.
fn compile(source: &Path, arguments: &[&str]) {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(root().join("include"))
        .args(arguments)
        .arg(source)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}; this test needs a compiler of C"));
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_layout_is_that_of_the_header() {
    let mut text = String::from("#include <scrapeport.h>\n");
    let mut holds = |what: String| text += &format!("_Static_assert({what}, \"{what}\");\n");
    holds(format!("sizeof(scrapeport_result) == {}", size_of::<c_int>()));
    macro_rules! members {
        ($c:literal, $rust:ty, $($member:ident)*) => {
            holds(format!("sizeof({}) == {}", $c, size_of::<$rust>()));
            holds(format!("_Alignof({}) == {}", $c, align_of::<$rust>()));
            $(holds(format!("offsetof({}, {}) == {}", $c, stringify!($member), offset_of!($rust, $member)));)*
        };
    }
    members!("scrapeport_cell", Cell,);
    members!("scrapeport_label", Label, name value);
    members!("scrapeport_metric", Head, name help labels n_labels kind hidden next);
    members!("scrapeport_counter", Counter, metric value);
    members!("scrapeport_gauge", Gauge, metric value);
    members!("scrapeport_gauge_function", GaugeFunction, metric ask user);
    members!("scrapeport_histogram", Histogram, metric bounds buckets n_bounds sum);
    members!("scrapeport_server_options", Options, size address problem problem_size web_config_file certfile keyfile
        client_cafile client_capath client_allowed_names n_client_allowed_names client_auth_required
        process_metrics no_server_metrics max_connections);
    let file = std::env::temp_dir().join(format!("scrapeport-layout-{}.c", std::process::id()));
    fs::write(&file, &text).unwrap();
    compile(&file, &["-std=c11"]);
    // And a check that can fail.
    fs::write(&file, text.replace("sizeof(scrapeport_counter) == ", "sizeof(scrapeport_counter) == 1"))
        .unwrap();
    let wrong = std::panic::catch_unwind(|| compile(&file, &["-std=c11"]));
    fs::remove_file(&file).unwrap();
    wrong.unwrap_err();
}

/// The numbers of both widths, as `src/capi/layout.rs` asserts them where it is compiled.
#[cfg(target_arch = "x86_64")] // Whose compiler knows both.
#[test]
fn the_layout_holds_on_64_and_32_bits() {
    let source = root().join("tests/c/layout.c");
    for width in ["-m64", "-m32"] {
        for standard in ["-std=c99", "-std=c11", "-std=gnu17"] {
            // No headers of the system, which may be there for one width only.
            compile(&source, &[standard, "-ffreestanding", width]);
        }
    }
}
