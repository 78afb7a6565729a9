//! `mmc`: SD cards and eMMC chips, and how worn they are. Source: `/sys/bus/mmc/devices`, kernel
//! Documentation/driver-api/mmc/mmc-dev-attrs.rst; the meaning of the numbers: JEDEC JESD84-B51, EXT_CSD bytes 267 to 269.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, any_base, fields, lossy};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.mmc",
        FlagKind::Switch,
        &["SD cards and eMMC chips, and how worn they are."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Mmc),
};

struct Mmc;

/// All cards and chips, without the functions of SDIO cards.
const CARDS: &[u8] = b"bus/mmc/devices";

/// So many are shown.
const MOST: usize = 64;

/// What identifies a card, in the order of the labels.
const IDENTITY: [&str; 8] = ["type", "name", "manfid", "oemid", "date", "serial", "hwrev", "fwrev"];

/// What is asked of each: its identity, then its wear.
const QUESTIONS: usize = IDENTITY.len() + 2;

impl Source for Mmc {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names, rows, batch, .. } = scratch;
        machine.sysfs.told_list(CARDS, names)?;
        if names.is_empty() {
            return Err(Problem::NoData("no card"));
        }
        batch.clear();
        for card in names.iter().take(MOST) {
            for file in IDENTITY.iter().chain(&["life_time", "pre_eol_info"]) {
                batch.ask_attribute(&[CARDS, b"/", card, b"/", file.as_bytes()]);
            }
        }
        machine.patience.ask(batch, &|| page.is_expired());
        rows.clear();
        for (number, card) in names.iter().take(MOST).enumerate() {
            let mut spares = [NO_TEXT; 2];
            let [first, second] = &mut spares;
            // The name that other metrics know it by; a card with functions other than storage has none.
            let blocks = machine.sysfs.list(pieces(&[CARDS, b"/", card, b"/block"]), more_names);
            let device = blocks.ok().and_then(|()| more_names.get(0)).unwrap_or_default();
            let labels = [("card", lossy(card, first)), ("device", lossy(device, second))];
            show(batch, number * QUESTIONS, labels, rows);
        }
        rows.write(page);
        Ok(())
    }
}

fn show(batch: &Batch, first: usize, labels: [(&str, &str); 2], rows: &mut Rows) {
    let [card, device] = labels;
    let mut spares = [NO_TEXT; IDENTITY.len()];
    let mut info = [card; IDENTITY.len() + 2];
    for ((place, spare), (at, name)) in
        info.iter_mut().skip(2).zip(&mut spares).zip(IDENTITY.into_iter().enumerate())
    {
        *place = (name, lossy(batch.text(first + at).unwrap_or_default(), spare));
    }
    if let Some(place) = info.get_mut(1) {
        *place = device;
    }
    rows.add(Kind::Gauge, &["node_mmc_info"], "Which card or chip a device is.", &info, 1_u64);
    let life = batch.text(first + IDENTITY.len()).unwrap_or_default();
    for (kind, step) in ["A", "B"].into_iter().zip(fields(life)) {
        if let Some(used) = any_base(step).and_then(used) {
            let labels = [card, device, ("type", kind)];
            let help = "How much of the life of memory of type A or B is used, in steps of a tenth, rounded up; 1.1 \
                        if it has outlived what its maker promises.";
            rows.add(Kind::Gauge, &["node_mmc_life_time_used_ratio"], help, &labels, used);
        }
    }
    let end = batch.text(first + IDENTITY.len() + 1).and_then(any_base);
    let states = [("normal", 1), ("warning", 2), ("urgent", 3)];
    if let Some(end) = end.filter(|end| states.iter().any(|(_, number)| number == end)) {
        let help =
            "How many of the spare blocks are used, 1 for the state: warning from 80 %, urgent from 90 %.";
        for (state, number) in states {
            let labels = [card, device, ("state", state)];
            rows.add(Kind::Gauge, &["node_mmc_pre_eol_state"], help, &labels, u64::from(end == number));
        }
    }
}

