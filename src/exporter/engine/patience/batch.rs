//! Questions that may hang, and their answers.

use core::ops::Range;
use std::vec::Vec;

use rustix::fs::StatFs;
use rustix::io::Errno;

use super::near::split;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::netlink::Peer;
use crate::exporter::engine::path::joined;
use crate::resident::{Bytes, clear};

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// An attribute below sysfs, trimmed: [`Answer::Text`].
    Sysfs,
    /// A whole file below sysfs: a list that may be longer than an attribute.
    SysfsWhole,
    /// A whole file below the root: [`Answer::Text`].
    Rootfs,
    /// statfs(2) of an absolute path: [`Answer::StatFs`].
    StatFs,
    /// Anything else that may hang: [`Answer::Text`].
    Task(&'static Task),
    /// A request in the place of the path; the messages of the answer are an [`Answer::Text`].
    Netlink(Peer),
    /// Opens a FIFO below sysfs and waits for its writer.
    #[cfg(test)]
    Hang,
}

/// Work on a path, done by a thread that may be left behind.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// Writes its answer into the room.
    pub(crate) run: fn(&[u8], &mut Room) -> Result<(), Errno>,
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Task {}

/// The buffers of such a thread: one for the answer, which is empty, and others in any state.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) text: Bytes,
    pub(crate) names: Names,
    pub(crate) more: Names,
    pub(crate) third: Names,
}

impl Room {
    /// Gives the memory back to the system, until it is written to again.
    pub(super) fn rest(&mut self) {
        self.text.rest();
        self.names.rest();
        self.more.rest();
        self.third.rest();
    }
}

/// What came of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    Text(&'a [u8]),
    StatFs(&'a StatFs),
    Failed(Errno),
    /// No answer in time, or it has been without answer since an earlier scrape.
    TimedOut,
}

/// Questions and their answers.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) jobs: Vec<Job>,
    /// Paths, then texts of answers.
    bytes: Bytes,
    /// Apart from the questions, because most have no such answer, and each would have the room for one.
    systems: Vec<StatFs>,
    /// No question before this one is open.
    answered: usize,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) question: Question,
    path: Range<usize>,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Open,
    Text(Range<usize>),
    StatFs(usize),
    Failed(Errno),
    TimedOut,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.jobs.clear();
        self.bytes.clear();
        self.systems.clear();
        self.answered = 0;
    }

    /// Clears it and gives its memory back to the system, until it is written to again.
    pub(crate) fn rest(&mut self) {
        clear(&mut self.jobs);
        self.bytes.rest();
        clear(&mut self.systems);
        self.answered = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Adds a question, and gives its number: they count from 0.
    pub(crate) fn ask(&mut self, question: Question, path: impl AsRef<[u8]>) -> usize {
        let path = self.keep(path.as_ref());
        self.jobs.push(Job { question, path, state: State::Open });
        self.jobs.len() - 1
    }

    /// Adds a question about an attribute below sysfs whose path is made of pieces.
    #[inline(never)]
    pub(crate) fn ask_attribute(&mut self, pieces: &[&[u8]]) -> usize {
        self.ask(Question::Sysfs, joined(pieces))
    }

    /// Adds a question whose answer is known: a text, or that there is none.
    pub(crate) fn answered(&mut self, text: Option<&[u8]>) -> usize {
        let state = text.map_or(State::Failed(Errno::NOENT), |text| State::Text(self.keep(text)));
        self.jobs.push(Job { question: Question::Sysfs, path: 0..0, state });
        self.jobs.len() - 1
    }

    /// The answer to a question.
    pub(crate) fn answer(&self, number: usize) -> Answer<'_> {
        match self.jobs.get(number).map(|job| &job.state) {
            Some(State::Text(range)) => Answer::Text(self.bytes.get(range.clone()).unwrap_or_default()),
            Some(State::StatFs(place)) => self.systems.get(*place).map_or(Answer::TimedOut, Answer::StatFs),
            Some(State::Failed(errno)) => Answer::Failed(*errno),
            Some(State::Open | State::TimedOut) | None => Answer::TimedOut,
        }
    }

    /// The text of an answer, if it has one.
    pub(crate) fn text(&self, number: usize) -> Option<&[u8]> {
        match self.answer(number) {
            Answer::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        begin..self.bytes.len()
    }

    pub(super) fn keep_system(&mut self, system: StatFs) -> usize {
        self.systems.push(system);
        self.systems.len() - 1
    }

    pub(super) fn path(&self, job: &Job) -> &[u8] {
        self.bytes.get(job.path.clone()).unwrap_or_default()
    }

    /// Whether the next question too is about an attribute in this one's directory: to open that is cheaper than to look
    /// up its path twice.
    pub(super) fn has_sibling(&self, at: usize) -> bool {
        let parent = |at: usize| {
            let job = self.jobs.get(at).filter(|job| job.question == Question::Sysfs)?;
            split(self.path(job)).map(|(parent, _)| parent)
        };
        let own = parent(at);
        own.is_some() && parent(at + 1) == own
    }

    pub(super) fn first_open(&self) -> Option<usize> {
        let mut open = self.jobs.iter().enumerate().skip(self.answered);
        open.find_map(|(at, job)| matches!(job.state, State::Open).then_some(at))
    }

    pub(super) fn set(&mut self, at: usize, state: State) {
        if let Some(job) = self.jobs.get_mut(at) {
            job.state = state;
        }
        let is_answered = |job: &Job| !matches!(job.state, State::Open);
        while self.jobs.get(self.answered).is_some_and(is_answered) {
            self.answered += 1;
        }
    }
}
