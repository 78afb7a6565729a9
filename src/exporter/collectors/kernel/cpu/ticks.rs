//! The times of `/proc/stat` that never go back. Source: proc_stat(5), Documentation/filesystems/proc.rst.
//!
//! The kernel's own counters of idle time and of waiting may shrink by a little, which Prometheus would take for a
//! restart. So each keeps its maximum; but when a processor goes and comes again all of its times begin anew.

use std::vec::Vec;

use crate::exporter::engine::parse::{fields, lines, unsigned};

/// So many processors are looked at: twice what any kernel can have.
pub(super) const MOST_CPUS: usize = 16_384;

/// user nice system idle iowait irq softirq steal guest guest_nice
pub(super) const COLUMNS: usize = 10;

/// Where idle stands.
const IDLE: usize = 3;

/// In the place of a time that cannot be read: it is left out.
pub(super) const BAD: u64 = u64::MAX;

/// When idle fell by so many ticks, 3 seconds, the processor has been away.
const AWAY: u64 = 300;

/// The times of all processors by their numbers; none for those that are offline.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    cpus: Vec<Option<[u64; COLUMNS]>>,
}

impl Ticks {
    /// Reads `/proc/stat`, and lists for each processor its number and its times, [`BAD`] for those that are none.
    pub(super) fn update(&mut self, stat: &[u8], into: &mut Vec<u64>) {
        into.clear();
        // In ascending order; what is out of order is left out. The line of all interrupts, which comes next, is long.
        let mut next = 0;
        let mut whole = true;
        for line in lines(stat).take_while(|line| !line.starts_with(b"intr")) {
            let Some((number, new)) = parse(line).filter(|(number, _)| (next..MOST_CPUS).contains(number))
            else {
                // The sum of all processors is none of them.
                whole &= line.starts_with(b"cpu ");
                continue;
            };
            self.cpus.resize(self.cpus.len().max(number + 1), None);
            next = number + 1;
            let Some(kept) = self.cpus.get_mut(number) else { continue };
            let kept = kept.get_or_insert_default();
            if kept[IDLE].saturating_sub(new[IDLE]) >= AWAY {
                *kept = [0; COLUMNS];
            }
            into.push(number as u64);
            into.extend(kept.iter_mut().zip(new).map(|(kept, new)| {
                if new == BAD {
                    return BAD;
                }
                *kept = new.max(*kept);
                *kept
            }));
        }
        // Who has no line is offline, unless a line could not be read: it may be his.
        if whole {
            let mut online = into.chunks_exact(COLUMNS + 1).filter_map(|row| row.first()).peekable();
            for (number, kept) in (0_u64..).zip(&mut self.cpus) {
                if online.next_if_eq(&&number).is_none() {
                    *kept = None;
                }
            }
        }
    }
}

