//! `rapl`: energy that processors and memory have used. Source: `/sys/class/powercap`,
//! Documentation/power/powercap/powercap.

use std::boxed::Box;

use rustix::io::Errno;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, lossy, split_once, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::patience::Answer;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

static ZONE_LABEL: Flag = Flag::new(
    "collector.rapl.enable-zone-label",
    FlagKind::Switch,
    &["One family with a label \"rapl_zone\" instead of a family for each zone."],
);

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.rapl", FlagKind::Switch, &["Energy that processors and memory have used."]),
    default: true,
    flags: &[&ZONE_LABEL],
    build: Build::By(|choices| {
        Ok(Box::new(Rapl { zone_label: choices.is_on(&ZONE_LABEL).unwrap_or(false) }))
    }),
};

struct Rapl {
    zone_label: bool,
}

const CLASS: &[u8] = b"class/powercap/";

/// So many zones are looked at. A processor has some five.
const MOST_ZONES: usize = 1024;

const HELP: &str = "Energy used, in joules.";

impl Source for Rapl {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names: zones, numbers, rows, batch, other, .. } = scratch;
        machine.sysfs.told_list(CLASS, names)?;
        batch.clear();
        rows.clear();
        zones.clear();
        // The place of each zone among the names, and its index.
        numbers.clear();
        for (place, name) in names.iter().enumerate().take(MOST_ZONES) {
            // Only zones have a name. The kernel answers this itself, without the hardware: it is read in place.
            let mut text = [0; ATTRIBUTE];
            let Ok(zone) = machine.sysfs.attribute(pieces(&[CLASS, name, b"/name"]), &mut text) else {
                continue;
            };
            let (zone, index) = index_of(zone, zones, numbers);
            zones.push(zone);
            numbers.extend([place as u64, index]);
            batch.ask_attribute(&[CLASS, name, b"/energy_uj"]);
        }
        machine.patience.ask(batch, &|| page.is_expired());
        let mut forbidden = 0;
        for (question, zone) in zones.iter().enumerate() {
            let text = match batch.answer(question) {
                Answer::Text(text) => text,
                Answer::Failed(Errno::ACCESS | Errno::PERM) => {
                    forbidden += 1;
                    continue;
                }
                _ => continue,
            };
            let Some(microjoules) = unsigned(text) else { continue };
            let (mut spare, mut name_spare) = (NO_TEXT, NO_TEXT);
            let number = |at: usize| numbers.get(2 * question + at).copied().unwrap_or_default();
            let name = usize::try_from(number(0)).ok().and_then(|place| names.get(place)).unwrap_or_default();
            let name = lossy(name, &mut name_spare);
            // Index and path stand behind one another in the buffer, then the name for the family.
            other.clear();
            let _ = std::io::Write::write_fmt(other, format_args!("{}", number(1)));
            let index_end = other.len();
            let _ = std::io::Write::write_fmt(other, format_args!("{}/class/powercap/{name}", machine.sys));
            let path_end = other.len();
            sanitize(zone, other);
            let part = |begin: usize, end: usize| {
                other.get(begin..end).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
            };
            let labels = [
                ("index", part(0, index_end)),
                ("path", part(index_end, path_end)),
                ("rapl_zone", lossy(zone, &mut spare)),
            ];
            let joules = microjoules as f64 / 1e6;
            if self.zone_label {
                rows.add(Kind::Counter, &["node_rapl_joules_total"], HELP, &labels, joules);
            } else {
                let pieces = ["node_rapl_", part(path_end, other.len()), "_joules_total"];
                rows.add(Kind::Counter, &pieces, HELP, labels.get(..2).unwrap_or_default(), joules);
            }
        }
        if rows.is_empty() && forbidden > 0 {
            return Err(Problem::NoData("only root may read the energy counters"));
        }
        rows.write(page);
        Ok(())
    }
}

