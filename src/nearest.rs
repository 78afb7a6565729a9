//! The word that was probably meant.

use std::string::String;
use std::vec::Vec;

/// The word nearest to what was typed, if one is near. Case does not count, nor a hyphen instead of a low line.
pub(crate) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = |text: &str| -> String { text.to_ascii_lowercase().replace('-', "_") };
    let wanted = folded(typed);
    words
        .into_iter()
        .map(|word| {
            let begun = typed.len() > 2 && word.starts_with(typed);
            (if begun { 0 } else { distance(&wanted, &folded(word)) }, word)
        })
        // Further away than that, it was something else.
        .filter(|(distance, word)| *distance <= word.len() / 2)
        .min()
        .map(|(_, word)| word)
}

/// A word longer than this is nobody's typing mistake.
const LONGEST_COMPARED: usize = 64;

/// How many characters must be put in, left out or changed to make one word the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(LONGEST_COMPARED).collect();
    let mut above: Vec<usize> = (0..=from.len()).collect();
    for (row, wanted) in to.chars().enumerate() {
        let mut diagonal = above[0];
        above[0] = row + 1;
        for (column, got) in from.iter().enumerate() {
            let changed = diagonal + usize::from(*got != wanted);
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
            assert_eq!(distance(from, to), expected, "{from} {to}");
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
