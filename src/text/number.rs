//! Numbers as decimal text: the shortest that reads back to the same value, integers always exact.

use super::layout::{Digits, Layout};

/// The longest text of any number: sign, 17 digits, point, exponent; or 20 digits of a `u64`.
pub(crate) const LONGEST: usize = 32;

/// A sample value.
///
/// Integers keep every digit; a float is written as the shortest decimal that parses back to it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// A whole number from zero up.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// Any value, the infinities and not-a-number included.
    Float(f64),
}

macro_rules! number_from {
    ($variant:ident as $wide:ty: $($narrow:ty)*) => {
        $(impl From<$narrow> for Number {
            fn from(value: $narrow) -> Self {
                Self::$variant(value as $wide)
            }
        })*
    };
}
number_from!(Unsigned as u64: u8 u16 u32 u64 usize);
number_from!(Signed as i64: i8 i16 i32 i64 isize);
number_from!(Float as f64: f32 f64);

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Unsigned(u64::from(value))
    }
}

impl Number {
    /// Writes the number at the start of `out` and returns how many bytes it took.
    #[inline]
    pub(crate) fn write(self, out: &mut [u8; LONGEST]) -> usize {
        match self {
            Self::Unsigned(value) => write_u64(out, value),
            Self::Signed(value) if value < 0 => {
                out[0] = b'-';
                let mut digits = [0; LONGEST];
                let length = write_u64(&mut digits, value.unsigned_abs());
                out[1..=length].copy_from_slice(&digits[..length]);
                length + 1
            }
            Self::Signed(value) => write_u64(out, value.unsigned_abs()),
            Self::Float(value) => write_f64(out, value),
        }
    }
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

#[inline]
fn pair(value: u32) -> [u8; 2] {
    let at = (value as usize % 100) * 2;
    [PAIRS[at], PAIRS[at + 1]]
}

/// Writes `value` in decimal and returns its length, 1 to 20.
#[inline]
pub(crate) fn write_u64(out: &mut [u8; LONGEST], value: u64) -> usize {
    if value < 10 {
        out[0] = b'0' + value as u8;
        return 1;
    }
    if value < 100 {
        out[..2].copy_from_slice(&pair(value as u32));
        return 2;
    }
    if value < 10_000 {
        let value = value as u32;
        let (high, low) = (pair(value / 100), pair(value % 100));
        return if value < 1_000 {
            out[..4].copy_from_slice(&[high[1], low[0], low[1], 0]);
            3
        } else {
            out[..4].copy_from_slice(&[high[0], high[1], low[0], low[1]]);
            4
        };
    }
    write_long(out, value)
}

/// Digits from the last to the first, each where it belongs: nothing is copied afterwards.
fn write_long(out: &mut [u8; LONGEST], value: u64) -> usize {
    let length = digits(value);
    let mut at = length;
    let mut rest = value;
    while rest >= 10_000 {
        let low = (rest % 10_000) as u32;
        rest /= 10_000;
        at -= 4;
        let (high, low) = (pair(low / 100), pair(low % 100));
        out[at..at + 4].copy_from_slice(&[high[0], high[1], low[0], low[1]]);
    }
    let mut rest = rest as u32;
    if rest >= 100 {
        at -= 2;
        out[at..at + 2].copy_from_slice(&pair(rest % 100));
        rest /= 100;
    }
    if rest >= 10 {
        out[..2].copy_from_slice(&pair(rest));
    } else {
        out[0] = b'0' + rest as u8;
    }
    length
}

/// How many decimal digits a number has, 1 to 20.
#[inline]
const fn digits(value: u64) -> usize {
    const POWERS: [u64; 20] = {
        let mut powers = [0; 20];
        let mut at = 1;
        let mut power = 1_u64;
        while at < 20 {
            power *= 10;
            powers[at] = power;
            at += 1;
        }
        powers
    };
    // Bits times log10(2), and one more unless the power of ten is not reached.
    let least = (((64 - (value | 1).leading_zeros()) * 1233) >> 12) as usize;
    least + (value >= POWERS[least]) as usize
}

/// Writes `value` as the shortest decimal that reads back to it: `0.25`, `3`, `1e300`, `+Inf`, `NaN`.
pub(crate) fn write_f64(out: &mut [u8; LONGEST], value: f64) -> usize {
    if let Some(special) = special(value) {
        out[..special.len()].copy_from_slice(special);
        return special.len();
    }
    match Decimal::of(value) {
        Some(decimal) => decimal.write(out),
        None => write_any(out, value),
    }
}

pub(super) const fn special(value: f64) -> Option<&'static [u8]> {
    if value.is_nan() {
        Some(b"NaN")
    } else if value == f64::INFINITY {
        Some(b"+Inf")
    } else if value == f64::NEG_INFINITY {
        Some(b"-Inf")
    } else if value == 0.0 && value.is_sign_negative() {
        // Readers that try whole numbers first lose the sign of a bare "-0".
        Some(b"-0.0")
    } else {
        None
    }
}

