//! Who may come in, and how: settled when a server starts. The builder's own settings and the web configuration file
//! are two ways to say it.
#![cfg_attr(not(feature = "tls"), allow(dead_code))]

use core::fmt;
use std::sync::Arc;

use super::encryption::Encryption;
use crate::http::gate::Gate;
use crate::{Error, Registry};

/// Reads what it takes, before anything is bound.
pub(crate) trait Lock: fmt::Debug + Send + Sync {
    /// The server is going to have so many connections at once.
    ///
    /// # Errors
    /// What is wrong with a setting or a file. Nothing has been started.
    fn open(&self, connections: usize) -> Result<Opened, Error>;
}

/// Files that are read again when they change: reading them now tells whether they can be used.
pub(crate) trait Reread: fmt::Debug + Send + Sync {
    /// # Errors
    /// What is wrong with them.
    fn reread(&self) -> Result<(), Error>;
}

/// What a server needs to let the right ones in.
#[derive(Default)]
pub(crate) struct Opened {
    /// Plain HTTP if there is none.
    pub(crate) encryption: Option<Encryption>,
    /// Everybody comes in if there is none.
    pub(crate) gate: Option<Arc<dyn Gate>>,
    /// Nothing was read from files if there is none.
    pub(crate) files: Option<Arc<dyn Reread>>,
    /// What is to stand on the page beside the server's own.
    pub(crate) metrics: Option<&'static Registry>,
}
