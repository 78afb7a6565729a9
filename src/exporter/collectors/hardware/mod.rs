//! What the kernel says of boards and sensors.

mod cpufreq;
mod devicetree;
mod dmi;
mod edac;
mod hwmon;
mod powersupplyclass;
mod rapl;
mod raspberrypi;
mod reset_reason;
mod thermal_zone;
mod watchdog;

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[
    &cpufreq::ENTRY,
    &devicetree::ENTRY,
    &dmi::ENTRY,
    &edac::ENTRY,
    &hwmon::ENTRY,
    &powersupplyclass::ENTRY,
    &rapl::ENTRY,
    &raspberrypi::ENTRY,
    &reset_reason::ENTRY,
    &thermal_zone::ENTRY,
    &watchdog::ENTRY,
];

/// The digits of a name that is a word and a number: `7` of `cpu7`.
fn number_after<'a>(name: &'a [u8], word: &str) -> Option<&'a str> {
    let number = name.strip_prefix(word.as_bytes())?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(number).ok().filter(|_| is_number)
}
