//! The rate limit: one token bucket for everybody, as golang.org/x/time/rate has it with `Every(interval)`.
//!
//! The bucket is kept as the time at which it will be full again: a token moves that by one interval, and it may not
//! lie further ahead than the whole bucket. So there is nothing to round, whatever the interval.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Nanoseconds for one token; off if not positive.
    pub(crate) interval_ns: i64,
    /// Tokens in a full bucket; nothing is ever let through if not positive.
    pub(crate) burst: i64,
}

impl Rate {
    pub(crate) const OFF: Self = Self { interval_ns: 0, burst: 0 };
}

/// The bucket.
pub(crate) struct RateLimit(Mutex<Bucket>);

struct Bucket {
    rate: Rate,
    /// Below 2^127: the clock has 64 bits, and interval times burst at most 126.
    full_at_ns: u128,
}

impl RateLimit {
    /// A full bucket.
    pub(crate) const fn new(rate: Rate) -> Self {
        Self(Mutex::new(Bucket { rate, full_at_ns: 0 }))
    }

    /// Follows the file. The bucket is kept while its values are unchanged; otherwise there is a new one, full.
    pub(crate) fn follow(&self, rate: Rate) {
        let mut bucket = self.lock();
        if bucket.rate != rate {
            *bucket = Bucket { rate, full_at_ns: 0 };
        }
    }

    /// Takes a token if there is one. The clock is monotonic, from any beginning.
    pub(crate) fn take(&self, now_ns: u64) -> bool {
        let mut bucket = self.lock();
        let (Ok(interval), burst) =
            (u128::try_from(bucket.rate.interval_ns), u128::try_from(bucket.rate.burst).unwrap_or(0))
        else {
            return true;
        };
        if interval == 0 {
            return true;
        }
        let now = u128::from(now_ns);
        let full_at = bucket.full_at_ns.max(now) + interval;
        let taken = full_at - now <= interval * burst;
        if taken {
            bucket.full_at_ns = full_at;
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn limit(interval_ns: i64, burst: i64) -> RateLimit {
        RateLimit::new(Rate { interval_ns, burst })
    }

    fn taken(limit: &RateLimit, tries: usize, now_ns: u64) -> usize {
        (0..tries).filter(|_| limit.take(now_ns)).count()
    }

    #[test]
    fn it_starts_full_and_fills_by_the_interval() {
        let limit = limit(SECOND as i64, 3);
        assert_eq!(taken(&limit, 5, 0), 3);
        assert_eq!(taken(&limit, 5, SECOND - 1), 0);
        assert_eq!(taken(&limit, 5, SECOND), 1);
        assert_eq!(taken(&limit, 5, SECOND * 5 / 2), 1, "half a token is kept");
        assert_eq!(taken(&limit, 5, SECOND * 3), 1);
        assert_eq!(taken(&limit, 5, SECOND * 100), 3, "no more than a burst");
    }

    #[test]
    fn off_and_shut() {
        for off in [Rate::OFF, Rate { interval_ns: -1, burst: 0 }, Rate { interval_ns: i64::MIN, burst: 7 }] {
            assert_eq!(taken(&RateLimit::new(off), 1_000, 0), 1_000, "{off:?}");
        }
        for burst in [0, -1, i64::MIN] {
            assert_eq!(taken(&limit(1, burst), 10, u64::MAX), 0, "{burst}");
        }
    }

    #[test]
    fn the_bucket_is_kept_while_the_values_are() {
        let rate = Rate { interval_ns: 10, burst: 2 };
        let limit = RateLimit::new(rate);
        assert_eq!(taken(&limit, 5, 0), 2);
        limit.follow(rate);
        assert_eq!(taken(&limit, 5, 0), 0);
        limit.follow(Rate { burst: 3, ..rate });
        assert_eq!(taken(&limit, 5, 0), 3);
        limit.follow(Rate::OFF);
        assert_eq!(taken(&limit, 5, 0), 5);
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        let limit = limit(i64::MAX, i64::MAX);
        assert_eq!(taken(&limit, 10, u64::MAX), 10);
        assert_eq!(taken(&limit, 10, 0), 10, "not even with a clock that goes back");
        let limit = self::limit(i64::MAX, 1);
        assert_eq!(taken(&limit, 10, 0), 1);
        assert_eq!(taken(&limit, 10, i64::MAX as u64 - 1), 0);
        assert_eq!(taken(&limit, 10, i64::MAX as u64), 1);
    }

    proptest! {
        /// As in Go, where tokens are counted in fractions.
        #[test]
        fn like_counted_tokens(
            interval in 1_i64..50,
            burst in 0_i64..5,
            steps in proptest::collection::vec(0_u64..60, 1..60),
        ) {
            let limit = limit(interval, burst);
            let (mut now, mut tokens) = (0, burst as f64);
            let mut differences = Vec::new();
            for step in steps {
                now += step;
                tokens = (tokens + step as f64 / interval as f64).min(burst as f64);
                let expected = tokens - 1.0 > -1e-9;
                if expected {
                    tokens -= 1.0;
                }
                if limit.take(now) != expected {
                    differences.push(now);
                }
            }
            prop_assert!(differences.is_empty(), "{:?}", differences);
        }
    }
}
