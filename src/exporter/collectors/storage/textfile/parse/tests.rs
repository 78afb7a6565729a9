//! The parser: examples, and a naive reader as the judge of everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;
use regex_lite::Regex;

use super::*;

/// What a file says: families by name, with kind, help and samples.
type Content = BTreeMap<String, (String, Option<String>, BTreeSet<String>)>;

fn read(text: &[u8]) -> Result<Content, Fault> {
    let mut store = Store::default();
    parse(text, 0, &mut store, &mut Vec::new())?;
    let mut content = Content::new();
    for family in store.families.iter().filter(|family| family.samples > 0) {
        let kind = format!("{:?}", family.kind.unwrap());
        let help = family.help.as_ref().map(|help| store.get(help).to_string());
        content.insert(store.get(&family.name).into(), (kind, help, BTreeSet::new()));
    }
    for sample in store.samples.iter().filter(|sample| sample.family != NO_FAMILY) {
        let name = store.get(&store.families[sample.family as usize].name);
        let labels = store.labels_of(sample).iter().map(|(name, value)| (store.get(name), store.get(value)));
        let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
        let role = match sample.role {
            Role::Value => String::from("value"),
            Role::Bucket(bound) => format!("bucket {bound}"),
            Role::Quantile(bound) => format!("quantile {bound}"),
            Role::Sum => String::from("sum"),
            Role::Count => String::from("count"),
        };
        let value = match sample.value {
            Number::Unsigned(value) => value as f64,
            Number::Signed(value) => value as f64,
            Number::Float(value) => value,
        };
        content.get_mut(name).unwrap().2.insert(format!("{role} {labels:?} {value}"));
    }
    Ok(content)
}

