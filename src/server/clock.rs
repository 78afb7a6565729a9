//! The clocks of the server.

use core::time::Duration;

use crate::kernel_time::{ClockId, read};

/// Milliseconds of the monotonic clock, up to 10 ms behind: good enough for time limits, and the cheapest to ask
/// (`CLOCK_MONOTONIC_COARSE`, clock_gettime(2)).
pub(super) fn coarse_ms() -> u64 {
    let now = read(ClockId::MonotonicCoarse);
    now.as_secs() * 1_000 + u64::from(now.subsec_millis())
}

/// The monotonic clock since its beginning.
pub(super) fn precise() -> Duration {
    read(ClockId::Monotonic)
}

/// Seconds since 1970, up to 10 ms behind.
pub(super) fn unix() -> u64 {
    read(ClockId::RealtimeCoarse).as_secs()
}

/// A duration in milliseconds, rounded up, so that a limit is never 0 by accident.
pub(super) fn millis(duration: Duration) -> u64 {
    let rest = duration.subsec_nanos().div_ceil(1_000_000);
    duration.as_secs().saturating_mul(1_000).saturating_add(rest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up() {
        let millis = |seconds, nanos| millis(Duration::new(seconds, nanos));
        assert_eq!((millis(0, 0), millis(0, 1), millis(0, 1_000_000), millis(0, 1_000_001)), (0, 1, 1, 2));
        assert_eq!((millis(7, 999_000_001), millis(u64::MAX, 5)), (8_000, u64::MAX));
    }
}
