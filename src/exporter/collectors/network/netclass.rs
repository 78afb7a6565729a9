//! `netclass`: what network devices are, and how they stand. Source: `/sys/class/net/*`, the kernel's
//! `Documentation/ABI/testing/sysfs-class-net`.

use std::boxed::Box;
use std::string::String;

use regex_lite::Regex;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::filter::regex;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, any_base, lossy};
use crate::exporter::engine::path::joined;
use crate::exporter::engine::patience::{Batch, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::Seen;
use crate::exporter::engine::source::{Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.netclass",
        FlagKind::Switch,
        &["What network devices are, and how they stand."],
    ),
    default: true,
    flags: &[&IGNORED, &INVALID_SPEED, &NETLINK],
    build: |choices| {
        Ok(Box::new(Netclass {
            ignored: ignored(choices)?,
            ignore_invalid_speed: choices.is_on(&INVALID_SPEED).unwrap_or(false),
        }))
    },
};

static IGNORED: Flag = Flag::new(
    "collector.netclass.ignored-devices",
    FlagKind::Value("REGEX"),
    &["No network devices whose name matches. Default none."],
);
static INVALID_SPEED: Flag = Flag::new(
    "collector.netclass.ignore-invalid-speed",
    FlagKind::Switch,
    &["Leaves out a speed below 0, which is one that the device does not know."],
);
static NETLINK: Flag = Flag::new(
    "collector.netclass.netlink",
    FlagKind::Switch,
    &["For the sake of old command lines: on or off, sysfs is read."],
);

fn ignored(choices: &Choices) -> Result<Option<Regex>, String> {
    choices
        .value(&IGNORED)
        .filter(|pattern| !pattern.is_empty())
        .map(|pattern| regex(&IGNORED, pattern))
        .transpose()
}

struct Netclass {
    ignored: Option<Regex>,
    ignore_invalid_speed: bool,
}

const CLASS: &str = "class/net";

/// An attribute that is a number.
struct Attribute {
    file: &'static str,
    kind: Kind,
    name: &'static str,
    help: &'static str,
}

const fn gauge(file: &'static str, name: &'static str, help: &'static str) -> Attribute {
    Attribute { file, kind: Kind::Gauge, name, help }
}

const fn counter(file: &'static str, name: &'static str, help: &'static str) -> Attribute {
    Attribute { file, kind: Kind::Counter, name, help }
}

static NUMBERS: [Attribute; 17] = [
    gauge("addr_assign_type", "node_network_address_assign_type", "How the hardware address was chosen."),
    gauge("carrier", "node_network_carrier", "Whether the device has a carrier."),
    counter("carrier_changes", "node_network_carrier_changes_total", "How often the carrier came or went."),
    counter("carrier_down_count", "node_network_carrier_down_changes_total", "How often the carrier went."),
    counter("carrier_up_count", "node_network_carrier_up_changes_total", "How often the carrier came."),
    gauge(
        "dev_id",
        "node_network_device_id",
        "The number of the device among those of one hardware address.",
    ),
    gauge("dormant", "node_network_dormant", "Whether the device waits for something else, as for a login."),
    gauge(FLAGS, "node_network_flags", "The flags of the device, netdevice(7)."),
    gauge("ifindex", "node_network_iface_id", "The index of the device."),
    gauge("iflink", "node_network_iface_link", "The index of the device below this one, or its own."),
    gauge(
        "link_mode",
        "node_network_iface_link_mode",
        "Who says that the device is up: 0 the driver, 1 a program.",
    ),
    gauge("mtu", "node_network_mtu_bytes", "The largest packet that is sent, in bytes."),
    gauge("name_assign_type", "node_network_name_assign_type", "How the name was chosen."),
    gauge("netdev_group", "node_network_net_dev_group", "The group of the device."),
    gauge("type", "node_network_protocol_type", "What the device carries: the number of the hardware type."),
    gauge(SPEED, "node_network_speed_bytes", "The speed of the link, in bytes per second."),
    gauge("tx_queue_len", "node_network_transmit_queue_length", "How many packets wait to be sent at most."),
];

const FLAGS: &str = "flags";
const SPEED: &str = "speed";

/// Attributes that are texts, as they are called in `node_network_info`.
const TEXTS: [&str; 5] = ["address", "broadcast", "duplex", "operstate", "ifalias"];
const OPERSTATE: usize = 3;