/// The same, written for clarity: one regular expression for each kind of line.
fn naive(text: &[u8]) -> Option<Content> {
    let text = core::str::from_utf8(text).ok()?;
    if !text.is_empty() && !text.ends_with('\n') {
        return None;
    }
    let comment = Regex::new(r"^[ \t]*#[ \t]*(HELP|TYPE)[ \t]+([^ \t]+)[ \t]+(.+)$").unwrap();
    let other = Regex::new(r"^[ \t]*(#.*)?$").unwrap();
    let sample = Regex::new(
        r#"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]*\{[ \t]*((?:[a-zA-Z_][a-zA-Z0-9_]*[ \t]*=[ \t]*"(?:[^"\\]|\\[\\n"])*"[ \t]*(?:,[ \t]*)?)*)\}[ \t]*|[ \t]+)([^ \t]+)[ \t]*$"#,
    )
    .unwrap();
    let label =
        Regex::new(r#"^([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\[\\n"])*)"[ \t]*(,?)[ \t]*"#)
            .unwrap();
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut samples: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in text.split_terminator('\n') {
        if let Some(found) = comment.captures(line) {
            let name = found[2].to_string();
            if !Regex::new("^[a-zA-Z_:][a-zA-Z0-9_:]*$").unwrap().is_match(&name) {
                return None;
            }
            if &found[1] == "HELP" {
                let help = unescaped(&found[3], "\\n")?;
                if helps.insert(name, help).is_some() {
                    return None;
                }
            } else {
                let kind = match found[3].to_lowercase().as_str() {
                    "counter" => "Counter",
                    "gauge" => "Gauge",
                    "histogram" => "Histogram",
                    "summary" => "Summary",
                    "untyped" => "Unknown",
                    _ => return None,
                };
                if kinds.insert(name, kind.into()).is_some() {
                    return None;
                }
            }
            continue;
        }
        if other.is_match(line) {
            // A name alone must be a name too.
            let alone = Regex::new(r"^[ \t]*#[ \t]*(HELP|TYPE)[ \t]+([^ \t]+)[ \t]*$").unwrap();
            if let Some(found) = alone.captures(line) {
                Regex::new("^[a-zA-Z_:][a-zA-Z0-9_:]*$").unwrap().find(&found[2])?;
            }
            continue;
        }
        let found = sample.captures(line)?;
        let name = &found[1];
        let mut labels = BTreeMap::new();
        let mut rest = found.get(2).map_or("", |labels| labels.as_str());
        let mut comma = true;
        while let Some(found) = label.captures(rest) {
            let value = unescaped(&found[2], "\\n\"")?;
            if &found[1] == "__name__" || !comma || labels.insert(found[1].to_string(), value).is_some() {
                return None;
            }
            comma = &found[3] == ",";
            rest = &rest[found[0].len()..];
        }
        let known = |name: &str| kinds.contains_key(name) || helps.contains_key(name);
        let family = if known(name) {
            name
        } else {
            let with = |suffix: &str, wanted: &[&str]| {
                let base = name.strip_suffix(suffix)?;
                wanted.contains(&kinds.get(base)?.as_str()).then_some(base)
            };
            with("_bucket", &["Histogram"])
                .or(with("_sum", &["Histogram", "Summary"]))
                .or(with("_count", &["Histogram", "Summary"]))
                .unwrap_or(name)
        };
        let kind = kinds.entry(family.into()).or_insert(String::from("Unknown")).clone();
        let value = naive_float(&found[3])?;
        let whole = value >= 0.0 && value.fract() == 0.0 && value < 1.8e19;
        let suffix = &name[family.len()..];
        let role = match (kind.as_str(), suffix) {
            ("Histogram", "_bucket") => {
                let bound = naive_float(&labels.remove("le")?)?;
                if !whole || bound.is_nan() {
                    return None;
                }
                format!("bucket {bound}")
            }
            ("Summary", "") => {
                let bound = naive_float(&labels.remove("quantile")?)?;
                if bound.is_nan() {
                    return None;
                }
                format!("quantile {bound}")
            }
            ("Histogram" | "Summary", "_sum") => String::from("sum"),
            ("Histogram" | "Summary", "_count") if whole => String::from("count"),
            ("Histogram" | "Summary", _) => return None,
            _ => String::from("value"),
        };
        let bound = match kind.as_str() {
            "Histogram" => "le",
            "Summary" => "quantile",
            _ => "",
        };
        if labels.contains_key(bound) {
            return None;
        }
        let labels: Vec<_> = labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        if !seen
            .insert(format!("{family} {role} {labels:?}").replace("e -0 ", "e 0 ").replace("t -0 ", "t 0 "))
        {
            continue;
        }
        samples.entry(family.into()).or_default().insert(format!("{role} {labels:?} {value}"));
    }
    let content = samples.into_iter().map(|(name, samples)| {
        let (kind, help) = (kinds[&name].clone(), helps.get(&name).cloned());
        (name, (kind, help, samples))
    });
    Some(content.collect())
}

fn naive_float(text: &str) -> Option<f64> {
    let number = Regex::new(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$").unwrap();
    let infinite = Regex::new(r"^(?i)[+-]?inf(inity)?$").unwrap();
    if number.is_match(text) {
        return text.parse().ok().filter(|value: &f64| value.is_finite());
    }
    if infinite.is_match(text) {
        return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    text.eq_ignore_ascii_case("nan").then_some(f64::NAN)
}

fn unescaped(text: &str, allowed: &str) -> Option<String> {
    let mut result = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped) if allowed.contains(escaped) => {
                    result.push(if escaped == 'n' { '\n' } else { escaped });
                }
                _ => return None,
            },
            character => result.push(character),
        }
    }
    Some(result)
}

const GOOD: &str = r#"# A comment
# HELP a_total Things \\ that \n happened "here".
# TYPE a_total counter
a_total{x="1",y="a\"b\\c\nd"} 5
a_total {y="ä",x="2",} 1e3
	# TYPE	h	HISTOGRAM
