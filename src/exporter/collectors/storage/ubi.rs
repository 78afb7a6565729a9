//! `ubi`: wear of raw flash memory under UBI, and its volumes. Source: `/sys/class/ubi`, kernel
//! Documentation/ABI/stable/sysfs-class-ubi.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, lossy, split_once, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.ubi", FlagKind::Switch, &["Wear of raw flash memory, and its volumes."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Ubi),
};

struct Ubi;

const CLASS: &[u8] = b"class/ubi";

/// So many devices and volumes are shown: UBI has no more than 32 devices of 128 volumes.
const MOST: usize = 32 * 129;

/// Attributes of a device that are numbers: file, family, help.
const DEVICE: [(&str, &str, &str); 10] = [
    ("avail_eraseblocks", "node_ubi_available_eraseblocks", "Eraseblocks that no volume has."),
    ("bad_peb_count", "node_ubi_bad_eraseblocks", "Eraseblocks that are bad."),
    ("eraseblock_size", "node_ubi_eraseblock_size_bytes", "The size of a logical eraseblock, in bytes."),
    ("max_ec", "node_ubi_max_erase_cycles", "How often the most worn eraseblock has been erased."),
    ("max_vol_count", "node_ubi_max_volumes", "How many volumes there can be."),
    ("min_io_size", "node_ubi_min_io_size_bytes", "What is read or written at least, in bytes."),
    (
        "reserved_for_bad",
        "node_ubi_reserved_for_bad_eraseblocks",
        "Eraseblocks kept to replace those that go bad.",
    ),
    ("ro_mode", "node_ubi_read_only", "Whether UBI has gone read-only after an error."),
    ("total_eraseblocks", "node_ubi_eraseblocks", "Eraseblocks that are good."),
    ("volumes_count", "node_ubi_volumes", "How many volumes there are."),
];

/// The same of a volume.
const VOLUME: [(&str, &str, &str); 5] = [
    ("corrupted", "node_ubi_volume_corrupted", "Whether the content of a static volume is damaged."),
    ("data_bytes", "node_ubi_volume_data_bytes", "Bytes of data; of a dynamic volume its size."),
    ("reserved_ebs", "node_ubi_volume_reserved_eraseblocks", "Eraseblocks of the volume."),
    ("upd_marker", "node_ubi_volume_update_marker", "Whether an update of the volume has not been finished."),
    (
        "usable_eb_size",
        "node_ubi_volume_usable_eraseblock_size_bytes",
        "Bytes of each eraseblock that hold data.",
    ),
];

impl Source for Ubi {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, rows, .. } = scratch;
        machine.sysfs.told_list(CLASS, names)?;
        rows.clear();
        for entry in names.iter().take(MOST) {
            match parse(entry) {
                Some((device, None)) => show_device(machine, device, rows),
                Some((device, Some(volume))) => show_volume(machine, entry, [device, volume], rows),
                None => {}
            }
        }
        if rows.is_empty() {
            return Err(Problem::NoData("no UBI device"));
        }
        rows.write(page);
        Ok(())
    }
}

/// `ubi0` is a device, `ubi0_1` its volume 1.
fn parse(entry: &[u8]) -> Option<(&str, Option<&str>)> {
    let number = |text: &[u8]| unsigned(text).is_some();
    let (device, volume) = match split_once(entry, b'_') {
        Some((device, volume)) => (device, Some(volume).filter(|volume| number(volume))?),
        None => {
            return entry
                .strip_prefix(b"ubi")
                .filter(|text| number(text))
                .and_then(|_| Some((core::str::from_utf8(entry).ok()?, None)));
        }
    };
    device.strip_prefix(b"ubi").filter(|text| number(text))?;
    Some((core::str::from_utf8(device).ok()?, core::str::from_utf8(volume).ok()))
}

fn pieces_of<'a>(entry: &'a [u8], file: &'a str) -> [&'a [u8]; 5] {
    [CLASS, b"/", entry, b"/", file.as_bytes()]
}

fn show_device(machine: &Machine, device: &str, rows: &mut Rows) {
    let mut text = [0; ATTRIBUTE];
    let mut spare = NO_TEXT;
    let mtd = pieces_of(device.as_bytes(), "mtd_num");
    let mtd = machine.sysfs.attribute(pieces(&mtd), &mut text).unwrap_or_default();
    let labels = [("device", device), ("mtd_num", lossy(mtd, &mut spare))];
    rows.add(
        Kind::Gauge,
        &["node_ubi_info"],
        "The flash memory below a UBI device: mtd_num 3 is mtd3.",
        &labels,
        1_u64,
    );
    for (file, name, help) in DEVICE {
        if let Some(value) = machine.sysfs.number(pieces(&pieces_of(device.as_bytes(), file))) {
            rows.add(Kind::Gauge, &[name], help, &[("device", device)], value);
        }
    }
}

