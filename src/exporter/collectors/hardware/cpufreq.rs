//! `cpufreq`: clocks of the processors, their bounds and governors. Source:
//! `/sys/devices/system/cpu/cpuN/cpufreq`, Documentation/admin-guide/pm/cpufreq.
//!
//! Processors that share a clock have links to one policy, which is read once for all of them.

use std::boxed::Box;
use std::vec::Vec;

use rustix::io::Errno;

use super::number_after;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{fields, split_once, trim, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::{Pool, Scratch};
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.cpufreq",
        FlagKind::Switch,
        &["Clocks of the processors, and their governors."],
    ),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Cpufreq::default()))),
};

#[derive(Default)]
struct Cpufreq {
    plans: Pool<Plan>,
}

#[derive(Default)]
struct Plan {
    /// The first question about a policy, by its number.
    policies: Vec<Option<usize>>,
    /// Processors by their place in the directory, and the first question about each.
    cpus: Vec<(usize, usize)>,
}

const DIRECTORY: &[u8] = CPUS.as_bytes();
const CPUS: &str = "devices/system/cpu/";

/// The kernel's own bound is 8,192.
const MOST_POLICIES: u64 = 65_536;

/// Files in kHz, families in Hz.
const CLOCKS: [(&str, &str, &str); 7] = [
    ("cpuinfo_cur_freq", "node_cpu_frequency_hertz", "Clock as the hardware says, in hertz."),
    ("cpuinfo_avg_freq", "node_cpu_frequency_avg_hertz", "Clock, averaged by the hardware, in hertz."),
    ("cpuinfo_min_freq", "node_cpu_frequency_min_hertz", "Slowest clock of the hardware, in hertz."),
    ("cpuinfo_max_freq", "node_cpu_frequency_max_hertz", "Fastest clock of the hardware, in hertz."),
    ("scaling_cur_freq", "node_cpu_scaling_frequency_hertz", "Clock as the kernel last set it, in hertz."),
    ("scaling_min_freq", "node_cpu_scaling_frequency_min_hertz", "Slowest clock that is allowed, in hertz."),
    ("scaling_max_freq", "node_cpu_scaling_frequency_max_hertz", "Fastest clock that is allowed, in hertz."),
];

/// The questions that follow those about clocks.
const GOVERNOR: usize = CLOCKS.len();
const GOVERNORS: usize = GOVERNOR + 1;

impl Source for Cpufreq {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, batch, file, .. } = scratch;
        machine.sysfs.held_list(CPUS, names).map_err(|errno| Problem::unreadable(DIRECTORY, errno))?;
        batch.clear();
        self.plans.with(|plan| {
            plan.find(machine, names, file, batch);
            machine.patience.ask(batch, &|| page.is_expired());
            for (question, (_, name, help)) in CLOCKS.iter().enumerate() {
                let mut family = page.family(Kind::Gauge, name, help);
                for (cpu, first) in plan.cpus(names) {
                    if let Some(kilohertz) = batch.text(first + question).and_then(unsigned) {
                        family.sample(&[("cpu", cpu)], kilohertz.saturating_mul(1000));
                    }
                }
            }
            let help = "Which governors a processor can have; 1 for the one that it has.";
            let mut family = page.family(Kind::Gauge, "node_cpu_scaling_governor", help);
            for (cpu, first) in plan.cpus(names) {
                let Some(current) = batch.text(first + GOVERNOR).and_then(word) else { continue };
                let all = batch.text(first + GOVERNORS).unwrap_or_default();
                each_once(all, current, |governor| {
                    family.sample(&[("cpu", cpu), ("governor", governor)], u64::from(governor == current));
                });
            }
        });
        Ok(())
    }
}

