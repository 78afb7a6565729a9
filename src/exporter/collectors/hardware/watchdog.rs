//! `watchdog`: what would reset the machine, and whether it did. Source: `/sys/class/watchdog`,
//! Documentation/ABI/testing/sysfs-class-watchdog, Documentation/watchdog/watchdog-api.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, lossy, signed};
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.watchdog",
        FlagKind::Switch,
        &["Watchdogs, and whether one reset the machine."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Watchdog),
};

struct Watchdog;

pub(super) const CLASS: &[u8] = b"class/watchdog/";

/// Numbers, and their families.
const NUMBERS: [(&str, &str, &str); 7] = [
    ("bootstatus", "node_watchdog_bootstatus", "Why the machine was reset, as bits WDIOF_*."),
    ("fw_version", "node_watchdog_fw_version", "Version of the watchdog's firmware."),
    ("nowayout", "node_watchdog_nowayout", "Whether the watchdog cannot be stopped."),
    ("timeleft", "node_watchdog_timeleft_seconds", "Time until the watchdog resets the machine, in seconds."),
    (
        "timeout",
        "node_watchdog_timeout_seconds",
        "Time without a sign of life that is tolerated, in seconds.",
    ),
    (
        "pretimeout",
        "node_watchdog_pretimeout_seconds",
        "How long before the reset the watchdog warns, in seconds; 0 if it does not.",
    ),
    (
        "access_cs0",
        "node_watchdog_access_cs0",
        "Whether the machine was started from the other flash memory.",
    ),
];

/// Labels of the information.
const TEXTS: [&str; 5] = ["options", "identity", "state", "status", "pretimeout_governor"];

/// The bits of `bootstatus` that say why the machine was reset: WDIOF_OVERHEAT, WDIOF_FANFAULT and so on.
pub(super) const REASONS: [(i64, &str); 7] = [
    (0x01, "overheat"),
    (0x02, "fan_fault"),
    (0x04, "extern1"),
    (0x08, "extern2"),
    (0x10, "power_under"),
    (0x20, "card_reset"),
    (0x40, "power_over"),
];

impl Source for Watchdog {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, rows, batch, other, .. } = scratch;
        machine.sysfs.told_list(CLASS, names)?;
        batch.clear();
        rows.clear();
        let files = || NUMBERS.iter().map(|(file, ..)| *file).chain(TEXTS);
        for name in names.iter() {
            for file in files() {
                batch.ask_attribute(&[CLASS, name, b"/", file.as_bytes()]);
            }
        }
        machine.patience.ask(batch, &|| page.is_expired());
        for (place, name) in names.iter().enumerate() {
            let mut spare = NO_TEXT;
            add(lossy(name, &mut spare), place * files().count(), batch, rows, other);
        }
        rows.write(page);
        Ok(())
    }
}

/// Adds what is known of one watchdog, whose first question is given.
fn add(name: &str, first: usize, batch: &Batch, rows: &mut Rows, buffer: &mut Bytes) {
    let labels = [("name", name)];
    for (place, (file, family, help)) in NUMBERS.iter().enumerate() {
        let Some(number) = batch.text(first + place).and_then(signed) else { continue };
        rows.add(Kind::Gauge, &[family], help, &labels, number);
        if *file == "bootstatus" && number >= 0 {
            for (bit, reason) in REASONS {
                let labels = [labels[0], ("reason", reason)];
                let help = "Why the machine was reset, as far as the watchdog knows: 1 for what holds.";
                rows.add(Kind::Gauge, &["node_watchdog_boot_reason"], help, &labels, number & bit != 0);
            }
        }
    }
    buffer.clear();
    let mut ends = [0; TEXTS.len()];
    for (place, end) in ends.iter_mut().enumerate() {
        let text = batch.text(first + NUMBERS.len() + place).unwrap_or_default();
        buffer.extend_from_slice(lossy(text, &mut NO_TEXT.clone()).as_bytes());
        *end = buffer.len();
    }
    let mut labels = [("name", name); TEXTS.len() + 1];
    let mut count = 1;
    let mut begin = 0;
    for (name, end) in TEXTS.iter().zip(ends) {
        let text =
            buffer.get(begin..end).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default();
        begin = end;
        // For Prometheus an empty label is none.
        if let Some(label) = labels.get_mut(count).filter(|_| !text.is_empty()) {
            *label = (name, text);
            count += 1;
        }
    }
    let labels = labels.get(..count).unwrap_or_default();
    rows.add(Kind::Gauge, &["node_watchdog_info"], "What a watchdog is, and its state.", labels, 1_u64);
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn a_watchdog_that_has_bitten_is_shown() {
        let tree = Tree::new(&[]);
        for (file, text) in [
            ("bootstatus", "32\n"),
            ("nowayout", "0\n"),
            ("timeleft", "300\n"),
            ("timeout", "60\n"),
            ("pretimeout", "120\n"),
            ("pretimeout_governor", "noop\n"),
            ("fw_version", "2\n"),
            ("access_cs0", "0\n"),
            ("identity", "Broadcom BCM2835 Watchdog timer\n"),
            ("options", "0x8180\n"),
            ("state", "active\n"),
            ("status", "0x8000\n"),
            ("uevent", "\n"),
        ] {
            tree.write(&format!("sys/class/watchdog/watchdog0/{file}"), text);
        }
        tree.write("sys/class/watchdog/watchdog1/identity", "Other\n");
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_watchdog_access_cs0{name=\"watchdog0\"} 0\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"overheat\"} 0\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"fan_fault\"} 0\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"extern1\"} 0\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"extern2\"} 0\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"power_under\"} 0\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"card_reset\"} 1\n\
             node_watchdog_boot_reason{name=\"watchdog0\",reason=\"power_over\"} 0\n\
             node_watchdog_bootstatus{name=\"watchdog0\"} 32\n\
             node_watchdog_fw_version{name=\"watchdog0\"} 2\n\
             node_watchdog_info{name=\"watchdog0\",options=\"0x8180\",\
             identity=\"Broadcom BCM2835 Watchdog timer\",state=\"active\",status=\"0x8000\",\
             pretimeout_governor=\"noop\"} 1\n\
             node_watchdog_info{name=\"watchdog1\",identity=\"Other\"} 1\n\
             node_watchdog_nowayout{name=\"watchdog0\"} 0\n\
             node_watchdog_pretimeout_seconds{name=\"watchdog0\"} 120\n\
             node_watchdog_timeleft_seconds{name=\"watchdog0\"} 300\n\
             node_watchdog_timeout_seconds{name=\"watchdog0\"} 60\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn a_watchdog_that_says_little_is_shown_all_the_same() {
        let tree = Tree::new(&[
            ("sys/class/watchdog/watchdog0/bootstatus", "-1\n"),
            ("sys/class/watchdog/watchdog0/timeout", "soon\n"),
            ("sys/class/watchdog/watchdog0/timeleft/below", "\n"),
        ]);
        assert_eq!(
            tree.run(&ENTRY, &[]).samples(),
            "node_watchdog_bootstatus{name=\"watchdog0\"} -1\nnode_watchdog_info{name=\"watchdog0\"} 1\n"
        );
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(files in proptest::collection::vec(
            ("watchdog[01]", 0..NUMBERS.len() + TEXTS.len(), any::<Vec<u8>>()), 0..12
        )) {
            let tree = Tree::new(&[]);
            for (name, file, bytes) in files {
                let file = NUMBERS.get(file).map_or_else(|| TEXTS[file - NUMBERS.len()], |number| number.0);
                tree.write(&format!("sys/class/watchdog/{name}/{file}"), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