fn show_volume(machine: &Machine, entry: &[u8], [device, volume]: [&str; 2], rows: &mut Rows) {
    let mut texts = [[0; ATTRIBUTE]; 2];
    let mut spares = [NO_TEXT; 2];
    let ([name, kind], [first, second]) = (&mut texts, &mut spares);
    let name =
        lossy(machine.sysfs.attribute(pieces(&pieces_of(entry, "name")), name).unwrap_or_default(), first);
    let kind =
        lossy(machine.sysfs.attribute(pieces(&pieces_of(entry, "type")), kind).unwrap_or_default(), second);
    let labels = [("device", device), ("name", name), ("volume", volume)];
    let [device, name, volume] = labels;
    let help = "What a volume is: dynamic, or static, which is written once.";
    rows.add(Kind::Gauge, &["node_ubi_volume_info"], help, &[device, name, ("type", kind), volume], 1_u64);
    for (file, name, help) in VOLUME {
        if let Some(value) = machine.sysfs.number(pieces(&pieces_of(entry, file))) {
            rows.add(Kind::Gauge, &[name], help, &labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::collectors::storage::tests::{bytes, check};
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn devices_and_volumes_are_shown() {
        let outcome = Tree::new(&[
            ("sys/class/ubi/version", "1\n"),
            ("sys/class/ubi/ubi0/mtd_num", "5\n"),
            ("sys/class/ubi/ubi0/total_eraseblocks", "1000\n"),
            ("sys/class/ubi/ubi0/avail_eraseblocks", "0\n"),
            ("sys/class/ubi/ubi0/bad_peb_count", "3\n"),
            ("sys/class/ubi/ubi0/max_ec", "77\n"),
            ("sys/class/ubi/ubi0/min_io_size", "2048\n"),
            ("sys/class/ubi/ubi0/ro_mode", "0\n"),
            ("sys/class/ubi/ubi0/reserved_for_bad", "x\n"),
            ("sys/class/ubi/ubi0_1/name", "rootfs_data\n"),
            ("sys/class/ubi/ubi0_1/type", "dynamic\n"),
            ("sys/class/ubi/ubi0_1/data_bytes", "104857600\n"),
            ("sys/class/ubi/ubi0_1/reserved_ebs", "800\n"),
            ("sys/class/ubi/ubi0_1/upd_marker", "1\n"),
        ])
        .run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "\
node_ubi_available_eraseblocks{device=\"ubi0\"} 0
node_ubi_bad_eraseblocks{device=\"ubi0\"} 3
node_ubi_eraseblocks{device=\"ubi0\"} 1000
node_ubi_info{device=\"ubi0\",mtd_num=\"5\"} 1
node_ubi_max_erase_cycles{device=\"ubi0\"} 77
node_ubi_min_io_size_bytes{device=\"ubi0\"} 2048
node_ubi_read_only{device=\"ubi0\"} 0
node_ubi_volume_data_bytes{device=\"ubi0\",name=\"rootfs_data\",volume=\"1\"} 104857600
node_ubi_volume_info{device=\"ubi0\",name=\"rootfs_data\",type=\"dynamic\",volume=\"1\"} 1
node_ubi_volume_reserved_eraseblocks{device=\"ubi0\",name=\"rootfs_data\",volume=\"1\"} 800
node_ubi_volume_update_marker{device=\"ubi0\",name=\"rootfs_data\",volume=\"1\"} 1
"
        );
    }

    #[test]
    fn other_entries_are_none() {
        for name in ["version", "ubi", "ubi_1", "ubi0_", "ubi0_x", "xubi0", "ubi0_1_2"] {
            assert_eq!(parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(parse(b"ubi12"), Some(("ubi12", None)));
        assert_eq!(parse(b"ubi0_12"), Some(("ubi0", Some("12"))));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        assert!(
            Tree::new(&[("sys/class/ubi/version", "1")]).run(&ENTRY, &[]).result.unwrap_err().is_no_data()
        );
    }

    proptest! {
        #[test]
        fn any_attribute_is_survived(name in bytes(b"rootfs\n"), count in bytes(b"77\n")) {
            let tree = Tree::new(&[]);
            tree.write("sys/class/ubi/ubi0/max_ec", count);
            tree.write("sys/class/ubi/ubi0_0/name", name);
            check(&tree.run(&ENTRY, &[]));
        }
    }
}
