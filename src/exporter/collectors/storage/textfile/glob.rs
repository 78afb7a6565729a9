//! Directories given by a pattern. Source: glob(7); `*`, `?`, `[a-z]`, `[^a-z]` and `\` within one part of a path.

/// Whether a part of a path is a pattern.
pub(super) fn is_pattern(part: &[u8]) -> bool {
    part.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Whether a name fits a pattern. One that is not well-formed fits nothing.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on after the last `*` if what follows does not fit: with one more byte in its place.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            retry = Some((rest, name));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && name.is_empty() {
            return true;
        }
        if let Some((rest, left)) = one(pattern, name) {
            (pattern, name) = (rest, left);
            continue;
        }
        match retry {
            Some((after, [_, left @ ..])) => {
                retry = Some((after, left));
                (pattern, name) = (after, left);
            }
            _ => return false,
        }
    }
}

/// Takes one character of the pattern and one of the name.
fn one<'p, 'n>(pattern: &'p [u8], name: &'n [u8]) -> Option<(&'p [u8], &'n [u8])> {
    let (character, left) = first(name)?;
    match pattern {
        [b'?', rest @ ..] => Some((rest, left)),
        [b'[', rest @ ..] => class(rest, character).map(|rest| (rest, left)),
        [b'\\', rest @ ..] | rest => {
            let (wanted, rest) = first(rest)?;
            (wanted == character).then_some((rest, left))
        }
    }
}

/// Reads a class after its `[`; what follows it, if the character is in it.
fn class(pattern: &[u8], character: Character) -> Option<&[u8]> {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    let mut empty = true;
    loop {
        match rest {
            [b']', after @ ..] if !empty => return (found != negated).then_some(after),
            [b']' | b'-', ..] => return None,
            _ => {}
        }
        let low;
        (low, rest) = member(rest)?;
        let mut high = low;
        if let [b'-', after @ ..] = rest {
            (high, rest) = member(after)?;
        }
        found |= low <= character && character <= high;
        empty = false;
    }
}

fn member(pattern: &[u8]) -> Option<(Character, &[u8])> {
    match pattern {
        [b'-' | b']', ..] => None,
        [b'\\', rest @ ..] | rest => first(rest),
    }
}

/// A character, or a byte that is part of none.
type Character = u32;

fn first(text: &[u8]) -> Option<(Character, &[u8])> {
    let (byte, rest) = text.split_first()?;
    let width = match byte {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    };
    let character = text.get(..width).and_then(|text| core::str::from_utf8(text).ok()?.chars().next());
    match character {
        Some(character) => Some((character.into(), text.get(width..).unwrap_or_default())),
        None => Some((u32::from(*byte), rest)),
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_fit() {
        for (pattern, name, fit) in [
            ("*", "", true),
            ("*", "a.prom", true),
            ("a*b*c", "axbxbc", true),
            ("a*b*c", "axbxb", false),
            ("?", "\u{e4}", true),
            ("?", "ab", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[\u{e0}-\u{ef}]", "\u{e4}", true),
            ("[]a]", "a", false),
            ("[a", "a", false),
            ("[\\]]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a", "a", true),
            ("", "a", false),
            ("a\\", "a", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), fit, "{pattern} {name}");
        }
        assert!(is_pattern(b"a*") && is_pattern(b"[") && !is_pattern(b"a.b"));
    }

    proptest! {
        #[test]
        fn they_fit_as_their_regular_expressions_do(pattern in "([ab*?]|\\[\\^?[abc]{1,2}\\]|\\[a-b\\]){0,6}", name in "[abc]{0,8}") {
            let expression: String = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
            let expression = regex_lite::Regex::new(&expression).unwrap();
            prop_assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expression.is_match(&name), "{} {}", pattern, name);
        }

        #[test]
        fn any_pattern_ends(pattern in proptest::collection::vec(any::<u8>(), 0..20), name in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = fits(&pattern, &name);
        }
    }
}
