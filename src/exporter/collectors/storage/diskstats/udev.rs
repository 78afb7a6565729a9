//! Which disk is which: what udev found out when it appeared. Source: `/run/udev/data/bMAJOR:MINOR`, udev(7), and
//! `/sys/block/DEVICE/queue/rotational`, kernel Documentation/ABI/stable/sysfs-block.

use super::Head;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, Spare, float, lines, lossy};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::rows::Rows;
use crate::resident::Bytes;
use crate::text::Kind;

/// What a disk says of itself by ATA.
const ATA: [(&[u8], &str, &str); 3] = [
    (b"ID_ATA_WRITE_CACHE", "node_disk_ata_write_cache", "Whether the disk has a write cache."),
    (
        b"ID_ATA_WRITE_CACHE_ENABLED",
        "node_disk_ata_write_cache_enabled",
        "Whether the write cache is switched on.",
    ),
    (
        b"ID_ATA_ROTATION_RATE_RPM",
        "node_disk_ata_rotation_rate_rpm",
        "Turns per minute; 0 for what does not turn.",
    ),
];

/// Adds what is known of a device.
pub(super) fn describe(machine: &Machine, (major, minor, name): Head<'_>, room: &mut Bytes, rows: &mut Rows) {
    let mut spares = [NO_TEXT; 7];
    let [device, rest @ ..] = &mut spares;
    let device = lossy(name, device);
    let file = [&b"b"[..], major, b":", minor];
    let known = machine.udev_data.as_ref().and_then(|dir| dir.whole(pieces(&file), room).ok());
    let known = known.unwrap_or_default();
    let numbers = [major, minor].map(|digits| core::str::from_utf8(digits).unwrap_or_default());
    // The first is what stands on the label of a disk, the last all that virtio has.
    let serials = [&b"SCSI_IDENT_SERIAL"[..], b"ID_SERIAL_SHORT", b"ID_SERIAL"];
    let mut serials = serials.into_iter().map(|key| property(known, key));
    let serial = serials.find(|serial| !serial.is_empty()).unwrap_or_default();
    let [path, wwn, model, serial, revision] = five(
        [
            property(known, b"ID_PATH"),
            property(known, b"ID_WWN"),
            property(known, b"ID_MODEL"),
            serial,
            property(known, b"ID_REVISION"),
        ],
        rest,
    );
    let rotational = if is_rotational(machine, name) { "1" } else { "0" };
    let labels = [
        ("device", device),
        ("major", numbers[0]),
        ("minor", numbers[1]),
        ("path", path),
        ("wwn", wwn),
        ("model", model),
        ("serial", serial),
        ("revision", revision),
        ("rotational", rotational),
    ];
    rows.add(Kind::Gauge, &["node_disk_info"], "Which disk a device is.", &labels, 1_u64);
    let [fstype, usage, uuid, version, _] = five(
        [
            property(known, b"ID_FS_TYPE"),
            property(known, b"ID_FS_USAGE"),
            property(known, b"ID_FS_UUID"),
            property(known, b"ID_FS_VERSION"),
            b"",
        ],
        rest,
    );
    if !fstype.is_empty() {
        let labels =
            [("device", device), ("type", fstype), ("usage", usage), ("uuid", uuid), ("version", version)];
        let help = "The file system on a device.";
        rows.add(Kind::Gauge, &["node_disk_filesystem_info"], help, &labels, 1_u64);
    }
    let [mapped, uuid, group, volume, layer] = five(
        [
            property(known, b"DM_NAME"),
            property(known, b"DM_UUID"),
            property(known, b"DM_VG_NAME"),
            property(known, b"DM_LV_NAME"),
            property(known, b"DM_LV_LAYER"),
        ],
        rest,
    );
    if !mapped.is_empty() {
        let labels = [
            ("device", device),
            ("name", mapped),
            ("uuid", uuid),
            ("vg_name", group),
            ("lv_name", volume),
            ("lv_layer", layer),
        ];
        let help = "What the device mapper calls a device.";
        rows.add(Kind::Gauge, &["node_disk_device_mapper_info"], help, &labels, 1_u64);
    }
    if !property(known, b"ID_ATA").is_empty() {
        for (key, name, help) in ATA {
            if let Some(value) = float(property(known, key)) {
                rows.add(Kind::Gauge, &[name], help, &[("device", device)], value);
            }
        }
    }
}

/// Five values as text.
fn five<'a>([v, w, x, y, z]: [&'a [u8]; 5], spares: &'a mut [Spare; 6]) -> [&'a str; 5] {
    let [a, b, c, d, e, _] = spares;
    [lossy(v, a), lossy(w, b), lossy(x, c), lossy(y, d), lossy(z, e)]
}

