//! `netdev`: the traffic of network devices. Source: `/proc/net/dev`, proc_pid_net(5), and
//! `/sys/class/net/DEVICE/statistics/*`, the kernel's `Documentation/networking/statistics.rst`.
//!
//! The files are read, not rtnetlink, though the numbers are the same: a request to rtnetlink waits for a lock that a
//! driver may hold for long, the files do not. If `netclass` has waited for it in this scrape, what it was told is used.

mod addresses;
mod columns;

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use columns::{COLUMNS, Column, DETAILS, NO_HANDLER};

use super::link::Link;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, fields, lines, lossy, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::Seen;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.netdev", FlagKind::Switch, &["Traffic of network devices."]),
    default: true,
    flags: &[&INCLUDE, &EXCLUDE, &ADDRESSES, &ALIAS, &DETAILED, &NETLINK],
    build: Build::By(build),
};

static INCLUDE: Flag = Flag::new(
    "collector.netdev.device-include",
    FlagKind::Value("REGEX"),
    &["Only network devices whose name matches."],
);
static EXCLUDE: Flag = Flag::new(
    "collector.netdev.device-exclude",
    FlagKind::Value("REGEX"),
    &["No network devices whose name matches. Default none."],
);
static ADDRESSES: Flag = Flag::new(
    "collector.netdev.address-info",
    FlagKind::Switch,
    &["Also shows the addresses of the devices."],
);
static ALIAS: Flag = Flag::new(
    "collector.netdev.label-ifalias",
    FlagKind::Switch,
    &["Adds the alias of the device as a label, ifalias."],
);
static DETAILED: Flag = Flag::new(
    "collector.netdev.enable-detailed-metrics",
    FlagKind::Switch,
    &["Shows every kind of error by itself, under other names."],
);
static NETLINK: Flag = Flag::new(
    "collector.netdev.netlink",
    FlagKind::Switch,
    &["For the sake of old command lines: on or off, the numbers are the same."],
);

fn build(choices: &Choices) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(Netdev {
        filter: Filter::read(choices, &INCLUDE, &EXCLUDE, None)?,
        addresses: choices.is_on(&ADDRESSES).unwrap_or(false),
        alias: choices.is_on(&ALIAS).unwrap_or(false),
        detailed: choices.is_on(&DETAILED).unwrap_or(false),
    }))
}

struct Netdev {
    filter: Filter,
    addresses: bool,
    alias: bool,
    detailed: bool,
}

const FILE: &str = "net/dev";

impl Source for Netdev {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, names, numbers, seen, batch, links, .. } = scratch;
        let text = machine.procfs.held_short(FILE, file)?;
        let any = self.read(machine, text, names, numbers, seen);
        let columns = if self.detailed {
            &DETAILS[..]
        } else {
            read_unhandled(machine, links.told(), names, numbers);
            &COLUMNS[..]
        };
        batch.clear();
        if self.alias {
            for name in names.iter() {
                batch.ask_attribute(&[b"class/net/", name, b"/ifalias"]);
            }
            machine.patience.ask(batch, &|| page.is_expired());
        }
        for (place, column) in columns.iter().enumerate() {
            let mut family = page.family(Kind::Counter, column.name, column.help);
            for (device, (name, row)) in names.iter().zip(numbers.chunks_exact(1 + columns.len())).enumerate()
            {
                let Some(number) = at(row, place) else { continue };
                let (mut spare, mut alias) = (NO_TEXT, NO_TEXT);
                let label = ("device", lossy(name, &mut spare));
                if self.alias {
                    let alias = lossy(batch.text(device).unwrap_or_default(), &mut alias);
                    family.sample(&[label, ("ifalias", alias)], number);
                } else {
                    family.sample(&[label], number);
                }
            }
        }
        if self.addresses {
            addresses::write(machine, batch, seen, page)?;
        }
        if any { Ok(()) } else { Err(Problem::malformed(FILE)) }
    }
}

