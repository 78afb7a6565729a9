//! A line of the mount table. Source: `/proc/PID/mountinfo` and `/proc/PID/mounts`, proc_pid_mountinfo(5).

use crate::exporter::engine::dir::Dir;
use crate::exporter::engine::parse::split_once;
use crate::exporter::engine::problem::Problem;
use crate::resident::Bytes;

/// How the lines of a mount table look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda1 rw,errors=continue`
    Mountinfo,
    /// `/dev/sda1 /point ext3 rw,noatime 0 0`
    Mounts,
}

/// The tables in the order in which they are tried. That of the first process is the machine's.
const TABLES: [(&str, Table); 4] = [
    ("1/mountinfo", Table::Mountinfo),
    ("self/mountinfo", Table::Mountinfo),
    ("1/mounts", Table::Mounts),
    ("self/mounts", Table::Mounts),
];

/// A mounted file system, its texts as the kernel wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mount<'a> {
    pub(super) device: &'a [u8],
    pub(super) point: &'a [u8],
    pub(super) fstype: &'a [u8],
    options: &'a [u8],
    super_options: &'a [u8],
    /// Major and minor number of the device, where the table has them.
    pub(super) numbers: Option<(&'a [u8], &'a [u8])>,
}

/// Reads the first table that can be read.
pub(super) fn read<'b>(procfs: &Dir, into: &'b mut Bytes) -> Result<(&'b [u8], Table), Problem> {
    let mut result = Err(Problem::NoData("no table of mounts"));
    for (path, table) in TABLES {
        result = procfs.whole(path, into).map(|_| table);
        if result.is_ok() {
            break;
        }
    }
    result.map(move |table| (&**into, table))
}

impl<'a> Mount<'a> {
    /// The kernel separates fields by one blank each; a field may be empty.
    pub(super) fn parse(line: &'a [u8], table: Table) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        match table {
            Table::Mounts => {
                let (device, point, fstype) = (fields.next()?, fields.next()?, fields.next()?);
                let options = fields.next()?;
                Some(Self { device, point, fstype, options, super_options: b"", numbers: None })
            }
            Table::Mountinfo => {
                let numbers = split_once(fields.nth(2)?, b':');
                let (point, options) = (fields.nth(1)?, fields.next()?);
                // Optional fields, until a dash.
                fields.find(|field| *field == b"-")?;
                let (fstype, device) = (fields.next()?, fields.next()?);
                let super_options = fields.next().unwrap_or_default();
                Some(Self { device, point, fstype, options, super_options, numbers })
            }
        }
        .filter(|mount| mount.point.starts_with(b"/"))
    }

    /// Whether nothing can be written: by the mount, by the file system, or because it shut itself down.
    pub(super) fn is_read_only(&self) -> bool {
        [self.options, self.super_options]
            .iter()
            .flat_map(|options| options.split(|byte| *byte == b','))
            .any(|option| matches!(option, b"ro" | b"emergency_ro"))
    }
}

/// Undoes what the kernel does to blanks, tabs, line ends, `#` and backslashes in paths: `\040` is a blank.
pub(super) fn decoded<'a>(raw: &'a [u8], room: &'a mut Bytes) -> &'a [u8] {
    if !raw.contains(&b'\\') {
        return raw;
    }
    room.clear();
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        let (byte, left) = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', left @ ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), left)
            }
            _ => (*first, after),
        };
        room.push(byte);
        rest = left;
    }
    room
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_both_tables() {
        let line =
            b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root ro,errors=continue";
        let mount = Mount::parse(line, Table::Mountinfo).unwrap();
        assert_eq!(
            (mount.device, mount.point, mount.fstype),
            (&b"/dev/root"[..], &b"/mnt\\0402"[..], &b"ext3"[..])
        );
        assert_eq!(mount.numbers, Some((&b"98"[..], &b"0"[..])));
        assert!(mount.is_read_only());
        // A device may have no name at all.
        let mount = Mount::parse(b"36 35 0:9 / /tmp rw - tmpfs  rw,size=4k", Table::Mountinfo).unwrap();
        assert_eq!((mount.device, mount.is_read_only()), (&b""[..], false));
        let mount = Mount::parse(b"/dev/sda1 /boot vfat ro,nosuid 0 0", Table::Mounts).unwrap();
        assert_eq!((mount.device, mount.numbers, mount.is_read_only()), (&b"/dev/sda1"[..], None, true));
        for (line, read_only) in [("rw,errors=ro", false), ("rw,emergency_ro", true), ("rwro", false)] {
            let line = std::format!("1 1 8:1 / /a rw - ext4 /dev/sda1 {line}");
            assert_eq!(Mount::parse(line.as_bytes(), Table::Mountinfo).unwrap().is_read_only(), read_only);
        }
    }

    #[test]
    fn what_is_no_mount_is_left_out() {
        for line in
            ["", "1 1 8:1 / /a rw ext4 /dev/sda1 rw", "1 1 8:1 / a rw - ext4 x rw", "1 1 8:1 / /a rw -"]
        {
            assert_eq!(Mount::parse(line.as_bytes(), Table::Mountinfo), None, "{line}");
        }
        assert_eq!(Mount::parse(b"/dev/sda1 /boot vfat", Table::Mounts), None);
    }

    #[test]
    fn escapes_are_undone() {
        let mut room = Bytes::default();
        for (raw, text) in [
            (r"/a", "/a"),
            (r"/a\040b\011c\012d\134e\043", "/a b\tc\nd\\e#"),
            (r"\0", r"\0"),
            (r"\04x\999\477", r"\04x\999\477"),
            (r"\134040", r"\040"),
        ] {
            assert_eq!(decoded(raw.as_bytes(), &mut room), text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_the_kernel_escapes_comes_back(path in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut raw = Vec::new();
            for byte in &path {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' | b'#' => raw.extend(std::format!("\\{byte:03o}").bytes()),
                    byte => raw.push(*byte),
                }
            }
            let mut room = Bytes::default();
            prop_assert_eq!(decoded(&raw, &mut room), &path[..]);
        }
    }
}
