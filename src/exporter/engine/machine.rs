//! The machine that is looked at: where its procfs, its sysfs and its file systems are.

use std::format;
use std::string::String;
use std::sync::Arc;

use rustix::io::Errno;

use super::dir::Dir;
use super::patience::Patience;

/// Where things are: `--path.procfs` and its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) procfs: String,
    pub(crate) sysfs: String,
    pub(crate) rootfs: String,
    pub(crate) udev_data: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            procfs: String::from("/proc"),
            sysfs: String::from("/sys"),
            rootfs: String::from("/"),
            udev_data: String::from("/run/udev/data"),
        }
    }
}

/// The directories, open, and what is asked of them with a time limit.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) procfs: Dir,
    pub(crate) sysfs: Arc<Dir>,
    /// None where udev does not run.
    pub(crate) udev_data: Option<Dir>,
    /// The path of `rootfs` without a slash at its end; empty for `/`.
    pub(crate) root: String,
    /// The path of `sysfs` without a slash at its end.
    pub(crate) sys: String,
    pub(crate) patience: Patience,
}

impl Machine {
    /// Opens the directories.
    ///
    /// # Errors
    /// One line that names the flag, the path and the reason.
    pub(crate) fn open(paths: &Paths) -> Result<Self, String> {
        let opened = |dir: Result<Dir, Errno>, flag: &str, path: &str| {
            dir.map_err(|errno| format!("--path.{flag}={path}: {}", std::io::Error::from(errno)))
        };
        let procfs = opened(Dir::open_holding(&paths.procfs), "procfs", &paths.procfs)?;
        let sysfs = Arc::new(opened(Dir::open_holding(&paths.sysfs), "sysfs", &paths.sysfs)?);
        let rootfs = Arc::new(opened(Dir::open(&paths.rootfs), "rootfs", &paths.rootfs)?);
        let patience = Patience::new(Arc::clone(&sysfs), rootfs);
        Ok(Self {
            procfs,
            sysfs,
            udev_data: Dir::open(&paths.udev_data).ok(),
            root: String::from(paths.rootfs.trim_end_matches('/')),
            sys: String::from(paths.sysfs.trim_end_matches('/')),
            patience,
        })
    }
}
