//! A strict reader of pages in the text format (version 0.0.4), which panics on whatever is not as it has to be.
#![allow(dead_code, reason = "each user has its part")]

use std::borrow::ToOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::string::String;
use std::vec::Vec;

/// What a page holds: families by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Families(pub(crate) BTreeMap<String, Family>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) samples: BTreeMap<Series, f64>,
}

/// The name of a sample, and its labels by their names, without those that have no value.
pub(crate) type Series = (String, BTreeMap<String, String>);

impl Families {
    /// Reads a page.
    ///
    /// # Panics
    /// If a line is no comment and no sample, a family has no HELP or TYPE or has them twice, stands in two places or
    /// has samples of other names, if labels or series are there twice, or if a name is none.
    pub(crate) fn read(page: &str) -> Self {
        let mut families = Self::default();
        let mut current = String::new();
        assert!(page.is_empty() || page.ends_with('\n'), "the last line has no end");
        for line in page.split_terminator('\n') {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                assert!(is_name(name), "{line}");
                let old =
                    families.0.insert(name.to_owned(), Family { help: help.to_owned(), ..Family::default() });
                assert!(old.is_none(), "a second time: {line}");
                name.clone_into(&mut current);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(name, current, "TYPE does not follow HELP: {line}");
                let family = families.0.get_mut(name).expect("has its HELP");
                assert!(family.kind.is_empty() && family.samples.is_empty(), "too late: {line}");
                assert!(["counter", "gauge", "untyped", "histogram", "summary"].contains(&kind), "{line}");
                kind.clone_into(&mut family.kind);
            } else {
                let (series, value) = sample(line);
                let family =
                    families.0.get_mut(&current).unwrap_or_else(|| panic!("before any family: {line}"));
                let of_family =
                    series.0.strip_prefix(&current).is_some_and(|end| match family.kind.as_str() {
                        "histogram" => ["_bucket", "_sum", "_count"].contains(&end),
                        "summary" => ["", "_sum", "_count"].contains(&end),
                        _ => end.is_empty(),
                    });
                assert!(of_family, "among the samples of {current}: {line}");
                assert!(!family.kind.is_empty(), "{current} has no TYPE");
                let old = family.samples.insert(series, value);
                assert!(old.is_none(), "twice: {line}");
            }
        }
        let empty: Vec<_> =
            families.0.iter().filter(|(_, family)| family.samples.is_empty()).map(|(name, _)| name).collect();
        assert!(empty.is_empty(), "families without samples: {empty:?}");
        families
    }

    /// The value of a sample, given as it stands on the page.
    pub(crate) fn value(&self, line: &str) -> Option<f64> {
        let series = sample(&std::format!("{line} 0")).0;
        self.0.get(&series.0)?.samples.get(&series).copied()
    }

    /// All series with type and value.
    pub(crate) fn series(&self) -> impl Iterator<Item = (&Series, &str, f64)> {
        self.0.values().flat_map(|family| {
            family.samples.iter().map(|(series, value)| (series, family.kind.as_str(), *value))
        })
    }
}

/// A series as it stands on a page.
pub(crate) fn shown((name, labels): &Series) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| std::format!("{name}={value:?}")).collect();
    if labels.is_empty() { name.clone() } else { std::format!("{name}{{{}}}", labels.join(",")) }
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    !name.is_empty() && name.bytes().all(good) && !name.as_bytes()[0].is_ascii_digit()
}

fn sample(line: &str) -> (Series, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, rest) = line.split_at(end);
    assert!(is_name(name), "no name: {line}");
    let mut labels = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut rest = rest;
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            if let Some(after) = inside.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = inside.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label) && !label.contains(':'), "no label name: {line}");
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next() {
                    Some((at, '"')) => break at + 1,
                    Some((_, '\\')) => value.push(match characters.next() {
                        Some((_, 'n')) => '\n',
                        Some((_, other @ ('\\' | '"'))) => other,
                        other => panic!("not an escape, {other:?}: {line}"),
                    }),
                    Some((_, other)) => value.push(other),
                    None => panic!("a label value has no end: {line}"),
                }
            };
            inside = &after[end..];
            assert!(names.insert(label.to_owned()), "a label twice: {line}");
            if !value.is_empty() {
                labels.insert(label.to_owned(), value);
            }
            if let Some(after) = inside.strip_prefix(',') {
                inside = after;
            } else {
                assert!(inside.starts_with('}'), "no end of labels: {line}");
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let number = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        value => {
            let plain =
                value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
            assert!(plain, "no number: {line}");
            value.parse().unwrap_or_else(|_| panic!("no number: {line}"))
        }
    };
    ((name.to_owned(), labels), number)
}
