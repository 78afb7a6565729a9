//! A directory of the kernel's files, read relative to its descriptor (openat(2)) into buffers that are kept.

use core::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    Access, AtFlags, CWD, Mode, OFlags, RawDir, SeekFrom, accessat, openat, readlinkat_raw, seek,
};
use rustix::io::Errno;

use super::held::{Held, Lent, is_kernels};
use super::names::Names;
use super::parse::{trim, unsigned};
use super::path::Path;
use super::problem::Problem;
use crate::resident::Bytes;

/// The longest attribute of sysfs that is read: one read(2) of so many bytes, as the kernel's own documentation
/// (filesystems/sysfs) has one value in a file.
pub(crate) const ATTRIBUTE: usize = 128;

/// The largest file that is read. `/proc/interrupts` of a machine with 4,096 CPUs has some 5 MB.
pub(crate) const FILE: usize = 16 << 20;

/// Room for an attribute.
pub(crate) type Attribute = [u8; ATTRIBUTE];

/// Never for writing, never waiting for a peer: a FIFO in the place of a file reads as empty.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// A directory that others are looked up in.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub(crate) struct Dir {
    descriptor: OwnedFd,
    /// Files that stay open, if they may.
    held: Option<Held>,
}

impl Dir {
    /// Opens a directory by its path.
    pub(crate) fn open<'a>(path: impl Into<Path<'a>>) -> Result<Self, Errno> {
        open_at(CWD, path.into(), DIRECTORY).map(|descriptor| Self { descriptor, held: None })
    }

    /// The same, for a procfs or sysfs: what is [held](Self::held) stays open from now on.
    pub(crate) fn open_holding<'a>(path: impl Into<Path<'a>>) -> Result<Self, Errno> {
        let mut dir = Self::open(path)?;
        dir.held = Held::of(&dir.descriptor);
        Ok(dir)
    }

    /// A directory below this one.
    pub(crate) fn below<'a>(&self, path: impl Into<Path<'a>>) -> Result<Self, Errno> {
        open_at(self.descriptor.as_fd(), path.into(), DIRECTORY)
            .map(|descriptor| Self { descriptor, held: None })
    }

    /// The same of one that is there from the boot on or never.
    pub(crate) fn below_from_boot(&self, path: &'static str) -> Result<Self, Errno> {
        match &self.held {
            Some(held) => held.open(path, || self.below(path)),
            None => self.below(path),
        }
    }

    #[cfg(test)]
    pub(super) fn holding(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// A file, opened for reading.
    pub(crate) fn file<'a>(&self, path: impl Into<Path<'a>>) -> Result<OwnedFd, Errno> {
        open_at(self.descriptor.as_fd(), path.into(), READ)
    }

    /// Whether there is such a file: a look at a name asks no driver, so it cannot hang as reading can.
    pub(crate) fn look_for<'a>(&self, path: impl Into<Path<'a>>) -> Result<(), Errno> {
        accessat(&self.descriptor, path.into().whole(&mut None), Access::EXISTS, AtFlags::empty())
    }

    /// For tests of what may hang.
    #[cfg(test)]
    pub(super) fn open_and_wait(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        openat(&self.descriptor, path, OFlags::RDONLY, Mode::empty())
    }

    /// A whole file, of [`FILE`] bytes at most. What the buffer held is gone.
    pub(crate) fn whole<'a, 'b>(
        &self,
        path: impl Into<Path<'a>>,
        into: &'b mut Bytes,
    ) -> Result<&'b [u8], Problem> {
        let path = path.into();
        match self.read_whole(path, into) {
            Ok(()) => Ok(into),
            Err(errno) => Err(Problem::unreadable(path, errno)),
        }
    }

    pub(crate) fn read_whole<'a>(&self, path: impl Into<Path<'a>>, into: &mut Bytes) -> Result<(), Errno> {
        read_all(self.once(path.into())?, Records::Any, into)
    }

    fn once(&self, path: Path<'_>) -> Result<Lent<'static>, Errno> {
        self.file(path).map(Lent::once)
    }

    /// A file that each scrape reads, and that stays open therefore if it is the kernel's own.
    pub(crate) fn held(&self, path: &'static str) -> Result<Lent<'_>, Errno> {
        match &self.held {
            Some(held) => Lent::from(self, held, path),
            None => self.once(path.into()),
        }
    }

    /// All of a file that stays open, as [`Dir::whole`].
    pub(crate) fn held_whole<'b>(
        &self,
        path: &'static str,
        into: &'b mut Bytes,
    ) -> Result<&'b [u8], Problem> {
        self.read_held(path, Records::Any, into)
    }

    /// The same of a file that the kernel makes in one piece, or of pieces that are short: one read(2) is less.
    pub(crate) fn held_short<'b>(
        &self,
        path: &'static str,
        into: &'b mut Bytes,
    ) -> Result<&'b [u8], Problem> {
        self.read_held(path, Records::Short, into)
    }

    #[inline(never)]
    fn read_held<'b>(
        &self,
        path: &'static str,
        records: Records,
        into: &'b mut Bytes,
    ) -> Result<&'b [u8], Problem> {
        match self.held(path).and_then(|file| read_all(file, records, into)) {
            Ok(()) => Ok(into),
            Err(errno) => Err(Problem::unreadable(path, errno)),
        }
    }

    /// The beginning of a file that stays open, as [`Dir::piece`].
    pub(crate) fn held_piece<'b>(&self, path: &'static str, into: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        read_once(self.held(path)?, into)
    }

    /// A line or a number of a file that stays open, without white space at its ends.
    pub(crate) fn held_told<'b>(
        &self,
        path: &'static str,
        into: &'b mut Attribute,
    ) -> Result<&'b [u8], Problem> {
        self.held_piece(path, into).map(trim).map_err(|errno| Problem::unreadable(path, errno))
    }

    /// An attribute of sysfs: one read(2), trimmed of white space.
    pub(crate) fn attribute<'a, 'b>(
        &self,
        path: impl Into<Path<'a>>,
        into: &'b mut Attribute,
    ) -> Result<&'b [u8], Errno> {
        self.piece(path, into).map(trim)
    }

    /// The beginning of a file: one read(2) of as many bytes as there is room for. Enough for what the kernel makes in
    /// one go, as it does everything of procfs that is shorter than a page.
    pub(crate) fn piece<'a, 'b>(
        &self,
        path: impl Into<Path<'a>>,
        into: &'b mut [u8],
    ) -> Result<&'b [u8], Errno> {
        read_once(self.once(path.into())?, into)
    }

    /// An attribute that is a number without sign.
    pub(crate) fn number<'a>(&self, path: impl Into<Path<'a>>) -> Option<u64> {
        self.read_number(path.into())
    }

    #[inline(never)]
    fn read_number(&self, path: Path<'_>) -> Option<u64> {
        let mut text = [0; ATTRIBUTE];
        unsigned(self.attribute(path, &mut text).ok()?)
    }

    /// The names in a directory in their order, without `.` and `..`.
    pub(crate) fn list<'a>(&self, path: impl Into<Path<'a>>, names: &mut Names) -> Result<(), Errno> {
        read_names(&self.directory(path.into())?, names)
    }

    /// The same, with a problem that names the path.
    #[inline(never)]
    pub(crate) fn told_list(&self, path: &[u8], names: &mut Names) -> Result<(), Problem> {
        self.list(path, names).map_err(|errno| Problem::unreadable(path, errno))
    }

    /// The same of a directory that each scrape lists and that does not go as long as the machine runs: it stays open
    /// therefore if it is the kernel's own.
    pub(crate) fn held_list(&self, path: &'static str, names: &mut Names) -> Result<(), Errno> {
        let Some(held) = &self.held else { return self.list(path, names) };
        let (directory, stays) = match held.take(path) {
            Some(directory) => {
                seek(&directory, SeekFrom::Start(0))?;
                (directory, true)
            }
            None => {
                let directory = self.directory(path.into())?;
                let stays = is_kernels(&directory);
                (directory, stays)
            }
        };
        read_names(&directory, names)?;
        if stays {
            held.put(path, directory);
        }
        Ok(())
    }

    fn directory(&self, path: Path<'_>) -> Result<OwnedFd, Errno> {
        open_at(self.descriptor.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
    }

    /// Where a symbolic link leads.
    pub(crate) fn link<'a, 'b>(
        &self,
        path: impl Into<Path<'a>>,
        into: &'b mut [u8],
    ) -> Result<&'b [u8], Errno> {
        self.read_link(path.into(), into)
    }

    #[inline(never)]
    fn read_link<'b>(&self, path: Path<'_>, into: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        let length = readlinkat_raw(&self.descriptor, path.whole(&mut None), &mut *into)?;
        Ok(into.get(..length).unwrap_or_default())
    }
}

