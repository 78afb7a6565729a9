//! Makes one page of the families of several files: each of them whole, no series twice, no name that is taken.

use core::cmp::Ordering;
use std::vec::Vec;

use super::store::{Role, Sample, Store};
use super::trouble::Trouble;
use crate::exporter::engine::families::FAMILIES;
use crate::exporter::engine::seen::Seen;
use crate::process::PROCESS;
use crate::text::name::{HASH_START, hash};
use crate::text::{Kind, Number, Page};

/// The families of the collector itself.
pub(super) const MTIME: &str = "node_textfile_mtime_seconds";
pub(super) const ERROR: &str = "node_textfile_scrape_error";

/// What begins like this is written after the collectors, or by the server.
const RESERVED: [&str; 2] = ["node_scrape_collector_", "scrapeport_"];

/// Buffers that are kept.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// Families by their name, then by their file.
    families: Vec<u32>,
    /// Samples by their family, in the order in which they are shown.
    samples: Vec<u32>,
    series: Vec<(u64, u32)>,
    taken: Seen,
    help: std::string::String,
}

impl Merge {
    /// Decides what is shown; what is not is told. `files` gives the path of a file.
    pub(super) fn prepare<'f>(
        &mut self,
        store: &Store,
        openmetrics: bool,
        files: &dyn Fn(u32) -> &'f str,
        trouble: &mut Trouble,
    ) {
        self.families.clear();
        self.families.extend(0..store.families.len() as u32);
        self.families.retain(|at| store.families.get(*at as usize).is_some_and(|family| family.samples > 0));
        self.families.sort_unstable_by(|a, b| name(store, *a).cmp(name(store, *b)).then(a.cmp(b)));
        self.taken.clear();
        for name in [MTIME, ERROR] {
            self.taken.is_new_mark(hash(HASH_START, name, false));
        }
        let mut leader: Option<u32> = None;
        let mut help = None;
        let mut is_refused = false;
        let taken = &mut self.taken;
        self.families.retain(|at| {
            let Some(own) = store.families.get(*at as usize) else { return false };
            let own_name = store.get(&own.name);
            let problem = match leader.and_then(|leader| store.families.get(leader as usize)) {
                Some(first) if store.get(&first.name) == own_name => {
                    let own_help = own.help.as_ref().map(|help| store.get(help));
                    if is_refused {
                        Some("its name is taken by another family")
                    } else if first.kind != own.kind {
                        Some("its TYPE is another one than in a file before")
                    } else if help.is_some() && own_help.is_some() && help != own_help {
                        Some("its HELP is another one than in a file before")
                    } else {
                        help = help.or(own_help);
                        None
                    }
                }
                _ => {
                    leader = Some(*at);
                    help = own.help.as_ref().map(|help| store.get(help));
                    is_refused = !take(taken, own_name, own.kind.unwrap_or(Kind::Unknown), openmetrics);
                    is_refused.then_some("its name is taken by another family")
                }
            };
            if let Some(problem) = problem {
                trouble.tell(files(own.file), &[own_name.as_bytes(), problem.as_bytes()], &|out| {
                    write!(out, "the family {own_name} is left out: {problem}")
                });
            }
            problem.is_none()
        });
        self.order(store, files, trouble);
    }

    /// Puts the samples of those families in their order, without series that a file before has.
    fn order<'f>(&mut self, store: &Store, files: &dyn Fn(u32) -> &'f str, trouble: &mut Trouble) {
        let mut ranks: Vec<u32> = Vec::new();
        core::mem::swap(&mut ranks, &mut self.samples);
        ranks.clear();
        ranks.resize(store.families.len(), 0);
        for at in &self.families {
            if let Some(rank) = ranks.get_mut(*at as usize) {
                *rank = 1;
            }
        }
        let file = |at: u32| {
            let sample = store.samples.get(at as usize)?;
            Some(store.families.get(sample.family as usize)?.file)
        };
        self.series.clear();
        self.series.extend((0_u32..).zip(&store.samples).filter_map(|(at, sample)| {
            let is_shown = ranks.get(sample.family as usize) == Some(&1);
            is_shown.then_some((sample.series, at))
        }));
        self.series.sort_unstable();
        let mut before: Option<(u64, Option<u32>)> = None;
        self.series.retain(|(series, at)| match before {
            Some((same, first)) if same == *series => {
                let is_first = file(*at) == first;
                if let (false, Some(sample)) = (is_first, store.samples.get(*at as usize)) {
                    let name = name(store, sample.family);
                    trouble.tell(files(file(*at).unwrap_or(0)), &[name.as_bytes(), b"series"], &|out| {
                        write!(out, "a series of {name} is left out: a file before has it")
                    });
                }
                is_first
            }
            _ => {
                before = Some((*series, file(*at)));
                true
            }
        });
        ranks.clear();
        ranks.extend(self.series.iter().map(|(_, at)| *at));
        ranks.sort_unstable_by(|a, b| as_shown(store, *a, *b));
        self.samples = ranks;
    }

    /// Writes all families.
    pub(super) fn write<'f>(&mut self, store: &Store, files: &dyn Fn(u32) -> &'f str, page: &mut Page<'_>) {
        let Self { families, samples, help, .. } = self;
        for group in families.chunk_by(|a, b| name(store, *a) == name(store, *b)) {
            let Some(first) = group.first().and_then(|at| store.families.get(*at as usize)) else { continue };
            let given = group.iter().find_map(|at| store.families.get(*at as usize)?.help.as_ref());
            let text = match given {
                Some(given) => store.get(given),
                None => {
                    made_up(
                        help,
                        group.iter().filter_map(|at| Some(files(store.families.get(*at as usize)?.file))),
                    );
                    help.as_str()
                }
            };
            let kind = first.kind.unwrap_or(Kind::Unknown);
            let mut family = page.family(kind, store.get(&first.name), text).with_plain_bounds();
            let mut labels = [("", ""); super::parse::MOST_LABELS];
            for at in group {
                let of = |sample: &u32| store.samples.get(*sample as usize).map_or(0, |sample| sample.family);
                let begin = samples.partition_point(|sample| of(sample) < *at);
                let end = samples.partition_point(|sample| of(sample) <= *at);
                let own = samples.get(begin..end).unwrap_or_default();
                let own = || own.iter().filter_map(|at| store.samples.get(*at as usize));
                if !matches!(kind, Kind::Histogram | Kind::Summary) {
                    for sample in own() {
                        family.sample(labels_of(store, sample, &mut labels), sample.value);
                    }
                    continue;
                }
                let mut rest = own().peekable();
                while let Some(first) = rest.peek().copied() {
                    let labels = labels_of(store, first, &mut labels);
                    let (mut sum, mut count, mut last, mut is_closed) = (Number::Float(0.0), None, 0, false);
                    while let Some(sample) = rest.next_if(|sample| sample.series == first.series) {
                        match (sample.role, sample.value) {
                            (Role::Bucket(bound), Number::Unsigned(value)) => {
                                last = value;
                                is_closed = bound == f64::INFINITY;
                                family.bucket(labels, bound, value);
                            }
                            (Role::Quantile(quantile), value) => family.quantile(labels, quantile, value),
                            (Role::Sum, value) => sum = value,
                            (Role::Count, Number::Unsigned(value)) => count = Some(value),
                            _ => {}
                        }
                    }
                    let count = count.unwrap_or(last);
                    if kind == Kind::Histogram && !is_closed {
                        family.bucket(labels, f64::INFINITY, count);
                    }
                    family.count_and_sum(labels, count, sum);
                }
            }
        }
    }
}

