//! `netclass`: what network devices are, and how they stand. Source: `/sys/class/net/*`, the kernel's
//! `Documentation/ABI/testing/sysfs-class-net`; of this machine most of it from rtnetlink(7), which tells of all devices
//! at once: six files a device are left of 22, and of these most are remembered. Both are asked and compared when a
//! device is new.

mod attributes;
mod memory;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::boxed::Box;
use std::string::String;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::vec::Vec;

use regex_lite::Regex;

use super::link::{self, ADDRESS, BROADCAST, Link, Number, Room};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::filter::regex;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::netlink::Peer;
use crate::exporter::engine::parse::{NO_TEXT, any_base, lossy, trim};
use crate::exporter::engine::patience::{Answer, Batch, PATIENCE_FOR_ALL, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::{Seen, mark};
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};
use attributes::{
    DUPLEX, FLAGS, INDEX, NUMBERS, OPERSTATE, QUESTIONS, SPEED, TEXTS, is_compared, only_in_file,
};
use memory::{Memory, mark_of};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.netclass",
        FlagKind::Switch,
        &["What network devices are, and how they stand."],
    ),
    default: true,
    flags: &[&IGNORED, &INVALID_SPEED, &NETLINK],
    build: Build::By(|choices| {
        Ok(Box::new(Netclass {
            ignored: ignored(choices)?,
            ignore_invalid_speed: choices.is_on(&INVALID_SPEED).unwrap_or(false),
            netlink: choices.is_on(&NETLINK).unwrap_or(true),
            known: AtomicU32::new(0),
            strikes: AtomicU32::new(0),
            memory: Mutex::default(),
        }))
    }),
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
    &["Asks the kernel for all devices at once where they are this machine's. Default on."],
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
    netlink: bool,
    /// A mark of the devices of which both sources told the same; 0 if there are none.
    known: AtomicU32,
    /// How often rtnetlink has told something else than the files, or nothing.
    strikes: AtomicU32,
    /// Of files, as long as rtnetlink is believed.
    memory: Mutex<Memory>,
}

/// After so many, rtnetlink is not asked any more: this sysfs is of another network namespace.
const STRIKES: u32 = 3;

const CLASS: &str = "class/net";

