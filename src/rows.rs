//! Rows found by their label values: fixed storage, looked up without a lock while others add and remove.
//!
//! A row's values are kept twice: as a *key*, whole machine words that compare exactly, and as exposition text, ready
//! to be copied to a page. A table of chains leads from a hash to a row. Adding and removing takes the lock; a
//! look-up reads the key under the row's sequence and misses at worst what is being changed just then, and a miss is
//! repeated under the lock.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::cell::{AtomicU32, Cell64, WriteLock};
use crate::clock;
use crate::words::{CHUNK, Sequence, WORD, Words};

/// Ends each value in a key; no UTF-8 text holds this byte, so values cannot run into one another.
const END: u8 = 0xff;

/// One row.
#[derive(Debug)]
#[repr(C)] // What a scrape reads stands together.
pub(crate) struct Row<S, const K: usize> {
    pub(crate) sequence: Sequence,
    length: AtomicU32,
    pub(crate) series: S,
    text: Words<K>,
    created: Cell64,
    hash: AtomicU32,
    next: AtomicU32,
    pins: AtomicU32,
    key: Words<K>,
}

impl<S, const K: usize> Row<S, K> {
    const fn new(series: S) -> Self {
        Self {
            sequence: Sequence::new(),
            length: AtomicU32::new(0),
            series,
            text: Words::new(),
            created: Cell64::new(0),
            hash: AtomicU32::new(0),
            next: AtomicU32::new(0),
            pins: AtomicU32::new(0),
            key: Words::new(),
        }
    }

    /// Copies the labels as exposition text to the start of `out`, in whole chunks, and tells their length.
    #[inline]
    pub(crate) fn text(&self, out: &mut [u8]) -> usize {
        let length = (self.length.load(Relaxed) as usize).min(Words::<K>::CAPACITY);
        self.text.load(length, out);
        length
    }

    /// Copies the values to `out`, each ended by 0xFF.
    pub(crate) fn values(&self, out: &mut [u8]) {
        for (word, bytes) in self.key.words().zip(out.chunks_exact_mut(WORD)) {
            bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
    }

    /// When the row was added, in seconds since the epoch.
    pub(crate) fn created(&self) -> f64 {
        self.created.load_f64()
    }

    /// Keeps the row from being used for other values; undone by [`Row::unpin`].
    fn pin(&self) {
        self.pins.fetch_add(1, Relaxed);
    }

    pub(crate) fn unpin(&self) {
        self.pins.fetch_sub(1, Release);
    }

    #[inline]
    fn holds<const L: usize>(&self, key: &Key<'_, L>) -> bool {
        let mut stored = self.key.words();
        key.each_word(|word| stored.next().is_some_and(|stored| stored.load(Relaxed) == word))
    }
}

/// Splits what [`Row::values`] copied: the values one by one.
pub(crate) fn split_values(copied: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = copied;
    core::iter::from_fn(move || {
        let end = rest.iter().position(|byte| *byte == END)?;
        let value = core::str::from_utf8(&rest[..end]).ok()?;
        rest = rest.get((end / WORD + 1) * WORD..).unwrap_or_default();
        Some(value)
    })
}

/// The key of some values: their words are made as they are needed, except for the last ones.
#[derive(Debug)]
struct Key<'v, const L: usize> {
    values: &'v [&'v str; L],
    lasts: [usize; L],
    hash: u32,
}

impl<'v, const L: usize> Key<'v, L> {
    #[inline(always)] // Else it goes through memory.
    fn of(values: &'v [&'v str; L]) -> Self {
        let mut hash = Hash(0);
        let mut lasts = [0; L];
        for (value, last) in values.iter().zip(&mut lasts) {
            let mut rest = value.as_bytes();
            while let Some((bytes, after)) = rest.split_first_chunk::<WORD>() {
                hash.add(usize::from_le_bytes(*bytes));
                rest = after;
            }
            *last = last_word(value.as_bytes());
            hash.add(*last);
        }
        Self { values, lasts, hash: hash.finish() }
    }

    /// Gives the words, until `take` says no; tells whether it took all.
    #[inline]
    fn each_word(&self, mut take: impl FnMut(usize) -> bool) -> bool {
        for (value, last) in self.values.iter().zip(&self.lasts) {
            let mut rest = value.as_bytes();
            while let Some((bytes, after)) = rest.split_first_chunk::<WORD>() {
                if !take(usize::from_le_bytes(*bytes)) {
                    return false;
                }
                rest = after;
            }
            if !take(*last) {
                return false;
            }
        }
        true
    }

    /// How many bytes the words take.
    fn size(&self) -> usize {
        self.values.iter().map(|value| (value.len() / WORD + 1) * WORD).sum()
    }
}

