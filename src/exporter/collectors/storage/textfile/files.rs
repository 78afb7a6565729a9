//! Reads the files of a directory on a thread that may hang: the directory may be on a file server that is gone.

use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, read};

use super::glob::{fits, is_pattern};
use crate::exporter::engine::dir::Dir;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::path::{LONGEST, joined};
use crate::exporter::engine::patience::{Room, Task};
use crate::resident::Bytes;

/// The largest file that is read. A thousand series take some 100 kB.
pub(super) const LARGEST_FILE: usize = 1 << 20;

/// What the files of one flag may hold together.
pub(super) const LARGEST_SUM: usize = 4 << 20;

/// So many files of one flag are read.
pub(super) const MOST_FILES: usize = 256;

/// So many directories fit one flag.
pub(super) const MOST_DIRECTORIES: usize = 64;

/// Writes a [`Found`] for each file `*.prom` in the directories that fit a pattern.
pub(super) static READ: Task = Task { name: "textfiles", run };

/// One file, or why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) path: &'a [u8],
    /// Its text, and when it was changed last, in seconds since the epoch.
    pub(super) content: Result<(&'a [u8], i64), Refusal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Errno(i32),
    NoFile,
    TooLarge,
    TooMany,
}

/// What was written, piece by piece.
pub(super) fn found(text: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (kind, number) = (u64::from_ne_bytes(*take(&mut rest)?), i64::from_ne_bytes(*take(&mut rest)?));
        let path = piece(&mut rest)?;
        let content = piece(&mut rest)?;
        let content = match kind {
            0 => Ok((content, number)),
            1 => Err(Refusal::Errno(i32::try_from(number).unwrap_or_default())),
            2 => Err(Refusal::NoFile),
            3 => Err(Refusal::TooLarge),
            _ => Err(Refusal::TooMany),
        };
        Some(Found { path, content })
    })
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8; 8]> {
    let (first, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(first)
}

fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u64::from_ne_bytes(*take(rest)?)).ok()?;
    let (piece, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(piece)
}

fn note(text: &mut Bytes, path: &[u8], refusal: Refusal) {
    let (kind, number) = match refusal {
        Refusal::Errno(errno) => (1, errno.into()),
        Refusal::NoFile => (2, 0),
        Refusal::TooLarge => (3, 0),
        Refusal::TooMany => (4, 0),
    };
    begin(text, path, kind, number);
    text.extend_from_slice(&0_u64.to_ne_bytes());
}

fn begin(text: &mut Bytes, path: &[u8], kind: u64, number: i64) {
    text.extend_from_slice(&kind.to_ne_bytes());
    text.extend_from_slice(&number.to_ne_bytes());
    text.extend_from_slice(&(path.len() as u64).to_ne_bytes());
    text.extend_from_slice(path);
}

fn run(pattern: &[u8], room: &mut Room) -> Result<(), Errno> {
    let Room { text, names, more, third } = room;
    let pattern = trimmed(pattern);
    if !pattern.split(|byte| *byte == b'/').any(is_pattern) {
        if let Err(errno) = read_directory(pattern, third, text) {
            note(text, pattern, Refusal::Errno(errno.raw_os_error()));
        }
        return Ok(());
    }
    if !expand(pattern, names, more, third) {
        note(text, pattern, Refusal::TooMany);
    }
    let mut any = false;
    for directory in names.iter() {
        match read_directory(directory, third, text) {
            Ok(()) => any = true,
            // What fits a pattern need not be a directory, and may have gone again.
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => {
                any = true;
                note(text, directory, Refusal::Errno(errno.raw_os_error()));
            }
        }
    }
    if !any {
        note(text, pattern, Refusal::Errno(Errno::NOENT.raw_os_error()));
    }
    Ok(())
}

fn trimmed(mut path: &[u8]) -> &[u8] {
    while let [rest @ .., b'/'] = path {
        if rest.is_empty() {
            break;
        }
        path = rest;
    }
    path
}

/// The paths that fit, in `names`. False if there are too many.
fn expand(pattern: &[u8], names: &mut Names, more: &mut Names, listed: &mut Names) -> bool {
    names.clear();
    let relative = match pattern.strip_prefix(b"/") {
        Some(relative) => {
            names.push(b"/");
            relative
        }
        None => {
            names.push(b".");
            pattern
        }
    };
    let mut all = true;
    for part in relative.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        more.clear();
        for directory in names.iter() {
            if !is_pattern(part) {
                more.push(below(directory, part).as_ref());
                continue;
            }
            let Ok(()) = Dir::open(directory).and_then(|open| open.list(".", listed)) else { continue };
            for name in listed.iter().filter(|name| fits(part, name)) {
                if more.len() == MOST_DIRECTORIES {
                    all = false;
                    break;
                }
                more.push(below(directory, name).as_ref());
            }
        }
        core::mem::swap(names, more);
    }
    all
}

fn below(directory: &[u8], name: &[u8]) -> impl AsRef<[u8]> {
    match directory {
        b"/" => joined(&[b"/", name]),
        b"." => joined(&[name]),
        directory => joined(&[directory, b"/", name]),
    }
}

fn read_directory(directory: &[u8], listed: &mut Names, text: &mut Bytes) -> Result<(), Errno> {
    if directory.len() >= LONGEST {
        return Err(Errno::NAMETOOLONG);
    }
    let open = Dir::open(directory)?;
    open.list(".", listed)?;
    let is_one = |name: &&[u8]| name.ends_with(b".prom");
    for (count, name) in listed.iter().filter(is_one).enumerate() {
        let path = below(directory, name);
        let refusal = if count >= MOST_FILES || text.len() >= LARGEST_SUM {
            note(text, path.as_ref(), Refusal::TooMany);
            break;
        } else {
            read_file(&open, name, path.as_ref(), text)
        };
        if let Err(refusal) = refusal {
            note(text, path.as_ref(), refusal);
        }
    }
    Ok(())
}

