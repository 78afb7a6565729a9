//! What kind of processors these are. Source: `/proc/cpuinfo`, proc_cpuinfo(5); its lines differ by architecture.

use std::boxed::Box;
use std::string::String;

use regex_lite::Regex;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::filter::regex;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{
    NO_DIGITS, NO_TEXT, decimal, fields, lines, lossy, split_once, trim, unsigned,
};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::Seen;
use crate::text::{Kind, Page};

pub(super) static INFO: Flag =
    Flag::new("collector.cpu.info", FlagKind::Switch, &["Shows what kind of processors these are, too."]);
pub(super) static FLAGS: Flag = Flag::new(
    "collector.cpu.info.flags-include",
    FlagKind::Value("REGEX"),
    &["Shows those flags of the first processor too that match. Default none."],
);
pub(super) static BUGS: Flag = Flag::new(
    "collector.cpu.info.bugs-include",
    FlagKind::Value("REGEX"),
    &["Shows those bugs of the first processor too that match. Default none."],
);

/// What is shown of `/proc/cpuinfo`.
#[derive(Debug)]
pub(super) struct Info {
    flags: Option<Regex>,
    bugs: Option<Regex>,
}

impl Info {
    /// None unless a flag asks for it; each of the two patterns does.
    pub(super) fn read(choices: &Choices) -> Result<Option<Box<Self>>, String> {
        let pattern = |flag| match choices.value(flag) {
            Some(pattern) if !pattern.is_empty() => regex(flag, pattern).map(Some),
            _ => Ok(None),
        };
        let info = Self { flags: pattern(&FLAGS)?, bugs: pattern(&BUGS)? };
        let wanted = choices.is_on(&INFO) == Some(true) || info.flags.is_some() || info.bugs.is_some();
        Ok(wanted.then(|| Box::new(info)))
    }

    pub(super) fn write(
        &self,
        machine: &Machine,
        scratch: &mut Scratch,
        page: &mut Page<'_>,
    ) -> Result<(), Problem> {
        let text = machine.procfs.whole("cpuinfo", &mut scratch.file)?;
        processors(text, page);
        let seen = &mut scratch.seen;
        if let Some(pattern) = &self.flags {
            let mut family =
                page.family(Kind::Gauge, "node_cpu_flag_info", "What the first processor can do; always 1.");
            words(text, &[b"flags", b"Features"], pattern, seen, |flag| {
                family.sample(&[("flag", flag)], 1_u64)
            });
        }
        if let Some(pattern) = &self.bugs {
            let mut family =
                page.family(Kind::Gauge, "node_cpu_bug_info", "Faults of the first processor; always 1.");
            words(text, &[b"bugs"], pattern, seen, |bug| family.sample(&[("bug", bug)], 1_u64));
        }
        Ok(())
    }
}

/// The labels, and what they are called in the file.
const LABELS: [(&str, &[u8]); 9] = [
    ("package", b"physical id"),
    ("core", b"core id"),
    ("vendor", b"vendor_id"),
    ("family", b"cpu family"),
    ("model", b"model"),
    ("model_name", b"model name"),
    ("microcode", b"microcode"),
    ("stepping", b"stepping"),
    ("cachesize", b"cache size"),
];

/// Where the name stands that 32-bit ARM kernels before 3.8 give all processors at once, as `Processor`.
const MODEL_NAME: usize = 5;

fn processors(text: &[u8], page: &mut Page<'_>) {
    let help = "What kind a processor is; always 1.";
    let mut family = page.family(Kind::Gauge, "node_cpu_info", help);
    let mut write = |cpu: u64, values: &[&[u8]; 9]| {
        let mut spare = NO_TEXT;
        let model_name = lossy(values[MODEL_NAME], &mut spare);
        let mut digits = NO_DIGITS;
        let mut labels = [("cpu", decimal(cpu, &mut digits)); 10];
        for ((label, (name, _)), value) in labels.iter_mut().skip(1).zip(LABELS).zip(values) {
            *label = (name, core::str::from_utf8(value).unwrap_or_default());
        }
        labels[MODEL_NAME + 1].1 = model_name;
        family.sample(&labels, 1_u64);
    };
    let mut common = [&b""[..]; 9];
    let (mut current, mut values, mut next) = (None, common, 0);
    for line in lines(text) {
        let Some((key, value)) = split_once(line, b':') else { continue };
        let (key, value) = (trim(key), trim(value));
        if key == b"processor" {
            if let Some(cpu) = current.take() {
                write(cpu, &values);
            }
            // In ascending order; what is out of order is left out.
            current = unsigned(value).filter(|number| *number >= next && *number < u64::MAX);
            next = current.map_or(next, |number| number + 1);
            values = common;
        } else if key == b"Processor" && current.is_none() && next == 0 {
            common[MODEL_NAME] = value;
            values = common;
        } else if let Some((_, place)) = LABELS.iter().zip(&mut values).find(|((_, name), _)| *name == key) {
            *place = value;
        }
    }
    match current {
        Some(cpu) => write(cpu, &values),
        None if next == 0 && !common[MODEL_NAME].is_empty() => write(0, &values),
        None => {}
    }
}

/// The words of the first line with one of these keys that match.
fn words(text: &[u8], keys: &[&[u8]], pattern: &Regex, seen: &mut Seen, mut take: impl FnMut(&str)) {
    seen.clear();
    let line =
        lines(text).filter_map(|line| split_once(line, b':')).find(|(key, _)| keys.contains(&trim(key)));
    for word in line.into_iter().flat_map(|(_, words)| fields(words)) {
        let mut spare = NO_TEXT;
        let word = lossy(word, &mut spare);
        if pattern.is_match(word) && seen.is_new(word.as_bytes()) {
            take(word);
        }
    }
}
