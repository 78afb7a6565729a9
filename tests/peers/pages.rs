//! Pages of every kind, in every format, escaping and choice of created times, as other readers understand them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::client::{exchange, get};
use crate::process::{Served, tool};
use crate::reference::{Oracle, Reference};

/// A sample of `examples/every_kind.rs`: what follows the family's name, labels, value as Python prints it, and
/// what stands behind.
struct Sample {
    suffix: &'static str,
    labels: &'static [(&'static str, &'static str)],
    value: &'static str,
    extra: Extra,
}

#[derive(Clone, Copy)]
enum Extra {
    Nothing,
    Time(&'static str),
    Exemplar(&'static str),
}

struct Family {
    base: &'static str,
    kind: &'static str,
    unit: &'static str,
    help: &'static str,
    samples: Vec<Sample>,
}

const fn sample(
    suffix: &'static str,
    labels: &'static [(&'static str, &'static str)],
    value: &'static str,
) -> Sample {
    Sample { suffix, labels, value, extra: Extra::Nothing }
}

const fn family(base: &'static str, kind: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { base, kind, unit: "", help, samples }
}

/// What `examples/every_kind.rs` sets.
fn families() -> Vec<Family> {
    let mut temperature =
        family("demo_temperature_celsius", "gauge", "Board temperature.", vec![sample("", &[], "41.5")]);
    temperature.unit = "celsius";
    let mut traced = sample("_total", &[], "2.0");
    traced.extra = Extra::Exemplar("[\"exemplar\", [[\"trace_id\", \"abc\"]], \"2.0\"]");
    let mut slowest = sample("_bucket", &[("le", "1.0")], "1.0");
    slowest.extra =
        Extra::Exemplar("[\"exemplar\", [[\"span_id\", \"1\"], [\"trace_id\", \"def\"]], \"0.75\"]");
    let mut volts = sample("", &[], "3.3");
    volts.extra = Extra::Time("at 1700000000.5");
    vec![
        family("demo_requests", "counter", "Requests served.", vec![sample("_total", &[], "3.0")]),
        temperature,
        family(
            "demo_replies",
            "counter",
            "Replies by method and code.",
            vec![
                sample("_total", &[("code", "200"), ("method", "GET")], "1027.0"),
                sample("_total", &[("code", "404"), ("method", "POST")], "3.0"),
            ],
        ),
        family(
            "demo_label_values",
            "gauge",
            "Label values that need care.",
            vec![
                sample("", &[("value", "back\\slash")], "1.0"),
                sample("", &[("value", "double\"quote")], "2.0"),
                sample("", &[("value", "new\nline")], "3.0"),
                sample("", &[("value", "größe")], "4.0"),
                sample("", &[("value", "{a=\"b\"} # ,")], "5.0"),
            ],
        ),
        family(
            "demo_numbers",
            "gauge",
            "Numbers that need care.",
            vec![
                sample("", &[("case", "nan")], "nan"),
                sample("", &[("case", "plus_infinity")], "inf"),
                sample("", &[("case", "minus_infinity")], "-inf"),
                sample("", &[("case", "negative")], "-0.5"),
                sample("", &[("case", "zero")], "0.0"),
                sample("", &[("case", "minus_zero")], "-0.0"),
                sample("", &[("case", "huge")], "1e+300"),
                sample("", &[("case", "tiny")], "5e-324"),
                sample("", &[("case", "million")], "1234567.0"),
                sample("", &[("case", "third")], "0.3333333333333333"),
                sample("", &[("case", "whole")], "9007199254740992.0"),
            ],
        ),
        family(
            "demo_latency_seconds",
            "histogram",
            "Time to answer.",
            vec![
                sample("_bucket", &[("le", "0.01")], "0.0"),
                sample("_bucket", &[("le", "0.1")], "1.0"),
                sample("_bucket", &[("le", "1.0")], "3.0"),
                sample("_bucket", &[("le", "10.0")], "3.0"),
                sample("_bucket", &[("le", "+Inf")], "4.0"),
                sample("_count", &[], "4.0"),
                sample("_sum", &[], "21.05"),
            ],
        ),
        family(
            "demo_phase_seconds",
            "histogram",
            "Time in each phase.",
            vec![
                sample("_bucket", &[("le", "0.5"), ("phase", "read")], "1.0"),
                sample("_bucket", &[("le", "1.0"), ("phase", "read")], "1.0"),
                sample("_bucket", &[("le", "+Inf"), ("phase", "read")], "1.0"),
                sample("_count", &[("phase", "read")], "1.0"),
                sample("_sum", &[("phase", "read")], "0.25"),
                sample("_bucket", &[("le", "0.5"), ("phase", "write")], "0.0"),
                sample("_bucket", &[("le", "1.0"), ("phase", "write")], "1.0"),
                sample("_bucket", &[("le", "+Inf"), ("phase", "write")], "1.0"),
                sample("_count", &[("phase", "write")], "1.0"),
                sample("_sum", &[("phase", "write")], "0.75"),
            ],
        ),
        family(
            "demo_size_bytes",
            "summary",
            "Size of requests.",
            vec![sample("_count", &[], "2.0"), sample("_sum", &[], "300.5")],
        ),
        family(
            "demo_sent_bytes",
            "summary",
            "Bytes sent.",
            vec![sample("_count", &[("to", "cloud")], "1.0"), sample("_sum", &[("to", "cloud")], "1000.0")],
        ),
        family(
            "demo_build",
            "info",
            "What runs here.",
            vec![sample("_info", &[("revision", "abc"), ("version", "1.0")], "1.0")],
        ),
        family(
            "demo_state",
            "stateset",
            "What it is doing.",
            vec![sample("", &[("demo_state", "idle")], "0.0"), sample("", &[("demo_state", "busy")], "1.0")],
        ),
        family("demo.board.requests", "counter", "A name with dots.", vec![sample("_total", &[], "7.0")]),
        family("demo.größe", "gauge", "Names in UTF-8.", vec![sample("", &[("fühler.name", "a b")], "2.5")]),
        family("demo:ratio", "gauge", "A name with a colon.", vec![sample("", &[], "0.5")]),
        family(
            "demo_help",
            "gauge",
            "A back\\slash, a \"quote\" and\na new line.",
            vec![sample("", &[], "1.0")],
        ),
        family("demo_empty", "gauge", "A family without rows.", vec![]),
        family("demo_traced", "counter", "With an example.", vec![traced]),
        family(
            "demo_slowest_seconds",
            "histogram",
            "With an example in a bucket.",
            vec![
                sample("_bucket", &[("le", "0.5")], "0.0"),
                slowest,
                sample("_bucket", &[("le", "+Inf")], "1.0"),
                sample("_count", &[], "1.0"),
                sample("_sum", &[], "0.75"),
            ],
        ),
        family("demo_unknown", "unknown", "Of no known kind.", vec![sample("", &[], "5.0")]),
        family(
            "demo_queue_seconds",
            "gaugehistogram",
            "Age of what waits.",
            vec![
                sample("_bucket", &[("le", "1.0")], "2.0"),
                sample("_bucket", &[("le", "10.0")], "3.0"),
                sample("_bucket", &[("le", "+Inf")], "4.0"),
                sample("_gcount", &[], "4.0"),
                sample("_gsum", &[], "30.5"),
            ],
        ),
        family("demo_sampled_volts", "gauge", "Measured some time ago.", vec![volts]),
    ]
}

/// One way in which a page can be asked for.
#[derive(Clone, Copy, Debug)]
struct Way {
    openmetrics: bool,
    /// Text 1.0.0 and OpenMetrics have a choice.
    escaping: Option<&'static str>,
    created: bool,
}

impl Way {
    fn all() -> Vec<Self> {
        let mut ways = Vec::new();
        for created in [false, true] {
            ways.push(Self { openmetrics: false, escaping: None, created });
            ways.push(Self { openmetrics: true, escaping: None, created });
            for escaping in ["underscores", "allow-utf-8", "dots", "values"] {
                for openmetrics in [false, true] {
                    ways.push(Self { openmetrics, escaping: Some(escaping), created });
                }
            }
        }
        ways
    }

    fn accept(self) -> String {
        let media_type = if self.openmetrics { "application/openmetrics-text" } else { "text/plain" };
        match self.escaping {
            Some(escaping) => format!("Accept: {media_type};version=1.0.0;escaping={escaping}\r\n"),
            None => format!("Accept: {media_type}\r\n"),
        }
    }

    /// A name under the escaping, written as the rules read: one character after the other, no cleverness.
    fn escaped(self, name: &str, colon: bool) -> String {
        let fits = |at: usize, c: char| {
            c.is_ascii_alphabetic() || c == '_' || (c == ':' && colon) || (c.is_ascii_digit() && at > 0)
        };
        let classic = name.chars().enumerate().all(|(at, c)| fits(at, c));
        let each = |replace: &dyn Fn(char) -> Option<String>| -> String {
            name.chars()
                .enumerate()
                .map(|(at, c)| match replace(c) {
                    Some(text) => text,
                    None if fits(at, c) => c.to_string(),
                    None => match self.escaping {
                        Some("values") => format!("_{:x}_", u32::from(c)),
                        Some("dots") => "__".into(),
                        _ => "_".into(),
                    },
                })
                .collect()
        };
        match self.escaping {
            Some("allow-utf-8") => name.into(),
            Some("values") if classic => name.into(),
            Some("values") => "U__".to_owned() + &each(&|c| (c == '_').then(|| "__".into())),
            Some("dots") => each(&|c| match c {
                '_' => Some("__".into()),
                '.' => Some("_dot_".into()),
                _ => None,
            }),
            _ => each(&|_| None),
        }
    }

    /// What the parser has to find, sorted.
    fn expected(self) -> Vec<String> {
        let mut lines = Vec::new();
        for family in families() {
            let name = self.escaped(family.base, true);
            let (shown, kind) = match family.kind {
                "info" if !self.openmetrics => (name.clone() + "_info", "gauge"),
                "stateset" if !self.openmetrics => (name.clone(), "gauge"),
                "gaugehistogram" if !self.openmetrics => (name.clone(), "histogram"),
                kind => (name.clone(), kind),
            };
            let unit = if self.openmetrics { family.unit } else { "" };
            lines.push(family_line(&shown, kind, unit, family.help));
            let mut begun = Vec::new();
            for sample in &family.samples {
                if !self.openmetrics && sample.suffix.starts_with("_g") {
                    lines.push(family_line(&(name.clone() + sample.suffix), "gauge", "", family.help));
                }
                let labels: Vec<_> =
                    sample.labels.iter().map(|(key, value)| (self.escaped(key, false), *value)).collect();
                let extra = match sample.extra {
                    Extra::Time(time) => format!(", {}", json(time)),
                    Extra::Exemplar(exemplar) if self.openmetrics => format!(", {exemplar}"),
                    _ => String::new(),
                };
                lines.push(sample_line(&(name.clone() + sample.suffix), &labels, sample.value, &extra));
                let has_begun = self.created && ["counter", "histogram", "summary"].contains(&family.kind);
                let labels: Vec<_> = labels.into_iter().filter(|(key, _)| key != "le").collect();
                if has_begun && !begun.contains(&labels) {
                    begun.push(labels);
                }
            }
            if !begun.is_empty() && !self.openmetrics {
                lines.push(family_line(&(name.clone() + "_created"), "gauge", "", family.help));
            }
            lines.extend(
                begun.iter().map(|labels| sample_line(&(name.clone() + "_created"), labels, "now", "")),
            );
        }
        lines.sort();
        lines
    }
}

/// What the page tells about its own making, beside the demonstration.
fn is_of_ours(line: &str) -> bool {
    line.contains("\"scrapeport_")
}

fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            c => out.push(c),
        }
    }
    out + "\""
}

