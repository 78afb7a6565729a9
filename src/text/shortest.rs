//! The shortest decimal that reads back to a double, and of several the nearest to it.
//!
//! Both ends of what reads back to the double are scaled by a power of ten, exactly but for what is behind the point;
//! then digits are left out as long as some number between the ends remains. The standard library's way is no faster for
//! the numbers that metrics have, much faster for those beyond 1e50, and 7 kB larger.

/// A decimal: `units` times ten to the power of `power`. Its last digit is not a zero.
pub(super) struct Shortest {
    pub(super) units: u64,
    pub(super) power: i32,
}

/// The significand without the bit that is not stored.
const FRACTION: u64 = (1 << 52) - 1;

impl Shortest {
    /// The decimal of the size of a finite number that is not zero.
    pub(super) fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let (fraction, biased) = (bits & FRACTION, (bits >> 52 & 0x7ff) as i32);
        // In quarters of the last place, so that the ends are whole numbers.
        let (significand, exponent) = match biased {
            0 => (fraction, -1076),
            _ => (fraction | (FRACTION + 1), biased - 1077),
        };
        let middle = significand * 4;
        // Below a power of two, doubles are twice as close.
        let low = if fraction == 0 && biased > 0 { middle - 1 } else { middle - 2 };
        // With 18 digits there are always whole numbers between the ends; log10(2) is 78913 / 2^18.
        let bits = exponent + 63 - middle.leading_zeros() as i32;
        let places = 17 - ((bits * 78_913) >> 18);
        // An end reads back to the double only if the significand is even.
        let even = significand % 2 == 0;
        let scaled = |quarters| scaled(quarters, exponent, places);
        let (middle, _) = scaled(middle);
        let (low, low_is_exact) = scaled(low);
        let (high, high_is_exact) = scaled(significand * 4 + 2);
        let mut low = low + u64::from(!(low_is_exact && even));
        let mut high = high - u64::from(high_is_exact && !even);
        let (mut units, mut power, mut last) = (middle, -places, 0);
        while low.div_ceil(10) <= high / 10 {
            low = low.div_ceil(10);
            high /= 10;
            last = units % 10;
            units /= 10;
            power += 1;
        }
        let nearest = units + u64::from(last >= 5);
        Self { units: nearest.clamp(low, high), power }
    }
}

/// The whole part of a number times two to the power of `exponent` times ten to the power of `places`, which has to be a
/// `u64`, and whether nothing is behind its point.
fn scaled(number: u64, exponent: i32, places: i32) -> (u64, bool) {
    let twos = exponent + places;
    // From 1e-10 to 1e17 the power of five is a `u64`, and what is shifted out less than one.
    if matches!((places, twos), (0..=27, -127..=0)) {
        let product = u128::from(number) * u128::from(5_u64.pow(places.unsigned_abs()));
        return ((product >> -twos) as u64, product.trailing_zeros() >= twos.unsigned_abs());
    }
    Wide::new(number).scaled(twos, places)
}

/// A whole number of up to 36 · 32 bits: the largest double has 1024, the least times what scales it 850.
struct Wide {
    limbs: [u32; LIMBS],
    length: usize,
}

const LIMBS: usize = 36;

impl Wide {
    fn new(value: u64) -> Self {
        let mut limbs = [0; LIMBS];
        (limbs[0], limbs[1]) = (value as u32, (value >> 32) as u32);
        Self { limbs, length: 2 }
    }

    /// Times powers of two and five, whole part and whether that is all.
    fn scaled(mut self, twos: i32, fives: i32) -> (u64, bool) {
        let mut exact = true;
        chunks(twos, 31, |step| self.multiply(1 << step));
        chunks(fives, 13, |step| self.multiply(5_u32.pow(step)));
        chunks(-fives, 13, |step| exact &= self.divide(5_u32.pow(step)));
        let (limb, bit) = (twos.min(0).unsigned_abs() as usize / 32, twos.min(0).unsigned_abs() % 32);
        let at = |place| u64::from(self.limbs.get(limb + place).copied().unwrap_or(0));
        let whole = (at(1) << 32 | at(0)) >> bit | at(2) << 1 << (63 - bit);
        exact &= at(0) & ((1 << bit) - 1) == 0 && self.limbs.iter().take(limb).all(|limb| *limb == 0);
        (whole, exact)
    }

    fn multiply(&mut self, by: u32) {
        let mut carry = 0;
        for limb in &mut self.limbs[..self.length] {
            carry += u64::from(*limb) * u64::from(by);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.limbs[self.length] = carry as u32;
            self.length += 1;
        }
    }

    /// Tells whether nothing is left.
    fn divide(&mut self, by: u32) -> bool {
        let mut rest = 0;
        for limb in self.limbs[..self.length].iter_mut().rev() {
            rest = rest << 32 | u64::from(*limb);
            *limb = (rest / u64::from(by)) as u32;
            rest %= u64::from(by);
        }
        while self.length > 0 && self.limbs[self.length - 1] == 0 {
            self.length -= 1;
        }
        rest == 0
    }
}

/// A number from 0 up as steps that are not longer than `most`.
fn chunks(mut count: i32, most: i32, mut step: impl FnMut(u32)) {
    while count > 0 {
        let next = count.min(most);
        step(next.unsigned_abs());
        count -= next;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use proptest::prelude::*;

    use super::*;

    /// In the form of the standard library, which is `1.25e-7`.
    fn same(value: f64) {
        let Shortest { units, power } = Shortest::of(value);
        let digits = format!("{units}");
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let ours = format!("{first}{point}{rest}e{}", power + rest.len() as i32);
        assert_eq!(ours, format!("{:e}", value.abs()), "{:x}", value.to_bits());
    }

    #[test]
    fn every_power_of_two_and_its_neighbours() {
        for exponent in 0..2047_u64 {
            for bits in [exponent << 52, (exponent << 52) + 1, (exponent << 52) | FRACTION] {
                if bits > 0 {
                    same(f64::from_bits(bits));
                }
            }
        }
        (0..52).for_each(|bit| same(f64::from_bits(1 << bit)));
    }

    #[test]
    fn every_power_of_ten_and_its_neighbours() {
        for exponent in -323..=308 {
            let bits = format!("1e{exponent}").parse::<f64>().unwrap().to_bits();
            (bits - 1..=bits + 1).filter(|bits| *bits > 0).for_each(|bits| same(f64::from_bits(bits)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn any_double(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() && value != 0.0 {
                same(value);
            }
        }

        #[test]
        fn large_whole_numbers(bits: u64, shift in 0_u32..64) {
            same((bits >> shift) as f64 + 1.0);
        }

        #[test]
        fn quotients(dividend in 1_u64.., divisor in 1_u64.., shift in 0_u32..64) {
            same(dividend as f64 / (divisor >> shift).max(1) as f64);
        }
    }
}
