//! `mdadm`: arrays of disks. Source: `/proc/mdstat` and `/sys/block/DEVICE/md`, kernel Documentation/admin-guide/md.rst.

use rustix::io::Errno;

use super::lines::{after, find};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::{ATTRIBUTE, Attribute};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, fields, lossy, split_once, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.mdadm",
        FlagKind::Switch,
        &["Arrays of disks (software RAID) and their health."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Mdadm),
};

struct Mdadm;

const FILE: &str = "mdstat";

/// So many arrays are shown.
const MOST: usize = 512;

impl Source for Mdadm {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, names, rows, .. } = scratch;
        let mut rest = machine.procfs.held_whole(FILE, file)?;
        rows.clear();
        names.clear();
        while let Some(array) = next(&mut rest) {
            let mut spare = NO_TEXT;
            let device = lossy(array.name, &mut spare);
            if names.len() < MOST && !names.iter().any(|name| name == device.as_bytes()) {
                names.push(device.as_bytes());
                array.show(device, rows);
            }
        }
        // Arrays that are stopped may be there alone.
        if machine.sysfs.list("block", names).is_ok() {
            for name in names.iter().filter(|name| name.starts_with(b"md")).take(MOST) {
                show_sysfs(machine, name, rows);
            }
        }
        rows.write(page);
        Ok(())
    }
}

/// What the file says of one array.
#[derive(Debug, Default, PartialEq, Eq)]
struct Array<'a> {
    name: &'a [u8],
    /// `active`, `inactive`, or what it is doing: `recovery`, `resync`, `check`, `reshape`.
    state: &'a [u8],
    failed: u64,
    spare: u64,
    /// In blocks of 1 KiB, and how many of them are in step.
    size: Option<(u64, u64)>,
    /// How many disks there should be, and how many there are.
    disks: Option<(u64, u64)>,
}

/// The states that are shown, with the words of the file.
const STATES: [(&str, &[u8]); 5] = [
    ("active", b"active"),
    ("check", b"check"),
    ("inactive", b"inactive"),
    ("recovering", b"recovery"),
    ("resync", b"resync"),
];

/// The next array of the file: a line that begins with its name, and indented lines after it.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Array<'a>> {
    loop {
        let header = take_line(rest)?;
        let mut words = fields(header);
        let (Some(name), Some(b":"), Some(state)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if is_indented(header) || matches!(name, b"Personalities" | b"unused") {
            continue;
        }
        let mut array = Array {
            name,
            state,
            failed: count(header, b"(F)"),
            spare: count(header, b"(S)"),
            ..Array::default()
        };
        // These have no disk to spare: what is listed is what must be there.
        let members = count(header, b"[");
        if words.take(2).any(|word| matches!(word, b"raid0" | b"linear")) {
            array.disks = Some((members, members));
        } else if state == b"inactive" {
            array.disks = Some((0, 0));
        }
        let mut lines = *rest;
        while let Some(line) = take_line(&mut lines).filter(|line| is_indented(line) || line.is_empty()) {
            *rest = lines;
            array.read(line);
        }
        return Some(array);
    }
}

impl<'a> Array<'a> {
    fn read(&mut self, line: &'a [u8]) {
        let mut words = fields(line);
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        if let (Some(blocks), Some(b"blocks"), None) = (unsigned(first), second, self.size) {
            self.size = Some((blocks, blocks));
            if self.disks.is_none() {
                self.disks = words.filter_map(of_disks).last();
            }
            return;
        }
        if first == b"bitmap:" {
            return;
        }
        let doing = [&b"recovery"[..], b"reshape", b"check", b"resync"]
            .into_iter()
            .find(|word| find(line, word).is_some());
        let (Some(doing), Some((size, _))) = (doing, self.size) else { return };
        self.state = doing;
        // Without numbers it waits: `resync=DELAYED`, `resync=PENDING`.
        let done = after(line, b"(").and_then(|rest| unsigned(split_once(rest, b'/')?.0));
        self.size = Some((size, done.unwrap_or(0)));
    }