impl Plan {
    /// Finds the processors with a clock, and asks for each clock once.
    fn find(&mut self, machine: &Machine, names: &Names, file: &mut Bytes, batch: &mut Batch) {
        self.policies.clear();
        self.cpus.clear();
        let mut is_read = false;
        let mut room = [0; 64];
        for (place, name) in names.iter().enumerate() {
            let Some(number) = number_after(name, "cpu").and_then(|number| unsigned(number.as_bytes()))
            else {
                continue;
            };
            let policy = match machine.sysfs.link(pieces(&[DIRECTORY, name, b"/cpufreq"]), &mut room) {
                Ok(target) => policy_of(target),
                // Older kernels: a directory of its own.
                Err(Errno::INVAL) => None,
                Err(_) => continue,
            };
            // A kernel that cannot switch processors off has no such file.
            if !is_read {
                is_read = true;
                if machine.sysfs.whole(pieces(&[DIRECTORY, b"offline"]), file).is_err() {
                    file.clear();
                }
            }
            if is_listed(number, file) {
                continue;
            }
            let known = policy.and_then(|number| self.policies.get(number).copied().flatten());
            let first = known.unwrap_or_else(|| ask(name, batch));
            if let Some(number) = policy {
                if self.policies.len() <= number {
                    self.policies.resize(number + 1, None);
                }
                if let Some(policy) = self.policies.get_mut(number) {
                    *policy = Some(first);
                }
            }
            self.cpus.push((place, first));
        }
    }

    fn cpus<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = (&'a str, usize)> {
        self.cpus.iter().filter_map(|(place, first)| Some((number_after(names.get(*place)?, "cpu")?, *first)))
    }
}

fn ask(cpu: &[u8], batch: &mut Batch) -> usize {
    let mut about = |file: &str| batch.ask_attribute(&[DIRECTORY, cpu, b"/cpufreq/", file.as_bytes()]);
    let mut first = None;
    for (file, ..) in &CLOCKS {
        first.get_or_insert(about(file));
    }
    about("scaling_governor");
    about("scaling_available_governors");
    first.unwrap_or_default()
}

/// The number at the end of `../cpufreq/policy4`.
fn policy_of(target: &[u8]) -> Option<usize> {
    let last = target.rsplit(|byte| *byte == b'/').next()?;
    let number = unsigned(number_after(last, "policy")?.as_bytes())?;
    usize::try_from(number).ok().filter(|_| number < MOST_POLICIES)
}

/// Whether a number is in a list as `0-3,7`.
fn is_listed(number: u64, list: &[u8]) -> bool {
    trim(list).split(|byte| *byte == b',').any(|range| match split_once(range, b'-') {
        Some((first, last)) => {
            unsigned(first).is_some_and(|first| first <= number)
                && unsigned(last).is_some_and(|last| number <= last)
        }
        None => unsigned(range) == Some(number),
    })
}

/// Tells each word once, and `one` if it is none of them.
fn each_once(words: &[u8], one: &str, mut tell: impl FnMut(&str)) {
    let mut is_told = false;
    for (place, text) in fields(words).enumerate() {
        if let Some(text) = word(text) {
            if fields(words).take(place).all(|before| before != text.as_bytes()) {
                is_told |= text == one;
                tell(text);
            }
        }
    }
    if !is_told {
        tell(one);
    }
}