/// The questions about one device: the numbers, then the texts.
const QUESTIONS: usize = NUMBERS.len() + TEXTS.len();

impl Source for Netclass {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names, batch, seen, .. } = scratch;
        let found = machine.sysfs.list(CLASS, more_names);
        found.map_err(|errno| Problem::unreadable(CLASS, errno))?;
        self.choose(more_names, names, seen);
        // The files of a device that a driver answers for may hang: `speed` and `duplex`, and what waits for them.
        batch.clear();
        for name in names.iter() {
            for file in NUMBERS.iter().map(|number| number.file).chain(TEXTS) {
                batch.ask(Question::Sysfs, joined(&[CLASS.as_bytes(), b"/", name, b"/", file.as_bytes()]));
            }
        }
        machine.patience.ask(batch, &|| page.is_expired());
        write_state(names, batch, page);
        for (place, attribute) in NUMBERS.iter().enumerate() {
            let mut family = page.family(attribute.kind, attribute.name, attribute.help);
            for (device, name) in names.iter().enumerate() {
                let Some(number) = number(batch, device, place) else { continue };
                let number = if attribute.file != SPEED {
                    number
                } else if number < 0 && self.ignore_invalid_speed {
                    continue;
                } else {
                    // The kernel tells megabits.
                    number.saturating_mul(1_000_000 / 8)
                };
                let mut spare = NO_TEXT;
                family.sample(&[("device", lossy(name, &mut spare))], number);
            }
        }
        Ok(())
    }
}

impl Netclass {
    fn choose(&self, all: &Names, chosen: &mut Names, seen: &mut Seen) {
        chosen.clear();
        seen.clear();
        for name in all.iter() {
            let mut spare = NO_TEXT;
            let shown = lossy(name, &mut spare);
            let is_ignored = self.ignored.as_ref().is_some_and(|ignored| ignored.is_match(shown));
            if !is_ignored && seen.is_new(shown.as_bytes()) {
                chosen.push(name);
            }
        }
    }
}

fn write_state(names: &Names, batch: &Batch, page: &mut Page<'_>) {
    let text = |device: usize, place: usize| batch.text(device * QUESTIONS + NUMBERS.len() + place);
    // A file beside the devices has no attributes, nor has a device that has just gone.
    let is_there =
        |device: &usize| (0..QUESTIONS).any(|place| batch.text(device * QUESTIONS + place).is_some());
    let help = "The addresses and the state of a network device. Always 1.";
    let mut family = page.family(Kind::Gauge, "node_network_info", help);
    for (device, name) in names.iter().enumerate().filter(|(device, _)| is_there(device)) {
        let (mut spare, mut spares) = (NO_TEXT, [NO_TEXT; TEXTS.len()]);
        let mut labels = [("", ""); TEXTS.len() + 2];
        let (ends, texts) = labels.split_at_mut(2);
        let flags = NUMBERS.iter().position(|attribute| attribute.file == FLAGS);
        ends.copy_from_slice(&[
            ("device", lossy(name, &mut spare)),
            ("adminstate", admin_state(flags.and_then(|place| number(batch, device, place)))),
        ]);
        for (place, ((label, what), spare)) in texts.iter_mut().zip(TEXTS).zip(&mut spares).enumerate() {
            *label = (what, lossy(text(device, place).unwrap_or_default(), spare));
        }
        family.sample(&labels, 1_u32);
    }
    let help =
        "Whether the operational state of the device is \"up\"; that of a tunnel or the loopback never is.";
    let mut family = page.family(Kind::Gauge, "node_network_up", help);
    for (device, name) in names.iter().enumerate().filter(|(device, _)| is_there(device)) {
        let mut spare = NO_TEXT;
        let is_up = text(device, OPERSTATE) == Some(b"up");
        family.sample(&[("device", lossy(name, &mut spare))], is_up);
    }
}

fn number(batch: &Batch, device: usize, place: usize) -> Option<i64> {
    any_base(batch.text(device * QUESTIONS + place)?)
}

