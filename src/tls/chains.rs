//! Chains of certificates, judged by webpki, up to the trust anchors.
//!
//! webpki does not ask whether an anchor has expired, because RFC 5280 §6.1 leaves that open; the other exporters with
//! a web configuration file do. So only those that are within their dates are shown to it.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error, RootCertStore};

use super::trust::Anchor;

/// The anchors, and webpki's verifier over those that vouch now.
pub(super) struct Chains {
    anchors: Vec<Anchor>,
    current: Mutex<Option<Current>>,
}

/// A verifier, and from when until before when the same anchors vouch.
struct Current {
    from: u64,
    until: u64,
    /// None if there is no anchor.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl Chains {
    pub(super) const fn new(anchors: Vec<Anchor>) -> Self {
        Self { anchors, current: Mutex::new(None) }
    }

    /// Whether there is a chain from an anchor to the certificate.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(verifier) = self.at(now.as_secs()) else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        verifier.verify_client_cert(leaf, intermediates, now).map(drop)
    }

    fn at(&self, now: u64) -> Option<Arc<dyn ClientCertVerifier>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(current) if (current.from..current.until).contains(&now) => current.verifier.clone(),
            _ => current.insert(self.made_for(now)).verifier.clone(),
        }
    }

    fn made_for(&self, now: u64) -> Current {
        let dates = self.anchors.iter().flat_map(|anchor| [anchor.from, anchor.until.saturating_add(1)]);
        let from = dates.clone().filter(|date| *date <= now).max().unwrap_or(0);
        let until = dates.filter(|date| *date > now).min().unwrap_or(u64::MAX);
        let vouching = self.anchors.iter().filter(|anchor| (anchor.from..=anchor.until).contains(&now));
        let roots = RootCertStore { roots: vouching.map(|anchor| anchor.anchor.clone()).collect() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Current { from, until, verifier: verifier.ok() }
    }
}

impl fmt::Debug for Chains {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Chains").field("anchors", &self.anchors).finish_non_exhaustive()
    }
}
