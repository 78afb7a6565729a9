//! Files of procfs and sysfs that stay open from scrape to scrape.
//!
//! Looking up and opening a file costs the kernel more than most of them take to be written, and `/proc/net/netstat` is
//! written twice for who has just opened it: the kernel's buffer begins with a page, and is kept with the file when that
//! was too small. The price is that buffer, some 4 KiB of the kernel's memory for each file.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use rustix::fs::{FsWord, PROC_SUPER_MAGIC, fstatfs};
use rustix::io::{Errno, pread, read};
use rustix::process::{Resource, getrlimit};

use super::dir::Dir;

/// Who may have fewer files open than this needs them for its connections.
const ENOUGH_DESCRIPTORS: u64 = 256;

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
        (is_kernels(directory) && descriptors >= ENOUGH_DESCRIPTORS).then(Self::default)
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

    pub(super) fn lacks(&self, path: &'static str) -> bool {
        lock(&self.absent).contains(&path)
    }

    /// Opens something, unless it is one of those that have never been there.
    pub(super) fn open<T>(
        &self,
        path: &'static str,
        open: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        if self.lacks(path) {
            return Err(Errno::NOENT);
        }
        let opened = open();
        if matches!(opened, Err(Errno::NOENT)) && FROM_BOOT.contains(&path) {
            lock(&self.absent).push(path);
        }
        opened
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_kernels(file: impl AsFd) -> bool {
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
                    home.is_new = true;
                    home.failed = true;
                    self.file = None;
                    self.file = Some(home.dir.file(home.path)?);
                    home.failed = false;
                }
                Err(errno) => {
                    home.failed = true;
                    return Err(errno);
                }
            }
        }
    }

    /// Whether this is a file of the kernel's own.
    pub(super) fn is_kernels(&self) -> bool {
        self.home.is_some()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let (Some(file), Some(home)) = (self.file.take(), &self.home) else { return };
        // Another file system may be mounted over a single file.
        if !home.failed && (!home.is_new || is_kernels(&file)) {
            home.held.put(home.path, file);
        }
    }
}