/// Whether somebody has set the device up: `IFF_UP`.
fn admin_state(flags: Option<i64>) -> &'static str {
    match flags {
        Some(flags) if flags & 1 == 1 => "up",
        Some(_) => "down",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const ETH0: [(&str, &str); 22] = [
        ("addr_assign_type", "3\n"),
        ("address", "02:00:00:00:00:01\n"),
        ("broadcast", "ff:ff:ff:ff:ff:ff\n"),
        ("carrier", "1\n"),
        ("carrier_changes", "5\n"),
        ("carrier_down_count", "2\n"),
        ("carrier_up_count", "3\n"),
        ("dev_id", "0x20\n"),
        ("dormant", "0\n"),
        ("duplex", "full\n"),
        ("flags", "0x1303\n"),
        ("ifalias", "the \"uplink\"\n"),
        ("ifindex", "2\n"),
        ("iflink", "2\n"),
        ("link_mode", "1\n"),
        ("mtu", "1500\n"),
        ("name_assign_type", "4\n"),
        ("netdev_group", "0\n"),
        ("operstate", "up\n"),
        ("speed", "1000\n"),
        ("tx_queue_len", "1000\n"),
        ("type", "1\n"),
    ];

    fn tree() -> Tree {
        let tree = Tree::new(&[("sys/class/net/bonding_masters", "bond0\n")]);
        for (file, text) in ETH0 {
            tree.write(&format!("sys/class/net/eth0/{file}"), text);
        }
        // A device that is down: carrier and speed cannot be read, duplex is not there.
        tree.write("sys/devices/virtual/net/lo0/operstate", "unknown\n");
        tree.write("sys/devices/virtual/net/lo0/flags", "0x8\n");
        tree.write("sys/devices/virtual/net/lo0/speed", "-1\n");
        tree.link("sys/class/net/lo0", "../../devices/virtual/net/lo0");
        tree
    }

    #[test]
    fn attributes_are_shown_device_by_device() {
        let outcome = tree().run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        let samples = outcome.samples();
        assert!(samples.contains(
            "node_network_info{device=\"eth0\",adminstate=\"up\",address=\"02:00:00:00:00:01\",\
             broadcast=\"ff:ff:ff:ff:ff:ff\",duplex=\"full\",operstate=\"up\",ifalias=\"the \\\"uplink\\\"\"} 1\n"
        ));
        assert!(samples.contains(
            "node_network_info{device=\"lo0\",adminstate=\"down\",address=\"\",broadcast=\"\",duplex=\"\",\
             operstate=\"unknown\",ifalias=\"\"} 1\n"
        ));
        for (name, value) in [
            ("address_assign_type", 3),
            ("carrier", 1),
            ("carrier_changes_total", 5),
            ("carrier_down_changes_total", 2),
            ("carrier_up_changes_total", 3),
            ("device_id", 32),
            ("dormant", 0),
            ("flags", 0x1303),
            ("iface_id", 2),
            ("iface_link", 2),
            ("iface_link_mode", 1),
            ("mtu_bytes", 1500),
            ("name_assign_type", 4),
            ("net_dev_group", 0),
            ("protocol_type", 1),
            ("speed_bytes", 125_000_000),
            ("transmit_queue_length", 1000),
            ("up", 1),
        ] {
            assert!(samples.contains(&format!("node_network_{name}{{device=\"eth0\"}} {value}\n")), "{name}");
        }
        assert!(samples.contains("node_network_speed_bytes{device=\"lo0\"} -125000\n"));
        assert!(samples.contains("node_network_up{device=\"lo0\"} 0\n"));
        assert_eq!(samples.lines().count(), 19 + 4);
        outcome.assert_sound();
        assert!(!samples.contains("bonding_masters"));
    }

    #[test]
    fn flags_leave_out() {
        let samples = tree().run(&ENTRY, &[("collector.netclass.ignore-invalid-speed", "true")]).samples();
        assert!(!samples.contains("-125000") && samples.contains("speed_bytes{device=\"eth0\"}"));
        let samples = tree().run(&ENTRY, &[("collector.netclass.ignored-devices", "^eth")]).samples();
        assert!(!samples.contains("eth0") && samples.contains("lo0"));
        assert!((ENTRY.build)(&Choices::of(&[("collector.netclass.ignored-devices", "(")])).is_err());
    }

    #[test]
    fn a_machine_without_devices_has_no_data() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let outcome = Tree::new(&[("sys/class/net/bonding_masters", "")]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let tree = Tree::new(&[]);
            for (file, _) in ETH0 {
                tree.write(&format!("sys/class/net/eth0/{file}"), &bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
