//! The web configuration file as the program serves with it: read before anything listens, and again when asked.

use std::format;
use std::path::{Path, PathBuf};
use std::string::String;

use super::cli::shown;
use crate::ServerBuilder;

/// A web configuration; without a file it asks for nothing.
pub(super) struct Web {
    file: Option<PathBuf>,
}

/// The seam to the web configuration: the only place that reads one to serve with it.
fn read(path: &Path) -> Result<(), String> {
    Err(format!("--web.config.file: {} cannot be read: this is not supported yet", shown(path)))
}

impl Web {
    /// Reads the file, which must be good.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, String> {
        let web = Self { file: file.map(Path::to_path_buf) };
        web.reload()?;
        Ok(web)
    }

    /// Makes a server obey the file.
    pub(super) const fn guard(&self, builder: ServerBuilder) -> ServerBuilder {
        builder
    }

    /// Reads the file again.
    pub(super) fn reload(&self) -> Result<(), String> {
        self.file.as_deref().map_or(Ok(()), read)
    }
}
