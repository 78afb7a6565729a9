//! The 64-bit cell that every value lives in, and the other atomics the metrics use.
//!
//! Where the target has 64-bit atomics the cell is one of them, and an update is that instruction alone. Elsewhere
//! (ARMv5, MIPS and PowerPC, 32 bits wide) it is a lock around the number: the same interface and the same 64 bits,
//! but an update may wait in the kernel and must not be made from a signal handler. `--cfg scrapeport_lock64` builds
//! that form anywhere, for tests.
//!
//! Everything is `Relaxed`: a cell is a number of its own, no other data hangs on it.

pub(crate) use core::sync::atomic::{AtomicU32, AtomicUsize, fence};

pub(crate) use imp::Cell64;

#[cfg(all(target_has_atomic = "64", not(scrapeport_lock64)))]
mod imp {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// An atomic and nothing else: C updates such cells in place.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct Cell64(AtomicU64);

    impl Cell64 {
        pub(crate) const fn new(bits: u64) -> Self {
            Self(AtomicU64::new(bits))
        }

        #[inline]
        pub(crate) fn load(&self) -> u64 {
            self.0.load(Relaxed)
        }

        #[inline]
        pub(crate) fn store(&self, bits: u64) {
            self.0.store(bits, Relaxed);
        }

        #[inline]
        pub(crate) fn add(&self, amount: u64) {
            self.0.fetch_add(amount, Relaxed);
        }

        /// Replaces the content by what `change` makes of it, as one step.
        #[inline]
        pub(crate) fn update(&self, change: impl Fn(u64) -> u64) {
            let mut now = self.load();
            while let Err(other) = self.0.compare_exchange_weak(now, change(now), Relaxed, Relaxed) {
                now = other;
            }
        }
    }
}

#[cfg(all(any(not(target_has_atomic = "64"), scrapeport_lock64), feature = "std"))]
mod imp {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Debug)]
    pub(crate) struct Cell64(Mutex<u64>);

    impl Cell64 {
        pub(crate) const fn new(bits: u64) -> Self {
            Self(Mutex::new(bits))
        }

        fn lock(&self) -> MutexGuard<'_, u64> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn load(&self) -> u64 {
            *self.lock()
        }

        pub(crate) fn store(&self, bits: u64) {
            *self.lock() = bits;
        }

        pub(crate) fn add(&self, amount: u64) {
            let mut number = self.lock();
            *number = number.wrapping_add(amount);
        }

        pub(crate) fn update(&self, change: impl Fn(u64) -> u64) {
            let mut number = self.lock();
            *number = change(*number);
        }
    }
}

#[cfg(all(any(not(target_has_atomic = "64"), scrapeport_lock64), not(feature = "std")))]
compile_error!(
    "this target has no 64-bit atomics: enable scrapeport's feature `std`, which locks instead \
     (without std there is nothing to lock with; the crate portable-atomic lists what such targets can do)"
);

impl Cell64 {
    /// Adds from the only thread that may: no read-modify-write, hence no bus lock.
    #[inline]
    pub(crate) fn add_owned(&self, amount: u64) {
        self.store(self.load().wrapping_add(amount));
    }

    #[inline]
    pub(crate) fn load_f64(&self) -> f64 {
        f64::from_bits(self.load())
    }

    #[inline]
    pub(crate) fn store_f64(&self, value: f64) {
        self.store(value.to_bits());
    }

    #[inline]
    pub(crate) fn add_f64(&self, amount: f64) {
        self.update(|bits| (f64::from_bits(bits) + amount).to_bits());
    }
}

/// The lock that those take who add or remove rows; readers and updates never do.
#[derive(Debug)]
pub(crate) struct WriteLock {
    #[cfg(feature = "std")]
    lock: std::sync::Mutex<()>,
    #[cfg(not(feature = "std"))]
    taken: core::sync::atomic::AtomicBool,
}

impl WriteLock {
    pub(crate) const fn new() -> Self {
        Self {
            #[cfg(feature = "std")]
            lock: std::sync::Mutex::new(()),
            #[cfg(not(feature = "std"))]
            taken: core::sync::atomic::AtomicBool::new(false),
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
        let _held = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work()
    }

    /// Without an operating system there is nobody to wait with: spins.
    #[cfg(not(feature = "std"))]
    pub(crate) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
        use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
        while self.taken.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            core::hint::spin_loop();
        }
        let result = work();
        self.taken.store(false, Release);
        result
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn updates_from_many_threads_all_count() {
        let (whole, fraction) = (Cell64::new(u64::from(u32::MAX)), Cell64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        whole.add(1);
                        fraction.add_f64(0.5);
                    }
                });
            }
        });
        assert_eq!(whole.load(), u64::from(u32::MAX) + 4_000);
        assert_eq!(fraction.load_f64(), 2_000.0);
    }
}
