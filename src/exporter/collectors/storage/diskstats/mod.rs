//! `diskstats`: what disks and partitions did. Source: `/proc/diskstats`, kernel Documentation/admin-guide/iostats.rst.

mod udev;

use std::boxed::Box;
use std::vec::Vec;

use super::lines::{line_at, places};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, fields, lossy, split_once, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::mark;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Number, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.diskstats",
        FlagKind::Switch,
        &["What disks and partitions did, and which they are."],
    ),
    default: true,
    flags: &[&EXCLUDE, &INCLUDE],
    build: Build::By(|choices| {
        let devices = Filter::read(choices, &INCLUDE, &EXCLUDE, Some(is_excluded))?;
        Ok(Box::new(Diskstats { devices }))
    }),
};

static EXCLUDE: Flag = Flag::new(
    "collector.diskstats.device-exclude",
    FlagKind::Value("REGEX"),
    &["Devices to leave out. Default ram, zram, loop, floppy disks, partitions of sd, hd, vd, xvd, nvme."],
);
static INCLUDE: Flag = Flag::new(
    "collector.diskstats.device-include",
    FlagKind::Value("REGEX"),
    &["Devices to show, and no others."],
);

struct Diskstats {
    devices: Filter,
}

const FILE: &str = "diskstats";

/// The numbers of a line after its device.
const NUMBERS: usize = 17;

/// Lines with fewer are partitions of kernels before 2.6.25, which count something else.
const LEAST_NUMBERS: usize = 11;

/// What is kept of each device: the mark of its name, the place of its line, how many numbers it has, the numbers.
const KEPT: usize = 3 + NUMBERS;

/// So many devices are shown.
const MOST: usize = 8192;

/// How a number is shown.
#[derive(Clone, Copy)]
enum Unit {
    Plain,
    Sectors,
    Milliseconds,
}

/// The families in the order of the numbers.
const FAMILIES: [(&str, Unit, &str); NUMBERS] = [
    ("node_disk_reads_completed_total", Unit::Plain, "Reads that were completed."),
    ("node_disk_reads_merged_total", Unit::Plain, "Reads that were merged with others."),
    ("node_disk_read_bytes_total", Unit::Sectors, "Bytes read."),
    ("node_disk_read_time_seconds_total", Unit::Milliseconds, "Time that all reads took, in seconds."),
    ("node_disk_writes_completed_total", Unit::Plain, "Writes that were completed."),
    ("node_disk_writes_merged_total", Unit::Plain, "Writes that were merged with others."),
    ("node_disk_written_bytes_total", Unit::Sectors, "Bytes written."),
    ("node_disk_write_time_seconds_total", Unit::Milliseconds, "Time that all writes took, in seconds."),
    ("node_disk_io_now", Unit::Plain, "Requests that are under way."),
    ("node_disk_io_time_seconds_total", Unit::Milliseconds, "Time with requests under way, in seconds."),
    (
        "node_disk_io_time_weighted_seconds_total",
        Unit::Milliseconds,
        "Time with requests under way times their number, in seconds.",
    ),
    ("node_disk_discards_completed_total", Unit::Plain, "Discards that were completed."),
    ("node_disk_discards_merged_total", Unit::Plain, "Discards that were merged with others."),
    ("node_disk_discarded_sectors_total", Unit::Plain, "Sectors discarded."),
    ("node_disk_discard_time_seconds_total", Unit::Milliseconds, "Time that all discards took, in seconds."),
    ("node_disk_flush_requests_total", Unit::Plain, "Flushes that were completed."),
    (
        "node_disk_flush_requests_time_seconds_total",
        Unit::Milliseconds,
        "Time that all flushes took, in seconds.",
    ),
];

/// The one number that is not a counter.
const NOW: &str = "node_disk_io_now";

