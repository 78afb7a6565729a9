//! Reading the configuration again, asked for by SIGHUP or over HTTP.

use core::fmt;
use std::boxed::Box;
use std::string::String;
use std::sync::{Mutex, PoisonError};

/// What reads the configuration again, or says in one line why it cannot.
type Run = dyn Fn() -> Result<(), String> + Send + Sync;

/// Reads the configuration again and logs what came of it; one at a time.
pub(super) struct Reload {
    run: Box<Run>,
    turn: Mutex<()>,
}

impl Reload {
    pub(super) fn new(run: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self { run: Box::new(run), turn: Mutex::new(()) }
    }

    /// `asked` says who wants it, for the log.
    pub(super) fn run(&self, asked: &str) -> Result<(), String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let result = (self.run)();
        match &result {
            Ok(()) => log::info!("{asked}: reloaded"),
            Err(error) => log::error!("{asked}: failed to reload config: {error}"),
        }
        result
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reload").finish_non_exhaustive()
    }
}
