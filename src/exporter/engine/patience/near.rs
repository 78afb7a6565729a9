//! Where a thread that asks stands, so that what is near is found without a long path.

use std::vec::Vec;

use rustix::io::Errno;

use crate::exporter::engine::dir::{ATTRIBUTE, Dir};
use crate::resident::Bytes;

/// The directory that a thread stands in, below sysfs: looking up the path of a device costs more than reading an
/// attribute of it.
#[derive(Debug, Default)]
pub(super) struct Near {
    path: Vec<u8>,
    dir: Option<Dir>,
}

impl Near {
    /// Leaves a directory that is not the path's, and enters that one if it is worth it.
    pub(super) fn approach(&mut self, sysfs: &Dir, path: &[u8], worth_it: bool) {
        let parent = split(path).map(|(parent, _)| parent);
        if parent != Some(&self.path) {
            self.leave();
        }
        if let (None, Some(parent), true) = (&self.dir, parent, worth_it) {
            self.path.clear();
            self.path.extend_from_slice(parent);
            self.dir = sysfs.below(parent).ok();
        }
    }

    pub(super) fn leave(&mut self) {
        self.dir = None;
    }

    pub(super) fn attribute(&self, sysfs: &Dir, path: &[u8], text: &mut Bytes) -> Result<(), Errno> {
        let (dir, path) = match (&self.dir, split(path)) {
            (Some(dir), Some((_, name))) => (dir, name),
            _ => (sysfs, path),
        };
        let mut attribute = [0; ATTRIBUTE];
        text.extend_from_slice(dir.attribute(path, &mut attribute)?);
        Ok(())
    }
}

/// A path's directory and its last part.
pub(super) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = path.iter().rposition(|byte| *byte == b'/')?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}
