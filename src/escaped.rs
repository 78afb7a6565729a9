//! Text of others in a message: what a terminal would obey, or not show, is escaped, so that nothing else seems to be
//! said than is. The standard library's escapes know the whole of Unicode, by tables of 4 kB.

use core::fmt::{self, Write};

/// Whether a character is one of those: control characters, and format characters that are invisible or turn the
/// direction of text.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Writes a character as it is, or as Rust escapes it if it would not be seen.
pub(crate) fn write_visible(out: &mut dyn Write, character: char) -> fmt::Result {
    if is_hidden(character) {
        write!(out, "{}", character.escape_default())
    } else {
        out.write_char(character)
    }
}

/// Text between double quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                out.write_char('\\')?;
            }
            write_visible(out, character)?;
        }
        out.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn text_stays_what_it_seems() {
        for (text, expected) in [
            ("a 'b' \u{e4}\u{301}", "\"a 'b' \u{e4}\u{301}\""),
            ("\"\\\n\u{1b}[1m", r#""\"\\\n\u{1b}[1m""#),
            ("a\u{200b}\u{202e}b\u{2028}\u{feff}", r#""a\u{200b}\u{202e}b\u{2028}\u{feff}""#),
            ("\0\u{7f}\u{85}", r#""\u{0}\u{7f}\u{85}""#),
        ] {
            assert_eq!(Quoted(text).to_string(), expected);
        }
    }
}
