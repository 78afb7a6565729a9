//! Text to tokens: where collections begin and end by indentation and brackets, and what is a key.
//!
//! Whether a scalar is a key shows only at the `:` behind it. Until then the tokens wait, and the token for the key
//! is put in front of them.

use std::collections::VecDeque;
use std::string::String;
use std::vec::Vec;

use super::input::{Input, Mark};
use super::{Broken, DEPTH};

/// A key must be followed by its `:` on the same line and within so many characters.
const LONGEST_KEY: usize = 1_024;

#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StreamEnd,
    /// `%YAML`: whether it is version 1.1.
    Version(bool),
    TagDirective {
        handle: String,
        prefix: Vec<u8>,
    },
    DocumentStart,
    DocumentEnd,
    BlockSequence,
    BlockMapping,
    BlockEnd,
    FlowSequence,
    FlowSequenceEnd,
    FlowMapping,
    FlowMappingEnd,
    FlowEntry,
    BlockEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag {
        handle: String,
        suffix: Vec<u8>,
    },
    Scalar {
        text: String,
        plain: bool,
    },
}

/// Something that may turn out to be a key.
#[derive(Clone, Copy, Default)]
struct Candidate {
    possible: bool,
    /// Its token waits for the `:`.
    awaited: bool,
    /// Nothing else would make sense at this indentation.
    required: bool,
    /// The number of its token.
    token: usize,
    mark: Mark,
}

