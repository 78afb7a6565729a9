//! The word that was probably meant.

use std::vec;
use std::vec::Vec;

/// The word nearest to what was typed, if one is near. Case does not count, nor a hyphen instead of a low line.
pub(crate) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(typed);
    let mut best = None;
    for word in words {
        let found = (how_far(typed, &wanted, word), word);
        // Further away than that, it was something else.
        if found.0 <= word.len() / 2 && best.is_none_or(|best| found < best) {
            best = Some(found);
        }
    }
    best.map(|(_, word)| word)
}

#[inline(never)]
fn how_far(typed: &str, wanted: &[char], word: &str) -> usize {
    if typed.len() > 2 && word.starts_with(typed) { 0 } else { distance(wanted, &folded(word)) }
}

/// A word longer than this is nobody's typing mistake.
const LONGEST_COMPARED: usize = 64;

#[inline(never)]
fn folded(text: &str) -> Vec<char> {
    let fold = |character: char| if character == '-' { '_' } else { character.to_ascii_lowercase() };
    text.chars().take(LONGEST_COMPARED).map(fold).collect()
}

/// How many characters must be put in, left out or changed to make one word the other (Levenshtein).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut above = vec![0; from.len() + 1];
    above.iter_mut().enumerate().for_each(|(column, distance)| *distance = column);
    for (row, wanted) in to.iter().enumerate() {
        let mut diagonal = above[0];
        above[0] = row + 1;
        for (column, got) in from.iter().enumerate() {
            let changed = diagonal + usize::from(got != wanted);
            diagonal = above[column + 1];
            above[column + 1] = changed.min(diagonal + 1).min(above[column] + 1);
        }
    }
    above[from.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(&folded(from), &folded(to)), expected, "{from} {to}");
        }
    }

    #[test]
    fn what_is_far_away_is_not_meant() {
        let words = ["help", "hash-password", "check"];
        for (typed, expected) in [
            ("hlep", Some("help")),
            ("hash", Some("hash-password")),
            ("chek", Some("check")),
            ("HASH_PASSWORD", Some("hash-password")),
            ("serve", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words), expected, "{typed}");
        }
    }
}
