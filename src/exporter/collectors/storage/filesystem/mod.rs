//! `filesystem`: space and inodes of what is mounted. Source: `/proc/1/mountinfo`, proc_pid_mountinfo(5), statfs(2).
//!
//! On devices whose root is an overlay above a read-only image (OpenWrt and many others), `/` is shown although the
//! type `overlay` is left out: it is the space that writes use. That happens only if no other file system at `/` is
//! shown, so hosts of containers show what they always did; a program in a container that looks at no other root than
//! its own shows that.

mod mount;

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use rustix::fs::StatFs;
use rustix::io::Errno;

use super::lines::{line_at, places};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, Spare, lossy};
use crate::exporter::engine::path::joined;
use crate::exporter::engine::patience::{Answer, Batch, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::mark;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};
use mount::{Mount, decoded};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.filesystem",
        FlagKind::Switch,
        &["Space and inodes of mounted file systems."],
    ),
    default: true,
    flags: &[&POINTS_EXCLUDE, &POINTS_INCLUDE, &TYPES_EXCLUDE, &TYPES_INCLUDE, &OVERLAY_ROOT],
    build: Build::By(|choices| Ok(Box::new(Filesystem::new(choices)?))),
};

static POINTS_EXCLUDE: Flag = Flag::new(
    "collector.filesystem.mount-points-exclude",
    FlagKind::Value("REGEX"),
    &["Mount points to leave out. Default /dev, /proc, /sys and below, containers, credentials of services."],
);
static POINTS_INCLUDE: Flag = Flag::new(
    "collector.filesystem.mount-points-include",
    FlagKind::Value("REGEX"),
    &["Mount points to show, and no others."],
);
static TYPES_EXCLUDE: Flag = Flag::new(
    "collector.filesystem.fs-types-exclude",
    FlagKind::Value("REGEX"),
    &[
        "Types of file systems to leave out. Default those without storage of their own, and read-only images.",
    ],
);
static TYPES_INCLUDE: Flag = Flag::new(
    "collector.filesystem.fs-types-include",
    FlagKind::Value("REGEX"),
    &["Types of file systems to show, and no others."],
);
static OVERLAY_ROOT: Flag = Flag::new(
    "collector.filesystem.overlay-root",
    FlagKind::Switch,
    &["Shows \"/\" also where it is an overlay, unless types are chosen by a flag. On unless switched off."],
);

struct Filesystem {
    points: Filter,
    types: Filter,
    overlay_root: bool,
}

/// So many file systems are shown.
const MOST: usize = 4096;

/// What is kept of each that is shown: the mark of its labels, that of its numbers or 0, and the place of its line.
const KEPT: usize = 3;

impl Filesystem {
    fn new(choices: &Choices) -> Result<Self, String> {
        let points = Filter::read(choices, &POINTS_INCLUDE, &POINTS_EXCLUDE, Some(is_point_excluded))?;
        let types = Filter::read(choices, &TYPES_INCLUDE, &TYPES_EXCLUDE, Some(is_type_excluded))?;
        let chosen = choices.value(&TYPES_INCLUDE).or(choices.value(&TYPES_EXCLUDE)).is_some();
        let overlay_root = choices.is_on(&OVERLAY_ROOT).unwrap_or(true) && !chosen;
        Ok(Self { points, types, overlay_root })
    }
}

