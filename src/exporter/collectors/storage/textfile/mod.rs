//! `textfile`: metrics that others leave in files. Source: files `*.prom` in the text format 0.0.4, Prometheus
//! documentation, "Exposition formats".

mod files;
mod glob;
mod merge;
mod parse;
mod store;
mod trouble;
mod value;

use std::boxed::Box;
use std::format;
use std::string::String;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::families::FAMILIES;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, lossy};
use crate::exporter::engine::patience::{Answer, Batch, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::mark;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};
use files::{Found, found};
use merge::{ERROR, MTIME, Merge};
use parse::parse;
use store::Store;
use trouble::Trouble;

/// It comes last of all collectors, so that it knows which names are taken.
pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.textfile", FlagKind::Switch, &["Metrics that others leave in files."]),
    default: true,
    flags: &[&DIRECTORY],
    build: Build::By(|choices| {
        let textfile = Textfile::new(choices)?;
        if !textfile.directories.is_empty() {
            FAMILIES.want();
        }
        Ok(Box::new(textfile))
    }),
};

static DIRECTORY: Flag = Flag::new(
    "collector.textfile.directory",
    FlagKind::Values("DIR"),
    &[
        "Where to look for files *.prom; may be given several times, and may hold *, ? and [a-z].",
        "Write a file under another name in the same directory, then rename it. Default none.",
    ],
);

struct Textfile {
    directories: Vec<String>,
    state: Mutex<State>,
}

/// So many times the flag can be given.
const MOST_DIRECTORIES: usize = 16;

#[derive(Default)]
struct State {
    store: Store,
    merge: Merge,
    trouble: Trouble,
    /// The paths of good files, fit for labels, and when they were changed last.
    paths: Names,
    times: Vec<i64>,
    /// The marks of all paths.
    seen: Vec<u64>,
    keys: Vec<(u64, u32)>,
}

impl Textfile {
    fn new(choices: &Choices) -> Result<Self, String> {
        let directories: Vec<_> = choices.values(&DIRECTORY).map(String::from).collect();
        let long = DIRECTORY.long;
        if directories.len() > MOST_DIRECTORIES {
            return Err(format!(
                "--{long} can be given {MOST_DIRECTORIES} times; a pattern finds several directories"
            ));
        }
        if directories.iter().any(String::is_empty) {
            return Err(format!("--{long}: an empty name is no directory"));
        }
        Ok(Self { directories, state: Mutex::default() })
    }
}

impl Source for Textfile {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        // What follows are the names of others.
        page.listen(None);
        let batch = &mut scratch.batch;
        batch.clear();
        for directory in &self.directories {
            batch.ask(Question::Task(&files::READ), directory);
        }
        machine.patience.ask(batch, &|| page.is_expired());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.read(&self.directories, batch);
        state.write(page);
        Ok(())
    }
}

impl State {
    fn read(&mut self, directories: &[String], batch: &Batch) {
        self.trouble.begin();
        self.store.clear();
        self.paths.clear();
        self.times.clear();
        self.seen.clear();
        for (number, directory) in directories.iter().enumerate() {
            match batch.answer(number) {
                Answer::Text(text) => found(text).for_each(|one| self.read_one(&one)),
                Answer::Failed(errno) => self.trouble.tell(directory, &[b"errno"], &|out| {
                    write!(out, "cannot be read: {}", std::io::Error::from(errno))
                }),
                Answer::TimedOut | Answer::StatFs(_) => {
                    self.trouble.tell(directory, &[b"time"], &|out| write!(out, "does not answer in time"))
                }
            }
        }
    }

    fn read_one(&mut self, one: &Found<'_>) {
        let mut spare = NO_TEXT;
        let path = lossy(one.path, &mut spare);
        let place = mark(&[path.as_bytes()]);
        if self.seen.contains(&place) {
            return;
        }
        self.seen.push(place);
        let (bytes, time) = match one.content {
            Ok(content) => content,
            Err(refusal) => {
                return self.trouble.tell(path, &[b"refusal"], &|out| write!(out, "{refusal}"));
            }
        };
        match parse(bytes, self.paths.len() as u32, &mut self.store, &mut self.keys) {
            Ok(double) => {
                self.paths.push(path.as_bytes());
                self.times.push(time);
                if let Some(fault) = double {
                    self.trouble.tell(path, &[fault.what.as_bytes()], &|out| write!(out, "{fault}"));
                }
            }
            Err(fault) => self
                .trouble
                .tell(path, &[fault.what.as_bytes()], &|out| write!(out, "the file is left out: {fault}")),
        }
    }

    fn write(&mut self, page: &mut Page<'_>) {
        let Self { store, merge, trouble, paths, times, .. } = self;
        let paths: &Names = paths;
        let path =
            |at: usize| paths.get(at).and_then(|path| core::str::from_utf8(path).ok()).unwrap_or_default();
        let of = |file: u32| path(file as usize);
        merge.prepare(store, page.format().is_openmetrics(), &of, trouble);
        merge.write(store, &of, page);
        let mut family =
            page.family(Kind::Gauge, MTIME, "When a file was changed last, in seconds since the epoch.");
        for (at, time) in times.iter().enumerate() {
            family.sample(&[("file", path(at))], *time);
        }
        let help = "Whether a file could not be read, or something of it is left out: see the log.";
        page.family(Kind::Gauge, ERROR, help).sample(&[], u64::from(trouble.any()));
    }
}

/// For fuzzing: what is wrong with a file.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(bytes: &[u8]) -> Result<(), parse::Fault> {
    parse(bytes, 0, &mut Store::default(), &mut Vec::new()).and_then(|double| double.map_or(Ok(()), Err))
}

#[cfg(test)]
mod tests;
