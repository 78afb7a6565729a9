//! `powersupplyclass`: batteries, chargers and mains. Source: `/sys/class/power_supply`,
//! Documentation/ABI/testing/sysfs-class-power.

use std::boxed::Box;
use std::vec::Vec;

use regex_lite::Regex;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::filter::regex;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, lossy, signed};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

static IGNORED: Flag = Flag::new(
    "collector.powersupply.ignored-supplies",
    FlagKind::Value("REGEX"),
    &["No power supplies whose name matches. Default \"^$\", which is none."],
);

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.powersupplyclass", FlagKind::Switch, &["Batteries, chargers and mains."]),
    default: true,
    flags: &[&IGNORED],
    build: Build::By(|choices| {
        // An empty pattern is found in every name.
        let ignored = choices.value(&IGNORED).map(|pattern| regex(&IGNORED, pattern)).transpose()?;
        Ok(Box::new(PowerSupplies { ignored }))
    }),
};

struct PowerSupplies {
    ignored: Option<Regex>,
}

const CLASS: &[u8] = b"class/power_supply/";

/// What an attribute says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// A number as it is.
    Number,
    /// Millionths of the unit.
    Micro,
    /// Tenths of a degree Celsius.
    Tenths,
    /// A label of the information.
    Text,
}

/// Attributes, and what they are called on the page.
const ATTRIBUTES: &[(&str, &str, Says)] = &[
    ("authentic", "authentic", Says::Number),
    ("calibrate", "calibrate", Says::Number),
    ("capacity", "capacity", Says::Number),
    ("capacity_alert_max", "capacity_alert_max", Says::Number),
    ("capacity_alert_min", "capacity_alert_min", Says::Number),
    ("cycle_count", "cyclecount", Says::Number),
    ("online", "online", Says::Number),
    ("present", "present", Says::Number),
    ("time_to_empty_now", "time_to_empty_seconds", Says::Number),
    ("time_to_full_now", "time_to_full_seconds", Says::Number),
    ("charge_control_limit", "charge_control_limit", Says::Micro),
    ("charge_control_limit_max", "charge_control_limit_max", Says::Micro),
    ("charge_counter", "charge_counter", Says::Micro),
    ("charge_empty", "charge_empty", Says::Micro),
    ("charge_empty_design", "charge_empty_design", Says::Micro),
    ("charge_full", "charge_full", Says::Micro),
    ("charge_full_design", "charge_full_design", Says::Micro),
    ("charge_now", "charge_ampere", Says::Micro),
    ("charge_term_current", "charge_term_current", Says::Micro),
    ("constant_charge_current", "constant_charge_current", Says::Micro),
    ("constant_charge_current_max", "constant_charge_current_max", Says::Micro),
    ("constant_charge_voltage", "constant_charge_voltage", Says::Micro),
    ("constant_charge_voltage_max", "constant_charge_voltage_max", Says::Micro),
    ("current_boot", "current_boot", Says::Micro),
    ("current_max", "current_max", Says::Micro),
    ("current_now", "current_ampere", Says::Micro),
    ("energy_empty", "energy_empty", Says::Micro),
    ("energy_empty_design", "energy_empty_design", Says::Micro),
    ("energy_full", "energy_full", Says::Micro),
    ("energy_full_design", "energy_full_design", Says::Micro),
    ("energy_now", "energy_watthour", Says::Micro),
    ("input_current_limit", "input_current_limit", Says::Micro),
    ("power_now", "power_watt", Says::Micro),
    ("precharge_current", "precharge_current", Says::Micro),
    ("voltage_boot", "voltage_boot", Says::Micro),
    ("voltage_max", "voltage_max", Says::Micro),
    ("voltage_max_design", "voltage_max_design", Says::Micro),
    ("voltage_min", "voltage_min", Says::Micro),
    ("voltage_min_design", "voltage_min_design", Says::Micro),
    ("voltage_now", "voltage_volt", Says::Micro),
    ("voltage_ocv", "voltage_ocv", Says::Micro),
    ("temp", "temp_celsius", Says::Tenths),
    ("temp_alert_max", "temp_alert_max_celsius", Says::Tenths),
    ("temp_alert_min", "temp_alert_min_celsius", Says::Tenths),
    ("temp_ambient", "temp_ambient_celsius", Says::Tenths),
    ("temp_ambient_max", "temp_ambient_max_celsius", Says::Tenths),
    ("temp_ambient_min", "temp_ambient_min_celsius", Says::Tenths),
    ("temp_max", "temp_max_celsius", Says::Tenths),
    ("temp_min", "temp_min_celsius", Says::Tenths),
    ("capacity_level", "capacity_level", Says::Text),
    ("charge_type", "charge_type", Says::Text),
    ("health", "health", Says::Text),
    ("manufacturer", "manufacturer", Says::Text),
    ("model_name", "model_name", Says::Text),
    ("serial_number", "serial_number", Says::Text),
    ("status", "status", Says::Text),
    ("technology", "technology", Says::Text),
    ("type", "type", Says::Text),
    ("usb_type", "usb_type", Says::Text),
    ("scope", "scope", Says::Text),
];

