//! `mtd`: flash memory chips and their partitions. Source: `/sys/class/mtd`, kernel
//! Documentation/ABI/testing/sysfs-class-mtd.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, lossy, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.mtd", FlagKind::Switch, &["Flash memory chips and their bad blocks."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Mtd),
};

struct Mtd;

const CLASS: &[u8] = b"class/mtd";

/// So many devices are shown.
const MOST: usize = 256;

/// Attributes that are numbers, with their families.
const NUMBERS: [(&str, Kind, &str, &str); 7] = [
    ("size", Kind::Gauge, "node_mtd_size_bytes", "The size, in bytes."),
    ("erasesize", Kind::Gauge, "node_mtd_eraseblock_size_bytes", "What is erased in one piece, in bytes."),
    ("writesize", Kind::Gauge, "node_mtd_write_size_bytes", "What is written in one piece, in bytes."),
    (
        "corrected_bits",
        Kind::Counter,
        "node_mtd_corrected_bits_total",
        "Bits that were read wrong and corrected.",
    ),
    (
        "ecc_failures",
        Kind::Counter,
        "node_mtd_ecc_failures_total",
        "Reads with more wrong bits than could be corrected.",
    ),
    ("bad_blocks", Kind::Gauge, "node_mtd_bad_eraseblocks", "Eraseblocks that are marked bad."),
    ("bbt_blocks", Kind::Gauge, "node_mtd_bbt_eraseblocks", "Eraseblocks that hold the table of bad ones."),
];

impl Source for Mtd {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, rows, .. } = scratch;
        machine.sysfs.told_list(CLASS, names)?;
        rows.clear();
        let mut shown = 0;
        for device in names.iter().filter(|name| is_device(name)).take(MOST) {
            let mut texts = [[0; ATTRIBUTE]; 2];
            let mut spares = [NO_TEXT; 2];
            let ([name, kind], [first, second]) = (&mut texts, &mut spares);
            let path = |file: &'static str| [CLASS, b"/", device, b"/", file.as_bytes()];
            let Ok(device) = core::str::from_utf8(device) else { continue };
            let name = machine.sysfs.attribute(pieces(&path("name")), name).unwrap_or_default();
            let kind = machine.sysfs.attribute(pieces(&path("type")), kind).unwrap_or_default();
            let labels = [("device", device), ("name", lossy(name, first)), ("type", lossy(kind, second))];
            rows.add(Kind::Gauge, &["node_mtd_info"], "What a flash memory device is.", &labels, 1_u64);
            for (file, kind, name, help) in NUMBERS {
                if let Some(value) = machine.sysfs.number(pieces(&path(file))) {
                    rows.add(kind, &[name], help, &[("device", device)], value);
                }
            }
            shown += 1;
        }
        rows.write(page);
        if shown == 0 { Err(Problem::NoData("no flash memory")) } else { Ok(()) }
    }
}

/// Each device has a twin for reading only, `mtd0ro`, which tells nothing new.
fn is_device(name: &[u8]) -> bool {
    name.strip_prefix(b"mtd").is_some_and(|number| unsigned(number).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::collectors::storage::tests::{bytes, check};
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn chips_are_shown_without_their_twins() {
        let outcome = Tree::new(&[
            ("sys/class/mtd/mtd0/name", "u-boot\n"),
            ("sys/class/mtd/mtd0/type", "nor\n"),
            ("sys/class/mtd/mtd0/size", "262144\n"),
            ("sys/class/mtd/mtd0/erasesize", "65536\n"),
            ("sys/class/mtd/mtd0ro/name", "u-boot\n"),
            ("sys/class/mtd/mtd10/name", "ubi\n"),
            ("sys/class/mtd/mtd10/type", "nand\n"),
            ("sys/class/mtd/mtd10/size", "8589934592\n"),
            ("sys/class/mtd/mtd10/writesize", "2048\n"),
            ("sys/class/mtd/mtd10/corrected_bits", "4\n"),
            ("sys/class/mtd/mtd10/ecc_failures", "0\n"),
            ("sys/class/mtd/mtd10/bad_blocks", "2\n"),
            ("sys/class/mtd/mtd10/bbt_blocks", "x\n"),
        ])
        .run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "\
node_mtd_bad_eraseblocks{device=\"mtd10\"} 2
node_mtd_corrected_bits_total{device=\"mtd10\"} 4
node_mtd_ecc_failures_total{device=\"mtd10\"} 0
node_mtd_eraseblock_size_bytes{device=\"mtd0\"} 65536
node_mtd_info{device=\"mtd0\",name=\"u-boot\",type=\"nor\"} 1
node_mtd_info{device=\"mtd10\",name=\"ubi\",type=\"nand\"} 1
node_mtd_size_bytes{device=\"mtd0\"} 262144
node_mtd_size_bytes{device=\"mtd10\"} 8589934592
node_mtd_write_size_bytes{device=\"mtd10\"} 2048
"
        );
    }

    #[test]
    fn no_chip_is_no_data() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        assert!(Tree::new(&[("sys/class/mtd/x", "")]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #[test]
        fn any_attribute_is_survived(name in bytes(b"u-boot\n"), size in bytes(b"4096\n")) {
            let tree = Tree::new(&[]);
            tree.write("sys/class/mtd/mtd0/name", name);
            tree.write("sys/class/mtd/mtd0/size", size);
            check(&tree.run(&ENTRY, &[]));
        }
    }
}
