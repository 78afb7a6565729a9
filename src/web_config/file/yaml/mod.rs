//! YAML 1.1 as the reference reads it (Go's yaml.v2, a port of libyaml): bytes in, a small tree out.
//!
//! Own code, because a file must get the reference's verdict and none of the crates gives it: yaml.v2 is frozen at
//! an early libyaml, without what later versions of YAML and libyaml allow or forbid. Nothing here panics, recurses
//! or grows without bound, whatever the bytes.

mod input;
mod parser;
mod properties;
mod scalars;
mod scanner;
mod tree;

pub(super) use tree::{Content, Id, Node, Scalar, Tag, Tree};

/// Deeper nesting is refused. The reference's limit is 10,000; no field of the file is more than three deep.
pub(super) const DEPTH: usize = 100;

/// More nodes than that are refused, so that memory has a limit: room for some thirty thousand users.
pub(super) const NODES: usize = 65_536;

/// Text that is not YAML: where, what is wrong, and mostly what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: u32,
    pub(super) problem: &'static str,
}

/// Reads the first document; what follows it is not looked at.
pub(super) fn parse(bytes: &[u8]) -> Result<Tree, Broken> {
    tree::build(parser::Parser::new(bytes)?)
}
