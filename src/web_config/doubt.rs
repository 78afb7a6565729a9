//! Doubt about a file that asks for less than before: it may be only half written.
//!
//! Programs that write a file in place empty it first, and many write it piece by piece.

use core::time::Duration;
use std::time::Instant;

/// A file that asks for less is believed after so long.
pub(super) const BELIEVED_AFTER: Duration = Duration::from_secs(2);

/// Whether a file that asks for less is doubted, and since when. By default it asks for as much as it did.
#[derive(Debug, Default)]
pub(super) struct Doubt(Option<Instant>);

impl Doubt {
    /// Judges a file just read: whether it asks for `less` than what was believed last. Tells whether it is doubted; if
    /// not, it is believed.
    pub(super) fn judge(&mut self, less: bool, now: Instant) -> bool {
        let since = *self.0.get_or_insert(now);
        let doubted = less && now.saturating_duration_since(since) < BELIEVED_AFTER;
        self.0 = doubted.then_some(since);
        doubted
    }

    /// Whether the time of the doubt is over, so that the file has to be read again.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.0.is_some_and(|since| now.saturating_duration_since(since) >= BELIEVED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_believed_after_a_while() {
        let now = Instant::now();
        let mut doubt = Doubt::default();
        assert!(!doubt.judge(false, now));
        assert!(doubt.judge(true, now) && !doubt.is_over(now));
        assert!(!doubt.judge(false, now));
        assert!(!doubt.is_over(now + BELIEVED_AFTER), "there is nothing to wait for any more");
        let (now, later) = (now + BELIEVED_AFTER, now + 2 * BELIEVED_AFTER);
        assert!(doubt.judge(true, now), "from the beginning");
        assert!(doubt.is_over(later) && !doubt.judge(true, later) && !doubt.is_over(later));
    }
}
