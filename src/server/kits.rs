//! The memory that serving a connection takes. It is lent for the time of a connection, the last put back first: what
//! is resident grows with the connections that were open at the same time, not with the threads that took their turns.

use std::boxed::Box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::encryption::{Encryption, Memory, Records};
use crate::http::connection::Buffers;
use crate::http::limits::Limits;
use crate::resident::Pile;
use crate::resident::stock::Stock;

/// What serving one connection takes.
pub(super) struct Kit {
    pub(super) buffers: Buffers,
    pub(super) memory: Memory,
}

/// One for each worker. In boxes, so that lending moves a pointer and not the kit.
pub(super) struct Kits {
    free: Mutex<Free>,
    pages: Arc<Stock>,
    records: Records,
}

type Free = Pile<Box<Kit>>;

impl Kits {
    pub(super) fn new(limits: &Limits, encryption: Option<&Encryption>) -> Self {
        let pages = Buffers::pages(limits, limits.connections);
        let records = Records::of(encryption, limits.connections);
        let kit = |_| Box::new(Kit { buffers: Buffers::new(limits, &pages), memory: records.memory() });
        Self { free: Mutex::new((0..limits.connections).map(kit).collect()), pages, records }
    }

    /// Gives the pages of all that is not lent back to the system.
    pub(super) fn give_back(&self) {
        for kit in self.lock().used() {
            kit.buffers.give_back();
            kit.memory.give_back();
        }
        self.pages.give_back();
        self.records.give_back();
    }

    /// Lends one to the work, which must not panic. `None` if more are asked for than there are workers.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Kit) -> T) -> Option<T> {
        let mut kit = self.lock().take()?;
        let result = work(&mut kit);
        self.lock().put_back(kit);
        Some(result)
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl core::fmt::Debug for Kits {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Kits").field("free", &self.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_put_back_is_the_next_lent() {
        let kits = Kits::new(&Limits { connections: 2, ..Limits::DEFAULT }, None);
        let address = |kit: &mut Kit| core::ptr::from_ref(kit).addr();
        let (first, second) = kits.with(|one| (address(one), kits.with(address).unwrap())).unwrap();
        assert_ne!(first, second);
        // The inner one was put back first, the outer one after it.
        assert_eq!(kits.with(address), Some(first));
        assert_eq!(kits.with(|_| kits.with(|_| kits.with(|_| ()))), Some(Some(None)));
        assert_eq!(kits.with(address), Some(first));
    }
}
