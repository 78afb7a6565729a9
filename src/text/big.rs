//! Whole numbers of many words: what writing and reading doubles exactly takes.

use core::cmp::Ordering;

/// The bit of a mantissa that is not written.
pub(super) const HIDDEN: u64 = 1 << 52;

/// The least exponent of two, for a whole mantissa.
pub(super) const LEAST: i32 = -1074;

/// Words of a large number. The largest is a number of 768 digits with the power of five that brings it near 1e-324.
const WORDS: usize = 96;

/// A large whole number.
#[derive(Clone, Debug)]
pub(super) struct Big {
    /// From the least to the greatest.
    words: [u32; WORDS],
    /// So many words are in use; those above are 0, and the last of them is not.
    length: usize,
}

impl Big {
    pub(super) fn from(value: u64) -> Self {
        let mut words = [0; WORDS];
        words[0] = value as u32;
        words[1] = (value >> 32) as u32;
        let mut big = Self { words, length: 2 };
        big.trim();
        big
    }

    fn used(&self) -> &[u32] {
        self.words.get(..self.length).unwrap_or_default()
    }

    fn trim(&mut self) {
        while self.used().last() == Some(&0) {
            self.length -= 1;
        }
    }

    /// How many binary digits it has.
    #[cfg(feature = "http")]
    pub(super) fn bits(&self) -> usize {
        let last = self.used().last().map_or(0, |word| word.leading_zeros() as usize);
        self.length * 32 - last
    }

    #[inline(never)]
    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        let words = || self.used().iter().rev().cmp(other.used().iter().rev());
        self.length.cmp(&other.length).then_with(words)
    }

    /// Changes each word from the least on: `step` gets the word and what was carried, and gives both anew.
    fn carry(&mut self, first: u32, step: impl Fn(u32, u32) -> u64) {
        let mut carried = first;
        let length = self.length;
        for word in self.words.iter_mut().take(length) {
            let both = step(*word, carried);
            *word = both as u32;
            carried = (both >> 32) as u32;
        }
        if let Some(word) = self.words.get_mut(length).filter(|_| carried > 0) {
            *word = carried;
            self.length += 1;
        }
    }

    #[inline(never)]
    pub(super) fn multiply(&mut self, factor: u32) {
        self.carry(0, |word, carried| u64::from(word) * u64::from(factor) + u64::from(carried));
    }

    pub(super) fn multiply_five(&mut self, mut power: u32) {
        while power > 0 {
            let step = power.min(13);
            self.multiply(5_u32.pow(step));
            power -= step;
        }
    }

    pub(super) fn multiply_ten(&mut self, power: u32) {
        self.multiply_five(power);
        self.shift(power);
    }

    /// Multiplies by two to the power of `bits`.
    #[inline(never)]
    pub(super) fn shift(&mut self, bits: u32) {
        let (whole, bits) = ((bits / 32) as usize, bits % 32);
        if whole > 0 && self.length > 0 {
            let end = self.length.min(WORDS.saturating_sub(whole));
            self.words.copy_within(..end, whole);
            self.words.iter_mut().take(whole).for_each(|word| *word = 0);
            self.length = end + whole;
        }
        self.carry(0, |word, carried| u64::from(word) << bits | u64::from(carried));
    }

    pub(super) fn shifted(&self, bits: u32) -> Self {
        let mut shifted = self.clone();
        shifted.shift(bits);
        shifted
    }

    #[inline(never)]
    pub(super) fn add(&mut self, other: &Self) {
        self.length = self.length.max(other.length);
        let mut others = other.words.iter();
        let mut carried = 0;
        for word in self.words.iter_mut().take(self.length) {
            let sum = u64::from(*word) + u64::from(*others.next().unwrap_or(&0)) + carried;
            *word = sum as u32;
            carried = sum >> 32;
        }
        if let Some(word) = self.words.get_mut(self.length).filter(|_| carried > 0) {
            *word = carried as u32;
            self.length += 1;
        }
    }

    /// Takes away a number that is not larger.
    #[inline(never)]
    pub(super) fn subtract(&mut self, other: &Self) {
        let mut borrowed = false;
        for (word, other) in self.words.iter_mut().take(self.length).zip(&other.words) {
            let (less, first) = word.overflowing_sub(*other);
            let (less, second) = less.overflowing_sub(borrowed.into());
            *word = less;
            borrowed = first || second;
        }
        self.trim();
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    /// All decimal digits, none for 0.
    fn decimal(mut number: Big) -> String {
        let mut text = String::new();
        while number.length > 0 {
            let mut rest = 0_u64;
            for word in number.words.iter_mut().rev() {
                let both = rest << 32 | u64::from(*word);
                *word = (both / 10) as u32;
                rest = both % 10;
            }
            number.trim();
            text.insert(0, char::from(b'0' + rest as u8));
        }
        text
    }

    proptest! {
        #[test]
        fn numbers_are_reckoned_with_exactly(first: u64, second: u64, factor: u32, bits in 0_u32..64) {
            let (one, other) = (u128::from(first), u128::from(second));
            let text = |number: u128| String::from(format!("{number}").trim_start_matches('0'));
            let mut number = Big::from(first);
            number.add(&Big::from(second));
            prop_assert_eq!(decimal(number.clone()), text(one + other));
            number.subtract(&Big::from(first));
            prop_assert!(number.cmp(&Big::from(second)).is_eq());
            prop_assert_eq!(Big::from(first).cmp(&number), first.cmp(&second));
            number.multiply(factor);
            prop_assert_eq!(decimal(number), text(other * u128::from(factor)));
            prop_assert_eq!(decimal(Big::from(first).shifted(bits)), text(one << bits));
        }
    }
}
