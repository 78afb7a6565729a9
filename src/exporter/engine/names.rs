//! Lists of names: the entries of a directory, or whatever else must be remembered for a while.

use crate::resident::clear;

/// Names one after the other in one buffer, which is kept.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bytes: std::vec::Vec<u8>,
    places: std::vec::Vec<(u32, u32)>,
}

impl Names {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    /// Clears them and gives their memory back to the system, until it is written to again.
    pub(crate) fn rest(&mut self) {
        clear(&mut self.bytes);
        clear(&mut self.places);
    }

    pub(crate) fn push(&mut self, name: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(name);
        if let (Ok(begin), Ok(end)) = (u32::try_from(begin), u32::try_from(self.bytes.len())) {
            self.places.push((begin, end));
        }
    }

    /// Sorts them by bytes, but runs of digits by their number: `cpu2` before `cpu10`.
    pub(crate) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by(|a, b| natural(slice(bytes, *a), slice(bytes, *b)));
    }

    /// The place of a name among names that are sorted.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.places.binary_search_by(|place| natural(slice(&self.bytes, *place), name)).ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[inline(never)]
    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        self.places.get(at).map(|place| slice(&self.bytes, *place))
    }

    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { names: self, next: 0 }
    }
}

/// See [`Names::iter`].
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a> {
    names: &'a Names,
    next: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let name = self.names.get(self.next)?;
        self.next += 1;
        Some(name)
    }
}

fn slice(bytes: &[u8], (begin, end): (u32, u32)) -> &[u8] {
    bytes.get(begin as usize..end as usize).unwrap_or_default()
}

#[inline(never)]
fn natural(mut a: &[u8], mut b: &[u8]) -> core::cmp::Ordering {
    let whole = (a, b);
    while let ([first, rest_a @ ..], [second, rest_b @ ..]) = (a, b) {
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (digits_a, digits_b) = (digits(a), digits(b));
            let order = digits_a.len().cmp(&digits_b.len()).then(digits_a.cmp(digits_b));
            if order.is_ne() {
                return order;
            }
            (a, b) = (after_digits(a), after_digits(b));
        } else if first == second {
            (a, b) = (rest_a, rest_b);
        } else {
            return first.cmp(second);
        }
    }
    // With the same numbers, fewer leading zeros come first.
    a.len().cmp(&b.len()).then(whole.0.len().cmp(&whole.1.len())).then(whole.0.cmp(whole.1))
}

/// The digits at the beginning, without leading zeros.
fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let digits = text.get(..end).unwrap_or_default();
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

fn after_digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = Names::default();
        for name in ["cpu10", "cpu2", "cpu", "cpu02", "a1b10", "a1b9"] {
            names.push(name.as_bytes());
        }
        names.sort();
        let sorted: Vec<_> = names.iter().map(|name| core::str::from_utf8(name).unwrap()).collect();
        assert_eq!(sorted, ["a1b9", "a1b10", "cpu", "cpu2", "cpu02", "cpu10"]);
    }

    proptest! {
        #[test]
        fn the_order_is_total(mut names in proptest::collection::vec("[0-9a]{0,5}", 0..12)) {
            for (a, b) in names.iter().zip(names.iter().skip(1)) {
                prop_assert_eq!(natural(a.as_bytes(), b.as_bytes()), natural(b.as_bytes(), a.as_bytes()).reverse());
            }
            names.sort_by(|a, b| natural(a.as_bytes(), b.as_bytes()));
            for pair in names.windows(2) {
                prop_assert!(natural(pair[0].as_bytes(), pair[1].as_bytes()).is_le());
            }
        }
    }
}
