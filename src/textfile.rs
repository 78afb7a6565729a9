//! A page in a file, for a program that cannot be scraped: a job that ends, or one behind the node exporter's
//! textfile collector.
//!
//! The file appears whole or not at all: the page is written to a temporary file beside it, which then takes its
//! name. The temporary name does not end in `.prom`, the ending that collectors look for.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};
use std::format;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::registry::Registry;
use crate::text::{Format, Output, Page, Stopped};

/// Writes a registry's page to a file, in text format 0.0.4. The path should end in `.prom`.
///
/// A reader sees the old file or the new one, never a part. The page streams through a small buffer on the stack. The
/// file's mode is 0644 less the umask. See [`Textfile`] for another format, another place for the temporary file, or
/// to wait for the disk.
///
/// ```
/// use scrapeport::{Gauge, Registry, write_to_textfile};
///
/// static LAST_RUN: Gauge = Gauge::new("backup_last_run_seconds", "When the backup last ended.");
/// static REGISTRY: Registry = Registry::new(&[&LAST_RUN]);
///
/// LAST_RUN.set(1_700_000_000.0);
/// # let path = std::env::temp_dir().join(format!("scrapeport-doc-{}.prom", std::process::id()));
/// write_to_textfile(&path, &REGISTRY)?;
/// # assert!(std::fs::read_to_string(&path).unwrap().ends_with("backup_last_run_seconds 1700000000\n"));
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), scrapeport::Error>(())
/// ```
///
/// # Errors
/// [`Error::Write`] with the path that could not be written. The old file is then untouched, and the temporary one is
/// gone.
pub fn write_to_textfile(path: impl AsRef<Path>, registry: &Registry) -> Result<(), Error> {
    Textfile::new(path.as_ref()).write(registry)
}

/// How a page is written to a file: [`write_to_textfile`] with choices.
///
/// ```
/// use scrapeport::{Counter, Registry, Textfile, text::Format};
///
/// static RUNS: Counter = Counter::new("backup_runs_total", "Backups made.");
/// static REGISTRY: Registry = Registry::new(&[&RUNS]);
///
/// # let path = std::env::temp_dir().join(format!("scrapeport-doc2-{}.prom", std::process::id()));
/// Textfile::new(&path).format(Format::OPENMETRICS).synced(true).write(&REGISTRY)?;
/// # assert!(std::fs::read_to_string(&path).unwrap().ends_with("# EOF\n"));
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), scrapeport::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Textfile<'a> {
    path: &'a Path,
    format: Format,
    temporary_directory: Option<&'a Path>,
    synced: bool,
}

impl<'a> Textfile<'a> {
    /// A page at this path. A symbolic link there is replaced, not followed.
    pub const fn new(path: &'a Path) -> Self {
        Self { path, format: Format::TEXT, temporary_directory: None, synced: false }
    }

    /// The format. Text 0.0.4 unless told otherwise, which every reader of such files knows.
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Where the temporary file is made: on the same file system as the path. Its directory unless told otherwise.
    pub const fn temporary_directory(mut self, directory: &'a Path) -> Self {
        self.temporary_directory = Some(directory);
        self
    }

    /// Whether to wait until the page is on the disk (`fsync`). Off: metrics are written again soon, and flash memory
    /// wears. Then a loss of power can leave an empty file, which counts as a page without metrics.
    pub const fn synced(mut self, synced: bool) -> Self {
        self.synced = synced;
        self
    }

    /// Writes the page. Blocks as long as the file system does.
    ///
    /// A failing collector is left out, as on a page that is served.
    ///
    /// # Errors
    /// [`Error::Write`] with the path that could not be written. The old file is then untouched, and the temporary one
    /// is gone.
    pub fn write(&self, registry: &Registry) -> Result<(), Error> {
        if self.path.file_name().is_none() {
            return Err(write_error(
                self.path,
                io::Error::new(io::ErrorKind::InvalidInput, "not a file name"),
            ));
        }
        let own = parent(self.path);
        let (temporary, file) = Temporary::create(self.temporary_directory.unwrap_or(own))?;
        let mut sink = Sink { file, problem: None };
        let mut buffer = [0; BUFFER];
        let mut page = Page::new(&mut buffer, self.format, &mut sink);
        registry.encode(&mut page);
        let finished = page.finish();
        let Sink { file, problem } = sink;
        if finished.is_err() {
            let reason = problem.unwrap_or_else(|| io::ErrorKind::WriteZero.into());
            return Err(write_error(&temporary.path, reason));
        }
        if self.synced {
            file.sync_all().map_err(|reason| write_error(&temporary.path, reason))?;
        }
        drop(file);
        temporary.rename(self.path)?;
        if self.synced {
            // The new name itself.
            File::open(own).and_then(|own| own.sync_all()).map_err(|reason| write_error(own, reason))?;
        }
        Ok(())
    }
}

/// One page of memory, and one of most file systems.
const BUFFER: usize = 4096;

/// Names already taken are left behind by programs that were killed; so many are stepped over.
const ATTEMPTS: u32 = 100;

struct Sink {
    file: File,
    problem: Option<io::Error>,
}

