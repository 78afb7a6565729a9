//! `swap`: where the system swaps to. Source: `/proc/swaps`, proc_swaps(5).

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, fields, lines, lossy, signed};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.swap", FlagKind::Switch, &["Where the system swaps to."]),
    default: false,
    flags: &[],
    build: Build::Ready(&Swap),
};

struct Swap;

const FILE: &str = "swaps";

impl Source for Swap {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, seen, .. } = scratch;
        let text = machine.procfs.held_whole(FILE, file)?;
        for (column, factor, name, help) in [
            (0, 1024, "node_swap_size_bytes", "The size of a swap area, in bytes."),
            (1, 1024, "node_swap_used_bytes", "How much of a swap area is used, in bytes."),
            (2, 1, "node_swap_priority", "The priority of a swap area: the highest is used first."),
        ] {
            seen.clear();
            let mut family = page.family(Kind::Gauge, name, help);
            // The first line is a header.
            for swap in lines(text).skip(1).filter_map(Area::parse) {
                let (mut spare, mut other) = (NO_TEXT, NO_TEXT);
                let (device, kind) = (lossy(swap.device, &mut spare), lossy(swap.kind, &mut other));
                if seen.is_new(device.as_bytes()) {
                    let value = swap.numbers.get(column).map_or(0, |number| number.saturating_mul(factor));
                    family.sample(&[("device", device), ("swap_type", kind)], value);
                }
            }
        }
        Ok(())
    }
}

struct Area<'a> {
    device: &'a [u8],
    kind: &'a [u8],
    /// Size and use in KiB, priority.
    numbers: [i64; 3],
}

impl<'a> Area<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = fields(line);
        let (device, kind) = (fields.next()?, fields.next()?);
        let mut number = || fields.next().and_then(signed);
        Some(Area { device, kind, numbers: [number()?, number()?, number()?] })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str) -> Outcome {
        let outcome = Tree::new(&[("proc/swaps", text)]).run(&ENTRY, &[]);
        outcome.assert_sound();
        outcome
    }

    const HEADER: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn areas() {
        let areas = "/dev/zram0                              partition\t131068176\t176\t-2\n/a\\040b file 10 x 1\n\
            /swap file 8388604 0 100\n/swap file 1 1 1\n";
        let outcome = read(&std::format!("{HEADER}{areas}"));
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_swap_size_bytes{device=\"/dev/zram0\",swap_type=\"partition\"} 134213812224\n\
             node_swap_size_bytes{device=\"/swap\",swap_type=\"file\"} 8589930496\n\
             node_swap_used_bytes{device=\"/dev/zram0\",swap_type=\"partition\"} 180224\n\
             node_swap_used_bytes{device=\"/swap\",swap_type=\"file\"} 0\n\
             node_swap_priority{device=\"/dev/zram0\",swap_type=\"partition\"} -2\n\
             node_swap_priority{device=\"/swap\",swap_type=\"file\"} 100\n"
        );
    }

    #[test]
    fn no_area_is_no_problem_but_no_swapping_is_no_data() {
        assert_eq!((read(HEADER).result, read(HEADER).page.as_str()), (Ok(()), ""));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "x\n([ab] f [0-9]{1,20} -?[0-9] [0-9]\n){0,4}") {
            read(&text);
            let tree = Tree::new(&[]);
            tree.write("proc/swaps", [b"x\n", &bytes[..]].concat());
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