impl Netdev {
    /// Reads the names of the devices that are shown, and for each [`DETAILS`], if they are wanted, or [`COLUMNS`].
    /// Whether there was any device at all.
    fn read(
        &self,
        machine: &Machine,
        text: &[u8],
        names: &mut Names,
        numbers: &mut Vec<u64>,
        seen: &mut Seen,
    ) -> bool {
        names.clear();
        numbers.clear();
        seen.clear();
        let mut any = false;
        for line in lines(text) {
            // Old kernels put the first number right behind the colon, and allow colons in names.
            let Some(colon) = line.iter().rposition(|byte| *byte == b':') else { continue };
            let (name, rest) = line.split_at(colon);
            let name = name.trim_ascii();
            let mut spare = NO_TEXT;
            let shown = lossy(name, &mut spare);
            if name.is_empty() {
                continue;
            }
            any = true;
            if !self.filter.takes(shown) || !seen.is_new(shown.as_bytes()) {
                continue;
            }
            names.push(name);
            let mut values = fields(rest.get(1..).unwrap_or_default());
            if self.detailed {
                // Without statistics in sysfs, what both call the same is the same.
                let read = |column: &Column| {
                    statistic(machine, name, column.file).or_else(|| {
                        let place = COLUMNS.iter().position(|known| known.name == column.name)?;
                        values.clone().nth(place).and_then(unsigned)
                    })
                };
                push(numbers, DETAILS.iter().map(read));
                continue;
            }
            let read = |column: &Column| match column.file {
                NO_HANDLER => None,
                _ => values.next().and_then(unsigned),
            };
            push(numbers, COLUMNS.iter().map(read));
        }
        any
    }
}

/// What `/proc/net/dev` does not have. Rtnetlink has told it if it has been asked anyway.
fn read_unhandled(machine: &Machine, told: &[u8], names: &Names, numbers: &mut [u64]) {
    // Both tell of the devices in the same order, as a rule.
    let mut links = Link::all(told).cycle();
    let count = Link::all(told).count();
    for (name, row) in names.iter().zip(numbers.chunks_exact_mut(1 + COLUMNS.len())) {
        let link = links.by_ref().take(count).find(|link| link.name() == name);
        let unhandled = link.and_then(Link::unhandled).or_else(|| statistic(machine, name, NO_HANDLER));
        if let (Some(number), [known, .., last]) = (unhandled, row) {
            *known |= 1 << (COLUMNS.len() - 1);
            *last = number;
        }
    }
}

const _: () = assert!(COLUMNS.len() <= 64 && DETAILS.len() <= 64);

/// Adds a row: which columns are known, a bit for each, then the columns. Any number may be a counter's.
fn push(numbers: &mut Vec<u64>, row: impl Iterator<Item = Option<u64>>) {
    let first = numbers.len();
    numbers.push(0);
    for (place, number) in row.enumerate() {
        if let Some(known) = numbers.get_mut(first) {
            *known |= u64::from(number.is_some()) << place;
        }
        numbers.push(number.unwrap_or_default());
    }
}

/// A column of a row.
fn at(row: &[u64], place: usize) -> Option<u64> {
    let (known, columns) = row.split_first()?;
    columns.get(place).copied().filter(|_| known >> place & 1 == 1)
}

