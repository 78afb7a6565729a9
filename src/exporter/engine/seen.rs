//! Which texts have been met, so that no series is written twice, whatever a file holds, and no problem is told twice.

use std::vec;
use std::vec::Vec;

use crate::text::name::HASH_START;

/// A set of texts, remembered by a hash of 64 bits in a table that is kept.
///
/// Two texts of the same hash would be taken for one: with a million texts, once in millions of such sets.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A power of two of places, half of them empty at least; 0 is an empty one.
    table: Vec<u64>,
    used: usize,
}

impl Seen {
    pub(crate) fn clear(&mut self) {
        if self.used > 0 {
            self.table.fill(0);
            self.used = 0;
        }
    }

    /// Adds a text; whether it has not been there before.
    pub(crate) fn is_new(&mut self, text: &[u8]) -> bool {
        self.is_new_mark(mark(&[text]))
    }

    /// Whether the text of a mark is there.
    pub(crate) fn has_mark(&self, mark: u64) -> bool {
        place(&self.table, mixed(mark)).and_then(|at| self.table.get(at)).is_some_and(|found| *found != 0)
    }

    /// Adds a text by its mark; whether it has not been there before.
    #[inline(never)]
    pub(crate) fn is_new_mark(&mut self, mark: u64) -> bool {
        if self.used * 2 >= self.table.len() {
            let room = (self.table.len() * 2).max(SMALLEST);
            for hash in core::mem::replace(&mut self.table, vec![0; room]) {
                put(&mut self.table, hash);
            }
        }
        let new = put(&mut self.table, mixed(mark));
        self.used += usize::from(new);
        new
    }
}

/// Numbers by the marks of texts, in tables that are kept. The standard library's map, for one more type of entries, is
/// 1 kB larger.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<(u64, usize)>,
    /// A power of two of places, half of them empty at least: the place of an entry, from 1 on.
    table: Vec<u32>,
}

impl Index {
    pub(crate) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.table.fill(0);
            self.entries.clear();
        }
    }

    pub(crate) fn get(&self, mark: u64) -> Option<usize> {
        self.entry(*self.table.get(self.place(mark)?)?).map(|(_, number)| number)
    }

    /// Adds the number of a mark that has none.
    pub(crate) fn insert(&mut self, mark: u64, number: usize) {
        self.entries.push((mark, number));
        let first = if self.entries.len() * 2 > self.table.len() {
            let room = (self.table.len() * 2).max(SMALLEST);
            self.table.clear();
            self.table.resize(room, 0);
            0
        } else {
            self.entries.len() - 1
        };
        for at in first..self.entries.len() {
            let place = self.entries.get(at).and_then(|(mark, _)| self.place(*mark));
            if let Some(place) = place.and_then(|place| self.table.get_mut(place)) {
                *place = at as u32 + 1;
            }
        }
    }

    fn entry(&self, place: u32) -> Option<(u64, usize)> {
        self.entries.get((place as usize).checked_sub(1)?).copied()
    }

    /// Where the entry of a mark is, or the empty place where it would be.
    fn place(&self, mark: u64) -> Option<usize> {
        let mask = self.table.len().wrapping_sub(1);
        let mut at = mixed(mark) as usize & mask;
        while self.entry(*self.table.get(at)?).is_some_and(|(other, _)| other != mark) {
            at = (at + 1) & mask;
        }
        Some(at)
    }
}

/// The higher bits are mixed best, the lower ones choose the place; 0 is an empty place.
const fn mixed(mark: u64) -> u64 {
    match mark ^ mark >> 32 {
        0 => 1,
        mixed => mixed,
    }
}

const SMALLEST: usize = 64;

/// Puts a hash where it belongs; whether it was not there.
fn put(table: &mut [u64], hash: u64) -> bool {
    match place(table, hash).and_then(|at| table.get_mut(at)) {
        Some(free) if *free == 0 => {
            *free = hash;
            hash != 0
        }
        _ => false,
    }
}

/// Where a hash is, or the empty place where it would be.
fn place(table: &[u64], hash: u64) -> Option<usize> {
    let mask = table.len().wrapping_sub(1);
    let mut at = hash as usize & mask;
    while *table.get(at)? != 0 && table.get(at) != Some(&hash) {
        at = (at + 1) & mask;
    }
    Some(at)
}

/// A number for texts in their order. That of two different ones is the same once in 2^64.
pub(crate) fn mark(texts: &[&[u8]]) -> u64 {
    let mut hash = HASH_START;
    // Each step takes eight bytes, and different ones to different numbers.
    let mut take = |word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = product ^ product >> 32;
    };
    for text in texts {
        let mut words = text.chunks_exact(8);
        for word in words.by_ref() {
            take(word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
        }
        let rest = words.remainder().iter().rev();
        take(rest.fold(0, |word, byte| word << 8 | u64::from(*byte)));
        take(text.len() as u64);
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_new_once() {
        let mut seen = Seen::default();
        for _ in 0..2 {
            assert!(seen.is_new(b"") && seen.is_new(b"a") && !seen.is_new(b"a") && !seen.is_new(b""));
            seen.clear();
        }
        let names = (0..10_000_u32).map(u32::to_ne_bytes);
        assert!(names.clone().all(|name| seen.is_new(&name)));
        assert!(!names.clone().any(|name| seen.is_new(&name)));
    }

    #[test]
    fn a_number_is_found_by_its_mark() {
        let mut index = Index::default();
        let marks = (0..10_000_u32).map(|number| mark(&[&number.to_ne_bytes()]));
        for _ in 0..2 {
            for (number, mark) in marks.clone().chain([0]).enumerate() {
                assert_eq!(index.get(mark), None);
                index.insert(mark, number);
                assert_eq!(index.get(mark), Some(number));
            }
            assert!(marks.clone().enumerate().all(|(number, mark)| index.get(mark) == Some(number)));
            index.clear();
        }
    }

    #[test]
    fn marks_tell_texts_apart() {
        assert_eq!(mark(&[b"a", b"b"]), mark(&[b"a", b"b"]));
        assert_ne!(mark(&[b"ab", b""]), mark(&[b"a", b"b"]));
        assert_ne!(mark(&[b"a", b"b"]), mark(&[b"b", b"a"]));
    }

    proptest! {
        #[test]
        fn it_is_a_set(texts in proptest::collection::vec("[ab]{0,4}", 0..200)) {
            let (mut seen, mut oracle) = (Seen::default(), HashSet::new());
            for text in texts {
                prop_assert_eq!(seen.is_new(text.as_bytes()), oracle.insert(text));
            }
        }
    }
}