    fn show(&self, device: &str, rows: &mut Rows) {
        let help = "What the array is doing: 1 for its state.";
        for (state, word) in STATES {
            let labels = [("device", device), ("state", state)];
            rows.add(Kind::Gauge, &["node_md_state"], help, &labels, u64::from(self.state == word));
        }
        let device_alone = [("device", device)];
        let active = self.disks.map(|(_, active)| active);
        let help = "Disks of the array by their state.";
        for (state, number) in
            [("active", active), ("failed", Some(self.failed)), ("spare", Some(self.spare))]
        {
            let labels = [("device", device), ("state", state)];
            if let Some(number) = number {
                rows.add(Kind::Gauge, &["node_md_disks"], help, &labels, number);
            }
        }
        if let Some((required, _)) = self.disks {
            let help = "Disks that the array should have.";
            rows.add(Kind::Gauge, &["node_md_disks_required"], help, &device_alone, required);
        }
        if let Some((size, synced)) = self.size {
            let help = "The size of the array in blocks of 1 KiB.";
            rows.add(Kind::Gauge, &["node_md_blocks"], help, &device_alone, size);
            let help = "Blocks that are in step on all disks.";
            rows.add(Kind::Gauge, &["node_md_blocks_synced"], help, &device_alone, synced);
        }
    }
}

/// `[2/1]`: disks that should be there, and disks that are.
fn of_disks(word: &[u8]) -> Option<(u64, u64)> {
    let (required, active) = split_once(word.strip_prefix(b"[")?.strip_suffix(b"]")?, b'/')?;
    Some((unsigned(required)?, unsigned(active)?))
}

fn show_sysfs(machine: &Machine, name: &[u8], rows: &mut Rows) {
    let mut room = [0; ATTRIBUTE];
    let mut spare = NO_TEXT;
    let labels = [("device", lossy(name, &mut spare))];
    if let Some(disks) = attribute(machine, name, b"raid_disks", &mut room).ok().and_then(unsigned) {
        rows.add(Kind::Gauge, &["node_md_raid_disks"], "Disks that the array is made of.", &labels, disks);
    }
    let missing = match attribute(machine, name, b"degraded", &mut room) {
        Ok(missing) => unsigned(missing),
        // These cannot miss a disk, so they do not have it.
        Err(_) => {
            let level = attribute(machine, name, b"level", &mut room);
            matches!(level, Ok(b"raid0" | b"linear")).then_some(0)
        }
    };
    if let Some(missing) = missing {
        rows.add(Kind::Gauge, &["node_md_degraded"], "Disks that are missing.", &labels, missing);
    }
}

/// The first word of an attribute: while an array is rebuilt for more disks, the old number follows, `11 (10)`.
fn attribute<'r>(
    machine: &Machine,
    name: &[u8],
    file: &[u8],
    room: &'r mut Attribute,
) -> Result<&'r [u8], Errno> {
    let path = [&b"block/"[..], name, b"/md/", file];
    machine.sysfs.attribute(pieces(&path), room).map(|text| fields(text).next().unwrap_or_default())
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let (line, left) = split_once(rest, b'\n').unwrap_or((rest, b""));
    *rest = left;
    Some(line)
}

fn is_indented(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_whitespace)
}

