//! Words and numbers of the text format. Source: Prometheus documentation, "Exposition formats"; numbers are those of
//! Go's ParseFloat.

use crate::exporter::engine::parse::unsigned;
use crate::text::{Kind, Number};

/// The kinds of the text format, in any case.
pub(super) fn kind(word: &str) -> Option<Kind> {
    let kinds = [
        ("counter", Kind::Counter),
        ("gauge", Kind::Gauge),
        ("histogram", Kind::Histogram),
        ("summary", Kind::Summary),
        ("untyped", Kind::Unknown),
    ];
    kinds.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, kind)| kind)
}

/// A number that keeps its digits if it is whole.
pub(super) fn number(text: &str) -> Option<Number> {
    match unsigned(text.as_bytes()) {
        Some(whole) => Some(Number::Unsigned(whole)),
        None => float(text).map(Number::Float),
    }
}

/// A float as Go reads it: also `+Inf` and `NaN` in any case, but nothing that is too large.
pub(super) fn float(text: &str) -> Option<f64> {
    let value = crate::text::float(text.as_bytes())?;
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let too_large = value.is_infinite() && has_digits;
    let signed_nan = value.is_nan() && text.len() > 3;
    if too_large || signed_nan { None } else { Some(value) }
}

/// A number of observations.
pub(super) fn count(value: Number) -> Option<u64> {
    match value {
        Number::Unsigned(count) => Some(count),
        Number::Float(float) if (0.0..18_446_744_073_709_551_616.0).contains(&float) => {
            let whole = float as u64;
            (whole as f64 == float).then_some(whole)
        }
        _ => None,
    }
}
