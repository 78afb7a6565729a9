//! Which client certificates are good.
//!
//! webpki judges nearly all of them. Exporters with a web configuration file also accept three kinds that it refuses:
//! a certificate that is itself listed among the CAs, one of X.509 version 1, and one that could be a CA. These are
//! judged here: listed itself, or signed directly by a listed certificate; within its dates; for clients.

use core::fmt;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme,
};

use super::provider::algorithms;
use super::settings::{Clients, Policy};
use super::trust::Trust;
use super::x509::Certificate;

/// The bytes of CA names that are sent to clients; more are left out, because a client needs them only to choose
/// among several certificates, and the message has to stay within one flight.
const HINTS: usize = 8 * 1024;

pub(super) struct Verifier {
    policy: Policy,
    /// webpki's, if there is an anchor to verify against.
    chains: Option<Arc<dyn ClientCertVerifier>>,
    listed: Vec<CertificateDer<'static>>,
    hints: Vec<DistinguishedName>,
    names: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(clients: &Clients, trust: Trust) -> Self {
        let mut room = HINTS;
        let hints = trust.listed.iter().filter_map(|der| {
            let subject = Certificate::parse(der).ok()?.subject;
            room = room.checked_sub(subject.len())?;
            // The name without its header, which the type puts before it again.
            Some(DistinguishedName::in_sequence(content(subject)?))
        });
        let hints = hints.collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chains = WebPkiClientVerifier::builder_with_provider(Arc::new(trust.anchors), provider);
        Self {
            policy: clients.policy,
            chains: chains.build().ok(),
            listed: trust.listed,
            hints,
            names: clients.names.clone(),
            algorithms: algorithms(),
        }
    }

    fn verify_chain(
        &self,
        der: &CertificateDer<'_>,
        leaf: &Certificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.listed.iter().any(|listed| listed == der) {
            return usable(leaf, now);
        }
        let Some(chains) = &self.chains else { return Err(CertificateError::UnknownIssuer.into()) };
        match chains.verify_client_cert(der, intermediates, now) {
            Ok(_) => Ok(()),
            Err(_) if (leaf.version < 3 || leaf.is_ca()) && self.is_signed_by_listed(leaf) => {
                usable(leaf, now)
            }
            Err(_) if leaf.version < 3 => Err(CertificateError::UnknownIssuer.into()),
            // A CA with a trusted name and another key, made anew for instance. The client's certificate is in order.
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) => {
                Err(CertificateError::UnknownIssuer.into())
            }
            Err(error) => Err(error),
        }
    }

    fn is_signed_by_listed(&self, leaf: &Certificate<'_>) -> bool {
        self.listed.iter().any(|der| {
            Certificate::parse(der).is_ok_and(|issuer| {
                issuer.subject == leaf.issuer
                    && self.algorithms.all.iter().any(|algorithm| {
                        algorithm.signature_alg_id().as_ref() == leaf.signature_algorithm
                            && algorithm.public_key_alg_id().as_ref() == issuer.key.algorithm
                            && algorithm
                                .verify_signature(issuer.key.bits, leaf.signed, leaf.signature)
                                .is_ok()
                    })
            })
        })
    }

    fn verify_names(&self, leaf: &Certificate<'_>) -> Result<(), Error> {
        match &self.names {
            Some(allowed) if !leaf.names().iter().any(|name| allowed.contains(name)) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(()),
        }
    }

    /// Whether the client has the key: the same for certificates of every version.
    fn verify_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        only_first: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let leaf = parse(der)?;
        let mapped = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, candidates) = mapped.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let candidates = if only_first { &candidates[..candidates.len().min(1)] } else { candidates };
        let valid = candidates.iter().any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == leaf.key.algorithm
                && algorithm.verify_signature(leaf.key.bits, message, signed.signature()).is_ok()
        });
        if valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }
}

/// A certificate that needs nobody to vouch for it any more.
fn usable(leaf: &Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    if now.as_secs() < leaf.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > leaf.not_after {
        return Err(CertificateError::Expired.into());
    }
    if leaf.is_for_clients() { Ok(()) } else { Err(CertificateError::InvalidPurpose.into()) }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<Certificate<'a>, Error> {
    Certificate::parse(der).map_err(|_| CertificateError::BadEncoding.into())
}

/// What is inside an element.
fn content(element: &[u8]) -> Option<&[u8]> {
    match *element.get(1)? {
        length @ ..0x80 => element.get(2..2 + usize::from(length)),
        0x81 => element.get(3..),
        0x82 => element.get(4..),
        _ => None,
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.policy != Policy::NoClientCert
    }

    fn client_auth_mandatory(&self) -> bool {
        self.policy.requires() || (self.offer_client_auth() && self.names.is_some())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        der: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let leaf = parse(der)?;
        if self.policy.verifies() {
            self.verify_chain(der, &leaf, intermediates, now)?;
        }
        self.verify_names(&leaf)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, der, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if matches!(
            signed.scheme,
            SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
        ) {
            // RFC 8446 §4.2.3: only in certificates.
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        self.verify_signature(message, der, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Verifier").field("policy", &self.policy).finish_non_exhaustive()
    }
}
