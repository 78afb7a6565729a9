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
            Err(error) => {
                // With a clock that has not been set no CA vouches either, but that is not what is wrong.
                is_within_dates(leaf, now)?;
                // A CA with a trusted name and another key, made anew for instance: the client's certificate is in order.
                let is_other_ca = error == CertificateError::BadSignature.into();
                Err(if leaf.version < 3 || is_other_ca {
                    CertificateError::UnknownIssuer.into()
                } else {
                    error
                })
            }
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

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::format;

    use super::*;
    use crate::tls::fixtures::{certificate, file};

    /// 2026-01-01, and 2100-01-01.
    const NOW: u64 = 1_767_225_600;
    const LATER: u64 = 4_102_444_800;

    fn verifier(clients: Clients) -> Verifier {
        let trust = Trust::read(&clients, &mut Vec::new(), &mut Vec::new()).unwrap();
        Verifier::new(&clients, trust)
    }

    fn trusting(ca: &str) -> Verifier {
        let policy = Policy::RequireAndVerifyClientCert;
        verifier(Clients { policy, ca: Some(file(ca)), ..Clients::default() })
    }

    fn judged(verifier: &Verifier, chain: &[&str], now: u64) -> Result<(), CertificateError> {
        let chain: Vec<_> = chain.iter().map(|name| certificate(name)).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        match verifier.verify_client_cert(&chain[0], &chain[1..], now) {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    /// The reason as it is counted.
    fn reason(verifier: &Verifier, chain: &[&str], now: u64) -> &'static str {
        let failure = |error: CertificateError| crate::tls::failure::Failure::of(&error.into()).reason();
        judged(verifier, chain, now).map_or_else(failure, |()| "good")
    }

    #[test]
    fn clients_of_the_ca_are_good_within_their_dates_and_for_their_usage() {
        let verifier = trusting("ca.pem");
        for (chain, expected) in [
            (&["client.pem"][..], "good"),
            (&["client-plain.pem"], "good"),
            (&["client-rsa.pem"], "good"),
            (&["client-ed25519.pem"], "good"),
            (&["client-any-usage.pem"], "good"),
            (&["client-v1.pem"], "good"),
            (&["client-with-ca.pem"], "good"),
            (&["client-chained.pem", "intermediate.pem"], "good"),
            (&["client-chained.pem", "ca.pem", "intermediate.pem", "client.pem"], "good"),
            (&["client-chained.pem"], "unknown_ca"),
            (&["client-for-servers.pem"], "unsupported_certificate"),
            (&["client-with-ca-for-servers.pem"], "unsupported_certificate"),
            (&["client-with-ca-critical.pem"], "bad_certificate"),
            (&["client-expired.pem"], "certificate_expired"),
            (&["client-v1-expired.pem"], "certificate_expired"),
            (&["client-future.pem"], "certificate_not_yet_valid"),
            (&["client-self.pem"], "unknown_ca"),
            (&["client-self-v1.pem"], "unknown_ca"),
            (&["client-by-expired.pem"], "unknown_ca"),
            // The CA itself is listed.
            (&["ca.pem"], "good"),
        ] {
            assert_eq!(reason(&verifier, chain, NOW), expected, "{chain:?}");
        }
        assert_eq!(reason(&verifier, &["client-v1.pem"], 0), "certificate_not_yet_valid");
        assert_eq!(reason(&verifier, &["ca.pem"], LATER), "certificate_expired");
    }

    #[test]
    fn whoever_is_listed_is_good_for_itself_alone() {
        for name in
            ["client", "client-self", "client-self-ca", "client-self-v1", "client-v1", "client-chained"]
        {
            let name = format!("{name}.pem");
            assert_eq!(judged(&trusting(&name), &[&name], NOW), Ok(()), "{name}");
        }
        for (name, expected) in [
            ("client-expired.pem", "certificate_expired"),
            ("client-future.pem", "certificate_not_yet_valid"),
            ("client-for-servers.pem", "unsupported_certificate"),
            ("client-with-ca-critical.pem", "bad_certificate"),
        ] {
            assert_eq!(reason(&trusting(name), &[name], NOW), expected, "{name}");
        }
        // Its key signs no others, of whatever kind.
        let verifier = trusting("client.pem");
        for name in ["forged-by-client.pem", "forged-by-client-v1.pem", "forged-by-client-ca.pem"] {
            assert_eq!(reason(&verifier, &[name, "client.pem"], NOW), "unknown_ca", "{name}");
        }
        let verifier = trusting("ca.pem");
        assert_ne!(reason(&verifier, &["forged-by-client.pem", "client.pem"], NOW), "good");
        assert_ne!(reason(&verifier, &["forged-by-client-ca.pem", "client.pem"], NOW), "good");
        assert_ne!(reason(&verifier, &["forged-by-client-v1.pem", "client.pem"], NOW), "good");
    }

    #[test]
    fn an_intermediate_may_be_the_only_one_that_vouches() {
        let verifier = trusting("intermediate.pem");
        assert_eq!(judged(&verifier, &["client-chained.pem"], NOW), Ok(()));
        assert_eq!(reason(&verifier, &["client.pem"], NOW), "unknown_ca");
    }

    #[test]
    fn a_ca_vouches_within_its_dates_and_its_usage() {
        for (issuer, plain, v1, with_ca) in [
            ("v1", "good", "good", "good"),
            // webpki alone knows what names a CA is limited to.
            ("limited", "good", "unknown_ca", "bad_certificate"),
            ("for-servers", "unknown_ca", "unknown_ca", "unknown_ca"),
            ("not-signing", "unknown_ca", "unknown_ca", "unknown_ca"),
            ("expired", "unknown_ca", "unknown_ca", "unknown_ca"),
            ("future", "unknown_ca", "unknown_ca", "unknown_ca"),
        ] {
            let verifier = trusting(&format!("ca-{issuer}.pem"));
            for (kind, expected) in [("", plain), ("-v1", v1), ("-with-ca", with_ca)] {
                let name = format!("client-by-{issuer}{kind}.pem");
                assert_eq!(reason(&verifier, &[&name], NOW), expected, "{name}");
            }
        }
    }

    #[test]
    fn a_ca_begins_and_ends_to_vouch_while_the_server_runs() {
        // Until the first second of 2001 inclusive; from 2090.
        let expired = trusting("ca-expired.pem");
        for (now, expected) in
            [(978_307_200, "good"), (978_307_201, "unknown_ca"), (978_307_200, "good"), (NOW, "unknown_ca")]
        {
            assert_eq!(reason(&expired, &["client-by-expired.pem"], now), expected, "{now}");
        }
        let future = trusting("ca-future.pem");
        for (now, expected) in [(3_786_911_999, "unknown_ca"), (3_786_912_000, "good")] {
            assert_eq!(reason(&future, &["client-by-future.pem"], now), expected, "{now}");
        }
    }

    #[test]
    fn nobody_vouches_where_nobody_is_named() {
        let verifier = verifier(Clients { policy: Policy::VerifyClientCertIfGiven, ..Clients::default() });
        assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
        assert_eq!(reason(&verifier, &["client.pem"], NOW), "unknown_ca");
        assert!(verifier.root_hint_subjects().is_empty());
    }

    #[test]
    fn one_of_the_names_must_be_allowed() {
        let allowing = |policy, names: &[&str]| {
            let names = Some(names.iter().map(|name| String::from(*name)).collect());
            verifier(Clients { policy, ca: Some(file("ca.pem")), names, ..Clients::default() })
        };
        let policy = Policy::RequireAndVerifyClientCert;
        for name in [
            "scraper.example.org",
            "ops@example.org",
            "spiffe://example.org/prometheus",
            "192.0.2.7",
            "2001:db8::7",
        ] {
            for chain in ["client.pem", "client-with-ca.pem"] {
                assert_eq!(reason(&allowing(policy, &["x", name]), &[chain], NOW), "good", "{name}");
            }
            let verifier = allowing(policy, &[name]);
            for chain in ["client-plain.pem", "client-v1.pem", "client-rsa.pem"] {
                assert_eq!(reason(&verifier, &[chain], NOW), "name_not_allowed", "{chain}");
            }
        }
        for name in [
            "SCRAPER.example.org",
            "*.example.org",
            "scraper.example.org.",
            "client",
            "somebody",
            "2001:DB8:0:0:0:0:0:7",
            "",
        ] {
            assert_eq!(
                reason(&allowing(policy, &[name]), &["client.pem"], NOW),
                "name_not_allowed",
                "{name}"
            );
        }
        assert_eq!(reason(&allowing(policy, &[]), &["client.pem"], NOW), "name_not_allowed");
        // The chain comes first, and where it does not count the names still do.
        let verifier = allowing(policy, &["scraper.example.org"]);
        assert_eq!(reason(&verifier, &["forged-by-client.pem"], NOW), "unknown_ca");
        let verifier = allowing(Policy::RequestClientCert, &["scraper.example.org"]);
        assert_eq!(reason(&verifier, &["forged-by-client.pem"], NOW), "good");
        assert_eq!(reason(&verifier, &["client-plain.pem"], NOW), "name_not_allowed");
        assert!(verifier.client_auth_mandatory(), "who has no certificate has no name");
    }

    #[test]
    fn what_is_no_certificate_is_refused_under_every_policy() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        for policy in [Policy::RequestClientCert, Policy::RequireAndVerifyClientCert] {
            let verifier = verifier(Clients { policy, ..Clients::default() });
            for der in [&[][..], &[0x30, 0], &[0xff; 40]] {
                let result = verifier.verify_client_cert(&CertificateDer::from(der), &[], now);
                assert_eq!(result.map(|_| ()), Err(CertificateError::BadEncoding.into()));
            }
        }
    }

    #[test]
    fn clients_are_told_the_names_of_the_cas() {
        let verifier = trusting("ca.pem");
        let ca = certificate("ca.pem");
        let subject = Certificate::parse(&ca).unwrap().subject;
        assert_eq!(
            verifier.root_hint_subjects().iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(),
            [subject]
        );
    }
}
