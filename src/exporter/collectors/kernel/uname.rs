//! `uname`: which kernel runs on which machine. Source: uname(2).

use rustix::system::uname;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, lossy};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.uname", FlagKind::Switch, &["Which kernel runs on which machine."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Uname),
};

struct Uname;

impl Source for Uname {
    fn collect(&self, _: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let name = uname();
        // Only these two can be set to anything.
        let (mut spare, mut other) = (NO_TEXT, NO_TEXT);
        let labels = [
            ("sysname", name.sysname().to_str().unwrap_or_default()),
            ("release", name.release().to_str().unwrap_or_default()),
            ("version", name.version().to_str().unwrap_or_default()),
            ("machine", name.machine().to_str().unwrap_or_default()),
            ("nodename", lossy(name.nodename().to_bytes(), &mut spare)),
            ("domainname", lossy(name.domainname().to_bytes(), &mut other)),
        ];
        let help = "Which kernel runs on which machine; always 1.";
        page.family(Kind::Gauge, "node_uname_info", help).sample(&labels, 1_u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn this_kernel_is_shown() {
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        outcome.assert_sound();
        let release = uname().release().to_str().unwrap().to_ascii_lowercase();
        assert!(outcome.samples().to_ascii_lowercase().contains(&format!("release=\"{release}\"")));
        assert!(outcome.samples().starts_with("node_uname_info{sysname=\"Linux\","));
    }
}