/// The bytes after the last whole word of a value, and the end mark.
#[inline]
fn last_word(value: &[u8]) -> usize {
    let rest = value.len() % WORD;
    let bytes = match (value.last_chunk::<WORD>(), value.first_chunk::<4>(), value.last_chunk::<4>()) {
        // What comes before the rest is shifted out, in two steps: a shift by a whole word would be none.
        (Some(last), ..) => usize::from_le_bytes(*last) >> 8 >> (8 * (WORD - 1 - rest)),
        (None, Some(low), Some(high)) => {
            u32::from_le_bytes(*low) as usize | (u32::from_le_bytes(*high) as usize) << (8 * (rest - 4))
        }
        _ if rest == 0 => 0,
        _ => {
            let byte = |at: usize| usize::from(value[at]) << (8 * at);
            byte(0) | byte(rest / 2) | byte(rest - 1)
        }
    };
    bytes | usize::from(END) << (8 * rest)
}

#[cfg(target_pointer_width = "64")]
type Wide = u128;
#[cfg(not(target_pointer_width = "64"))]
type Wide = u64;

/// The halves of each word's product, folded together: no product waits for another.
struct Hash(usize);

impl Hash {
    const FACTOR: usize = 0x9e37_79b9_7f4a_7c15_u64 as usize;

    #[inline]
    const fn add(&mut self, word: usize) {
        let product = word as Wide * Self::FACTOR as Wide;
        let folded = product as usize ^ (product >> usize::BITS) as usize;
        self.0 = self.0.rotate_left(5) ^ folded;
    }

    #[inline]
    const fn finish(&self) -> u32 {
        (self.0 >> (usize::BITS - 32)) as u32
    }
}

/// There is no room for these values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// `R` rows of `K` chunks each.
#[derive(Debug)]
pub(crate) struct Rows<S, const R: usize, const K: usize> {
    /// The number of rows ever used; of rows removed and not reused; and where to look for one of those first.
    used: AtomicU32,
    removed: AtomicU32,
    cursor: AtomicU32,
    lock: WriteLock,
    /// Per slot of the table, one more than the index of the chain's first row; zero ends a chain.
    /// Two slots a row, so that chains are short.
    heads: [[AtomicU32; 2]; R],
    rows: [Row<S, K>; R],
}

impl<S: crate::metric::Series, const R: usize, const K: usize> Rows<S, R, K> {
    pub(crate) const fn new() -> Self {
        Self {
            used: AtomicU32::new(0),
            removed: AtomicU32::new(0),
            cursor: AtomicU32::new(0),
            lock: WriteLock::new(),
            heads: [const { [const { AtomicU32::new(0) }; 2] }; R],
            rows: [const { Row::new(S::NEW) }; R],
        }
    }
}

impl<S, const R: usize, const K: usize> Rows<S, R, K> {
    #[inline]
    fn head(&self, hash: u32) -> &AtomicU32 {
        let slot = ((u64::from(hash) * (2 * R as u64)) >> 32) as usize;
        &self.heads[slot / 2][slot % 2]
    }

    /// All rows that may be in use, in the order of their first use.
    #[inline]
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Row<S, K>> {
        let used = (self.used.load(Acquire) as usize).min(R);
        self.rows[..used].iter()
    }

    /// Finds a row without a lock.
    #[inline]
    pub(crate) fn find<const L: usize>(&self, values: &[&str; L]) -> Option<&Row<S, K>> {
        self.find_key(&Key::of(values))
    }

    #[inline(always)]
    fn find_key<const L: usize>(&self, key: &Key<'_, L>) -> Option<&Row<S, K>> {
        let mut at = self.head(key.hash).load(Acquire);
        // A chain that is changed under our feet may lead astray, but not for ever.
        for _ in 0..R {
            let row = self.rows.get((at as usize).wrapping_sub(1))?;
            if row.hash.load(Relaxed) == key.hash {
                if let Some(begun) = row.sequence.begin() {
                    if row.holds(key) && row.sequence.unchanged(begun) {
                        return Some(row);
                    }
                }
            }
            at = row.next.load(Acquire);
        }
        None
    }

    /// Whether no further row can be added.
    fn is_full(&self) -> bool {
        self.used.load(Acquire) as usize == R && self.removed.load(Acquire) == 0
    }