/// Adds a whole file, or nothing.
fn read_file(directory: &Dir, name: &[u8], path: &[u8], text: &mut Bytes) -> Result<(), Refusal> {
    let before = text.len();
    let result = read_whole(directory, name, path, text);
    if result.is_err() {
        text.truncate(before);
    }
    result
}

fn read_whole(directory: &Dir, name: &[u8], path: &[u8], text: &mut Bytes) -> Result<(), Refusal> {
    let file = directory.file(name)?;
    // fstat of rustix asks statx(2) where the older call has no room for times after 2038.
    let about = fstat(&file)?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err(Refusal::NoFile);
    }
    let size = usize::try_from(about.st_size).unwrap_or(usize::MAX);
    if size > LARGEST_FILE {
        return Err(Refusal::TooLarge);
    }
    begin(text, path, 0, about.st_mtime as i64);
    let length = text.len();
    text.extend_from_slice(&[0; 8]);
    let start = text.len();
    // One byte more, so that the end is seen without another round.
    text.reserve(size + 1);
    loop {
        if text.spare().is_empty() {
            text.reserve(4096);
        }
        match read(&file, text.spare()) {
            Ok(0) => break,
            Ok(length) => text.add(length),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if text.len() - start > LARGEST_FILE {
            return Err(Refusal::TooLarge);
        }
    }
    let count = (text.len() - start) as u64;
    if let Some(place) = text.get_mut(length..start) {
        place.copy_from_slice(&count.to_ne_bytes());
    }
    Ok(())
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno.raw_os_error())
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Errno(errno) => {
                write!(out, "cannot be read: {}", std::io::Error::from_raw_os_error(*errno))
            }
            Self::NoFile => out.write_str("is not a regular file"),
            Self::TooLarge => write!(out, "is larger than {LARGEST_FILE} bytes"),
            Self::TooMany => write!(
                out,
                "and what follows is left out: one flag reads {MOST_DIRECTORIES} directories, {MOST_FILES} files in each and \
                 {LARGEST_SUM} bytes at most"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use std::format;
    use std::string::String;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    fn list(tree: &Tree, pattern: &str) -> Vec<(String, Result<String, Refusal>)> {
        let mut room = Room::default();
        let base = tree.path("").into_os_string().into_string().unwrap();
        run(format!("{base}{pattern}").as_bytes(), &mut room).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
        found(&room.text)
            .map(|one| {
                let path = text(one.path).strip_prefix(&base).map(String::from).unwrap();
                (
                    path,
                    one.content.map(|(content, seconds)| {
                        assert!(seconds > 1_000_000_000);
                        text(content)
                    }),
                )
            })
            .collect()
    }

    #[test]
    fn directories_are_read_in_order() {
        let tree =
            Tree::new(&[("d/b.prom", "b\n"), ("d/a.prom", ""), ("d/c.prom.1", "x"), ("d/sub/d.prom", "x")]);
        let both = [
            (String::from("d/a.prom"), Ok(String::new())),
            (String::from("d/b.prom"), Ok(String::from("b\n"))),
        ];
        assert_eq!(list(&tree, "d"), both);
        assert_eq!(list(&tree, "d//"), both);
        let errno = Err(Refusal::from(Errno::NOENT));
        assert_eq!(list(&tree, "none"), [(String::from("none"), errno.clone())]);
        assert_eq!(list(&tree, "none*"), [(String::from("none*"), errno)]);
        assert_eq!(list(&tree, "d/a.prom"), [(String::from("d/a.prom"), Err(Refusal::from(Errno::NOTDIR)))]);
    }

    #[test]
    fn patterns_find_directories() {
        let tree = Tree::new(&[
            ("g/a1/m/x.prom", "1"),
            ("g/a2/m/x.prom", "2"),
            ("g/b/m/x.prom", "3"),
            ("g/a3", "file"),
            ("g/a4/n/x.prom", "4"),
        ]);
        let paths = |pattern| list(&tree, pattern).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths("g/a[0-9]/m"), ["g/a1/m/x.prom", "g/a2/m/x.prom"]);
        assert_eq!(paths("g/*/?"), ["g/a1/m/x.prom", "g/a2/m/x.prom", "g/a4/n/x.prom", "g/b/m/x.prom"]);
        assert_eq!(paths("*/b/m/"), ["g/b/m/x.prom"]);
    }

    #[test]
    fn what_is_no_file_or_too_large_is_told_alone() {
        let tree = Tree::new(&[
            ("d/a.prom/x", ""),
            ("d/b.prom", "good"),
            ("d/c.prom", &"x".repeat(LARGEST_FILE + 1)),
        ]);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, tree.path("d/d.prom"), FileType::Fifo, mode, 0).unwrap();
        let contents: Vec<_> = list(&tree, "d").into_iter().map(|(_, content)| content).collect();
        assert_eq!(
            contents,
            [Err(Refusal::NoFile), Ok(String::from("good")), Err(Refusal::TooLarge), Err(Refusal::NoFile)]
        );
    }

    #[test]
    fn too_many_files_are_told() {
        let tree = Tree::new(&[]);
        for number in 0..MOST_FILES + 2 {
            tree.write(&format!("d/{number}.prom"), "");
        }
        let all = list(&tree, "d");
        assert_eq!(all.len(), MOST_FILES + 1);
        assert_eq!(all.last().unwrap().1, Err(Refusal::TooMany));
    }
}
