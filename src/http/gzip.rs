//! Compressed pages, from a fixed number of compressors in fixed memory.

mod deflate;

use core::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deflate::Deflate;

use crate::text::{Output, Stopped};

/// Compressors of one handler. When all are in use a page goes out uncompressed, which costs less time than waiting.
pub(crate) const COMPRESSORS: usize = 2;

/// The window of a compressor as a power of two, plus 16 for the gzip wrapper.
///
/// zlib-rs needs 131 kB whatever is asked for. On a page of 64 kB (node_exporter's kind), bytes of memory, bytes of
/// output and microseconds were:
///
/// | window, memory level | level 1 | level 2 | level 3 |
/// |---|---|---|---|
/// | 9, 1: 137 k | 21.5 k, 541 | 20.6 k, 1343 | 17.1 k, 1242 |
/// | 11, 4: 150 k | 15.4 k, 171 | 12.1 k, 293 | 11.2 k, 356 |
/// | **12, 5: 165 k** | 14.9 k, 127 | **11.6 k, 205** | 10.9 k, 279 |
/// | 15, 8: 380 k | 14.6 k, 88 | 11.6 k, 146 | 10.9 k, 221 |
const WINDOW_BITS: i32 = 16 + 12;
const MEMORY_LEVEL: i32 = 5;
const LEVEL: i32 = 2;

/// The compressors that are not in use. Each is made once and never freed.
pub(crate) struct Compressors {
    pool: Mutex<Pool>,
}

struct Pool {
    free: [Option<Deflate>; COMPRESSORS],
    made: usize,
}

impl Compressors {
    pub(crate) const fn new() -> Self {
        Self { pool: Mutex::new(Pool { free: [const { None }; COMPRESSORS], made: 0 }) }
    }

    /// Makes all of them now, so that no scrape does. They are not resident before they are used.
    pub(crate) fn allocate(&self) {
        drop([(); COMPRESSORS].map(|()| self.take()));
    }

    /// Gives the memory of those back that are not lent.
    pub(crate) fn rest(&self) {
        self.lock().free.iter_mut().flatten().for_each(Deflate::rest);
    }

    /// Lends a compressor that is ready for a page, if one is free.
    pub(crate) fn lend(&self) -> Option<Lent<'_>> {
        let mut lent = self.take()?;
        lent.deflate.as_mut()?.begin().then_some(lent)
    }

    fn take(&self) -> Option<Lent<'_>> {
        let mut pool = self.lock();
        let free = pool.free.iter_mut().find_map(Option::take);
        let deflate = match free {
            Some(deflate) => deflate,
            None if pool.made < COMPRESSORS => {
                pool.made += 1;
                Deflate::new()
            }
            None => return None,
        };
        Some(Lent { home: self, deflate: Some(deflate) })
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A compressor in use. It goes back when dropped.
pub(crate) struct Lent<'a> {
    home: &'a Compressors,
    deflate: Option<Deflate>,
}

impl Lent<'_> {
    /// Begins a compressed page. It is written to the buffer between the margins, and handed on from there.
    pub(crate) fn page<'b>(
        &'b mut self,
        buffer: &'b mut [u8],
        front: usize,
        back: usize,
        next: &'b mut dyn Output,
    ) -> Gzip<'b> {
        let deflate = self.deflate.get_or_insert_with(Deflate::new);
        let limit = buffer.len() - back;
        Gzip { deflate, buffer, front, at: front, limit, flushed: false, next }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.home.lock().free.iter_mut().find(|slot| slot.is_none()) {
            *slot = self.deflate.take();
        }
    }
}

/// A compressed page under way.
pub(crate) struct Gzip<'a> {
    deflate: &'a mut Deflate,
    buffer: &'a mut [u8],
    front: usize,
    at: usize,
    limit: usize,
    flushed: bool,
    next: &'a mut dyn Output,
}

