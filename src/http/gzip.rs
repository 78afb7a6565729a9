//! Compressed pages, from a fixed number of compressors in fixed memory.

use core::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

use crate::text::{Output, Stopped};

/// Compressors of one handler. When all are in use a page goes out uncompressed, which costs less time than waiting.
pub(crate) const COMPRESSORS: usize = 2;

/// What a compressor looks back on, as a power of two, plus 16 for the gzip wrapper.
const WINDOW_BITS: i32 = 16 + 12;
const MEMORY_LEVEL: i32 = 5;
const LEVEL: i32 = 2;

/// The compressors that are not in use. Each is allocated once, when first wanted, and never freed.
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

    /// Allocates all of them now, so that no scrape does.
    pub(crate) fn allocate(&self) {
        let mut pool = self.lock();
        while pool.made < COMPRESSORS {
            let at = pool.made;
            pool.free[at] = Some(compressor());
            pool.made += 1;
        }
    }

    /// Lends a compressor, if one is free.
    pub(crate) fn lend(&self) -> Option<Lent<'_>> {
        let mut pool = self.lock();
        let free = pool.free.iter_mut().find_map(Option::take);
        let deflate = match free {
            Some(deflate) => deflate,
            None if pool.made < COMPRESSORS => {
                pool.made += 1;
                compressor()
            }
            None => return None,
        };
        Some(Lent { home: self, deflate: Some(deflate) })
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compressor() -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level: LEVEL,
        window_bits: WINDOW_BITS,
        mem_level: MEMORY_LEVEL,
        ..DeflateConfig::default()
    })
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
        let deflate = self.deflate.get_or_insert_with(compressor);
        deflate.reset();
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
        self.compress(&[], DeflateFlush::Finish)?;
        Ok((self.front..self.at, self.flushed))
    }

    fn compress(&mut self, mut input: &[u8], flush: DeflateFlush) -> Result<(), Stopped> {
        loop {
            let (taken, made) = (self.deflate.total_in(), self.deflate.total_out());
            let room = &mut self.buffer[self.at..self.limit];
            let status = self.deflate.compress(input, room, flush).map_err(|_| Stopped)?;
            input = &input[(self.deflate.total_in() - taken) as usize..];
            self.at += (self.deflate.total_out() - made) as usize;
            let finished = match flush {
                DeflateFlush::Finish => status == Status::StreamEnd,
                _ => input.is_empty() && self.at < self.limit,
            };
            if finished {
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
        self.compress(&buffer[content], DeflateFlush::NoFlush)
    }

    fn expired(&self) -> bool {
        self.next.expired()
    }

    fn collector_failed(&mut self, collector: &'static str, why: &dyn core::fmt::Display) {
        self.next.collector_failed(collector, why);
    }
}
