//! `thermal_zone`: temperatures that the kernel acts upon, and how far cooling devices are turned up. Source:
//! `/sys/class/thermal`, Documentation/driver-api/thermal/sysfs-api.

use rustix::io::Errno;

use super::number_after;
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
    switch: Flag::new(
        "collector.thermal_zone",
        FlagKind::Switch,
        &["Thermal zones and the cooling devices that they control."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&ThermalZone),
};

struct ThermalZone;

const CLASS: &[u8] = b"class/thermal/";

impl Source for ThermalZone {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, batch, .. } = scratch;
        match machine.sysfs.list(CLASS, names) {
            // No zones are no failure, as the node exporter has it.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(Problem::unreadable(CLASS, errno)),
        }
        batch.clear();
        for device in devices(names) {
            for file in device.what.files() {
                batch.ask_attribute(&[CLASS, device.name, file]);
            }
        }
        machine.patience.ask(batch, &|| page.is_expired());
        let mut family =
            page.family(Kind::Gauge, "node_thermal_zone_temp", "Temperature, in degrees Celsius.");
        for (zone, kind, text) in of(What::Zone, 1, names, batch) {
            // A zone that cannot be read is left out, the others are shown.
            if let Some(temperature) = signed(text) {
                let mut spare = NO_TEXT;
                let labels = [("zone", zone), ("type", lossy(kind, &mut spare))];
                family.sample(&labels, temperature as f64 / 1000.0);
            }
        }
        for (question, name, help) in [
            (1, "node_cooling_device_cur_state", "How far the cooling device is turned up; 0 is off."),
            (2, "node_cooling_device_max_state", "How far the cooling device can be turned up."),
        ] {
            let mut family = page.family(Kind::Gauge, name, help);
            for (name, kind, text) in of(What::Cooling, question, names, batch) {
                if let Some(state) = signed(text) {
                    let mut spare = NO_TEXT;
                    family.sample(&[("name", name), ("type", lossy(kind, &mut spare))], state);
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Zone,
    Cooling,
}

impl What {
    /// What is asked of a device; its type first.
    const fn files(self) -> &'static [&'static [u8]] {
        match self {
            Self::Zone => &[b"/type", b"/temp"],
            Self::Cooling => &[b"/type", b"/cur_state", b"/max_state"],
        }
    }
}

struct Device<'a> {
    what: What,
    name: &'a [u8],
    number: &'a str,
    /// The question about its type.
    question: usize,
}

fn devices(names: &Names) -> impl Iterator<Item = Device<'_>> {
    let mut next = 0;
    names.iter().filter_map(move |name| {
        let zone = number_after(name, "thermal_zone").map(|number| (What::Zone, number));
        let found =
            zone.or_else(|| number_after(name, "cooling_device").map(|number| (What::Cooling, number)));
        let (what, number) = found?;
        let question = next;
        next += what.files().len();
        Some(Device { what, name, number, question })
    })
}

/// Number, type and one answer of all devices of a sort that have both.
fn of<'a>(
    what: What,
    question: usize,
    names: &'a Names,
    batch: &'a Batch,
) -> impl Iterator<Item = (&'a str, &'a [u8], &'a [u8])> {
    devices(names).filter(move |device| device.what == what).filter_map(move |device| {
        let kind = batch.text(device.question)?;
        Some((device.number, kind, batch.text(device.question + question)?))
    })
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn zones_and_cooling_devices_are_shown() {
        let tree = Tree::new(&[
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "42500\n"),
            ("sys/class/thermal/thermal_zone10/type", "battery\n"),
            ("sys/class/thermal/thermal_zone10/temp", "-1500\n"),
            ("sys/class/thermal/cooling_device0/type", "Processor\n"),
            ("sys/class/thermal/cooling_device0/cur_state", "0\n"),
            ("sys/class/thermal/cooling_device0/max_state", "50\n"),
            ("sys/class/thermal/cooling_device1/type", "intel_powerclamp\n"),
            ("sys/class/thermal/cooling_device1/cur_state", "-1\n"),
            ("sys/class/thermal/cooling_device1/max_state", "27\n"),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_thermal_zone_temp{zone=\"0\",type=\"cpu-thermal\"} 42.5\n\
             node_thermal_zone_temp{zone=\"10\",type=\"battery\"} -1.5\n\
             node_cooling_device_cur_state{name=\"0\",type=\"Processor\"} 0\n\
             node_cooling_device_cur_state{name=\"1\",type=\"intel_powerclamp\"} -1\n\
             node_cooling_device_max_state{name=\"0\",type=\"Processor\"} 50\n\
             node_cooling_device_max_state{name=\"1\",type=\"intel_powerclamp\"} 27\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn a_bad_zone_is_left_out_alone() {
        let tree = Tree::new(&[
            ("sys/class/thermal/thermal_zone0/type", "a\n"),
            ("sys/class/thermal/thermal_zone0/temp", "1000\n"),
            ("sys/class/thermal/thermal_zone1/type", "b\n"),
            ("sys/class/thermal/thermal_zone1/temp", "\n"),
            ("sys/class/thermal/thermal_zone2/type", "c\n"),
            ("sys/class/thermal/thermal_zone3/temp", "3000\n"),
            ("sys/class/thermal/thermal_zone4/type", "e\n"),
            ("sys/class/thermal/thermal_zone4/temp/below", "a directory\n"),
            ("sys/class/thermal/cooling_device0/type", "fan\n"),
            ("sys/class/thermal/cooling_device0/cur_state", "1\n"),
            ("sys/class/thermal/thermal_zonex/type", "f\n"),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_thermal_zone_temp{zone=\"0\",type=\"a\"} 1\n\
             node_cooling_device_cur_state{name=\"0\",type=\"fan\"} 1\n"
        );
        assert_eq!(outcome.result, Ok(()));
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(files in proptest::collection::vec(
            ("(thermal_zone|cooling_device)[0-9x]{1,2}", "type|temp|cur_state|max_state", any::<Vec<u8>>()), 0..12
        )) {
            let tree = Tree::new(&[]);
            for (device, file, bytes) in files {
                tree.write(&format!("sys/class/thermal/{device}/{file}"), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