    /// Finds a row or adds one, whose text `render` writes (none if it does not fit) and which `reset` prepares.
    #[cold]
    pub(crate) fn find_or_add<const L: usize>(
        &self,
        values: &[&str; L],
        render: impl FnOnce(&mut [u8]) -> Option<usize>,
        reset: impl FnOnce(&S),
    ) -> Result<&Row<S, K>, Full> {
        // Full, and not there a moment after that: no need for the lock.
        if self.is_full() {
            return self.find(values).ok_or(Full);
        }
        self.lock.hold(|| {
            let key = Key::of(values);
            if let Some(row) = self.find_key(&key) {
                return Ok(row);
            }
            if key.size() > Words::<K>::CAPACITY {
                return Err(Full);
            }
            let mut text = [0; 32 * CHUNK];
            let text = &mut text[..Words::<K>::CAPACITY];
            let length = render(text).ok_or(Full)?;
            let index = self.free_row().ok_or(Full)?;
            let row = &self.rows[index];
            // Invalid already, but perhaps by another thread: who sees any of what follows must see that too.
            row.sequence.invalidate();
            reset(&row.series);
            row.text.store(&text[..length]);
            row.length.store(length as u32, Relaxed);
            row.created.store_f64(clock::now());
            let mut stored = row.key.words();
            key.each_word(|word| stored.next().map(|stored| stored.store(word, Relaxed)).is_some());
            row.hash.store(key.hash, Relaxed);
            row.sequence.publish();
            let head = self.head(key.hash);
            row.next.store(head.load(Relaxed), Release);
            head.store(index as u32 + 1, Release);
            // Last: who then finds the family full without the lock also finds this row.
            if index == self.used.load(Relaxed) as usize {
                self.used.store(index as u32 + 1, Release);
            } else {
                self.removed.fetch_sub(1, Release);
            }
            Ok(row)
        })
    }

    /// A row never used, else one removed that nobody has pinned, longest ago first as far as a cursor tells.
    fn free_row(&self) -> Option<usize> {
        let used = self.used.load(Relaxed) as usize;
        if used < R {
            return Some(used);
        }
        if self.removed.load(Relaxed) == 0 {
            return None;
        }
        let start = self.cursor.load(Relaxed) as usize;
        let index = (0..R).map(|step| (start + step) % R).find(|index| {
            let row = &self.rows[*index];
            row.sequence.begin().is_none() && row.pins.load(Acquire) == 0
        })?;
        self.cursor.store(index as u32 + 1, Relaxed);
        Some(index)
    }

    /// Pins the row of these values; none if it is not there.
    pub(crate) fn pin<const L: usize>(&self, values: &[&str; L]) -> Option<&Row<S, K>> {
        self.lock.hold(|| {
            let row = self.find(values)?;
            row.pin();
            Some(row)
        })
    }

    /// Removes all rows that `matches` picks by their values; tells how many.
    pub(crate) fn remove(&self, mut matches: impl FnMut(&mut dyn Iterator<Item = &str>) -> bool) -> usize {
        self.lock.hold(|| {
            let mut removed = 0;
            for (index, row) in self.iter().enumerate() {
                let mut copied = [0; 32 * CHUNK];
                row.values(&mut copied);
                if row.sequence.begin().is_some() && matches(&mut split_values(&copied)) {
                    self.unlink(index, row);
                    removed += 1;
                }
            }
            removed
        })
    }

    fn unlink(&self, index: usize, row: &Row<S, K>) {
        row.sequence.invalidate();
        let mut link = self.head(row.hash.load(Relaxed));
        for _ in 0..R {
            let at = link.load(Relaxed) as usize;
            if at == index + 1 {
                link.store(row.next.load(Relaxed), Release);
                break;
            }
            let Some(next) = self.rows.get(at.wrapping_sub(1)) else { break };
            link = &next.next;
        }
        self.removed.fetch_add(1, Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn words<const L: usize>(values: [&str; L]) -> Vec<usize> {
        let mut words = Vec::new();
        Key::of(&values).each_word(|word| {
            words.push(word);
            true
        });
        words
    }

    fn naive(values: &[&str]) -> Vec<usize> {
        let mut words = Vec::new();
        for value in values {
            let mut bytes = value.as_bytes().to_vec();
            bytes.push(END);
            bytes.resize(bytes.len().next_multiple_of(WORD), 0);
            words.extend(bytes.chunks(WORD).map(|word| usize::from_le_bytes(word.try_into().unwrap())));
        }
        words
    }

    #[test]
    fn values_do_not_run_into_one_another() {
        for (left, right) in [
            (["ab", "c"], ["a", "bc"]),
            (["a", ""], ["", "a"]),
            (["a\0", "b"], ["a", "b"]),
            (["12345678", ""], ["1234567", "8"]),
        ] {
            assert_ne!(words(left), words(right));
        }
    }

    proptest! {
        #[test]
        fn keys_are_what_they_say(values in prop::array::uniform3(".{0,20}")) {
            let values = values.each_ref().map(String::as_str);
            prop_assert_eq!(words(values), naive(&values));
            prop_assert_eq!(words(values).len() * WORD, Key::of(&values).size());
            let bytes: Vec<u8> = words(values).iter().flat_map(|word| word.to_le_bytes()).collect();
            prop_assert_eq!(split_values(&bytes).collect::<Vec<_>>(), values);
        }
    }
}
