//! What a scalar means: YAML 1.1 types as the reference resolves them (Go's yaml.v2).

use std::borrow::Cow;
use std::string::String;
use std::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};

use super::date;
use super::yaml::{Scalar, Tag};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Resolved<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `i64`.
    Big,
    Float(f64),
    Time,
    Text(&'a str),
    /// What stood behind `!!binary`.
    Bytes(Vec<u8>),
}

/// A tag promises a type that the text is not of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch;

/// Whether the value counts as not written. Fields of the reference that read their text themselves know fewer
/// spellings of null, and this is the rule for them.
pub(super) fn is_plain_null(scalar: &Scalar) -> bool {
    match (scalar.tag, &*scalar.text) {
        (Some(tag), _) => tag == Tag::Null,
        (None, "null" | "~") => true,
        (None, text) => text.is_empty() && scalar.plain,
    }
}

/// The type and value of a scalar.
///
/// # Errors
/// The tag does not fit the text.
pub(super) fn resolve(scalar: &Scalar) -> Result<Resolved<'_>, Mismatch> {
    let text = &*scalar.text;
    let resolved = match scalar.tag {
        None if !scalar.plain => return Ok(Resolved::Text(text)),
        None => return Ok(resolve_plain(text, true)),
        Some(Tag::Str | Tag::Merge | Tag::Other) => return Ok(Resolved::Text(text)),
        Some(Tag::Binary) => return decode(text).map(Resolved::Bytes).ok_or(Mismatch),
        Some(tag) => resolve_plain(text, tag == Tag::Timestamp),
    };
    match (scalar.tag, &resolved) {
        (Some(Tag::Null), Resolved::Null)
        | (Some(Tag::Bool), Resolved::Bool(_))
        | (Some(Tag::Int), Resolved::Int(_) | Resolved::Big)
        | (Some(Tag::Float), Resolved::Float(_))
        | (Some(Tag::Timestamp), Resolved::Time) => Ok(resolved),
        (Some(Tag::Float), Resolved::Int(value)) => Ok(Resolved::Float(*value as f64)),
        _ => Err(Mismatch),
    }
}

fn resolve_plain(text: &str, dates: bool) -> Resolved<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' => fraction(text).map_or(Resolved::Text(text), Resolved::Float),
        b'+' | b'-' | b'0'..=b'9' => {
            if dates && date::is_timestamp(text) {
                return Resolved::Time;
            }
            number(text).unwrap_or(Resolved::Text(text))
        }
        _ => Resolved::Text(text),
    }
}

fn number(text: &str) -> Option<Resolved<'static>> {
    let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    integer(&digits, 0)
        .or_else(|| float(&digits).map(Resolved::Float))
        // The reference tries once more behind the prefix, and so allows a sign there.
        .or_else(|| integer(digits.strip_prefix("0b")?, 2))
}

/// An integer as Go's `strconv` reads it; base 0 takes the base from the prefix.
fn integer(text: &str, base: u32) -> Option<Resolved<'static>> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match (base, digits.get(..2)) {
        (0, Some("0x" | "0X")) => (16, &digits[2..]),
        (0, Some("0b" | "0B")) => (2, &digits[2..]),
        (0, Some("0o" | "0O")) => (8, &digits[2..]),
        (0, _) if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        (0, _) => (10, digits),
        _ => (base, digits),
    };
    // Rust would allow a second sign.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    match (negative, i64::try_from(size)) {
        (false, Ok(value)) => Some(Resolved::Int(value)),
        (true, Ok(value)) => Some(Resolved::Int(-value)),
        (true, Err(_)) => (size == 1 << 63).then_some(Resolved::Int(i64::MIN)),
        // With a sign it is not read as unsigned.
        (false, Err(_)) => (!text.starts_with('+')).then_some(Resolved::Big),
    }
}

/// A number that begins with its point: in it an underscore must stand between digits.
fn fraction(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let parted = |(at, byte): (usize, &u8)| *byte != b'_' || digit(at.wrapping_sub(1)) && digit(at + 1);
    if bytes.iter().enumerate().all(parted) { float(&text.replace('_', "")) } else { None }
}

/// A decimal number with point or exponent, or too long for an integer; none if beyond the range.
fn float(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['+', '-']);
    let plausible = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plausible || text.len() - digits.len() > 1 {
        return None;
    }
    crate::text::float(text.as_bytes()).filter(|value| value.is_finite())
}

/// Go's base64 skips line breaks.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LOOSE: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let text: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    let mut bytes = std::vec![0; text.len()];
    let length = GeneralPurpose::new(&alphabet::STANDARD, LOOSE).decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// A number as an integer, cut at the point, as Go on 64 bits does it; none if it is too large or no number.
pub(super) fn truncate(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.is_nan() || value > LIMIT {
        return None;
    }
    Some(if value == LIMIT { i64::MIN } else { value as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Resolved<'_> {
        resolve_plain(text, true)
    }

    #[test]
    fn integers_have_many_spellings() {
        for (text, value) in [
            ("12", 12),
            ("1_000", 1_000),
            ("-5", -5),
            ("+5", 5),
            ("0x1F", 31),
            ("0b101", 5),
            ("0o17", 15),
            ("017", 15),
            ("-0x10", -16),
            ("0b-1", -1),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(plain(text), Resolved::Int(value), "{text}");
        }
        assert_eq!(plain("18446744073709551615"), Resolved::Big);
        assert_eq!(plain("09"), Resolved::Float(9.0));
        assert_eq!(plain("99999999999999999999"), Resolved::Float(1e20));
        for text in ["0x", "1a", "--1", "+-1", "1e999", "0x1p3", "_1", "1:30", "-"] {
            assert_eq!(plain(text), Resolved::Text(text), "{text}");
        }
    }

    #[test]
    fn floats_are_decimal() {
        for (text, value) in
            [("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1e3), ("+.5", 0.5), ("1_0.5", 10.5)]
        {
            assert_eq!(plain(text), Resolved::Float(value), "{text}");
        }
        assert_eq!(plain(".5_0"), Resolved::Float(0.5));
        assert_eq!(plain("._5"), Resolved::Text("._5"));
        assert_eq!(plain("-.inf"), Resolved::Float(f64::NEG_INFINITY));
    }

    #[test]
    fn a_tag_must_fit() {
        let tagged = |tag, text: &str| {
            let scalar = Scalar { text: text.into(), tag: Some(tag), plain: false };
            resolve(&scalar).map(|resolved| matches!(resolved, Resolved::Text(_) | Resolved::Bytes(_)))
        };
        assert_eq!(tagged(Tag::Int, "5"), Ok(false));
        assert_eq!(tagged(Tag::Int, "5.0"), Err(Mismatch));
        assert_eq!(tagged(Tag::Float, "5"), Ok(false));
        assert_eq!(tagged(Tag::Bool, "1"), Err(Mismatch));
        assert_eq!(tagged(Tag::Str, "1"), Ok(true));
        assert_eq!(tagged(Tag::Other, "null"), Ok(true));
        assert_eq!(tagged(Tag::Null, "x"), Err(Mismatch));
        assert_eq!(tagged(Tag::Timestamp, "2001-1-2"), Ok(false));
        assert_eq!(tagged(Tag::Binary, "aGk="), Ok(true));
        assert_eq!(tagged(Tag::Binary, "aGk"), Err(Mismatch));
    }
}
