//! `arp`: how many neighbours the devices know. Source: `/proc/net/arp`, proc_pid_net(5).
//!
//! The file is read, not rtnetlink: it holds the same neighbours (those of IPv4 that need ARP), reading it waits for no
//! lock that a driver may hold, and it can be read in a copy of procfs.

use std::boxed::Box;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, fields, lines, lossy};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::Seen;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.arp", FlagKind::Switch, &["How many neighbours network devices know."]),
    default: true,
    flags: &[&INCLUDE, &EXCLUDE, &NETLINK],
    build: Build::By(|choices| {
        Ok(Box::new(Arp { filter: Filter::read(choices, &INCLUDE, &EXCLUDE, None)? }))
    }),
};

static INCLUDE: Flag = Flag::new(
    "collector.arp.device-include",
    FlagKind::Value("REGEX"),
    &["Only network devices whose name matches."],
);
static EXCLUDE: Flag = Flag::new(
    "collector.arp.device-exclude",
    FlagKind::Value("REGEX"),
    &["No network devices whose name matches. Default none."],
);
static NETLINK: Flag = Flag::new(
    "collector.arp.netlink",
    FlagKind::Switch,
    &["For the sake of old command lines: on or off, the numbers are the same."],
);

struct Arp {
    filter: Filter,
}

const FILE: &str = "net/arp";

/// Address, kind of hardware, flags, hardware address, mask, device.
const COLUMNS: usize = 6;

impl Source for Arp {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, names, seen, .. } = scratch;
        names.clear();
        let neighbours = lines(machine.procfs.held_short(FILE, file)?).skip(1);
        // The hardware address may be missing.
        for device in neighbours.filter_map(|line| fields(line).take(COLUMNS).skip(COLUMNS - 2).last()) {
            names.push(device);
        }
        names.sort();
        self.write(names, seen, page);
        Ok(())
    }
}

impl Arp {
    /// Writes how often each name is there. They are sorted.
    fn write(&self, names: &Names, seen: &mut Seen, page: &mut Page<'_>) {
        seen.clear();
        let help = "Neighbours in the ARP table of a network device.";
        let mut family = page.family(Kind::Gauge, "node_arp_entries", help);
        let mut names = names.iter().peekable();
        while let Some(name) = names.next() {
            let mut count = 1_u64;
            while names.next_if_eq(&name).is_some() {
                count += 1;
            }
            let mut spare = NO_TEXT;
            let device = lossy(name, &mut spare);
            if self.filter.takes(device) && seen.is_new(device.as_bytes()) {
                family.sample(&[("device", device)], count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::choices::Choices;
    use crate::exporter::engine::testing::Tree;

    const ARP: &str = "\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        eth0
198.51.100.7     0x1         0x0         00:00:00:00:00:00     *        wlan0
192.0.2.3        0x1         0x6         02:00:00:00:00:03     *        eth0
192.0.2.4        0x20        0x2                               *        ib0
192.0.2.5        0x1         0x2         02:00:00:00:00:05     *        eth0 more of it
";

    #[test]
    fn neighbours_are_counted() {
        let tree = Tree::new(&[("proc/net/arp", ARP)]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_arp_entries{device=\"eth0\"} 3\nnode_arp_entries{device=\"ib0\"} 1\nnode_arp_entries{device=\"wlan0\"} 1\n"
        );
        assert_eq!(outcome.result, Ok(()));
        let outcome = tree.run(&ENTRY, &[("collector.arp.device-exclude", "^(eth|ib)")]);
        assert_eq!(outcome.samples(), "node_arp_entries{device=\"wlan0\"} 1\n");
        assert!(ENTRY.source(&Choices::of(&[("collector.arp.device-include", "+")])).is_err());
    }

    #[test]
    fn none_is_fine_and_without_the_file_there_is_no_data() {
        for text in ["", "IP address       HW type\n", "heading\n1 2 3 4\n"] {
            let outcome = Tree::new(&[("proc/net/arp", text)]).run(&ENTRY, &[]);
            assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "([ab]|1 2 3 4 5 |\n){0,99}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[]);
                tree.write("proc/net/arp", [b"heading\n", bytes].concat());
                tree.run(&ENTRY, &[]).assert_sound();
            }
        }
    }
}
