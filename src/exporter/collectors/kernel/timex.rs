//! `timex`: how well the clock is kept. Source: adjtimex(2).

use super::names::name;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::exporter::sys::{Timex, adjtimex};
use crate::text::{Kind, Number, Page};

use rustix::io::Errno;

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.timex", FlagKind::Switch, &["How well the clock is kept."]),
    default: true,
    flags: &[],
    build: Build::Ready(&Clock),
};

struct Clock;

impl Source for Clock {
    fn collect(&self, _: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        match adjtimex() {
            Ok((state, timex)) => write(state, &timex, page),
            Err(Errno::PERM) => return Err(Problem::NoData("adjtimex(2) is forbidden")),
            Err(errno) => return Err(Problem::unreadable("the clock by adjtimex(2)", errno)),
        }
        Ok(())
    }
}

/// In `status`: some numbers count nanoseconds instead of microseconds.
const STA_NANO: i64 = 0x2000;

/// The clock is not synchronised, says the call itself.
const TIME_ERROR: i64 = 5;

/// What stands for one in numbers that count 2^-16 parts per million.
const PPM_16: f64 = 65_536e6;

fn write(state: i64, timex: &Timex, page: &mut Page<'_>) {
    let fine = if wide(timex.status) & STA_NANO != 0 { 1e9 } else { 1e6 };
    let ratio = Number::Float(1.0 + wide(timex.freq) as f64 / PPM_16);
    let gauges = [
        ("sync_status", "Whether the clock is synchronised.", plain(i64::from(state != TIME_ERROR))),
        ("offset_seconds", "How far the clock is off.", part(timex.offset, fine)),
        ("frequency_adjustment_ratio", "How much faster the clock is made.", ratio),
        ("maxerror_seconds", "The largest error there may be.", part(timex.maxerror, 1e6)),
        ("estimated_error_seconds", "The error as estimated.", part(timex.esterror, 1e6)),
        ("status", "Bits of the clock's status.", plain(timex.status)),
        ("loop_time_constant", "Time constant of the phase-locked loop.", plain(timex.constant)),
        ("tick_seconds", "Seconds between clock ticks.", part(timex.tick, 1e6)),
        ("pps_frequency_hertz", "Frequency of the pulse per second.", part(timex.ppsfreq, PPM_16)),
        ("pps_jitter_seconds", "Jitter of the pulse per second.", part(timex.jitter, fine)),
        ("pps_shift_seconds", "Interval of the pulse per second.", plain(timex.shift)),
        ("pps_stability_hertz", "Stability of the pulse per second.", part(timex.stabil, PPM_16)),
        ("tai_offset_seconds", "How far atomic time is ahead of UTC.", plain(timex.tai)),
    ];
    let counters = [
        ("pps_jitter_total", "How often the pulse per second jittered too much.", plain(timex.jitcnt)),
        ("pps_calibration_total", "Calibrations by the pulse per second.", plain(timex.calcnt)),
        ("pps_error_total", "Calibrations that failed.", plain(timex.errcnt)),
        ("pps_stability_exceeded_total", "How often the frequency wandered too far.", plain(timex.stbcnt)),
    ];
    for (kind, rows) in [(Kind::Gauge, &gauges[..]), (Kind::Counter, &counters)] {
        for (rest, help, value) in rows {
            if let Some(name) = name(&[b"node_timex_", rest.as_bytes()]) {
                page.family(kind, name.as_str(), help).sample(&[], *value);
            }
        }
    }
}

fn plain(number: impl Into<i64>) -> Number {
    Number::Signed(number.into())
}

fn part(number: impl Into<i64>, unit: f64) -> Number {
    Number::Float(wide(number) as f64 / unit)
}

/// Numbers of the structure have 32 or 64 bits, by target.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::engine::testing::{Tree, run};

    struct Fixed(i64, Timex);

    impl Source for Fixed {
        fn collect(&self, _: &Machine, _: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
            write(self.0, &self.1, page);
            Ok(())
        }
    }

    fn shown(state: i64, timex: Timex) -> std::string::String {
        let outcome = run(&Fixed(state, timex), &Tree::new(&[]).machine());
        outcome.assert_sound();
        outcome.samples().replace("node_timex_", "")
    }

    #[test]
    fn units() {
        let timex = Timex {
            offset: -1500,
            freq: -65_536,
            maxerror: 16_000_000,
            status: 64,
            tick: 10_000,
            jitter: 7,
            tai: 37,
            jitcnt: 9,
            ..Timex::default()
        };
        let micro = shown(TIME_ERROR, timex);
        for line in [
            "sync_status 0\n",
            "offset_seconds -0.0015\n",
            "frequency_adjustment_ratio 0.999999\n",
            "maxerror_seconds 16\n",
            "status 64\n",
            "tick_seconds 0.01\n",
            "pps_jitter_seconds 0.000007\n",
            "tai_offset_seconds 37\n",
            "pps_jitter_total 9\n",
        ] {
            assert!(micro.contains(line), "{line} in {micro}");
        }
        let nano = shown(0, Timex { status: STA_NANO as _, ..timex });
        assert!(nano.contains("offset_seconds -0.0000015\n") && nano.contains("sync_status 1\n"), "{nano}");
        assert!(nano.contains("maxerror_seconds 16\n"));
    }

    #[test]
    fn this_clock_ticks() {
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        // Without CAP_SYS_TIME in a sandbox the call may be forbidden.
        match outcome.result {
            Ok(()) => assert_eq!(outcome.samples().lines().count(), 17),
            Err(problem) => assert!(problem.is_no_data(), "{problem}"),
        }
    }
}
