//! Text in fixed storage that may be read while it is replaced: bytes kept in atomic machine words.
//!
//! A reader may see a mixture of old and new; [`Sequence`] tells it afterwards, and it then discards what it read
//! (a sequence lock, with atomics instead of a data race).

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::cell::{AtomicU32, AtomicUsize, fence};

/// Storage is counted in chunks of this many bytes.
pub(crate) const CHUNK: usize = 32;

/// Bytes of a machine word.
pub(crate) const WORD: usize = size_of::<usize>();

const PER_CHUNK: usize = CHUNK / WORD;

/// `CHUNKS` × 32 bytes of text.
#[derive(Debug)]
pub(crate) struct Words<const CHUNKS: usize>([[AtomicUsize; PER_CHUNK]; CHUNKS]);

impl<const CHUNKS: usize> Words<CHUNKS> {
    /// How many bytes fit.
    pub(crate) const CAPACITY: usize = CHUNKS * CHUNK;

    pub(crate) const fn new() -> Self {
        Self([const { [const { AtomicUsize::new(0) }; PER_CHUNK] }; CHUNKS])
    }

    /// The words one by one.
    #[inline]
    pub(crate) fn words(&self) -> core::slice::Iter<'_, AtomicUsize> {
        self.0.as_flattened().iter()
    }

    /// Replaces the text; the caller holds the write side of the [`Sequence`].
    pub(crate) fn store(&self, text: &[u8]) {
        debug_assert!(text.len() <= Self::CAPACITY);
        for (word, bytes) in self.0.as_flattened().iter().zip(text.chunks(WORD)) {
            let mut padded = [0; WORD];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(usize::from_ne_bytes(padded), Relaxed);
        }
    }

    /// Copies the text to the start of `out`, in whole chunks: up to 31 bytes more than `length` are overwritten.
    ///
    /// What does not fit is left out.
    #[inline]
    pub(crate) fn load(&self, length: usize, out: &mut [u8]) {
        let chunks = &self.0[..length.div_ceil(CHUNK).min(CHUNKS)];
        for (chunk, to) in chunks.iter().zip(out.chunks_exact_mut(CHUNK)) {
            for (word, bytes) in chunk.iter().zip(to.chunks_exact_mut(WORD)) {
                bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
            }
        }
    }
}

/// Tells readers whether what they read is whole.
#[derive(Debug)]
pub(crate) struct Sequence(AtomicU32);

impl Sequence {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Begins a read; none while there is nothing to read.
    #[inline]
    pub(crate) fn begin(&self) -> Option<u32> {
        let now = self.0.load(Acquire);
        (now & VALID == VALID).then_some(now)
    }

    /// Whether what was read since `begin` is one whole.
    #[inline]
    pub(crate) fn unchanged(&self, begun: u32) -> bool {
        fence(Acquire);
        self.0.load(Relaxed) == begun
    }

    /// Makes the content invalid: readers under way discard what they have. One writer at a time.
    pub(crate) fn invalidate(&self) {
        self.0.store(next(self.0.load(Relaxed)), Relaxed);
        fence(Release);
    }

    /// Makes the content valid.
    pub(crate) fn publish(&self) {
        self.0.store(self.0.load(Relaxed) | VALID, Release);
    }

    /// For writers without a lock: makes the content invalid if nobody else is writing, to be ended by
    /// [`Sequence::end_write`] or [`Sequence::end_write_empty`].
    pub(crate) fn try_begin_write(&self) -> bool {
        let now = self.0.load(Relaxed);
        let free =
            now & WRITING == 0 && self.0.compare_exchange(now, next(now) | WRITING, Acquire, Relaxed).is_ok();
        fence(Release);
        free
    }

    /// Ends a write that leaves nothing to read.
    pub(crate) fn end_write_empty(&self) {
        self.0.store(self.0.load(Relaxed) & !WRITING, Release);
    }

    /// Ends a write: the content is valid.
    pub(crate) fn end_write(&self) {
        self.0.store(self.0.load(Relaxed) & !WRITING | VALID, Release);
    }
}

const VALID: u32 = 1;
const WRITING: u32 = 2;

/// The next version, neither valid nor being written.
const fn next(now: u32) -> u32 {
    (now & !(VALID | WRITING)).wrapping_add(4)
}
