//! How many of its workers a server has given to connections.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// One for each worker.
#[derive(Debug)]
pub(super) struct Seats {
    taken: AtomicUsize,
    all: usize,
}

impl Seats {
    pub(super) const fn new(all: usize) -> Self {
        Self { taken: AtomicUsize::new(0), all }
    }

    /// Takes one; says whether it was the last.
    pub(super) fn take(&self) -> bool {
        self.taken.fetch_add(1, SeqCst) + 1 == self.all
    }

    pub(super) fn give_back(&self) {
        self.taken.fetch_sub(1, SeqCst);
    }

    pub(super) fn all_taken(&self) -> bool {
        self.taken.load(SeqCst) >= self.all
    }
}