pub(super) struct Scanner<'a> {
    pub(super) input: Input<'a>,
    tokens: VecDeque<Token>,
    /// How many tokens were handed out.
    handed: usize,
    indents: Vec<i32>,
    /// The column of the innermost block collection, -1 outside of all.
    pub(super) indent: i32,
    /// One per open bracket, and one for the block around them.
    candidates: Vec<Candidate>,
    pub(super) key_allowed: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut input = Input::new(bytes);
        input.want(1)?;
        Ok(Self {
            input,
            tokens: VecDeque::new(),
            handed: 0,
            indents: Vec::new(),
            indent: -1,
            candidates: Vec::from([Candidate::default()]),
            key_allowed: true,
        })
    }

    /// The next token.
    pub(super) fn peek(&mut self) -> Result<&mut Token, Broken> {
        while self.tokens.is_empty() || self.head_may_become_key()? {
            self.fetch()?;
        }
        match self.tokens.front_mut() {
            Some(token) => Ok(token),
            // It was just fetched.
            None => Err(Broken { line: self.input.mark.line, problem: "the file ends too early" }),
        }
    }

    pub(super) fn next(&mut self) {
        self.tokens.pop_front();
        self.handed += 1;
    }

    pub(super) fn in_flow(&self) -> bool {
        self.candidates.len() > 1
    }

    fn head_may_become_key(&mut self) -> Result<bool, Broken> {
        let head = self.handed;
        match self
            .candidates
            .iter()
            .position(|candidate| candidate.possible && candidate.awaited && candidate.token == head)
        {
            Some(at) => self.is_valid(at),
            None => Ok(false),
        }
    }

    fn is_valid(&mut self, at: usize) -> Result<bool, Broken> {
        let now = self.input.mark;
        let Some(candidate) = self.candidates.get_mut(at) else { return Ok(false) };
        if candidate.possible
            && (candidate.mark.line < now.line || candidate.mark.index + LONGEST_KEY < now.index)
        {
            if candidate.required {
                return missing_colon(candidate);
            }
            candidate.possible = false;
        }
        Ok(candidate.possible)
    }

    fn save_candidate(&mut self) -> Result<(), Broken> {
        if !self.key_allowed {
            return Ok(());
        }
        let mark = self.input.mark;
        let required = !self.in_flow() && self.indent == mark.column;
        self.remove_candidate()?;
        if let Some(last) = self.candidates.last_mut() {
            *last = Candidate {
                possible: true,
                awaited: true,
                required,
                token: self.handed + self.tokens.len(),
                mark,
            };
        }
        Ok(())
    }

    fn remove_candidate(&mut self) -> Result<(), Broken> {
        match self.candidates.last_mut() {
            Some(candidate) if candidate.possible && candidate.required => missing_colon(candidate),
            Some(candidate) => {
                candidate.possible = false;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Opens a block collection if the column is deeper than the one around.
    fn indent_to(&mut self, column: i32, before: Option<usize>, kind: Kind, line: u32) -> Result<(), Broken> {
        if self.in_flow() || self.indent >= column {
            return Ok(());
        }
        if self.indents.len() >= DEPTH {
            return self.input.fail(TOO_DEEP);
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.insert(before, kind, line);
        Ok(())
    }

    /// Puts a token in front of the one with the number; at the end if that one has gone.
    fn insert(&mut self, before: Option<usize>, kind: Kind, line: u32) {
        let last = self.tokens.len();
        let at = before.and_then(|number| number.checked_sub(self.handed)).map_or(last, |at| at.min(last));
        self.tokens.insert(at, Token { kind, line });
    }

    /// Closes the block collections that are deeper than the column.
    fn unindent_to(&mut self, column: i32) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.insert(None, Kind::BlockEnd, self.input.mark.line);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch(&mut self) -> Result<(), Broken> {
        self.input.want(1)?;
        self.skip_to_token()?;
        self.unindent_to(self.input.mark.column);
        self.input.want(4)?;
        let input = &self.input;
        let line = input.mark.line;
        let flow = self.in_flow();
        // In brackets `?` and `:` need no space behind them.
        let parted = flow || input.is_space(1);
        match input.byte() {
            0 => self.end_block(Kind::StreamEnd),
            b'%' if input.mark.column == 0 => {
                self.leave_blocks()?;
                let kind = self.scan_directive()?;
                self.push(kind, line)
            }
            b'-' if input.is_document_mark(b'-') => self.end_block(Kind::DocumentStart),
            b'.' if input.is_document_mark(b'.') => self.end_block(Kind::DocumentEnd),
            b'[' => self.open_flow(Kind::FlowSequence),
            b'{' => self.open_flow(Kind::FlowMapping),
            b']' => self.close_flow(Kind::FlowSequenceEnd),
            b'}' => self.close_flow(Kind::FlowMappingEnd),
            b',' => {
                self.remove_candidate()?;
                self.key_allowed = true;
                self.indicator(Kind::FlowEntry)
            }
            b'-' if input.is_space(1) => {
                self.begin_block(
                    Kind::BlockSequence,
                    "a list entry cannot begin here; put `-` on its own line",
                )?;
                self.key_allowed = true;
                self.indicator(Kind::BlockEntry)
            }
            b'?' if parted => {
                self.begin_block(
                    Kind::BlockMapping,
                    "`?` cannot stand here; quote the text that begins with it",
                )?;
                self.key_allowed = !flow;
                self.indicator(Kind::Key)
            }
            b':' if parted => self.fetch_value(),
            b'*' => {
                self.begin_simple()?;
                let kind = Kind::Alias(self.scan_anchor()?);
                self.push(kind, line)
            }
            b'&' => {
                self.begin_simple()?;
                let kind = Kind::Anchor(self.scan_anchor()?);
                self.push(kind, line)
            }
            b'!' => {
                self.begin_simple()?;
                let kind = self.scan_tag()?;
                self.push(kind, line)
            }
            style @ (b'|' | b'>') if !flow => {
                self.remove_candidate()?;
                self.key_allowed = true;
                let text = self.scan_block_scalar(style == b'|')?;
                self.push(Kind::Scalar { text, plain: false }, line)
            }
            quote @ (b'\'' | b'"') => {
                self.begin_simple()?;
                let text = self.scan_quoted(quote)?;
                self.push(Kind::Scalar { text, plain: false }, line)
            }
            byte if self.begins_plain(byte) => {
                self.begin_simple()?;
                let text = self.scan_plain()?;
                self.push(Kind::Scalar { text, plain: true }, line)
            }
            b'\t' => self.input.fail("a tab cannot indent; use spaces"),
            b'@' | b'`' => self.input.fail("`@` and a backquote cannot begin a text; quote it"),
            b'%' => self.input.fail("`%` cannot begin a text; quote it"),
            _ => self.input.fail("this character cannot begin a text; quote it"),
        }
    }

    /// Whether the byte begins a scalar without quotes.
    fn begins_plain(&self, byte: u8) -> bool {
        match byte {
            b'-' => !self.input.is_blank(1),
            b'?' | b':' => !self.in_flow() && !self.input.is_space(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`' => false,
            _ => !self.input.is_space(0),
        }
    }

    fn skip_to_token(&mut self) -> Result<(), Broken> {
        loop {
            self.input.want(1)?;
            if self.input.mark.column == 0 && self.input.begins_with_bom() {
                self.input.skip();
            }
            self.input.want(1)?;
            while self.input.byte() == b' '
                || (self.in_flow() || !self.key_allowed) && self.input.byte() == b'\t'
            {
                self.input.skip();
                self.input.want(1)?;
            }
            self.input.skip_comment()?;
            if !self.input.is_break(0) {
                return Ok(());
            }
            self.input.want(2)?;
            self.input.skip_break();
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    fn push(&mut self, kind: Kind, line: u32) -> Result<(), Broken> {
        self.insert(None, kind, line);
        Ok(())
    }

    /// A token of one character.
    fn indicator(&mut self, kind: Kind) -> Result<(), Broken> {
        let line = self.input.mark.line;
        self.input.skip();
        self.push(kind, line)
    }

    /// Before something that may be a key, and behind which none can begin.
    fn begin_simple(&mut self) -> Result<(), Broken> {
        self.save_candidate()?;
        self.key_allowed = false;
        Ok(())
    }

    fn begin_block(&mut self, kind: Kind, problem: &'static str) -> Result<(), Broken> {
        if !self.in_flow() {
            if !self.key_allowed {
                return self.input.fail(problem);
            }
            let mark = self.input.mark;
            self.indent_to(mark.column, None, kind, mark.line)?;
        }
        self.remove_candidate()
    }

    fn leave_blocks(&mut self) -> Result<(), Broken> {
        self.unindent_to(-1);
        self.remove_candidate()?;
        self.key_allowed = false;
        Ok(())
    }

    fn end_block(&mut self, kind: Kind) -> Result<(), Broken> {
        if kind == Kind::StreamEnd && self.input.mark.column != 0 {
            // As if a line break were there: no key can go on.
            self.input.mark.column = 0;
            self.input.mark.line += 1;
        }
        self.leave_blocks()?;
        let line = self.input.mark.line;
        if kind != Kind::StreamEnd {
            (0..3).for_each(|_| self.input.skip());
        }
        self.push(kind, line)
    }

    fn open_flow(&mut self, kind: Kind) -> Result<(), Broken> {
        self.save_candidate()?;
        if self.candidates.len() > DEPTH {
            return self.input.fail(TOO_DEEP);
        }
        self.candidates.push(Candidate { token: self.handed + self.tokens.len(), ..Candidate::default() });
        self.key_allowed = true;
        self.indicator(kind)
    }

    fn close_flow(&mut self, kind: Kind) -> Result<(), Broken> {
        self.remove_candidate()?;
        if self.in_flow() {
            if let Some(inner) = self.candidates.pop() {
                // A bracket behind which nothing could be a key is not waited for, though it may become one itself:
                // an oddity of the reference, which then misplaces the token for the key.
                for candidate in &mut self.candidates {
                    candidate.awaited &= candidate.token != inner.token;
                }
            }
        }
        self.key_allowed = false;
        self.indicator(kind)
    }

    fn fetch_value(&mut self) -> Result<(), Broken> {
        let last = self.candidates.len() - 1;
        if self.is_valid(last)? {
            let candidate = self.candidates[last];
            self.candidates[last].possible = false;
            let (before, mark) = (Some(candidate.token), candidate.mark);
            self.insert(before, Kind::Key, mark.line);
            self.indent_to(mark.column, before, Kind::BlockMapping, mark.line)?;
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                if !self.key_allowed {
                    return self.input.fail("one `: ` too many, or one too few on the line before; a text that contains it needs quotes");
                }
                let mark = self.input.mark;
                self.indent_to(mark.column, None, Kind::BlockMapping, mark.line)?;
            }
            self.key_allowed = !self.in_flow();
        }
        self.indicator(Kind::Value)
    }
}

pub(super) const TOO_DEEP: &str = "nested too deeply";

fn missing_colon<T>(candidate: &Candidate) -> Result<T, Broken> {
    Err(Broken { line: candidate.mark.line, problem: "this line lacks `: ` behind the field's name" })
}
