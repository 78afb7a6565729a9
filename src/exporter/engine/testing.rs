//! For tests of collectors: small trees of files, and the page that a collector makes of them.

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::boxed::Box;
use std::collections::BTreeSet;
use std::format;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;

use super::choices::Choices;
use super::machine::{Machine, Paths};
use super::problem::Problem;
use super::scratch::Scratch;
use super::source::{Entry, Source};
use crate::text::{Format, Output, Page, Stopped};

/// A directory with `proc`, `sys` and `root` in it, removed at the end.
pub(crate) struct Tree(PathBuf);

impl Tree {
    /// Files by their paths, as `proc/stat` and `sys/class/net/eth0/mtu`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tree =
            Self(std::env::temp_dir().join(format!("scrapeport-tree-{}-{number}", std::process::id())));
        for directory in ["proc", "sys", "root", "udev"] {
            fs::create_dir_all(tree.0.join(directory)).unwrap();
        }
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn link(&self, path: &str, to: impl AsRef<Path>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
    }

    pub(crate) fn machine(&self) -> Machine {
        let text = |name: &str| self.path(name).into_os_string().into_string().unwrap();
        let paths =
            Paths { procfs: text("proc"), sysfs: text("sys"), rootfs: text("root"), udev_data: text("udev") };
        Machine::open(&paths).unwrap()
    }

    /// A collector, built with the given flags: `("collector.cpu.guest", "false")` is a switch that is off.
    pub(crate) fn run(&self, entry: &'static Entry, flags: &[(&'static str, &str)]) -> Outcome {
        let source = (entry.build)(&Choices::of(flags)).unwrap();
        run(&*source, &self.machine())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a collector wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<(), Problem>,
    pub(crate) page: String,
}

impl Outcome {
    /// The samples alone.
    pub(crate) fn samples(&self) -> String {
        self.page.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    /// Panics unless every line is one of the format, every family stands once and in one piece, and no series is told
    /// twice.
    pub(crate) fn assert_sound(&self) {
        let (mut families, mut series, mut current) = (BTreeSet::new(), BTreeSet::new(), "");
        for line in self.page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                current = rest.split(' ').next().unwrap_or_default();
                assert!(families.insert(current), "{current} stands twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert_eq!(rest.split(' ').next(), Some(current));
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "no number: {line}");
                assert_eq!(name.split('{').next(), Some(current), "outside of its family: {line}");
                assert!(series.insert(name), "twice: {line}");
            }
        }
    }
}

/// Runs a collector once.
pub(crate) fn run(source: &dyn Source, machine: &Machine) -> Outcome {
    let mut result = Ok(());
    let page = page_of(|page| result = source.collect(machine, &mut Scratch::default(), page));
    Outcome { result, page }
}

/// The page that something writes.
pub(crate) fn page_of(write: impl FnOnce(&mut Page<'_>)) -> String {
    let mut text = Text(String::new());
    let mut buffer = Box::new([0; 4096]);
    let mut page = Page::new(&mut buffer[..], Format::TEXT, &mut text);
    write(&mut page);
    page.finish().unwrap();
    text.0
}

/// Whether a page is a page: every line a comment or a sample, and no sample twice.
pub(crate) fn no_series_twice(page: &str) {
    let mut seen = BTreeSet::new();
    let mut families = BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(families.insert(rest.split(' ').next()), "a family twice: {line}");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            assert!(value.parse::<f64>().is_ok(), "no value: {line}");
            assert!(seen.insert(series), "a sample twice: {line}");
        }
    }
}

struct Text(String);

impl Output for Text {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        // A piece may end inside a character of a label; tests use short ones.
        self.0.push_str(&String::from_utf8_lossy(&buffer[content]));
        Ok(())
    }
}