impl Source for Netclass {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names, batch, seen, numbers, links, .. } = scratch;
        let found = machine.sysfs.held_list(CLASS, more_names);
        found.map_err(|errno| Problem::unreadable(CLASS, errno))?;
        self.choose(more_names, names, seen);
        let begun = Instant::now();
        let is_over = || page.is_expired() || begun.elapsed() >= PATIENCE_FOR_ALL;
        let asked = self.what_to_ask(machine);
        self.ask(names, batch, numbers, asked);
        machine.patience.ask(batch, &is_over);
        let mut devices = Devices { batch, asked, rows: numbers };
        if asked != Asked::Files {
            devices.find(names);
            if self.trusts(&devices, names) {
                self.recall(&mut devices, names, machine, &is_over);
                links.tell(devices.answer().unwrap_or_default());
            } else {
                self.ask(names, devices.batch, devices.rows, Asked::Files);
                devices.asked = Asked::Files;
                machine.patience.ask(devices.batch, &is_over);
            }
        }
        write_state(names, &devices, page);
        for (place, attribute) in NUMBERS.iter().enumerate() {
            let mut family = page.family(attribute.kind, attribute.name, attribute.help);
            for (device, name) in names.iter().enumerate() {
                let Some(number) = devices.number(device, place) else { continue };
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
    fn what_to_ask(&self, machine: &Machine) -> Asked {
        if !self.netlink || machine.sys != "/sys" || self.strikes.load(Relaxed) >= STRIKES {
            Asked::Files
        } else if self.known.load(Relaxed) == 0 {
            Asked::Both
        } else {
            Asked::Told
        }
    }

    /// Whether what rtnetlink has told can be shown: a sysfs may be of another network namespace than this process, and
    /// is as long as both run. So the same devices must have been found in both before.
    fn trusts(&self, devices: &Devices<'_>, names: &Names) -> bool {
        let mark = devices.mark(names);
        if devices.asked == Asked::Told && mark == Some(self.known.load(Relaxed)) {
            return true;
        }
        let compared = mark.filter(|_| devices.asked == Asked::Both && devices.agree(names));
        self.known.store(compared.unwrap_or(0), Relaxed);
        if compared.is_some() {
            self.strikes.store(0, Relaxed);
        } else if devices.asked == Asked::Both || mark.is_none() {
            self.strikes.fetch_add(1, Relaxed);
        }
        compared.is_some()
    }

    /// Asks what is not remembered. A driver answers for `speed` and `duplex`, so that these may hang, and what waits for
    /// the same lock.
    fn ask(&self, names: &Names, batch: &mut Batch, rows: &mut Vec<u64>, asked: Asked) {
        batch.clear();
        rows.clear();
        rows.resize(names.len() * ROW, 0);
        if asked != Asked::Files {
            batch.ask(Question::Netlink(Peer::Route), link::request());
        }
        let mut memory = self.memory();
        // What is not compared with rtnetlink is neither remembered nor recalled.
        if asked != Asked::Files {
            memory.turn(names);
        }
        for ((device, name), row) in names.iter().enumerate().zip(rows.chunks_exact_mut(ROW)) {
            for (place, number) in row.iter_mut().take(QUESTIONS).enumerate() {
                if asked.has_file(place) && !(asked == Asked::Told && memory.has(device, place)) {
                    *number = 1 + ask_file(batch, name, place) as u64;
                }
            }
        }
    }

    /// Recalls what was not asked, asks what turns out to be new, and remembers it all.
    fn recall(
        &self,
        devices: &mut Devices<'_>,
        names: &Names,
        machine: &Machine,
        is_over: &dyn Fn() -> bool,
    ) {
        let memory = self.memory();
        let mut is_new = false;
        for (device, name) in names.iter().enumerate() {
            let Some(link) = devices.link(device).map(mark_of) else { continue };
            devices.set(device, MARK, link);
            for place in (0..QUESTIONS).filter(|place| only_in_file(*place)) {
                if devices.question(device, place).is_some() {
                    continue;
                }
                let question = match memory.recall(device, place, link) {
                    Some(text) => devices.batch.answered(text),
                    None => {
                        is_new = true;
                        ask_file(devices.batch, name, place)
                    }
                };
                devices.set(device, place, 1 + question as u64);
            }
        }
        drop(memory);
        if is_new {
            machine.patience.ask(devices.batch, is_over);
        }
        let mut memory = self.memory();
        for device in 0..names.len() {
            if let Some(link) = devices.link(device) {
                let mark = devices.row(device).get(MARK).copied().unwrap_or(0);
                memory.learn(device, link, mark, |place| {
                    devices.question(device, place).map(|question| devices.batch.answer(question))
                });
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

/// What is asked about the devices.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// All files.
    Files,
    /// Rtnetlink, what is in files alone, and the files to compare it with.
    Both,
    /// Rtnetlink, and what is in files alone.
    Told,
}

impl Asked {
    /// Whether it is the file at this place that is asked.
    fn has_file(self, place: usize) -> bool {
        match self {
            Self::Files => true,
            Self::Both => only_in_file(place) || is_compared(place),
            Self::Told => only_in_file(place),
        }
    }
}

fn ask_file(batch: &mut Batch, device: &[u8], place: usize) -> usize {
    let number = NUMBERS.get(place).map(|number| number.file);
    let file = number.or_else(|| TEXTS.get(place - NUMBERS.len()).copied()).unwrap_or_default();
    batch.ask_attribute(&[CLASS.as_bytes(), b"/", device, b"/", file.as_bytes()])
}

/// The answers.
struct Devices<'a> {
    batch: &'a mut Batch,
    asked: Asked,
    /// A row for each device: the numbers of the questions about its files, from 1 on, where in the answer of rtnetlink it
    /// is told of, and a mark of what is told.
    rows: &'a mut Vec<u64>,
}

const TOLD: usize = QUESTIONS;
const MARK: usize = QUESTIONS + 1;
const ROW: usize = QUESTIONS + 2;

impl Devices<'_> {
    /// Finds what rtnetlink has told.
    fn find(&mut self, names: &Names) {
        let Answer::Text(answer) = self.batch.answer(0) else { return };
        Link::find_all(answer, names, |device, place| {
            if let Some(told) = self.rows.get_mut(device * ROW + TOLD) {
                *told = place;
            }
        });
    }

    /// What rtnetlink has told.
    fn answer(&self) -> Option<&[u8]> {
        self.batch.text(0).filter(|_| self.asked != Asked::Files)
    }

    fn row(&self, device: usize) -> &[u64] {
        self.rows.chunks_exact(ROW).nth(device).unwrap_or_default()
    }

    /// The number of the question about a file.
    fn question(&self, device: usize, place: usize) -> Option<usize> {
        let number = self.row(device).get(..QUESTIONS)?.get(place)?.checked_sub(1)?;
        usize::try_from(number).ok()
    }

    fn set(&mut self, device: usize, place: usize, number: u64) {
        if let Some(place) = self.rows.get_mut(device * ROW + place) {
            *place = number;
        }
    }

    /// What a file holds.
    fn file(&self, device: usize, place: usize) -> Option<&[u8]> {
        self.batch.text(self.question(device, place)?)
    }

    fn link(&self, device: usize) -> Option<Link<'_>> {
        Link::at(self.answer()?, *self.row(device).get(TOLD)?)
    }

    /// A mark of the devices, if rtnetlink has told of any: of their names, indexes and addresses.
    fn mark(&self, names: &Names) -> Option<u32> {
        self.answer()?;
        let all = names.iter().enumerate().fold(0_u64, |before, (device, name)| {
            let link = self.link(device);
            let index = link.and_then(|link| link.number(Number::Index)).unwrap_or(0);
            let mut room = [0; size_of::<Room>()];
            let address = link.map_or(&b""[..], |link| link.address(ADDRESS, &mut room));
            mark(&[&before.to_ne_bytes(), name, &index.to_ne_bytes(), address])
        });
        // Never 0, which stands for none.
        Some(((all >> 32) ^ all) as u32 | 1)
    }

    /// Whether rtnetlink tells of each device that has files, and knows it by the same index and address.
    fn agree(&self, names: &Names) -> bool {
        let index = NUMBERS.iter().position(|attribute| attribute.file == INDEX).unwrap_or(0);
        (0..names.len()).all(|device| {
            let mut room = [0; size_of::<Room>()];
            match self.link(device) {
                None => (0..QUESTIONS).all(|place| self.file(device, place).is_none()),
                Some(link) => {
                    let address = self.file(device, NUMBERS.len()).unwrap_or_default();
                    self.file(device, index).and_then(any_base) == link.number(Number::Index)
                        && address == link.address(ADDRESS, &mut room)
                }
            }
        })
    }

    fn number(&self, device: usize, place: usize) -> Option<i64> {
        match (self.link(device), NUMBERS.get(place)) {
            (Some(link), Some(attribute)) if !only_in_file(place) => link.number(attribute.told),
            _ => any_base(self.file(device, place)?),
        }
    }

    fn text<'r>(&'r self, device: usize, place: usize, room: &'r mut Room) -> &'r [u8] {
        let Some(link) = self.link(device) else {
            return self.file(device, NUMBERS.len() + place).unwrap_or_default();
        };
        match place {
            0 => link.address(ADDRESS, room),
            1 => link.address(BROADCAST, room),
            OPERSTATE => link.state(),
            DUPLEX => self.file(device, NUMBERS.len() + DUPLEX).unwrap_or_default(),
            _ => trim(link.alias()),
        }
    }

    /// A file beside the devices has no attributes, nor has a device that has just gone.
    fn is_there(&self, device: usize) -> bool {
        match self.asked {
            Asked::Told | Asked::Both => self.link(device).is_some(),
            Asked::Files => (0..QUESTIONS).any(|place| self.file(device, place).is_some()),
        }
    }
}

fn write_state(names: &Names, devices: &Devices<'_>, page: &mut Page<'_>) {
    let flags = NUMBERS.iter().position(|attribute| attribute.file == FLAGS);
    let help = "The addresses and the state of a network device. Always 1.";
    let mut family = page.family(Kind::Gauge, "node_network_info", help);
    for (device, name) in names.iter().enumerate().filter(|(device, _)| devices.is_there(*device)) {
        let (mut spare, mut spares) = (NO_TEXT, [NO_TEXT; TEXTS.len()]);
        let mut rooms = [[0; size_of::<Room>()]; TEXTS.len()];
        let mut labels = [("", ""); TEXTS.len() + 2];
        let (ends, texts) = labels.split_at_mut(2);
        ends.copy_from_slice(&[
            ("device", lossy(name, &mut spare)),
            ("adminstate", admin_state(flags.and_then(|place| devices.number(device, place)))),
        ]);
        let rooms = spares.iter_mut().zip(&mut rooms);
        for (place, ((label, what), (spare, room))) in texts.iter_mut().zip(TEXTS).zip(rooms).enumerate() {
            *label = (what, lossy(devices.text(device, place, room), spare));
        }
        family.sample(&labels, 1_u32);
    }
    let help =
        "Whether the operational state of the device is \"up\"; that of a tunnel or the loopback never is.";
    let mut family = page.family(Kind::Gauge, "node_network_up", help);
    for (device, name) in names.iter().enumerate().filter(|(device, _)| devices.is_there(*device)) {
        let mut spare = NO_TEXT;
        let is_up = devices.text(device, OPERSTATE, &mut [0; size_of::<Room>()]) == b"up";
        family.sample(&[("device", lossy(name, &mut spare))], is_up);
    }
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
    use crate::exporter::engine::machine::Paths;
    use crate::exporter::engine::testing::{Tree, run};

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
        assert!(ENTRY.source(&Choices::of(&[("collector.netclass.ignored-devices", "(")])).is_err());
    }

    fn netclass(netlink: bool) -> Netclass {
        let (known, strikes) = (AtomicU32::new(0), AtomicU32::new(0));
        let memory = Mutex::default();
        Netclass { ignored: None, ignore_invalid_speed: false, netlink, known, strikes, memory }
    }

    #[test]
    fn rtnetlink_tells_what_the_files_hold() {
        let machine = Machine::open(&Paths::default()).unwrap();
        let samples = |source: &Netclass| {
            let outcome = run(source, &machine);
            assert_eq!(outcome.result, Ok(()));
            outcome.assert_sound();
            outcome.samples()
        };
        let (files, told) = (netclass(false), netclass(true));
        assert_eq!((files.what_to_ask(&machine), told.what_to_ask(&machine)), (Asked::Files, Asked::Both));
        let mut asked = Vec::new();
        // Both are compared, then one is believed. Somebody may change a device just now, or it is another namespace.
        for _ in 0..4 {
            asked.push(told.what_to_ask(&machine));
            let is_same = (0..5).any(|_| samples(&told) == samples(&files));
            assert!(is_same, "{}{}", samples(&told), samples(&files));
        }
        assert!(samples(&files).contains("node_network_info{device=\"lo\","));
        assert_eq!(asked[0], Asked::Both);
        assert!(asked.contains(&Asked::Told) || told.strikes.load(Relaxed) > 0, "{asked:?}");
    }

    #[test]
    fn another_namespace_is_not_believed() {
        let machine = Machine::open(&Paths::default()).unwrap();
        let told = netclass(true);
        // Devices that were others when both were compared.
        told.known.store(7, Relaxed);
        assert_eq!(told.what_to_ask(&machine), Asked::Told);
        let outcome = run(&told, &machine);
        assert!(outcome.samples().contains("node_network_iface_id{device=\"lo\"} 1\n"));
        assert_eq!((told.known.load(Relaxed), told.what_to_ask(&machine)), (0, Asked::Both));
        told.strikes.store(STRIKES, Relaxed);
        assert_eq!(told.what_to_ask(&machine), Asked::Files);
        let elsewhere = Tree::new(&[("sys/class/net/eth0/ifindex", "2\n")]);
        assert_eq!(netclass(true).what_to_ask(&elsewhere.machine()), Asked::Files);
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
