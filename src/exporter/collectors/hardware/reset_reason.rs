//! `reset_reason`: why the machine was started last. Sources, of which a board has one at most as a rule:
//!
//! - `power_on_reason` of a platform device, Documentation/ABI/testing/sysfs-platform-power-on-reason (Microchip AT91
//!   and whoever else follows it);
//! - `reset_reason` of the power management controller of NVIDIA Tegra, drivers/soc/tegra/pmc.c;
//! - `bootstatus` of a watchdog, Documentation/ABI/testing/sysfs-class-watchdog.
//!
//! A reason does not change while the machine runs, and to find it every platform device is looked at. So only the
//! first scrapes look, until drivers that are loaded late have come.

use std::boxed::Box;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watchdog;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, lossy, signed};
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.reset_reason", FlagKind::Switch, &["Why the machine was started last."]),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(ResetReason::default()))),
};

#[derive(Default)]
struct ResetReason {
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// How often it has been looked for.
    looks: u32,
    /// Source, device and reason in turn.
    texts: Names,
}

/// So many scrapes look. At one a minute the last drivers have a quarter of an hour.
const LOOKS: u32 = 16;

/// All devices of the platform, as links in one directory.
const PLATFORM: &[u8] = b"bus/platform/devices/";

/// So many of them are looked at. A large chip has some hundreds.
const MOST_DEVICES: usize = 4096;

/// Attributes that hold a reason in words.
const IN_WORDS: [&str; 2] = ["power_on_reason", "reset_reason"];

/// The one that holds it in bits.
const IN_BITS: &[u8] = b"/bootstatus";

impl Source for ResetReason {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        if self.lock().looks < LOOKS {
            self.look(machine, scratch, page);
        }
        // Nobody waits for the lock while a page is sent.
        let texts = &mut scratch.names;
        texts.clear();
        self.lock().texts.iter().for_each(|text| texts.push(text));
        if texts.is_empty() {
            return Err(Problem::NoData("the kernel does not say why the machine was started"));
        }
        let help = "Why the machine was started last, and who says so.";
        let mut family = page.family(Kind::Gauge, "node_reset_reason_info", help);
        for at in (0..texts.len()).step_by(3) {
            let text = |offset: usize| texts.get(at + offset).unwrap_or_default();
            let mut spares = [NO_TEXT; 3];
            let [a, b, c] = &mut spares;
            let labels =
                [("source", lossy(text(0), a)), ("device", lossy(text(1), b)), ("reason", lossy(text(2), c))];
            family.sample(&labels, 1_u64);
        }
        Ok(())
    }
}

impl ResetReason {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, machine: &Machine, scratch: &mut Scratch, page: &Page<'_>) {
        let Scratch { names: devices, more_names: watchdogs, batch, .. } = scratch;
        batch.clear();
        if machine.sysfs.list(PLATFORM, devices).is_err() {
            devices.clear();
        }
        if machine.sysfs.list(watchdog::CLASS, watchdogs).is_err() {
            watchdogs.clear();
        }
        for device in devices.iter().take(MOST_DEVICES) {
            for attribute in IN_WORDS {
                batch.ask_attribute(&[PLATFORM, device, b"/", attribute.as_bytes()]);
            }
        }
        let first = devices.len().min(MOST_DEVICES) * IN_WORDS.len();
        for name in watchdogs.iter() {
            batch.ask_attribute(&[watchdog::CLASS, name, IN_BITS]);
        }
        machine.patience.ask(batch, &|| page.is_expired());
        let mut found = self.lock();
        found.looks = found.looks.saturating_add(1);
        found.texts.clear();
        found.keep_words(devices, batch);
        found.keep_bits(watchdogs, first, batch);
    }
}

impl Found {
    fn keep_words(&mut self, devices: &Names, batch: &Batch) {
        for (place, device) in devices.iter().take(MOST_DEVICES).enumerate() {
            for (attribute, source) in IN_WORDS.iter().enumerate() {
                let text = batch.text(place * IN_WORDS.len() + attribute).unwrap_or_default();
                if !text.is_empty() {
                    self.keep([source.as_bytes(), device, text]);
                }
            }
        }
    }

    fn keep_bits(&mut self, watchdogs: &Names, first: usize, batch: &Batch) {
        for (place, name) in watchdogs.iter().enumerate() {
            let bits = batch.text(first + place).and_then(signed).filter(|bits| *bits > 0).unwrap_or(0);
            for (bit, reason) in watchdog::REASONS {
                if bits & bit != 0 {
                    self.keep([b"watchdog", name, reason.as_bytes()]);
                }
            }
        }
    }

    fn keep(&mut self, texts: [&[u8]; 3]) {
        texts.iter().for_each(|text| self.texts.push(text));
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::choices::Choices;
    use crate::exporter::engine::testing::{Tree, run};

    #[test]
    fn reasons_are_shown_with_their_source() {
        let tree = Tree::new(&[
            ("sys/devices/platform/ahb/ahb:apb/fffffd00.rstc/power_on_reason", "watchdog timeout\n"),
            ("sys/devices/platform/serial8250/driver_override", "(null)\n"),
            ("sys/class/watchdog/watchdog0/bootstatus", "33\n"),
            ("sys/class/watchdog/watchdog1/bootstatus", "0\n"),
            ("sys/class/watchdog/watchdog2/identity", "no such file\n"),
        ]);
        tree.link(
            "sys/bus/platform/devices/fffffd00.rstc",
            "../../../devices/platform/ahb/ahb:apb/fffffd00.rstc",
        );
        tree.link("sys/bus/platform/devices/serial8250", "../../../devices/platform/serial8250");
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_reset_reason_info{source=\"power_on_reason\",device=\"fffffd00.rstc\",reason=\"watchdog timeout\"} 1\n\
             node_reset_reason_info{source=\"watchdog\",device=\"watchdog0\",reason=\"overheat\"} 1\n\
             node_reset_reason_info{source=\"watchdog\",device=\"watchdog0\",reason=\"card_reset\"} 1\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn a_driver_that_comes_late_is_found_and_then_no_one_looks() {
        let tree = Tree::new(&[]);
        let source = ENTRY.source(&Choices::default()).unwrap();
        let machine = tree.machine();
        assert!(run(source, &machine).result.unwrap_err().is_no_data());
        let file = "sys/bus/platform/devices/c360000.pmc/reset_reason";
        tree.write(file, "POWER_ON_RESET\n");
        let expected = "node_reset_reason_info{source=\"reset_reason\",device=\"c360000.pmc\",reason=\"POWER_ON_RESET\"} 1\n";
        for _ in 1..LOOKS {
            assert_eq!(run(source, &machine).samples(), expected);
        }
        tree.write(file, "OTHER\n");
        assert_eq!(run(source, &machine).samples(), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(files in proptest::collection::vec((
            "(bus/platform/devices/[ab]/(power_on|reset)_reason|class/watchdog/[ab]/bootstatus)",
            prop_oneof!["[0-9]{1,3}".prop_map(String::into_bytes), any::<Vec<u8>>()],
        ), 0..8)) {
            let tree = Tree::new(&[]);
            for (file, bytes) in files {
                tree.write(&format!("sys/{file}"), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
