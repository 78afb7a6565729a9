//! Bounds of buckets, and quantiles, as the text of their labels.
//!
//! Source: OpenMetrics 1.0.0, "Canonical Numbers": the shortest digits that read back to the number, as Go's `%g` writes
//! them, with `.0` behind a whole number. The same in every format: the same series whichever format a scrape takes.

use core::fmt::Write;

use super::number::{Cursor, Decimal, LONGEST, special};

/// A histogram bound as the text of its `le` label, made when the program is compiled where the bound is a short
/// decimal, else when it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundText {
    bytes: [u8; ROOM],
    length: u8,
}

/// More than the text of a short decimal takes: sign, 15 digits, point, exponent, or four zeros in front of 5 digits.
const ROOM: usize = 23;

impl BoundText {
    pub(crate) const EMPTY: Self = Self { bytes: [0; ROOM], length: 0 };

    /// Prepares what can be prepared; zero length marks a bound that [`BoundText::write`] must format.
    pub(crate) const fn prepare(bound: f64) -> Self {
        let mut text = Self::EMPTY;
        if special(bound).is_some() {
            return text;
        }
        let Some(Decimal { negative, units, places }) = Decimal::of(bound) else { return text };
        let (digits, count) = digits(units);
        let layout = Layout::new(negative, &digits, count, count as i32 - 1 - places as i32);
        let mut at = 0;
        while at < layout.length {
            text.bytes[at] = layout.bytes[at];
            at += 1;
        }
        text.length = layout.length as u8;
        text
    }

    #[inline]
    pub(crate) fn write(&self, bound: f64, out: &mut [u8; LONGEST]) -> usize {
        if self.length > 0 {
            out[..ROOM].copy_from_slice(&self.bytes);
            return usize::from(self.length);
        }
        write_long(bound, out)
    }
}

/// Writes the text of a bound that nobody prepared.
pub(crate) fn write_bound(bound: f64, out: &mut [u8; LONGEST]) -> usize {
    BoundText::prepare(bound).write(bound, out)
}

#[cold]
fn write_long(bound: f64, out: &mut [u8; LONGEST]) -> usize {
    if let Some(special) = special(bound) {
        out[..special.len()].copy_from_slice(special);
        return special.len();
    }
    let mut text = [0; LONGEST];
    let mut cursor = Cursor { out: &mut text, at: 0 };
    // It has room for 17 digits, a point, two signs and an exponent.
    let _ = write!(cursor, "{bound:e}");
    let length = cursor.at;
    let mut parts = text[..length].split(|byte| *byte == b'e');
    let mut digits = [b'0'; DIGITS];
    let mut count = 0;
    for digit in parts.next().unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit()) {
        digits[count] = *digit;
        count += 1;
    }
    let exponent = parts.next().and_then(|text| core::str::from_utf8(text).ok()?.parse().ok());
    let layout = Layout::new(bound < 0.0, &digits, count, exponent.unwrap_or(0));
    *out = layout.bytes;
    layout.length
}

/// The most digits of a double are 17, of a `u64` 20.
const DIGITS: usize = 20;

/// The digits of a number without the zeros at its end, and how many all of them are.
const fn digits(value: u64) -> ([u8; DIGITS], usize) {
    let mut count = 1;
    let mut power = 1;
    while value / power >= 10 {
        power *= 10;
        count += 1;
    }
    let mut digits = [b'0'; DIGITS];
    let mut at = 0;
    while at < count {
        digits[at] = b'0' + (value / power % 10) as u8;
        power = if power < 10 { 1 } else { power / 10 };
        at += 1;
    }
    (digits, count)
}

/// Text under way.
struct Layout {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Layout {
    /// Puts digits into their form; `exponent` is the power of ten of the first.
    const fn new(negative: bool, digits: &[u8; DIGITS], count: usize, exponent: i32) -> Self {
        let mut count = count;
        while count > 1 && digits[count - 1] == b'0' {
            count -= 1;
        }
        let text = Self { bytes: [0; LONGEST], length: 0 };
        let text = if negative { text.byte(b'-') } else { text };
        if exponent < -4 || exponent >= 6 {
            let text = text.digits(digits, 0, 1);
            let text = if count > 1 { text.byte(b'.').digits(digits, 1, count) } else { text };
            return text.byte(b'e').exponent(exponent);
        }
        if exponent < 0 {
            let zeros = exponent.unsigned_abs() as usize;
            // The zero before the point, then those behind it.
            return text.digits(b"0.000", 0, zeros + 1).digits(digits, 0, count);
        }
        let whole = exponent as usize + 1;
        let text = text.digits(digits, 0, whole).byte(b'.');
        text.digits(digits, whole, if count > whole { count } else { whole + 1 })
    }

    const fn byte(mut self, byte: u8) -> Self {
        self.bytes[self.length] = byte;
        self.length += 1;
        self
    }

    const fn digits(mut self, digits: &[u8], from: usize, to: usize) -> Self {
        let mut at = from;
        while at < to {
            self = self.byte(digits[at]);
            at += 1;
        }
        self
    }

    /// With a sign, and two digits at least.
    const fn exponent(self, exponent: i32) -> Self {
        let size = exponent.unsigned_abs();
        let text = self.byte(if exponent < 0 { b'-' } else { b'+' });
        let text = if size > 99 { text.byte(b'0' + (size / 100) as u8) } else { text };
        text.byte(b'0' + (size / 10 % 10) as u8).byte(b'0' + (size % 10) as u8)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    fn bound(value: f64) -> String {
        let mut out = [0; LONGEST];
        let length = BoundText::prepare(value).write(value, &mut out);
        let mut long = [0; LONGEST];
        let same = write_long(value, &mut long);
        assert_eq!(out[..length], long[..same]);
        core::str::from_utf8(&out[..length]).unwrap().into()
    }

    #[test]
    fn bounds_are_canonical() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.005, "0.005"),
            (-2.5, "-2.5"),
            (10.0, "10.0"),
            (9.999, "9.999"),
            (100_000.0, "100000.0"),
            (100_000.5, "100000.5"),
            (123_456.7, "123456.7"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (-1e10, "-1e+10"),
            (1e16, "1e+16"),
            (1e22, "1e+22"),
            (1e300, "1e+300"),
            (0.0001, "0.0001"),
            (0.000_123_4, "0.0001234"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e-10, "1e-10"),
            (5e-324, "5e-324"),
            (-2.225_073_858_507_201_4e-308, "-2.2250738585072014e-308"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(bound(value), expected);
        }
        for exponent in -10_i32..=10 {
            let text = format!("1e{exponent}");
            let expected = match exponent {
                6.. => format!("1e+{exponent:02}"),
                0.. => format!("{}.0", 10_u32.pow(exponent as u32)),
                -4.. => format!("{:.*}", exponent.unsigned_abs() as usize, text.parse::<f64>().unwrap()),
                _ => format!("1e-{:02}", exponent.unsigned_abs()),
            };
            assert_eq!(bound(text.parse().unwrap()), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn bounds_read_back(bits: u64, units in -10_000_000_000i64..10_000_000_000, places in 0i32..12) {
            let value = f64::from_bits(bits);
            if !value.is_nan() {
                prop_assert_eq!(bound(value).parse::<f64>().unwrap().to_bits(), bits);
            }
            let value = units as f64 / 10f64.powi(places);
            prop_assert_eq!(bound(value).parse::<f64>().unwrap(), value);
        }
    }
}