impl Source for Diskstats {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, other, numbers, rows, .. } = scratch;
        // A disk and its partitions are one piece, which may be long.
        let text = machine.procfs.held_whole(FILE, file)?;
        numbers.clear();
        for (place, line) in places(text) {
            self.keep(line, place as u64, numbers);
        }
        for (at, (name, unit, help)) in FAMILIES.into_iter().enumerate() {
            let kind = if name == NOW { Kind::Gauge } else { Kind::Counter };
            let mut family = page.family(kind, name, help);
            for disk in numbers.chunks_exact(KEPT) {
                let &[_, place, count, ref values @ ..] = disk else { continue };
                let Some(value) = values.get(at).filter(|_| (at as u64) < count) else { continue };
                let mut spare = NO_TEXT;
                let Some((_, _, device)) = head(line_at(text, place)) else { continue };
                family.sample(&[("device", lossy(device, &mut spare))], unit.of(*value));
            }
        }
        rows.clear();
        for disk in numbers.chunks_exact(KEPT) {
            let Some(place) = disk.get(1) else { continue };
            if let Some(device) = head(line_at(text, *place)) {
                udev::describe(machine, device, other, rows);
            }
        }
        rows.write(page);
        Ok(())
    }
}

impl Diskstats {
    fn keep(&self, line: &[u8], place: u64, numbers: &mut Vec<u64>) {
        let Some((_, _, device)) = head(line) else { return };
        let mut spare = NO_TEXT;
        let name = lossy(device, &mut spare);
        if !self.devices.takes(name) || numbers.len() >= MOST * KEPT {
            return;
        }
        let mark = mark(&[name.as_bytes()]);
        if numbers.chunks_exact(KEPT).any(|disk| disk.first() == Some(&mark)) {
            return;
        }
        let mut values = [0; NUMBERS];
        let mut count = 0;
        for (value, field) in values.iter_mut().zip(fields(line).skip(3)) {
            let Some(number) = unsigned(field) else { break };
            *value = number;
            count += 1;
        }
        if count >= LEAST_NUMBERS {
            numbers.extend_from_slice(&[mark, place, count as u64]);
            numbers.extend_from_slice(&values);
        }
    }
}

impl Unit {
    fn of(self, value: u64) -> Number {
        match self {
            Self::Plain => Number::Unsigned(value),
            // The kernel counts in sectors of 512 bytes whatever the disk's are.
            Self::Sectors => Number::Unsigned(value.saturating_mul(512)),
            Self::Milliseconds => Number::Float(value as f64 / 1000.0),
        }
    }
}

/// Major and minor number as text, and the name.
type Head<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// What stands at the beginning of a line.
fn head(line: &[u8]) -> Option<Head<'_>> {
    let mut fields = fields(line);
    let mut number = || fields.next().filter(|field| unsigned(field).is_some());
    let (major, minor) = (number()?, number()?);
    Some((major, minor, fields.next()?))
}

/// `^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`
fn is_excluded(device: &str) -> bool {
    let name = device.as_bytes();
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(stem) = name.get(..name.len() - digits).filter(|_| digits > 0) else { return false };
    match stem {
        b"ram" | b"zram" | b"loop" | b"fd" => true,
        [b'h' | b's' | b'v', b'd', b'a'..=b'z'] | [b'x', b'v', b'd', b'a'..=b'z'] => true,
        [b'n', b'v', b'm', b'e', rest @ .., b'p'] => is_namespace(rest),
        _ => false,
    }
}

