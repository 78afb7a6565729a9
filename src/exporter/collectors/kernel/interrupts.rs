//! `interrupts`: interrupts by processor and device. Source: `/proc/interrupts`, proc_interrupts(5).

use std::boxed::Box;

use super::columns::{Row, processors};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_DIGITS, decimal, lines};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.interrupts", FlagKind::Switch, &["Interrupts by processor and device."]),
    default: false,
    flags: &[&INCLUDE, &EXCLUDE, &ZEROS],
    build: Build::By(|choices| {
        Ok(Box::new(Interrupts {
            filter: Filter::read(choices, &INCLUDE, &EXCLUDE, None)?,
            zeros: choices.is_on(&ZEROS).unwrap_or(true),
        }))
    }),
};

static INCLUDE: Flag = Flag::new(
    "collector.interrupts.name-include",
    FlagKind::Value("REGEX"),
    &["Shows only interrupts whose \"type;info;devices\" matches."],
);
static EXCLUDE: Flag = Flag::new(
    "collector.interrupts.name-exclude",
    FlagKind::Value("REGEX"),
    &["Leaves out interrupts whose \"type;info;devices\" matches."],
);
static ZEROS: Flag = Flag::new(
    "collector.interrupts.include-zeros",
    FlagKind::Switch,
    &["Shows interrupts too that never came. Default on."],
);

struct Interrupts {
    filter: Filter,
    zeros: bool,
}

const FILE: &str = "interrupts";

impl Source for Interrupts {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, other: text, numbers, seen, .. } = scratch;
        let mut lines = lines(machine.procfs.held_whole(FILE, file)?);
        processors(lines.next().ok_or_else(|| Problem::malformed(FILE))?, numbers);
        seen.clear();
        let mut any = false;
        let mut family = page.family(Kind::Counter, "node_interrupts_total", "Interrupts served.");
        for row in lines.filter_map(Row::parse) {
            // `ERR: 0` counts errors of all processors together. Where a count is missing, no word is in its place.
            if !row.is_described(numbers) {
                continue;
            }
            let Labels { info, devices } = Labels::join(row, numbers, text);
            // The kernel writes ASCII; whatever else this is, it names no interrupt.
            let Ok(whole) = core::str::from_utf8(text) else { continue };
            let (Some(info), Some(devices)) = (whole.get(info), whole.get(devices)) else { continue };
            let name = whole.get(..row.name.len()).unwrap_or_default();
            if !seen.is_new(whole.as_bytes()) {
                continue;
            }
            any = true;
            if !self.filter.takes(whole) {
                continue;
            }
            for (cpu, count) in row.counts(numbers).filter(|(_, count)| self.zeros || *count > 0) {
                let mut digits = NO_DIGITS;
                let cpu = decimal(cpu, &mut digits);
                family.sample(&[("cpu", cpu), ("devices", devices), ("info", info), ("type", name)], count);
            }
        }
        if any { Ok(()) } else { Err(Problem::malformed(FILE)) }
    }
}

/// Where the labels stand in a text `type;info;devices`.
struct Labels {
    info: core::ops::Range<usize>,
    devices: core::ops::Range<usize>,
}

impl Labels {
    /// Interrupts with a number have one word about their controller, then devices; the others are told in words.
    fn join(row: Row<'_>, processors: &[u64], into: &mut Bytes) -> Self {
        into.clear();
        into.extend_from_slice(row.name);
        into.push(b';');
        let mut words = row.words(processors);
        let begin = into.len();
        let many = if row.name.iter().all(u8::is_ascii_digit) { 1 } else { usize::MAX };
        join(words.by_ref().take(many), into);
        let middle = into.len();
        into.push(b';');
        join(words, into);
        Self { info: begin..middle, devices: middle + 1..into.len() }
    }
}

fn join<'a>(words: impl Iterator<Item = &'a [u8]>, into: &mut Bytes) {
    for (number, word) in words.enumerate() {
        if number > 0 {
            into.push(b' ');
        }
        into.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str, flags: &[(&'static str, &str)]) -> Outcome {
        let outcome = Tree::new(&[("proc/interrupts", text)]).run(&ENTRY, flags);
        outcome.assert_sound();
        outcome
    }

    fn samples(text: &str, flags: &[(&'static str, &str)]) -> String {
        let outcome = read(text, flags);
        assert_eq!(outcome.result, Ok(()));
        outcome.samples().replace("node_interrupts_total", "")
    }

    const ARM: &str = "           CPU0       CPU2       \n 17:        123          0     GICv2  27 Level     arch_timer\n\
        IPI0:         0          7  CPU wakeup interrupts\nFIQ:              usb_fiq\nErr:          0\n";

    #[test]
    fn a_board() {
        assert_eq!(
            samples(ARM, &[]),
            "{cpu=\"0\",devices=\"27 Level arch_timer\",info=\"GICv2\",type=\"17\"} 123\n\
             {cpu=\"2\",devices=\"27 Level arch_timer\",info=\"GICv2\",type=\"17\"} 0\n\
             {cpu=\"0\",devices=\"\",info=\"CPU wakeup interrupts\",type=\"IPI0\"} 0\n\
             {cpu=\"2\",devices=\"\",info=\"CPU wakeup interrupts\",type=\"IPI0\"} 7\n"
        );
    }

    #[test]
    fn one_processor_and_an_old_kernel() {
        let text = "           CPU0\n  0:    5000000000    XT-PIC  timer\n  9:          0    XT-PIC\nNMI:          0\nERR:          0\n";
        assert_eq!(
            samples(text, &[]),
            "{cpu=\"0\",devices=\"timer\",info=\"XT-PIC\",type=\"0\"} 5000000000\n\
             {cpu=\"0\",devices=\"\",info=\"XT-PIC\",type=\"9\"} 0\n"
        );
    }

    #[test]
    fn lines_that_are_not_whole_are_left_out() {
        let text = "CPU0 CPU1\n 0: 1 2 IR timer\n44: 3\n45: 3 4\n46: 3 x IR foo\n47: 3 IR foo\n48: 3 -4 IR foo\nMIS: 0\n";
        assert_eq!(
            samples(text, &[]),
            "{cpu=\"0\",devices=\"timer\",info=\"IR\",type=\"0\"} 1\n\
             {cpu=\"1\",devices=\"timer\",info=\"IR\",type=\"0\"} 2\n"
        );
    }

    #[test]
    fn some_are_chosen() {
        let only = samples(ARM, &[("collector.interrupts.name-include", "^17;GICv2;.*timer$")]);
        assert_eq!(only.lines().count(), 2);
        let others = samples(ARM, &[("collector.interrupts.name-exclude", "GIC")]);
        assert!(others.lines().count() == 2 && others.contains("IPI0"));
        let nonzero = samples(ARM, &[("collector.interrupts.include-zeros", "false")]);
        assert!(nonzero.lines().count() == 2 && !nonzero.contains("} 0\n"));
    }

    #[test]
    fn no_interrupts_are_a_problem() {
        for text in ["", "CPU0\n", "\u{0}"] {
            assert_eq!(read(text, &[]).result, Err(Problem::malformed("interrupts")));
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "( CPU[0-2]){0,3}\n([A1]:( [0-9x]){0,4}\n){0,5}") {
            read(&text, &[]);
            let tree = Tree::new(&[]);
            tree.write("proc/interrupts", [b"CPU0 CPU1\n1: 1 1 a\n", &bytes[..]].concat());
            tree.run(&ENTRY, &[("collector.interrupts.name-exclude", "zz")]).assert_sound();
        }
    }
}
