//! The certificates of `tests/data/certs`, for tests and fuzz targets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec::Vec;

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion};

use super::context::{Context, Keeper, Loaded};
use super::settings::{Clients, Pem, Policy, Settings, Version};

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(name)
}

#[cfg(test)]
pub(super) fn text(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

pub(super) fn file(name: &str) -> Pem {
    Pem::File(path(name))
}

pub(super) fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path(name)).unwrap()
}

/// A server for everybody.
pub(super) fn settings() -> Settings {
    Settings {
        cert: file("server.pem"),
        key: file("server.key"),
        clients: Clients::default(),
        min_version: Version::Tls12,
        max_version: Version::Tls13,
        suites: None,
        curves: None,
        prefer_server_order: true,
    }
}

/// A server for clients with a certificate.
pub(super) fn settings_for(policy: Policy, ca: &str) -> Settings {
    Settings { clients: Clients { policy, ca: Some(file(ca)), ..Clients::default() }, ..settings() }
}

/// Keeps one context, or none.
#[derive(Debug)]
pub(super) struct Fixed(pub(super) Option<Context>);

impl Fixed {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(Some(Loaded::new(settings).unwrap().context))
    }
}

impl Keeper for Fixed {
    fn context(&self) -> Option<Context> {
        self.0.clone()
    }
}

/// Who a client says it is: certificates, of which the first is its own, and its key.
pub(super) type Who<'a> = Option<(&'a [&'a str], &'a str)>;

/// A client that trusts the CA.
pub(super) fn client(who: Who<'_>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match who {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = chain.iter().map(|name| certificate(name)).collect();
            let key = PrivateKeyDer::from_pem_file(path(key)).unwrap();
            let certified = CertifiedKey::new(chain, any_supported_type(&key).unwrap());
            builder.with_client_cert_resolver(Arc::new(Always(Arc::new(certified))))
        }
    }
}

/// Shows its certificate whatever the server would like to see.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
