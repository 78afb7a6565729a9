//! The buffers of one scrape. They grow to what the machine needs at the first scrape and are kept for the next.

use std::boxed::Box;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use super::machine::Machine;
use super::names::Names;
use super::patience::Batch;
use super::problem::Problem;
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
    pub(crate) stat: ProcStat,
}

impl Scratch {
    /// To be called when a scrape begins.
    pub(crate) fn begin(&mut self) {
        self.stat.is_read = false;
    }
}

/// `/proc/stat`, which two collectors look at. The kernel counts all interrupts of all processors for it, so it is
/// read once a scrape.
#[derive(Debug, Default)]
pub(crate) struct ProcStat {
    text: Vec<u8>,
    is_read: bool,
}

impl ProcStat {
    /// Its path below procfs.
    pub(crate) const FILE: &'static str = "stat";

    pub(crate) fn read(&mut self, machine: &Machine) -> Result<&[u8], Problem> {
        if !self.is_read {
            machine.procfs.whole(Self::FILE, &mut self.text)?;
            self.is_read = true;
        }
        Ok(&self.text)
    }
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
