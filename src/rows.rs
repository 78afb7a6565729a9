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
        let words = (0..).map_while(|at| self.key.word(at));
        for (word, bytes) in words.zip(out.chunks_exact_mut(WORD)) {
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
    fn holds(&self, values: &[&str]) -> bool {
        let mut at = 0;
        each_word(values, |word| {
            let same = self.key.word(at).is_some_and(|stored| stored.load(Relaxed) == word);
            at += 1;
            same
        })
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

/// Gives the words of a key, until `take` says no; tells whether it took all.
#[inline]
fn each_word(values: &[&str], mut take: impl FnMut(usize) -> bool) -> bool {
    for value in values {
        let mut rest = value.as_bytes();
        while let Some((bytes, after)) = rest.split_first_chunk::<WORD>() {
            if !take(usize::from_le_bytes(*bytes)) {
                return false;
            }
            rest = after;
        }
        if !take(last_word(rest)) {
            return false;
        }
    }
    true
}

/// Fewer bytes than a word, and the end mark.
#[inline]
fn last_word(tail: &[u8]) -> usize {
    let length = tail.len();
    let bytes = match (tail.first_chunk::<4>(), tail.last_chunk::<4>()) {
        (Some(low), Some(high)) => {
            u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << (8 * (length - 4))
        }
        _ if length == 0 => 0,
        _ => {
            let byte = |at: usize| u64::from(tail[at]) << (8 * at);
            byte(0) | byte(length / 2) | byte(length - 1)
        }
    };
    (bytes | u64::from(END) << (8 * length)) as usize
}

#[inline]
pub(crate) fn hash(values: &[&str]) -> u32 {
    let mut hash = 0_u64;
    each_word(values, |word| {
        hash = (hash.rotate_left(5) ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        true
    });
    (hash >> 32) as u32
}

fn words_needed(values: &[&str]) -> usize {
    values.iter().map(|value| value.len() / WORD + 1).sum()
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
    heads: [AtomicU32; R],
    rows: [Row<S, K>; R],
}

impl<S: crate::metric::Series, const R: usize, const K: usize> Rows<S, R, K> {
    pub(crate) const fn new() -> Self {
        Self {
            used: AtomicU32::new(0),
            removed: AtomicU32::new(0),
            cursor: AtomicU32::new(0),
            lock: WriteLock::new(),
            heads: [const { AtomicU32::new(0) }; R],
            rows: [const { Row::new(S::NEW) }; R],
        }
    }
}

impl<S, const R: usize, const K: usize> Rows<S, R, K> {
    #[inline]
    fn slot(hash: u32) -> usize {
        ((u64::from(hash) * R as u64) >> 32) as usize
    }

    /// All rows that may be in use, in the order of their first use.
    #[inline]
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Row<S, K>> {
        let used = (self.used.load(Acquire) as usize).min(R);
        self.rows[..used].iter()
    }

    /// Finds a row without a lock.
    #[inline]
    pub(crate) fn find(&self, values: &[&str]) -> Option<&Row<S, K>> {
        let hash = hash(values);
        let mut at = self.heads[Self::slot(hash)].load(Acquire);
        // A chain that is changed under our feet may lead astray, but not for ever.
        for _ in 0..R {
            let row = self.rows.get((at as usize).wrapping_sub(1))?;
            if let Some(begun) = row.sequence.begin() {
                if row.hash.load(Relaxed) == hash && row.holds(values) && row.sequence.unchanged(begun) {
                    return Some(row);
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
    pub(crate) fn find_or_add(
        &self,
        values: &[&str],
        render: impl FnOnce(&mut [u8]) -> Option<usize>,
        reset: impl FnOnce(&S),
    ) -> Result<&Row<S, K>, Full> {
        // Full, and not there a moment after that: no need for the lock.
        if self.is_full() {
            return self.find(values).ok_or(Full);
        }
        self.lock.hold(|| {
            if let Some(row) = self.find(values) {
                return Ok(row);
            }
            if words_needed(values) * WORD > Words::<K>::CAPACITY {
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
            let mut at = 0;
            each_word(values, |word| {
                if let Some(stored) = row.key.word(at) {
                    stored.store(word, Relaxed);
                }
                at += 1;
                true
            });
            let hash = hash(values);
            row.hash.store(hash, Relaxed);
            row.sequence.publish();
            let head = &self.heads[Self::slot(hash)];
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
    pub(crate) fn pin(&self, values: &[&str]) -> Option<&Row<S, K>> {
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
        let mut link = &self.heads[Self::slot(row.hash.load(Relaxed))];
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

    fn words(values: &[&str]) -> Vec<usize> {
        let mut words = Vec::new();
        each_word(values, |word| {
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
            assert_ne!(words(&left), words(&right));
        }
    }

    proptest! {
        #[test]
        fn keys_are_what_they_say(values in prop::collection::vec(".{0,20}", 0..4)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            prop_assert_eq!(words(&values), naive(&values));
            prop_assert_eq!(words(&values).len(), words_needed(&values));
            let bytes: Vec<u8> = words(&values).iter().flat_map(|word| word.to_le_bytes()).collect();
            prop_assert_eq!(split_values(&bytes).collect::<Vec<_>>(), values);
        }
    }
}