fn word(text: &[u8]) -> Option<&str> {
    core::str::from_utf8(text).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const POLICY: [(&str, &str); 11] = [
        ("cpuinfo_cur_freq", "1500000\n"),
        ("cpuinfo_avg_freq", "1400000\n"),
        ("cpuinfo_min_freq", "600000\n"),
        ("cpuinfo_max_freq", "1800000\n"),
        ("scaling_cur_freq", "1200000\n"),
        ("scaling_min_freq", "600000\n"),
        ("scaling_max_freq", "1500000\n"),
        ("scaling_governor", "ondemand\n"),
        ("scaling_available_governors", "performance ondemand \n"),
        ("scaling_setspeed", "<unsupported>\n"),
        ("related_cpus", "0 1 2 3\n"),
    ];

    fn policy(tree: &Tree, path: &str) {
        for (file, text) in POLICY {
            tree.write(&format!("sys/devices/system/cpu/{path}/{file}"), text);
        }
    }

    #[test]
    fn a_clock_of_several_processors_is_shown_for_each() {
        let tree = Tree::new(&[
            ("sys/devices/system/cpu/offline", "2,8-15\n"),
            ("sys/devices/system/cpu/cpu10/topology/core_id", "0\n"),
            ("sys/devices/system/cpu/cpuidle/current_driver", "none\n"),
        ]);
        policy(&tree, "cpufreq/policy0");
        for cpu in [0, 1, 2] {
            tree.link(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq"), "../cpufreq/policy0");
        }
        let outcome = tree.run(&ENTRY, &[]);
        let mut expected = String::new();
        for (name, value) in [
            ("frequency_hertz", 1_500_000_000_u64),
            ("frequency_avg_hertz", 1_400_000_000),
            ("frequency_min_hertz", 600_000_000),
            ("frequency_max_hertz", 1_800_000_000),
            ("scaling_frequency_hertz", 1_200_000_000),
            ("scaling_frequency_min_hertz", 600_000_000),
            ("scaling_frequency_max_hertz", 1_500_000_000),
        ] {
            for cpu in [0, 1] {
                expected += &format!("node_cpu_{name}{{cpu=\"{cpu}\"}} {value}\n");
            }
        }
        for cpu in [0, 1] {
            for (governor, value) in [("performance", 0), ("ondemand", 1)] {
                expected +=
                    &format!("node_cpu_scaling_governor{{cpu=\"{cpu}\",governor=\"{governor}\"}} {value}\n");
            }
        }
        assert_eq!(outcome.samples(), expected);
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn an_unreadable_file_leaves_out_only_itself() {
        let tree = Tree::new(&[]);
        policy(&tree, "cpu0/cpufreq");
        let directory = "sys/devices/system/cpu/cpu0/cpufreq";
        for file in ["cpuinfo_cur_freq", "scaling_available_governors", "related_cpus"] {
            std::fs::remove_file(tree.path(&format!("{directory}/{file}"))).unwrap();
        }
        tree.write(&format!("{directory}/cpuinfo_avg_freq"), "<unknown>\n");
        tree.write(&format!("{directory}/scaling_cur_freq"), "");
        let samples = tree.run(&ENTRY, &[]).samples();
        assert_eq!(
            samples,
            "node_cpu_frequency_min_hertz{cpu=\"0\"} 600000000\n\
             node_cpu_frequency_max_hertz{cpu=\"0\"} 1800000000\n\
             node_cpu_scaling_frequency_min_hertz{cpu=\"0\"} 600000000\n\
             node_cpu_scaling_frequency_max_hertz{cpu=\"0\"} 1500000000\n\
             node_cpu_scaling_governor{cpu=\"0\",governor=\"ondemand\"} 1\n"
        );
    }

    #[test]
    fn many_processors_with_clocks_of_their_own() {
        let tree = Tree::new(&[]);
        for cpu in 0..100 {
            policy(&tree, &format!("cpufreq/policy{cpu}"));
            tree.link(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq"), format!("../cpufreq/policy{cpu}"));
        }
        assert_eq!(tree.run(&ENTRY, &[]).samples().lines().count(), 100 * 9);
    }

    #[test]
    fn processors_without_clocks_are_no_failure() {
        assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        let tree = Tree::new(&[("sys/devices/system/cpu/cpu0/online", "1\n")]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
    }

    #[test]
    fn lists_of_processors_are_read() {
        for (list, listed) in [
            ("", &[][..]),
            ("3\n", &[3]),
            ("0-1,4", &[0, 1, 4]),
            ("x,2-", &[]),
            ("5-4,-", &[]),
            ("1-2-3", &[]),
        ] {
            for number in 0..6 {
                assert_eq!(is_listed(number, list.as_bytes()), listed.contains(&number), "{list} {number}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(
            offline: Vec<u8>,
            files in proptest::collection::vec((0..POLICY.len(), any::<Vec<u8>>()), 0..12),
            governors in "[ab\u{fffd} ]{0,12}",
        ) {
            let tree = Tree::new(&[]);
            tree.write("sys/devices/system/cpu/offline", offline);
            policy(&tree, "cpu0/cpufreq");
            policy(&tree, "cpu00/cpufreq");
            tree.write("sys/devices/system/cpu/cpu00/cpufreq/scaling_available_governors", governors);
            for (file, bytes) in files {
                tree.write(&format!("sys/devices/system/cpu/cpu0/cpufreq/{}", POLICY[file].0), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
