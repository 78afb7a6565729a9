//! `loadavg`: how many tasks run or wait for the disk, averaged. Source: `/proc/loadavg`, proc_loadavg(5).

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, float};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.loadavg", FlagKind::Switch, &["Tasks that run or wait for the disk."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Loadavg),
};

struct Loadavg;

const FILE: &str = "loadavg";

impl Source for Loadavg {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut loads = fields(machine.procfs.held_short(FILE, &mut scratch.file)?);
        for (name, help) in [
            ("node_load1", "Load, averaged over 1 minute."),
            ("node_load5", "Load, averaged over 5 minutes."),
            ("node_load15", "Load, averaged over 15 minutes."),
        ] {
            let load = loads.next().and_then(float).ok_or_else(|| Problem::malformed(FILE))?;
            page.family(Kind::Gauge, name, help).sample(&[], load);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn loads_are_shown() {
        let outcome = Tree::new(&[("proc/loadavg", "0.25 1.5 3.00 1/300 999\n")]).run(&ENTRY, &[]);
        assert_eq!(outcome.samples(), "node_load1 0.25\nnode_load5 1.5\nnode_load15 3\n");
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn what_is_no_load_is_a_problem() {
        for text in ["", "x", "0.5", "0.5 nan 1", "\0\u{fffd}"] {
            let outcome = Tree::new(&[("proc/loadavg", text)]).run(&ENTRY, &[]);
            assert_eq!(outcome.result, Err(Problem::malformed("loadavg")), "{text}");
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }
}
