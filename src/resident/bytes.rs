//! A row of bytes that grows, in pages of its own: all of them can be given back, where a vector shares its first and its
//! last with what lies beside it.

use core::fmt;
use core::ops::{Deref, DerefMut};
use std::io;

use super::page_size;
use super::zeroed::Zeroed;

/// Bytes one after the other. Without any it takes nothing.
pub(crate) struct Bytes {
    room: Zeroed,
    length: usize,
    /// Something may have been written to the room.
    used: bool,
}

impl Bytes {
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Forgets the bytes, and gives the pages back until they are written to again.
    pub(crate) fn rest(&mut self) {
        self.length = 0;
        if core::mem::take(&mut self.used) {
            self.room.give_back();
        }
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        let wanted = self.length.saturating_add(more);
        if wanted > self.room.len() {
            self.grow(wanted);
        }
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        let length = wanted.max(self.room.len().saturating_mul(2)).next_multiple_of(page_size());
        let mut room = Zeroed::new(length);
        room[..self.length].copy_from_slice(self);
        self.room = room;
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.used = true;
        self.room[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// The room behind the bytes, whatever is in it; see [`Bytes::add`].
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.used = true;
        &mut self.room[self.length..]
    }

    /// The first of the room behind belong to it now.
    pub(crate) fn add(&mut self, more: usize) {
        self.length = self.length.saturating_add(more).min(self.room.len());
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self { room: Zeroed::new(0), length: 0, used: false }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room[..self.length]
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.room[..self.length]
    }
}

impl Extend<u8> for Bytes {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        bytes.into_iter().for_each(|byte| self.push(byte));
    }
}

/// Always takes everything.
impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Bytes").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_is_kept_and_pages_are_not() {
        let mut bytes = Bytes::default();
        bytes.extend_from_slice(&[7; 100_000]);
        let place = bytes.as_ptr();
        bytes.rest();
        assert!(bytes.is_empty());
        bytes.reserve(100_000);
        assert!(bytes.spare().iter().all(|byte| *byte == 0));
        assert_eq!(bytes.as_ptr(), place);
    }

    proptest! {
        #[test]
        fn it_is_as_a_vector(steps: Vec<(u8, Vec<u8>)>) {
            let (mut bytes, mut vector) = (Bytes::default(), Vec::new());
            for (step, piece) in steps {
                match step % 8 {
                    0 => { bytes.clear(); vector.clear() }
                    1 => { bytes.rest(); vector.clear() }
                    2 => { bytes.push(step); vector.push(step) }
                    3 => { bytes.truncate(piece.len()); vector.truncate(piece.len()) }
                    4 => {
                        bytes.reserve(piece.len());
                        bytes.spare()[..piece.len()].copy_from_slice(&piece);
                        bytes.add(piece.len());
                        vector.extend_from_slice(&piece);
                    }
                    5 => for _ in 0..100 { bytes.extend_from_slice(&piece); vector.extend_from_slice(&piece) },
                    _ => { bytes.extend_from_slice(&piece); vector.extend_from_slice(&piece) }
                }
                prop_assert_eq!(&*bytes, &vector[..]);
            }
        }
    }
}
