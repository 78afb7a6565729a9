//! `raspberrypi`: whether the firmware holds the board back, for want of voltage or too much heat. Source:
//! `get_throttled` of the firmware's device (kernels of the Raspberry Pi foundation), with the bits that
//! `vcgencmd get_throttled` shows.
//!
//! Mainline kernels have no such file; there the driver raspberrypi-hwmon shows an under-voltage as
//! `node_hwmon_in_lcrit_alarm_volts`.

use crate::exporter::engine::path::pieces;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::hexadecimal;
use crate::exporter::engine::patience::Answer;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.raspberrypi",
        FlagKind::Switch,
        &["Under-voltage and throttling of a Raspberry Pi."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&RaspberryPi),
};

struct RaspberryPi;

/// Links to the devices that the firmware's driver has: one, called `soc:firmware` on most boards.
const DRIVER: &[u8] = b"bus/platform/drivers/raspberrypi-firmware/";

/// Where the file is if the driver's directory is not to be seen, as in some containers.
const DEVICE: &[u8] = b"devices/platform/soc/soc:firmware/";

const FILE: &[u8] = b"get_throttled";

/// So many devices are asked.
const MOST_DEVICES: usize = 16;

/// The bits of what is so now. The same, sixteen higher, have been so.
const REASONS: [(u64, &str); 4] =
    [(0, "undervoltage"), (1, "frequency_capped"), (2, "throttled"), (3, "soft_temperature_limit")];

impl Source for RaspberryPi {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, batch, .. } = scratch;
        batch.clear();
        if machine.sysfs.list(DRIVER, names).is_err() {
            names.clear();
        }
        for device in devices(names) {
            batch.ask_attribute(&[DRIVER, device, b"/", FILE]);
        }
        if batch.is_empty() {
            let path = [DEVICE, FILE];
            machine.sysfs.look_for(pieces(&path)).map_err(|errno| Problem::unreadable(FILE, errno))?;
            batch.ask_attribute(&path);
        }
        machine.patience.ask(batch, &|| page.is_expired());
        let answers = (0..MOST_DEVICES).filter_map(|question| batch.text(question));
        let Some(bits) = answers.filter_map(bits).next() else {
            return Err(match batch.answer(0) {
                Answer::Text(_) => Problem::malformed(FILE),
                Answer::Failed(errno) => Problem::unreadable(FILE, errno),
                _ => Problem::Failed("the firmware does not answer"),
            });
        };
        for (name, help, shift) in [
            ("node_raspberrypi_throttled", "Whether the firmware holds the board back now, and why.", 0),
            (
                "node_raspberrypi_throttled_since_boot",
                "Whether it has, since the start or, where the kernel watches the voltage too, since it last looked.",
                16,
            ),
        ] {
            let mut family = page.family(Kind::Gauge, name, help);
            for (bit, reason) in REASONS {
                family.sample(&[("reason", reason)], bits >> (bit + shift) & 1);
            }
        }
        Ok(())
    }
}

/// The entries that may be devices.
fn devices(names: &Names) -> impl Iterator<Item = &[u8]> {
    let is_device = |name: &&[u8]| !matches!(*name, b"bind" | b"unbind" | b"uevent" | b"module");
    names.iter().filter(is_device).take(MOST_DEVICES)
}

/// Hexadecimal digits, with or without `0x`.
fn bits(text: &[u8]) -> Option<u64> {
    hexadecimal(text.strip_prefix(b"0x").unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const SHOWN: &str = "node_raspberrypi_throttled{reason=\"undervoltage\"} 1\n\
                         node_raspberrypi_throttled{reason=\"frequency_capped\"} 0\n\
                         node_raspberrypi_throttled{reason=\"throttled\"} 1\n\
                         node_raspberrypi_throttled{reason=\"soft_temperature_limit\"} 0\n\
                         node_raspberrypi_throttled_since_boot{reason=\"undervoltage\"} 1\n\
                         node_raspberrypi_throttled_since_boot{reason=\"frequency_capped\"} 0\n\
                         node_raspberrypi_throttled_since_boot{reason=\"throttled\"} 1\n\
                         node_raspberrypi_throttled_since_boot{reason=\"soft_temperature_limit\"} 1\n";

    #[test]
    fn a_board_that_is_held_back_is_shown() {
        let driver = "sys/bus/platform/drivers/raspberrypi-firmware";
        for (device, text) in [
            ("sys/devices/platform/soc/soc:firmware", "d0005\n"),
            ("sys/devices/platform/soc@107c000000/soc@107c000000:firmware", "0xD0005\n"),
        ] {
            let tree =
                Tree::new(&[(&format!("{device}/get_throttled"), text), (&format!("{driver}/bind"), "")]);
            tree.link(&format!("{driver}/firmware"), tree.path(device));
            let outcome = tree.run(&ENTRY, &[]);
            assert_eq!(outcome.samples(), SHOWN);
            assert_eq!(outcome.result, Ok(()));
        }
        let tree = Tree::new(&[("sys/devices/platform/soc/soc:firmware/get_throttled", "d0005\n")]);
        assert_eq!(tree.run(&ENTRY, &[]).samples(), SHOWN);
    }

    #[test]
    fn other_boards_have_no_data() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let mainline =
            Tree::new(&[("sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/uevent", "\n")]);
        assert!(mainline.run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let tree = Tree::new(&[("sys/devices/platform/soc/soc:firmware/get_throttled", "no\n")]);
        assert_eq!(tree.run(&ENTRY, &[]).result, Err(Problem::malformed("get_throttled")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[]);
            tree.write("sys/devices/platform/soc/soc:firmware/get_throttled", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