/// `DEVICE_LIFE_TIME_EST_TYP`: 1 for up to 10 % used, 10 for up to 100 %, 11 for more; everything else says nothing.
fn used(step: i64) -> Option<f64> {
    (1..=11).contains(&step).then_some(step as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::collectors::storage::tests::{bytes, check};
    use crate::exporter::engine::testing::Tree;

    fn samples(files: &[(&str, &str)]) -> std::string::String {
        let outcome = Tree::new(files).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        check(&outcome);
        outcome.samples()
    }

    #[test]
    fn a_worn_chip_is_told() {
        let samples = samples(&[
            ("sys/bus/mmc/devices/mmc1:0001/type", "MMC\n"),
            ("sys/bus/mmc/devices/mmc1:0001/name", "8GTF4R\n"),
            ("sys/bus/mmc/devices/mmc1:0001/manfid", "0x000015\n"),
            ("sys/bus/mmc/devices/mmc1:0001/oemid", "0x0100\n"),
            ("sys/bus/mmc/devices/mmc1:0001/date", "08/2020\n"),
            ("sys/bus/mmc/devices/mmc1:0001/serial", "0xd2f0c2a1\n"),
            ("sys/bus/mmc/devices/mmc1:0001/hwrev", "0x0\n"),
            ("sys/bus/mmc/devices/mmc1:0001/fwrev", "0x0600000000000000\n"),
            ("sys/bus/mmc/devices/mmc1:0001/life_time", "0x01 0x0b\n"),
            ("sys/bus/mmc/devices/mmc1:0001/pre_eol_info", "0x02\n"),
            ("sys/bus/mmc/devices/mmc1:0001/block/mmcblk1/size", "1\n"),
            ("sys/bus/mmc/devices/mmc0:aaaa/type", "SD\n"),
        ]);
        assert_eq!(
            samples,
            "\
node_mmc_info{card=\"mmc0:aaaa\",device=\"\",type=\"SD\",name=\"\",manfid=\"\",oemid=\"\",date=\"\",serial=\"\",hwrev=\"\",fwrev=\"\"} 1
node_mmc_info{card=\"mmc1:0001\",device=\"mmcblk1\",type=\"MMC\",name=\"8GTF4R\",manfid=\"0x000015\",oemid=\"0x0100\",date=\"08/2020\",serial=\"0xd2f0c2a1\",hwrev=\"0x0\",fwrev=\"0x0600000000000000\"} 1
node_mmc_life_time_used_ratio{card=\"mmc1:0001\",device=\"mmcblk1\",type=\"A\"} 0.1
node_mmc_life_time_used_ratio{card=\"mmc1:0001\",device=\"mmcblk1\",type=\"B\"} 1.1
node_mmc_pre_eol_state{card=\"mmc1:0001\",device=\"mmcblk1\",state=\"normal\"} 0
node_mmc_pre_eol_state{card=\"mmc1:0001\",device=\"mmcblk1\",state=\"warning\"} 1
node_mmc_pre_eol_state{card=\"mmc1:0001\",device=\"mmcblk1\",state=\"urgent\"} 0
"
        );
    }

    #[test]
    fn what_is_not_defined_is_left_out() {
        for (life, end) in [("0x00 0x00", "0x00"), ("0x0c", "0x04"), ("", ""), ("x y", "x")] {
            let samples = samples(&[
                ("sys/bus/mmc/devices/mmc0:0001/life_time", life),
                ("sys/bus/mmc/devices/mmc0:0001/pre_eol_info", end),
            ]);
            assert_eq!(samples.lines().count(), 1, "{samples}");
        }
        let steps = (0..=12).map(used);
        assert!(steps.flatten().eq([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]));
    }

    #[test]
    fn no_card_is_no_data() {
        let tree = Tree::new(&[]);
        assert!(tree.run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        std::fs::create_dir_all(tree.path("sys/bus/mmc/devices")).unwrap();
        assert!(tree.run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #[test]
        fn any_attribute_is_survived(name in bytes(b"8GTF4R\n"), life in bytes(b"0x01 0x0b\n"), end in bytes(b"0x02\n")) {
            let tree = Tree::new(&[]);
            for (file, bytes) in [("name", name), ("life_time", life), ("pre_eol_info", end)] {
                tree.write(&std::format!("sys/bus/mmc/devices/mmc0:0001/{file}"), bytes);
            }
            check(&tree.run(&ENTRY, &[]));
        }
    }
}