impl Source for Filesystem {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, other, numbers, rows, batch, .. } = scratch;
        let (text, table) = mount::read(&machine.procfs, file)?;
        let mut room = Room { point: other, spares: [NO_TEXT; 3] };
        let root = machine.root.as_bytes();
        numbers.clear();
        batch.clear();
        let (mut overlay, mut root_shown) = (None, false);
        for (place, line) in places(text) {
            let Some(mount) = Mount::parse(line, table) else { continue };
            let (point, labels) = room.labels(&mount, root);
            if !self.points.takes(labels.point) {
                continue;
            }
            let is_root = labels.point == "/";
            if self.types.takes(labels.fstype) {
                root_shown |= is_root;
            } else {
                // The last one is the one that is seen.
                if is_root && labels.fstype == "overlay" && self.overlay_root {
                    overlay = Some(place);
                }
                continue;
            }
            if keep(numbers, &labels, place) {
                ask(batch, root, point);
            }
        }
        if let Some((place, mount)) = overlay
            .filter(|_| !root_shown)
            .and_then(|place| Some((place, Mount::parse(line_at(text, place as u64), table)?)))
        {
            let (point, labels) = room.labels(&mount, root);
            if keep(numbers, &labels, place) {
                ask(batch, root, point);
            }
        }
        machine.patience.ask(batch, &|| page.is_expired());
        rows.clear();
        for (number, kept) in numbers.chunks_exact(KEPT).enumerate() {
            let &[_, info, place] = kept else { continue };
            let Some(mount) = Mount::parse(line_at(text, place), table) else { continue };
            let (_, labels) = room.labels(&mount, root);
            let found = match batch.answer(number) {
                Answer::StatFs(found) => Ok(found),
                Answer::Failed(errno) => Err(error_text(errno)),
                Answer::Text(_) | Answer::TimedOut => Err("mountpoint timeout"),
            };
            labels.show(found, mount.is_read_only(), info != 0, rows);
        }
        rows.write(page);
        Ok(())
    }
}

/// Notes a file system, unless its labels have been seen.
fn keep(numbers: &mut Vec<u64>, labels: &Labels<'_>, place: usize) -> bool {
    let own = mark(&[labels.device.as_bytes(), labels.point.as_bytes(), labels.fstype.as_bytes()]);
    let info = labels.numbers.map_or(0, |(major, minor)| {
        mark(&[labels.device.as_bytes(), labels.point.as_bytes(), major.as_bytes(), minor.as_bytes()]).max(1)
    });
    let seen = |at: usize, mark: u64| numbers.chunks_exact(KEPT).any(|kept| kept.get(at) == Some(&mark));
    if numbers.len() >= MOST * KEPT || seen(0, own) {
        return false;
    }
    let info = if seen(1, info) { 0 } else { info };
    numbers.extend_from_slice(&[own, info, place as u64]);
    true
}

/// Where the texts of one file system are decoded.
struct Room<'s> {
    point: &'s mut Bytes,
    spares: [Spare; 3],
}

struct Labels<'a> {
    device: &'a str,
    point: &'a str,
    fstype: &'a str,
    numbers: Option<(&'a str, &'a str)>,
}

impl Room<'_> {
    /// The mount point below the machine's root, and the labels.
    fn labels<'a>(&'a mut self, mount: &Mount<'a>, root: &[u8]) -> (&'a [u8], Labels<'a>) {
        let [device, point, fstype] = &mut self.spares;
        let below = stripped(root, decoded(mount.point, self.point));
        let digits = |text| core::str::from_utf8(text).ok();
        let labels = Labels {
            // As the kernel wrote it, escapes and all: the node exporter has it so.
            device: lossy(mount.device, device),
            point: lossy(below, point),
            fstype: lossy(mount.fstype, fstype),
            numbers: mount.numbers.and_then(|(major, minor)| Some((digits(major)?, digits(minor)?))),
        };
        (below, labels)
    }
}

