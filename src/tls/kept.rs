//! Certificates and keys named by the builder: read again when they change, and kept when what comes is broken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::context::{Context, Failed, Keeper, Loaded};
use super::metrics::reload_failed;
use super::problem::{Part, Problem};
use super::settings::Settings;

/// The context of a server that has its settings from the builder.
#[derive(Debug)]
pub(crate) struct Kept {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    good: Loaded,
    /// What came after it and could not be used.
    bad: Option<Failed>,
}

impl Kept {
    /// Reads everything for the first time.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn new(settings: Settings) -> Result<Self, Vec<Problem>> {
        let good = Loaded::new(&settings).map_err(|failed| failed.problems)?;
        let (mut useless, remarks): (Vec<_>, Vec<_>) = good
            .remarks
            .iter()
            .cloned()
            .partition(|remark| matches!(remark.part, Part::ClientCa | Part::ClientCaDirectory));
        if !useless.is_empty() {
            // Whoever names a CA wants it to vouch for somebody.
            useless.truncate(1);
            return Err(useless);
        }
        for remark in remarks {
            log::warn!("{remark}");
        }
        good.now_used(false);
        Ok(Self { settings, state: Mutex::new(State { good, bad: None }) })
    }

    /// Whether what the files hold now can be used.
    ///
    /// # Errors
    /// What is wrong with it. What was there before stays in use.
    pub(crate) fn look(&self) -> Result<(), Vec<Problem>> {
        match &self.state().bad {
            None => Ok(()),
            Some(bad) => Err(bad.problems.clone()),
        }
    }

    /// The state, up to date with the files.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { good, bad } = &mut *state;
        let unchanged = match bad {
            None => good.is_current(),
            Some(bad) => bad.is_current(),
        };
        if !unchanged {
            match Loaded::new(&self.settings) {
                Ok(loaded) => {
                    loaded.now_used(true);
                    log::info!("certificate and key have changed and are read again");
                    loaded.remarks.iter().for_each(|remark| log::warn!("{remark}"));
                    *good = loaded;
                    *bad = None;
                }
                Err(failed) => {
                    // A file that is missing is looked for at each handshake, and told once.
                    if bad.as_ref().is_none_or(|bad| bad.problems != failed.problems) {
                        reload_failed();
                        for problem in &failed.problems {
                            log::error!("{problem}; the certificate and key from before are kept");
                        }
                    }
                    *bad = Some(failed);
                }
            }
        }
        state
    }
}

impl Keeper for Kept {
    fn context(&self) -> Option<Context> {
        Some(self.state().good.context.clone())
    }
}
