//! Decimal text as a double: the nearest one, ties to even, as IEEE 754 asks for.
//!
//! Where two exact doubles and one operation on them give the value, that is how it is computed (W. D. Clinger, "How to
//! read floating point numbers accurately", 1990). Else the decimal itself is scaled by powers of two until its whole
//! part is the significand. The standard library's reader is faster there, for a table of 10 kB: more than a hundredth
//! of the largest program that is made here, and a thirtieth of the smallest.

/// The number that a text is: what [`f64::from_str`](core::str::FromStr) takes, with the same value.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let size = match text {
        [b'0'..=b'9' | b'.', ..] => decimal(text)?,
        word if word.eq_ignore_ascii_case(b"nan") => f64::NAN,
        word if word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity") => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -size } else { size })
}

fn decimal(text: &[u8]) -> Option<f64> {
    let mut decimal = Decimal::ZERO;
    let mut whole = 0_u64;
    let mut seen = false;
    let mut after_point = None;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                decimal.push(byte - b'0', after_point.is_none());
                // Only looked at where all digits are in it.
                whole = whole.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                after_point = after_point.map(|places: i32| places.saturating_add(1));
            }
            b'.' if after_point.is_none() => after_point = Some(0),
            b'e' | b'E' => break,
            _ => return None,
        }
        at += 1;
    }
    if !seen {
        return None;
    }
    let exponent = match text.get(at..)? {
        [] => 0,
        [_, rest @ ..] => exponent(rest)?,
    };
    let power = exponent.saturating_sub(after_point.unwrap_or(0));
    decimal.point = decimal.point.saturating_add(exponent);
    Some(match exact(whole, power) {
        Some(value) if decimal.length <= 19 && !decimal.more => value,
        _ => decimal.nearest(),
    })
}

/// The digits after the `e`, and their sign; what is far too large stays far too large.
fn exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |value, digit| {
        let digit = i32::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        Some(value.saturating_mul(10).saturating_add(sign * digit))
    })
}

/// A whole number times a power of ten, if both and what comes of them are doubles to the last bit.
const fn exact(whole: u64, power: i32) -> Option<f64> {
    // The x87 unit computes with more bits, and rounds twice.
    let rounds_once = cfg!(not(all(target_arch = "x86", not(target_feature = "sse2"))));
    if whole == 0 {
        return Some(0.0);
    }
    if !rounds_once || whole > 1 << 53 || power < -22 || power > 22 {
        return None;
    }
    let mut scale = 1.0;
    let mut left = power.unsigned_abs();
    while left > 0 {
        scale *= 10.0;
        left -= 1;
    }
    Some(if power < 0 { whole as f64 / scale } else { whole as f64 * scale })
}

/// More digits than any double and any middle between two have: 767.
const DIGITS: usize = 800;

/// The most binary places of one step: ten times the rest and one digit more are still a `u64`.
const STEP: u32 = 59;

/// A decimal from 0 up: 0.d₁d₂d₃… times ten to the power of `point`.
struct Decimal {
    digits: [u8; DIGITS],
    length: usize,
    point: i32,
    /// Digits that are not zero were left out at the end.
    more: bool,
}

impl Decimal {
    const ZERO: Self = Self { digits: [0; DIGITS], length: 0, point: 0, more: false };

    /// Adds a digit of the text, before its point or after it.
    fn push(&mut self, digit: u8, before_point: bool) {
        let leading = self.length == 0 && digit == 0;
        if leading != before_point {
            self.point = self.point.saturating_add(if leading { -1 } else { 1 });
        }
        if !leading {
            self.put(digit);
        }
    }

    fn put(&mut self, digit: u8) {
        match self.digits.get_mut(self.length) {
            Some(place) => {
                *place = digit;
                self.length += 1;
            }
            None => self.more |= digit != 0,
        }
    }

    fn digit(&self, at: usize) -> u8 {
        if at < self.length { self.digits.get(at).copied().unwrap_or(0) } else { 0 }
    }