/// The most labels of the information: those of [`ATTRIBUTES`] and the name.
const LABELS: usize = 12;

impl Source for PowerSupplies {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names, numbers, rows, batch, other, .. } = scratch;
        machine.sysfs.told_list(CLASS, names)?;
        batch.clear();
        rows.clear();
        // Which attribute of which supply each question is about.
        numbers.clear();
        for (place, supply) in names.iter().enumerate().filter(|(_, name)| self.takes(name)) {
            ask(machine, (place, supply), more_names, numbers, batch);
        }
        machine.patience.ask(batch, &|| page.is_expired());
        let mut asked = numbers.iter().copied().map(of_number).enumerate().peekable();
        for (place, supply) in names.iter().enumerate().filter(|(_, name)| self.takes(name)) {
            // What has none of the attributes that every supply has is none, or has gone.
            if asked.peek().is_none_or(|(_, (supply, _))| *supply != place) {
                continue;
            }
            let own = core::iter::from_fn(|| asked.next_if(|(_, (supply, _))| *supply == place));
            let answers = own.filter_map(|(question, (_, attribute))| {
                let (_, name, says) = ATTRIBUTES.get(attribute)?;
                Some((*name, *says, batch.text(question)?))
            });
            add(supply, answers, rows, other);
        }
        rows.write(page);
        Ok(())
    }
}

impl PowerSupplies {
    fn takes(&self, name: &[u8]) -> bool {
        let mut spare = NO_TEXT;
        let name = lossy(name, &mut spare);
        self.ignored.as_ref().is_none_or(|ignored| !ignored.is_match(name))
    }
}

/// A supply and an attribute, by their places, in one number.
const fn number_of(supply: usize, attribute: usize) -> u64 {
    (supply as u64) << 16 | attribute as u64
}

const fn of_number(number: u64) -> (usize, usize) {
    ((number >> 16) as usize, (number & 0xffff) as usize)
}

/// Asks for what is known of the attributes that the driver has: a dozen of sixty.
fn ask(
    machine: &Machine,
    (place, supply): (usize, &[u8]),
    files: &mut Names,
    asked: &mut Vec<u64>,
    batch: &mut Batch,
) {
    if machine.sysfs.list(pieces(&[CLASS, supply]), files).is_err() {
        return;
    }
    for file in files.iter() {
        let known = ATTRIBUTES.iter().position(|(attribute, ..)| attribute.as_bytes() == file);
        if let Some(known) = known {
            batch.ask_attribute(&[CLASS, supply, b"/", file]);
            asked.push(number_of(place, known));
        }
    }
}