/// The order of two samples on the page.
#[inline(never)]
fn as_shown(store: &Store, a: u32, b: u32) -> Ordering {
    let key = |at: u32| {
        let sample = store.samples.get(at as usize);
        sample.map(|sample| match sample.role {
            Role::Value => (sample.family, 0, (0, 0), at),
            role => (sample.family, sample.series, role.order(), at),
        })
    };
    key(a).cmp(&key(b))
}

fn name(store: &Store, family: u32) -> &str {
    store.families.get(family as usize).map(|family| store.get(&family.name)).unwrap_or_default()
}

fn labels_of<'l, 's>(
    store: &'s Store,
    sample: &Sample,
    room: &'l mut [(&'s str, &'s str)],
) -> &'l [(&'s str, &'s str)] {
    let labels = store.labels_of(sample);
    for (place, (name, value)) in room.iter_mut().zip(labels) {
        *place = (store.get(name), store.get(value));
    }
    room.get(..labels.len()).unwrap_or_default()
}

/// Takes all names that a family puts on the page, unless one of them is taken.
fn take(taken: &mut Seen, name: &str, kind: Kind, openmetrics: bool) -> bool {
    // OpenMetrics knows a counter by its name without `_total`, which no other family may have there.
    let (base, suffixes) = match kind {
        Kind::Counter if openmetrics => (name.strip_suffix("_total").unwrap_or(name), kind.claims()),
        Kind::Histogram | Kind::Summary => (name, kind.claims()),
        _ => (name, &[""][..]),
    };
    let mark = |suffix: &str| hash(hash(HASH_START, base, false), suffix, true);
    let is_ours = |suffix: &str| {
        let own = |family: &&str| family.strip_prefix(base).is_some_and(|rest| rest == suffix);
        FAMILIES.has(base, suffix) || PROCESS.families.iter().any(own) || taken.has_mark(mark(suffix))
    };
    let counter_of_ours = openmetrics && FAMILIES.has(name, "_total");
    if RESERVED.iter().any(|prefix| name.starts_with(prefix))
        || counter_of_ours
        || suffixes.iter().any(|suffix| is_ours(suffix))
    {
        return false;
    }
    for suffix in suffixes {
        taken.is_new_mark(mark(suffix));
    }
    true
}

/// What is said of a family that no file describes.
fn made_up<'f>(help: &mut std::string::String, files: impl Iterator<Item = &'f str>) {
    help.clear();
    for file in files {
        if help.len() + file.len() > LONGEST_HELP {
            help.push_str(" and others");
            break;
        }
        help.push_str(if help.is_empty() { "Metric read from " } else { ", " });
        help.push_str(file);
    }
}

/// So much is said of where a family was read from.
const LONGEST_HELP: usize = 1000;
