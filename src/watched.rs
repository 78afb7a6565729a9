//! A file that is read again when it has changed.
//!
//! One stat(2) tells whether a file may have changed: its identity, size and both times. A file that was written
//! only a moment before it was read can change again within the same tick of the clock that stamps files, so until
//! that moment is well past its content is compared as well.

use core::time::Duration;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::vec::Vec;

use ring::digest::{Digest, SHA256, digest};

/// The largest file that is read. The bundle of all public certificate authorities has 220 kB.
pub(crate) const LARGEST: u64 = 4 << 20;

/// File systems stamp files with a clock that is up to 10 ms behind, FAT with one of 2 s.
const SETTLES_AFTER: Duration = Duration::from_secs(3);

/// What was read, and when to read it again.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    content: Option<Digest>,
    /// Whether the stamp alone tells.
    settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }

    /// Whether any later change must show in the stamp.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = |(seconds, _): (i64, i64)| i128::from(now.as_secs()) - i128::from(seconds);
        // The wall clock may have been set back since; then the content tells.
        age(self.changed).min(age(self.modified)) > i128::from(SETTLES_AFTER.as_secs())
    }
}

impl Watched {
    /// Reads a file. If it cannot be read, what is returned beside the error watches for that to change.
    pub(crate) fn read(path: &Path) -> (Self, io::Result<Vec<u8>>) {
        let result = read(path);
        let seen = match &result {
            Ok((stamp, bytes)) => Some(Seen {
                stamp: *stamp,
                content: Some(digest(&SHA256, bytes)),
                settled: stamp.is_settled(),
            }),
            Err(_) => None,
        };
        (Self { path: path.into(), seen }, result.map(|(_, bytes)| bytes))
    }

    /// Watches which files a directory has, not what is in them.
    pub(crate) fn directory(path: &Path) -> (Self, io::Result<Vec<PathBuf>>) {
        let result = list(path);
        let seen = match &result {
            Ok((stamp, names)) => {
                Some(Seen { stamp: *stamp, content: Some(digest_of(names)), settled: stamp.is_settled() })
            }
            Err(_) => None,
        };
        (Self { path: path.into(), seen }, result.map(|(_, names)| names))
    }

    /// Whether both found the same content. What could not be read is never the same.
    #[cfg_attr(not(feature = "web-config"), allow(dead_code))]
    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        let content = |watched: &Self| watched.seen.as_ref().and_then(|seen| seen.content);
        match (content(self), content(other)) {
            (Some(one), Some(other)) => one.as_ref() == other.as_ref(),
            _ => false,
        }
    }

    /// Whether reading again would find the same. A file that could not be read is always worth another try.
    ///
    /// One stat(2). Until [`SETTLES_AFTER`] the file's last change the file is also read and its digest compared, which
    /// takes memory for the content and, at each request, the time to read it; whatever the result, the file is
    /// parsed again only if the content differs. After that nothing is allocated.
    pub(crate) fn is_current(&mut self) -> bool {
        let Some(seen) = &mut self.seen else { return false };
        let Ok(file) = fs::metadata(&self.path) else { return false };
        if Stamp::of(&file) != seen.stamp {
            return false;
        }
        if !seen.settled {
            let again = if file.is_dir() {
                list(&self.path).map(|(stamp, names)| (stamp, digest_of(&names)))
            } else {
                read(&self.path).map(|(stamp, bytes)| (stamp, digest(&SHA256, &bytes)))
            };
            match (again, &seen.content) {
                (Ok((stamp, content)), Some(before)) if content.as_ref() == before.as_ref() => {
                    seen.settled = stamp.is_settled();
                    seen.stamp = stamp;
                }
                _ => return false,
            }
        }
        true
    }
}

/// The stamp is the one from before the reading, so that whatever changes meanwhile is seen the next time.
fn read(path: &Path) -> io::Result<(Stamp, Vec<u8>)> {
    let mut file = open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    if metadata.file_type().is_fifo() || metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok((Stamp::of(&metadata), bytes))
}

/// Without O_NONBLOCK, opening a pipe would wait for its other end.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path)
}

fn list(path: &Path) -> io::Result<(Stamp, Vec<PathBuf>)> {
    let metadata = fs::metadata(path)?;
    let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok((Stamp::of(&metadata), names))
}

fn digest_of(names: &[PathBuf]) -> Digest {
    let mut context = ring::digest::Context::new(&SHA256);
    for name in names {
        context.update(name.as_os_str().as_encoded_bytes());
        context.update(&[0]);
    }
    context.finish()
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("scrapeport-watched-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_kind_of_change_is_seen_at_once() {
        let folder = Folder::new("changes");
        let path = folder.0.join("file");
        fs::write(&path, "one").unwrap();
        let (mut watched, bytes) = Watched::read(&path);
        assert_eq!(bytes.unwrap(), b"one");
        assert!(watched.is_current() && watched.is_current());

        // In place, of the same size, within the same tick.
        for _ in 0..200 {
            fs::write(&path, "two").unwrap();
            assert!(!watched.is_current());
            let (again, _) = Watched::read(&path);
            watched = again;
            fs::write(&path, "one").unwrap();
            assert!(!watched.is_current());
            watched = Watched::read(&path).0;
            assert!(watched.is_current());
        }

        // Written anew with the same bytes it is another version of the same content.
        let (before, _) = Watched::read(&path);
        fs::write(&path, "one").unwrap();
        assert!(Watched::read(&path).0.has_content_of(&before));
        fs::write(&path, "two").unwrap();
        assert!(!Watched::read(&path).0.has_content_of(&before));

        // With its old time of modification, years later.
        let old = SystemTime::now() - Duration::from_secs(1_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let (mut watched, _) = Watched::read(&path);
        fs::write(&path, "six").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert!(!watched.is_current());

        // By another file under the name, by none, and by a link elsewhere.
        let (mut watched, _) = Watched::read(&path);
        fs::write(folder.0.join("other"), "six").unwrap();
        fs::rename(folder.0.join("other"), &path).unwrap();
        watched.is_current();
        let (mut watched, _) = Watched::read(&path);
        fs::remove_file(&path).unwrap();
        assert!(!watched.is_current());
        let (mut watched, bytes) = Watched::read(&path);
        assert_eq!(bytes.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!watched.is_current() && !watched.has_content_of(&watched));
        fs::write(folder.0.join("a"), "a").unwrap();
        fs::write(folder.0.join("b"), "b").unwrap();
        std::os::unix::fs::symlink("a", &path).unwrap();
        let (mut watched, _) = Watched::read(&path);
        assert!(watched.is_current());
        std::os::unix::fs::symlink("b", folder.0.join("new")).unwrap();
        fs::rename(folder.0.join("new"), &path).unwrap();
        assert!(!watched.is_current());
    }

    #[test]
    fn a_directory_changes_with_its_names() {
        let folder = Folder::new("names");
        fs::write(folder.0.join("a"), "a").unwrap();
        let (mut watched, names) = Watched::directory(&folder.0);
        assert_eq!(names.unwrap(), [folder.0.join("a")]);
        assert!(watched.is_current());
        fs::write(folder.0.join("b"), "b").unwrap();
        assert!(!watched.is_current());
        assert!(Watched::directory(&folder.0.join("none")).1.is_err());
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = Folder::new("kinds");
        assert_eq!(Watched::read(&folder.0).1.unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let pipe = folder.0.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(Watched::read(&pipe).1.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(Watched::read(Path::new("/dev/zero")).1.is_err());
        assert_eq!(Watched::read(Path::new("/dev/null")).1.unwrap(), b"");
    }
}
