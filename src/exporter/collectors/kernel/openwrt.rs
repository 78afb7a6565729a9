//! `openwrt`: which OpenWrt runs on which board. Source: `/etc/openwrt_release`, `/tmp/sysinfo`, `/proc/cpuinfo`;
//! what OpenWrt's own exporters learn by `ubus call system board`.

use std::boxed::Box;

use super::assignments::{value, values};
use super::kept::{Kept, text};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{
    NO_DIGITS, NO_TEXT, any_base, decimal, hexadecimal, lines, lossy, split_once, trim,
};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.openwrt", FlagKind::Switch, &["Which OpenWrt runs on which board."]),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Openwrt { files: Kept::new() }))),
};

struct Openwrt {
    files: Kept<3>,
}

const FILES: [&[u8]; 3] = [b"etc/openwrt_release", b"tmp/sysinfo/board_name", b"tmp/sysinfo/model"];

const RELEASE: [(&str, &[u8]); 4] = [
    ("id", b"DISTRIB_ID"),
    ("release", b"DISTRIB_RELEASE"),
    ("revision", b"DISTRIB_REVISION"),
    ("target", b"DISTRIB_TARGET"),
];

impl Source for Openwrt {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, other, third, batch, .. } = scratch;
        let found = self.files.copy(machine, batch, &|| page.is_expired(), FILES, file);
        let [release, board_name, model] = &found;
        let Some(release) = text(file, release) else {
            let errno = release.clone().err().unwrap_or(rustix::io::Errno::NOENT);
            return Err(Problem::unreadable(FILES[0], errno));
        };
        let places = values(release, RELEASE.map(|(_, key)| key), other);
        let mut revision = Revision::default();
        let cpuinfo = machine.procfs.whole("cpuinfo", third).unwrap_or_default();
        let system = system(cpuinfo, &mut revision);
        let mut labels = [("", ""); 7];
        let mut spares = [NO_TEXT; 7];
        let texts = RELEASE.iter().zip(&places).map(|((name, _), place)| (*name, value(other, place)));
        let others = [("board_name", board_name), ("model", model)];
        let others = others.map(|(name, found)| (name, first_line(text(file, found).unwrap_or_default())));
        let texts = others.into_iter().chain(texts).chain([("system", system)]);
        for ((label, spare), (name, text)) in labels.iter_mut().zip(&mut spares).zip(texts) {
            *label = (name, lossy(text, spare));
        }
        let help = "Which OpenWrt runs on which board; always 1.";
        page.family(Kind::Gauge, "node_openwrt_info", help).sample(&labels, 1_u64);
        Ok(())
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    trim(lines(text).next().unwrap_or_default())
}

/// What kind of system it is: the first of these lines that is no number, as procd has it. 64-bit ARM has none of
/// them, only a revision.
fn system<'b>(cpuinfo: &'b [u8], room: &'b mut Revision) -> &'b [u8] {
    let pairs = || {
        lines(cpuinfo).filter_map(|line| split_once(line, b':')).map(|(key, text)| (trim(key), trim(text)))
    };
    let mut named = pairs().filter(|(key, text)| {
        let is = |name: &[u8]| key.eq_ignore_ascii_case(name);
        let names = is(b"system type") || is(b"processor") || is(b"cpu") || is(b"model name");
        names && !text.is_empty() && any_base(text).is_none()
    });
    if let Some((_, text)) = named.next() {
        return text;
    }
    let mut revisions = pairs().filter(|(key, _)| key.eq_ignore_ascii_case(b"CPU revision"));
    let Some(revision) = revisions.next().and_then(|(_, text)| hexadecimal(text)) else { return b"" };
    *room = Revision::default();
    let mut digits = NO_DIGITS;
    let pieces = ARM64.iter().chain(decimal(revision, &mut digits).as_bytes());
    let mut length = 0;
    for (place, byte) in room.iter_mut().zip(pieces) {
        *place = *byte;
        length += 1;
    }
    room.get(..length).unwrap_or_default()
}

const ARM64: &[u8] = b"ARMv8 Processor rev ";

/// Room for [`ARM64`] and a number.
type Revision = [u8; 32];

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const TEXT: &str = "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.3'\nDISTRIB_REVISION='r23809-234f1a2efa'\n\
        DISTRIB_TARGET='ath79/generic'\nDISTRIB_ARCH='mips_24kc'\nDISTRIB_DESCRIPTION='OpenWrt 23.05.3'\n";

    #[test]
    fn a_router() {
        let outcome = Tree::new(&[
            ("root/etc/openwrt_release", TEXT),
            ("root/tmp/sysinfo/board_name", "tplink,archer-c7-v2\n"),
            ("root/tmp/sysinfo/model", "TP-Link Archer C7 v2\n"),
            (
                "proc/cpuinfo",
                "system type\t\t: Qualcomm Atheros QCA9558 ver 1 rev 0\nmachine\t: x\nprocessor\t: 0\n",
            ),
        ])
        .run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_openwrt_info{board_name=\"tplink,archer-c7-v2\",model=\"TP-Link Archer C7 v2\",id=\"OpenWrt\",\
             release=\"23.05.3\",revision=\"r23809-234f1a2efa\",target=\"ath79/generic\",\
             system=\"Qualcomm Atheros QCA9558 ver 1 rev 0\"} 1\n"
        );
    }

    #[test]
    fn what_is_missing_is_empty_and_elsewhere_there_is_none() {
        let outcome = Tree::new(&[("root/etc/openwrt_release", "")]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert!(outcome.samples().contains("board_name=\"\",") && outcome.samples().contains("system=\"\""));
        assert!(Tree::new(&[("proc/cpuinfo", "")]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn systems() {
        for (text, expected) in [
            ("processor\t: 0\nmodel name\t: ARMv7 Processor rev 5 (v7l)\n", "ARMv7 Processor rev 5 (v7l)"),
            ("Processor\t: ARM926EJ-S\n", "ARM926EJ-S"),
            ("processor\t: 0x1\ncpu\t: TITAN\n", "TITAN"),
            ("processor\t: 0\n", ""),
            ("processor\t: 0\nCPU revision\t: a\n", "ARMv8 Processor rev 10"),
            ("CPU revision\t: ffffffffffffffff\n", "ARMv8 Processor rev 184467440737"),
        ] {
            assert_eq!(system(text.as_bytes(), &mut Revision::default()), expected.as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[("root/etc/openwrt_release", TEXT)]);
            for file in ["root/tmp/sysinfo/board_name", "root/tmp/sysinfo/model", "proc/cpuinfo"] {
                tree.write(file, &bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
            tree.write("root/etc/openwrt_release", &bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
