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
        let good = load(&settings).map_err(|failed| failed.problems)?;
        good.remarks.iter().for_each(|remark| log::warn!("{remark}"));
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
            match load(&self.settings) {
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

/// Whoever names a CA to the builder wants it to vouch for somebody.
fn load(settings: &Settings) -> Result<Loaded, Failed> {
    let loaded = Loaded::new(settings)?;
    let useless = |remark: &&Problem| matches!(remark.part, Part::ClientCa | Part::ClientCaDirectory);
    match loaded.remarks.iter().find(useless).cloned() {
        Some(useless) => Err(loaded.refused(Vec::from([useless]))),
        None => Ok(loaded),
    }
}

impl Keeper for Kept {
    fn context(&self) -> Option<Context> {
        Some(self.state().good.context.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::string::String;
    use std::sync::Arc;

    use super::*;
    use crate::tls::fixtures::{path, settings};
    use crate::tls::metrics::TLS_METRICS;
    use crate::tls::settings::{Clients, Pem, Policy};

    /// Files that change.
    struct Folder(PathBuf, #[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

    /// The metrics are those of the process.
    static ALONE: Mutex<()> = Mutex::new(());

    impl Folder {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(std::format!("scrapeport-kept-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder, ALONE.lock().unwrap_or_else(PoisonError::into_inner))
        }

        fn put(&self, name: &str, content: &str) {
            fs::copy(path(content), self.0.join(name)).unwrap();
        }

        fn settings(&self) -> Settings {
            Settings {
                cert: Pem::File(self.0.join("cert")),
                key: Pem::File(self.0.join("key")),
                ..settings()
            }
        }

        fn settings_for_clients(&self) -> Settings {
            let clients = Clients {
                policy: Policy::VerifyClientCertIfGiven,
                ca: Some(Pem::File(self.0.join("ca"))),
                ..Clients::default()
            };
            Settings { clients, ..self.settings() }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn same(before: &Context, kept: &Kept) -> bool {
        Arc::ptr_eq(&before.config, &kept.context().unwrap().config)
    }

    fn page() -> String {
        TLS_METRICS.to_text(crate::text::Format::default())
    }

    fn value(page: &str, series: &str) -> f64 {
        let line = page.lines().find(|line| line.split(' ').next() == Some(series)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    #[test]
    fn what_changes_is_read_again_and_what_breaks_is_not_used() {
        let folder = Folder::new("changes");
        folder.put("cert", "server.pem");
        folder.put("key", "server.key");
        let kept = Kept::new(folder.settings()).unwrap();
        let counted = |series| value(&page(), series);
        let (reloads, failures) = ("scrapeport_tls_reloads_total", "scrapeport_tls_reload_failures_total");
        assert_eq!(counted("scrapeport_tls_certificate_not_after_seconds"), 4_102_444_799.0);
        let (reloads_before, failures_before) = (counted(reloads), counted(failures));

        let first = kept.context().unwrap();
        assert!(same(&first, &kept) && kept.look().is_ok(), "nothing has changed");

        // The new certificate, but not yet its key.
        folder.put("cert", "server-p384.pem");
        assert!(same(&first, &kept));
        assert_eq!(kept.look().unwrap_err().len(), 1);
        assert!(same(&first, &kept));
        assert_eq!(
            (counted(reloads), counted(failures)),
            (reloads_before, failures_before + 1.0),
            "told once"
        );
        folder.put("key", "server-p384.key");
        assert!(!same(&first, &kept) && kept.look().is_ok());
        assert_eq!((counted(reloads), counted(failures)), (reloads_before + 1.0, failures_before + 1.0));

        // Missing, then broken, then as before.
        let second = kept.context().unwrap();
        fs::remove_file(folder.0.join("cert")).unwrap();
        assert!(same(&second, &kept) && same(&second, &kept));
        assert_eq!(counted(failures), failures_before + 2.0, "each handshake looks, and one is told");
        fs::write(folder.0.join("cert"), "").unwrap();
        assert!(same(&second, &kept));
        assert_eq!(counted(failures), failures_before + 3.0);
        folder.put("cert", "server-p384.pem");
        assert!(!same(&second, &kept) && kept.look().is_ok());

        // Another certificate to the same key, by another file under its name; it may have expired.
        folder.put("new", "server-expired.pem");
        folder.put("key", "server.key");
        fs::rename(folder.0.join("new"), folder.0.join("cert")).unwrap();
        assert!(kept.look().is_ok());
        assert_eq!(counted("scrapeport_tls_certificate_not_after_seconds"), 978_307_200.0);
    }

    #[test]
    fn a_ca_that_becomes_useless_is_kept() {
        let folder = Folder::new("ca");
        folder.put("cert", "server.pem");
        folder.put("key", "server.key");
        folder.put("ca", "server.key");
        let problems = Kept::new(folder.settings_for_clients()).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.part).collect::<Vec<_>>(), [Part::ClientCa]);
        folder.put("ca", "ca.pem");
        let kept = Kept::new(folder.settings_for_clients()).unwrap();
        let first = kept.context().unwrap();
        folder.put("ca", "server.key");
        assert!(same(&first, &kept));
        assert_eq!(kept.look().unwrap_err()[0].part, Part::ClientCa);
        folder.put("ca", "ca-v1.pem");
        assert!(!same(&first, &kept) && kept.look().is_ok());
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let folder = Folder::new("wrong");
        let problems = Kept::new(folder.settings_for_clients()).unwrap_err();
        let parts: Vec<_> = problems.iter().map(|problem| problem.part).collect();
        assert_eq!(parts, [Part::Cert, Part::Key, Part::ClientCa]);
    }
}