#[inline(never)]
fn read_names(directory: &OwnedFd, names: &mut Names) -> Result<(), Errno> {
    names.clear();
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            if names.len() == MOST_NAMES {
                break;
            }
            names.push(name);
        }
    }
    names.sort();
    Ok(())
}

// One piece of code for all that is opened: collectors open files in a hundred places.
#[inline(never)]
fn open_at(directory: BorrowedFd<'_>, path: Path<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(directory, path.whole(&mut None), flags, Mode::empty())
}

/// The pieces in which the kernel makes a file: it does not hand out a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Records {
    Any,
    /// There is one alone, or they are shorter than [`SHORT`].
    Short,
}

/// Half of the smallest page.
const SHORT: usize = 2048;

#[inline(never)]
fn read_all(mut file: Lent<'_>, records: Records, into: &mut Bytes) -> Result<(), Errno> {
    into.clear();
    loop {
        // The read that finds the end needs little room: a small file stays in one step.
        if into.spare().len() < STEP / 8 {
            into.reserve(STEP);
        }
        let room = into.spare().len();
        let length = file.read(into.spare())?;
        into.add(length);
        // As long as there is more the kernel fills a page, but for less than a piece (`seq_read` of its fs/seq_file.c).
        // To tell that there is no more it would look through its tables again.
        let is_short = records == Records::Short && file.stays() && length < room.min(SHORT);
        if length == 0 || is_short {
            return Ok(());
        }
        if into.len() > FILE {
            return Err(Errno::FBIG);
        }
    }
}

