//! Files of shell assignments: os-release(5), OpenWrt's `/etc/openwrt_release`.

use core::ops::Range;

use crate::exporter::engine::parse::{lines, split_once, trim};
use crate::resident::Bytes;

/// Finds the values of some keys; the last assignment counts. The values are put into a buffer without their quotes.
pub(super) fn values<const N: usize>(text: &[u8], keys: [&[u8]; N], into: &mut Bytes) -> [Range<usize>; N] {
    into.clear();
    let mut found = [const { 0..0 }; N];
    for line in lines(text) {
        let Some((key, value)) = split_once(trim(line), b'=') else { continue };
        let key = key.strip_prefix(b"export ").unwrap_or(key).trim_ascii();
        if let Some((_, place)) = keys.iter().zip(&mut found).find(|(wanted, _)| **wanted == key) {
            let begin = into.len();
            unquote(value.trim_ascii_start(), into);
            *place = begin..into.len();
        }
    }
    found
}

/// The value of a key.
pub(super) fn value<'b>(into: &'b [u8], found: &Range<usize>) -> &'b [u8] {
    into.get(found.clone()).unwrap_or_default()
}

/// Takes the quotes away as a shell does, but for one thing: blanks need no quotes, only a comment ends the value.
fn unquote(mut text: &[u8], into: &mut Bytes) {
    let mut quote = None;
    while let [byte, rest @ ..] = text {
        text = rest;
        match (*byte, quote) {
            (b'\'' | b'"', None) => quote = Some(*byte),
            (closing, Some(opening)) if closing == opening => quote = None,
            (b'\\', None | Some(b'"')) => match text {
                // Inside of quotes a backslash is one, unless what follows would mean something else without it.
                [escaped, rest @ ..] if quote.is_none() || matches!(escaped, b'"' | b'$' | b'`' | b'\\') => {
                    into.push(*escaped);
                    text = rest;
                }
                _ => into.push(b'\\'),
            },
            (blank, None) if blank.is_ascii_whitespace() && text.trim_ascii_start().starts_with(b"#") => {
                return;
            }
            (byte, _) => into.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> std::string::String {
        let mut into = Bytes::default();
        let found = values(text.as_bytes(), [b"B", b"A"], &mut into);
        core::str::from_utf8(value(&into, &found[1])).unwrap().into()
    }

    #[test]
    fn values_lose_their_quotes() {
        for (line, expected) in [
            ("A=plain", "plain"),
            ("A=", ""),
            ("A='single \"$\\'", "single \"$\\"),
            ("A=\"a \\\"b\\\" \\$c \\`d \\\\e \\f 'g'\"", "a \"b\" $c `d \\e \\f 'g'"),
            ("A=a' b 'c\"d\" e", "a b cd e"),
            ("A=Foo Bar", "Foo Bar"),
            ("A = x  # 2", "x"),
            ("A=a#1", "a#1"),
            ("export A=x", "x"),
            (" export  A=\"x\"", "x"),
            ("A=y\nexported A=x\nexportA=x", "y"),
            ("  A=x \r\n", "x"),
            ("A=1\nA=2\n#A=3\nAA=4\nB=5\n A\n", "2"),
            ("A=\"open", "open"),
            ("A=a\\ b\\", "a b\\"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text: Vec<u8>, quoted in "[ -~]{0,20}") {
            let mut into = Bytes::default();
            values(&text, [b"A"], &mut into);
            let escaped: std::string::String = quoted
                .chars()
                .flat_map(|c| matches!(c, '"' | '$' | '`' | '\\').then_some('\\').into_iter().chain([c]))
                .collect();
            prop_assert_eq!(read(&std::format!("A=\"{escaped}\"")), quoted);
        }
    }
}
