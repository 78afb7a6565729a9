//! What is wrong with files: told once, until it is over.

use core::fmt;
use std::string::String;
use std::vec::Vec;

use crate::exporter::engine::seen::mark;

/// So much is told of one scrape.
const MOST: usize = 32;

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    before: Vec<u64>,
    now: Vec<u64>,
    any: bool,
    line: String,
}

impl Trouble {
    /// Begins a scrape.
    pub(super) fn begin(&mut self) {
        core::mem::swap(&mut self.before, &mut self.now);
        self.now.clear();
        self.any = false;
    }

    /// Whether something was wrong in this scrape.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Notes that something is wrong with a file, and logs it unless the scrape before had the same.
    pub(super) fn tell(
        &mut self,
        path: &str,
        what: &[&[u8]],
        write: &dyn Fn(&mut dyn fmt::Write) -> fmt::Result,
    ) {
        self.any = true;
        let place = mark(&[path.as_bytes()]) ^ mark(what).rotate_left(1);
        if self.now.len() >= MOST || self.now.contains(&place) {
            return;
        }
        self.now.push(place);
        if !self.before.contains(&place) {
            self.line.clear();
            let _ = write(&mut self.line);
            log::error!("collector textfile: {path}: {}", self.line);
        }
    }
}
