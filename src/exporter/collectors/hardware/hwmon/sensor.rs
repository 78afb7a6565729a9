//! The names of a chip's files, `TYPE[NUMBER][_PROPERTY]`, and what each of them becomes.
//!
//! Source: Documentation/hwmon/sysfs-interface of the kernel for the units; names and quirks are those of the node
//! exporter, because dashboards rely on them: `temp1_crit_alarm` is `node_hwmon_temp_crit_alarm_celsius`, in
//! thousandths.

use crate::exporter::engine::parse::unsigned;
use crate::text::Kind;

/// What a file says something about, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileName<'a> {
    /// One of [`TYPES`].
    pub(super) kind: &'static str,
    pub(super) number: u64,
    /// Empty for a file that is the value itself, as `pwm1`.
    pub(super) property: &'a str,
}

/// The types that are known. Others, as `temp_offset`, are not sensors.
const TYPES: [&str; 14] = [
    "beep_enable",
    "cpu",
    "curr",
    "energy",
    "fan",
    "freq",
    "humidity",
    "in",
    "intrusion",
    "power",
    "pwm",
    "temp",
    "update_interval",
    "vrm",
];

impl<'a> FileName<'a> {
    /// Reads the name of a file. `power` is none: every device has a directory of that name.
    pub(super) fn parse(name: &'a [u8]) -> Option<Self> {
        let name = core::str::from_utf8(name).ok()?;
        let digit = |byte: u8| byte.is_ascii_digit();
        let begin = name.bytes().position(digit).unwrap_or(name.len());
        let (kind, rest) = name.split_at_checked(begin)?;
        let kind = *TYPES.iter().find(|known| **known == kind)?;
        let (digits, rest) =
            rest.split_at_checked(rest.bytes().position(|byte| !digit(byte)).unwrap_or(rest.len()))?;
        let number = if digits.is_empty() { 0 } else { unsigned(digits.as_bytes())? };
        let property = match rest.strip_prefix('_') {
            Some(property) if !property.is_empty() => property,
            None if rest.is_empty() && name != "power" => "",
            _ => return None,
        };
        Some(Self { kind, number, property })
    }
}

/// A family: `node_hwmon_TYPE[_PROPERTY]SUFFIX`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) suffix: &'static str,
    pub(super) help: &'static str,
    pub(super) unit: Unit,
}

/// What the kernel counts in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    One,
    Thousandth,
    Millionth,
}

impl Unit {
    /// The value in the unit itself, bit for bit as the node exporter computes it.
    pub(super) fn whole(self, value: f64) -> f64 {
        match self {
            Self::One => value,
            Self::Thousandth => value * 0.001,
            Self::Millionth => value / 1e6,
        }
    }
}

