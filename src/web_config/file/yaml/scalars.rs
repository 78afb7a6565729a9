//! The three kinds of scalars: blocks (`|` and `>`), quoted, plain.

use core::mem;
use std::string::String;

use super::Broken;
use super::scanner::Scanner;

/// Whether the line breaks at the end of a block are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

/// Blanks and line breaks that stand between words; what they become depends on what follows.
#[derive(Default)]
struct Gap {
    blanks: String,
    first_break: String,
    more_breaks: String,
    broken: bool,
}

impl Gap {
    fn is_empty(&self) -> bool {
        !self.broken && self.blanks.is_empty()
    }

    /// One line break becomes a space, of several the first is dropped.
    fn fold_into(&mut self, text: &mut String) {
        if !mem::take(&mut self.broken) {
            text.push_str(&self.blanks);
        } else if !self.first_break.starts_with('\n') {
            text.push_str(&self.first_break);
            text.push_str(&self.more_breaks);
        } else if self.more_breaks.is_empty() {
            text.push(' ');
        } else {
            text.push_str(&self.more_breaks);
        }
        self.blanks.clear();
        self.first_break.clear();
        self.more_breaks.clear();
    }
}

impl Scanner<'_> {
    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<String, Broken> {
        let (chomping, increment) = self.scan_block_header()?;
        let mut indent = increment.map(|increment| self.indent.max(0) + increment);
        let mut text = String::new();
        let mut last_break = String::new();
        let mut more_breaks = String::new();
        let mut was_blank = false;
        let mut column = self.scan_indentation(&mut indent, &mut more_breaks)?;
        self.input.want(1)?;
        while self.input.mark.column == column && !self.input.is_end() {
            let blank = self.input.is_blank(0);
            if !literal && !was_blank && !blank && last_break.starts_with('\n') {
                if more_breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&last_break);
            }
            last_break.clear();
            text.push_str(&more_breaks);
            more_breaks.clear();
            was_blank = blank;
            while !self.input.is_break_or_end() {
                self.input.read(&mut text);
                self.input.want(1)?;
            }
            self.input.want(2)?;
            self.input.read_break(&mut last_break);
            column = self.scan_indentation(&mut indent, &mut more_breaks)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(&last_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&more_breaks);
        }
        Ok(text)
    }

    /// What stands behind `|` or `>`, and the rest of the line.
    fn scan_block_header(&mut self) -> Result<(Chomping, Option<i32>), Broken> {
        self.input.skip();
        self.input.want(1)?;
        let mut chomping = self.scan_chomping();
        if chomping.is_some() {
            self.input.want(1)?;
        }
        let mut increment = None;
        if self.input.byte().is_ascii_digit() {
            increment = Some(i32::from(self.input.byte() - b'0'));
            if increment == Some(0) {
                return self.input.fail("the number behind `|` or `>` must not be 0");
            }
            self.input.skip();
            if chomping.is_none() {
                self.input.want(1)?;
                chomping = self.scan_chomping();
            }
        }
        self.input.skip_blanks()?;
        self.input.skip_comment()?;
        if !self.input.is_break_or_end() {
            return self.input.fail("the text behind `|` or `>` must begin on the next line");
        }
        if self.input.is_break(0) {
            self.input.want(2)?;
            self.input.skip_break();
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.input.byte() {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.input.skip();
        Some(chomping)
    }

    /// Skips indentation and empty lines; the first line that is not empty sets the column if nothing else did.
    fn scan_indentation(&mut self, indent: &mut Option<i32>, breaks: &mut String) -> Result<i32, Broken> {
        let mut deepest = 0;
        loop {
            self.input.want(1)?;
            while indent.is_none_or(|indent| self.input.mark.column < indent) && self.input.byte() == b' ' {
                self.input.skip();
                self.input.want(1)?;
            }
            deepest = deepest.max(self.input.mark.column);
            if indent.is_none_or(|indent| self.input.mark.column < indent) && self.input.byte() == b'\t' {
                return self.input.fail("a tab cannot indent; use spaces");
            }
            if !self.input.is_break(0) {
                break;
            }
            self.input.want(2)?;
            self.input.read_break(breaks);
        }
        Ok(*indent.get_or_insert(deepest.max(self.indent + 1).max(1)))
    }

    pub(super) fn scan_quoted(&mut self, quote: u8) -> Result<String, Broken> {
        let start = self.input.mark.line;
        let mut text = String::new();
        let mut gap = Gap::default();
        self.input.skip();
        loop {
            self.input.want(4)?;
            if self.input.is_document_mark(b'-') || self.input.is_document_mark(b'.') || self.input.is_end() {
                return Err(Broken { line: start, problem: "the quote that begins here does not end" });
            }
            while !self.input.is_space(0) {
                let byte = self.input.byte();
                if byte == b'\'' && quote == b'\'' && self.input.peek(1) == b'\'' {
                    text.push('\'');
                    self.input.skip();
                    self.input.skip();
                } else if byte == quote {
                    break;
                } else if byte == b'\\' && quote == b'"' && self.input.is_break(1) {
                    self.input.want(3)?;
                    self.input.skip();
                    self.input.skip_break();
                    gap.broken = true;
                    break;
                } else if byte == b'\\' && quote == b'"' {
                    text.push(self.scan_escape()?);
                } else {
                    self.input.read(&mut text);
                }
                self.input.want(2)?;
            }
            self.input.want(1)?;
            if self.input.byte() == quote {
                break;
            }
            self.scan_gap(&mut gap, None)?;
            gap.fold_into(&mut text);
        }
        self.input.skip();
        Ok(text)
    }

    fn scan_escape(&mut self) -> Result<char, Broken> {
        let (character, digits) = match self.input.peek(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0B', 0),
            b'f' => ('\x0C', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1B', 0),
            same @ (b' ' | b'"' | b'\'' | b'\\') => (char::from(same), 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{A0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return self.input.fail("unknown escape behind `\\`; write `\\\\`, or use single quotes"),
        };
        self.input.skip();
        self.input.skip();
        if digits == 0 {
            return Ok(character);
        }
        self.input.want(digits)?;
        let mut value = 0_u32;
        for at in 0..digits {
            let Some(digit) = char::from(self.input.peek(at)).to_digit(16) else {
                return self.input.fail("`\\x`, `\\u` and `\\U` need 2, 4 and 8 hexadecimal digits");
            };
            value = value << 4 | digit;
        }
        (0..digits).for_each(|_| self.input.skip());
        match char::from_u32(value) {
            Some(character) => Ok(character),
            None => self.input.fail("this escape is no Unicode character"),
        }
    }

    /// Reads blanks and line breaks. A tab left of the column is refused, if there is one.
    fn scan_gap(&mut self, gap: &mut Gap, column: Option<i32>) -> Result<(), Broken> {
        while self.input.is_blank(0) || self.input.is_break(0) {
            if self.input.is_break(0) {
                self.input.want(2)?;
                let to = if gap.broken { &mut gap.more_breaks } else { &mut gap.first_break };
                self.input.read_break(to);
                gap.broken = true;
            } else if gap.broken {
                let left = column.is_some_and(|column| self.input.mark.column < column);
                if left && self.input.byte() == b'\t' {
                    return self.input.fail("a tab cannot indent; use spaces");
                }
                self.input.skip();
            } else {
                self.input.read(&mut gap.blanks);
            }
            self.input.want(1)?;
        }
        Ok(())
    }

    pub(super) fn scan_plain(&mut self) -> Result<String, Broken> {
        let column = self.indent + 1;
        let mut text = String::new();
        let mut gap = Gap::default();
        loop {
            self.input.want(4)?;
            if self.input.is_document_mark(b'-')
                || self.input.is_document_mark(b'.')
                || self.input.byte() == b'#'
            {
                break;
            }
            while !self.input.is_space(0) {
                let byte = self.input.byte();
                if byte == b':' && self.input.is_space(1)
                    || self.in_flow() && matches!(byte, b',' | b'?' | b'[' | b']' | b'{' | b'}')
                {
                    break;
                }
                if !gap.is_empty() {
                    gap.fold_into(&mut text);
                }
                self.input.read(&mut text);
                self.input.want(2)?;
            }
            if !(self.input.is_blank(0) || self.input.is_break(0)) {
                break;
            }
            self.input.want(1)?;
            self.scan_gap(&mut gap, Some(column))?;
            if !self.in_flow() && self.input.mark.column < column {
                break;
            }
        }
        if gap.broken {
            self.key_allowed = true;
        }
        Ok(text)
    }
}
