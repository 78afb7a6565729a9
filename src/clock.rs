//! The wall clock, where there is one: seconds since the epoch, or zero without `std`.

#[cfg(feature = "std")]
use crate::cell::Cell64;

/// Now, in seconds since the epoch.
#[cfg(feature = "std")]
pub(crate) fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| {
        // Milliseconds are what Prometheus keeps. A `u64` has room for them, and needs no code for wider ones.
        (since.as_secs() * 1_000 + u64::from(since.subsec_millis())) as f64 / 1_000.0
    })
}

#[cfg(not(feature = "std"))]
pub(crate) fn now() -> f64 {
    0.0
}

/// When this program's metrics began, in seconds since the epoch: the first time anybody asked.
#[cfg(feature = "std")]
pub(crate) fn started() -> f64 {
    static STARTED: Cell64 = Cell64::new(0);
    let now = now();
    STARTED.update(|bits| if bits == 0 { now.to_bits() } else { bits });
    STARTED.load_f64()
}

#[cfg(not(feature = "std"))]
pub(crate) fn started() -> f64 {
    0.0
}
