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
use super::settings::{Policy, Settings};
use super::trust::Trust;
use super::verifier::Verifier;
use crate::watched::Watched;

/// Tickets sent after a full handshake. A scraper has one connection at a time; each further ticket costs both sides
/// a microsecond and 200 bytes.
const TICKETS: usize = 1;

/// Ready for handshakes. Cheap to clone; connections keep the one that they began with.
#[derive(Clone, Debug)]
pub(crate) struct Context(pub(super) Arc<ServerConfig>);

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
    pub(crate) not_after: u64,
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

    /// Tells the metrics that handshakes go by this from now on.
    pub(crate) fn now_used(&self, again: bool) {
        NOT_AFTER.set(self.not_after as f64);
        if again {
            RELOADS.inc();
        }
    }

    pub(crate) fn new(settings: &Settings) -> Result<Self, Failed> {
        let mut watched = Vec::new();
        match load(settings, &mut watched) {
            Ok((config, not_after, remarks)) => {
                Ok(Self { context: Context(Arc::new(config)), remarks, not_after, watched })
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