/// The number and the times of a line; columns that an old kernel does not have are 0.
fn parse(line: &[u8]) -> Option<(usize, [u64; COLUMNS])> {
    let mut fields = fields(line.strip_prefix(b"cpu")?);
    if !line.get(3)?.is_ascii_digit() {
        return None;
    }
    let number = usize::try_from(unsigned(fields.next()?)?).ok()?;
    let mut times = [0; COLUMNS];
    let mut count = 0;
    for (time, field) in times.iter_mut().zip(fields) {
        *time = unsigned(field).unwrap_or(BAD);
        count += 1;
    }
    (count > IDLE).then_some((number, times))
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::{format, vec};

    use super::*;

    fn update(ticks: &mut Ticks, stat: &str) -> Vec<u64> {
        let mut into = vec![7; 3];
        ticks.update(stat.as_bytes(), &mut into);
        into
    }

    #[test]
    fn times_never_go_back_but_for_who_was_away() {
        let mut ticks = Ticks::default();
        let first = "cpu  9 9 9 9\ncpu0 1 2 3 1000 5 6 7 8 9 10\ncpu1 1 2 3 4\nintr 5\ncpu2 1 2 3 4\n";
        let cpu0 = [0, 1, 2, 3, 1000, 5, 6, 7, 8, 9, 10];
        assert_eq!(update(&mut ticks, first), [&cpu0[..], &[1, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0]].concat());
        let kept = update(&mut ticks, "cpu0 2 1 3 701 4 7 7 8 9 9\n");
        assert_eq!(kept, [0, 2, 2, 3, 1000, 5, 7, 7, 8, 9, 10]);
        let away = update(&mut ticks, "cpu0 0 0 0 700 0 0 0 0 0 0\ncpu1 1 1 1 1 1\n");
        assert_eq!(away, [0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn who_was_offline_begins_anew() {
        let mut ticks = Ticks::default();
        update(&mut ticks, "cpu0 9 9 9 9\ncpu1 9 9 9 9\ncpu3 9 9 9 9\n");
        update(&mut ticks, "cpu0 9 9 9 9\ncpu3 9 9 9 9\n");
        assert_eq!(update(&mut ticks, "cpu1 1 1 1 1\n")[..5], [1, 1, 1, 1, 1]);
        assert_eq!(update(&mut ticks, "cpu0 1 1 1 1\ncpu3 1 1 1 1\n")[..5], [0, 1, 1, 1, 1]);
        assert_eq!(ticks.cpus.len(), 4);
    }

    #[test]
    fn bad_lines_are_left_out_alone() {
        let text = "x\ncpu0 1 2 3\ncpux 1 2 3 4\ncpu2 1 2 3 4\ncpu2 5 5 5 5\ncpu1 1 2 3 4\nc\ncpu99999 1 2 3 4\n\
                    cpu 4 1 2 3 4\ncpu6 1 1 1 1\n";
        let expected = [2, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 6, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(update(&mut Ticks::default(), text), expected);
        assert_eq!(update(&mut Ticks::default(), ""), []);
    }

    #[test]
    fn bad_times_are_left_out_alone() {
        let mut ticks = Ticks::default();
        update(&mut ticks, "cpu0 1 2 3 1000\ncpu1 1 2 3 1000\n");
        let text = "cpu0 1 x 3 -1004 5\ncpu1 18446744073709551616 3 2 1000\n";
        let expected = [0, 1, BAD, 3, BAD, 5, 0, 0, 0, 0, 0, 1, BAD, 3, 3, 1000, 0, 0, 0, 0, 0, 0];
        assert_eq!(update(&mut ticks, text), expected);
        // What was kept is kept still.
        let expected = [0, 1, 2, 3, 1000, 5, 0, 0, 0, 0, 0, 1, 1, 3, 3, 1000, 0, 0, 0, 0, 0, 0];
        assert_eq!(update(&mut ticks, "cpu0 0 0 0 999\ncpu1 0 0 0 999\n"), expected);
    }

    #[test]
    fn a_bad_line_lets_nobody_begin_anew() {
        let mut ticks = Ticks::default();
        update(&mut ticks, "cpu0 9 9 9 9\ncpu1 9 9 9 9\ncpu2 9 9 9 9\n");
        assert_eq!(update(&mut ticks, "cpu0 9 9 9 9\ncp\u{fffd}1 9 9 9 9\n").len(), COLUMNS + 1);
        let kept = update(&mut ticks, "cpu0 8 8 8 8\ncpu1 8 8 8 8\ncpu2 8 8 8 8\n");
        assert!(kept.chunks_exact(COLUMNS + 1).all(|row| row[1] == 9), "{kept:?}");
    }

    #[test]
    fn as_many_as_kernels_can_have() {
        let all: String = (0..4096).map(|cpu| format!("cpu{cpu} 1 2 3 4 5 6 7 8 9 10\n")).collect();
        let mut ticks = Ticks::default();
        assert_eq!(update(&mut ticks, &all).len(), 4096 * (COLUMNS + 1));
        assert_eq!(update(&mut ticks, &all).len(), 4096 * (COLUMNS + 1));
    }
}