impl Gzip<'_> {
    /// Ends the page without handing on the rest: gives the range of the buffer that holds it, and whether
    /// something was handed on before.
    pub(crate) fn finish_in_place(mut self) -> Result<(Range<usize>, bool), Stopped> {
        self.compress(&[], true)?;
        Ok((self.front..self.at, self.flushed))
    }

    fn compress(&mut self, mut input: &[u8], finish: bool) -> Result<(), Stopped> {
        loop {
            let step = self.deflate.step(input, &mut self.buffer[self.at..self.limit], finish)?;
            input = &input[step.taken..];
            self.at += step.made;
            let done = if finish { step.ended } else { input.is_empty() && self.at < self.limit };
            if done {
                return Ok(());
            }
            if self.at < self.limit {
                // The compressor stands still with room to go on: a fault, not a state to wait in.
                return Err(Stopped);
            }
            self.next.flush(self.buffer, self.front..self.at)?;
            self.flushed = true;
            self.at = self.front;
        }
    }
}

impl Output for Gzip<'_> {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        self.compress(&buffer[content], false)
    }

    fn expired(&self) -> bool {
        self.next.expired()
    }

    fn collector_failed(&mut self, collector: &'static str, why: &dyn core::fmt::Display) {
        self.next.collector_failed(collector, why);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;
    use zlib_rs::{Inflate, InflateFlush, Status};

    use super::*;

    #[derive(Default)]
    struct Pieces(Vec<Vec<u8>>);

    impl Output for Pieces {
        fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
            assert!(content == (30..buffer.len() - 20), "a piece fills the buffer between its margins");
            self.0.push(buffer[content].into());
            Ok(())
        }
    }

    /// The compressed pieces, all but the last full.
    fn compressed(compressors: &Compressors, text: &[u8], size: usize, room: usize) -> Vec<Vec<u8>> {
        let mut pieces = Pieces::default();
        let mut packed = vec![0; 30 + room + 20];
        let mut lent = compressors.lend().unwrap();
        let mut page = lent.page(&mut packed, 30, 20, &mut pieces);
        for piece in text.chunks(size) {
            page.flush(&mut piece.to_vec(), 0..piece.len()).unwrap();
        }
        let (range, flushed) = page.finish_in_place().unwrap();
        drop(lent);
        assert_eq!(flushed, !pieces.0.is_empty());
        pieces.0.push(packed[range].into());
        pieces.0
    }

    fn restored(packed: &[u8], length: usize) -> Vec<u8> {
        let mut text = vec![0; length + 1];
        let mut inflate = Inflate::new(true, 16 + 15);
        assert_eq!(inflate.decompress(packed, &mut text, InflateFlush::Finish), Ok(Status::StreamEnd));
        assert_eq!(inflate.total_in() as usize, packed.len(), "nothing follows the stream");
        text.truncate(inflate.total_out() as usize);
        text
    }

    #[test]
    fn an_empty_page_is_a_stream_too() {
        let pieces = compressed(&Compressors::new(), b"", 1, 300);
        assert_eq!(pieces[0].len(), 20);
        assert_eq!(restored(&pieces[0], 0), b"");
    }

    #[test]
    fn when_all_are_lent_there_is_none_to_wait_for() {
        let compressors = Compressors::new();
        let lent: Vec<_> = (0..COMPRESSORS).map(|_| compressors.lend().unwrap()).collect();
        assert!(compressors.lend().is_none());
        drop(lent);
        assert!(compressors.lend().is_some());
    }

    #[test]
    fn a_page_that_was_given_up_leaves_nothing_behind() {
        struct Gone;
        impl Output for Gone {
            fn flush(&mut self, _: &mut [u8], _: Range<usize>) -> Result<(), Stopped> {
                Err(Stopped)
            }
        }
        let compressors = Compressors::new();
        let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut lent = compressors.lend().unwrap();
        let mut packed = [0; 300];
        let mut gone = Gone;
        let mut page = lent.page(&mut packed, 30, 20, &mut gone);
        assert_eq!(page.flush(&mut noise.clone(), 0..noise.len()), Err(Stopped));
        drop(lent);
        let pieces = compressed(&compressors, b"afterwards", 3, 300);
        assert_eq!(restored(&pieces.concat(), 10), b"afterwards");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_compressed_comes_back(
            words in prop::collection::vec("[a-z_]{1,9}[{= 0-9]{0,3}\n?", 0..3_000),
            size in 1_usize..5_000,
            room in 256_usize..2_000,
        ) {
            let text = words.concat().into_bytes();
            let compressors = Compressors::new();
            for _ in 0..2 {
                let pieces = compressed(&compressors, &text, size, room);
                prop_assert_eq!(&restored(&pieces.concat(), text.len()), &text);
            }
        }
    }
}
