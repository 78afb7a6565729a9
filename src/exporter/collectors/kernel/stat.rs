//! `stat`: what the kernel has done since it booted. Source: `/proc/stat`, proc_stat(5).

use std::boxed::Box;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, lines, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::{ProcStat, Scratch};
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.stat",
        FlagKind::Switch,
        &["Interrupts, context switches, forks, boot time."],
    ),
    default: true,
    flags: &[&SOFTIRQ],
    build: Build::By(|choices| Ok(Box::new(Stat { softirq: choices.is_on(&SOFTIRQ).unwrap_or(false) }))),
};

static SOFTIRQ: Flag =
    Flag::new("collector.stat.softirq", FlagKind::Switch, &["Shows soft interrupts by vector too."]);

struct Stat {
    softirq: bool,
}

/// Lines, by their first word, and the families that their first number becomes.
const FAMILIES: [(&[u8], Kind, &str, &str); 6] = [
    (b"intr", Kind::Counter, "node_intr_total", "Interrupts served."),
    (b"ctxt", Kind::Counter, "node_context_switches_total", "Context switches."),
    (b"btime", Kind::Gauge, "node_boot_time_seconds", "When the system booted, as Unix time."),
    (b"processes", Kind::Counter, "node_forks_total", "Processes and threads begun."),
    (b"procs_running", Kind::Gauge, "node_procs_running", "Tasks that run or could run."),
    (b"procs_blocked", Kind::Gauge, "node_procs_blocked", "Tasks that wait for a disk."),
];

/// Vectors of soft interrupts, in the order of the line `softirq`.
const VECTORS: [&str; 10] =
    ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];

impl Source for Stat {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let text = scratch.stat.read(machine)?;
        let mut told = [false; FAMILIES.len()];
        let mut softirq = None;
        for line in lines(text) {
            let mut fields = fields(line);
            let Some(word) = fields.next() else { continue };
            if word == b"softirq" && self.softirq {
                softirq = softirq.or(Some(line));
            }
            let mut families = FAMILIES.iter().zip(&mut told);
            let Some(((_, kind, name, help), told)) = families.find(|((name, ..), _)| *name == word) else {
                continue;
            };
            if let Some(number) = fields.next().and_then(unsigned).filter(|_| !*told) {
                page.family(*kind, name, help).sample(&[], number);
                *told = true;
            }
        }
        if let Some(line) = softirq {
            let mut family = page.family(Kind::Counter, "node_softirqs_total", "Soft interrupts served.");
            // After the word comes the sum.
            for (vector, count) in VECTORS.iter().zip(fields(line).skip(2)) {
                if let Some(count) = unsigned(count) {
                    family.sample(&[("vector", vector)], count);
                }
            }
        }
        if told == [false; FAMILIES.len()] { Err(Problem::malformed(ProcStat::FILE)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str) -> Outcome {
        let outcome = Tree::new(&[("proc/stat", text)]).run(&ENTRY, &[("collector.stat.softirq", "true")]);
        outcome.assert_sound();
        outcome
    }

    #[test]
    fn what_the_kernel_has_done() {
        let zeros = " 0".repeat(20_000);
        let text = format!(
            "cpu  1 2 3 4\ncpu0 1 2 3 4\nintr 5000000000{zeros}\nctxt 2\nbtime 1418183276\nprocesses 3\n\
             procs_running 4\nprocs_blocked 5\nsoftirq 55 1 2 3 4 5 6 7 8 9 10\n"
        );
        let outcome = read(&text);
        assert_eq!(outcome.result, Ok(()));
        let vectors = VECTORS
            .iter()
            .zip(1..)
            .map(|(vector, count)| format!("node_softirqs_total{{vector=\"{vector}\"}} {count}\n"));
        let expected = "node_intr_total 5000000000\nnode_context_switches_total 2\n\
            node_boot_time_seconds 1418183276\nnode_forks_total 3\nnode_procs_running 4\nnode_procs_blocked 5\n";
        assert_eq!(
            outcome.samples(),
            vectors.fold(expected.into(), |all: std::string::String, line| all + &line)
        );
        assert!(!Tree::new(&[("proc/stat", &text)]).run(&ENTRY, &[]).page.contains("softirq"));
    }

    #[test]
    fn what_is_broken_is_left_out_alone() {
        let outcome = read("intr\nctxt x\nbtime 1\nbtime 2\nsoftirq 1 x 2\nprocesses -1\nprocs_running 1x\n");
        assert_eq!(outcome.samples(), "node_boot_time_seconds 1\nnode_softirqs_total{vector=\"timer\"} 2\n");
        for text in ["", "cpu 1 2 3 4\n", "\u{0}"] {
            assert_eq!(read(text).result, Err(Problem::malformed("stat")));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "((intr|ctxt|softirq|btime)( [0-9x]{1,20}){0,3}\n){0,9}") {
            read(&text);
            let tree = Tree::new(&[]);
            tree.write("proc/stat", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