#[inline(never)]
fn read_once<'b>(mut file: Lent<'_>, into: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let length = file.read(into)?;
    Ok(into.get(..length).unwrap_or_default())
}

/// What a buffer grows by at least. Most files of procfs come in pieces of a page.
const STEP: usize = 4096;

/// So many entries of one directory are looked at: more than the largest number of processes.
const MOST_NAMES: usize = 4 << 20;

#[cfg(test)]
mod tests {

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn files_attributes_lists_and_links() {
        let tree =
            Tree::new(&[("a/big", &"x".repeat(10_000)), ("a/small", " 12\n"), ("a/c10", ""), ("a/c2", "")]);
        symlink("small", tree.path("a/link")).unwrap();
        let dir = Dir::open(tree.path("").as_os_str().as_encoded_bytes()).unwrap();
        let mut buffer = Bytes::default();
        assert_eq!(dir.whole("a/big", &mut buffer).unwrap().len(), 10_000);
        let mut text = [0; ATTRIBUTE];
        assert_eq!(dir.attribute("a/small", &mut text), Ok(&b"12"[..]));
        assert_eq!(dir.attribute("a/big", &mut text).map(<[u8]>::len), Ok(ATTRIBUTE));
        assert_eq!(dir.number("a/small"), Some(12));
        let mut names = Names::default();
        dir.below("a").unwrap().list(".", &mut names).unwrap();
        assert!(names.iter().eq([&b"big"[..], b"c2", b"c10", b"link", b"small"]));
        let mut room = [0; 64];
        assert_eq!(dir.link("a/link", &mut room), Ok(&b"small"[..]));
        assert_eq!(dir.attribute("a/none", &mut text), Err(Errno::NOENT));
        assert_eq!(dir.list("a/big", &mut names), Err(Errno::NOTDIR));
        assert!(dir.whole("a", &mut buffer).is_err());
    }

    #[test]
    fn a_fifo_does_not_block() {
        let tree = Tree::new(&[("x", "")]);
        let path = tree.path("fifo");
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let dir = Dir::open(tree.path("").as_os_str().as_encoded_bytes()).unwrap();
        let mut text = [0; ATTRIBUTE];
        assert_eq!(dir.attribute("fifo", &mut text), Ok(&b""[..]));
        // With a writer that writes nothing the kernel says EAGAIN.
        let _both = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(dir.attribute("fifo", &mut text), Err(Errno::AGAIN));
    }
}