h_bucket{le="0.1"} 1
h_bucket{le="+Inf"} 2.0
h_sum 0.3
h_count 2
# TYPE s summary
s{quantile="0.5"} NaN
s_sum -1
s_count 7

u 18446744073709551615
u{empty="",le="1"} +Inf
# HELP unused Nothing.
# TYPE unused_too gauge
#TYPE v gauge
v -0.5
"#;

#[test]
fn a_file_of_everything_is_read() {
    let content = read(GOOD.as_bytes()).unwrap();
    assert_eq!(naive(GOOD.as_bytes()), Some(content.clone()));
    let names: Vec<_> = content.keys().map(String::as_str).collect();
    assert_eq!(names, ["a_total", "h", "s", "u", "v"]);
    assert_eq!(content["a_total"].1.as_deref(), Some("Things \\ that \n happened \"here\"."));
    assert!(content["a_total"].2.contains(r#"value ["x=\"1\"", "y=\"a\\\"b\\\\c\\nd\""] 5"#));
    assert!(content["h"].2.contains("bucket 0.1 [] 1") && content["h"].2.contains("count [] 2"));
    assert_eq!(content["s"].2.len(), 3);
    assert!(content["u"].2.contains(r#"value ["le=\"1\""] inf"#));
    assert_eq!(content["v"].0, "Gauge");
    let mut store = Store::default();
    parse(b"u 18446744073709551615\n", 0, &mut store, &mut Vec::new()).unwrap();
    assert_eq!(store.samples[0].value, Number::Unsigned(u64::MAX));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, what) in [
        ("a 1\na{x=\"1\"} 1 1600000000000\n", 2, "there is a time after the value, which files may not have"),
        ("a 1 x\n", 1, "something follows the value"),
        ("a 1\nb 2", 2, "it ends within the line: perhaps it is being written"),
        ("a\n", 1, "there is no blank or brace after the name"),
        ("a \n", 1, "the value is not a number"),
        ("a 0x10\n", 1, "the value is not a number"),
        ("a 1e999\n", 1, "the value is not a number"),
        ("a 1\r\n", 1, "the value is not a number"),
        ("9a 1\n", 1, "it begins with no name of a metric"),
        ("{\"a.b\"} 1\n", 1, "it begins with no name of a metric"),
        ("a-b 1\n", 1, "there is no blank or brace after the name"),
        ("a{x=1} 1\n", 1, "the value of a label begins with a quotation mark"),
        ("a{x=\"1} 1\n", 1, "the value of a label has no end"),
        ("a{x=\"1\" y=\"2\"} 1\n", 1, "there is neither a comma nor a brace after a label"),
        ("a{x=\"1\",x=\"2\"} 1\n", 1, "a label stands in the line twice"),
        ("a{__name__=\"b\"} 1\n", 1, "the label __name__ cannot be given"),
        ("a{x-y=\"b\"} 1\n", 1, "that is no name of a label"),
        ("a{x} 1\n", 1, "there is no = after the name of a label"),
        ("a{x=\"\\t\"} 1\n", 1, "a backslash with something else than \\, n or, in labels, \" after it"),
        ("# HELP a b\\\"\n", 1, "a backslash with something else than \\, n or, in labels, \" after it"),
        ("# HELP a b\n# HELP a b\n", 2, "a second HELP for the same name"),
        ("a 1\n# TYPE a gauge\n", 2, "a second TYPE for the same name, or one after its samples"),
        ("# TYPE a enum\n", 1, "an unknown TYPE: there are counter, gauge, histogram, summary, untyped"),
        ("# TYPE a-b gauge\n", 1, "there is no name after HELP or TYPE"),
        ("# TYPE h histogram\nh 1\n", 2, "a histogram has buckets with le, and _sum and _count without"),
        (
            "# TYPE h histogram\nh_bucket 1\n",
            2,
            "a histogram has buckets with le, and _sum and _count without",
        ),
        ("# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", 2, "le or quantile is not a number"),
        ("# TYPE h histogram\nh_count 1.5\n", 2, "a count is a whole number from 0 up"),
        ("# TYPE s summary\ns 1\n", 2, "a summary has values with quantile, and _sum and _count without"),
    ] {
        assert_eq!(read(text.as_bytes()), Err(Fault { line, what }), "{text:?}");
        assert_eq!(naive(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(read(b"a 1\n\xff\n"), Err(Fault { line: 2, what: "it is not UTF-8" }));
    let long = format!("a{{x=\"{}\"}} 1\n", "y".repeat(LONGEST_LINE));
    assert_eq!(read(long.as_bytes()), Err(Fault { line: 1, what: "it is too long" }));
    let labels: String = (0..=MOST_LABELS).map(|number| format!("l{number}=\"x\",")).collect();
    assert_eq!(
        read(format!("a{{{labels}}} 1\n").as_bytes()),
        Err(Fault { line: 1, what: "there are too many labels" })
    );
}

#[test]
fn the_first_line_of_a_series_counts() {
    let doubles = |text: &str| parse(text.as_bytes(), 0, &mut Store::default(), &mut Vec::new()).unwrap();
    for (text, line) in [
        ("a 1\nb 1\na 2\nb 2\n", Some(3)),
        ("a{x=\"1\",y=\"2\"} 1\n\na{y=\"2\",x=\"1\",z=\"\"} 2\na{x=\"1\",y=\"2\"} 3\n", Some(3)),
        ("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 2\nh_count 2\n", Some(3)),
        ("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 2\nh_count 2\nh_sum 2\n", None),
    ] {
        let what = "it is left out: its series stands above";
        assert_eq!(doubles(text), line.map(|line| Fault { line, what }), "{text}");
        assert_eq!(read(text.as_bytes()).ok(), naive(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_bad_file_leaves_nothing_behind() {
    let mut store = Store::default();
    parse(b"a 1\n", 0, &mut store, &mut Vec::new()).unwrap();
    let before = format!("{:?}", (&store.text, &store.families, &store.samples, &store.labels));
    parse(b"b{x=\"1\"} 1\nc\n", 1, &mut store, &mut Vec::new()).unwrap_err();
    assert_eq!(format!("{:?}", (&store.text, &store.families, &store.samples, &store.labels)), before);
}

/// Lines that are nearly good.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ \t]?#[ ]?(HELP|TYPE|help)[ \t]?[ab](_sum)?[ \t]?(x|\\\\n|\\\\x|\\\\\\\\)?",
        "# TYPE [ab](_sum|_count|-)? (counter|gauge|histogram|summary|untyped|Gauge|x)[ ]?",
        "[ab](_bucket|_sum|_count|_total)? ?(\\{((le|quantile|x|y)=\"([01]|\\\\n|\\\\\"|\\\\\\\\|\\\\x|\\+Inf)?\"[, ]?){0,3}\\})?[ \t]{0,2}(1|2|0.5|-1|NaN|\\+Inf|-inf|1e400|x|-0)?( 123| )?",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_naive_reader_agrees(lines in proptest::collection::vec(line(), 0..8), end in prop::bool::weighted(0.95)) {
        let mut text = lines.join("\n");
        if end {
            text.push('\n');
        }
        prop_assert_eq!(read(text.as_bytes()).ok(), naive(text.as_bytes()), "{:?}", text);
    }
}

proptest! {
    #[test]
    fn it_agrees_about_a_good_file_with_a_fault(changes in proptest::collection::vec((any::<prop::sample::Index>(), "[ \t\n\"\\\\{}=,a1#]?"), 1..3)) {
        let mut text = String::from(GOOD);
        for (at, new) in changes {
            let at = at.index(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..=at, &new);
            }
        }
        prop_assert_eq!(read(text.as_bytes()).ok(), naive(text.as_bytes()), "{:?}", text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&bytes).ok(), naive(&bytes));
    }
}
