//! Decimal text read as a double, rounded to the nearest. The standard library's reader is faster for numbers of many
//! digits, by a table as large as ten collectors.

use core::cmp::Ordering;

use super::big::{Big, HIDDEN, LEAST};

/// Reads a number as [`f64::from_str`](core::str::FromStr) does: `-1.5e3`, `.5`, `inf`, `NaN`; rounded to the nearest
/// double, of two the even one.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        text => (1.0, text),
    };
    const WORDS: [(&[u8], f64); 3] =
        [(b"inf", f64::INFINITY), (b"infinity", f64::INFINITY), (b"nan", f64::NAN)];
    let word = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    let size = match word {
        Some((_, value)) => *value,
        None => Decimal::parse(text)?.value(),
    };
    Some(size.copysign(sign))
}

/// The digits beyond this one are not looked at one by one: no double and no half of two has so many.
const LONGEST: usize = 768;

/// Text that is a number: the digits before and after the point.
struct Decimal<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i32,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let split = |text: &'a [u8], at: fn(&u8) -> bool| match text.iter().position(at) {
            Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
            None => (text, None),
        };
        let (number, power) = split(text, |byte| matches!(byte, b'e' | b'E'));
        let (whole, fraction) = split(number, |byte| *byte == b'.');
        let fraction = fraction.unwrap_or_default();
        let are_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
        if !are_digits || whole.len() + fraction.len() == 0 {
            return None;
        }
        let exponent = match power {
            None => 0,
            Some([b'-', digits @ ..]) => -exponent(digits)?,
            Some([b'+', digits @ ..] | digits) => exponent(digits)?,
        };
        Some(Self { whole, fraction, exponent })
    }

    /// The digits without leading zeros, and the power of ten of the last one.
    fn digits(&self) -> (impl Iterator<Item = u8> + Clone, i32) {
        let digits = self.whole.iter().chain(self.fraction).map(|digit| digit - b'0');
        let places = i32::try_from(self.fraction.len()).unwrap_or(i32::MAX);
        (digits.skip_while(|digit| *digit == 0), self.exponent.saturating_sub(places))
    }

    fn value(&self) -> f64 {
        let (digits, power) = self.digits();
        let count = digits.clone().count();
        // The power of ten that is above the value.
        let above = power.saturating_add(i32::try_from(count).unwrap_or(i32::MAX));
        if count == 0 || above < -330 {
            return 0.0;
        }
        if above > 310 {
            return f64::INFINITY;
        }
        if count < 20 {
            let units = digits.fold(0, |units, digit| units * 10 + u64::from(digit));
            // Both are exact, so the result is rounded once.
            if let (Some(ten), true) = (POWERS.get(power.unsigned_abs() as usize), units <= 2 * HIDDEN) {
                return if power < 0 { units as f64 / ten } else { units as f64 * ten };
            }
            return quotient(Big::from(units), power);
        }
        let mut units = Big::from(0);
        for digit in digits.clone().take(LONGEST) {
            units.multiply(10);
            units.add(&Big::from(digit.into()));
        }
        let left_out = count.saturating_sub(LONGEST);
        // Whatever is left out makes the number larger than a half that it seems to be.
        if digits.skip(LONGEST).any(|digit| digit > 0) {
            units.multiply(10);
            units.add(&Big::from(1));
            return quotient(units, power + left_out as i32 - 1);
        }
        quotient(units, power + left_out as i32)
    }
}

/// Those that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The number behind the `e`. One that is too large is as good as any other.
fn exponent(digits: &[u8]) -> Option<i32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some((value * 10 + i32::from(digit)).min(1 << 24))
    })
}

