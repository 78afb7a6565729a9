//! `kernel_hung`: tasks that hung. Source: `/proc/sys/kernel/hung_task_detect_count` (since Linux 6.13),
//! Documentation/admin-guide/sysctl/kernel.rst.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::unsigned;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.kernel_hung", FlagKind::Switch, &["Tasks that the kernel found hanging."]),
    default: true,
    flags: &[],
    build: Build::Ready(&KernelHung),
};

struct KernelHung;

const FILE: &str = "sys/kernel/hung_task_detect_count";

impl Source for KernelHung {
    fn collect(&self, machine: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut text = [0; ATTRIBUTE];
        let text = machine.procfs.held_told(FILE, &mut text)?;
        let count = unsigned(text).ok_or_else(|| Problem::malformed(FILE))?;
        let help = "Tasks that the kernel found hanging.";
        page.family(Kind::Counter, "node_kernel_hung_tasks_total", help).sample(&[], count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn tasks_that_hung() {
        let tree = Tree::new(&[("proc/sys/kernel/hung_task_detect_count", "3\n")]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            (outcome.result, outcome.samples().as_str()),
            (Ok(()), "node_kernel_hung_tasks_total 3\n")
        );
        tree.write("proc/sys/kernel/hung_task_detect_count", "-1\n");
        assert_eq!(tree.run(&ENTRY, &[]).result, Err(Problem::malformed(FILE)));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[]);
            tree.write("proc/sys/kernel/hung_task_detect_count", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