/// A short decimal: `units` divided by ten to the power of `places`.
///
/// The quotient of two integers that a double holds exactly is rounded once, so when it equals the value, this
/// decimal reads back to that value; and with at most 15 digits no shorter one does.
pub(super) struct Decimal {
    pub(super) negative: bool,
    pub(super) units: u64,
    pub(super) places: usize,
}

impl Decimal {
    pub(super) const fn of(value: f64) -> Option<Self> {
        let size = if value.is_sign_negative() { -value } else { value };
        let (places, power) = if size < 1e6 {
            (9, 1e9)
        } else if size < 1e9 {
            (6, 1e6)
        } else if size < 1e12 {
            (3, 1e3)
        } else if size < 1e15 {
            (0, 1e0)
        } else {
            return None;
        };
        let whole = size as u64;
        if whole as f64 == size {
            return Some(Self { negative: value.is_sign_negative(), units: whole, places: 0 });
        }
        let units = (size * power + 0.5) as u64;
        if units as f64 / power != size {
            return None;
        }
        let (mut units, mut places) = (units, places);
        while places > 0 && units % 10 == 0 {
            units /= 10;
            places -= 1;
        }
        Some(Self { negative: value.is_sign_negative(), units, places })
    }

    /// As the digits before the point and those after it (as a number that fills `places` digits).
    const fn parts(&self) -> (u64, u64) {
        let mut power = 1;
        let mut place = 0;
        while place < self.places {
            power *= 10;
            place += 1;
        }
        (self.units / power, self.units % power)
    }

    fn write(&self, out: &mut [u8; LONGEST]) -> usize {
        let (whole, fraction) = self.parts();
        let mut digits = [0; LONGEST];
        let mut at = usize::from(self.negative);
        out[0] = b'-';
        let length = write_u64(&mut digits, whole);
        out[at..at + length].copy_from_slice(&digits[..length]);
        at += length;
        if self.places > 0 {
            out[at] = b'.';
            let length = write_u64(&mut digits, fraction);
            let zeros = self.places - length;
            out[at + 1..at + 1 + zeros].fill(b'0');
            at += 1 + zeros;
            out[at..at + length].copy_from_slice(&digits[..length]);
            at += length;
        }
        at
    }
}

#[cold]
fn write_any(out: &mut [u8; LONGEST], value: f64) -> usize {
    let digits = Digits::shortest(value);
    let mut text = Layout::new(value < 0.0);
    // The longest plain form in this range: "-0.00001234567890123456", 24 bytes.
    if matches!(digits.exponent, -5..21) {
        text.plain(&digits);
    } else {
        text.scientific(&digits);
        if digits.exponent < 0 {
            text.byte(b'-');
        }
        text.exponent(&digits, 1);
    }
    *out = text.bytes;
    text.length
}

/// Reads decimal digits and nothing else.
#[cfg(any(feature = "http", feature = "process"))]
#[inline(never)]
pub(crate) fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    fn text(number: impl Into<Number>) -> String {
        let mut out = [0; LONGEST];
        let length = number.into().write(&mut out);
        core::str::from_utf8(&out[..length]).unwrap().into()
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0.0"),
            (3.0, "3"),
            (0.25, "0.25"),
            (-41.5, "-41.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (-1.234_567_890_123_456_7e-5, "-0.000012345678901234568"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (0.005, "0.005"),
            (1_700_000_000.123, "1700000000.123"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(*value), *expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn whole_numbers_are_exact(value: u64, signed: i64, shift in 0u32..64) {
            prop_assert_eq!(text(value >> shift), format!("{}", value >> shift));
            prop_assert_eq!(text(signed >> shift), format!("{}", signed >> shift));
        }

        #[test]
        fn floats_read_back_and_are_shortest(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let ours = text(value);
                if !(1e-5..1e21).contains(&value.abs()) && value != 0.0 {
                    prop_assert_eq!(&ours, &format!("{value:e}"));
                }
                prop_assert_eq!(ours.parse::<f64>().unwrap().to_bits(), bits);
                let plain = format!("{value}").len();
                prop_assert!(ours.len() <= plain);
            }
        }

        #[test]
        fn short_decimals_match_the_standard_library(units in -10_000_000_000i64..10_000_000_000, places in 0i32..12) {
            let value = units as f64 / 10f64.powi(places);
            if value != 0.0 && value.abs() >= 1e-5 {
                prop_assert_eq!(text(value), format!("{value}"));
            }
        }
    }
}
