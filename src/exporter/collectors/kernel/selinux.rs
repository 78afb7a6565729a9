//! `selinux`: whether SELinux is there, and whether it enforces. Source: `/sys/fs/selinux/enforce`,
//! `/proc/self/attr/current`, `/etc/selinux/config`, selinux(8).

use std::boxed::Box;

use rustix::io::Errno;

use super::assignments::{value, values};
use super::kept::{Kept, text};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::trim;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.selinux", FlagKind::Switch, &["Whether SELinux is there and enforces."]),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Selinux { config: Kept::new() }))),
};

struct Selinux {
    config: Kept<1>,
}

const ENFORCE: &str = "fs/selinux/enforce";
const CONFIG: [&[u8]; 1] = [b"etc/selinux/config"];

impl Source for Selinux {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut room = [0; ATTRIBUTE];
        let current = match machine.sysfs.attribute(ENFORCE, &mut room) {
            Ok(text) => Some(text),
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(errno) => return Err(Problem::unreadable(ENFORCE, errno)),
        };
        let enabled = current.is_some() && has_policy(machine);
        let help = "Whether SELinux is enabled.";
        page.family(Kind::Gauge, "node_selinux_enabled", help).sample(&[], enabled);
        if !enabled {
            return Ok(());
        }
        let Scratch { file, other, batch, .. } = scratch;
        let [config] = self.config.copy(machine, batch, &|| page.is_expired(), CONFIG, file);
        let help = "The mode in the configuration: 1 enforces, 0 permits, -1 switches off.";
        let configured = configured(text(file, &config).unwrap_or_default(), other);
        page.family(Kind::Gauge, "node_selinux_config_mode", help).sample(&[], configured);
        let help = "The mode now: 1 enforces, 0 permits, -1 is off.";
        let current = match current {
            Some(b"1") => 1_i64,
            Some(b"0") => 0,
            _ => -1,
        };
        page.family(Kind::Gauge, "node_selinux_current_mode", help).sample(&[], current);
        Ok(())
    }
}

/// Before a policy is loaded, every process is the kernel's.
fn has_policy(machine: &Machine) -> bool {
    let mut room = [0; ATTRIBUTE];
    machine.procfs.attribute("self/attr/current", &mut room).is_ok_and(|label| trim(label) != b"kernel")
}

fn configured(config: &[u8], room: &mut Bytes) -> i64 {
    let [mode] = values(config, [b"SELINUX"], room);
    match value(room, &mode) {
        b"enforcing" => 1,
        b"permissive" => 0,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    fn read(enforce: &str, label: &str, config: &str) -> std::string::String {
        let outcome = Tree::new(&[
            ("sys/fs/selinux/enforce", enforce),
            ("proc/self/attr/current", label),
            ("root/etc/selinux/config", config),
        ])
        .run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        outcome.samples().replace("node_selinux_", "")
    }

    #[test]
    fn modes() {
        let config = "# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n";
        assert_eq!(read("1", "u:r:x:s0\0", config), "enabled 1\nconfig_mode 1\ncurrent_mode 1\n");
        assert_eq!(
            read("0", "u:r:x:s0\0", "SELINUX=permissive"),
            "enabled 1\nconfig_mode 0\ncurrent_mode 0\n"
        );
        assert_eq!(read("?", "u:r:x:s0\0", ""), "enabled 1\nconfig_mode -1\ncurrent_mode -1\n");
        assert_eq!(read("0", "kernel\0", config), "enabled 0\n");
        assert_eq!(Tree::new(&[]).run(&ENTRY, &[]).samples(), "node_selinux_enabled 0\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[("proc/self/attr/current", "x")]);
            tree.write("sys/fs/selinux/enforce", &bytes);
            tree.write("root/etc/selinux/config", &bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
