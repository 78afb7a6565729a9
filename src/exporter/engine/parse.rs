//! What the kernel's text files are made of: lines, fields and numbers. All of it takes any bytes.

pub(crate) use crate::text::number::unsigned;

use crate::text::find;
use crate::text::number::{LONGEST, write_u64};

/// The lines of a file that are not empty, without their ends.
pub(crate) fn lines(text: &[u8]) -> Lines<'_> {
    Lines(text)
}

/// The fields of a line, separated by blanks.
pub(crate) fn fields(line: &[u8]) -> Fields<'_> {
    Fields(line)
}

/// See [`lines`].
#[derive(Clone, Debug)]
pub(crate) struct Lines<'a>(&'a [u8]);

/// See [`fields`].
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

// Called in a hundred places, so neither is put in line.
impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.0.is_empty() {
            let (line, rest) = split_once(self.0, b'\n').unwrap_or((self.0, b""));
            self.0 = rest;
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let mut text = self.0;
        while let [first, rest @ ..] = text {
            if !first.is_ascii_whitespace() {
                break;
            }
            text = rest;
        }
        let mut end = 0;
        while text.get(end).is_some_and(|byte| !byte.is_ascii_whitespace()) {
            end += 1;
        }
        let (field, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        (!field.is_empty()).then_some(field)
    }
}

/// The text without white space and NUL at its ends.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text {
        if !last.is_ascii_whitespace() && *last != 0 {
            break;
        }
        text = rest;
    }
    text.trim_ascii_start()
}

/// Splits at the first of these bytes, which belongs to neither part.
#[inline(never)]
pub(crate) fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = find(text, at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// Decimal digits with a sign, perhaps.
pub(crate) fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => 0_i64.checked_sub_unsigned(unsigned(digits)?),
        [b'+', digits @ ..] | digits => i64::try_from(unsigned(digits)?).ok(),
    }
}

/// Hexadecimal digits and nothing else, without prefix.
pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

/// As strtol(3) with base 0: `0x…` is hexadecimal, a leading 0 octal.
pub(crate) fn any_base(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let value = match digits {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
        [b'0', digits @ ..] if !digits.is_empty() => digits.iter().try_fold(0_u64, |value, digit| {
            value.checked_mul(8)?.checked_add(char::from(*digit).to_digit(8)?.into())
        })?,
        digits => unsigned(digits)?,
    };
    if negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// A number with decimals.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    crate::text::float(text).filter(|value| value.is_finite())
}

/// A number as text, for a label.
pub(crate) fn decimal(value: u64, into: &mut Digits) -> &str {
    let length = write_u64(into, value);
    into.get(..length).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
}

/// Room for the text of a number.
pub(crate) type Digits = [u8; LONGEST];

/// Empty room.
pub(crate) const NO_DIGITS: Digits = [0; LONGEST];

/// Text for a label: as it is if it is UTF-8, else through `spare`, with one U+FFFD for each run of bytes that are not.
#[inline(never)]
pub(crate) fn lossy<'a>(bytes: &'a [u8], spare: &'a mut Spare) -> &'a str {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return text;
    }
    let spare = spare.insert([0; SPARE]);
    let length = lossy_into(bytes, spare);
    spare.get(..length).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
}

/// Room for text that is not UTF-8, made when it is needed; what does not fit is cut off.
pub(crate) type Spare = Option<[u8; SPARE]>;

/// No room yet.
pub(crate) const NO_TEXT: Spare = None;

const SPARE: usize = 512;

/// Copies as much text as fits, and gives its length.
pub(super) fn lossy_into(bytes: &[u8], into: &mut [u8]) -> usize {
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        // Nothing valid stands between this chunk and the one before: it goes on with the same run.
        let goes_on = chunk.valid().is_empty() && at > 0;
        let replaced = if chunk.invalid().is_empty() || goes_on { "" } else { "\u{fffd}" };
        for text in [chunk.valid(), replaced] {
            let length = text.floor_boundary(into.len() - at);
            if let (Some(room), Some(text)) = (into.get_mut(at..at + length), text.as_bytes().get(..length)) {
                room.copy_from_slice(text);
                at += length;
            }
            if length < text.len() {
                return at;
            }
        }
    }
    at
}

