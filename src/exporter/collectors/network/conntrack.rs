//! `conntrack`: the connections that the packet filter follows. Source: `/proc/sys/net/netfilter/nf_conntrack_*`, the
//! kernel's `Documentation/networking/nf_conntrack-sysctl.rst`, and `/proc/net/stat/nf_conntrack`.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::gauges::{Gauge, show};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, hexadecimal, lines};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.conntrack",
        FlagKind::Switch,
        &["Connections that the packet filter follows."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Conntrack),
};

struct Conntrack;

const STATISTICS: &str = "net/stat/nf_conntrack";

/// The columns that are shown: their number, counted from 1, and what they are.
const SHOWN: [(usize, &str, &str); 8] = [
    (3, "node_nf_conntrack_stat_found", "Entries that were found."),
    (5, "node_nf_conntrack_stat_invalid", "Packets that cannot be followed."),
    (6, "node_nf_conntrack_stat_ignore", "Packets that are not to be followed."),
    (9, "node_nf_conntrack_stat_insert", "Entries that were added."),
    (
        10,
        "node_nf_conntrack_stat_insert_failed",
        "Entries that could not be added, as they were there already.",
    ),
    (11, "node_nf_conntrack_stat_drop", "Packets dropped because an entry could not be made."),
    (12, "node_nf_conntrack_stat_early_drop", "Entries dropped to make room for others."),
    (17, "node_nf_conntrack_stat_search_restart", "Searches begun again because the table was resized."),
];

const COLUMNS: usize = 17;

const GAUGES: [Gauge; 2] = [
    ("sys/net/netfilter/nf_conntrack_count", "node_nf_conntrack_entries", "Connections that are followed."),
    ("sys/net/netfilter/nf_conntrack_max", "node_nf_conntrack_entries_limit", "Their limit."),
];

impl Source for Conntrack {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let gauges = show(&machine.procfs, &GAUGES, page);
        let sums = match machine.procfs.held_short(STATISTICS, &mut scratch.file) {
            Ok(text) => add_up(text),
            Err(problem) => return gauges.and(Err(problem)),
        };
        for (number, name, help) in SHOWN {
            if let Some(sum) = sums.get(number - 1).copied().flatten() {
                page.family(Kind::Gauge, name, help).sample(&[], sum);
            }
        }
        gauges.and(if sums == [None; COLUMNS] { Err(Problem::malformed(STATISTICS)) } else { Ok(()) })
    }
}

/// The columns, each added up over the lines, of which there is one for each processor. The first line is a heading.
fn add_up(text: &[u8]) -> [Option<u64>; COLUMNS] {
    let mut sums = [None; COLUMNS];
    for line in lines(text).skip(1) {
        for (sum, field) in sums.iter_mut().zip(fields(line)) {
            if let Some(value) = hexadecimal(field) {
                *sum = Some(sum.unwrap_or(0_u64).saturating_add(value));
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const COUNT: (&str, &str) = ("proc/sys/net/netfilter/nf_conntrack_count", "12\n");
    const MAX: (&str, &str) = ("proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
    const STAT: &str = "\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
0000000c  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010
0000000c  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010
";

    #[test]
    fn connections_are_shown() {
        let outcome = Tree::new(&[COUNT, MAX, ("proc/net/stat/nf_conntrack", STAT)]).run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples().replace("node_nf_conntrack_", ""),
            "entries 12\nentries_limit 65536\nstat_found 4\nstat_invalid 8\nstat_ignore 10\nstat_insert 16\n\
             stat_insert_failed 18\nstat_drop 20\nstat_early_drop 22\nstat_search_restart 32\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn kernels_without_statistics_and_without_conntrack() {
        let outcome = Tree::new(&[COUNT, MAX]).run(&ENTRY, &[]);
        assert_eq!(outcome.samples().lines().count(), 2);
        assert!(outcome.result.unwrap_err().is_no_data());
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert!(outcome.result.unwrap_err().is_no_data() && outcome.page.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_out_alone() {
        for count in [None, Some("x\n")] {
            let tree = Tree::new(&[MAX, ("proc/net/stat/nf_conntrack", STAT)]);
            count.iter().for_each(|text| tree.write(COUNT.0, text));
            let outcome = tree.run(&ENTRY, &[]);
            assert_eq!(outcome.samples().lines().count(), 1 + 8);
            assert_eq!(outcome.result.unwrap_err().is_no_data(), count.is_none());
        }
    }

    #[test]
    fn an_old_kernel_has_a_column_less() {
        let text = "heading\n1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n";
        let outcome = Tree::new(&[COUNT, MAX, ("proc/net/stat/nf_conntrack", text)]).run(&ENTRY, &[]);
        assert_eq!((outcome.samples().lines().count(), outcome.result), (2 + 7, Ok(())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[f \n]{0,200}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[COUNT, MAX]);
                tree.write("proc/net/stat/nf_conntrack", bytes);
                tree.run(&ENTRY, &[]).assert_sound();
                tree.write(COUNT.0, bytes);
                tree.run(&ENTRY, &[]).assert_sound();
            }
        }
    }
}
