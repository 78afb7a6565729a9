//! The 64-bit cell inside a structure of C, which C code updates in place.
//!
//! Where the target has 64-bit atomics both sides use them, and C does so inline. Elsewhere the number is plain memory,
//! C calls the functions of this library, and one lock guards all cells, as `crate::cell` does for those of Rust.
#![allow(unsafe_code)]

#[cfg(all(target_has_atomic = "64", not(scrapeport_lock64)))]
mod imp {
    use crate::cell::Cell64;

    /// `scrapeport_cell` in C.
    #[derive(Debug)]
    #[repr(transparent)]
    pub struct Cell(Cell64);

    impl Cell {
        #[allow(missing_docs)]
        pub const fn new(bits: u64) -> Self {
            Self(Cell64::new(bits))
        }

        pub(in crate::capi) fn load(&self) -> u64 {
            self.0.load()
        }

        pub(in crate::capi) fn store(&self, bits: u64) {
            self.0.store(bits);
        }

        pub(in crate::capi) fn add(&self, amount: u64) {
            self.0.add(amount);
        }

        pub(in crate::capi) fn add_f64(&self, amount: f64) {
            self.0.add_f64(amount);
        }
    }

    /// The header asks for this symbol where it updates inline. A library that locks lacks it, so the two do not link.
    #[unsafe(no_mangle)]
    pub extern "C" fn scrapeport_updates_are_atomic() {}
}

#[cfg(not(all(target_has_atomic = "64", not(scrapeport_lock64))))]
mod imp {
    use core::cell::UnsafeCell;
    use std::sync::{Mutex, PoisonError};

    /// `scrapeport_cell` in C.
    #[derive(Debug)]
    #[repr(C, align(8))]
    pub struct Cell(UnsafeCell<u64>);

    // SAFETY: the number is touched under the lock alone, see `with`; C code has no inline updates on such targets.
    unsafe impl Sync for Cell {}

    /// Those who touch any cell.
    static LOCK: Mutex<()> = Mutex::new(());

    impl Cell {
        #[allow(missing_docs)]
        pub const fn new(bits: u64) -> Self {
            Self(UnsafeCell::new(bits))
        }

        fn with<T>(&self, work: impl FnOnce(u64) -> (u64, T)) -> T {
            let _held = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
            let place = self.0.get();
            // SAFETY: the place is inside `self`, and only the holder of the lock touches it.
            let (bits, result) = work(unsafe { place.read() });
            // SAFETY: as above.
            unsafe { place.write(bits) };
            result
        }

        pub(in crate::capi) fn load(&self) -> u64 {
            self.with(|bits| (bits, bits))
        }

        pub(in crate::capi) fn store(&self, bits: u64) {
            self.with(|_| (bits, ()));
        }

        pub(in crate::capi) fn add(&self, amount: u64) {
            self.with(|bits| (bits.wrapping_add(amount), ()));
        }

        pub(in crate::capi) fn add_f64(&self, amount: f64) {
            self.with(|bits| ((f64::from_bits(bits) + amount).to_bits(), ()));
        }
    }
}

pub use imp::*;

const _: () = assert!(size_of::<Cell>() == 8 && align_of::<Cell>() == 8);
