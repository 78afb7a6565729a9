//! The bytes of a file as characters with their places.
//!
//! They are decoded piece by piece, in pieces of the reference's size: what follows the first document is ignored
//! even when it is broken, but only as far as no piece has reached it.

use std::string::String;
use std::vec::Vec;

use super::Broken;

/// How many bytes are taken at once.
const PIECE: usize = 512;

const BOM: &[u8] = b"\xEF\xBB\xBF";
const BOM_16_LE: &[u8] = b"\xFF\xFE";
const BOM_16_BE: &[u8] = b"\xFE\xFF";

/// A place in the text. Columns and the index count characters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) index: usize,
    pub(super) line: u32,
    pub(super) column: i32,
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16 { little: bool },
}

/// What is still to be read, and where it stands. Past the end there are zero bytes, which no text contains.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    /// Bytes before this one are decoded.
    decoded: usize,
    /// Bytes before this one were taken from the file.
    taken: usize,
    ended: bool,
    encoding: Encoding,
    /// Decoded text as UTF-8, from the start of the oldest piece that is not used up.
    text: Vec<u8>,
    at: usize,
    /// How many characters of the text are not used yet.
    unread: usize,
    pub(super) mark: Mark,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (encoding, decoded) = match bytes {
            _ if bytes.starts_with(BOM_16_LE) => (Encoding::Utf16 { little: true }, BOM_16_LE.len()),
            _ if bytes.starts_with(BOM_16_BE) => (Encoding::Utf16 { little: false }, BOM_16_BE.len()),
            _ if bytes.starts_with(BOM) => (Encoding::Utf8, BOM.len()),
            _ => (Encoding::Utf8, 0),
        };
        Self {
            bytes,
            decoded,
            taken: bytes.len().min(PIECE),
            ended: false,
            encoding,
            text: Vec::new(),
            at: 0,
            unread: 0,
            mark: Mark { index: 0, line: 1, column: 0 },
        }
    }

    /// Decodes until so many characters can be looked at, or the end is reached.
    #[inline]
    pub(super) fn want(&mut self, characters: usize) -> Result<(), Broken> {
        if self.unread >= characters { Ok(()) } else { self.refill(characters) }
    }

    fn refill(&mut self, characters: usize) -> Result<(), Broken> {
        self.text.drain(..self.at.min(self.text.len()));
        self.at = 0;
        let mut first = true;
        while self.unread < characters {
            if !first || self.decoded == self.taken {
                let room = PIECE - (self.taken - self.decoded);
                let next = self.bytes.len().min(self.taken + room);
                self.ended |= next == self.taken;
                self.taken = next;
            }
            first = false;
            while self.decoded < self.taken {
                let Some((character, width)) = self.decode()? else { break };
                if !is_allowed(character) {
                    return Err(
                        self.broken("control characters are not allowed, also not in comments; remove it")
                    );
                }
                self.decoded += width;
                let mut utf8 = [0; 4];
                self.text.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                self.unread += 1;
            }
            if self.ended {
                self.text.push(0);
                self.unread += 1;
                break;
            }
        }
        Ok(())
    }

    /// The next character and its length; none if the rest of it was not taken yet.
    fn decode(&self) -> Result<Option<(char, usize)>, Broken> {
        let rest = &self.bytes[self.decoded..self.taken];
        match self.encoding {
            Encoding::Utf8 => {
                let bad = || self.broken("this is not UTF-8; save the file as UTF-8");
                let width = match rest[0] {
                    ..0x80 => 1,
                    0xC0..0xE0 => 2,
                    0xE0..0xF0 => 3,
                    0xF0..0xF8 => 4,
                    _ => return Err(bad()),
                };
                let Some(character) = rest.get(..width) else {
                    return if self.ended { Err(bad()) } else { Ok(None) };
                };
                let character = core::str::from_utf8(character).ok().and_then(|text| text.chars().next());
                Ok(Some((character.ok_or_else(bad)?, width)))
            }
            Encoding::Utf16 { little } => {
                let bad =
                    || self.broken("this is not UTF-16, as its first bytes say; save the file as UTF-8");
                let unit = |at: usize| {
                    let pair = [*rest.get(at)?, *rest.get(at + 1)?];
                    Some(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
                };
                let short = || if self.ended { Err(bad()) } else { Ok(None) };
                let Some(high) = unit(0) else { return short() };
                if high & 0xFC00 != 0xD800 {
                    return Ok(Some((char::from_u32(u32::from(high)).ok_or_else(bad)?, 2)));
                }
                let Some(low) = unit(2) else { return short() };
                match char::decode_utf16([high, low]).next() {
                    Some(Ok(character)) => Ok(Some((character, 4))),
                    _ => Err(bad()),
                }
            }
        }
    }

    /// A fault of the next byte to decode.
    fn broken(&self, problem: &'static str) -> Broken {
        let before = &self.bytes[..self.decoded];
        let ends = before.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => self.bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        Broken { line: 1 + u32::try_from(ends.count()).unwrap_or(u32::MAX), problem }
    }

    /// The byte at a distance from here. Enough characters must have been wanted before.
    #[inline]
    pub(super) fn peek(&self, distance: usize) -> u8 {
        self.text.get(self.at + distance).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.peek(0)
    }

    /// Whether the oldest piece begins with a byte order mark. The reference looks there rather than at the place
    /// that is reached, so a file with two of them loses the first character of lines.
    pub(super) fn begins_with_bom(&self) -> bool {
        self.text.starts_with(BOM)
    }

    pub(super) fn is_blank(&self, distance: usize) -> bool {
        matches!(self.peek(distance), b' ' | b'\t')
    }

    /// How many bytes a line break has there: 0 if there is none.
    fn break_width(&self, distance: usize) -> usize {
        match (self.peek(distance), self.peek(distance + 1), self.peek(distance + 2)) {
            (b'\r', b'\n', _) | (0xC2, 0x85, _) => 2,
            (b'\r' | b'\n', ..) => 1,
            (0xE2, 0x80, 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    #[inline]
    pub(super) fn is_break(&self, distance: usize) -> bool {
        match self.peek(distance) {
            b'\r' | b'\n' => true,
            0xC2 | 0xE2 => self.break_width(distance) > 0,
            _ => false,
        }
    }

    pub(super) fn is_end(&self) -> bool {
        self.byte() == 0
    }

    pub(super) fn is_break_or_end(&self) -> bool {
        self.is_end() || self.is_break(0)
    }

    /// A blank, a line break or the end.
    #[inline]
    pub(super) fn is_space(&self, distance: usize) -> bool {
        matches!(self.peek(distance), b' ' | b'\t' | 0) || self.is_break(distance)
    }

    /// Whether `---` or `...` stands here, at the start of a line.
    pub(super) fn is_document_mark(&self, mark: u8) -> bool {
        self.mark.column == 0 && (0..3).all(|distance| self.peek(distance) == mark) && self.is_space(3)
    }

    /// Whether the character may be in the name of an anchor or a directive.
    pub(super) fn is_word(&self) -> bool {
        matches!(self.byte(), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-')
    }

    fn width(&self) -> usize {
        match self.byte() {
            ..0xC0 => 1,
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            _ => 4,
        }
    }

    #[inline]
    pub(super) fn skip(&mut self) {
        self.at += self.width();
        self.mark.index += 1;
        self.mark.column += 1;
        self.unread = self.unread.saturating_sub(1);
    }

    /// Moves the next character into the text.
    #[inline]
    pub(super) fn read(&mut self, into: &mut String) {
        match self.byte() {
            byte @ ..0x80 => into.push(char::from(byte)),
            _ => {
                let character = self.text.get(self.at..self.at + self.width()).unwrap_or_default();
                into.push_str(core::str::from_utf8(character).unwrap_or_default());
            }
        }
        self.skip();
    }

    pub(super) fn skip_break(&mut self) {
        let width = self.break_width(0);
        if width == 0 {
            return;
        }
        let characters = if self.byte() == b'\r' { width } else { 1 };
        self.at += width;
        self.mark.index += characters;
        self.mark.column = 0;
        self.mark.line += 1;
        self.unread = self.unread.saturating_sub(characters);
    }

    /// Moves a line break into the text; all but the Unicode ones become a line feed.
    pub(super) fn read_break(&mut self, into: &mut String) {
        match self.break_width(0) {
            0 => return,
            3 => into.push(if self.peek(2) == 0xA8 { '\u{2028}' } else { '\u{2029}' }),
            _ => into.push('\n'),
        }
        self.skip_break();
    }

    pub(super) fn skip_blanks(&mut self) -> Result<(), Broken> {
        self.want(1)?;
        while self.is_blank(0) {
            self.skip();
            self.want(1)?;
        }
        Ok(())
    }

    pub(super) fn skip_comment(&mut self) -> Result<(), Broken> {
        if self.byte() == b'#' {
            while !self.is_break_or_end() {
                self.skip();
                self.want(1)?;
            }
        }
        Ok(())
    }

    pub(super) fn fail<T>(&self, problem: &'static str) -> Result<T, Broken> {
        Err(Broken { line: self.mark.line, problem })
    }
}

fn is_allowed(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..)
}
