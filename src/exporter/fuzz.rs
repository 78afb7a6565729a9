//! What the fuzz target of the collectors runs, and what it holds to be true. The corpus is replayed by every
//! `cargo test`.

use core::ops::Range;
use std::boxed::Box;
use std::ffi::OsString;
use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;
use std::{format, fs, thread_local};

use super::cli::{Command, parse};
use super::collectors;
use super::engine::machine::Machine;
use super::engine::scratch::Scratch;
use super::engine::source::Source;
use crate::text::{Format, Output, Page, Stopped};

#[path = "../../tests/support/page.rs"]
pub(crate) mod page;
#[path = "../../tests/support/tree.rs"]
mod tree;

use page::Families;
use tree::Tree;

/// Whatever one file of a machine holds, all collectors together give a page that is one. The first two bytes choose
/// the file, the rest is what it holds.
pub fn collectors(input: &[u8]) {
    thread_local! {
        static LABORATORY: core::cell::RefCell<Laboratory> = core::cell::RefCell::new(Laboratory::new());
    }
    let Some((which, content)) = input.split_first_chunk() else { return };
    LABORATORY.with_borrow_mut(|laboratory| laboratory.run(u16::from_le_bytes(*which).into(), content));
}

/// A machine that can be changed, all collectors, and buffers that are used again and again.
struct Laboratory {
    tree: Tree,
    files: Vec<PathBuf>,
    machine: Machine,
    sources: Vec<&'static dyn Source>,
    scratch: Scratch,
}

impl Laboratory {
    /// The machine has the files of all kinds of machines.
    fn new() -> Self {
        let tree = Tree::unpack("server");
        for name in ["raspberry", "router"] {
            tree.add_missing(name);
        }
        let flag = |name: &str, path: &str| OsString::from(format!("--{name}={}", tree.path(path).display()));
        let flags = [
            flag("path.procfs", "proc"),
            flag("path.sysfs", "sys"),
            flag("path.rootfs", "root"),
            flag("path.udev.data", "udev"),
            flag("collector.textfile.directory", "root/textfile"),
        ];
        let Ok(Command::Serve(options)) = parse(flags) else { panic!("a command line") };
        let machine = Machine::open(&options.paths).unwrap();
        let sources = collectors::all().map(|entry| entry.source(&options.collectors).unwrap()).collect();
        let files = tree.files();
        Self { tree, files, machine, sources, scratch: Scratch::default() }
    }

    fn run(&mut self, which: usize, content: &[u8]) {
        let path = self.tree.path(&self.files[which % self.files.len()]);
        let good = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        Families::read(&self.page());
        fs::write(&path, good).unwrap();
    }

    fn page(&mut self) -> String {
        let Self { machine, sources, scratch, .. } = self;
        scratch.begin();
        page_of(|page| {
            for source in sources {
                // It may find that there is no data, or nonsense.
                let _ = source.collect(machine, scratch, page);
            }
        })
    }
}

/// The page that something writes.
pub(crate) fn page_of(write: impl FnOnce(&mut Page<'_>)) -> String {
    let mut text = Text(Vec::new());
    let mut buffer = Box::new([0; 4096]);
    let mut page = Page::new(&mut buffer[..], Format::TEXT, &mut text);
    write(&mut page);
    page.finish().unwrap();
    String::from_utf8(text.0).unwrap()
}

struct Text(Vec<u8>);

impl Output for Text {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        self.0.extend_from_slice(&buffer[content]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Laboratory;
    use crate::http::fuzz::replay;

    #[test]
    fn the_corpus_holds() {
        replay("fuzz/corpus/collectors", super::collectors);
    }

    /// Changes at places where the kernel's formats have their joints.
    #[test]
    fn files_with_changes_are_survived() {
        let mut laboratory = Laboratory::new();
        let change =
            (any::<prop::sample::Index>(), 0_u8..4, "[-:=#\"\\\\\n\t 0-9a-fxA-Z.,\\[\\]()/\u{e4}]{1,4}");
        let changes = (any::<u16>(), prop::collection::vec(change, 1..6));
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(600));
        let laboratory = core::cell::RefCell::new(&mut laboratory);
        let result = runner.run(&changes, |(which, changes)| {
            let mut laboratory = laboratory.borrow_mut();
            let path = laboratory.tree.path(&laboratory.files[usize::from(which) % laboratory.files.len()]);
            let mut text = std::fs::read(path).unwrap();
            for (at, kind, new) in changes {
                let at = at.index(text.len() + 1);
                match kind {
                    0 => text.truncate(at),
                    1 if at < text.len() => {
                        text.remove(at);
                    }
                    // A piece once more: things that are there twice.
                    2 => {
                        let piece = text[at..].to_vec();
                        text.extend_from_slice(&piece);
                    }
                    _ => {
                        text.splice(at..at, new.bytes());
                    }
                }
            }
            laboratory.run(which.into(), &text);
            Ok(())
        });
        result.unwrap();
    }
}