/// `package-1` is the zone `package` with the index 1; zones without a number are counted.
fn index_of<'a>(zone: &'a [u8], zones: &Names, numbers: &[u64]) -> (&'a [u8], u64) {
    if let Some((name, index)) =
        split_once(zone, b'-').and_then(|(name, digits)| Some((name, unsigned(digits)?)))
    {
        return (name, index);
    }
    let before = (0..zones.len()).rev().find(|at| zones.get(*at) == Some(zone));
    let index = before.and_then(|at| numbers.get(2 * at + 1)).map_or(0, |index| index.saturating_add(1));
    (zone, index)
}

/// What no name may hold becomes an underscore, with the underscores around it.
fn sanitize(text: &[u8], into: &mut Bytes) {
    let is_kept = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut rest = text;
    while let Some(first) = rest.first() {
        let underscores = rest.iter().take_while(|byte| **byte == b'_').count();
        let bad = rest.iter().skip(underscores).take_while(|byte| !is_kept(byte)).count();
        let taken = if bad > 0 {
            into.push(b'_');
            let after = rest.iter().skip(underscores + bad).take_while(|byte| **byte == b'_').count();
            underscores + bad + after
        } else {
            into.push(*first);
            1
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use std::format;

    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    fn zone(tree: &Tree, directory: &str, name: &str, energy: &str) {
        tree.write(&format!("sys/class/powercap/{directory}/name"), name);
        tree.write(&format!("sys/class/powercap/{directory}/energy_uj"), energy);
    }

    #[test]
    fn zones_are_shown() {
        let tree = Tree::new(&[("sys/class/powercap/intel-rapl/enabled", "1\n")]);
        zone(&tree, "intel-rapl:0", "package-0\n", "240422366267\n");
        zone(&tree, "intel-rapl:0:0", "core\n", "118821284256\n");
        zone(&tree, "intel-rapl:1", "package-1\n", "18446744073709551615\n");
        zone(&tree, "intel-rapl:1:0", "core\n", "1\n");
        zone(&tree, "intel-rapl:2", "package-2-die-1\n", "1000000\n");
        zone(&tree, "intel-rapl:3", "dram\n", "");
        let sys = tree.path("sys").into_os_string().into_string().unwrap();
        let samples = tree.run(&ENTRY, &[]).samples().replace(&sys, "/sys");
        assert_eq!(
            samples,
            "node_rapl_core_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:0:0\"} 118821.284256\n\
             node_rapl_core_joules_total{index=\"1\",path=\"/sys/class/powercap/intel-rapl:1:0\"} 0.000001\n\
             node_rapl_package_2_die_1_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:2\"} 1\n\
             node_rapl_package_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:0\"} 240422.366267\n\
             node_rapl_package_joules_total{index=\"1\",path=\"/sys/class/powercap/intel-rapl:1\"} 18446744073709.55\n"
        );
        let labelled = tree.run(&ENTRY, &[("collector.rapl.enable-zone-label", "true")]).samples();
        assert_eq!(labelled.matches("node_rapl_joules_total{index=").count(), 5);
        assert!(labelled.contains("rapl_zone=\"package-2-die-1\"} 1\n"), "{labelled}");
    }

    #[test]
    fn without_powercap_there_is_no_data() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let tree = Tree::new(&[("sys/class/powercap/intel-rapl/enabled", "1\n")]);
        assert_eq!(tree.run(&ENTRY, &[]).result, Ok(()));
    }

    proptest! {
        #[test]
        fn names_are_sanitized_as_by_a_pattern(name in "[a0_.-]{0,12}") {
            let mut sanitized = Bytes::default();
            sanitize(name.as_bytes(), &mut sanitized);
            let expected = Regex::new("_*[^0-9A-Za-z_]+_*").unwrap().replace_all(&name, "_").into_owned();
            prop_assert_eq!(&*sanitized, expected.as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(zones in proptest::collection::vec(
            (any::<Vec<u8>>(), prop_oneof![Just(std::vec::Vec::from(*b"1")), any::<Vec<u8>>()]), 0..6
        )) {
            let tree = Tree::new(&[]);
            for (place, (name, energy)) in zones.iter().enumerate() {
                tree.write(&format!("sys/class/powercap/{place}/name"), name);
                tree.write(&format!("sys/class/powercap/{place}/energy_uj"), energy);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
