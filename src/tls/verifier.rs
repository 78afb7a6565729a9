//! Which client certificates are good.
//!
//! webpki judges nearly all of them. Exporters with a web configuration file also accept four kinds that it refuses:
//! a certificate that is itself listed among the CAs, one of X.509 version 1, one that could be a CA, and one for any
//! usage. These are judged here: listed itself, or signed directly by a listed CA; within its dates; for clients.

use core::fmt;
use std::string::String;
use std::vec::Vec;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme,
};

use super::chains::Chains;
use super::provider::algorithms;
use super::settings::{Clients, Policy};
use super::trust::Trust;
use super::x509::Certificate;

/// The bytes of CA names that are sent to clients; more are left out, because a client needs them only to choose
/// among several certificates, and the message has to stay within one flight.
const HINTS: usize = 8 * 1024;

pub(super) struct Verifier {
    policy: Policy,
    chains: Chains,
    listed: Vec<CertificateDer<'static>>,
    hints: Vec<DistinguishedName>,
    names: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(clients: &Clients, trust: Trust) -> Self {
        let mut room = HINTS;
        let hints = trust.listed.iter().filter_map(|der| {
            let issuer = Certificate::parse(der).ok()?;
            room = room.checked_sub(issuer.subject.len())?;
            // The name without its header, which the type puts before it again.
            Some(DistinguishedName::in_sequence(issuer.subject_content()?))
        });
        let hints = hints.collect();
        Self {
            policy: clients.policy,
            chains: Chains::new(trust.anchors),
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
        match self.chains.verify(der, intermediates, now) {
            Ok(()) => Ok(()),
            Err(_) if is_refused_by_kind(leaf) && self.is_signed_by_listed(leaf, now) => usable(leaf, now),
            Err(_) if leaf.version < 3 => Err(CertificateError::UnknownIssuer.into()),
            Err(error) => Err(error),
        }
    }

    fn is_signed_by_listed(&self, leaf: &Certificate<'_>, now: UnixTime) -> bool {
        self.listed.iter().any(|der| {
            Certificate::parse(der).is_ok_and(|issuer| {
                issuer.subject == leaf.issuer
                    && issuer.may_sign()
                    // Names are held against constraints by webpki alone.
                    && !issuer.limits_names()
                    && is_within_dates(&issuer, now).is_ok()
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

/// Whether webpki refuses all of its kind.
fn is_refused_by_kind(leaf: &Certificate<'_>) -> bool {
    leaf.version < 3 || leaf.is_ca() || leaf.is_for_any_usage()
}

/// A certificate that needs nobody to vouch for it any more.
fn usable(leaf: &Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    is_within_dates(leaf, now)?;
    if leaf.has_unknown_demands() {
        return Err(CertificateError::UnhandledCriticalExtension.into());
    }
    if leaf.is_for_clients() { Ok(()) } else { Err(CertificateError::InvalidPurpose.into()) }
}

fn is_within_dates(certificate: &Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    if now.as_secs() < certificate.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > certificate.not_after {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<Certificate<'a>, Error> {
    Certificate::parse(der).map_err(|_| CertificateError::BadEncoding.into())
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
