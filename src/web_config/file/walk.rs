//! The tree into sections, strictly, and as the reference does it: which field gets which value, in which order.

use std::borrow::Cow;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::duration;
use super::fault::{FAULTS, Fault, Scope, dotted, shown};
use super::scalar::{self, Resolved};
use super::yaml::{Content, Id, Node, Scalar, Tag, Tree};
use crate::nearest::nearest;

/// So deep may fields be taken over from fields that are taken over themselves. It is a matter of the stack.
const DEPTH: usize = 32;

/// A value that cannot be used; why is among the faults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong;

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: u32,
}

/// Some fields of the reference read their text themselves. That shows in two places: only `null`, `~` and nothing
/// are null for them, and their values count twice as far as aliases go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Common,
    Own,
}

/// A mapping with known names.
pub(super) trait Section<'t> {
    /// Its name with a place before the fields: empty for the file itself.
    fn path(&self) -> &'static str;

    fn names(&self) -> &'static [&'static str];

    /// A field with its value. Without value it gets its default, as if it were not there.
    fn set(&mut self, walk: &mut Walk<'t>, name: &'static str, line: u32, value: Id);

    /// Gives all fields their defaults.
    fn reset(&mut self);
}

/// Texts by name, in any order.
pub(super) type Texts<'t> = std::collections::BTreeMap<Cow<'t, [u8]>, At<Cow<'t, [u8]>>>;

pub(super) struct Walk<'t> {
    tree: &'t Tree,
    pub(super) faults: Vec<Fault>,
    /// How many nodes were looked at, and how many of them through an alias.
    visits: u32,
    aliased: u32,
    /// The aliases that lead to the present node.
    aliases: Vec<Id>,
    depth: usize,
    /// Nothing is looked at any more.
    stopped: bool,
}