fn family_line(name: &str, kind: &str, unit: &str, help: &str) -> String {
    format!("[\"family\", {}, {}, {}, {}]", json(name), json(kind), json(unit), json(help))
}

fn sample_line(name: &str, labels: &[(String, &str)], value: &str, extra: &str) -> String {
    let mut sorted: Vec<_> = labels.iter().collect();
    sorted.sort();
    let labels: Vec<_> =
        sorted.iter().map(|(key, value)| format!("[{}, {}]", json(key), json(value))).collect();
    format!("[\"sample\", {}, [{}], {}{extra}]", json(name), labels.join(", "), json(value))
}

/// Replaces the times at which series began, after a look at them.
fn with_created_checked(line: &str) -> String {
    if !line.starts_with("[\"sample\"") || !line.contains("_created\", [") {
        return line.into();
    }
    let (start, value) = line.rsplit_once(", ").expect("a sample has a value");
    let seconds: f64 = value.trim_matches(['"', ']']).parse().expect("a time is a number");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
    assert!((now - 3_600.0..=now + 1.0).contains(&seconds), "{line}");
    format!("{start}, \"now\"]")
}

fn page(address: SocketAddr, way: Way) -> String {
    let answer = exchange(address, &get("/metrics", &way.accept()));
    assert_eq!(answer.status, Some(200), "{answer}");
    let content_type = answer.header("Content-Type").expect("a page has a type");
    assert_eq!(content_type.starts_with("application/openmetrics-text"), way.openmetrics, "{way:?} {answer}");
    answer.text()
}

