//! `processes`: how many processes and threads there are, and in which state. Source: `/proc/PID/stat`,
//! `/proc/PID/task`, proc_pid_stat(5).
//!
//! It opens a file for every process, and one more for every thread of those with several: dear.

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::Dir;
use crate::exporter::engine::gauges::{Gauge, show};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{fields, unsigned};
use crate::exporter::engine::path::{Path, pieces};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.processes", FlagKind::Switch, &["Processes and threads by their states."]),
    default: false,
    flags: &[],
    build: Build::Ready(&Processes),
};

struct Processes;

const LIMITS: [Gauge; 2] = [
    ("sys/kernel/threads-max", "node_processes_max_threads", "How many threads there can be."),
    ("sys/kernel/pid_max", "node_processes_max_processes", "How many process numbers there are."),
];

/// Enough for the fields of `/proc/PID/stat` that count: name and 18 numbers.
const ROOM: usize = 512;

impl Source for Processes {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, more_names, .. } = scratch;
        machine.procfs.list(".", names).map_err(|errno| Problem::unreadable(".", errno))?;
        let mut found = Counts::default();
        for pid in names.iter().filter(|name| unsigned(name).is_some()) {
            if page.is_expired() {
                return Err(Problem::Failed("the time for this scrape ended among the processes"));
            }
            found.add(&machine.procfs, pid, more_names);
        }
        found.write(page);
        show(&machine.procfs, &LIMITS, page)
    }
}

struct Counts {
    pids: u64,
    threads: u64,
    /// By the letter of the state.
    processes_by_state: [u64; 128],
    threads_by_state: [u64; 128],
}

impl Default for Counts {
    fn default() -> Self {
        Self { pids: 0, threads: 0, processes_by_state: [0; 128], threads_by_state: [0; 128] }
    }
}

impl Counts {
    /// Adds a process; one that has ended meanwhile counts no more.
    fn add(&mut self, procfs: &Dir, pid: &[u8], tids: &mut Names) {
        let Some((state, threads)) = state(procfs, pieces(&[pid, b"/stat"])) else { return };
        self.pids += 1;
        self.threads = self.threads.saturating_add(threads);
        count(&mut self.processes_by_state, state);
        // Its first thread has the state of the process.
        count(&mut self.threads_by_state, state);
        if threads <= 1 || procfs.list(pieces(&[pid, b"/task"]), tids).is_err() {
            return;
        }
        for tid in tids.iter().filter(|tid| *tid != pid && unsigned(tid).is_some()) {
            if let Some((state, _)) = self::state(procfs, pieces(&[pid, b"/task/", tid, b"/stat"])) {
                count(&mut self.threads_by_state, state);
            }
        }
    }

    fn write(&self, page: &mut Page<'_>) {
        page.family(Kind::Gauge, "node_processes_pids", "Processes.").sample(&[], self.pids);
        page.family(Kind::Gauge, "node_processes_threads", "Threads.").sample(&[], self.threads);
        for (name, label, help, counts) in [
            ("node_processes_state", "state", "Processes by state.", &self.processes_by_state),
            ("node_processes_threads_state", "thread_state", "Threads by state.", &self.threads_by_state),
        ] {
            let mut family = page.family(Kind::Gauge, name, help);
            for (letter, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let mut text = [0; 4];
                let letter = char::from(letter as u8).encode_utf8(&mut text);
                family.sample(&[(label, letter)], *count);
            }
        }
    }
}

fn count(counts: &mut [u64; 128], state: u8) {
    if let Some(count) = counts.get_mut(usize::from(state)) {
        *count += 1;
    }
}

/// The state, and the number of threads.
fn state(procfs: &Dir, path: Path<'_>) -> Option<(u8, u64)> {
    let mut room = [0; ROOM];
    let text = procfs.piece(path, &mut room).ok()?;
    // The name in parentheses may hold anything.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = fields(text.get(end + 1..)?);
    let &[state] = fields.next()? else { return None };
    Some((state, unsigned(fields.nth(16)?)?)).filter(|_| state.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    fn stat(name: &str, state: char, threads: u32) -> String {
        let vsize = u64::MAX;
        format!("1 ({name}) {state} 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 33 {vsize} 1977 1\n")
    }

    #[test]
    fn processes_and_threads_by_state() {
        let tree = Tree::new(&[
            ("proc/1/stat", &stat("init", 'S', 1)),
            // Its list of threads is not looked at.
            ("proc/1/task/99/stat", &stat("init", 'Z', 1)),
            ("proc/20/stat", &stat(") R 1 (", 'S', 3)),
            ("proc/20/task/20/stat", &stat("x", 'S', 3)),
            ("proc/20/task/21/stat", &stat("x", 'R', 3)),
            ("proc/20/task/22/stat", "broken"),
            ("proc/30/stat", "30 (gone"),
            ("proc/31/cmdline", "no stat"),
            ("proc/self/stat", &stat("self", 'R', 1)),
            ("proc/sys/kernel/threads-max", "7801\n"),
            ("proc/sys/kernel/pid_max", "32768\n"),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        outcome.assert_sound();
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples().replace("node_processes_", ""),
            "pids 2\nthreads 4\nstate{state=\"S\"} 2\nthreads_state{thread_state=\"R\"} 1\n\
             threads_state{thread_state=\"S\"} 2\nmax_threads 7801\nmax_processes 32768\n"
        );
    }

    #[test]
    fn a_missing_limit_is_a_problem_but_not_for_the_rest() {
        let tree =
            Tree::new(&[("proc/1/stat", &stat("a", 'I', 1)), ("proc/sys/kernel/pid_max", "4194304\n")]);
        let outcome = tree.run(&ENTRY, &[]);
        assert!(outcome.result.unwrap_err().is_no_data());
        assert!(outcome.samples().contains("node_processes_pids 1\n"));
        assert!(outcome.samples().contains("node_processes_max_processes 4194304\n"));
        tree.write("proc/sys/kernel/threads-max", "many\n");
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(outcome.result, Err(Problem::malformed("sys/kernel/threads-max")));
    }

    #[test]
    fn the_processes_of_this_machine_are_counted() {
        let machine = Machine::open(&Default::default()).unwrap();
        let outcome = crate::exporter::engine::testing::run(&Processes, &machine);
        outcome.assert_sound();
        assert!(outcome.samples().contains("node_processes_threads_state"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "1 \\(a\\) [A-Za-z\u{e9}\"]( [0-9]{1,2}){16,18}") {
            let tree = Tree::new(&[("proc/1/stat", &stat("a", 'I', 2)), ("proc/2/stat", &text)]);
            tree.write("proc/1/task/2/stat", &bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
