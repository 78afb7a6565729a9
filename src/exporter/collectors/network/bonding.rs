//! `bonding`: network devices that are made of others. Source: `/sys/class/net/bonding_masters` and
//! `/sys/class/net/*/lower_*/bonding_slave/mii_status`, the kernel's `Documentation/networking/bonding.rst`.
//!
//! `MASTER/bonding/slaves` names the same devices, but reading it waits for the lock of all network devices.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, fields, lossy};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::patience::{Answer, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.bonding",
        FlagKind::Switch,
        &["Network devices made of others, and how many work."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Bonding),
};

struct Bonding;

const MASTERS: &str = "class/net/bonding_masters";

impl Source for Bonding {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names, numbers, batch, seen, .. } = scratch;
        machine.sysfs.look_for(MASTERS).map_err(|errno| Problem::unreadable(MASTERS, errno))?;
        // The list of masters waits for a lock of all network devices. What is below a master does not.
        batch.clear();
        let question = batch.ask(Question::SysfsWhole, MASTERS);
        machine.patience.ask(batch, &|| page.is_expired());
        let masters = match batch.answer(question) {
            Answer::Text(masters) => masters,
            Answer::Failed(errno) => return Err(Problem::unreadable(MASTERS, errno)),
            _ => return Err(Problem::Failed("the list of bonds could not be read in time")),
        };
        names.clear();
        numbers.clear();
        seen.clear();
        for master in fields(masters) {
            let mut spare = NO_TEXT;
            if seen.is_new(lossy(master, &mut spare).as_bytes()) {
                let (slaves, active) = count(machine, master, more_names);
                names.push(master);
                numbers.extend([slaves, active]);
            }
        }
        for (place, name, help) in [
            (0, "node_bonding_slaves", "Devices that a bond is made of."),
            (1, "node_bonding_active", "Those of them whose link is up."),
        ] {
            let mut family = page.family(Kind::Gauge, name, help);
            for (master, row) in names.iter().zip(numbers.chunks_exact(2)) {
                let mut spare = NO_TEXT;
                if let Some(number) = row.get(place) {
                    family.sample(&[("master", lossy(master, &mut spare))], *number);
                }
            }
        }
        Ok(())
    }
}

/// How many devices a bond is made of, and how many of them are up.
fn count(machine: &Machine, master: &[u8], names: &mut Names) -> (u64, u64) {
    let (mut slaves, mut active) = (0, 0);
    if machine.sysfs.list(pieces(&[b"class/net/", master]), names).is_err() {
        return (slaves, active);
    }
    // Linux before 3.13 has `slave_` in the place of `lower_`.
    let is_new = names.iter().any(|name| name.starts_with(LOWER));
    let prefix: &[u8] = if is_new { LOWER } else { b"slave_" };
    for slave in names.iter().filter(|name| name.starts_with(prefix)) {
        let mut text = [0; ATTRIBUTE];
        let path = [&b"class/net/"[..], master, b"/", slave, b"/bonding_slave/mii_status"];
        slaves += 1;
        active += u64::from(machine.sysfs.attribute(pieces(&path), &mut text) == Ok(b"up"));
    }
    (slaves, active)
}

const LOWER: &[u8] = b"lower_";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn devices_of_bonds_are_counted() {
        let tree = Tree::new(&[
            ("sys/class/net/bonding_masters", "bond0 old empty gone bond0\n"),
            ("sys/class/net/bond0/lower_eth0/bonding_slave/mii_status", "up\n"),
            ("sys/class/net/bond0/lower_eth1/bonding_slave/mii_status", "down\n"),
            ("sys/class/net/bond0/lower_eth2/operstate", "up\n"),
            ("sys/class/net/bond0/mtu", "1500\n"),
            ("sys/class/net/old/slave_eth3/bonding_slave/mii_status", "up\n"),
            ("sys/class/net/empty/mtu", "1500\n"),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_bonding_slaves{master=\"bond0\"} 3\nnode_bonding_slaves{master=\"old\"} 1\n\
             node_bonding_slaves{master=\"empty\"} 0\nnode_bonding_slaves{master=\"gone\"} 0\n\
             node_bonding_active{master=\"bond0\"} 1\nnode_bonding_active{master=\"old\"} 1\n\
             node_bonding_active{master=\"empty\"} 0\nnode_bonding_active{master=\"gone\"} 0\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn without_bonds_there_is_no_data() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let outcome = Tree::new(&[("sys/class/net/bonding_masters", "\n")]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[ab./ \n]{0,50}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[]);
                tree.write("sys/class/net/bonding_masters", bytes);
                tree.run(&ENTRY, &[]).assert_sound();
            }
        }
    }
}
