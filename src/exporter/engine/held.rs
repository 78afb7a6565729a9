//! Files of procfs and sysfs that stay open from scrape to scrape.
//!
//! Looking up and opening a file costs the kernel more than most of them take to be written, and `/proc/net/netstat` is
//! written twice for who has just opened it: the kernel's buffer begins with a page, and is kept with the file when that
//! was too small. The price is that buffer, a page of the kernel's memory for most files, more for a few.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use rustix::fs::{FsWord, PROC_SUPER_MAGIC, fstatfs};
use rustix::io::{Errno, pread, read};
use rustix::process::{Resource, getrlimit};

use super::dir::Dir;

/// Who may have fewer files open than this needs them for its connections.
const ENOUGH_DESCRIPTORS: u64 = 256;

/// Room for as many as there are, so that one that appears later takes no memory.
const MOST: usize = 64;

/// What the kernel makes when it boots, and never later.
const FROM_BOOT: [&str; 5] =
    ["class/dmi/id", "device-tree", "firmware/devicetree/base", "pressure/irq", "schedstat"];

/// The files that nobody reads just now, and those of which it is known that there are none.
#[derive(Debug, Default)]
pub(super) struct Held {
    files: Mutex<Vec<(&'static str, OwnedFd)>>,
    absent: Mutex<Vec<&'static str>>,
}

impl Held {
    /// None if this directory is not the kernel's own: elsewhere a file may be replaced by another of its name.
    pub(super) fn of(directory: impl AsFd) -> Option<Self> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        (is_kernels(directory) && descriptors >= ENOUGH_DESCRIPTORS).then(|| Self {
            files: Mutex::new(Vec::with_capacity(MOST)),
            absent: Mutex::new(Vec::with_capacity(FROM_BOOT.len())),
        })
    }

    pub(super) fn take(&self, path: &str) -> Option<OwnedFd> {
        let mut files = lock(&self.files);
        let at = files.iter().position(|(held, _)| *held == path)?;
        Some(files.swap_remove(at).1)
    }

    /// Two scrapes at once have opened it twice; one of them is kept.
    pub(super) fn put(&self, path: &'static str, file: OwnedFd) {
        let mut files = lock(&self.files);
        if files.iter().all(|(held, _)| *held != path) {
            files.push((path, file));
        }
    }

    /// Opens something, unless it is one of those that have never been there.
    pub(super) fn open<T>(
        &self,
        path: &'static str,
        open: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        if lock(&self.absent).contains(&path) {
            return Err(Errno::NOENT);
        }
        let opened = open();
        if matches!(opened, Err(Errno::NOENT)) && FROM_BOOT.contains(&path) {
            let mut absent = lock(&self.absent);
            if !absent.contains(&path) {
                absent.push(path);
            }
        }
        opened
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it is of procfs or sysfs: another file system may be mounted over a single file.
pub(super) fn is_kernels(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|system| matches!(system.f_type, PROC_SUPER_MAGIC | SYSFS_MAGIC))
}

/// From the kernel's `include/uapi/linux/magic.h`.
const SYSFS_MAGIC: FsWord = 0x6265_6572;

/// A file that is read from its beginning to its end, and then put back if it is one that stays open.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    /// Empty only when it has been dropped.
    file: Option<OwnedFd>,
    home: Option<Home<'a>>,
}

#[derive(Debug)]
struct Home<'a> {
    dir: &'a Dir,
    held: &'a Held,
    path: &'static str,
    /// How far it has been read.
    at: u64,
    /// Opened in this scrape.
    is_new: bool,
    failed: bool,
}

impl<'a> Lent<'a> {
    /// A file that does not stay open.
    pub(super) fn once(file: OwnedFd) -> Self {
        Self { file: Some(file), home: None }
    }

    /// A file of a directory that holds files.
    pub(super) fn from(dir: &'a Dir, held: &'a Held, path: &'static str) -> Result<Self, Errno> {
        let (file, is_new) = match held.take(path) {
            Some(file) => (file, false),
            None => (held.open(path, || dir.file(path))?, true),
        };
        if is_new && !is_kernels(&file) {
            return Ok(Self::once(file));
        }
        Ok(Self { file: Some(file), home: Some(Home { dir, held, path, at: 0, is_new, failed: false }) })
    }

