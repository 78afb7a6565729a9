//! `hwmon`: temperatures, voltages, currents, fans and the like. Source: `/sys/class/hwmon`,
//! Documentation/hwmon/sysfs-interface.
//!
//! Every value is asked for with a time limit, so a sensor that is broken or stuck leaves out only itself.

mod place;
mod plan;
mod sensor;

use std::boxed::Box;

use place::{NOTHING, cleaned};
use plan::{CLASS, Chip, File, Plan};
use sensor::{FileName, Unit, family};

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, float, lossy};
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::{Pool, Scratch};
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

static CHIP_INCLUDE: Flag = Flag::new(
    "collector.hwmon.chip-include",
    FlagKind::Value("REGEX"),
    &["Only chips whose label \"chip\" matches."],
);
static CHIP_EXCLUDE: Flag = Flag::new(
    "collector.hwmon.chip-exclude",
    FlagKind::Value("REGEX"),
    &["No chips whose label \"chip\" matches."],
);
static SENSOR_INCLUDE: Flag = Flag::new(
    "collector.hwmon.sensor-include",
    FlagKind::Value("REGEX"),
    &["Only sensors that match; written CHIP;SENSOR, as in \"platform_coretemp_0;temp3\"."],
);
static SENSOR_EXCLUDE: Flag = Flag::new(
    "collector.hwmon.sensor-exclude",
    FlagKind::Value("REGEX"),
    &["No sensors that match; written CHIP;SENSOR."],
);

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.hwmon",
        FlagKind::Switch,
        &["Sensors: temperatures, voltages, currents, powers, fans."],
    ),
    default: true,
    flags: &[&CHIP_INCLUDE, &CHIP_EXCLUDE, &SENSOR_INCLUDE, &SENSOR_EXCLUDE],
    build: Build::By(|choices| {
        Ok(Box::new(Hwmon {
            chips: Filter::read(choices, &CHIP_INCLUDE, &CHIP_EXCLUDE, None)?,
            sensors: Filter::read(choices, &SENSOR_INCLUDE, &SENSOR_EXCLUDE, None)?,
            plans: Pool::default(),
        }))
    }),
};

struct Hwmon {
    chips: Filter,
    sensors: Filter,
    plans: Pool<Plan>,
}

impl Source for Hwmon {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, rows, batch, other, .. } = scratch;
        machine.sysfs.told_list(CLASS, names)?;
        batch.clear();
        rows.clear();
        self.plans.with(|plan| {
            plan.find_chips(machine, names);
            plan.ask(machine, (&self.chips, &self.sensors), names, batch);
            machine.patience.ask(batch, &|| page.is_expired());
            for chip in plan.chips.iter().filter(|chip| self.chips.takes(plan.label(chip))) {
                add_chip(plan, chip, batch, rows, other);
            }
        });
        rows.write(page);
        Ok(())
    }
}

fn add_chip(plan: &Plan, chip: &Chip, batch: &Batch, rows: &mut Rows, buffer: &mut Bytes) {
    let (label, said) = (plan.label(chip), plan.said(chip));
    if !said.is_empty() {
        let labels = [("chip", label), ("chip_name", said)];
        rows.add(Kind::Gauge, &["node_hwmon_chip_names"], "What a chip's driver calls it.", &labels, 1_u64);
    }
    let sensor = |file: &File| plan.name(file).map(|name| (name.kind, name.number));
    for files in plan.files(chip).chunk_by(|a, b| sensor(a) == sensor(b)) {
        let Some((kind, number)) = files.first().and_then(sensor) else { continue };
        buffer.clear();
        let _ = std::io::Write::write_fmt(buffer, format_args!("{kind}{number}"));
        let name = core::str::from_utf8(buffer).unwrap_or_default();
        add_sensor(&Sensor { plan, batch, files, chip: label, name }, rows);
    }
}

/// The files of one sensor.
struct Sensor<'a> {
    plan: &'a Plan,
    batch: &'a Batch,
    files: &'a [File],
    chip: &'a str,
    name: &'a str,
}

impl<'a> Sensor<'a> {
    /// The properties that were read. What chip and device both have is read at the device.
    fn properties(&self) -> impl Iterator<Item = (FileName<'a>, &'a [u8])> {
        let property = |file: &File| self.plan.name(file).map(|name| name.property);
        self.files.chunk_by(move |a, b| property(a) == property(b)).filter_map(|files| {
            let text = files.iter().rev().find_map(|file| file.text(self.batch))?;
            Some((self.plan.name(files.first()?)?, text))
        })
    }

    fn property(&self, wanted: &str) -> Option<&'a [u8]> {
        self.properties().find(|(name, _)| name.property == wanted).map(|(_, text)| text)
    }
}

fn add_sensor(sensor: &Sensor<'_>, rows: &mut Rows) {
    let labels = [("chip", sensor.chip), ("sensor", sensor.name)];
    let mut spare = NO_TEXT;
    if let Some(text) = sensor.property("label") {
        let labels = [labels[0], labels[1], ("label", lossy(text, &mut spare))];
        let help = "What a sensor measures, as its driver says.";
        rows.add(Kind::Gauge, &["node_hwmon_sensor_label"], help, &labels, 1_u64);
    }
    // Then `…_input` is something else than the value.
    let has_value = sensor.property("").is_some();
    for (name, text) in sensor.properties() {
        let Some(value) = float(text) else {
            // As the node exporter has it, whatever is not 1 is off.
            if name.kind == "beep_enable" {
                add_single(name.kind, &labels, 0.0, rows);
            }
            continue;
        };
        let mut room = NOTHING;
        let property = match name.property {
            "input" if !has_value => "",
            property => cleaned(property.as_bytes(), &mut room),
        };
        let underscore = if name.property.is_empty() || property.is_empty() { "" } else { "_" };
        match (family(name.kind, name.property), name.kind, name.property) {
            (Some(family), ..) => {
                let pieces = ["node_hwmon_", name.kind, underscore, property, family.suffix];
                rows.add(family.kind, &pieces, family.help, &labels, family.unit.whole(value));
            }
            (None, "freq", "input") => {
                let Some(text) = sensor.property("label") else { continue };
                let mut room = NOTHING;
                let labels = [labels[0], ("sensor", cleaned(text, &mut room))];
                let pieces = ["node_hwmon_freq", underscore, property, "_freq_mhz"];
                rows.add(
                    Kind::Gauge,
                    &pieces,
                    "Of a clock, in megahertz.",
                    &labels,
                    Unit::Millionth.whole(value),
                );
            }
            (None, kind, "") => add_single(kind, &labels, value, rows),
            _ => {}
        }
    }
}

/// What a chip has once.
fn add_single(kind: &str, labels: &[(&str, &str)], value: f64, rows: &mut Rows) {
    let (name, help, value) = match kind {
        "beep_enable" => {
            let on = f64::from(u8::from(value == 1.0));
            ("node_hwmon_beep_enabled", "Whether a chip may beep.", on)
        }
        "vrm" => {
            ("node_hwmon_voltage_regulator_version", "Version of the voltage regulator standard.", value)
        }
        "update_interval" => (
            "node_hwmon_update_interval_seconds",
            "How often a chip measures, in seconds.",
            Unit::Thousandth.whole(value),
        ),
        _ => return,
    };
    rows.add(Kind::Gauge, &[name], help, labels, value);
}

#[cfg(test)]
mod tests;
