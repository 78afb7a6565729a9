//! Puts the page together in the compiler: its parts become one, and what only its authors need is left out. Nothing
//! here runs in the program.

/// The length of all parts together.
pub(super) const fn length(parts: &[&[u8]]) -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < parts.len() {
        sum += parts[at].len();
        at += 1;
    }
    sum
}

/// All parts in one piece, whose length is that of [`length`].
pub(super) const fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    let (mut filled, mut at) = (0, 0);
    while at < parts.len() {
        let mut byte = 0;
        while byte < parts[at].len() {
            out[filled] = parts[at][byte];
            filled += 1;
            byte += 1;
        }
        at += 1;
    }
    out
}

/// The length of what [`lean`] leaves of a text.
pub(super) const fn lean_length(text: &[u8]) -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < text.len() {
        let (begin, end) = line(text, at);
        sum += end - begin;
        at = end_of_line(text, at);
    }
    sum
}

/// A script or a style without the tabs before its lines, its empty lines, and the lines that are comments. No string
/// of it goes over a line's end.
pub(super) const fn lean<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let (mut filled, mut at) = (0, 0);
    while at < text.len() {
        let (begin, end) = line(text, at);
        let mut byte = begin;
        while byte < end {
            out[filled] = text[byte];
            filled += 1;
            byte += 1;
        }
        at = end_of_line(text, at);
    }
    out
}

/// What is left of the line that begins there, with its end.
const fn line(text: &[u8], mut begin: usize) -> (usize, usize) {
    let end = end_of_line(text, begin);
    while begin < end && text[begin] == b'\t' {
        begin += 1;
    }
    let comment = begin + 1 < end && text[begin] == b'/' && text[begin + 1] == b'/';
    if comment || begin < end && text[begin] == b'\n' { (end, end) } else { (begin, end) }
}

const fn end_of_line(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        at += 1;
        if text[at - 1] == b'\n' {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_authors_need_is_left_out() {
        const TEXT: &[u8] = b"// a\n\tx = 1; // b\n\n\t\n\t\t// c\n\t\ty = \"//\";\t\n/ 2";
        const LEAN: [u8; lean_length(TEXT)] = lean(TEXT);
        assert_eq!(&LEAN, b"x = 1; // b\ny = \"//\";\t\n/ 2");
        assert_eq!(
            (lean_length(b""), lean_length(b"//"), lean_length(b"\t"), lean_length(b"a")),
            (0, 0, 0, 1)
        );
    }

    #[test]
    fn parts_become_one() {
        const PARTS: &[&[u8]] = &[b"ab", b"", b"c"];
        const ONE: [u8; length(PARTS)] = joined(PARTS);
        assert_eq!(&ONE, b"abc");
    }
}