/// In what a page differs from what was set, by the reference's parser for its format.
fn faults(oracle: &mut Oracle, way: Way, page: &str) -> String {
    let mut faults = String::new();
    let parsed = if way.openmetrics {
        oracle.parse_openmetrics(page.as_bytes())
    } else {
        oracle.parse_text(page.as_bytes())
    };
    let found: Vec<_> = match parsed {
        Ok(lines) => {
            lines.iter().filter(|line| !is_of_ours(line)).map(|line| with_created_checked(line)).collect()
        }
        Err(error) => return format!("{way:?}: {error}\n"),
    };
    let expected = way.expected();
    for line in expected.iter().filter(|line| !found.contains(line)) {
        let _ = writeln!(faults, "{way:?}: missing {line}");
    }
    for line in found.iter().filter(|line| !expected.contains(line)) {
        let _ = writeln!(faults, "{way:?}: not expected {line}");
    }
    if found.len() != expected.len() {
        let _ = writeln!(faults, "{way:?}: {} lines and not {}", found.len(), expected.len());
    }
    faults
}

#[test]
fn every_page_reads_as_it_was_set() {
    let mut oracle = Oracle::start();
    let mut all = String::new();
    for created in [false, true] {
        let server = Served::every_kind(if created { &["created"] } else { &[] });
        for way in Way::all().into_iter().filter(|way| way.created == created) {
            all += &faults(&mut oracle, way, &page(server.address, way));
        }
    }
    assert!(all.is_empty(), "\n{all}");
}

