//! `sockstat`: how many sockets there are, and their memory. Source: `/proc/net/sockstat` and `/proc/net/sockstat6`,
//! proc_pid_net(5).

use rustix::param::page_size;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, lines, signed, split_once};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::Seen;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page, copy};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.sockstat",
        FlagKind::Switch,
        &["How many sockets there are, and their memory."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Sockstat),
};

struct Sockstat;

impl Source for Sockstat {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, seen, .. } = scratch;
        seen.clear();
        let mut result = Ok(());
        for path in ["net/sockstat", "net/sockstat6"] {
            match machine.procfs.held_short(path, file) {
                Ok(text) => lines(text).for_each(|line| write_line(line, seen, page)),
                // A kernel without this version of IP.
                Err(problem) if problem.is_no_data() => {}
                Err(problem) => result = result.and(Err(problem)),
            }
        }
        result
    }
}

/// A line: `TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5`.
fn write_line(line: &[u8], seen: &mut Seen, page: &mut Page<'_>) {
    let Some((protocol, rest)) = split_once(line, b':') else { return };
    let Some(protocol) = core::str::from_utf8(protocol).ok().filter(|protocol| is_name(protocol)) else {
        return;
    };
    let mut rest = fields(rest);
    while let (Some(field), Some(value)) = (rest.next(), rest.next()) {
        // The kernel's counts of memory are estimates, and may be below 0 for a moment.
        let Some(value) = signed(value) else { continue };
        let (field, help) = match (protocol, field) {
            ("sockets", b"used") => ("used", "Sockets of all kinds."),
            ("sockets", _) => continue,
            (_, b"inuse") => ("inuse", "Sockets that are used; packets under reassembly of FRAG."),
            (_, b"orphan") => ("orphan", "Sockets that no process has any more."),
            (_, b"tw") => ("tw", "Sockets in the state TIME-WAIT."),
            (_, b"alloc") => ("alloc", "Sockets that are allocated."),
            (_, b"mem") => ("mem", "Memory of the sockets, in pages."),
            (_, b"memory") => ("memory", "Memory of packets under reassembly, in bytes."),
            _ => continue,
        };
        write([protocol, "_", field, ""], help, value, seen, page);
        if field == "mem" {
            let bytes = value.saturating_mul(page_size() as i64);
            write([protocol, "_", field, "_bytes"], "Memory of the sockets, in bytes.", bytes, seen, page);
        }
    }
}

fn write(pieces: [&str; 4], help: &str, value: i64, seen: &mut Seen, page: &mut Page<'_>) {
    let mut name = [0; PREFIX.len() + LONGEST + "_memory_bytes".len()];
    let mut length = 0;
    for piece in [PREFIX].into_iter().chain(pieces) {
        if let Some(room) = name.get_mut(length..length + piece.len()) {
            copy(piece.as_bytes(), room);
            length += piece.len();
        }
    }
    let name = name.get(..length).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or_default();
    if seen.is_new(name.as_bytes()) {
        page.family(Kind::Gauge, name, help).sample(&[], value);
    }
}

const PREFIX: &str = "node_sockstat_";

/// The longest name of a protocol. The kernel's longest is UDPLITE6.
const LONGEST: usize = 32;

fn is_name(protocol: &str) -> bool {
    (1..=LONGEST).contains(&protocol.len()) && protocol.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const SOCKSTAT: &str = "\
sockets: used 290
TCP: inuse 5 orphan 0 tw 1 alloc 7 mem 3
UDP: inuse 2 mem 0
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 1 memory 4294967296
";
    const SOCKSTAT6: &str =
        "TCP6: inuse 2\nUDP6: inuse 1\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n";

    #[test]
    fn sockets_are_counted() {
        let tree = Tree::new(&[("proc/net/sockstat", SOCKSTAT), ("proc/net/sockstat6", SOCKSTAT6)]);
        let outcome = tree.run(&ENTRY, &[]);
        let bytes = 3 * page_size();
        assert_eq!(
            outcome.samples().replace("node_sockstat_", ""),
            format!(
                "sockets_used 290\nTCP_inuse 5\nTCP_orphan 0\nTCP_tw 1\nTCP_alloc 7\nTCP_mem 3\nTCP_mem_bytes {bytes}\n\
                 UDP_inuse 2\nUDP_mem 0\nUDP_mem_bytes 0\nUDPLITE_inuse 0\nRAW_inuse 0\nFRAG_inuse 1\n\
                 FRAG_memory 4294967296\nTCP6_inuse 2\nUDP6_inuse 1\nUDPLITE6_inuse 0\nRAW6_inuse 1\nFRAG6_inuse 0\n\
                 FRAG6_memory 0\n"
            )
        );
        assert_eq!(outcome.result, Ok(()));
        outcome.assert_sound();
    }

    #[test]
    fn memory_may_be_below_zero() {
        let outcome = Tree::new(&[("proc/net/sockstat", "TCP: mem -1\n")]).run(&ENTRY, &[]);
        let bytes = page_size();
        let expected = format!("node_sockstat_TCP_mem -1\nnode_sockstat_TCP_mem_bytes -{bytes}\n");
        assert_eq!(outcome.samples(), expected);
    }

    #[test]
    fn a_missing_file_is_no_problem() {
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = "sockets: free 1 used x\nTCP: inuse - new 5 tw 2\nTCP: tw 3\nA B: inuse 1\nUDP: inuse\n: inuse 1\n";
        let outcome = Tree::new(&[("proc/net/sockstat", text)]).run(&ENTRY, &[]);
        assert_eq!(outcome.samples(), "node_sockstat_TCP_tw 2\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "(T|U|: |mem |tw |[0-9]|\n){0,99}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[]);
                tree.write("proc/net/sockstat", bytes);
                tree.write("proc/net/sockstat6", bytes);
                tree.run(&ENTRY, &[]).assert_sound();
            }
        }
    }
}
