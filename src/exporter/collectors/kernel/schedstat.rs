//! `schedstat`: how long tasks ran and waited on each processor. Source: `/proc/schedstat`,
//! Documentation/scheduler/sched-stats.rst.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_DIGITS, decimal, fields, lines, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.schedstat",
        FlagKind::Switch,
        &["How long tasks ran and waited on a processor."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Schedstat),
};

struct Schedstat;

const FILE: &str = "schedstat";

/// The processor, nanoseconds running, nanoseconds waiting, time slices.
const ROW: usize = 4;

impl Source for Schedstat {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let text = machine.procfs.held_whole(FILE, &mut scratch.file)?;
        scratch.numbers.clear();
        let mut next = 0;
        for row in lines(text).filter_map(parse) {
            // In ascending order; what is out of order is left out.
            if row[0] >= next {
                next = row[0].saturating_add(1);
                scratch.numbers.extend(row);
            }
        }
        let rows = || scratch.numbers.chunks_exact(ROW);
        for (column, name, help) in [
            (1, "node_schedstat_running_seconds_total", "How long tasks ran on a processor."),
            (2, "node_schedstat_waiting_seconds_total", "How long tasks waited for a processor."),
        ] {
            let mut family = page.family(Kind::Counter, name, help);
            for row in rows() {
                let [cpu, nanoseconds] = [0, column].map(|place| row.get(place).copied().unwrap_or(0));
                family.sample(&[("cpu", decimal(cpu, &mut { NO_DIGITS }))], nanoseconds as f64 / 1e9);
            }
        }
        let help = "Time slices that tasks had on a processor.";
        let mut family = page.family(Kind::Counter, "node_schedstat_timeslices_total", help);
        for row in rows() {
            let [cpu, count] = [0, 3].map(|place| row.get(place).copied().unwrap_or(0));
            family.sample(&[("cpu", decimal(cpu, &mut { NO_DIGITS }))], count);
        }
        if scratch.numbers.is_empty() { Err(Problem::malformed(FILE)) } else { Ok(()) }
    }
}

fn parse(line: &[u8]) -> Option<[u64; ROW]> {
    let mut fields = fields(line.strip_prefix(b"cpu")?);
    let cpu = line.get(3).filter(|byte| byte.is_ascii_digit()).and_then(|_| unsigned(fields.next()?))?;
    let mut numbers = fields.skip(6).map(unsigned);
    let mut number = || numbers.next().flatten();
    Some([cpu, number()?, number()?, number()?])
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str) -> Outcome {
        let outcome = Tree::new(&[("proc/schedstat", text)]).run(&ENTRY, &[]);
        outcome.assert_sound();
        outcome
    }

    #[test]
    fn numbers_seven_eight_nine() {
        let outcome = read(
            "version 15\ntimestamp 4295123456\ncpu0 1 2 3 4 5 6 2045936778163039 343796328169361 4767485306\n\
             domain0 03 1 2 3 4 5 6 7 8 9 10\ncpu2 0 0 0 0 0 0 1500000000 1 2 99\ndomain0 03 1\n",
        );
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_schedstat_running_seconds_total{cpu=\"0\"} 2045936.778163039\n\
             node_schedstat_running_seconds_total{cpu=\"2\"} 1.5\n\
             node_schedstat_waiting_seconds_total{cpu=\"0\"} 343796.328169361\n\
             node_schedstat_waiting_seconds_total{cpu=\"2\"} 0.000000001\n\
             node_schedstat_timeslices_total{cpu=\"0\"} 4767485306\n\
             node_schedstat_timeslices_total{cpu=\"2\"} 2\n"
        );
    }

    #[test]
    fn bad_lines_are_left_out_alone() {
        let text =
            "cpu0 1 2 3 4 5 6 7 8\ncpu1 1 2 3 4 5 6 7 8 x\ncpu2 0 0 0 0 0 0 1 2 3\ncpu2 0 0 0 0 0 0 1 2 3\n";
        assert_eq!(read(text).samples().lines().count(), 3);
        for text in ["", "version 15\n", "cpu 0 1 2 3 4 5 6 7 8 9\n", "\u{0}"] {
            assert_eq!(read(text).result, Err(Problem::malformed("schedstat")));
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "(cpu[0-2]?( [0-9]{1,3}){8,10}\n){0,9}") {
            read(&text);
            let tree = Tree::new(&[]);
            tree.write("proc/schedstat", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
