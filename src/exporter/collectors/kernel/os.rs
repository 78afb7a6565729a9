//! `os`: which distribution the machine runs. Source: `/etc/os-release`, os-release(5).

use std::boxed::Box;

use rustix::io::Errno;

use super::assignments::{value, values};
use super::date::{DAY, days, length};
use super::kept::{Kept, text};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, float, lossy, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.os", FlagKind::Switch, &["Which distribution the machine runs."]),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Os { files: Kept::new() }))),
};

struct Os {
    files: Kept<2>,
}

const FILES: [&[u8]; 2] = [b"etc/os-release", b"usr/lib/os-release"];

/// The labels, and the lines they come from.
const LABELS: [(&str, &[u8]); 12] = [
    ("build_id", b"BUILD_ID"),
    ("id", b"ID"),
    ("id_like", b"ID_LIKE"),
    ("image_id", b"IMAGE_ID"),
    ("image_version", b"IMAGE_VERSION"),
    ("name", b"NAME"),
    ("pretty_name", b"PRETTY_NAME"),
    ("variant", b"VARIANT"),
    ("variant_id", b"VARIANT_ID"),
    ("version", b"VERSION"),
    ("version_codename", b"VERSION_CODENAME"),
    ("version_id", b"VERSION_ID"),
];

/// The place of `version_id`.
const VERSION_ID: usize = 11;

impl Source for Os {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, other, batch, .. } = scratch;
        let found = self.files.copy(machine, batch, &|| page.is_expired(), FILES, file);
        let Some(release) = found.iter().find_map(|found| text(file, found)) else {
            let errno = found.into_iter().find_map(Result::err).unwrap_or(Errno::NOENT);
            return Err(Problem::unreadable(FILES[0], errno));
        };
        write(release, other, page);
        Ok(())
    }
}

fn write(release: &[u8], room: &mut Bytes, page: &mut Page<'_>) {
    let found = values(release, LABELS.map(|(_, key)| key), room);
    let mut labels = LABELS.map(|(name, _)| (name, ""));
    let mut spares = [NO_TEXT; LABELS.len()];
    for ((label, spare), found) in labels.iter_mut().zip(&mut spares).zip(&found) {
        label.1 = lossy(value(room, found), spare);
    }
    let help = "Which distribution the machine runs; always 1.";
    page.family(Kind::Gauge, "node_os_info", help).sample(&labels, 1_u64);
    if let Some(number) = version(labels[VERSION_ID].1.as_bytes()) {
        let labels = [1, 2, 5].map(|place| labels[place]);
        let help = "The major and minor version of the distribution.";
        page.family(Kind::Gauge, "node_os_version", help).sample(&labels, number);
    }
    let [end] = values(release, [b"SUPPORT_END"], room);
    if let Some(seconds) = date(value(room, &end)) {
        let name = "node_os_support_end_timestamp_seconds";
        page.family(Kind::Gauge, name, "When the support of the distribution ends, as Unix time.")
            .sample(&[], seconds);
    }
}

/// The `12.3` at the beginning of `12.3.4`; none if it is 0.
fn version(text: &[u8]) -> Option<f64> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let major = digits(text);
    let minor = match text.get(major..) {
        Some([b'.', rest @ ..]) if major > 0 => 1 + digits(rest),
        _ => 0,
    };
    float(text.get(..major + minor)?).filter(|version| *version > 0.0)
}

/// `2026-11-24` as Unix time.
fn date(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let number = |digits: &[u8]| unsigned(digits).and_then(|number| i64::try_from(number).ok());
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let valid = (1..=12).contains(&month) && (1..=length(year, month)).contains(&day);
    valid.then(|| days(year, month, day) * DAY)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
        VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n";

    #[test]
    fn debian() {
        let outcome = Tree::new(&[("root/etc/os-release", DEBIAN)]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_os_info{build_id=\"\",id=\"debian\",id_like=\"\",image_id=\"\",image_version=\"\",\
             name=\"Debian GNU/Linux\",pretty_name=\"Debian GNU/Linux 12 (bookworm)\",variant=\"\",variant_id=\"\",\
             version=\"12 (bookworm)\",version_codename=\"bookworm\",version_id=\"12\"} 1\n\
             node_os_version{id=\"debian\",id_like=\"\",name=\"Debian GNU/Linux\"} 12\n"
        );
    }

    #[test]
    fn the_second_place_and_the_end_of_support() {
        let release =
            "ID='openwrt'\nID_LIKE=\"lede openwrt\"\nVERSION_ID=\"23.05.3\"\nSUPPORT_END=2024-02-29\n";
        let outcome = Tree::new(&[("root/usr/lib/os-release", release)]).run(&ENTRY, &[]);
        let samples = outcome.samples();
        assert!(
            samples.contains("node_os_version{id=\"openwrt\",id_like=\"lede openwrt\",name=\"\"} 23.05\n")
        );
        assert!(samples.ends_with("node_os_support_end_timestamp_seconds 1709164800\n"));
    }

    #[test]
    fn bad_bytes_are_replaced() {
        let tree = Tree::new(&[]);
        tree.write("root/etc/os-release", b"NAME=\"x\xff\xfey\"\nID=z\n");
        assert!(tree.run(&ENTRY, &[]).samples().contains(",name=\"x\u{fffd}y\","));
    }

    #[test]
    fn versions_and_dates() {
        for (text, expected) in [
            ("22.04", Some(22.04)),
            ("12.", Some(12.0)),
            ("7.x", Some(7.0)),
            ("0", None),
            ("0.0.5", None),
            ("", None),
            ("v1", None),
            (".5", None),
            ("20240101", Some(20_240_101.0)),
        ] {
            assert_eq!(version(text.as_bytes()), expected, "{text}");
        }
        for text in [
            "",
            "2024",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-1-01",
            "2024-01-01 ",
            "+024-01-01",
        ] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
        assert_eq!(date(b"1970-01-01"), Some(0));
    }

    #[test]
    fn no_file_is_no_data() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "((ID|NAME|SUPPORT_END|VERSION_ID)=[ -~]{0,10}\n){0,5}") {
            let tree = Tree::new(&[]);
            tree.write("root/etc/os-release", [text.as_bytes(), &bytes].concat());
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