    /// Divides by a power of two, as one divides by hand.
    fn halve(&mut self, times: u32) {
        let mut rest = 0_u64;
        let mut read = 0;
        while rest >> times == 0 && (read < self.length || rest != 0) {
            rest = rest * 10 + u64::from(self.digit(read));
            read += 1;
        }
        self.point -= read as i32 - 1;
        let length = core::mem::take(&mut self.length);
        // Fewer digits are written than are read, until all are.
        while read < length || rest != 0 {
            let digit = (rest >> times) as u8;
            let next = if read < length { self.digits[read] } else { 0 };
            rest = (rest & ((1 << times) - 1)) * 10 + u64::from(next);
            read += 1;
            self.put(digit);
        }
    }

    /// Multiplies by a power of two.
    fn double(&mut self, times: u32) {
        let mut carry = 0_u64;
        for digit in self.digits.iter_mut().take(self.length).rev() {
            carry += u64::from(*digit) << times;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            match self.digits.last() {
                Some(last) if self.length == DIGITS => self.more |= *last != 0,
                _ => self.length += 1,
            }
            self.digits.copy_within(..DIGITS - 1, 1);
            self.digits[0] = (carry % 10) as u8;
            self.point += 1;
            carry /= 10;
        }
    }

    /// The nearest whole number. The decimal is a small one, and a half at least.
    fn round(&self) -> u64 {
        let places = usize::try_from(self.point).unwrap_or(0);
        let whole = (0..places).fold(0, |whole, at| whole * 10 + u64::from(self.digit(at)));
        let beyond_half = self.more || (places + 1..self.length).any(|at| self.digit(at) != 0);
        let up = match self.digit(places) {
            5 => beyond_half || whole % 2 == 1,
            digit => digit > 5,
        };
        whole + u64::from(up)
    }

