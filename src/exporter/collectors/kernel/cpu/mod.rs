//! `cpu`: what the processors spend their time with, and which there are. Source: `/proc/stat`, proc_stat(5);
//! `/sys/devices/system/cpu`.

mod info;
mod sysfs;
mod ticks;

use std::boxed::Box;
use std::sync::{Mutex, PoisonError};

use self::info::{BUGS, FLAGS, INFO, Info};
use self::sysfs::Topology;
use self::ticks::{BAD, COLUMNS, Ticks};
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_DIGITS, decimal};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::{ProcStat, Scratch};
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.cpu", FlagKind::Switch, &["What the processors spend their time with."]),
    default: true,
    flags: &[&GUEST, &INFO, &FLAGS, &BUGS],
    build: Build::By(|choices| {
        Ok(Box::new(Cpu {
            ticks: Mutex::default(),
            topology: Topology::default(),
            guest: choices.is_on(&GUEST).unwrap_or(true),
            info: Info::read(choices)?,
        }))
    }),
};

static GUEST: Flag = Flag::new(
    "collector.cpu.guest",
    FlagKind::Switch,
    &["Shows the time for guests too, which is part of user and nice. Default on."],
);

struct Cpu {
    ticks: Mutex<Ticks>,
    topology: Topology,
    guest: bool,
    info: Option<Box<Info>>,
}

/// Ticks of a second in what user space sees, whatever the kernel's own clock does: USER_HZ.
const HERTZ: f64 = 100.0;

const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// The modes of guests and their columns.
const GUESTS: [(&str, usize); 2] = [("user", 8), ("nice", 9)];

impl Source for Cpu {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let times = self.times(machine, scratch);
        if times.is_ok() {
            self.write_times(&scratch.numbers, page);
        }
        self.topology.write(machine, scratch, page);
        match &self.info {
            Some(info) => times.and(info.write(machine, scratch, page)),
            None => times,
        }
    }
}

impl Cpu {
    /// Number and times of all processors, one after the other in `scratch.numbers`.
    fn times(&self, machine: &Machine, scratch: &mut Scratch) -> Result<(), Problem> {
        // Held while the file is read: an older state must not come after a newer one.
        let mut ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        let Scratch { stat, numbers, .. } = scratch;
        ticks.update(stat.read(machine)?, numbers);
        if numbers.is_empty() { Err(Problem::malformed(ProcStat::FILE)) } else { Ok(()) }
    }

    fn write_times(&self, numbers: &[u64], page: &mut Page<'_>) {
        let rows = || numbers.chunks_exact(COLUMNS + 1).filter_map(|row| row.split_first());
        let help = "How long a processor has been in a mode.";
        let mut family = page.family(Kind::Counter, "node_cpu_seconds_total", help);
        for (cpu, times) in rows() {
            let mut digits = NO_DIGITS;
            let cpu = decimal(*cpu, &mut digits);
            for (mode, ticks) in MODES.iter().zip(times).filter(|(_, ticks)| **ticks != BAD) {
                family.sample(&[("cpu", cpu), ("mode", mode)], *ticks as f64 / HERTZ);
            }
        }
        if !self.guest {
            return;
        }
        let help = "How long a processor has run guests, which user and nice hold already.";
        let mut family = page.family(Kind::Counter, "node_cpu_guest_seconds_total", help);
        for (cpu, times) in rows() {
            let mut digits = NO_DIGITS;
            let cpu = decimal(*cpu, &mut digits);
            for (mode, column) in GUESTS {
                if let Some(ticks) = times.get(column).filter(|ticks| **ticks != BAD) {
                    family.sample(&[("cpu", cpu), ("mode", mode)], *ticks as f64 / HERTZ);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