fn count(text: &[u8], part: &[u8]) -> u64 {
    text.windows(part.len()).filter(|window| *window == part).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::collectors::storage::tests::{bytes, check};
    use crate::exporter::engine::testing::Tree;

    const TEXT: &str = "\
Personalities : [raid1] [raid6] [raid5] [raid4] [raid0] [linear]
md1 : active raid1 sdb1[1] sda1[0]
      390625216 blocks super 1.2 [2/2] [UU]
      bitmap: 0/3 pages [0KB], 65536KB chunk

md2 : active raid5 sdd1[4](S) sdc1[2](F) sdb1[1] sda1[0]
      1000 blocks level 5, 64k chunk, algorithm 2 [3/2] [UU_]
      [==>..................]  recovery = 12.6% (126/1000) finish=127.5min speed=33440K/sec
      bitmap: 1/3 pages [4KB], 65536KB chunk

md3 : active (auto-read-only) raid1 sda3[0] sdb3[1]
      500 blocks [2/2] [UU]
      \tresync=PENDING

md4 : active raid0 sda4[0] sdb4[1]
      700 blocks 64k chunks

md5 : inactive sdc5[1](S)
      800 blocks super 1.2

md6 : active raid1 sda6[0] sdb6[1]
      900 blocks [2/2] [UU]
      bitmap: 0/3 pages [0KB], 65536KB chunk
      [=>...]  check =  5.0% (45/900) finish=1.0min speed=1K/sec

md7 : broken raid0 sda7[0]
      10 blocks 64k chunks

unused devices: <none>
";

    #[test]
    fn all_states_are_told() {
        let tree = Tree::new(&[
            ("proc/mdstat", TEXT),
            ("sys/block/md2/md/raid_disks", "3\n"),
            ("sys/block/md2/md/degraded", "1\n"),
            ("sys/block/md4/md/raid_disks", "2\n"),
            ("sys/block/md4/md/level", "raid0\n"),
            ("sys/block/md8/md/raid_disks", "11 (10)\n"),
            ("sys/block/md8/md/level", "raid5\n"),
            ("sys/block/sda/md/raid_disks", "1\n"),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        check(&outcome);
        let samples = outcome.samples();
        let shown = |device: &str| {
            let wanted = std::format!("device=\"{device}\"");
            let lines = samples.lines().filter(|line| line.contains(&wanted) && !line.ends_with(" 0"));
            lines.map(|line| line.replace(&wanted, "").replace("node_md_", "")).collect::<std::vec::Vec<_>>()
        };
        let array = |blocks: &str, synced: &str, disks: &[&str], state: &str| {
            let mut lines = std::vec![std::format!("blocks{{}} {blocks}")];
            if synced != "0" {
                lines.push(std::format!("blocks_synced{{}} {synced}"));
            }
            lines.extend(disks.iter().map(|line| (*line).into()));
            if !state.is_empty() {
                lines.push(std::format!("state{{,state=\"{state}\"}} 1"));
            }
            lines
        };
        let two = ["disks{,state=\"active\"} 2", "disks_required{} 2"];
        assert_eq!(shown("md1"), array("390625216", "390625216", &two, "active"));
        let degraded = [
            "degraded{} 1",
            "disks{,state=\"active\"} 2",
            "disks{,state=\"failed\"} 1",
            "disks{,state=\"spare\"} 1",
            "disks_required{} 3",
            "raid_disks{} 3",
        ];
        assert_eq!(shown("md2"), array("1000", "126", &degraded, "recovering"));
        assert_eq!(shown("md3"), array("500", "0", &two, "resync"));
        assert_eq!(shown("md4"), array("700", "700", &[two[0], two[1], "raid_disks{} 2"], "active"));
        assert_eq!(shown("md5"), array("800", "800", &["disks{,state=\"spare\"} 1"], "inactive"));
        assert_eq!(shown("md6"), array("900", "45", &two, "check"));
        assert_eq!(shown("md8"), ["raid_disks{} 11"]);
        let degraded = "node_md_degraded{device=\"md2\"} 1\nnode_md_degraded{device=\"md4\"} 0\n";
        assert!(samples.contains(degraded) && !samples.contains("sda"), "{samples}");
        let one = ["disks{,state=\"active\"} 1", "disks_required{} 1"];
        assert_eq!(shown("md7"), array("10", "10", &one, ""));
    }

    #[test]
    fn no_arrays_are_no_problem() {
        let outcome =
            Tree::new(&[("proc/mdstat", "Personalities : \nunused devices: <none>\n")]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn an_array_without_size_is_shown_as_far_as_it_goes() {
        let tree = Tree::new(&[("proc/mdstat", "md9 : active raid1 sda[0]\nmd8 : inactive sdb[0](S)")]);
        let samples = tree.run(&ENTRY, &[]).samples();
        assert!(samples.contains("node_md_state{device=\"md9\",state=\"active\"} 1\n"));
        assert!(samples.contains("node_md_disks{device=\"md8\",state=\"spare\"} 1\n"));
        assert!(!samples.contains("blocks") && !samples.contains("required{device=\"md9\""));
    }

    proptest! {
        #[test]
        fn any_file_is_survived(bytes in bytes(TEXT.as_bytes())) {
            let tree = Tree::new(&[]);
            tree.write("proc/mdstat", bytes);
            check(&tree.run(&ENTRY, &[]));
        }
    }
}
