//! TLS by the builder: certificate and key files, client certificates.

use std::format;
use std::path::PathBuf;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::builder::ServerBuilder;
use super::encryption::METRICS;
use super::lock::{Lock, Opened, Reread};
use crate::Error;
use crate::tls::{Clients, Kept, Part, Pem, Policy, Problem, Settings, Version};

/// The lowest TLS version that a server accepts; see [`ServerBuilder::tls_min_version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsVersion {
    /// RFC 5246
    Tls12,
    /// RFC 8446
    Tls13,
}

/// What the builder was told of TLS.
#[derive(Debug)]
pub(crate) struct TlsSettings {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca_file: Option<PathBuf>,
    client_ca_path: Option<PathBuf>,
    client_auth_required: bool,
    client_names: Option<Vec<String>>,
    min_version: Option<TlsVersion>,
}

impl ServerBuilder {
    /// Serves HTTPS with the certificate chain in this PEM file, the server's own certificate first. Needs
    /// [`keyfile`](Self::keyfile); both may be the same file.
    ///
    /// TLS 1.2 and 1.3 are spoken. The files are read at the start and, with one `stat(2)` for each, looked at for
    /// each handshake: a changed certificate or key holds for the next connection, without a restart. If it cannot be
    /// used, the one from before stays, which is logged and counted
    /// (`scrapeport_tls_reload_failures_total`).
    pub fn certfile(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.cert = Some(path.into());
        self
    }

    /// The private key of the certificate, PEM: PKCS #8, PKCS #1 or SEC 1, without a pass phrase; RSA of 2048 to 4096
    /// bits, P-256, P-384 or Ed25519.
    pub fn keyfile(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.key = Some(path.into());
        self
    }

    /// The certificates in this PEM file vouch for clients: a client's certificate is verified if there is one. Adds
    /// to [`client_capath`](Self::client_capath). Watched like the certificate.
    pub fn client_cafile(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.client_ca_file = Some(path.into());
        self
    }

    /// The certificates in all PEM files of this directory vouch for clients, whatever the files are called; files
    /// without a certificate are passed over.
    pub fn client_capath(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.client_ca_path = Some(path.into());
        self
    }

    /// Whether a client must have a certificate that somebody vouches for; not unless set. With neither
    /// [`client_cafile`](Self::client_cafile) nor [`client_capath`](Self::client_capath) the public certificate
    /// authorities do: that lets in everybody who can get a certificate from one of them, so name the clients too.
    pub const fn client_auth_required(mut self, required: bool) -> Self {
        self.tls.client_auth_required = required;
        self
    }

    /// The names of which a client's certificate must have one among its subject alternative names (RFC 5280
    /// §4.2.1.6): DNS names, e-mail addresses, URIs, IP addresses, compared byte for byte. A client without
    /// certificate is refused.
    pub fn client_allowed_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.tls.client_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The lowest version of TLS, 1.2 unless set.
    pub const fn tls_min_version(mut self, version: TlsVersion) -> Self {
        self.tls.min_version = Some(version);
        self
    }
}

impl TlsSettings {
    pub(super) const fn new() -> Self {
        Self {
            cert: None,
            key: None,
            client_ca_file: None,
            client_ca_path: None,
            client_auth_required: false,
            client_names: None,
            min_version: None,
        }
    }

    fn settings(&self) -> Result<Option<Settings>, Error> {
        let setting = |setting, problem| Err(Error::Setting { setting, problem });
        let (cert, key) = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => (cert, key),
            (Some(_), None) => {
                return setting(
                    "keyfile",
                    "is missing; give the private key of the certfile, or the same file",
                );
            }
            (None, Some(_)) => return setting("certfile", "is missing; give the certificate of the keyfile"),
            (None, None) => {
                let needs = "needs certfile and keyfile: without them the server speaks plain HTTP";
                return match self.named_without_certificate() {
                    Some(name) => setting(name, needs),
                    None => Ok(None),
                };
            }
        };
        let has_ca = self.client_ca_file.is_some() || self.client_ca_path.is_some();
        let policy = match (self.client_auth_required, has_ca) {
            (true, _) => Policy::RequireAndVerifyClientCert,
            (false, true) => Policy::VerifyClientCertIfGiven,
            (false, false) => Policy::NoClientCert,
        };
        match &self.client_names {
            Some(_) if policy == Policy::NoClientCert => {
                return setting("client_allowed_names", "needs client_auth_required or a CA of clients");
            }
            Some(names) if names.is_empty() => {
                return setting("client_allowed_names", "is empty, so no client is allowed; name one");
            }
            _ => {}
        }
        Ok(Some(Settings {
            cert: Pem::File(cert.clone()),
            key: Pem::File(key.clone()),
            clients: Clients {
                policy,
                ca: self.client_ca_file.clone().map(Pem::File),
                ca_directory: self.client_ca_path.clone(),
                public_roots: self.client_auth_required && !has_ca,
                names: self.client_names.clone(),
            },
            min_version: match self.min_version {
                None | Some(TlsVersion::Tls12) => Version::Tls12,
                Some(TlsVersion::Tls13) => Version::Tls13,
            },
            max_version: Version::Tls13,
            suites: None,
            curves: None,
            prefer_server_order: true,
        }))
    }

    fn named_without_certificate(&self) -> Option<&'static str> {
        [
            ("client_cafile", self.client_ca_file.is_some()),
            ("client_capath", self.client_ca_path.is_some()),
            ("client_auth_required", self.client_auth_required),
            ("client_allowed_names", self.client_names.is_some()),
            ("tls_min_version", self.min_version.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }

    /// Whether anything was said.
    pub(super) fn is_empty(&self) -> bool {
        self.cert.is_none() && self.key.is_none() && self.named_without_certificate().is_none()
    }
}

impl Lock for TlsSettings {
    fn open(&self, _connections: usize) -> Result<Opened, Error> {
        let Some(settings) = self.settings()? else { return Ok(Opened::default()) };
        let kept = Arc::new(Kept::new(settings).map_err(|problems| error(&problems))?);
        Ok(Opened { encryption: Some(kept.clone()), gate: None, files: Some(kept), metrics: Some(&METRICS) })
    }
}

impl Reread for Kept {
    fn reread(&self) -> Result<(), Error> {
        self.look().map_err(|problems| error(&problems))
    }
}

/// All problems in one line; the first names the setting.
fn error(problems: &[Problem]) -> Error {
    let name = |part| match part {
        Part::Key => "keyfile",
        Part::ClientCa => "client_cafile",
        Part::ClientCaDirectory => "client_capath",
        Part::ClientNames => "client_allowed_names",
        Part::Versions | Part::Suites => "tls_min_version",
        Part::Cert => "certfile",
    };
    let mut problems = problems.iter();
    let first = problems.next();
    let mut text = first.map_or_else(String::new, |problem| problem.text.clone());
    for problem in problems {
        text = format!("{text}; {}: {problem}", name(problem.part));
    }
    Error::Tls {
        setting: first.map_or("certfile", |problem| name(problem.part)),
        problem: text.into_boxed_str(),
    }
}
