//! Doubt about a file that asks for less than before: it may be only half written.
//!
//! Programs that write a file in place empty it first, and many write it piece by piece.

use core::time::Duration;
use std::time::Instant;

/// A file that asks for less is believed when it has stayed the same for so long.
pub(super) const SETTLES_AFTER: Duration = Duration::from_secs(2);

/// A file that never stays the same is believed after so long, or whoever writes it could keep everybody out.
const AT_MOST: Duration = Duration::from_secs(5);

/// Whether a file that asks for less is doubted, and since when. By default it asks for as much as it did.
#[derive(Debug, Default)]
pub(super) struct Doubt(Option<Times>);

#[derive(Clone, Copy, Debug)]
struct Times {
    first: Instant,
    changed: Instant,
    looked: Instant,
}

impl Times {
    fn is_over(self, now: Instant) -> bool {
        now.saturating_duration_since(self.changed) >= SETTLES_AFTER
            || now.saturating_duration_since(self.first) >= AT_MOST
    }
}

impl Doubt {
    /// Judges a file just read: whether it asks for `less` than what was believed last, and has `changed` since it was
    /// read before. Tells whether it is doubted; if not, it is believed.
    pub(super) fn judge(&mut self, less: bool, changed: bool, now: Instant) -> bool {
        if !less {
            self.0 = None;
            return false;
        }
        let begun = Times { first: now, changed: now, looked: now };
        let times = self.0.get_or_insert(begun);
        if changed {
            // Of what happened while nobody looked nothing is known: that may be the beginning of another change.
            let unseen = now.saturating_duration_since(times.looked) >= SETTLES_AFTER;
            *times = if unseen { begun } else { Times { changed: now, ..*times } };
        }
        let over = times.is_over(now);
        if over {
            self.0 = None;
        }
        !over
    }

    /// Whether the time of the doubt is over, so that the file has to be read again.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.0.is_some_and(|times| times.is_over(now))
    }

    /// Somebody has looked whether the file has changed.
    pub(super) fn look(&mut self, now: Instant) {
        if let Some(times) = &mut self.0 {
            times.looked = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a file that asks for less, looked at at these times: in milliseconds, and whether it has changed.
    fn doubted(looks: &[(u64, bool)]) -> std::vec::Vec<bool> {
        let start = Instant::now();
        let mut doubt = Doubt::default();
        let mut result = true;
        let look = |&(at, changed): &(u64, bool)| {
            let now = start + Duration::from_millis(at);
            if changed || doubt.is_over(now) {
                result = doubt.judge(true, changed, now);
            }
            doubt.look(now);
            result
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_file_is_believed_when_it_has_stayed_the_same() {
        assert_eq!(doubted(&[(0, true), (1_999, false), (2_000, false)]), [true, true, false]);
        // The time begins anew with each change.
        let looks = [(0, true), (1_900, true), (2_100, false), (3_800, false), (3_900, false)];
        assert_eq!(doubted(&looks), [true, true, true, true, false]);
        // Also with one at the very end.
        assert_eq!(
            doubted(&[(0, true), (1_900, false), (2_100, true), (4_100, false)]),
            [true, true, true, false]
        );
    }

    #[test]
    fn doubt_has_an_end() {
        let looks: std::vec::Vec<_> = (0..=50).map(|tenth| (tenth * 100, true)).collect();
        let expected: std::vec::Vec<_> = (0..=50).map(|tenth| tenth < 50).collect();
        assert_eq!(doubted(&looks), expected);
    }

    #[test]
    fn a_change_that_nobody_saw_begin_is_another_one() {
        let looks = [(0, true), (60_000, true), (61_000, true), (62_900, false), (63_000, false)];
        assert_eq!(doubted(&looks), [true, true, true, true, false]);
        assert_eq!(doubted(&[(0, true), (60_000, false)]), [true, false]);
    }

    #[test]
    fn who_asks_for_as_much_is_believed_at_once() {
        let now = Instant::now();
        let mut doubt = Doubt::default();
        assert!(!doubt.judge(false, true, now));
        assert!(doubt.judge(true, true, now));
        assert!(!doubt.judge(false, true, now));
        assert!(!doubt.is_over(now + AT_MOST), "there is nothing to wait for any more");
        assert!(doubt.judge(true, true, now + AT_MOST), "from the beginning");
    }
}