fn statistic(machine: &Machine, device: &[u8], file: &str) -> Option<u64> {
    machine.sysfs.number(pieces(&[b"class/net/", device, b"/statistics/", file.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0:18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
";

    fn tree() -> Tree {
        Tree::new(&[
            ("proc/net/dev", DEV),
            ("sys/class/net/eth0/statistics/rx_nohandler", "17\n"),
            ("sys/class/net/eth0/statistics/rx_over_errors", "18\n"),
            ("sys/class/net/eth0/ifalias", "up\"link\n"),
        ])
    }

    #[test]
    fn traffic_is_shown_device_by_device() {
        let outcome = tree().run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert!(outcome.page.starts_with("# HELP node_network_receive_bytes_total "));
        let samples = outcome.samples();
        for (name, value) in [
            ("receive_bytes", "18446744073709551615"),
            ("receive_packets", "2"),
            ("receive_errs", "3"),
            ("receive_drop", "4"),
            ("receive_fifo", "5"),
            ("receive_frame", "6"),
            ("receive_compressed", "7"),
            ("receive_multicast", "8"),
            ("transmit_bytes", "9"),
            ("transmit_packets", "10"),
            ("transmit_errs", "11"),
            ("transmit_drop", "12"),
            ("transmit_fifo", "13"),
            ("transmit_colls", "14"),
            ("transmit_carrier", "15"),
            ("transmit_compressed", "16"),
            ("receive_nohandler", "17"),
        ] {
            assert!(
                samples.contains(&format!("node_network_{name}_total{{device=\"eth0\"}} {value}\n")),
                "{name}"
            );
        }
        assert_eq!(samples.lines().count(), 16 + 17);
        assert!(samples.contains("node_network_transmit_bytes_total{device=\"lo\"} 1000\n"));
    }

    /// Whatever order the devices are told in; who is not told of, or without counters, has a file.
    #[test]
    fn what_rtnetlink_has_told_is_used() {
        use crate::exporter::collectors::network::link::tests::{answer, unhandled};
        let (mut names, mut numbers) = (Names::default(), Vec::new());
        for name in [&b"lo"[..], b"eth0", b"eth1", b"eth2"] {
            names.push(name);
            push(&mut numbers, COLUMNS.iter().map(|_| None));
        }
        let told = answer(&[
            (b"eth1\0", 0, &[(23, &unhandled(3))]),
            (b"eth0\0", 0, &[(23, &unhandled(2)[..20])]),
            (b"other\0", 0, &[(23, &unhandled(9))]),
            (b"lo\0", 0, &[(23, &unhandled(1))]),
        ]);
        let tree = tree();
        let machine = tree.machine();
        let mut shown = |told: &[u8]| -> Vec<_> {
            read_unhandled(&machine, told, &names, &mut numbers);
            numbers
                .chunks_exact_mut(1 + COLUMNS.len())
                .map(|row| {
                    let number = at(row, COLUMNS.len() - 1);
                    row.fill(0);
                    number
                })
                .collect()
        };
        assert_eq!(shown(&told), [Some(1), Some(17), Some(3), None]);
        assert_eq!(shown(&[]), [None, Some(17), None, None]);
    }

    #[test]
    fn devices_are_chosen() {
        let shown = |flags: &[(&'static str, &str)]| {
            let samples = tree().run(&ENTRY, flags).samples();
            (samples.contains("\"lo\""), samples.contains("\"eth0\""))
        };
        assert_eq!(shown(&[("collector.netdev.device-include", "^e")]), (false, true));
        assert_eq!(shown(&[("collector.netdev.device-exclude", "0")]), (true, false));
        assert_eq!(shown(&[("collector.netdev.device-exclude", "")]), (true, true));
        let both = [("collector.netdev.device-exclude", "a"), ("collector.netdev.device-include", "a")];
        assert!(build(&Choices::of(&both)).is_err());
        let none = tree().run(&ENTRY, &[("collector.netdev.device-include", "none")]);
        assert_eq!((none.page.as_str(), none.result), ("", Ok(())));
    }

    #[test]
    fn details_and_aliases_are_shown_if_wanted() {
        let flags = [
            ("collector.netdev.enable-detailed-metrics", "true"),
            ("collector.netdev.label-ifalias", "true"),
        ];
        let both = tree();
        both.write("sys/class/net/eth0/statistics/tx_bytes", "19\n");
        let samples = both.run(&ENTRY, &flags).samples();
        let eth0 =
            samples.lines().filter_map(|line| line.split_once("{device=\"eth0\",ifalias=\"up\\\"link\"} "));
        // What is not in the files is in the table, as far as it means the same.
        assert!(
            eth0.eq([
                ("node_network_receive_bytes_total", "18446744073709551615"),
                ("node_network_receive_compressed_total", "7"),
                ("node_network_receive_nohandler_total", "17"),
                ("node_network_receive_over_errors_total", "18"),
                ("node_network_receive_packets_total", "2"),
                ("node_network_transmit_bytes_total", "19"),
                ("node_network_transmit_compressed_total", "16"),
                ("node_network_transmit_packets_total", "10"),
            ]),
            "{samples}"
        );
        assert!(samples.contains("node_network_transmit_packets_total{device=\"lo\",ifalias=\"\"} 10\n"));
        let outcome = tree().run(&ENTRY, &[("collector.netdev.label-ifalias", "true")]);
        assert!(
            outcome.samples().contains("node_network_receive_errs_total{device=\"lo\",ifalias=\"\"} 0\n")
        );
    }

    #[test]
    fn a_bad_number_is_left_out_alone() {
        let text = "h\n a:b:1 x 3\n\u{fffd}:\n:5 5\n a:b: 7 7\n";
        let outcome = Tree::new(&[("proc/net/dev", text)]).run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples(),
            "node_network_receive_bytes_total{device=\"a:b\"} 1\n\
             node_network_receive_errs_total{device=\"a:b\"} 3\n"
        );
        for text in ["", "\n", "Inter-|\n face |\n"] {
            let outcome = Tree::new(&[("proc/net/dev", text)]).run(&ENTRY, &[]);
            assert_eq!(outcome.result, Err(Problem::malformed(FILE)));
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn a_thousand_devices_are_no_trouble() {
        let line = |device: u32| format!("vlan{device}: {device} 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
        let text: String = (0..1000).map(line).collect();
        let samples = Tree::new(&[("proc/net/dev", &text)]).run(&ENTRY, &[]).samples();
        assert_eq!(samples.lines().count(), 16_000);
        assert!(samples.contains("node_network_receive_bytes_total{device=\"vlan999\"} 999\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[a:0-9 \n]{0,200}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[]);
                tree.write("proc/net/dev", bytes);
                tree.run(&ENTRY, &[]).assert_sound();
            }
        }
    }
}
