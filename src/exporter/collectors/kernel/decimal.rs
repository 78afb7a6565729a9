//! Numbers as text of labels.

use crate::text::number::{LONGEST, write_u64};

/// A number in decimal, on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    text: [u8; LONGEST],
    length: usize,
}

impl Decimal {
    pub(super) fn of(number: u64) -> Self {
        let mut text = [0; LONGEST];
        let length = write_u64(&mut text, number);
        Self { text, length }
    }

    pub(super) fn as_str(&self) -> &str {
        self.text.get(..self.length).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(Decimal::of(0).as_str(), "0");
        assert_eq!(Decimal::of(u64::MAX).as_str(), "18446744073709551615");
    }
}
