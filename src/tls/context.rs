//! What a server's handshakes run under, made from settings and files, and made anew when a file has changed.

use core::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::vec::Vec;

use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::NoServerSessionStorage;

use super::identity::Identity;
use super::metrics::{NOT_AFTER, RELOADS};
use super::problem::{Part, Problem, Remark};
use super::provider::{provider, versions};
use super::randomness::wait_for_random_numbers;
use super::settings::{Policy, Settings};
use super::trust::Trust;
use super::verifier::Verifier;
use crate::watched::Watched;

/// Tickets sent after a full handshake. A scraper has one connection at a time; each further ticket costs both sides
/// a microsecond and 200 bytes.
const TICKETS: usize = 1;

/// Ready for handshakes. Cheap to clone; connections keep the one that they began with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(super) config: Arc<ServerConfig>,
    /// Whether a client's certificate says who it is, because somebody vouches for it.
    pub(super) verifies: bool,
}

/// Who has the context that is in effect.
pub(crate) trait Keeper: fmt::Debug + Send + Sync {
    /// The context for a handshake that begins now; `None` if there is none that may be used. Reads files again if
    /// they have changed.
    fn context(&self) -> Option<Context>;
}

/// A context with the files that it was made from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) context: Context,
    pub(crate) remarks: Vec<Remark>,
    /// Until when the certificate is valid, in seconds since 1970.
    not_after: u64,
    watched: Vec<Watched>,
}

/// The settings cannot be followed. Their files are watched all the same.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) problems: Vec<Problem>,
    watched: Vec<Watched>,
}

impl Loaded {
    /// Whether making it again would make the same. One stat(2) for each file.
    pub(crate) fn is_current(&mut self) -> bool {
        self.watched.iter_mut().all(Watched::is_current)
    }

    /// Shows on the page that it is in use from now on; `again` if another was before.
    pub(crate) fn now_used(&self, again: bool) {
        NOT_AFTER.set(self.not_after as f64);
        if again {
            RELOADS.inc();
        }
    }

    /// It is of no use for this reason.
    pub(super) fn refused(self, problems: Vec<Problem>) -> Failed {
        Failed { problems, watched: self.watched }
    }

    pub(crate) fn new(settings: &Settings) -> Result<Self, Failed> {
        let mut watched = Vec::new();
        match load(settings, &mut watched) {
            Ok((config, not_after, remarks)) => {
                let context =
                    Context { config: Arc::new(config), verifies: settings.clients.policy.verifies() };
                Ok(Self { context, remarks, not_after, watched })
            }
            Err(problems) => Err(Failed { problems, watched }),
        }
    }
}

impl Failed {
    /// Whether another try would fail alike. A file that could not be read is tried each time.
    pub(crate) fn is_current(&mut self) -> bool {
        !self.watched.is_empty() && self.watched.iter_mut().all(Watched::is_current)
    }
}

fn load(
    settings: &Settings,
    watched: &mut Vec<Watched>,
) -> Result<(ServerConfig, u64, Vec<Remark>), Vec<Problem>> {
    // Reading a key takes some already.
    wait_for_random_numbers();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut remarks = Vec::new();
    let identity = Identity::read(settings, now, watched, &mut remarks);
    let policy = settings.clients.policy;
    let trust =
        if policy.verifies() || settings.clients.ca.is_some() || settings.clients.ca_directory.is_some() {
            Trust::read(&settings.clients, watched, &mut remarks).map(Some)
        } else {
            Ok(None)
        };
    let (identity, trust) = match (identity, trust) {
        (Ok(identity), Ok(trust)) => (identity, trust),
        (identity, trust) => {
            return Err([identity.err(), trust.err()].into_iter().flatten().flatten().collect());
        }
    };
    if policy == Policy::RequireAndVerifyClientCert {
        refuse_nobody(settings, trust.as_ref(), &mut remarks)?;
    }
    let builder = ServerConfig::builder_with_provider(provider(settings))
        .with_protocol_versions(&versions(settings))
        .map_err(|_| {
            Vec::from([Problem::new(
                Part::Suites,
                "they leave nothing for these protocol versions; allow TLS13, or a suite of TLS 1.2",
            )])
        })?;
    let not_after = identity.not_after;
    let identity = Arc::new(identity);
    let mut config = if policy == Policy::NoClientCert {
        let mut config = builder.with_no_client_auth().with_cert_resolver(identity);
        // Only where no client is judged: a resumed session would outlive the judgement. Each context has keys of
        // its own, so no ticket outlives its context either.
        if let Ok(ticketer) = Ticketer::new() {
            config.ticketer = ticketer;
            config.send_tls13_tickets = TICKETS;
        }
        config
    } else {
        let trust = trust.unwrap_or_else(Trust::nobody);
        let verifier = Verifier::new(&settings.clients, trust);
        let mut config = builder.with_client_cert_verifier(Arc::new(verifier)).with_cert_resolver(identity);
        config.send_tls13_tickets = 0;
        config
    };
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ignore_client_order = settings.prefer_server_order;
    // Old clients name 1.0.
    config.alpn_protocols = Vec::from([b"http/1.1".to_vec(), b"http/1.0".to_vec()]);
    Ok((config, not_after, remarks))
}

