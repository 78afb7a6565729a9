//! Trees of files as text, and the directories that they are unpacked to.
//!
//! A tree is a text that can be reviewed. A section begins with `=== KIND PATH`; in a path and in `raw` sections `\xHH`
//! is a byte, `\n`, `\t` and `\\` are what they are elsewhere. What stands before the first section is a comment.
//!
//! - `=== file PATH`: the lines that follow, as they are. A line `@repeat N LINE` stands for N lines, in which `#` is
//!   a number that counts from 0.
//! - `=== raw PATH`: the lines that follow, joined, with escapes and without a line end of their own. A line
//!   `@repeat N TEXT` is N times the text.
//! - `=== attributes PATH`: each line is a file of the directory: its name, a blank, its content.
//! - `=== dir PATH`, `=== fifo PATH`, `=== link PATH -> TARGET`: nothing follows.
//! - `=== each N KIND PATH`: N sections; in path and lines `#` is a number that counts from 0.
#![allow(dead_code, reason = "each user has its part")]

use std::borrow::ToOwned;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::string::String;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;
use std::{env, format, process};

/// A directory with `proc`, `sys`, `root` and `udev` in it, removed at the end.
pub(crate) struct Tree(PathBuf);

impl Tree {
    /// Unpacks `tests/data/trees/NAME.tree`.
    pub(crate) fn unpack(name: &str) -> Self {
        let tree = Self::empty();
        tree.add(&stored(name));
        tree
    }

    /// Adds what another tree has at places where there is nothing yet.
    pub(crate) fn add_missing(&self, name: &str) {
        for section in sections(&stored(name)) {
            if section.kind == b"attributes" {
                for line in section.lines {
                    let (name, _) = split(&line, b" ").unwrap_or((&line, &[]));
                    if self.is_free(&[&section.path[..], b"/", name].concat()) {
                        let (kind, path) = (section.kind.clone(), section.path.clone());
                        self.add_section(&Section { kind, path, lines: Vec::from([line]) });
                    }
                }
            } else {
                let from = split(&section.path, b" -> ").map_or(&section.path[..], |(from, _)| from);
                if self.is_free(from) {
                    self.add_section(&section);
                }
            }
        }
    }

    fn is_free(&self, path: &[u8]) -> bool {
        self.path(OsStr::from_bytes(path)).symlink_metadata().is_err()
    }

    pub(crate) fn empty() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tree = Self(env::temp_dir().join(format!("scrapeport-trees-{}-{number}", process::id())));
        for directory in ["proc", "sys", "root", "udev"] {
            fs::create_dir_all(tree.0.join(directory)).unwrap();
        }
        tree
    }

    /// Adds what a text describes.
    pub(crate) fn add(&self, text: &[u8]) {
        sections(text).iter().for_each(|section| self.add_section(section));
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    pub(crate) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.room(path);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The paths of all regular files in their order, without what is reached by links.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = Vec::from([self.0.clone()]);
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    open.push(entry.path());
                } else if kind.is_file() {
                    found.push(entry.path().strip_prefix(&self.0).unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// The path with a directory for it.
    fn room(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.path(path);
        let parent = path.parent().unwrap();
        fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
        path
    }

    fn add_section(&self, section: &Section) {
        let path = Path::new(OsStr::from_bytes(&section.path));
        let told = path.display();
        match section.kind.as_slice() {
            b"file" => self.write(path, plain(&section.lines)),
            b"raw" => self.write(path, raw(&section.lines)),
            b"attributes" => {
                for line in &section.lines {
                    let at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
                    let (name, rest) = line.split_at(at);
                    let content = [rest.get(1..).unwrap_or_default(), b"\n"].concat();
                    self.write(path.join(OsStr::from_bytes(name)), content);
                }
            }
            b"dir" => fs::create_dir_all(self.path(path)).unwrap_or_else(|error| panic!("{told}: {error}")),
            b"link" => {
                let (from, to) = split(&section.path, b" -> ").unwrap_or_else(|| panic!("{told}: no target"));
                let from = self.room(OsStr::from_bytes(from));
                std::os::unix::fs::symlink(OsStr::from_bytes(to), from)
                    .unwrap_or_else(|error| panic!("{told}: {error}"));
            }
            b"fifo" => {
                use rustix::fs::{CWD, FileType, Mode, mknodat};
                let mode = Mode::RUSR | Mode::WUSR;
                mknodat(CWD, self.room(path), FileType::Fifo, mode, 0).unwrap();
            }
            kind => panic!("{told}: what is a {}?", String::from_utf8_lossy(kind)),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn stored(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trees").join(format!("{name}.tree"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Section {
    kind: Vec<u8>,
    path: Vec<u8>,
    lines: Vec<Vec<u8>>,
}

fn sections(text: &[u8]) -> Vec<Section> {
    let mut sections = Vec::<(usize, Section)>::new();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for line in text.split(|byte| *byte == b'\n') {
        let Some(head) = line.strip_prefix(b"=== ") else {
            if let Some((_, section)) = sections.last_mut() {
                section.lines.push(line.to_vec());
            }
            continue;
        };
        let (kind, rest) = split(head, b" ").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(line)));
        let (times, kind, path) = match kind {
            b"each" => {
                let (times, rest) = counted(rest);
                let (kind, path) =
                    split(rest, b" ").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(line)));
                (times, kind, path)
            }
            kind => (0, kind, rest),
        };
        sections.push((times, Section { kind: kind.to_vec(), path: unescaped(path), lines: Vec::new() }));
    }
    let mut all = Vec::new();
    for (times, section) in sections {
        if times == 0 {
            all.push(section);
            continue;
        }
        for number in 0..times {
            all.push(Section {
                kind: section.kind.clone(),
                path: numbered(&section.path, number),
                lines: section.lines.iter().map(|line| numbered(line, number)).collect(),
            });
        }
    }
    all
}

/// `N rest`.
fn counted(text: &[u8]) -> (usize, &[u8]) {
    let (times, rest) = split(text, b" ").expect("a number and a blank");
    (String::from_utf8_lossy(times).parse().expect("a number"), rest)
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = text.windows(at.len()).position(|window| window == at)?;
    Some((&text[..place], &text[place + at.len()..]))
}

fn numbered(text: &[u8], number: usize) -> Vec<u8> {
    let digits = format!("{number}");
    let pieces: Vec<&[u8]> = text.split(|byte| *byte == b'#').collect();
    pieces.join(digits.as_bytes())
}

fn plain(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut content = Vec::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix(b"@repeat ") {
            let (times, line) = counted(rest);
            for number in 0..times {
                content.extend_from_slice(&numbered(line, number));
                content.push(b'\n');
            }
        } else {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
    }
    content
}

fn raw(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut content = Vec::new();
    for line in lines {
        match line.strip_prefix(b"@repeat ").map(counted) {
            Some((times, text)) => content.extend_from_slice(&unescaped(text).repeat(times)),
            None => content.extend_from_slice(&unescaped(line)),
        }
    }
    content
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match (byte, byte == &b'\\') {
            (byte, false) => *byte,
            _ => match rest.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'\\') => b'\\',
                Some(b'x') => {
                    let mut digit =
                        || char::from(*rest.next().unwrap_or(&b'?')).to_digit(16).expect("two digits");
                    (digit() * 16 + digit()) as u8
                }
                _ => panic!("not an escape in {}", String::from_utf8_lossy(text)),
            },
        });
    }
    bytes
}
