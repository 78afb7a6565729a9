//! Where lines and words stand in a text, so that they can be found again.

use crate::exporter::engine::parse::split_once;

/// The text after a prefix of a line, up to its first blank: `size=` in `a=1 size=5 b`.
pub(super) fn after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let at = find(text, prefix)?;
    text.get(at + prefix.len()..)
}

/// Where a text stands in another.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len().max(1)).position(|window| window == part)
}

/// The lines of a text with their places in it.
pub(super) fn places(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let (line, left) = split_once(text, b'\n').map_or((text, None), |(line, left)| (line, Some(left)));
        rest = left;
        let place = at;
        at += line.len() + 1;
        Some((place, line))
    })
    .filter(|(_, line)| !line.is_empty())
}

/// The line that begins at a place.
pub(super) fn line_at(text: &[u8], place: u64) -> &[u8] {
    let rest = usize::try_from(place).ok().and_then(|place| text.get(place..)).unwrap_or_default();
    split_once(rest, b'\n').map_or(rest, |(line, _)| line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_found_again(text in "[ab\n]{0,30}") {
            let lines: std::vec::Vec<_> = places(text.as_bytes()).collect();
            let expected = text.split('\n').filter(|line| !line.is_empty()).map(str::as_bytes);
            prop_assert!(lines.iter().map(|(_, line)| *line).eq(expected));
            for (place, line) in lines {
                prop_assert_eq!(line_at(text.as_bytes(), place as u64), line);
            }
        }

        #[test]
        fn parts_are_found(text in "[ab]{0,9}", part in "[ab]{1,3}") {
            prop_assert_eq!(find(text.as_bytes(), part.as_bytes()), text.find(&part));
        }
    }
}