/// Digits, `n`, digits.
fn is_namespace(text: &[u8]) -> bool {
    let are_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    split_once(text, b'n').is_some_and(|(a, b)| are_digits(a) && are_digits(b))
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::collectors::storage::tests::{bytes, check};
    use crate::exporter::engine::filter::regex;
    use crate::exporter::engine::testing::Tree;

    const MODERN: &str = "\
        \x20 1       0 ram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n\
        \x20 8       0 sda 100 1 2 3000 200 4 5 6000 7 8000 9000 10 11 12 13000 14 15000\n\
        \x20 8       1 sda1 100 1 2 3000 200 4 5 6000 7 8000 9000 10 11 12 13000 14 15000\n\
        \x20179       0 mmcblk0 1 2 3 4 5 6 18446744073709551615 8 9 10 11 12 13 14 15\n\
        \x20179       1 mmcblk0p1 1 2 3 4 5 6 7 8 9 10 11\n\
        \x20  8      16 sdb 4294967297 1 4294967298 1 4294967299 1 4294967300 1 0 4294967301 1\n";

    #[test]
    fn numbers_have_their_units() {
        let outcome = Tree::new(&[("proc/diskstats", MODERN)]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        let samples = outcome.samples();
        for line in [
            r#"node_disk_reads_completed_total{device="sda"} 100"#,
            r#"node_disk_read_bytes_total{device="sda"} 1024"#,
            r#"node_disk_read_time_seconds_total{device="sda"} 3"#,
            r#"node_disk_written_bytes_total{device="mmcblk0"} 18446744073709551615"#,
            r#"node_disk_reads_completed_total{device="sdb"} 4294967297"#,
            r#"node_disk_read_bytes_total{device="sdb"} 2199023256576"#,
            r#"node_disk_written_bytes_total{device="sdb"} 2199023257600"#,
            r#"node_disk_io_time_seconds_total{device="sdb"} 4294967.301"#,
            r#"node_disk_io_now{device="sda"} 7"#,
            r#"node_disk_io_time_weighted_seconds_total{device="mmcblk0p1"} 0.011"#,
            r#"node_disk_discarded_sectors_total{device="mmcblk0"} 14"#,
            r#"node_disk_flush_requests_time_seconds_total{device="sda"} 15"#,
            r#"node_disk_info{device="mmcblk0p1",major="179",minor="1",path="",wwn="",model="",serial="",revision="",rotational="0"} 1"#,
        ] {
            assert!(samples.lines().any(|found| found == line), "{line}\n{samples}");
        }
        assert!(!samples.contains("ram0") && !samples.contains("sda1"));
        let count = |family: &str| samples.matches(family).count();
        assert_eq!((count("_discards_merged_total"), count("_flush_requests_total")), (2, 1));
        assert!(outcome.page.contains("# TYPE node_disk_io_now gauge\n"));
        check(&outcome);
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        let text =
            "8 1 sdb1 1 2 3 4\n8 0 sdb 1 2 3 4 5 6 7 8 9 x 11\nx 0 sdc 1 2 3 4 5 6 7 8 9 10 11\n8 0 sdd\n\n";
        let outcome = Tree::new(&[("proc/diskstats", text)]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn patterns_choose() {
        let tree = Tree::new(&[("proc/diskstats", MODERN)]);
        let samples = tree.run(&ENTRY, &[("collector.diskstats.device-include", "^sda")]).samples();
        assert!(samples.contains("\"sda1\"") && !samples.contains("mmc"));
        let samples = tree.run(&ENTRY, &[("collector.diskstats.device-exclude", "")]).samples();
        assert!(samples.contains("ram0"));
    }

    const PATTERN: &str = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$";

    proptest! {
        #[test]
        fn the_default_is_that_of_its_pattern(
            device in "(z|ram|loop|fd|h|s|v|x|d|[a-z]|nvme|n|p|[0-9]){0,8}",
            close in "(zram|loop|fd|[hsvx]{1,2}d[a-z]|nvme[0-9]{0,2}n[0-9]{0,2}p?)[0-9]{0,2}\n?",
        ) {
            let pattern = regex(&EXCLUDE, PATTERN).unwrap();
            for device in [&device, &close] {
                prop_assert_eq!(is_excluded(device), pattern.is_match(device), "{:?}", device);
            }
        }

        #[test]
        fn any_file_is_survived(
            stats in bytes(b"8 0 sda 100 1 2 3000 200 4 5 6000 7 8000 9000 10 11 12 13000 14 15000\n"),
            udev in bytes(b"E:ID_MODEL=x\nE:ID_FS_TYPE=ext4\nE:DM_NAME=a\nE:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\n"),
        ) {
            let tree = Tree::new(&[]);
            tree.write("proc/diskstats", stats);
            tree.write("udev/b8:0", udev);
            check(&tree.run(&ENTRY, &[]));
        }
    }

    #[test]
    fn many_disks_are_shown() {
        let text: std::string::String =
            (0..1000).map(|n| format!("253 {n} dm-{n} 1 2 3 4 5 6 7 8 9 10 11\n")).collect();
        let outcome = Tree::new(&[("proc/diskstats", &text)]).run(&ENTRY, &[]);
        assert_eq!(outcome.samples().lines().count(), 1000 * 12);
    }
}
