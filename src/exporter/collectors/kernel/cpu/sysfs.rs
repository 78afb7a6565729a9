//! Which processors are online, isolated, slowed down. Source: `/sys/devices/system/cpu`,
//! Documentation/ABI/testing/sysfs-devices-system-cpu, Documentation/admin-guide/cputopology.rst.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::vec::Vec;

use super::ticks::MOST_CPUS;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_DIGITS, decimal, split_once, trim, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::scratch::Scratch;
use crate::text::{Kind, Page};

const ROOT: &[u8] = CPUS.as_bytes();
const CPUS: &str = "devices/system/cpu/";

/// What is kept of the topology.
#[derive(Debug, Default)]
pub(super) struct Topology {
    fixed: OnceLock<Fixed>,
    kept: Mutex<Kept>,
}

/// What does not change until the machine boots again.
#[derive(Debug)]
struct Fixed {
    /// Whether processors can be switched off. Where the first one cannot, nothing is told of any.
    can_go: bool,
    throttles: bool,
    isolated: Vec<(u64, u64)>,
}

impl Fixed {
    fn read(machine: &Machine, Scratch { other, names, .. }: &mut Scratch) -> Self {
        let has = |cpu: &[u8], file: &[u8]| machine.sysfs.look_for(pieces(&[ROOT, cpu, b"/", file])).is_ok();
        let isolated = machine.sysfs.whole(pieces(&[ROOT, b"isolated"]), other);
        let listed = machine.sysfs.held_list(CPUS, names);
        Self {
            can_go: has(b"cpu0", b"online"),
            throttles: listed.is_ok()
                && names.iter().any(|name| number(name).is_some() && has(name, b"thermal_throttle")),
            isolated: isolated.map(|list| ranges(list).collect()).unwrap_or_default(),
        }
    }
}

/// What does not change while the same processors are online.
#[derive(Debug, Default)]
struct Kept {
    /// What `online` held when the rest was read.
    online: Vec<u8>,
    /// All processors, by package and core.
    cores: Vec<Core>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Core {
    package: u64,
    core: u64,
    cpu: u64,
}

impl Topology {
    pub(super) fn write(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) {
        let fixed = self.fixed.get_or_init(|| Fixed::read(machine, scratch));
        write_isolated(&fixed.isolated, page);
        if !fixed.can_go && !fixed.throttles {
            return;
        }
        let online = machine.sysfs.whole(pieces(&[ROOT, b"online"]), &mut scratch.other).unwrap_or_default();
        if machine.sysfs.held_list(CPUS, &mut scratch.names).is_err() {
            return;
        }
        let cpus = || scratch.names.iter().filter_map(number);
        // One at least is online, for it runs this.
        if fixed.can_go && ranges(online).next().is_some() {
            let help = "Whether a processor is online.";
            let mut family = page.family(Kind::Gauge, "node_cpu_online", help);
            let mut ranges = ranges(online).peekable();
            for cpu in cpus() {
                while ranges.next_if(|(_, last)| *last < cpu).is_some() {}
                let is_online = ranges.peek().is_some_and(|(first, _)| *first <= cpu);
                family.sample(&[("cpu", decimal(cpu, &mut { NO_DIGITS }))], is_online);
            }
        }
        if fixed.throttles {
            self.find(machine, online, cpus(), &mut scratch.numbers);
            write_throttles(machine, &scratch.numbers, page);
        }
    }

    /// Lists package, core and number of every processor.
    fn find(&self, machine: &Machine, online: &[u8], cpus: impl Iterator<Item = u64>, into: &mut Vec<u64>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.online != online || kept.cores.is_empty() {
            let Kept { online: old, cores } = &mut *kept;
            old.clear();
            old.extend_from_slice(online);
            cores.clear();
            for cpu in cpus {
                let mut digits = NO_DIGITS;
                let number = decimal(cpu, &mut digits);
                let read = |file: &[u8]| {
                    machine.sysfs.number(pieces(&[ROOT, b"cpu", number.as_bytes(), b"/topology/", file]))
                };
                if let (Some(package), Some(core)) = (read(b"physical_package_id"), read(b"core_id")) {
                    cores.push(Core { package, core, cpu });
                }
            }
            cores.sort_unstable();
        }
        into.clear();
        into.extend(kept.cores.iter().flat_map(|core| [core.package, core.core, core.cpu]));
    }
}

/// Shows each core and each package by the first of its processors that can be read.
fn write_throttles(machine: &Machine, cpus: &[u64], page: &mut Page<'_>) {
    for (of_core, name, help, file) in [
        (
            true,
            "node_cpu_core_throttles_total",
            "How often a core was slowed down for heat.",
            &b"/thermal_throttle/core_throttle_count"[..],
        ),
        (
            false,
            "node_cpu_package_throttles_total",
            "How often a package was slowed down for heat.",
            b"/thermal_throttle/package_throttle_count",
        ),
    ] {
        let mut family = page.family(Kind::Counter, name, help);
        let mut shown = None;
        for row in cpus.chunks_exact(3) {
            let &[package, core, cpu] = row else { continue };
            let own = Some((package, of_core.then_some(core)));
            if shown == own {
                continue;
            }
            let mut digits = NO_DIGITS;
            let path = [ROOT, b"cpu", decimal(cpu, &mut digits).as_bytes(), file];
            let Some(count) = machine.sysfs.number(pieces(&path)) else { continue };
            shown = own;
            let (mut first, mut second) = (NO_DIGITS, NO_DIGITS);
            let labels = [("core", decimal(core, &mut first)), ("package", decimal(package, &mut second))];
            family.sample(labels.get(usize::from(!of_core)..).unwrap_or_default(), count);
        }
    }
}

fn write_isolated(ranges: &[(u64, u64)], page: &mut Page<'_>) {
    let help = "Processors that the scheduler leaves alone; always 1.";
    let mut family = page.family(Kind::Gauge, "node_cpu_isolated", help);
    for cpu in ranges.iter().flat_map(|(first, last)| *first..=*last) {
        family.sample(&[("cpu", decimal(cpu, &mut { NO_DIGITS }))], 1_u64);
    }
}

/// The number of `cpu12`.
fn number(name: &[u8]) -> Option<u64> {
    let digits = name.strip_prefix(b"cpu")?;
    // Two spellings of one number would be two processors.
    let number = unsigned(digits).filter(|number| *number < MOST_CPUS as u64)?;
    (decimal(number, &mut { NO_DIGITS }).as_bytes() == digits).then_some(number)
}

/// First and last of each range of `0-3,8`, in ascending order; what is out of order is left out.
fn ranges(list: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let mut next = 0;
    trim(list).split(|byte| *byte == b',').filter_map(move |range| {
        let (first, last) = split_once(range, b'-').unwrap_or((range, range));
        let (first, last) = (unsigned(first)?, unsigned(last)?);
        let fits = next <= first && first <= last && last < MOST_CPUS as u64;
        fits.then(|| next = last + 1).map(|()| (first, last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        let read = |text: &str| ranges(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(read("0-3,8,10-11\n"), [(0, 3), (8, 8), (10, 11)]);
        assert_eq!(read("\n"), []);
        assert_eq!(read("x,5,3-4,6-2,7-16384,9,9"), [(5, 5), (9, 9)]);
        assert_eq!(number(b"cpu10"), Some(10));
        for name in ["cpu", "cpu01", "cpufreq", "cpu16384", "x1", "cpu+1"] {
            assert_eq!(number(name.as_bytes()), None, "{name}");
        }
    }
}
