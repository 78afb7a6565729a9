//! Bytes looked at eight at once, in one number: nearly all text of a page is as it should be, and so is found to be that
//! soon, also by a program that is compiled to be small.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// The highest bit of each byte of which something holds, and no other bit.
type Bytes = u64;

/// The place of the first of these bytes.
#[cfg(any(feature = "exporter", test))]
pub(crate) fn find(text: &[u8], wanted: u8) -> Option<usize> {
    let mut words = text.chunks_exact(8);
    for (number, word) in words.by_ref().enumerate() {
        let found = equal(load(word), wanted);
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let rest = words.remainder();
    let place = rest.iter().position(|byte| *byte == wanted)?;
    Some(text.len() - rest.len() + place)
}

/// Whether text holds nothing that is ever escaped: no backslash, line end or double quote.
pub(super) fn is_plain(text: &[u8]) -> bool {
    let mut words = text.chunks_exact(8);
    let escaped = |word| equal(word, b'\\') | equal(word, b'\n') | equal(word, b'"');
    words.by_ref().all(|word| escaped(load(word)) == 0)
        && !words.remainder().iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'"'))
}

/// Whether each byte is a letter or digit of ASCII, a colon or an underscore.
pub(super) fn are_of_a_name(text: &[u8]) -> bool {
    let mut words = text.chunks_exact(8);
    words.by_ref().all(|word| {
        let word = load(word);
        // A letter becomes a small one; nothing else becomes one.
        let letters = within(word | ONES << 5, b'a', b'z');
        // The colon follows the digits.
        let others = within(word, b'0', b':') | within(word, b'_', b'_');
        (letters | others) & !word & HIGH == HIGH
    }) && words.remainder().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_'))
}

#[inline(always)]
fn load(word: &[u8]) -> u64 {
    word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// Where a byte is this one; but behind the first there may be more.
#[inline(always)]
fn equal(word: u64, byte: u8) -> Bytes {
    let word = word ^ (ONES * byte as u64);
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Where a byte is one of these; of those that are not ASCII it tells nothing.
#[inline(always)]
fn within(word: u64, first: u8, last: u8) -> Bytes {
    let least = |byte: u8| (word | HIGH).wrapping_sub(ONES * byte as u64);
    least(first) & !least(last + 1) & HIGH
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_is_there(bytes: Vec<u8>, wanted: u8, name in "[a-zA-Z0-9:_@\\[`{/;^\u{e4}\\\\\"\n]{0,40}") {
            for wanted in [0, b'\n', 0x80, 0xff, wanted] {
                prop_assert_eq!(find(&bytes, wanted), bytes.iter().position(|byte| *byte == wanted));
            }
            for text in [&bytes[..], name.as_bytes()] {
                let plain = !text.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'"'));
                prop_assert_eq!(is_plain(text), plain);
            }
        }

        #[test]
        fn names_are_known(start in "[a-zA-Z0-9:_]{0,30}", odd: u8, end in "[a-zA-Z0-9:_]{0,12}") {
            prop_assert!(are_of_a_name(start.as_bytes()));
            let text = [start.as_bytes(), &[odd], end.as_bytes()].concat();
            let expected = odd.is_ascii_alphanumeric() || matches!(odd, b':' | b'_');
            prop_assert_eq!(are_of_a_name(&text), expected);
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for place in 0..16 {
            for byte in 0..=255 {
                let mut text = [b'a'; 16];
                text[place] = byte;
                let expected = byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_');
                assert_eq!(are_of_a_name(&text), expected, "{byte} at {place}");
                assert_eq!(is_plain(&text), !matches!(byte, b'\\' | b'\n' | b'"'), "{byte} at {place}");
                assert_eq!(find(&text, byte), Some(if byte == b'a' { 0 } else { place }));
            }
        }
    }
}