    /// Reads on, as read(2) does; 0 is the end. Signals do not interrupt it.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        loop {
            let Some(file) = &self.file else { return Ok(0) };
            let Some(home) = &mut self.home else {
                match read(file, &mut *into) {
                    Err(Errno::INTR) => continue,
                    other => return other,
                }
            };
            match pread(file, &mut *into, home.at) {
                Ok(length) => {
                    home.at += length as u64;
                    return Ok(length);
                }
                Err(Errno::INTR) => {}
                // Its module may have been loaded again since, and the file with it.
                Err(_) if !home.is_new && home.at == 0 => {
                    let (dir, held, path) = (home.dir, home.held, home.path);
                    // The old one goes first.
                    self.file = None;
                    *self = Self::from(dir, held, path)?;
                }
                Err(errno) => {
                    home.failed = true;
                    return Err(errno);
                }
            }
        }
    }

    /// Whether it is the kernel's own, which stays open.
    pub(super) fn stays(&self) -> bool {
        self.home.is_some()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let (Some(file), Some(home)) = (self.file.take(), &self.home) else { return };
        if !home.failed {
            home.held.put(home.path, file);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::fs;

    use super::*;
    use crate::exporter::engine::testing::Tree;
    use crate::resident::Bytes;

    fn open_files(dir: &Dir) -> usize {
        dir.holding().map_or(0, |held| lock(&held.files).len())
    }

    #[test]
    fn files_of_the_kernel_stay_open() {
        let (dir, mut text) = (Dir::open_holding("/proc").unwrap(), Bytes::default());
        for _ in 0..3 {
            assert!(dir.held_short("meminfo", &mut text).unwrap().starts_with(b"MemTotal:"));
            assert!(dir.held_piece("loadavg", &mut [0; 128]).unwrap().ends_with(b"\n"));
            assert_eq!(open_files(&dir), 2);
        }
        // What does not change is the same by any way, in one piece or in many.
        for path in ["filesystems", "ioports", "iomem", "devices", "modules"] {
            let Ok(expected) = fs::read(std::format!("/proc/{path}")) else { continue };
            for _ in 0..2 {
                assert_eq!(dir.held_whole(path, &mut text).unwrap(), expected, "{path}");
                assert_eq!(dir.held_short(path, &mut text).unwrap(), expected, "{path}");
            }
        }
    }

    #[test]
    fn elsewhere_files_are_opened_each_time() {
        let tree = Tree::new(&[("proc/meminfo", "old"), ("sys/a/x", "")]);
        let (machine, mut text) = (tree.machine(), Bytes::default());
        assert_eq!(machine.procfs.held_whole("meminfo", &mut text).unwrap(), b"old");
        tree.write("proc/new", "new");
        fs::rename(tree.path("proc/new"), tree.path("proc/meminfo")).unwrap();
        assert_eq!(machine.procfs.held_whole("meminfo", &mut text).unwrap(), b"new");
        let mut names = crate::exporter::engine::names::Names::default();
        assert!(machine.procfs.below_from_boot("schedstat").is_err());
        for path in ["proc/schedstat/x", "sys/a/y"] {
            tree.write(path, "");
        }
        assert!(machine.procfs.below_from_boot("schedstat").is_ok());
        machine.sysfs.held_list("a", &mut names).unwrap();
        assert!(names.iter().eq([b"x", b"y"]));
        assert!(machine.procfs.holding().is_none() && machine.sysfs.holding().is_none());
    }

    #[test]
    fn what_cannot_be_read_any_more_is_opened_again() {
        let (dir, mut text) = (Dir::open_holding("/proc").unwrap(), Bytes::default());
        let held = dir.holding().unwrap();
        // As one of a module that is gone: it cannot be read.
        let file = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
        held.put("loadavg", file.into());
        for _ in 0..2 {
            assert!(!dir.held_whole("loadavg", &mut text).unwrap().is_empty());
            assert_eq!(open_files(&dir), 1);
        }
        assert!(dir.held_whole("no/such", &mut text).unwrap_err().is_no_data());
        assert!(dir.held_whole("self", &mut text).is_err());
        assert_eq!(open_files(&dir), 1);
    }

    #[test]
    fn two_scrapes_at_once_read_each_for_itself() {
        let dir = Dir::open_holding("/proc").unwrap();
        let (mut a, mut b) = (dir.held("meminfo").unwrap(), dir.held("meminfo").unwrap());
        let (mut first, mut second) = ([0; 100], [0; 100]);
        for _ in 0..3 {
            assert_eq!((a.read(&mut first), b.read(&mut second)), (Ok(100), Ok(100)));
        }
        drop((a, b));
        assert_eq!(open_files(&dir), 1);
    }

    #[test]
    fn directories_are_listed_from_their_beginning() {
        let (dir, mut names) = (Dir::open_holding("/sys").unwrap(), Default::default());
        let mut expected = crate::exporter::engine::names::Names::default();
        Dir::open("/sys").unwrap().list("devices/system/cpu", &mut expected).unwrap();
        for _ in 0..3 {
            dir.held_list("devices/system/cpu", &mut names).unwrap();
            assert!(names.len() > 3 && names.iter().eq(expected.iter()));
        }
        assert_eq!(open_files(&dir), 1);
    }

    #[test]
    fn what_was_not_there_at_boot_is_looked_for_once() {
        let (held, looks) = (Held::default(), Cell::new(0));
        let look = |path, outcome: Result<(), Errno>| {
            held.open(path, || {
                looks.set(looks.get() + 1);
                outcome
            })
        };
        for (path, outcome, expected) in [
            ("mdstat", Err(Errno::NOENT), 2),
            ("schedstat", Err(Errno::MFILE), 2),
            ("schedstat", Ok(()), 2),
            ("schedstat", Err(Errno::NOENT), 1),
        ] {
            looks.set(0);
            assert_eq!((look(path, outcome), look(path, outcome)), (outcome, outcome));
            assert_eq!(looks.get(), expected, "{path}");
        }
    }
}
