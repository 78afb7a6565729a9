//! The buffers of one scrape. They grow to what the machine needs at the first scrape and are kept for the next.

use std::boxed::Box;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use super::names::Names;
use super::patience::Batch;
use super::rows::Rows;
use super::seen::Seen;

/// Buffers that a collector may use as it likes; it finds them in any state.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) file: Vec<u8>,
    pub(crate) other: Vec<u8>,
    pub(crate) third: Vec<u8>,
    pub(crate) names: Names,
    pub(crate) more_names: Names,
    pub(crate) numbers: Vec<u64>,
    pub(crate) rows: Rows,
    pub(crate) seen: Seen,
    pub(crate) batch: Batch,
}

/// Sets of buffers: one for each scrape that has ever run at the same time. A collector that needs buffers of its own
/// kind keeps its own pool.
#[derive(Debug)]
pub(crate) struct Pool<B = Scratch> {
    // The last one given back is the next one taken: its memory is warm, and the others stay untouched.
    free: Mutex<Vec<Box<B>>>,
}

impl<B> Default for Pool<B> {
    fn default() -> Self {
        Self { free: Mutex::default() }
    }
}

impl<B: Default> Pool<B> {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut B) -> T) -> T {
        let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = taken.unwrap_or_default();
        let result = work(&mut scratch);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }
}
