//! `time`: what time it is, where, and by which clock. Source: clock_gettime(2); tzset(3), tzfile(5);
//! `/sys/devices/system/clocksource`, Documentation/timers/timekeeping.rst.

mod rule;
mod zone;

use std::boxed::Box;
use std::env;
use std::os::unix::ffi::OsStringExt;
use std::time::SystemTime;

use self::zone::Zone;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, fields, lossy, trim};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.time", FlagKind::Switch, &["What time it is, where, and by which clock."]),
    default: true,
    flags: &[],
    build: Build::By(|_| {
        Ok(Box::new(Time { zone: Zone::new(env::var_os("TZ").map(OsStringExt::into_vec)) }))
    }),
};

struct Time {
    zone: Zone,
}

const CLOCKSOURCES: &str = "devices/system/clocksource";

impl Source for Time {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let now = SystemTime::now();
        let (whole, fraction) = match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => (since.as_secs() as i64, since.as_secs_f64()),
            Err(before) => (-(before.duration().as_secs() as i64), -before.duration().as_secs_f64()),
        };
        page.family(Kind::Gauge, "node_time_seconds", "What time it is, as Unix time.").sample(&[], fraction);
        let Scratch { file, batch, .. } = scratch;
        let offset = self.zone.offset(machine, batch, &|| page.is_expired(), file, whole);
        let mut spare = NO_TEXT;
        let labels = [("time_zone", lossy(offset.name, &mut spare))];
        let help = "How far local time is ahead of UTC.";
        page.family(Kind::Gauge, "node_time_zone_offset_seconds", help).sample(&labels, offset.seconds);
        clocksources(machine, scratch, page)
    }
}

fn clocksources(machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
    let Scratch { names, seen, .. } = scratch;
    if let Err(errno) = machine.sysfs.held_list(CLOCKSOURCES, names) {
        let problem = Problem::unreadable(CLOCKSOURCES, errno);
        // A kernel may have none to choose from.
        return if problem.is_no_data() { Ok(()) } else { Err(problem) };
    }
    let mut result = Ok(());
    for (file, first, name, help) in [
        (
            &b"/available_clocksource"[..],
            "devices/system/clocksource/clocksource0/available_clocksource",
            "node_time_clocksource_available_info",
            "Clocks that the kernel could take; always 1.",
        ),
        (
            b"/current_clocksource",
            "devices/system/clocksource/clocksource0/current_clocksource",
            "node_time_clocksource_current_info",
            "The clock that the kernel takes; always 1.",
        ),
    ] {
        let mut family = page.family(Kind::Gauge, name, help);
        for name in names.iter() {
            let Some(device) = name.strip_prefix(b"clocksource") else { continue };
            let path = [CLOCKSOURCES.as_bytes(), b"/", name, file];
            let path = pieces(&path);
            let mut room = [0; ATTRIBUTE];
            // There is only this one, as a rule.
            let read = match device {
                b"0" => machine.sysfs.held_piece(first, &mut room).map(trim),
                _ => machine.sysfs.attribute(path, &mut room),
            };
            let clocks = match read {
                Ok(clocks) => clocks,
                Err(errno) => {
                    result = result.and(Err(Problem::unreadable(path, errno)));
                    continue;
                }
            };
            let (mut spare, mut other) = (NO_TEXT, NO_TEXT);
            let device = lossy(device, &mut spare);
            seen.clear();
            for clock in fields(clocks) {
                let clock = lossy(clock, &mut other);
                if seen.is_new(clock.as_bytes()) {
                    family.sample(&[("clocksource", clock), ("device", device)], 1_u64);
                }
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree, run};

    const AVAILABLE: &str = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    const CURRENT: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";

    /// Whatever TZ is here, there it is not set.
    fn read(tree: &Tree) -> Outcome {
        let outcome = run(&Time { zone: Zone::new(None) }, &tree.machine());
        outcome.assert_sound();
        outcome
    }

    fn without_time(outcome: &Outcome) -> String {
        let (first, rest) = outcome.page.split_at(outcome.page.find("# HELP node_time_zone").unwrap());
        assert!(first.contains("# TYPE node_time_seconds gauge\nnode_time_seconds "));
        rest.lines().filter(|line| !line.starts_with('#')).map(|line| std::format!("{line}\n")).collect()
    }

    #[test]
    fn zone_and_clocks() {
        let tree = Tree::new(&[
            (AVAILABLE, "kvm-clock tsc kvm-clock \n"),
            (CURRENT, "tsc\n"),
            ("sys/devices/system/clocksource/power/control", "auto\n"),
            ("root/etc/TZ", "<+0545>-5:45\n"),
        ]);
        let outcome = read(&tree);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            without_time(&outcome),
            "node_time_zone_offset_seconds{time_zone=\"+0545\"} 20700\n\
             node_time_clocksource_available_info{clocksource=\"kvm-clock\",device=\"0\"} 1\n\
             node_time_clocksource_available_info{clocksource=\"tsc\",device=\"0\"} 1\n\
             node_time_clocksource_current_info{clocksource=\"tsc\",device=\"0\"} 1\n"
        );
    }

    #[test]
    fn without_clocks_there_is_still_a_time() {
        let outcome = read(&Tree::new(&[]));
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(without_time(&outcome), "node_time_zone_offset_seconds{time_zone=\"UTC\"} 0\n");
        let outcome = read(&Tree::new(&[(CURRENT, "arch_sys_counter\n")]));
        assert!(
            without_time(&outcome)
                .contains("current_info{clocksource=\"arch_sys_counter\",device=\"0\"} 1\n")
        );
        assert!(outcome.result.is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let tree = Tree::new(&[]);
            for file in [AVAILABLE, CURRENT, "root/etc/TZ", "root/etc/localtime"] {
                tree.write(file, &bytes);
            }
            read(&tree);
        }
    }
}