impl<'t> Walk<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            faults: Vec::new(),
            visits: 0,
            aliased: 0,
            aliases: Vec::new(),
            depth: 0,
            stopped: false,
        }
    }

    pub(super) fn fault(&mut self, line: u32, field: impl Into<String>, problem: impl Into<String>) -> Wrong {
        self.fault_in(Scope::File, line, field, problem)
    }

    pub(super) fn fault_in(
        &mut self,
        scope: Scope,
        line: u32,
        field: impl Into<String>,
        problem: impl Into<String>,
    ) -> Wrong {
        let fault = Fault::new(line, field, problem).reaching(scope);
        // A faulty section may come by more than one alias.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        if self.faults.len() >= FAULTS && !self.stopped {
            self.stopped = true;
            // What was not looked at may be a section that keeps people out.
            self.faults.push(Fault::of_file("there are more faults than can be shown; mend these first"));
        }
        Wrong
    }

    fn stop(&mut self, line: u32, problem: &'static str) -> Wrong {
        if !self.stopped {
            self.fault(line, "", problem);
        }
        self.stopped = true;
        Wrong
    }

    /// The reference's measure against alias bombs: how large a part of the work may come from aliases.
    fn count(&mut self, line: u32) -> Result<(), Wrong> {
        const SMALL: u32 = 400_000;
        const LARGE: u32 = 4_000_000;
        if self.stopped {
            return Err(Wrong);
        }
        self.visits += 1;
        self.aliased += u32::from(!self.aliases.is_empty());
        if self.aliased <= 100 || self.visits <= 1_000 {
            return Ok(());
        }
        let part = f64::from(self.visits.clamp(SMALL, LARGE) - SMALL) / f64::from(LARGE - SMALL);
        if f64::from(self.aliased) / f64::from(self.visits) > 0.99 - 0.89 * part {
            return Err(
                self.stop(line, "aliases `*` make far more of the file than is written; write it out")
            );
        }
        Ok(())
    }

    /// Looks at a node, or at what its alias stands for.
    fn visit<R>(
        &mut self,
        id: Id,
        look: impl FnOnce(&mut Self, &'t Node, u32) -> Result<R, Wrong>,
    ) -> Result<R, Wrong> {
        let node = self.tree.node(id);
        let line = node.line;
        self.count(line)?;
        if self.depth >= DEPTH {
            return Err(self.stop(line, "merged too deeply"));
        }
        self.depth += 1;
        let result = match node.content {
            Content::Alias(_) if self.aliases.contains(&id) => {
                Err(self.stop(line, "this alias `*` stands inside of what it names"))
            }
            Content::Alias(target) => {
                self.aliases.push(id);
                let result = match self.count(line) {
                    Ok(()) => look(self, self.tree.node(target), line),
                    Err(wrong) => Err(wrong),
                };
                self.aliases.pop();
                result
            }
            _ => look(self, node, line),
        };
        self.depth -= 1;
        result
    }

    /// Reads a section.
    pub(super) fn section(&mut self, id: Id, field: &str, section: &mut dyn Section<'t>) {
        let _ = self.visit(id, |walk, node, line| {
            match &node.content {
                Content::Mapping(entries) => walk.fields(entries, section),
                _ if walk.is_null(node) => section.reset(),
                content => {
                    let problem = format!("must be fields with values, is {}", kind(content));
                    walk.fault(line, field, problem);
                }
            }
            Ok(())
        });
    }

    fn fields(&mut self, entries: &[Id], section: &mut dyn Section<'t>) {
        let names = section.names();
        let mut lines: Vec<u32> = std::vec![0; names.len()];
        for (key, value) in pairs(entries) {
            if self.stopped {
                return;
            }
            if self.is_merge(key) {
                self.merge(value, section.path(), &mut |walk, part| walk.section(part, "", section));
                continue;
            }
            let Ok(At { value: name, line }) = self.key(key, section.path()) else { continue };
            let name = String::from_utf8_lossy(&name);
            match names.iter().position(|known| *known == name) {
                Some(at) if lines[at] > 0 => {
                    let problem = format!("is already set on line {}; remove one of them", lines[at]);
                    self.fault(line, dotted(section.path(), &name), problem);
                }
                Some(at) => {
                    lines[at] = line;
                    section.set(self, names[at], line, value);
                }
                None => {
                    let hint = hint(section.path(), &name, names);
                    self.fault(
                        line,
                        dotted(section.path(), &name),
                        format!("there is no such field; {hint}"),
                    );
                }
            }
        }
    }

    /// Reads a mapping from any names to texts into `texts`; `None` if it is null.
    pub(super) fn texts(&mut self, id: Id, field: &'static str, reader: Reader, texts: &mut Texts<'t>) {
        let _ = self.visit(id, |walk, node, line| {
            match &node.content {
                Content::Mapping(entries) => walk.entries(entries, field, reader, texts),
                _ if walk.is_null(node) => texts.clear(),
                content => {
                    let problem = format!("must be names with values, is {}", kind(content));
                    walk.fault(line, field, problem);
                }
            }
            Ok(())
        });
    }

    fn entries(&mut self, entries: &[Id], field: &'static str, reader: Reader, texts: &mut Texts<'t>) {
        for (key, value) in pairs(entries) {
            if self.stopped {
                return;
            }
            if self.is_merge(key) {
                self.merge(value, field, &mut |walk, part| walk.texts(part, field, reader, texts));
                continue;
            }
            let Ok(At { value: name, line }) = self.key(key, field) else { continue };
            let path = dotted(field, &String::from_utf8_lossy(&name));
            let Ok(text) = self.text(value, &path, reader) else { continue };
            let text = text.unwrap_or(At { value: Cow::Borrowed(&[]), line });
            match texts.get(&name) {
                Some(first) => {
                    let problem = format!("is already set on line {}; remove one of them", first.line);
                    self.fault(line, path, problem);
                }
                None => {
                    texts.insert(name, text);
                }
            }
        }
    }

    fn is_merge(&self, key: Id) -> bool {
        match &self.tree.node(key).content {
            Content::Scalar(Scalar { text, tag, plain }) => {
                &**text == "<<" && (*plain || *tag == Some(Tag::Merge))
            }
            _ => false,
        }
    }

    /// Behind `<<` there is a mapping, an alias of one, or a list of those. Of a list the first wins, so it is last.
    fn merge(&mut self, value: Id, field: &str, take: &mut dyn FnMut(&mut Self, Id)) {
        let node = self.tree.node(value);
        let parts = match &node.content {
            Content::Sequence(parts) => &**parts,
            _ => &[value],
        };
        for part in parts.iter().rev() {
            if self.is_mapping(*part) {
                take(self, *part);
            } else {
                let line = self.tree.node(*part).line;
                self.fault(
                    line,
                    dotted(field, "<<"),
                    "must name fields to take over, or a list of such names",
                );
            }
        }
    }

    fn is_mapping(&self, id: Id) -> bool {
        match self.tree.node(id).content {
            Content::Mapping(_) => true,
            Content::Alias(target) => matches!(self.tree.node(target).content, Content::Mapping(_)),
            _ => false,
        }
    }

    fn is_null(&self, node: &Node) -> bool {
        match &node.content {
            Content::Scalar(scalar) => scalar::resolve(scalar) == Ok(Resolved::Null),
            _ => false,
        }
    }

    fn key(&mut self, id: Id, section: &str) -> Result<At<Cow<'t, [u8]>>, Wrong> {
        let line = self.tree.node(id).line;
        let text = self.text(id, section, Reader::Common)?;
        Ok(text.unwrap_or(At { value: Cow::Borrowed(&[]), line }))
    }

    fn scalar(
        &mut self,
        id: Id,
        field: &str,
        reader: Reader,
    ) -> Result<At<(&'t Scalar, Resolved<'t>)>, Wrong> {
        self.visit(id, |walk, node, line| {
            let Content::Scalar(scalar) = &node.content else {
                return Err(walk.fault(
                    line,
                    field,
                    format!("must be one value, is {}", kind(&node.content)),
                ));
            };
            if reader == Reader::Own && !scalar::is_plain_null(scalar) {
                walk.count(line)?;
            }
            match scalar::resolve(scalar) {
                Ok(value) => Ok(At { value: (scalar, value), line }),
                Err(_) => Err(walk.fault(line, field, "the value is not of the type that its `!!` tag says")),
            }
        })
    }

    /// A text as it is written; none if null.
    pub(super) fn text(
        &mut self,
        id: Id,
        field: &str,
        reader: Reader,
    ) -> Result<Option<At<Cow<'t, [u8]>>>, Wrong> {
        let At { value: (scalar, resolved), line } = self.scalar(id, field, reader)?;
        let value = match resolved {
            Resolved::Null if reader == Reader::Common || scalar::is_plain_null(scalar) => return Ok(None),
            Resolved::Null => Cow::Borrowed(&[][..]),
            Resolved::Bytes(bytes) => Cow::Owned(bytes),
            _ => Cow::Borrowed(scalar.text.as_bytes()),
        };
        Ok(Some(At { value, line }))
    }

    pub(super) fn boolean(&mut self, id: Id, field: &str) -> Result<Option<bool>, Wrong> {
        let At { value: (scalar, resolved), line } = self.scalar(id, field, Reader::Common)?;
        match resolved {
            Resolved::Null => Ok(None),
            Resolved::Bool(value) => Ok(Some(value)),
            _ => Err(self.mistyped(line, field, scalar, "true or false, without quotes")),
        }
    }

    pub(super) fn integer(&mut self, id: Id, field: &str) -> Result<Option<At<i64>>, Wrong> {
        let At { value: (scalar, resolved), line } = self.scalar(id, field, Reader::Common)?;
        let value = match resolved {
            Resolved::Null => return Ok(None),
            Resolved::Int(value) => Some(value),
            Resolved::Float(value) => scalar::truncate(value),
            _ => None,
        };
        match value {
            Some(value) => Ok(Some(At { value, line })),
            None => Err(self.mistyped(line, field, scalar, "a whole number, without quotes")),
        }
    }

    /// Nanoseconds, and whether they were written as a bare number.
    pub(super) fn duration(&mut self, id: Id, field: &str) -> Result<Option<At<(i64, bool)>>, Wrong> {
        let At { value: (scalar, resolved), line } = self.scalar(id, field, Reader::Common)?;
        let value = match resolved {
            Resolved::Null => return Ok(None),
            Resolved::Int(value) => Some((value, true)),
            Resolved::Float(value) => scalar::truncate(value).map(|value| (value, true)),
            Resolved::Text(text) => duration::parse(text).map(|value| (value, false)),
            Resolved::Bytes(bytes) => {
                core::str::from_utf8(&bytes).ok().and_then(duration::parse).map(|value| (value, false))
            }
            Resolved::Bool(_) | Resolved::Big | Resolved::Time => None,
        };
        match value {
            Some(value) => Ok(Some(At { value, line })),
            None => Err(self.mistyped(line, field, scalar, "a duration such as 500ms, 10s or 1m30s")),
        }
    }

    fn mistyped(&mut self, line: u32, field: &str, scalar: &Scalar, wanted: &str) -> Wrong {
        self.fault(line, field, format!("must be {wanted}; is \"{}\"", shown(&scalar.text)))
    }

    /// The entries of a list; none if null.
    pub(super) fn list(&mut self, id: Id, field: &str) -> Result<Option<&'t [Id]>, Wrong> {
        self.visit(id, |walk, node, line| match &node.content {
            Content::Sequence(entries) => Ok(Some(&**entries)),
            _ if walk.is_null(node) => Ok(None),
            content => Err(walk.fault(line, field, format!("must be a list, is {}", kind(content)))),
        })
    }

    pub(super) fn line(&self, id: Id) -> u32 {
        self.tree.node(id).line
    }
}

fn pairs(entries: &[Id]) -> impl Iterator<Item = (Id, Id)> {
    entries.chunks_exact(2).map(|pair| (pair[0], pair[1]))
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Sequence(_) => "a list",
        Content::Mapping(_) => "a mapping",
        Content::Scalar(_) | Content::Alias(_) => "a single value",
    }
}

fn hint(section: &str, name: &str, names: &[&'static str]) -> String {
    let home = super::SECTIONS.iter().find(|(path, names)| *path != section && names.contains(&name));
    match home {
        Some(("", _)) => String::from("it belongs to the left margin, outside of all sections"),
        Some((path, _)) => format!("it belongs under {path}"),
        None => instead(name, names),
    }
}

/// What to write instead of a name that there is not.
pub(super) fn instead(name: &str, names: &[&'static str]) -> String {
    match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are: {}", names.join(", ")),
    }
}