    #[cold]
    #[inline(never)]
    fn nearest(mut self) -> f64 {
        if self.length == 0 || self.point < -330 {
            return 0.0;
        }
        if self.point > 310 {
            return f64::INFINITY;
        }
        // Scaled to at least a half, and less than 1. Eight is less than ten: no step goes too far up.
        let mut exponent = 0;
        while self.point > 0 {
            let times = (self.point.unsigned_abs() * 3).min(STEP);
            self.halve(times);
            exponent += times as i32;
        }
        while self.point < 0 || self.digit(0) < 5 {
            let times = (self.point.unsigned_abs() * 3).clamp(1, STEP);
            self.double(times);
            exponent -= times as i32;
        }
        // The significand has 53 bits, fewer if the exponent would be below the least.
        let biased = exponent + 1022;
        if biased > 2046 {
            return f64::INFINITY;
        }
        let Ok(places) = u32::try_from(52 + biased.min(1)) else { return 0.0 };
        self.double(places);
        let significand = self.round();
        // The bit that is not stored, or what rounding adds to the bits, goes into the exponent.
        let base = if biased < 1 { 0 } else { (biased as u64 - 1) << 52 };
        f64::from_bits(base + significand)
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    use proptest::prelude::*;

    use super::*;

    fn same(text: &str) {
        let (ours, theirs) = (float(text.as_bytes()), text.parse::<f64>().ok());
        assert_eq!(ours.map(f64::to_bits), theirs.map(f64::to_bits), "{text}: {ours:?}, {theirs:?}");
    }

    #[test]
    fn words_and_shapes_are_those_of_the_standard_library() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "-.",
            "e1",
            ".e1",
            "1e",
            "1e+",
            "1e-",
            "1e1.",
            "1.2.3",
            "--1",
            "+-1",
            "1 ",
            " 1",
            "0x1",
            "1_0",
            "infin",
            "nan1",
            "in",
            "1f",
            "1e5e5",
            "inf",
            "-INF",
            "+Infinity",
            "infinity",
            "NaN",
            "-nan",
            "+NAN",
            "1.",
            ".5",
            "-.5e-1",
            "+1.e+2",
            "0",
            "-0",
            "0e999999999999",
            "-0.000e-99999999999999",
            "1e99999999999",
            "1e-99999999999",
            "00000000000000000000000000000000000001",
            "0.00000000000000000000000000000000000000000000000001e50",
            "1\u{e9}",
            "\u{661}",
        ] {
            same(text);
        }
        assert_eq!(float(b"1\xff"), None);
    }

    #[test]
    fn the_edges_of_doubles() {
        for text in [
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1.8e308",
            "-1e309",
            "1e310",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "2.2250738585072012e-308",
            "4.9406564584124654e-324",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.5e-324",
            "1e-323",
            "1e-330",
            "1e-400",
            "9007199254740993",
            "9007199254740992",
            "9007199254740991",
            "9007199254740993.0000000000000000000000000000000000000001",
            "1e22",
            "1e23",
            "8.5e22",
            "6.02214076e23",
            "18446744073709551615",
            "18446744073709551616",
            "0.1",
            "123456789012345678",
            "7.2057594037927933e16",
            "179769313486231580793728971405301e276",
        ] {
            same(text);
        }
    }

    #[test]
    fn the_middle_between_two_doubles_goes_to_the_even_one() {
        for bits in [
            0,
            1,
            2,
            3,
            0x000f_ffff_ffff_ffff,
            0x0010_0000_0000_0000,
            0x3ff0_0000_0000_0001,
            0x7fef_ffff_ffff_fffe,
        ] {
            // The exact decimal of the middle: half of the sum of both.
            let (low, high) = (f64::from_bits(bits), f64::from_bits(bits + 1));
            let places = 1080;
            let (low, high) = (format!("{low:.places$}"), format!("{high:.places$}"));
            let middle = half_of_sum(&low, &high);
            same(&middle);
            same(&format!("{middle}000000000001"));
            // The last digit is a 5, or the middle is whole and not a multiple of ten.
            let whole = middle.trim_end_matches('0').trim_end_matches('.');
            let (front, last) = whole.split_at(whole.len() - 1);
            let point = if whole.contains('.') { "" } else { "." };
            same(&format!("{front}{}{point}9999", last.parse::<u8>().unwrap() - 1));
        }
    }

    fn half_of_sum(left: &str, right: &str) -> String {
        let digits =
            |text: &str| text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect::<Vec<_>>();
        let point = right.find('.').unwrap();
        let (mut left, right) = (digits(left), digits(right));
        while left.len() < right.len() {
            left.insert(0, 0);
        }
        let mut carry = 0;
        let mut sum = vec![0; right.len()];
        for at in (0..right.len()).rev() {
            let digit = left[at] + right[at] + carry;
            (sum[at], carry) = (digit % 10, digit / 10);
        }
        let mut rest = carry;
        let mut text = String::new();
        for (at, digit) in sum.into_iter().chain([0]).enumerate() {
            if at == point {
                text.push('.');
            }
            text.push(char::from(b'0' + (rest * 10 + digit) / 2));
            rest = (rest * 10 + digit) % 2;
        }
        assert_eq!(rest, 0);
        text
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_double_is_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            same(&format!("{value:e}"));
            same(&format!("{value}"));
            same(&format!("{value:.30e}"));
        }

        #[test]
        fn digits_are_read_as_the_standard_library_does(
            text in "[-+]?[0-9]{0,30}\\.?[0-9]{0,30}([eE][-+]?[0-9]{1,3})?",
        ) {
            same(&text);
        }

        #[test]
        fn many_digits_too(text in "0{0,400}[0-9]{1,900}\\.[0-9]{0,900}(e-?[0-9]{1,3})?") {
            same(&text);
        }

        #[test]
        fn what_is_no_number_is_none(text in "[-+.0-9eEinfatyNIF_ x]{0,12}") {
            same(&text);
        }

        #[test]
        fn bytes_are_taken_as_they_come(text in prop::collection::vec(any::<u8>(), 0..20)) {
            let theirs = core::str::from_utf8(&text).ok().and_then(|text| text.parse::<f64>().ok());
            prop_assert_eq!(float(&text).map(f64::to_bits), theirs.map(f64::to_bits));
        }
    }
}