/// Adds what is known of one power supply.
fn add<'a>(
    supply: &[u8],
    answers: impl Iterator<Item = (&'static str, Says, &'a [u8])>,
    rows: &mut Rows,
    buffer: &mut Bytes,
) {
    let mut spare = NO_TEXT;
    let supply = lossy(supply, &mut spare);
    let labels = [("power_supply", supply)];
    let mut texts = [("", 0, 0); LABELS];
    let mut count = 0;
    buffer.clear();
    for (name, says, text) in answers {
        if says == Says::Text {
            let begin = buffer.len();
            buffer.extend_from_slice(lossy(text, &mut NO_TEXT.clone()).as_bytes());
            if let Some(place) = texts.get_mut(count).filter(|_| !text.is_empty()) {
                *place = (name, begin, buffer.len());
                count += 1;
            }
            continue;
        }
        let Some(number) = signed(text) else { continue };
        let pieces = ["node_power_supply_", name];
        match says {
            Says::Micro => {
                rows.add(
                    Kind::Gauge,
                    &pieces,
                    "Of a power supply, in volts, amperes, watts, hours of them.",
                    &labels,
                    number as f64 / 1e6,
                );
            }
            Says::Tenths => {
                rows.add(
                    Kind::Gauge,
                    &pieces,
                    "Of a power supply, in degrees Celsius.",
                    &labels,
                    number as f64 / 10.0,
                );
            }
            _ => rows.add(Kind::Gauge, &pieces, "Of a power supply, as the kernel says it.", &labels, number),
        }
    }
    let mut labels = [("power_supply", supply); LABELS];
    for ((name, begin, end), label) in texts.iter().take(count).zip(labels.iter_mut().skip(1)) {
        let text = buffer.get(*begin..*end).and_then(|text| core::str::from_utf8(text).ok());
        *label = (name, text.unwrap_or_default());
    }
    let labels = labels.get(..=count).unwrap_or(&labels);
    rows.add(
        Kind::Gauge,
        &["node_power_supply_info"],
        "What a power supply is, and its state.",
        labels,
        1_u64,
    );
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::choices::Choices;
    use crate::exporter::engine::testing::Tree;

    fn supply(tree: &Tree, name: &str, files: &[(&str, &str)]) {
        for (file, text) in files {
            tree.write(&format!("sys/class/power_supply/{name}/{file}"), text);
        }
    }

    #[test]
    fn a_battery_and_its_charger_are_shown() {
        let tree = Tree::new(&[]);
        supply(&tree, "AC", &[("online", "1\n"), ("type", "Mains\n"), ("uevent", "POWER_SUPPLY_NAME=AC\n")]);
        supply(
            &tree,
            "BAT0",
            &[
                ("capacity", "81\n"),
                ("current_now", "-1502000\n"),
                ("voltage_now", "12229000\n"),
                ("energy_now", "36580000\n"),
                ("charge_now", "100\n"),
                ("cycle_count", "12\n"),
                ("time_to_empty_now", "3600\n"),
                ("temp", "295\n"),
                ("present", "1\n"),
                ("status", "Discharging\n"),
                ("manufacturer", "\n"),
                ("model_name", " LNV-45N1 \n"),
                ("type", "Battery\n"),
                ("power/control", "auto\n"),
            ],
        );
        let outcome = tree.run(&ENTRY, &[]);
        let mut expected = String::new();
        for (name, value) in [
            ("capacity", "81"),
            ("charge_ampere", "0.0001"),
            ("current_ampere", "-1.502"),
            ("cyclecount", "12"),
            ("energy_watthour", "36.58"),
        ] {
            expected += &format!("node_power_supply_{name}{{power_supply=\"BAT0\"}} {value}\n");
        }
        expected += "node_power_supply_info{power_supply=\"AC\",type=\"Mains\"} 1\n\
                     node_power_supply_info{power_supply=\"BAT0\",model_name=\"LNV-45N1\",status=\"Discharging\",\
                     type=\"Battery\"} 1\nnode_power_supply_online{power_supply=\"AC\"} 1\n";
        for (name, value) in [
            ("present", "1"),
            ("temp_celsius", "29.5"),
            ("time_to_empty_seconds", "3600"),
            ("voltage_volt", "12.229"),
        ] {
            expected += &format!("node_power_supply_{name}{{power_supply=\"BAT0\"}} {value}\n");
        }
        assert_eq!(outcome.samples(), expected);
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn what_cannot_be_read_is_left_out_alone() {
        let tree = Tree::new(&[("sys/class/power_supply/note", "")]);
        supply(
            &tree,
            "A",
            &[("capacity", "x\n"), ("online/below", ""), ("voltage_now", "\n"), ("present", "1\n")],
        );
        tree.write("sys/class/power_supply/A/model_name", b"a\xffb\n");
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_power_supply_info{power_supply=\"A\",model_name=\"a\u{fffd}b\"} 1\n\
             node_power_supply_present{power_supply=\"A\"} 1\n"
        );
        assert_eq!(outcome.result, Ok(()));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn supplies_are_ignored() {
        let tree = Tree::new(&[]);
        supply(&tree, "AC", &[("online", "1\n")]);
        supply(&tree, "BAT0", &[("online", "1\n")]);
        let lines = |pattern| {
            let flags = [("collector.powersupply.ignored-supplies", pattern)];
            tree.run(&ENTRY, &flags).samples().lines().count()
        };
        assert_eq!((lines("^$"), lines("^BAT"), lines("")), (4, 2, 0));
        let wrong = Choices::of(&[("collector.powersupply.ignored-supplies", "(")]);
        assert!(ENTRY.source(&wrong).is_err());
    }

    #[test]
    fn all_labels_fit() {
        assert_eq!(ATTRIBUTES.iter().filter(|(_, _, says)| *says == Says::Text).count() + 1, LABELS);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(files in proptest::collection::vec(
            ("[ab]", 0..ATTRIBUTES.len(), any::<Vec<u8>>()), 0..12
        )) {
            let tree = Tree::new(&[]);
            for (supply, attribute, bytes) in files {
                tree.write(&format!("sys/class/power_supply/{supply}/{}", ATTRIBUTES[attribute].0), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
