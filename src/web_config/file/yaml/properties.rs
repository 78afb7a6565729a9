//! Directives, anchors, aliases and tags.

use std::string::String;
use std::vec::Vec;

use super::Broken;
use super::scanner::{Kind, Scanner};

/// A part of a version number has at most so many digits.
const LONGEST_VERSION: usize = 2;

impl Scanner<'_> {
    pub(super) fn scan_directive(&mut self) -> Result<Kind, Broken> {
        self.input.skip();
        let name = self.scan_word()?;
        if !name.is_empty() && !self.input.is_space(0) {
            return self.input.fail("the name of a `%` directive must be one word");
        }
        let kind = match name.as_str() {
            "YAML" => self.scan_version()?,
            "TAG" => self.scan_tag_directive()?,
            _ => return self.input.fail("a line that begins with `%` must be a %YAML or %TAG directive"),
        };
        self.input.skip_blanks()?;
        self.input.skip_comment()?;
        if !self.input.is_break_or_end() {
            return self.input.fail("there is something behind a `%` directive; remove it");
        }
        if self.input.is_break(0) {
            self.input.want(2)?;
            self.input.skip_break();
        }
        Ok(kind)
    }

    fn scan_word(&mut self) -> Result<String, Broken> {
        let mut word = String::new();
        self.input.want(1)?;
        while self.input.is_word() {
            self.input.read(&mut word);
            self.input.want(1)?;
        }
        Ok(word)
    }

    fn scan_version(&mut self) -> Result<Kind, Broken> {
        self.input.skip_blanks()?;
        let major = self.scan_number()?;
        if self.input.byte() != b'.' {
            return self.input.fail(BAD_VERSION);
        }
        self.input.skip();
        let minor = self.scan_number()?;
        Ok(Kind::Version((major, minor) == (1, 1)))
    }

    fn scan_number(&mut self) -> Result<u32, Broken> {
        let mut digits = 0;
        let mut value = 0;
        self.input.want(1)?;
        while self.input.byte().is_ascii_digit() {
            digits += 1;
            if digits > LONGEST_VERSION {
                return self.input.fail(BAD_VERSION);
            }
            value = value * 10 + u32::from(self.input.byte() - b'0');
            self.input.skip();
            self.input.want(1)?;
        }
        if digits == 0 { self.input.fail(BAD_VERSION) } else { Ok(value) }
    }

    fn scan_tag_directive(&mut self) -> Result<Kind, Broken> {
        self.input.skip_blanks()?;
        let handle = self.scan_handle()?;
        if handle.len() > 1 && !handle.ends_with('!') {
            return self.input.fail(BAD_TAG);
        }
        self.input.want(1)?;
        if !self.input.is_blank(0) {
            return self.input.fail(BAD_TAG);
        }
        self.input.skip_blanks()?;
        let prefix = self.scan_uri("")?;
        self.input.want(1)?;
        if self.input.is_space(0) {
            Ok(Kind::TagDirective { handle, prefix })
        } else {
            self.input.fail(BAD_TAG)
        }
    }

    /// The name behind `&` or `*`.
    pub(super) fn scan_anchor(&mut self) -> Result<String, Broken> {
        self.input.skip();
        let name = self.scan_word()?;
        let ends = self.input.is_space(0)
            || matches!(self.input.byte(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return self
                .input
                .fail("the name behind `&` or `*` must be letters and digits; quote a text that begins so");
        }
        Ok(name)
    }

    pub(super) fn scan_tag(&mut self) -> Result<Kind, Broken> {
        self.input.want(2)?;
        let (handle, suffix) = if self.input.peek(1) == b'<' {
            self.input.skip();
            self.input.skip();
            let suffix = self.scan_uri("")?;
            if self.input.byte() != b'>' {
                return self.input.fail(BAD_TAG);
            }
            self.input.skip();
            (String::new(), suffix)
        } else {
            let handle = self.scan_handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.scan_uri("")?;
                (handle, suffix)
            } else {
                // What was read of `!name` belongs to the name.
                match self.scan_uri(&handle)? {
                    empty if empty.is_empty() => (String::new(), Vec::from(*b"!")),
                    suffix => (String::from("!"), suffix),
                }
            }
        };
        self.input.want(1)?;
        if self.input.is_space(0) { Ok(Kind::Tag { handle, suffix }) } else { self.input.fail(BAD_TAG) }
    }

    /// `!`, `!!` or `!name!`; also the start of `!name`.
    fn scan_handle(&mut self) -> Result<String, Broken> {
        self.input.want(1)?;
        if self.input.byte() != b'!' {
            return self.input.fail(BAD_TAG);
        }
        let mut handle = String::new();
        self.input.read(&mut handle);
        handle.push_str(&self.scan_word()?);
        if self.input.byte() == b'!' {
            self.input.read(&mut handle);
        }
        Ok(handle)
    }

    /// The rest of a tag, behind a handle that belongs to it. It must not be empty, but for a lone `!`.
    fn scan_uri(&mut self, handle: &str) -> Result<Vec<u8>, Broken> {
        let mut uri = Vec::from(handle.get(1..).unwrap_or_default());
        let mut any = !handle.is_empty();
        self.input.want(1)?;
        while self.input.is_word() || b";/?:@&=+$,.!~*'()[]%".contains(&self.input.byte()) {
            if self.input.byte() == b'%' {
                self.scan_escapes(&mut uri)?;
            } else {
                uri.push(self.input.byte());
                self.input.skip();
            }
            self.input.want(1)?;
            any = true;
        }
        if any { Ok(uri) } else { self.input.fail(BAD_TAG) }
    }

    /// One character as `%XX` for each of its bytes.
    fn scan_escapes(&mut self, uri: &mut Vec<u8>) -> Result<(), Broken> {
        let mut left = None;
        while left != Some(0) {
            self.input.want(3)?;
            let digit = |at| char::from(self.input.peek(at)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.input.byte(), digit(1), digit(2)) else {
                return self.input.fail(BAD_TAG);
            };
            let byte = (high * 16 + low) as u8;
            left = match (left, byte) {
                (None, ..0x80) => Some(0),
                (None, 0xC0..0xE0) => Some(1),
                (None, 0xE0..0xF0) => Some(2),
                (None, 0xF0..0xF8) => Some(3),
                (Some(left), 0x80..0xC0) => Some(left - 1),
                _ => return self.input.fail(BAD_TAG),
            };
            uri.push(byte);
            (0..3).for_each(|_| self.input.skip());
        }
        Ok(())
    }
}

const BAD_TAG: &str = "this `!` tag is not complete; quote a text that begins with `!`";
const BAD_VERSION: &str = "the version behind %YAML must be 1.1";