/// What the test above expects is also what the reference serves, where it has no fault.
#[test]
fn the_reference_reads_the_same() {
    let mut oracle = Oracle::start();
    for created in [false, true] {
        let reference = Reference::serve(if created { &["created"] } else { &[] });
        for (openmetrics, escaping) in [
            (false, None),
            (false, Some("underscores")),
            (false, Some("allow-utf-8")),
            (true, Some("allow-utf-8")),
        ] {
            let way = Way { openmetrics, escaping, created };
            let faults = faults(&mut oracle, way, &page(reference.address, way));
            assert!(faults.is_empty(), "\n{faults}");
        }
    }
}

/// Under the other escapings it writes names in OpenMetrics that its own reader refuses or finds under other names;
/// so there is nothing to compare with.
#[test]
fn the_reference_misnames_what_it_escapes() {
    let mut oracle = Oracle::start();
    let reference = Reference::serve(&[]);
    for (openmetrics, escaping, fault) in [
        (true, "underscores", "missing [\"sample\", \"demo:ratio\", [], \"0.5\"]"),
        (true, "dots", "Clashing name"),
        (true, "values", "Clashing name"),
        (false, "dots", "not expected [\"sample\", \"demo__requests__total\", [], \"3.0\"]"),
        (false, "values", "not expected [\"sample\", \"U__demo_2e_board_2e_requests__total\", [], \"7.0\"]"),
    ] {
        let way = Way { openmetrics, escaping: Some(escaping), created: false };
        let faults = faults(&mut oracle, way, &page(reference.address, way));
        assert!(faults.contains(fault), "{way:?}\n{faults}");
    }
}

