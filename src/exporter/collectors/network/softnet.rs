//! `softnet`: packets on their way from the devices to the protocols. Source: `/proc/net/softnet_stat`, the kernel's
//! `net/core/net-procfs.c` and `Documentation/networking/scaling.rst`.

use std::vec::Vec;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_DIGITS, decimal, fields, hexadecimal, lines};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.softnet",
        FlagKind::Switch,
        &["Packets that processors took from the devices."],
    ),
    default: true,
    flags: &[],
    build: Build::Ready(&Softnet),
};

struct Softnet;

const FILE: &str = "net/softnet_stat";

/// The columns that are shown: their number, counted from 1, and what they are.
const SHOWN: [(usize, Kind, &str, &str); 7] = [
    (1, Kind::Counter, "node_softnet_processed_total", "Packets that the processor has taken."),
    (2, Kind::Counter, "node_softnet_dropped_total", "Packets dropped because too many waited."),
    (
        3,
        Kind::Counter,
        "node_softnet_times_squeezed_total",
        "How often the time or the budget was over too early.",
    ),
    (
        9,
        Kind::Counter,
        "node_softnet_cpu_collision_total",
        "How often a device was locked by another processor.",
    ),
    (
        10,
        Kind::Counter,
        "node_softnet_received_rps_total",
        "How often another processor asked to take packets.",
    ),
    (11, Kind::Counter, "node_softnet_flow_limit_count_total", "How often a flow reached its limit."),
    (12, Kind::Gauge, "node_softnet_backlog_len", "Packets that wait."),
];

/// The columns of Linux 5.14 and later; the last one is the number of the processor.
const COLUMNS: usize = 13;

/// Of each processor its number, then what is shown.
const ROW: usize = 1 + SHOWN.len();

/// In the place of a column that this kernel does not have.
const ABSENT: u64 = u64::MAX;

impl Source for Softnet {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, numbers, .. } = scratch;
        read(machine.procfs.held_short(FILE, file)?, numbers);
        for (place, (_, kind, name, help)) in SHOWN.into_iter().enumerate() {
            let mut family = page.family(kind, name, help);
            for row in numbers.chunks_exact(ROW) {
                let [cpu, values @ ..] = row else { continue };
                let mut digits = NO_DIGITS;
                if let Some(value) = values.get(place).filter(|value| **value != ABSENT) {
                    family.sample(&[("cpu", decimal(*cpu, &mut digits))], *value);
                }
            }
        }
        if numbers.is_empty() { Err(Problem::malformed(FILE)) } else { Ok(()) }
    }
}

fn read(text: &[u8], rows: &mut Vec<u64>) {
    rows.clear();
    let mut next = 0;
    for (at, line) in (0_u64..).zip(lines(text)) {
        let mut columns = [ABSENT; COLUMNS];
        for (column, field) in columns.iter_mut().zip(fields(line)) {
            *column = hexadecimal(field).unwrap_or(ABSENT);
        }
        let [.., waiting, cpu] = &mut columns;
        if *cpu == ABSENT {
            // Before 5.14 the lines are those of the processors that are online, and nothing tells which.
            (*waiting, *cpu) = (ABSENT, at);
        }
        // Processors come in their order.
        if *cpu < next {
            continue;
        }
        next = cpu.saturating_add(1);
        rows.push(*cpu);
        rows.extend(SHOWN.map(|(number, ..)| columns.get(number - 1).copied().unwrap_or(ABSENT)));
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    fn samples(text: &str) -> String {
        let outcome = Tree::new(&[("proc/net/softnet_stat", text)]).run(&ENTRY, &[]);
        outcome.assert_sound();
        outcome.samples().replace("node_softnet_", "")
    }

    #[test]
    fn packets_are_counted() {
        let text = "\
000000ff 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000003 00000004 00000005 00000006 00000000 00000000 00000000
ffffffff 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002 00000000 00000000
";
        assert_eq!(
            samples(text),
            "processed_total{cpu=\"0\"} 255\nprocessed_total{cpu=\"2\"} 4294967295\n\
             dropped_total{cpu=\"0\"} 1\ndropped_total{cpu=\"2\"} 0\n\
             times_squeezed_total{cpu=\"0\"} 2\ntimes_squeezed_total{cpu=\"2\"} 0\n\
             cpu_collision_total{cpu=\"0\"} 3\ncpu_collision_total{cpu=\"2\"} 0\n\
             received_rps_total{cpu=\"0\"} 4\nreceived_rps_total{cpu=\"2\"} 0\n\
             flow_limit_count_total{cpu=\"0\"} 5\nflow_limit_count_total{cpu=\"2\"} 0\n\
             backlog_len{cpu=\"0\"} 6\nbacklog_len{cpu=\"2\"} 0\n"
        );
    }

    #[test]
    fn an_old_kernel_has_fewer_columns() {
        let text =
            "0000000a 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000003\n".repeat(2);
        let samples = samples(&text);
        assert_eq!(samples.lines().count(), 8);
        assert!(samples.contains("processed_total{cpu=\"1\"} 10\n") && !samples.contains("rps"));
    }

    #[test]
    fn broken_text_is_left_out() {
        assert_eq!(samples("x 2\n\u{fffd}\n"), "dropped_total{cpu=\"0\"} 2\n");
        let outcome = Tree::new(&[("proc/net/softnet_stat", "\n")]).run(&ENTRY, &[]);
        assert_eq!(outcome.result, Err(Problem::malformed(FILE)));
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
    }

    #[test]
    fn four_thousand_processors() {
        let line = |cpu: u32| format!("1 2 3 0 0 0 0 0 4 5 6 7 {cpu:08x} 0 0\n");
        let samples = samples(&(0..4096).map(line).collect::<String>());
        assert_eq!(samples.lines().count(), 7 * 4096);
        assert!(samples.contains("backlog_len{cpu=\"4095\"} 7\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[0-2f \n]{0,300}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[]);
                tree.write("proc/net/softnet_stat", bytes);
                tree.run(&ENTRY, &[]).assert_sound();
            }
        }
    }
}
