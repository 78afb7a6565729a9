//! `pressure`: how long tasks waited for what there was too little of. Source: `/proc/pressure`,
//! Documentation/accounting/psi.rst.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, lines, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};
use rustix::io::Errno;

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.pressure",
        FlagKind::Switch,
        &["How long tasks waited for CPU, memory, disks."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Pressure),
};

struct Pressure;

/// Files, the beginning of a line, the family, its help.
const LINES: [(&str, &[u8], &str, &str); 6] = [
    (
        "pressure/cpu",
        b"some",
        "node_pressure_cpu_waiting_seconds_total",
        "How long some task waited for a processor.",
    ),
    (
        "pressure/io",
        b"some",
        "node_pressure_io_waiting_seconds_total",
        "How long some task waited for a disk.",
    ),
    (
        "pressure/io",
        b"full",
        "node_pressure_io_stalled_seconds_total",
        "How long all tasks waited for a disk.",
    ),
    (
        "pressure/memory",
        b"some",
        "node_pressure_memory_waiting_seconds_total",
        "How long some task waited for memory.",
    ),
    (
        "pressure/memory",
        b"full",
        "node_pressure_memory_stalled_seconds_total",
        "How long all tasks waited for memory.",
    ),
    (
        "pressure/irq",
        b"full",
        "node_pressure_irq_stalled_seconds_total",
        "How long all tasks waited for interrupts.",
    ),
];

/// Two lines of at most some 100 bytes.
const ROOM: usize = 512;

impl Source for Pressure {
    fn collect(&self, machine: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut result = Ok(());
        let mut any = false;
        for file in LINES.chunk_by(|a, b| a.0 == b.0) {
            let Some((path, ..)) = file.first() else { continue };
            let mut room = [0; ROOM];
            let text = match machine.procfs.held_piece(path, &mut room) {
                Ok(text) => text,
                // Not every kernel has all of them.
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    result = result.and(Err(Problem::unreadable(path, errno)));
                    continue;
                }
            };
            any = true;
            for (_, word, name, help) in file {
                match total(text, word) {
                    Some(total) => page.family(Kind::Counter, name, help).sample(&[], total as f64 / 1e6),
                    None => result = result.and(Err(Problem::malformed(path))),
                }
            }
        }
        if any { result } else { result.and(Err(Problem::NoData("the kernel has no /proc/pressure"))) }
    }
}

/// The microseconds in `some avg10=0.00 avg60=0.00 avg300=0.00 total=1`.
fn total(text: &[u8], word: &[u8]) -> Option<u64> {
    let line = lines(text).find(|line| fields(line).next() == Some(word))?;
    fields(line).find_map(|field| unsigned(field.strip_prefix(b"total=")?))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const BOTH: &str = "some avg10=0.06 avg60=0.18 avg300=0.40 total=149791126\nfull avg10=0.00 avg60=0.07 avg300=0.32 total=87036931\n";

    #[test]
    fn some_and_full() {
        let irq = "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        let tree = Tree::new(&[
            ("proc/pressure/cpu", BOTH),
            ("proc/pressure/io", BOTH),
            ("proc/pressure/memory", BOTH),
            ("proc/pressure/irq", irq),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_pressure_cpu_waiting_seconds_total 149.791126\nnode_pressure_io_waiting_seconds_total 149.791126\n\
             node_pressure_io_stalled_seconds_total 87.036931\nnode_pressure_memory_waiting_seconds_total 149.791126\n\
             node_pressure_memory_stalled_seconds_total 87.036931\nnode_pressure_irq_stalled_seconds_total 0.000005\n"
        );
    }

    #[test]
    fn an_old_kernel_has_less() {
        // 5.10: no `full` of the processors, no `irq`.
        let cpu = "some avg10=0.06 avg60=0.18 avg300=0.40 total=1000000\n";
        let outcome = Tree::new(&[("proc/pressure/cpu", cpu)]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(outcome.samples(), "node_pressure_cpu_waiting_seconds_total 1\n");
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        // `psi=0` answers EOPNOTSUPP.
        assert!(Problem::unreadable("pressure/cpu", Errno::OPNOTSUPP).is_no_data());
    }

    #[test]
    fn a_broken_file_is_left_out_alone() {
        for text in ["", "some\nfull", "some total=x\n", "total=1"] {
            let outcome =
                Tree::new(&[("proc/pressure/io", text), ("proc/pressure/memory", BOTH)]).run(&ENTRY, &[]);
            assert_eq!(outcome.result, Err(Problem::malformed("pressure/io")), "{text}");
            assert_eq!(outcome.samples().lines().count(), 2);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[]);
            tree.write("proc/pressure/cpu", &bytes);
            tree.write("proc/pressure/io", &bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
