//! Tokens to events: a state machine with its own stack, so that nesting costs heap and not stack.

use std::string::String;
use std::vec::Vec;

use super::Broken;
use super::scanner::{Kind, Scanner};

#[derive(Debug)]
pub(super) struct Event {
    pub(super) line: u32,
    pub(super) anchor: Option<String>,
    pub(super) kind: EventKind,
}

#[derive(Debug)]
pub(super) enum EventKind {
    Alias(String),
    Scalar {
        text: String,
        tag: Option<Vec<u8>>,
        /// Whether the text decides on the type: no quotes and no tag.
        plain: bool,
    },
    Sequence,
    Mapping,
    /// Of a sequence or mapping.
    End,
    DocumentEnd,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    DocumentEnd,
    SequenceEntry,
    /// In a list that is not deeper than the key it belongs to, and so has no end of its own.
    IndentlessEntry,
    MappingKey,
    MappingValue,
    FlowEntry {
        first: bool,
    },
    /// In `[a: b]`, a mapping of one pair inside of a list.
    PairKey,
    PairValue,
    PairEnd,
    FlowKey {
        first: bool,
    },
    FlowValue,
    FlowNoValue,
}

pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    /// What to do after the current node, innermost last.
    states: Vec<State>,
    tags: Vec<(String, Vec<u8>)>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Broken> {
        let tags = Vec::new();
        Ok(Self { scanner: Scanner::new(bytes)?, states: Vec::from([State::DocumentEnd]), tags })
    }

    /// The first event of the document; none if there is no document.
    pub(super) fn begin(&mut self) -> Result<Option<Event>, Broken> {
        let explicit = match self.peek()? {
            Kind::StreamEnd => return Ok(None),
            Kind::Version(_) | Kind::TagDirective { .. } | Kind::DocumentStart => true,
            _ => false,
        };
        self.read_directives()?;
        if !explicit {
            return self.node(true, false).map(Some);
        }
        if *self.peek()? != Kind::DocumentStart {
            return self.fail("behind a `%` directive there must be a line `---`");
        }
        self.scanner.next();
        match self.peek()? {
            Kind::Version(_)
            | Kind::TagDirective { .. }
            | Kind::DocumentStart
            | Kind::DocumentEnd
            | Kind::StreamEnd => {
                let line = self.line()?;
                Ok(Some(nothing(line)))
            }
            _ => self.node(true, false).map(Some),
        }
    }

    /// The next event, after the first.
    pub(super) fn next(&mut self) -> Result<Event, Broken> {
        match self.states.pop().unwrap_or(State::DocumentEnd) {
            State::DocumentEnd => {
                // This reads on as far as the reference does.
                let line = self.line()?;
                Ok(event(line, EventKind::DocumentEnd))
            }
            State::SequenceEntry => self.sequence_entry(),
            State::IndentlessEntry => self.indentless_entry(),
            State::MappingKey => self.mapping_key(),
            State::MappingValue => self.mapping_value(),
            State::FlowEntry { first } => self.flow_entry(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => {
                let line = self.line()?;
                Ok(event(line, EventKind::End))
            }
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue => self.flow_value(),
            State::FlowNoValue => self.nothing_then(State::FlowKey { first: false }),
        }
    }

    fn peek(&mut self) -> Result<&mut Kind, Broken> {
        Ok(&mut self.scanner.peek()?.kind)
    }

    fn line(&mut self) -> Result<u32, Broken> {
        Ok(self.scanner.peek()?.line)
    }

    fn fail<T>(&mut self, problem: &'static str) -> Result<T, Broken> {
        Err(Broken { line: self.line()?, problem })
    }

    /// Consumes the token if it is that one.
    fn take(&mut self, kind: &Kind) -> Result<bool, Broken> {
        let is = *self.peek()? == *kind;
        if is {
            self.scanner.next();
        }
        Ok(is)
    }

    fn read_directives(&mut self) -> Result<(), Broken> {
        let mut versions = 0;
        loop {
            match self.peek()? {
                Kind::Version(known) => {
                    versions += 1;
                    if !*known || versions > 1 {
                        return self.fail("there must be no %YAML directive but one of version 1.1");
                    }
                }
                Kind::TagDirective { handle, prefix } => {
                    let tag = (core::mem::take(handle), core::mem::take(prefix));
                    if self.tags.iter().any(|(known, _)| *known == tag.0) {
                        return self.fail("this %TAG directive is there twice");
                    }
                    self.tags.push(tag);
                }
                _ => break,
            }
            self.scanner.next();
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tags.iter().any(|(known, _)| known == handle) {
                self.tags.push((handle.into(), prefix.into()));
            }
        }
        Ok(())
    }

    /// A node; `block` unless it is in brackets.
    fn node(&mut self, block: bool, indentless: bool) -> Result<Event, Broken> {
        let line = self.line()?;
        if let Kind::Alias(name) = self.peek()? {
            let name = core::mem::take(name);
            self.scanner.next();
            return Ok(event(line, EventKind::Alias(name)));
        }
        let mut anchor = self.take_anchor()?;
        let tag = self.take_tag()?;
        if anchor.is_none() {
            anchor = self.take_anchor()?;
        }
        let bare = anchor.is_none() && tag.is_none();
        let kind = match self.peek()? {
            Kind::BlockEntry if indentless => {
                self.states.push(State::IndentlessEntry);
                EventKind::Sequence
            }
            Kind::Scalar { text, plain } => {
                let text = core::mem::take(text);
                let plain = *plain && tag.is_none() || tag.as_deref() == Some(b"!");
                self.scanner.next();
                EventKind::Scalar { text, tag, plain }
            }
            Kind::FlowSequence => self.open(State::FlowEntry { first: true }, EventKind::Sequence),
            Kind::FlowMapping => self.open(State::FlowKey { first: true }, EventKind::Mapping),
            Kind::BlockSequence if block => self.open(State::SequenceEntry, EventKind::Sequence),
            Kind::BlockMapping if block => self.open(State::MappingKey, EventKind::Mapping),
            _ if !bare => EventKind::Scalar { text: String::new(), plain: tag.is_none(), tag },
            Kind::StreamEnd => return self.fail("the file ends where a value should stand"),
            _ if block => return self.fail("there should be a value here"),
            _ => return self.fail("there should be a value here, or a bracket that ends"),
        };
        Ok(Event { line, anchor, kind })
    }

    fn open(&mut self, state: State, kind: EventKind) -> EventKind {
        self.scanner.next();
        self.states.push(state);
        kind
    }

    fn take_anchor(&mut self) -> Result<Option<String>, Broken> {
        let Kind::Anchor(name) = self.peek()? else { return Ok(None) };
        let name = core::mem::take(name);
        self.scanner.next();
        Ok(Some(name))
    }

    fn take_tag(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let Kind::Tag { handle, suffix } = self.peek()? else { return Ok(None) };
        let (handle, suffix) = (core::mem::take(handle), core::mem::take(suffix));
        if handle.is_empty() {
            self.scanner.next();
            return Ok(Some(suffix));
        }
        let Some((_, prefix)) = self.tags.iter().find(|(known, _)| *known == handle) else {
            return self.fail("this `!` tag has a prefix that no %TAG directive declares");
        };
        let tag = [prefix.as_slice(), &suffix].concat();
        if tag.is_empty() {
            return self.fail("this `!` tag is empty");
        }
        self.scanner.next();
        Ok(Some(tag))
    }

    fn node_then(&mut self, state: State, block: bool, indentless: bool) -> Result<Event, Broken> {
        self.states.push(state);
        self.node(block, indentless)
    }

    fn nothing_then(&mut self, state: State) -> Result<Event, Broken> {
        self.states.push(state);
        let line = self.line()?;
        Ok(nothing(line))
    }

    /// The end of a collection, if its token is next.
    fn end(&mut self, kind: &Kind) -> Result<Option<Event>, Broken> {
        let line = self.line()?;
        Ok(self.take(kind)?.then(|| event(line, EventKind::End)))
    }

    fn sequence_entry(&mut self) -> Result<Event, Broken> {
        let line = self.line()?;
        if self.take(&Kind::BlockEntry)? {
            return match self.peek()? {
                Kind::BlockEntry | Kind::BlockEnd => {
                    self.states.push(State::SequenceEntry);
                    Ok(nothing(line))
                }
                _ => self.node_then(State::SequenceEntry, true, false),
            };
        }
        match self.end(&Kind::BlockEnd)? {
            Some(end) => Ok(end),
            None => self.fail("the entries of a list must be indented alike and begin with `- `"),
        }
    }

    fn indentless_entry(&mut self) -> Result<Event, Broken> {
        let line = self.line()?;
        if !self.take(&Kind::BlockEntry)? {
            return Ok(event(line, EventKind::End));
        }
        match self.peek()? {
            Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => {
                self.states.push(State::IndentlessEntry);
                Ok(nothing(line))
            }
            _ => self.node_then(State::IndentlessEntry, true, false),
        }
    }

    fn mapping_key(&mut self) -> Result<Event, Broken> {
        let line = self.line()?;
        if self.take(&Kind::Key)? {
            return self.block_part(line, State::MappingValue);
        }
        match self.end(&Kind::BlockEnd)? {
            Some(end) => Ok(end),
            None => self.fail("there should be a field here, indented like those before it"),
        }
    }

    fn mapping_value(&mut self) -> Result<Event, Broken> {
        let line = self.line()?;
        if self.take(&Kind::Value)? {
            return self.block_part(line, State::MappingKey);
        }
        self.states.push(State::MappingKey);
        Ok(nothing(line))
    }

    /// A key or a value of a block mapping.
    fn block_part(&mut self, line: u32, then: State) -> Result<Event, Broken> {
        match self.peek()? {
            Kind::Key | Kind::Value | Kind::BlockEnd => {
                self.states.push(then);
                Ok(nothing(line))
            }
            _ => self.node_then(then, true, true),
        }
    }

    fn flow_entry(&mut self, first: bool) -> Result<Event, Broken> {
        if let Some(end) = self.end(&Kind::FlowSequenceEnd)? {
            return Ok(end);
        }
        if !first && !self.take(&Kind::FlowEntry)? {
            return self.fail("a list in brackets needs `,` between its entries and `]` at its end");
        }
        let line = self.line()?;
        if self.take(&Kind::Key)? {
            self.states.push(State::PairKey);
            return Ok(event(line, EventKind::Mapping));
        }
        match self.end(&Kind::FlowSequenceEnd)? {
            Some(end) => Ok(end),
            None => self.node_then(State::FlowEntry { first: false }, false, false),
        }
    }

    fn pair_key(&mut self) -> Result<Event, Broken> {
        self.states.push(State::FlowEntry { first: false });
        match self.peek()? {
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd => {
                // The reference passes over that token, so we do.
                let line = self.line()?;
                self.scanner.next();
                self.states.push(State::PairValue);
                Ok(nothing(line))
            }
            _ => self.node_then(State::PairValue, false, false),
        }
    }

    fn pair_value(&mut self) -> Result<Event, Broken> {
        let line = self.line()?;
        let value = self.take(&Kind::Value)?;
        match self.peek()? {
            kind if value && !matches!(kind, Kind::FlowEntry | Kind::FlowSequenceEnd) => {
                self.node_then(State::PairEnd, false, false)
            }
            _ => {
                self.states.push(State::PairEnd);
                Ok(nothing(line))
            }
        }
    }

    fn flow_key(&mut self, first: bool) -> Result<Event, Broken> {
        if let Some(end) = self.end(&Kind::FlowMappingEnd)? {
            return Ok(end);
        }
        if !first && !self.take(&Kind::FlowEntry)? {
            return self.fail("a mapping in braces needs `,` between its fields and `}` at its end");
        }
        if self.take(&Kind::Key)? {
            return match self.peek()? {
                Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd => self.nothing_then(State::FlowValue),
                _ => self.node_then(State::FlowValue, false, false),
            };
        }
        match self.end(&Kind::FlowMappingEnd)? {
            Some(end) => Ok(end),
            None => self.node_then(State::FlowNoValue, false, false),
        }
    }

    fn flow_value(&mut self) -> Result<Event, Broken> {
        let then = State::FlowKey { first: false };
        let value = self.take(&Kind::Value)?;
        match self.peek()? {
            Kind::FlowEntry | Kind::FlowMappingEnd => self.nothing_then(then),
            _ if !value => self.nothing_then(then),
            _ => self.node_then(then, false, false),
        }
    }
}

fn event(line: u32, kind: EventKind) -> Event {
    Event { line, anchor: None, kind }
}

/// A value that is not written.
fn nothing(line: u32) -> Event {
    event(line, EventKind::Scalar { text: String::new(), tag: None, plain: true })
}
