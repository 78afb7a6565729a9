//! Files of the root file system that change when the system is upgraded: read once a minute.
//!
//! That file system may be a network's, so they are asked for with patience.

use core::ops::Range;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::vec::Vec;

use rustix::io::Errno;

use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::patience::{Answer, Batch, Question};
use crate::resident::Bytes;

/// For so long what was read is believed.
const FRESH: Duration = Duration::from_secs(60);

/// A larger file is none of those that are kept.
const LARGEST: usize = 64 << 10;

/// What became of a file: its place in the text, or why it has none.
pub(super) type Found = Result<Range<usize>, Errno>;

/// The files that were read.
#[derive(Debug)]
pub(super) struct Kept<const N: usize> {
    files: Mutex<Files<N>>,
}

#[derive(Debug)]
struct Files<const N: usize> {
    read: Option<Instant>,
    text: Vec<u8>,
    found: [Found; N],
}

impl<const N: usize> Kept<N> {
    pub(super) const fn new() -> Self {
        let found = [const { Err(Errno::NOENT) }; N];
        Self { files: Mutex::new(Files { read: None, text: Vec::new(), found }) }
    }

    /// Copies the files into a buffer, one after the other.
    pub(super) fn copy(
        &self,
        machine: &Machine,
        batch: &mut Batch,
        expired: &dyn Fn() -> bool,
        paths: [&[u8]; N],
        into: &mut Bytes,
    ) -> [Found; N] {
        // Held while the questions are asked: who comes second would ask the same. Nothing is written meanwhile.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.read.is_none_or(|read| read.elapsed() >= FRESH) {
            batch.clear();
            let first = paths.map(|path| batch.ask(Question::Rootfs, path)).first().copied().unwrap_or(0);
            machine.patience.ask(batch, expired);
            files.take(batch, first);
        }
        into.clear();
        into.extend_from_slice(&files.text);
        files.found.clone()
    }
}

impl<const N: usize> Files<N> {
    fn take(&mut self, batch: &Batch, first: usize) {
        self.text.clear();
        self.read = Some(Instant::now());
        for (number, found) in self.found.iter_mut().enumerate() {
            *found = match batch.answer(first + number) {
                Answer::Text(text) if text.len() > LARGEST => Err(Errno::FBIG),
                Answer::Text(text) => {
                    let begin = self.text.len();
                    self.text.extend_from_slice(text);
                    Ok(begin..self.text.len())
                }
                Answer::Failed(errno) => Err(errno),
                Answer::StatFs(_) => Err(Errno::INVAL),
                Answer::TimedOut => {
                    self.read = None;
                    Err(Errno::TIMEDOUT)
                }
            };
        }
    }
}

/// The text of a file that was found.
pub(super) fn text<'b>(all: &'b [u8], found: &Found) -> Option<&'b [u8]> {
    all.get(found.as_ref().ok()?.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn files_are_read_once() {
        let tree = Tree::new(&[("root/a", "1"), ("root/c", "345"), ("root/big", &"x".repeat(LARGEST + 1))]);
        let (machine, kept) = (tree.machine(), Kept::new());
        let (mut batch, mut all) = (Batch::default(), Bytes::default());
        let paths: [&[u8]; 4] = [b"a", b"b", b"c", b"big"];
        for _ in 0..2 {
            let found = kept.copy(&machine, &mut batch, &|| false, paths, &mut all);
            assert_eq!(found, [Ok(0..1), Err(Errno::NOENT), Ok(1..4), Err(Errno::FBIG)]);
            assert_eq!(text(&all, &found[2]), Some(&b"345"[..]));
            assert_eq!(text(&all, &found[1]), None);
            tree.write("root/a", "other");
        }
    }
}
