//! `dmi`: what the firmware says the machine is. Source: `/sys/class/dmi/id`, the kernel's
//! drivers/firmware/dmi-id.c.
//!
//! It does not change while the machine runs, so it is read at the first scrape only.

use std::boxed::Box;
use std::string::String;
use std::sync::OnceLock;
use std::vec::Vec;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, lossy};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::MOST_LABELS;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.dmi", FlagKind::Switch, &["What the firmware of a PC says the machine is."]),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Dmi::default()))),
};

#[derive(Default)]
struct Dmi {
    labels: OnceLock<Vec<(&'static str, String)>>,
}

const DIRECTORY: &str = "class/dmi/id";

/// Labels. The files are called the same, but for the last.
const LABELS: [&str; MOST_LABELS] = [
    "bios_date",
    "bios_release",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_serial",
    "product_sku",
    "product_uuid",
    "product_version",
    "system_vendor",
];

impl Source for Dmi {
    fn collect(&self, machine: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let labels = match self.labels.get() {
            Some(labels) => labels,
            None => {
                let labels = read(machine)?;
                self.labels.get_or_init(|| labels)
            }
        };
        let mut shown = [("", ""); LABELS.len()];
        for ((name, value), place) in labels.iter().zip(&mut shown) {
            *place = (name, value);
        }
        let shown = shown.get(..labels.len()).unwrap_or_default();
        page.family(Kind::Gauge, "node_dmi_info", "What the firmware says the machine is.")
            .sample(shown, 1_u64);
        Ok(())
    }
}

/// What can be read; serial numbers are for root only.
fn read(machine: &Machine) -> Result<Vec<(&'static str, String)>, Problem> {
    let directory =
        machine.sysfs.below_from_boot(DIRECTORY).map_err(|errno| Problem::unreadable(DIRECTORY, errno))?;
    let mut text = [0; ATTRIBUTE];
    let mut labels = Vec::new();
    for label in LABELS {
        let file = if label == "system_vendor" { "sys_vendor" } else { label };
        if let Ok(text) = directory.attribute(file, &mut text) {
            if !text.is_empty() {
                labels.push((label, String::from(lossy(text, &mut { NO_TEXT }))));
            }
        }
    }
    if labels.is_empty() {
        Err(Problem::NoData("the firmware does not say what the machine is"))
    } else {
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::choices::Choices;
    use crate::exporter::engine::testing::{Tree, run};

    #[test]
    fn a_machine_is_described() {
        let tree = Tree::new(&[
            ("sys/class/dmi/id/bios_vendor", "Dell Inc.\n"),
            ("sys/class/dmi/id/product_name", "PowerEdge R6515 \"x\"\n"),
            ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"),
            ("sys/class/dmi/id/board_asset_tag", " \n"),
            ("sys/class/dmi/id/chassis_type", "23\n"),
            ("sys/class/dmi/id/modalias", "dmi:x\n"),
            ("sys/class/dmi/id/product_uuid/below", "x"),
        ]);
        tree.write("sys/class/dmi/id/board_name", b"a\xff\xfeb\n");
        let expected = "node_dmi_info{bios_vendor=\"Dell Inc.\",board_name=\"a\u{fffd}b\",\
                        product_name=\"PowerEdge R6515 \\\"x\\\"\",system_vendor=\"Dell Inc.\"} 1\n";
        let source = ENTRY.source(&Choices::default()).unwrap();
        let machine = tree.machine();
        assert_eq!(run(source, &machine).samples(), expected);
        // It is not read again.
        tree.write("sys/class/dmi/id/bios_vendor", "Other\n");
        assert_eq!(run(source, &machine).samples(), expected);
    }

    #[test]
    fn most_boards_have_no_such_firmware() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let tree = Tree::new(&[("sys/class/dmi/id/modalias", "dmi:\n")]);
        assert!(tree.run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(files in proptest::collection::vec((0..LABELS.len(), any::<Vec<u8>>()), 0..6)) {
            let tree = Tree::new(&[]);
            for (label, bytes) in files {
                tree.write(&format!("sys/class/dmi/id/{}", LABELS[label]), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