/// What udev noted: a line `E:KEY=VALUE`, the last one of this key.
fn property<'a>(known: &'a [u8], key: &[u8]) -> &'a [u8] {
    let values =
        lines(known).filter_map(|line| line.strip_prefix(b"E:")?.strip_prefix(key)?.strip_prefix(b"="));
    values.last().unwrap_or_default()
}

/// Partitions have no queue of their own; they do not turn either.
fn is_rotational(machine: &Machine, name: &[u8]) -> bool {
    machine.sysfs.number(pieces(&[b"block/", name, b"/queue/rotational"])) == Some(1)
}

#[cfg(test)]
mod tests {
    use super::super::ENTRY;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn what_udev_knows_is_shown() {
        let tree = Tree::new(&[
            (
                "proc/diskstats",
                "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 2 sda2 1 2 3 4 5 6 7 8 9 10 11\n253 0 dm-0 1 2 3 4 5 6 7 8 9 10 11\n",
            ),
            (
                "udev/b8:0",
                "S:disk/by-id/x\nI:123\nE:ID_ATA=1\nE:ID_PATH=pci-0000:00:1f.2-ata-1\nE:ID_WWN=0x5000\nE:ID_MODEL=DISK\n\
                 E:ID_SERIAL_SHORT=S1\nE:SCSI_IDENT_SERIAL=\nE:ID_REVISION=R1\nE:ID_ATA_WRITE_CACHE=1\n\
                 E:ID_ATA_WRITE_CACHE_ENABLED=0\nE:ID_ATA_ROTATION_RATE_RPM=7200\n",
            ),
            (
                "udev/b253:0",
                "E:DM_NAME=vg-root\nE:DM_UUID=LVM-1\nE:DM_VG_NAME=vg\nE:DM_LV_NAME=root\nE:SCSI_IDENT_SERIAL=S2\n\
                 E:ID_SERIAL_SHORT=S3\nE:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\nE:ID_FS_UUID=u\nE:ID_FS_VERSION=1.0\n",
            ),
            ("sys/block/sda/queue/rotational", "1\n"),
        ]);
        let samples = tree.run(&ENTRY, &[("collector.diskstats.device-exclude", "sda2")]).samples();
        for line in [
            r#"node_disk_info{device="sda",major="8",minor="0",path="pci-0000:00:1f.2-ata-1",wwn="0x5000",model="DISK",serial="S1",revision="R1",rotational="1"} 1"#,
            r#"node_disk_info{device="dm-0",major="253",minor="0",path="",wwn="",model="",serial="S2",revision="",rotational="0"} 1"#,
            r#"node_disk_ata_write_cache{device="sda"} 1"#,
            r#"node_disk_ata_write_cache_enabled{device="sda"} 0"#,
            r#"node_disk_ata_rotation_rate_rpm{device="sda"} 7200"#,
            r#"node_disk_filesystem_info{device="dm-0",type="ext4",usage="filesystem",uuid="u",version="1.0"} 1"#,
            r#"node_disk_device_mapper_info{device="dm-0",name="vg-root",uuid="LVM-1",vg_name="vg",lv_name="root",lv_layer=""} 1"#,
        ] {
            assert!(samples.lines().any(|found| found == line), "{line}\n{samples}");
        }
    }

    #[test]
    fn serial_numbers_are_looked_for_in_their_order() {
        for (known, serial) in [
            ("E:ID_SERIAL=long\nE:ID_SERIAL_SHORT=short\nE:SCSI_IDENT_SERIAL=label\n", "label"),
            ("E:ID_SERIAL=long\nE:ID_SERIAL_SHORT=short\nE:SCSI_IDENT_SERIAL=\n", "short"),
            ("E:ID_SERIAL=long\nE:ID_SERIAL_SHORT=\n", "long"),
            ("E:ID_SERIAL=0x83e36d93\n", "0x83e36d93"),
            ("E:ID_SERIAL_SHORT=first\nE:ID_SERIAL_SHORT=last\n", "last"),
            ("E:ID_SERIAL_SHORT=first\nE:ID_SERIAL_SHORT=\nE:ID_SERIAL=long\n", "long"),
            ("S:x\n", ""),
        ] {
            let tree =
                Tree::new(&[("proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"), ("udev/b8:0", known)]);
            let label = std::format!(",serial=\"{serial}\",");
            assert!(tree.run(&ENTRY, &[]).samples().contains(&label), "{known}");
        }
    }
}
