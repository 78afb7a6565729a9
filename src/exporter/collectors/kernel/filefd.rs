//! `filefd`: how many files are open. Source: `/proc/sys/fs/file-nr`, Documentation/admin-guide/sysctl/fs.rst.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.filefd", FlagKind::Switch, &["Open files of the whole system."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Filefd),
};

struct Filefd;

const FILE: &str = "sys/fs/file-nr";

impl Source for Filefd {
    fn collect(&self, machine: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut text = [0; ATTRIBUTE];
        let text = machine.procfs.held_told(FILE, &mut text)?;
        let mut numbers = fields(text).map(unsigned);
        // The second one has been 0 since Linux 2.6.
        let (allocated, maximum) = (numbers.next().flatten(), numbers.nth(1).flatten());
        let (Some(allocated), Some(maximum)) = (allocated, maximum) else {
            return Err(Problem::malformed(FILE));
        };
        page.family(Kind::Gauge, "node_filefd_allocated", "Open files.").sample(&[], allocated);
        page.family(Kind::Gauge, "node_filefd_maximum", "How many files can be open.").sample(&[], maximum);
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
    fn open_files() {
        let outcome =
            Tree::new(&[("proc/sys/fs/file-nr", "1024\t0\t9223372036854775807\n")]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_filefd_allocated 1024\nnode_filefd_maximum 9223372036854775807\n"
        );
    }

    #[test]
    fn what_is_not_three_numbers_is_a_problem() {
        for text in ["", "1", "1 0", "1 0 x", "x 0 1", "\u{0}"] {
            let outcome = Tree::new(&[("proc/sys/fs/file-nr", text)]).run(&ENTRY, &[]);
            assert_eq!(
                (outcome.result, outcome.page.as_str()),
                (Err(Problem::malformed("sys/fs/file-nr")), "")
            );
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[]);
            tree.write("proc/sys/fs/file-nr", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