impl Output for Sink {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        self.file.write_all(&buffer[content]).map_err(|reason| {
            self.problem = Some(reason);
            Stopped
        })
    }
}

/// A file that is removed unless it is given its final name.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn create(directory: &Path) -> Result<(Self, File), Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let mut attempt = 0;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            // Short, whatever the final name is: that may be as long as names can be.
            let path = directory.join(format!(".scrapeport-{}-{number}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
                Ok(file) => return Ok((Self { path, renamed: false }, file)),
                Err(reason) if reason.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                    attempt += 1
                }
                Err(reason) => return Err(write_error(&path, reason)),
            }
        }
    }

    fn rename(mut self, to: &Path) -> Result<(), Error> {
        fs::rename(&self.path, to).map_err(|reason| write_error(to, reason))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_error(path: &Path, source: io::Error) -> Error {
    Error::Write { path: path.to_string_lossy().into(), source }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::thread;
    use std::vec::Vec;

    use super::*;
    use crate::{Gauge, GaugeFamily};

    static VALUE: Gauge = Gauge::new("textfile_value", "A value.");
    static MANY: GaugeFamily<1, 400> =
        GaugeFamily::new("textfile_many", "Enough for several buffers.", ["row"]);
    static REGISTRY: Registry = Registry::new(&[&MANY, &VALUE]);

    fn registry() -> &'static Registry {
        for row in 0..400 {
            MANY.with([row.to_string().as_str()]).set(1.0);
        }
        &REGISTRY
    }

    /// A directory of its own for each test, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("scrapeport-textfile-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn readers_always_see_a_whole_file() {
        let directory = Directory::new("readers");
        let path = directory.0.join("whole.prom");
        write_to_textfile(&path, registry()).unwrap();
        thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..100 {
                            Textfile::new(&path).format(Format::OPENMETRICS).write(&REGISTRY).unwrap();
                            write_to_textfile(&path, &REGISTRY).unwrap();
                        }
                    })
                })
                .collect();
            while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.len() > 2 * BUFFER);
                assert!(text.starts_with("# HELP textfile_many "));
                let last = text.trim_end_matches("# EOF\n").lines().last().unwrap();
                assert!(last.starts_with("textfile_value "), "{last}");
            }
        });
        assert_eq!(directory.names(), ["whole.prom"]);
    }

    #[test]
    fn the_mode_is_0644_less_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let directory = Directory::new("mode");
        let path = directory.0.join("mode.prom");
        write_to_textfile(&path, registry()).unwrap();
        let plain = directory.0.join("plain");
        File::create(&plain).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain) & !0o022);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = write_to_textfile("/nowhere/at-all/x.prom", registry()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write /nowhere/at-all/"), "{error}");
        assert!(error.contains("No such file or directory"), "{error}");
    }

    #[test]
    fn a_path_without_a_file_name_is_refused() {
        for path in ["", "/", "..", "a/.."] {
            let error = write_to_textfile(path, registry()).unwrap_err().to_string();
            assert!(error.ends_with("not a file name"), "{error}");
        }
    }

    #[test]
    fn a_directory_in_the_place_of_the_file_is_kept() {
        let directory = Directory::new("occupied");
        let path = directory.0.join("occupied.prom");
        fs::create_dir(&path).unwrap();
        let error = write_to_textfile(&path, registry()).unwrap_err().to_string();
        assert!(error.contains("occupied.prom"), "{error}");
        assert_eq!(directory.names(), ["occupied.prom"]);
    }

    #[test]
    fn names_left_by_a_killed_program_are_stepped_over() {
        let directory = Directory::new("left");
        for number in 0..20 {
            let name = format!(".scrapeport-{}-{number}.tmp", std::process::id());
            fs::write(directory.0.join(name), "left").unwrap();
        }
        let path = directory.0.join("new.prom");
        write_to_textfile(&path, registry()).unwrap();
        assert_eq!(directory.names().len(), 21);
    }

    #[test]
    fn the_longest_name_is_possible_and_the_temporary_file_may_be_elsewhere() {
        let (directory, elsewhere) = (Directory::new("long"), Directory::new("elsewhere"));
        let path = directory.0.join("x".repeat(250) + ".prom");
        Textfile::new(&path).temporary_directory(&elsewhere.0).synced(true).write(registry()).unwrap();
        assert_eq!(elsewhere.names().len(), 0);
        assert_eq!(directory.names().len(), 1);
    }

    #[test]
    fn a_failing_write_keeps_the_old_file_and_leaves_nothing() {
        // In a child: the limit on the size of files holds for a whole process.
        const MARK: &str = "SCRAPEPORT_TEXTFILE_LIMITED";
        if let Some(path) = std::env::var_os(MARK) {
            let error = write_to_textfile(PathBuf::from(path), registry()).unwrap_err().to_string();
            assert!(error.contains("File too large"), "{error}");
            return;
        }
        let directory = Directory::new("limited");
        let path = directory.0.join("old.prom");
        fs::write(&path, "old 1\n").unwrap();
        let test = thread::current().name().unwrap().to_string();
        let status = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact --nocapture \"$1\" >/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .env(MARK, &path)
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old 1\n");
        assert_eq!(directory.names(), ["old.prom"]);
    }
}
