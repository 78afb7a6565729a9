//! `meminfo`: what the memory is used for. Source: `/proc/meminfo`, proc_meminfo(5),
//! Documentation/filesystems/proc.rst. Every line is shown, so what a newer kernel adds comes by itself.

use super::names::name;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, lines, split_once, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.meminfo", FlagKind::Switch, &["What the memory is used for."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Meminfo),
};

struct Meminfo;

const FILE: &str = "meminfo";

impl Source for Meminfo {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let text = machine.procfs.held_short(FILE, &mut scratch.file)?;
        scratch.seen.clear();
        let mut any = false;
        for line in lines(text) {
            let Some((key, value)) = split_once(line, b':') else { continue };
            let mut value = fields(value);
            let Some(number) = value.next().and_then(unsigned) else { continue };
            // `Active(anon)` becomes `Active_anon`.
            let key = key.strip_suffix(b")").unwrap_or(key);
            let (suffix, number, help): (&[u8], _, _) = match value.next() {
                None => (b"", number, "A number of /proc/meminfo."),
                Some(b"kB") => (b"_bytes", number.saturating_mul(1024), "A size of /proc/meminfo, in bytes."),
                Some(_) => continue,
            };
            let Some(name) = name(&[b"node_memory_", key, suffix]) else { continue };
            if scratch.seen.is_new(name.as_str().as_bytes()) {
                page.family(Kind::Gauge, name.as_str(), help).sample(&[], number);
                any = true;
            }
        }
        if any { Ok(()) } else { Err(Problem::malformed(FILE)) }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str) -> Outcome {
        let outcome = Tree::new(&[("proc/meminfo", text)]).run(&ENTRY, &[]);
        outcome.assert_sound();
        outcome
    }

    #[test]
    fn every_line_is_shown() {
        let outcome = read(
            "MemTotal:       24683656 kB\nActive(anon):         12 kB\nHighTotal:            0 kB\n\
             HugePages_Total:       3\nHugepagesize:       2048 kB\nDirectMap4k:       1 kB\n",
        );
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_memory_MemTotal_bytes 25276063744\nnode_memory_Active_anon_bytes 12288\n\
             node_memory_HighTotal_bytes 0\nnode_memory_HugePages_Total 3\nnode_memory_Hugepagesize_bytes 2097152\n\
             node_memory_DirectMap4k_bytes 1024\n"
        );
        assert!(outcome.page.contains("# TYPE node_memory_Active_anon_bytes gauge\n"));
    }

    #[test]
    fn an_old_kernel_begins_with_a_table() {
        let text = "        total:    used:    free:\nMem:  1000 500 500\nMemTotal: 1 kB\nMemTotal: 2 kB\nX: -1 kB\nY: 1 MB\n";
        assert_eq!(read(text).samples(), "node_memory_MemTotal_bytes 1024\n");
    }

    #[test]
    fn no_line_is_a_problem() {
        for text in ["", "MemTotal 1 kB\n", "\u{0}:\n"] {
            assert_eq!(read(text).result, Err(Problem::malformed("meminfo")));
        }
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "([A(-c]{0,2}: [0-9]{0,3}( kB)?\n){0,9}") {
            read(&text);
            let tree = Tree::new(&[]);
            tree.write("proc/meminfo", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
