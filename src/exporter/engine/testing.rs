//! For tests of collectors: small trees of files, and the page that a collector makes of them.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::format;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;

use super::choices::Choices;
use super::machine::{Machine, Paths};
use super::problem::Problem;
use super::scratch::Scratch;
use super::source::{Entry, Source};
use crate::exporter::fuzz::page::Families;
pub(crate) use crate::exporter::fuzz::page_of;

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
        let source = entry.source(&Choices::of(flags)).unwrap();
        run(source, &self.machine())
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
        Families::read(&self.page);
    }
}

/// Runs a collector once.
pub(crate) fn run(source: &dyn Source, machine: &Machine) -> Outcome {
    let mut result = Ok(());
    let page = page_of(|page| result = source.collect(machine, &mut Scratch::default(), page));
    Outcome { result, page }
}
