//! `entropy`: how much chance the kernel's random numbers have. Source: `/proc/sys/kernel/random`, random(4).

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::gauges::{Gauge, show};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::Page;

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.entropy", FlagKind::Switch, &["Entropy of the kernel's random numbers."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Entropy),
};

struct Entropy;

const GAUGES: [Gauge; 2] = [
    ("sys/kernel/random/entropy_avail", "node_entropy_available_bits", "Entropy there is, in bits."),
    ("sys/kernel/random/poolsize", "node_entropy_pool_size_bits", "Entropy there can be, in bits."),
];

impl Source for Entropy {
    fn collect(&self, machine: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        show(&machine.procfs, &GAUGES, page)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const AVAILABLE: &str = "proc/sys/kernel/random/entropy_avail";
    const SIZE: &str = "proc/sys/kernel/random/poolsize";

    #[test]
    fn bits_there_are_and_can_be() {
        let outcome = Tree::new(&[(AVAILABLE, "256\n"), (SIZE, "4096\n")]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(outcome.samples(), "node_entropy_available_bits 256\nnode_entropy_pool_size_bits 4096\n");
    }

    #[test]
    fn one_that_is_broken_does_not_hide_the_other() {
        let outcome = Tree::new(&[(AVAILABLE, "x"), (SIZE, "256\n")]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Err(Problem::malformed("sys/kernel/random/entropy_avail")));
        assert_eq!(outcome.samples(), "node_entropy_pool_size_bits 256\n");
        assert!(Tree::new(&[(AVAILABLE, "1")]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[]);
            tree.write(AVAILABLE, &bytes);
            tree.write(SIZE, &bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
