//! Foreign code (callbacks, collectors) on a scrape's thread: a panic there must not take the scrape with it.

use core::fmt;

/// Foreign code panicked; the panic hook has said where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

impl fmt::Display for Panicked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("it panicked")
    }
}

/// Runs foreign code and stops a panic at this line, where the program unwinds at all.
#[cfg(feature = "std")]
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// Runs foreign code; without `std` a panic never returns here.
#[cfg(not(feature = "std"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape with and without std")]
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    Ok(work())
}
