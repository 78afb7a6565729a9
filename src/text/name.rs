//! The grammar of metric and label names, one set of functions for the compiler and for run time.
//!
//! Source: Prometheus data model. A *classic* name is `[a-zA-Z_:][a-zA-Z0-9_:]*` (labels: without the colon); any
//! other non-empty text is a UTF-8 name, which older readers see escaped.

use super::eight::are_of_a_name;

/// Whether `name` is a classic metric name.
pub(crate) const fn is_classic_metric(name: &str) -> bool {
    is_classic(name.as_bytes(), true)
}

/// The same at run time.
pub(crate) fn is_classic_metric_now(name: &str) -> bool {
    name.as_bytes().first().is_some_and(|byte| !byte.is_ascii_digit()) && are_of_a_name(name.as_bytes())
}

/// Whether `name` is a classic label name.
pub(crate) const fn is_classic_label(name: &str) -> bool {
    is_classic(name.as_bytes(), false)
}

const fn is_classic(name: &[u8], colon: bool) -> bool {
    let mut at = 0;
    while at < name.len() {
        if !is_classic_byte(name[at], at == 0, colon) {
            return false;
        }
        at += 1;
    }
    !name.is_empty()
}

/// Whether a classic name may hold `byte` at this place.
#[inline(always)]
pub(crate) const fn is_classic_byte(byte: u8, first: bool, colon: bool) -> bool {
    // Every name of every page comes by here: one look into a table, also where the compiler saves space.
    CLASSIC[byte as usize] & (1 << (first as u8 | (colon as u8) << 1)) != 0
}

/// For each byte, one bit for each place: bit 0 of the place says that it is the first, bit 1 that colons are allowed.
static CLASSIC: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => 0b1111,
            b'0'..=b'9' => 0b0101,
            b':' => 0b1100,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// Whether a label name is kept for Prometheus itself: `__*` everywhere, and those that a kind writes on its own.
pub(crate) const fn is_reserved_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    same(name, "le") || same(name, "quantile") || (bytes.len() >= 2 && bytes[0] == b'_' && bytes[1] == b'_')
}

/// Whether two texts are equal, for use in constants.
pub(crate) const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether `name` ends in `suffix` with something before it.
pub(crate) const fn ends_with(name: &str, suffix: &str) -> bool {
    let (name, suffix) = (name.as_bytes(), suffix.as_bytes());
    if name.len() <= suffix.len() {
        return false;
    }
    let mut at = 0;
    while at < suffix.len() {
        if name[name.len() - suffix.len() + at] != suffix[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether two label names become one when they are escaped with underscores.
pub(crate) const fn same_escaped(left: &str, right: &str) -> bool {
    hash(HASH_START, left, false) == hash(HASH_START, right, false)
}

/// The hash of no text.
pub(crate) const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a of a name as the `underscores` scheme shows it, so that two names which escape alike count as one.
///
/// Continue a name with its suffix by passing the former hash and `continued`.
pub(crate) const fn hash(mut hash: u64, name: &str, continued: bool) -> u64 {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        // The bytes after the first of a character add nothing: one character is one underscore.
        if byte & 0xc0 != 0x80 {
            let shown = if is_classic_byte(byte, at == 0 && !continued, true) { byte } else { b'_' };
            hash = (hash ^ shown as u64).wrapping_mul(0x100_0000_01b3);
        }
        at += 1;
    }
    hash
}

/// Fails the evaluation of a constant with `problem` and the name it is about.
#[track_caller]
pub(crate) const fn reject(problem: &str, name: &str) -> ! {
    let mut text = [0u8; 160];
    let mut length = 0;
    let parts = [problem.as_bytes(), b": \"", name.as_bytes()];
    let mut part = 0;
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() && length < text.len() - 1 {
            text[length] = parts[part][at];
            length += 1;
            at += 1;
        }
        part += 1;
    }
    text[length] = b'"';
    let (text, _) = text.split_at(length + 1);
    match core::str::from_utf8(text) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("a name is invalid, and too long to show"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_names() {
        for name in ["a", "_", "http_requests_total", "a:b", "A9"] {
            assert!(is_classic_metric(name), "{name}");
        }
        for name in ["", "9a", "a-b", "a.b", "ä", "a b"] {
            assert!(!is_classic_metric(name), "{name}");
        }
        assert!(!is_classic_label("a:b"));
    }

    #[test]
    fn reserved_labels() {
        for name in ["le", "quantile", "__name__", "__"] {
            assert!(is_reserved_label(name), "{name}");
        }
        for name in ["_", "_a", "level", "quantiles"] {
            assert!(!is_reserved_label(name), "{name}");
        }
    }

    #[test]
    fn names_that_escape_alike_hash_alike() {
        assert!(same_escaped("a.b", "a_b"));
        assert!(same_escaped("a/b", "a\u{e4}b"));
        assert!(!same_escaped("a.b", "a.c"));
        assert_eq!(
            hash(hash(HASH_START, "a.b", false), "_total", true),
            hash(HASH_START, "a_b_total", false)
        );
    }
}
