//! Digits put into the forms that numbers have.

use super::number::{LONGEST, write_u64};
use super::shortest::Shortest;

/// The digits of a number without its sign.
pub(super) struct Digits {
    /// As many as `count` says; the last is a zero only if it is the only one.
    digits: [u8; LONGEST],
    pub(super) count: usize,
    /// The power of ten of the first digit.
    pub(super) exponent: i32,
}

impl Digits {
    /// `units` divided by ten to the power of `places`.
    pub(super) const fn new(units: u64, places: usize) -> Self {
        let mut count = 1;
        let mut power = 1;
        while units / power >= 10 {
            power *= 10;
            count += 1;
        }
        let exponent = count as i32 - 1 - places as i32;
        let mut digits = [0; LONGEST];
        let mut at = 0;
        while at < count {
            digits[at] = b'0' + (units / power % 10) as u8;
            power = if power < 10 { 1 } else { power / 10 };
            at += 1;
        }
        while count > 1 && digits[count - 1] == b'0' {
            count -= 1;
        }
        Self { digits, count, exponent }
    }

    /// The shortest that read back to the size of a finite number that is not zero.
    pub(super) fn shortest(value: f64) -> Self {
        let Shortest { units, power } = Shortest::of(value);
        let mut digits = [0; LONGEST];
        let count = write_u64(&mut digits, units);
        Self { digits, count, exponent: power + count as i32 - 1 }
    }
}

/// Text under way.
pub(super) struct Layout {
    pub(super) bytes: [u8; LONGEST],
    pub(super) length: usize,
}

impl Layout {
    pub(super) const fn new(negative: bool) -> Self {
        let mut text = Self { bytes: [0; LONGEST], length: 0 };
        if negative {
            text.byte(b'-');
        }
        text
    }

    pub(super) const fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// The digits in these places; those behind the last are zeros.
    const fn digits(&mut self, digits: &Digits, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            self.byte(if at < digits.count { digits.digits[at] } else { b'0' });
            at += 1;
        }
    }

    /// As in `1234.5`, `0.0012` and `1200`.
    pub(super) const fn plain(&mut self, digits: &Digits) {
        let mut whole = 0;
        if digits.exponent >= 0 {
            whole = digits.exponent as usize + 1;
            self.digits(digits, 0, whole);
        } else {
            self.byte(b'0');
        }
        if whole < digits.count {
            self.byte(b'.');
        }
        let mut power = -1;
        while power > digits.exponent {
            self.byte(b'0');
            power -= 1;
        }
        self.digits(digits, whole, digits.count);
    }

    /// As in `1.25`, and the letter for the exponent.
    pub(super) const fn scientific(&mut self, digits: &Digits) {
        self.digits(digits, 0, 1);
        if digits.count > 1 {
            self.byte(b'.');
            self.digits(digits, 1, digits.count);
        }
        self.byte(b'e');
    }

    /// The exponent of the first digit, in as many digits as it has or as are wanted.
    pub(super) const fn exponent(&mut self, digits: &Digits, least: u32) {
        let size = digits.exponent.unsigned_abs();
        if size > 99 {
            self.byte(b'0' + (size / 100) as u8);
        }
        if size > 9 || least > 1 {
            self.byte(b'0' + (size / 10 % 10) as u8);
        }
        self.byte(b'0' + (size % 10) as u8);
    }
}
