//! Buffers that are lent for as long as they are needed, the last put back first: as many are resident as were in use
//! at the same time, however many may be.

use core::mem;
use core::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pile::Pile;
use super::zeroed::Zeroed;

/// Buffers of one length.
pub(crate) struct Stock {
    free: Mutex<Pile<Zeroed>>,
    length: usize,
}

impl Stock {
    /// So many buffers of so many bytes.
    pub(crate) fn new(number: usize, length: usize) -> Self {
        Self { free: Mutex::new((0..number).map(|_| Zeroed::new(length)).collect()), length }
    }

    /// Lends one, in the state in which it was put back. It is a new one if none is left.
    pub(crate) fn lend(&self) -> Lent<'_> {
        let bytes = self.lock().take();
        Lent { bytes: bytes.unwrap_or_else(|| Zeroed::new(self.length)), stock: self }
    }

    /// Gives the pages of those back that are not lent.
    pub(crate) fn give_back(&self) {
        self.lock().used().iter_mut().for_each(Zeroed::give_back);
    }

    /// How many are not lent.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Pile<Zeroed>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that goes back when this is dropped.
pub(crate) struct Lent<'a> {
    bytes: Zeroed,
    stock: &'a Stock,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let bytes = mem::replace(&mut self.bytes, Zeroed::new(0));
        self.stock.lock().put_back(bytes);
    }
}

impl Deref for Lent<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_put_back_is_the_next_lent() {
        let stock = Stock::new(2, 100);
        let (mut first, mut second) = (stock.lend(), stock.lend());
        assert_eq!((first.len(), second.len()), (100, 100));
        (first[0], second[0]) = (1, 2);
        drop(second);
        drop(first);
        assert_eq!(stock.lend()[0], 1);
        let (one, other) = (stock.lend(), stock.lend());
        assert_eq!((one[0], other[0]), (1, 2));
        drop((one, other));
        stock.give_back();
        let (one, other) = (stock.lend(), stock.lend());
        assert_eq!((one[0], other[0]), (0, 0));
        // More than there were: as long as there is memory nobody goes without.
        assert_eq!(stock.lend().len(), 100);
        drop((one, other));
        assert_eq!(stock.free(), 3);
    }
}
