//! The engine of the collectors: runs those that are wanted, one after the other, and tells how each of them did.
//!
//! A collector reads the kernel's files into buffers that are kept between scrapes and writes its families to the page
//! as it goes. What may hang (statfs of a network file system, a sensor behind a slow bus) is asked on another thread
//! with a time limit: see [`patience`].

pub(super) mod choices;
pub(super) mod dir;
pub(super) mod families;
pub(super) mod filter;
pub(super) mod gauges;
pub(super) mod held;
pub(super) mod machine;
pub(super) mod names;
pub(super) mod netlink;
pub(super) mod node;
pub(super) mod parse;
pub(super) mod path;
pub(super) mod patience;
pub(super) mod problem;
pub(super) mod rows;
pub(super) mod scratch;
pub(super) mod seen;
pub(super) mod selection;
pub(super) mod source;
#[cfg(test)]
pub(super) mod testing;
