//! Bounds of buckets, and quantiles, as the text of their labels.
//!
//! Source: OpenMetrics 1.0.0, "Canonical Numbers": the shortest digits that read back to the number, as Go's `%g` writes
//! them, with `.0` behind a whole number. The same in every format: the same series whichever format a scrape takes.

use super::layout::{Digits, Layout};
use super::number::{Decimal, LONGEST, special};

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
        let layout = canonical(negative, &Digits::new(units, places));
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
    let layout = canonical(bound < 0.0, &Digits::shortest(bound));
    *out = layout.bytes;
    layout.length
}

const fn canonical(negative: bool, digits: &Digits) -> Layout {
    let mut text = Layout::new(negative);
    if digits.exponent < -4 || digits.exponent >= 6 {
        text.scientific(digits);
        text.byte(if digits.exponent < 0 { b'-' } else { b'+' });
        text.exponent(digits, 2);
        return text;
    }
    text.plain(digits);
    if digits.exponent >= digits.count as i32 - 1 {
        text.byte(b'.');
        text.byte(b'0');
    }
    text
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
        if value != 0.0 {
            let mut long = [0; LONGEST];
            let same = write_long(value, &mut long);
            assert_eq!(out[..length], long[..same]);
        }
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