/// The family of a property. None for what is shown otherwise or not at all.
pub(super) fn family(kind: &str, property: &str) -> Option<Family> {
    let gauge = |suffix, help, unit| Some(Family { kind: Kind::Gauge, suffix, help, unit });
    match (kind, property) {
        ("beep_enable" | "vrm" | "update_interval", _) | (_, "label") | ("freq", "input") => None,
        (_, "fault") => gauge("", "Whether the sensor is broken.", Unit::One),
        (_, "alarm") => gauge("", "Whether the sensor raises an alarm.", Unit::One),
        (_, "beep") => gauge("_enabled", "Whether an alarm of the sensor beeps.", Unit::One),
        ("in" | "cpu", _) => gauge("_volts", "Of a voltage, in volts.", Unit::Thousandth),
        ("temp", "type") => gauge("", "How the temperature is measured, by the kernel's number.", Unit::One),
        ("temp", _) => gauge("_celsius", "Of a temperature, in degrees Celsius.", Unit::Thousandth),
        ("curr", _) => gauge("_amps", "Of a current, in amperes.", Unit::Thousandth),
        ("energy", _) => Some(Family {
            kind: Kind::Counter,
            suffix: "_joule_total",
            help: "Energy used so far, in joules.",
            unit: Unit::Millionth,
        }),
        ("power", "accuracy") => gauge("", "Accuracy of the power meter, as a ratio.", Unit::Millionth),
        ("power", "average_interval" | "average_interval_min" | "average_interval_max") => {
            gauge("_seconds", "How long power is averaged, in seconds.", Unit::Thousandth)
        }
        ("power", _) => gauge("_watt", "Of a power, in watts.", Unit::Millionth),
        ("humidity", _) => gauge("", "Of a humidity, as a ratio.", Unit::Millionth),
        ("fan", "input" | "min" | "max" | "target") => {
            gauge("_rpm", "Of a fan, in revolutions per minute.", Unit::One)
        }
        _ => gauge("", "As the kernel says it.", Unit::One),
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;

    fn parse(name: &str) -> Option<(&'static str, u64, &str)> {
        FileName::parse(name.as_bytes()).map(|name| (name.kind, name.number, name.property))
    }

    #[test]
    fn file_names_are_read() {
        for (name, parts) in [
            ("temp1_input", ("temp", 1, "input")),
            ("temp10_crit_alarm", ("temp", 10, "crit_alarm")),
            ("temp01_max", ("temp", 1, "max")),
            ("pwm1", ("pwm", 1, "")),
            ("vrm", ("vrm", 0, "")),
            ("update_interval", ("update_interval", 0, "")),
            ("beep_enable", ("beep_enable", 0, "")),
            ("in0_2_x", ("in", 0, "2_x")),
        ] {
            assert_eq!(parse(name), Some(parts), "{name}");
        }
        for name in [
            "",
            "name",
            "power",
            "uevent",
            "temp1_",
            "temp1x",
            "temp_offset",
            "1",
            "tempx1_input",
            "temp99999999999999999999_input",
            "Temp1_input",
            "subsystem",
            "in_1",
            "power_state",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn units_are_those_of_the_kernel() {
        let of = |kind, property| family(kind, property).map(|family| (family.suffix, family.unit));
        assert_eq!(of("temp", "crit_alarm"), Some(("_celsius", Unit::Thousandth)));
        assert_eq!(of("temp", "alarm"), Some(("", Unit::One)));
        assert_eq!(of("temp", "type"), Some(("", Unit::One)));
        assert_eq!(of("cpu", "vid"), Some(("_volts", Unit::Thousandth)));
        assert_eq!(of("fan", "div"), Some(("", Unit::One)));
        assert_eq!(of("fan", "target"), Some(("_rpm", Unit::One)));
        assert_eq!(of("power", "average_interval"), Some(("_seconds", Unit::Thousandth)));
        assert_eq!(of("power", "cap"), Some(("_watt", Unit::Millionth)));
        assert_eq!(of("freq", "min"), Some(("", Unit::One)));
        assert_eq!(of("freq", "input"), None);
        assert_eq!(Unit::Thousandth.whole(45_678.0), 45_678.0 * 0.001);
    }

    proptest! {
        /// The pattern that the node exporter reads them by. Only for `temp_0_` and its like, which no driver has, it
        /// tries again and finds another type.
        #[test]
        fn names_are_read_as_by_a_pattern(
            name in prop_oneof![
                "(temp|in|fan|vrm|power|x)[0-9]{1,3}(_[a-z0-9_]{0,6})?",
                "(temp|in|fan|vrm|power|x)_?[a-z_]{0,3}",
                "(temp|in|fan|vrm|power|x)[0-9]{0,3}",
                "[a-z0-9]{0,12}",
            ]
        ) {
            let pattern = Regex::new("^([^0-9]+)([0-9]*)?(_(.+))?$").unwrap();
            let expected = pattern.captures(&name).and_then(|found| {
                let part = |at| found.get(at).map_or("", |part: regex_lite::Match<'_>| part.as_str());
                let kind = TYPES.iter().find(|kind| **kind == part(1))?;
                let number = if part(2).is_empty() { 0 } else { part(2).parse().ok()? };
                Some((*kind, number, String::from(part(4))))
            });
            let expected = expected.filter(|_| name != "power");
            let read = parse(&name).map(|(kind, number, property)| (kind, number, String::from(property)));
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_name_is_survived(name: Vec<u8>) {
            let _ = FileName::parse(&name);
        }
    }
}