impl Labels<'_> {
    fn show(&self, found: Result<&StatFs, &str>, read_only: bool, info: bool, rows: &mut Rows) {
        let error = found.err().unwrap_or_default();
        let labels = [
            ("device", self.device),
            ("device_error", error),
            ("fstype", self.fstype),
            ("mountpoint", self.point),
        ];
        let mut add = |name: &str, help: &'static str, value: u64| {
            rows.add(Kind::Gauge, &["node_filesystem_", name], help, &labels, value);
        };
        add("device_error", "Whether the file system could not be asked.", found.is_err().into());
        add("readonly", "Whether nothing can be written.", read_only.into());
        let Ok(found) = found else { return };
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_bsize as u64);
        add("size_bytes", "The size, in bytes.", bytes(found.f_blocks));
        add("free_bytes", "Free space with what is reserved for root, in bytes.", bytes(found.f_bfree));
        add("avail_bytes", "Free space for users other than root, in bytes.", bytes(found.f_bavail));
        add("files", "How many inodes there can be.", found.f_files);
        add("files_free", "How many inodes are free.", found.f_ffree);
        if let Some((major, minor)) = self.numbers.filter(|_| info) {
            let labels =
                [("device", self.device), ("major", major), ("minor", minor), ("mountpoint", self.point)];
            let help = "The numbers of the device of a file system.";
            rows.add(Kind::Gauge, &["node_filesystem_mount_info"], help, &labels, 1_u64);
        }
    }
}

/// A mount point as it is seen from the machine's root.
fn stripped<'a>(root: &[u8], point: &'a [u8]) -> &'a [u8] {
    match point.strip_prefix(root) {
        Some([]) => b"/",
        Some(rest) if rest.starts_with(b"/") => rest,
        _ => point,
    }
}

/// Asks for a mount point of the machine, wherever that is for this program.
fn ask(batch: &mut Batch, root: &[u8], point: &[u8]) {
    // Only a short path can be put together.
    if root.is_empty() {
        batch.ask(Question::StatFs, point);
    } else {
        batch.ask(Question::StatFs, joined(&[root, point]));
    }
}

/// `^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`
fn is_point_excluded(point: &str) -> bool {
    let at_or_below = |directory| match point.strip_prefix(directory) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    };
    // `.` matches everything but a line end, and something must follow that ends in `/` or with the text.
    let below = |directory| match point.strip_prefix(directory) {
        Some(rest) => match rest.split_once('\n') {
            None => !rest.is_empty(),
            Some((line, _)) => line.chars().skip(1).any(|character| character == '/'),
        },
        None => false,
    };
    ["/dev", "/proc", "/sys"].into_iter().any(at_or_below)
        || ["/run/credentials/", "/var/lib/docker/", "/var/lib/containers/storage/"].into_iter().any(below)
}

/// The types without storage of their own, and read-only images.
fn is_type_excluded(fstype: &str) -> bool {
    const TYPES: [&str; 25] = [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "erofs",
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "nsfs",
        "overlay",
        "proc",
        "procfs",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "squashfs",
        "sysfs",
        "tracefs",
    ];
    TYPES.contains(&fstype)
}