/// `units`, which is not 0, times ten to a power.
fn quotient(mut units: Big, power: i32) -> f64 {
    // Ten is five times two, and the twos are counted at the end.
    let mut divisor = Big::from(1);
    (if power < 0 { &mut divisor } else { &mut units }).multiply_five(power.unsigned_abs());
    let mut exponent = units.bits() as i32 - divisor.bits() as i32;
    (if exponent < 0 { &mut units } else { &mut divisor }).shift(exponent.unsigned_abs());
    if units.cmp(&divisor).is_lt() {
        units.shift(1);
        exponent -= 1;
    }
    // Now the divisor goes into the units once.
    let exponent = exponent + power;
    // Small values have fewer bits, down to none.
    let bits = (exponent - LEAST + 1).min(53);
    if bits < 0 {
        return 0.0;
    }
    let mut mantissa = 0;
    for _ in 0..bits {
        let goes = units.cmp(&divisor).is_ge();
        if goes {
            units.subtract(&divisor);
        }
        mantissa = mantissa << 1 | u64::from(goes);
        units.shift(1);
    }
    mantissa += match units.cmp(&divisor) {
        Ordering::Less => 0,
        Ordering::Equal => mantissa & 1,
        Ordering::Greater => 1,
    };
    if exponent > 1023 {
        return f64::INFINITY;
    }
    // The hidden bit, and one that was carried, count up the exponent.
    let raised = (exponent - LEAST - 52).max(0) as u64;
    f64::from_bits((raised << 52) + mantissa)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    fn check_read(text: &str) {
        let expected: Option<f64> = text.parse().ok();
        assert_eq!(float(text.as_bytes()).map(f64::to_bits), expected.map(f64::to_bits), "{text}");
    }

    #[test]
    fn texts_are_read_or_refused_as_the_standard_library_does() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1e-",
            "1.",
            ".5",
            "+.5e1",
            "1e5",
            "1E5",
            "1e+05",
            "00.100",
            "0",
            "-0",
            "0e999999999999",
            "1e999999999999",
            "1e-999999999999",
            "-1e400",
            "1e308",
            "1.8e308",
            "1_000",
            " 1",
            "1 ",
            "0x10",
            "inf",
            "-INF",
            "+Infinity",
            "infinit",
            "nan",
            "NaN",
            "--1",
            "+-1",
            "1e1.5",
            "1.5.5",
            "é",
            "2e-324",
            "3e-324",
            "2.4703282292062327208e-324",
            "2.4703282292062328e-324",
            "9007199254740993",
            "9007199254740993.0000000000000000000000000000000000001",
            "179769313486231580793e289",
        ] {
            if text.to_ascii_lowercase().contains("nan") {
                assert!(float(text.as_bytes()).is_some_and(f64::is_nan));
            } else {
                check_read(text);
            }
        }
    }

    #[test]
    fn halves_with_many_digits_are_rounded_to_even_unless_something_follows() {
        // Halfway between 2^-1074 and its neighbours: the longest halves there are.
        for odd in [1, 3, 5] {
            // All digits of an odd number times 2^-1074, halved one by one.
            let mut carried = 0;
            let halved = |digit: char| match digit.to_digit(10) {
                Some(digit) => {
                    let both = carried * 10 + digit;
                    carried = both % 2;
                    char::from_digit(both / 2, 10).unwrap()
                }
                None => digit,
            };
            let half: String = format!("{:.1075}", f64::from_bits(odd)).chars().map(halved).collect();
            assert_eq!(carried, 0);
            for tail in ["", "0", "1", "000000000000000000000001"] {
                check_read(&format!("{half}{tail}"));
            }
            check_read(&format!("{}4999", &half[..half.len() - 1]));
        }
    }

    #[test]
    fn edges_are_read() {
        for exponent in 0..2047_u64 {
            for mantissa in [0, 1, (1 << 52) - 1] {
                let value = f64::from_bits(exponent << 52 | mantissa);
                check_read(&format!("{value:e}"));
                check_read(&format!("-{value:.30}"));
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            check_read(&format!("{value:e}"));
            check_read(&format!("{value:.20e}"));
        }

        #[test]
        fn values_of_every_day_are_read(value in 1e-9_f64..1e18, places in 0_usize..40) {
            check_read(&format!("{value}"));
            check_read(&format!("{value:.places$}"));
        }

        #[test]
        fn any_decimal_is_read(text in "[+-]?[0-9]{0,40}(\\.[0-9]{0,40})?(e[+-]?[0-9]{1,3})?") {
            check_read(&text);
        }

        #[test]
        fn long_decimals_are_read(text in "[0-9]{1,900}\\.[0-9]{0,900}(e-?[0-9]{1,3})?") {
            check_read(&text);
        }
    }
}