/// Settings with which not one client could be served.
fn refuse_nobody(
    settings: &Settings,
    trust: Option<&Trust>,
    remarks: &mut Vec<Remark>,
) -> Result<(), Vec<Problem>> {
    if trust.is_none_or(|trust| trust.listed.is_empty() && trust.anchors.is_empty()) {
        let text = remarks.iter().position(|remark| remark.part == Part::ClientCa).map_or_else(
            || "every client must be verified, but no CA is given; name the file of the CA".into(),
            |at| remarks.swap_remove(at).text,
        );
        return Err(Vec::from([Problem::new(Part::ClientCa, text)]));
    }
    if settings.clients.names.as_ref().is_some_and(Vec::is_empty) {
        let text = "the list is empty, so no client is allowed; name one, or leave the list out";
        return Err(Vec::from([Problem::new(Part::ClientNames, text)]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;
    use crate::tls::fixtures::{file, path, settings, settings_for};
    use crate::tls::settings::{Clients, Pem, Suite, Version};

    fn problems(settings: &Settings) -> Vec<(Part, std::string::String)> {
        let failed = Loaded::new(settings).unwrap_err();
        failed.problems.into_iter().map(|problem| (problem.part, problem.text)).collect()
    }

    #[test]
    fn settings_that_serve_nobody_are_refused() {
        let verify = Policy::RequireAndVerifyClientCert;
        let nobody = Clients { policy: verify, ..Clients::default() };
        assert_eq!(
            problems(&Settings { clients: nobody, ..settings() }),
            [(
                Part::ClientCa,
                "every client must be verified, but no CA is given; name the file of the CA".into()
            )]
        );
        let expected = format!(
            "there is no usable certificate in {}; no client can be verified",
            path("server.key").display()
        );
        assert_eq!(problems(&settings_for(verify, "server.key")), [(Part::ClientCa, expected.clone())]);

        let mut unnamed = settings_for(verify, "ca.pem");
        unnamed.clients.names = Some(Vec::new());
        assert_eq!(
            problems(&unnamed),
            [(
                Part::ClientNames,
                "the list is empty, so no client is allowed; name one, or leave the list out".into()
            )]
        );

        // Where a client may also come without a certificate, it is remarked upon.
        let loaded = Loaded::new(&settings_for(Policy::VerifyClientCertIfGiven, "server.key")).unwrap();
        let remarks: Vec<_> = loaded
            .remarks
            .iter()
            .filter(|remark| remark.part != Part::Key)
            .map(|remark| &remark.text)
            .collect();
        assert_eq!(remarks, [&expected]);
        // A pinned client alone is somebody.
        assert!(Loaded::new(&settings_for(verify, "client.pem")).is_ok());
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let mut wrong = settings_for(Policy::NoClientCert, "none.pem");
        wrong.cert = file("server.key");
        wrong.key = Pem::Inline("nothing".into());
        wrong.clients.ca_directory = Some(path("none"));
        let parts: Vec<_> = problems(&wrong).into_iter().map(|(part, _)| part).collect();
        assert_eq!(parts, [Part::Cert, Part::Key, Part::ClientCa, Part::ClientCaDirectory]);
    }

    #[test]
    fn suites_and_versions_must_leave_something() {
        let suites = Some(Vec::from([Suite::TLS_AES_128_GCM_SHA256]));
        let mut settings = Settings { suites, max_version: Version::Tls12, ..settings() };
        let expected = "they leave nothing for these protocol versions; allow TLS13, or a suite of TLS 1.2";
        assert_eq!(problems(&settings), [(Part::Suites, expected.into())]);
        settings.max_version = Version::Tls13;
        assert!(Loaded::new(&settings).is_ok());
    }

    #[test]
    fn a_failure_is_looked_at_again_when_it_may_have_passed() {
        let mut missing = Loaded::new(&Settings { cert: file("none.pem"), ..settings() }).unwrap_err();
        assert!(!missing.is_current());
        let mut wrong = Loaded::new(&Settings { key: file("client.key"), ..settings() }).unwrap_err();
        assert!(wrong.is_current());
        assert!(Loaded::new(&settings()).unwrap().is_current());
    }
}