/// Why statfs(2) failed, in the words of the node exporter.
fn error_text(errno: Errno) -> &'static str {
    const TEXTS: [(Errno, &str); 17] = [
        (Errno::ACCESS, "permission denied"),
        (Errno::CONNREFUSED, "connection refused"),
        (Errno::HOSTDOWN, "host is down"),
        (Errno::HOSTUNREACH, "no route to host"),
        (Errno::IO, "input/output error"),
        (Errno::LOOP, "too many levels of symbolic links"),
        (Errno::NAMETOOLONG, "file name too long"),
        (Errno::NODEV, "no such device"),
        (Errno::NOENT, "no such file or directory"),
        (Errno::NOSYS, "function not implemented"),
        (Errno::NOTCONN, "transport endpoint is not connected"),
        (Errno::NOTDIR, "not a directory"),
        (Errno::NXIO, "no such device or address"),
        (Errno::OVERFLOW, "value too large for defined data type"),
        (Errno::PERM, "operation not permitted"),
        (Errno::STALE, "stale NFS file handle"),
        (Errno::TIMEDOUT, "connection timed out"),
    ];
    TEXTS.iter().find(|(known, _)| *known == errno).map_or("statfs failed", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::filter::regex;
    use crate::exporter::engine::testing::{Outcome, Tree};

    const OPENWRT: &str = "\
        12 15 31:2 / /rom ro,relatime - squashfs /dev/root ro\n\
        13 15 0:4 / /proc rw - proc proc rw\n\
        14 15 31:3 / /overlay rw,noatime - jffs2 /dev/mtdblock3 rw\n\
        15 1 0:15 / / rw,noatime - overlay overlayfs:/overlay rw,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work\n\
        16 15 0:16 / /tmp rw,nosuid - tmpfs tmpfs rw,size=4k\n";

    /// A machine whose root is the tree's, with these mount points in it.
    fn run(table: &str, points: &[&str], flags: &[(&'static str, &str)]) -> Outcome {
        let tree = Tree::new(&[("proc/1/mountinfo", table)]);
        for point in points {
            tree.write(&format!("root{point}/x"), "");
        }
        tree.run(&ENTRY, flags)
    }

    fn shown(outcome: &Outcome, family: &str) -> Vec<String> {
        let lines = outcome.page.lines().filter(|line| line.starts_with(&format!("{family}{{")));
        lines.map(|line| String::from(line.strip_prefix(family).unwrap())).collect()
    }

    #[test]
    fn what_is_mounted_is_shown_once() {
        let table = "\
            22 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
            23 22 8:2 / /data\\040disk rw,relatime - ext4 /dev/sda2 rw\n\
            24 22 8:2 / /data\\040disk ro,relatime - ext4 /dev/sda2 rw\n\
            25 22 0:6 / /dev rw - devtmpfs devtmpfs rw\n\
            26 22 0:7 / /gone rw - nfs4 //srv/a\\040b rw\n\
            27 22 8:3 / /device rw - vfat /dev/sda3 rw\n";
        let outcome = run(table, &["", "/data disk", "/device"], &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            shown(&outcome, "node_filesystem_readonly"),
            [
                r#"{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/"} 1"#,
                r#"{device="/dev/sda2",device_error="",fstype="ext4",mountpoint="/data disk"} 0"#,
                r#"{device="//srv/a\\040b",device_error="no such file or directory",fstype="nfs4",mountpoint="/gone"} 0"#,
                r#"{device="/dev/sda3",device_error="",fstype="vfat",mountpoint="/device"} 0"#,
            ]
        );
        let errors = shown(&outcome, "node_filesystem_device_error");
        assert!(errors.iter().map(|line| line.ends_with(" 1")).eq([false, false, true, false]), "{errors:?}");
        for family in ["size_bytes", "free_bytes", "avail_bytes", "files", "files_free"] {
            assert_eq!(shown(&outcome, &format!("node_filesystem_{family}")).len(), 3, "{family}");
        }
        assert_eq!(
            shown(&outcome, "node_filesystem_mount_info")[1],
            r#"{device="/dev/sda2",major="8",minor="2",mountpoint="/data disk"} 1"#
        );
    }

    #[test]
    fn the_root_of_an_overlay_system_is_shown() {
        let points = |flags| {
            let outcome = run(OPENWRT, &["", "/overlay", "/tmp", "/rom"], flags);
            let lines = shown(&outcome, "node_filesystem_size_bytes");
            let point = |line: &String| {
                String::from(line.split_once("mountpoint=\"").unwrap().1.split('"').next().unwrap())
            };
            lines.iter().map(point).collect::<Vec<_>>()
        };
        assert_eq!(points(&[]), ["/overlay", "/tmp", "/"]);
        assert_eq!(points(&[("collector.filesystem.overlay-root", "false")]), ["/overlay", "/tmp"]);
        assert_eq!(
            points(&[("collector.filesystem.fs-types-exclude", "^(overlay|proc)$")]),
            ["/rom", "/overlay", "/tmp"]
        );
        assert_eq!(points(&[("collector.filesystem.fs-types-include", "^tmpfs$")]), ["/tmp"]);
        assert_eq!(
            points(&[("collector.filesystem.mount-points-exclude", "^/$")]),
            ["/rom", "/overlay", "/tmp"][1..]
        );
        assert_eq!(points(&[("collector.filesystem.mount-points-include", "^/o")]), ["/overlay"]);
    }

    #[test]
    fn hosts_of_containers_show_their_own_root_alone() {
        let table = "\
            22 1 0:50 / / rw - overlay overlay rw,upperdir=/var/lib/docker/x\n\
            23 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            24 23 0:51 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw\n\
            25 23 0:52 / /run/user rw - overlay overlay rw\n";
        let outcome = run(table, &[""], &[]);
        assert_eq!(
            shown(&outcome, "node_filesystem_device_error"),
            [r#"{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/"} 0"#]
        );
    }

    #[test]
    fn the_mount_points_of_a_container_lose_the_root() {
        let tree = Tree::new(&[("root/boot/x", "")]);
        let root = tree.path("root").into_os_string().into_string().unwrap();
        tree.write("proc/self/mountinfo", format!("1 1 8:1 / {root} rw - ext4 a rw\n1 1 8:2 / {root}/boot rw - vfat b rw\n1 1 8:3 / {root}x rw - vfat c rw\n"));
        let outcome = tree.run(&ENTRY, &[]);
        let lines = shown(&outcome, "node_filesystem_device_error");
        assert!(lines[0].contains(r#"mountpoint="/""#) && lines[0].ends_with(" 0"), "{lines:?}");
        assert!(lines[1].contains(r#"mountpoint="/boot""#) && lines[1].ends_with(" 0"), "{lines:?}");
        assert!(lines[2].contains(&format!(r#"mountpoint="{root}x""#)), "{lines:?}");
    }

    #[test]
    fn old_tables_do_too() {
        let tree =
            Tree::new(&[("proc/self/mounts", "rootfs / rootfs rw 0 0\n/dev/sda1 /boot vfat ro 0 0\n")]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(shown(&outcome, "node_filesystem_readonly").len(), 2);
        assert!(shown(&outcome, "node_filesystem_mount_info").is_empty());
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn flags_that_contradict_are_refused() {
        let both =
            [("collector.filesystem.fs-types-include", "a"), ("collector.filesystem.fs-types-exclude", "b")];
        assert!(Filesystem::new(&Choices::of(&both)).is_err());
    }

    const POINTS: &str =
        "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
    const TYPES: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|\
        mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$";

    proptest! {
        #[test]
        fn defaults_are_those_of_their_patterns(
            point in "(/(dev|proc|sys|run|credentials|var|lib|docker|containers|storage|a|\n|))*[a/\n]{0,3}",
            deep in "/(run/credentials|var/lib/docker|var/lib/containers/storage)[a/\n]{0,4}",
            other in "(auto|devtmp|proc|sys|trace|squash|ero)(fs)?[a\n]?",
            one in 0..TYPES.len(),
        ) {
            let (points, types) = (regex(&POINTS_EXCLUDE, POINTS).unwrap(), regex(&TYPES_EXCLUDE, TYPES).unwrap());
            for point in [&point, &deep] {
                prop_assert_eq!(is_point_excluded(point), points.is_match(point), "{:?}", point);
            }
            let from_list = TYPES[one..].split(['|', ')', '(']).next().unwrap();
            for fstype in [&other, from_list] {
                prop_assert_eq!(is_type_excluded(fstype), types.is_match(fstype), "{:?}", fstype);
            }
        }

        #[test]
        fn any_table_is_survived(bytes in crate::exporter::collectors::storage::tests::bytes(b"1 8:1 / /a rw - ext4 /dev/sda1 rw\n")) {
            let tree = Tree::new(&[]);
            tree.write("proc/1/mountinfo", bytes);
            crate::exporter::collectors::storage::tests::check(&tree.run(&ENTRY, &[]));
        }
    }
}