trait Boundary {
    fn floor_boundary(&self, at: usize) -> usize;
}

impl Boundary for str {
    // `str::floor_char_boundary` is younger than the oldest compiler we promise.
    fn floor_boundary(&self, at: usize) -> usize {
        if at >= self.len() {
            return self.len();
        }
        (0..=at).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_text() {
        let mut digits = NO_DIGITS;
        assert_eq!(decimal(0, &mut digits), "0");
        assert_eq!(decimal(u64::MAX, &mut digits), "18446744073709551615");
    }

    #[test]
    fn numbers_of_every_base() {
        for (text, value) in [
            ("0", 0),
            ("10", 10),
            ("0x1f", 31),
            ("-0x2", -2),
            ("010", 8),
            ("-5", -5),
            ("0xffffffff", 0xffff_ffff),
        ] {
            assert_eq!(any_base(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", "-", "0x", "09", "1 ", "x", "99999999999999999999", "0x11111111111111111"] {
            assert_eq!(any_base(text.as_bytes()), None, "{text}");
        }
        assert_eq!(signed(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(trim(b" a b \n\0"), b"a b");
        assert_eq!(split_once(b"a:b:c", b':'), Some((&b"a"[..], &b"b:c"[..])));
    }

    #[test]
    fn bad_bytes_side_by_side_are_one_character() {
        let mut spare = NO_TEXT;
        assert_eq!(lossy(b"a\xff\xfeb\xe2\x82\xe2\xffc\xff", &mut spare), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(lossy(b"\xff\xff", &mut spare), "\u{fffd}");
        assert_eq!(lossy("\u{fffd}\u{fffd}".as_bytes(), &mut spare), "\u{fffd}\u{fffd}");
    }

    /// Byte by byte: a character where one begins, else a bad byte.
    fn without_runs(mut bytes: &[u8]) -> String {
        let (mut text, mut in_run) = (String::new(), false);
        while !bytes.is_empty() {
            let character = (1..=4).find_map(|length| core::str::from_utf8(bytes.get(..length)?).ok());
            match character {
                Some(character) => text.push_str(character),
                None if in_run => {}
                None => text.push('\u{fffd}'),
            }
            in_run = character.is_none();
            bytes = &bytes[character.map_or(1, str::len)..];
        }
        text
    }

    proptest! {
        #[test]
        fn numbers_are_as_the_standard_library_reads_them(text in "[+-]?[0-9]{0,21}", bytes: Vec<u8>) {
            let plain = if text.starts_with('+') { None } else { text.parse::<u64>().ok() };
            prop_assert_eq!(unsigned(text.as_bytes()), plain);
            prop_assert_eq!(signed(text.as_bytes()), text.parse::<i64>().ok());
            prop_assert_eq!(hexadecimal(text.as_bytes()), u64::from_str_radix(&text, 16).ok().filter(|_| text.len() <= 16 && !text.starts_with('+')));
            let _ = (any_base(&bytes), float(&bytes), signed(&bytes), fields(&bytes).count(), trim(&bytes));
        }

        #[test]
        fn each_run_of_bad_bytes_is_one_character(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(b'a')], 0..150),
        ) {
            let mut spare = NO_TEXT;
            let whole = without_runs(&bytes);
            prop_assert_eq!(lossy(&bytes, &mut spare), &whole);
            let mut small = [0; 16];
            let length = lossy_into(&bytes, &mut small);
            prop_assert!(whole.as_bytes().starts_with(&small[..length]));
            prop_assert!(core::str::from_utf8(&small[..length]).is_ok());
        }
    }
}
