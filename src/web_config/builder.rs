//! A server that follows a web configuration file.

use std::path::PathBuf;
use std::sync::Arc;

use super::live::Live;
use super::metrics::METRICS;
use crate::Error;
use crate::server::{Lock, Opened, ServerBuilder};

impl ServerBuilder {
    /// Follows a web configuration file, as every Go exporter of the ecosystem does: TLS, basic authentication, header
    /// fields and a rate limit are what the file says.
    ///
    /// The file is read at the start and, with one `stat(2)`, looked at for each request and each handshake, so a
    /// change holds at once. A file that has become unusable lets nobody in: requests are answered with 500 and
    /// handshakes fail until it is mended. Whether there is TLS at all is settled at the start.
    ///
    /// Passwords are verified one at a time. So many requests may wait for that that half of the connections are left,
    /// and more get 503. Whoever has logged in before waits for nobody, and its connection is given up last.
    ///
    /// [`start`](Self::start) then gives [`Error::WebConfig`] if the file or anything that it names cannot be used.
    pub fn web_config_file(self, path: impl Into<PathBuf>) -> Self {
        self.lock(WebConfigFile(path.into()))
    }
}

/// The way in by a web configuration file.
#[derive(Debug)]
struct WebConfigFile(PathBuf);

impl Lock for WebConfigFile {
    fn open(&self, connections: usize) -> Result<Opened, Error> {
        // One more is being verified.
        let waiting = (connections / 2).saturating_sub(1);
        let live = Arc::new(Live::open(&self.0, waiting)?);
        Ok(Opened {
            encryption: if live.encrypts() { Some(live.clone()) } else { None },
            gate: Some(live.clone()),
            files: Some(live),
            metrics: Some(&METRICS),
        })
    }
}
