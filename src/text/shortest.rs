//! The shortest decimal of a double, for those that are no short decimal at sight. Source: Steele and White, "How to
//! print floating-point numbers accurately", 1990: the free-format algorithm.

use core::cmp::Ordering;

use super::big::{Big, HIDDEN, LEAST};

/// The most digits that a double needs to be told from its neighbours.
const DIGITS: usize = 17;

/// The digits of a decimal number `0.d₁d₂d₃…` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortest {
    digits: [u8; DIGITS],
    count: usize,
    pub(super) exponent: i32,
}

impl Shortest {
    /// The shortest decimal that reads back to this finite value above 0, of those the nearest.
    pub(super) fn of(value: f64) -> Self {
        let (mantissa, exponent) = parts(value);
        // The neighbour below is nearer where the exponent changes.
        let uneven = mantissa == HIDDEN && exponent > LEAST;
        // All four are multiplied by the same: the value is `rest / scale`, halfway to its neighbours are `above`
        // and `below`.
        let shift = 1 + u32::from(uneven);
        let mut rest = Big::from(mantissa).shifted(shift);
        let mut scale = Big::from(1).shifted(shift);
        let (mut above, mut below) = (Big::from(1 << u32::from(uneven)), Big::from(1));
        if exponent < 0 {
            scale.shift(exponent.unsigned_abs());
        } else {
            for number in [&mut rest, &mut above, &mut below] {
                number.shift(exponent.unsigned_abs());
            }
        }
        // A half belongs to the even one.
        let inclusive = mantissa % 2 == 0;
        // Never too large, and too small by one at most but for values just below a power of ten.
        let bits = exponent + 63 - mantissa.leading_zeros() as i32;
        let mut power = ((i64::from(bits) * 1_292_913_986) >> 32) as i32;
        if power < 0 {
            for number in [&mut rest, &mut above, &mut below] {
                number.multiply_ten(power.unsigned_abs());
            }
        } else {
            scale.multiply_ten(power.unsigned_abs());
        }
        while is_above(&rest, &above, &scale, inclusive) {
            scale.multiply(10);
            power += 1;
        }
        let mut shortest = Self { digits: [0; DIGITS], count: 0, exponent: power };
        loop {
            for number in [&mut rest, &mut above, &mut below] {
                number.multiply(10);
            }
            let mut digit = 0;
            while rest.cmp(&scale).is_ge() {
                rest.subtract(&scale);
                digit += 1;
            }
            let low = match rest.cmp(&below) {
                Ordering::Less => true,
                Ordering::Equal => inclusive,
                Ordering::Greater => false,
            };
            let high = is_above(&rest, &above, &scale, inclusive);
            if !low && !high {
                shortest.push(digit);
                continue;
            }
            let up = high && (!low || rest.shifted(1).cmp(&scale).is_ge());
            shortest.push(digit + u8::from(up));
            return shortest;
        }
    }

    /// The digits as text.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    fn push(&mut self, digit: u8) {
        if let Some(place) = self.digits.get_mut(self.count) {
            *place = b'0' + digit;
            self.count += 1;
        }
    }
}

/// Whether what lies halfway above is beyond `scale`.
fn is_above(rest: &Big, above: &Big, scale: &Big, inclusive: bool) -> bool {
    let mut sum = rest.clone();
    sum.add(above);
    match sum.cmp(scale) {
        Ordering::Greater => true,
        Ordering::Equal => inclusive,
        Ordering::Less => false,
    }
}

/// A value as `mantissa` times two to the power of `exponent`.
const fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (mantissa, exponent) = (bits & (HIDDEN - 1), (bits >> 52 & 0x7ff) as i32);
    if exponent == 0 { (mantissa, LEAST) } else { (mantissa | HIDDEN, exponent - 1 + LEAST) }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::{String, ToString};

    use proptest::prelude::*;

    use super::*;

    /// What the standard library makes of a value.
    fn expected(value: f64) -> (String, i32) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap();
        (digits.replace('.', ""), exponent.parse::<i32>().unwrap() + 1)
    }

    fn written(value: f64) -> (String, i32) {
        let shortest = Shortest::of(value);
        (core::str::from_utf8(shortest.digits()).unwrap().to_string(), shortest.exponent)
    }

    #[test]
    fn edges_are_written() {
        for exponent in 0..2047_u64 {
            for mantissa in [0, 1, (1 << 52) - 1] {
                let value = f64::from_bits(exponent << 52 | mantissa);
                if value > 0.0 {
                    assert_eq!(written(value), expected(value), "{value:e}");
                }
            }
        }
        for value in [9.5, 1e21, 1e22, 1e23, 0.1 + 0.2, 9_007_199_254_740_993.0] {
            assert_eq!(written(value), expected(value), "{value:e}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_written(bits: u64) {
            let value = f64::from_bits(bits).abs();
            prop_assume!(value.is_finite() && value > 0.0);
            prop_assert_eq!(written(value), expected(value));
        }

        #[test]
        fn values_of_every_day_are_written(value in 1e-9_f64..1e18) {
            prop_assert_eq!(written(value), expected(value));
        }
    }
}