/// The reference's parser for text takes an OpenMetrics page too, and finds the same samples.
#[test]
fn openmetrics_reads_as_text_too() {
    let server = Served::every_kind(&[]);
    let way = Way { openmetrics: true, escaping: None, created: false };
    let lines = Oracle::start().parse_text(page(server.address, way).as_bytes()).expect("the page parses");
    let samples = lines.iter().filter(|line| line.starts_with("[\"sample\"") && !is_of_ours(line));
    assert_eq!(samples.count(), families().iter().map(|family| family.samples.len()).sum::<usize>());
}

#[test]
fn promtool_has_nothing_to_say() {
    for created in [false, true] {
        let server = Served::every_kind(if created { &["created"] } else { &[] });
        for escaping in [None, Some("underscores"), Some("dots"), Some("values")] {
            let way = Way { openmetrics: false, escaping, created };
            promtool(&page(server.address, way), &format!("{way:?}"));
        }
    }
}

#[test]
fn promtool_has_nothing_to_say_about_the_program() {
    let server = Served::program(&[]);
    let answer = exchange(server.address, &get("/metrics", ""));
    promtool(&answer.text(), "scrapeport");
}

/// Runs `promtool check metrics`, which reads the text format and knows the conventions for names.
pub(crate) fn promtool(page: &str, what: &str) {
    const KNOWN: &[&str] = &[
        // The demonstration has that name on purpose.
        "demo:ratio metric names should not contain ':'",
        // Names of the kernel's, as the node exporter has them.
        "metric names should be written in 'snake_case' not 'camelCase'",
        "node_entropy_available_bits use base unit",
        "node_entropy_pool_size_bits use base unit",
        // Bits that were repaired are no amount of data.
        "node_mtd_corrected_bits_total use base unit",
    ];
    let mut child = Command::new(tool("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let rest: Vec<_> = said.lines().filter(|line| !KNOWN.iter().any(|known| line.contains(known))).collect();
    assert!(rest.is_empty(), "{what}: {rest:#?}");
    assert!(output.status.success() || !said.is_empty(), "{what}: promtool failed without a word");
}

#[test]
fn whole_numbers_keep_every_digit_and_the_page_its_order() {
    let server = Served::every_kind(&[]);
    let page = page(server.address, Way { openmetrics: true, escaping: None, created: false });
    let way = Way { openmetrics: true, escaping: None, created: false };
    let found = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: Vec<_> = found.filter(|line| !line.starts_with("scrapeport_")).collect();
    let expected: Vec<_> = families()
        .iter()
        .map(|family| format!("{} {}", way.escaped(family.base, true), family.kind))
        .collect();
    assert_eq!(found, expected);
    assert!(page.ends_with("\n# EOF\n"));
}
