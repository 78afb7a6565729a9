//! The document as nodes in one list; they name each other by their places in it.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use super::parser::{Event, EventKind, Parser};
use super::scanner::TOO_DEEP;
use super::{Broken, DEPTH, NODES};

/// The place of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Id(u32);

#[derive(Debug)]
pub(in super::super) struct Node {
    pub(in super::super) line: u32,
    pub(in super::super) content: Content,
}

#[derive(Debug)]
pub(in super::super) enum Content {
    Scalar(Scalar),
    Sequence(Box<[Id]>),
    /// Keys and values in turn.
    Mapping(Box<[Id]>),
    Alias(Id),
}

#[derive(Debug)]
pub(in super::super) struct Scalar {
    pub(in super::super) text: Box<str>,
    pub(in super::super) tag: Option<Tag>,
    /// Whether the text decides on the type: no quotes and no tag.
    pub(in super::super) plain: bool,
}

/// The tags that mean something; on collections none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Tag {
    Binary,
    Bool,
    Float,
    Int,
    Merge,
    Null,
    Str,
    Timestamp,
    Other,
}

impl Tag {
    fn new(tag: &[u8]) -> Self {
        match tag.strip_prefix(b"tag:yaml.org,2002:") {
            Some(b"binary") => Self::Binary,
            Some(b"bool") => Self::Bool,
            Some(b"float") => Self::Float,
            Some(b"int") => Self::Int,
            Some(b"merge") => Self::Merge,
            Some(b"null") => Self::Null,
            Some(b"str") => Self::Str,
            Some(b"timestamp") => Self::Timestamp,
            _ => Self::Other,
        }
    }
}

#[derive(Debug)]
pub(in super::super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The first node; none if the file has no document.
    pub(in super::super) fn root(&self) -> Option<Id> {
        (!self.nodes.is_empty()).then_some(Id(0))
    }

    pub(in super::super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

/// A collection that is not complete.
struct Open {
    id: Id,
    children: Vec<Id>,
}

pub(super) fn build(mut parser: Parser<'_>) -> Result<Tree, Broken> {
    let mut builder = Builder { nodes: Vec::new(), anchors: BTreeMap::new(), open: Vec::new() };
    let mut event = match parser.begin()? {
        Some(event) => event,
        None => return Ok(Tree { nodes: Vec::new() }),
    };
    while builder.add(event)? {
        event = parser.next()?;
    }
    Ok(Tree { nodes: builder.nodes })
}

struct Builder {
    nodes: Vec<Node>,
    anchors: BTreeMap<String, Id>,
    open: Vec<Open>,
}

impl Builder {
    /// Whether the document goes on.
    fn add(&mut self, event: Event) -> Result<bool, Broken> {
        let line = event.line;
        let broken = |problem| Err(Broken { line, problem });
        let (content, opens) = match event.kind {
            EventKind::DocumentEnd => return Ok(false),
            EventKind::End => {
                if let Some(Open { id, children }) = self.open.pop() {
                    let children = children.into_boxed_slice();
                    match &mut self.nodes[id.0 as usize].content {
                        Content::Sequence(all) | Content::Mapping(all) => *all = children,
                        Content::Scalar(_) | Content::Alias(_) => {}
                    }
                }
                return Ok(true);
            }
            EventKind::Alias(name) => match self.anchors.get(&name) {
                Some(id) => (Content::Alias(*id), false),
                None => return broken("this `*` names no anchor `&` that stands before it"),
            },
            EventKind::Scalar { text, tag, plain } => {
                // The tag `!` means no tag but is one.
                let tag = tag.map(|tag| Tag::new(&tag));
                (Content::Scalar(Scalar { text: text.into_boxed_str(), tag, plain }), false)
            }
            EventKind::Sequence => (Content::Sequence(Box::default()), true),
            EventKind::Mapping => (Content::Mapping(Box::default()), true),
        };
        if self.nodes.len() >= NODES {
            return broken("the file has too many entries");
        }
        if opens && self.open.len() >= DEPTH {
            return broken(TOO_DEEP);
        }
        let id = Id(self.nodes.len() as u32);
        self.nodes.push(Node { line, content });
        if let Some(open) = self.open.last_mut() {
            open.children.push(id);
        }
        if let Some(anchor) = event.anchor {
            self.anchors.insert(anchor, id);
        }
        if opens {
            self.open.push(Open { id, children: Vec::new() });
        }
        Ok(true)
    }
}
