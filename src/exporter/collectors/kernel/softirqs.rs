//! `softirqs`: soft interrupts by processor. Source: `/proc/softirqs`, Documentation/filesystems/proc.rst.

use super::columns::{Row, processors};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_DIGITS, NO_TEXT, decimal, lines, lossy};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.softirqs", FlagKind::Switch, &["Soft interrupts by processor."]),
    default: false,
    flags: &[],
    build: Build::Ready(&Softirqs),
};

struct Softirqs;

const FILE: &str = "softirqs";

impl Source for Softirqs {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, numbers, seen, .. } = scratch;
        let mut lines = lines(machine.procfs.held_whole(FILE, file)?);
        processors(lines.next().ok_or_else(|| Problem::malformed(FILE))?, numbers);
        seen.clear();
        let mut any = false;
        let help = "Soft interrupts served.";
        let mut family = page.family(Kind::Counter, "node_softirqs_functions_total", help);
        for row in lines.filter_map(Row::parse) {
            let mut spare = NO_TEXT;
            let name = lossy(row.name, &mut spare);
            if !seen.is_new(name.as_bytes()) {
                continue;
            }
            any = true;
            for (cpu, count) in row.counts(numbers) {
                family.sample(&[("cpu", decimal(cpu, &mut { NO_DIGITS })), ("type", name)], count);
            }
        }
        if any { Ok(()) } else { Err(Problem::malformed(FILE)) }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str) -> Outcome {
        let outcome = Tree::new(&[("proc/softirqs", text)]).run(&ENTRY, &[]);
        outcome.assert_sound();
        outcome
    }

    #[test]
    fn counts_by_processor() {
        let outcome = read(
            "                    CPU0       CPU2       \n          HI:          1          2\n   NET_RX:  5000000000 x\n  HI: 3 4\n",
        );
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples().replace("node_softirqs_functions_total", ""),
            "{cpu=\"0\",type=\"HI\"} 1\n{cpu=\"2\",type=\"HI\"} 2\n{cpu=\"0\",type=\"NET_RX\"} 5000000000\n"
        );
        for text in ["", "CPU0\n", "\u{0}"] {
            assert_eq!(read(text).result, Err(Problem::malformed("softirqs")));
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "( CPU[0-2]){0,3}\n([A-C]:( [0-9x]){0,4}\n){0,5}") {
            read(&text);
            let tree = Tree::new(&[]);
            tree.write("proc/softirqs", [b"CPU0 CPU1\n", &bytes[..]].concat());
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
