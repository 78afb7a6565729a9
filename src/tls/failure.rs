//! Why handshakes fail, in words that stand in a label: those of the alerts (RFC 8446 §6.2) where there is one.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible, PeerMisbehaved};

use crate::http::transport::Gone;

/// The reasons that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It took longer than it may.
    TimedOut,
    /// The client left, or was given up for another.
    Closed,
    /// Plain HTTP came.
    PlainHttp,
    /// Something else that is no TLS came.
    NotTls,
    /// No common version.
    ProtocolVersion,
    /// No common suite, group or signature.
    NothingInCommon,
    /// No common application protocol.
    NoApplicationProtocol,
    /// The client has no certificate, and must have one.
    CertificateRequired,
    /// Nobody who is trusted vouches for the client's certificate.
    UnknownCa,
    /// It has expired.
    CertificateExpired,
    /// It is not valid yet.
    CertificateNotYetValid,
    /// It is not for clients.
    UnsupportedCertificate,
    /// It has none of the allowed names.
    NameNotAllowed,
    /// It is malformed, or the client does not have its key.
    BadCertificate,
    /// The client broke off with an alert: mostly it does not trust our certificate.
    ClientAlert,
    /// Our own certificate, key or configuration cannot be used now.
    Configuration,
    /// The client does not keep to the protocol.
    ProtocolError,
}

impl From<Gone> for Failure {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::TimedOut => Self::TimedOut,
            Gone::Closed => Self::Closed,
        }
    }
}

/// In the order of the variants.
pub(crate) const REASONS: [&str; 17] = [
    "timed_out",
    "closed",
    "plain_http",
    "not_tls",
    "protocol_version",
    "handshake_failure",
    "no_application_protocol",
    "certificate_required",
    "unknown_ca",
    "certificate_expired",
    "certificate_not_yet_valid",
    "unsupported_certificate",
    "name_not_allowed",
    "bad_certificate",
    "client_alert",
    "configuration",
    "protocol_error",
];

impl Failure {
    /// The label value.
    pub(crate) const fn reason(self) -> &'static str {
        REASONS[self as usize]
    }

    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::NoCertificatesPresented => Self::CertificateRequired,
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::InvalidMessage(_) => Self::ProtocolError,
            Error::NoApplicationProtocol => Self::NoApplicationProtocol,
            Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled) => {
                Self::Closed
            }
            Error::AlertReceived(_) => Self::ClientAlert,
            Error::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::Tls13RequiredForQuic
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                // It came with TLS 1.2: those without it speak an older one.
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
            ) => Self::ProtocolVersion,
            Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => {
                Self::BadCertificate
            }
            Error::PeerIncompatible(_) => Self::NothingInCommon,
            Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => {
                Self::BadCertificate
            }
            _ => Self::ProtocolError,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::CertificateExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::CertificateNotYetValid
            }
            CertificateError::UnknownIssuer => Self::UnknownCa,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::UnsupportedCertificate
            }
            CertificateError::ApplicationVerificationFailure => Self::NameNotAllowed,
            _ => Self::BadCertificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::{InvalidMessage, OtherError};

    use super::*;

    #[test]
    fn reasons_are_in_the_order_of_the_variants() {
        assert_eq!(Failure::TimedOut.reason(), "timed_out");
        assert_eq!(Failure::NothingInCommon.reason(), "handshake_failure");
        assert_eq!(Failure::NameNotAllowed.reason(), "name_not_allowed");
        assert_eq!(Failure::ProtocolError.reason(), "protocol_error");
        assert_eq!(Failure::ProtocolError as usize + 1, REASONS.len());
        for (at, reason) in REASONS.iter().enumerate() {
            assert!(!REASONS[..at].contains(reason));
            assert!(reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
    }

    #[test]
    fn errors_have_their_reasons() {
        for (error, failure) in [
            (Error::NoCertificatesPresented, Failure::CertificateRequired),
            (CertificateError::Expired.into(), Failure::CertificateExpired),
            (CertificateError::NotValidYet.into(), Failure::CertificateNotYetValid),
            (CertificateError::UnknownIssuer.into(), Failure::UnknownCa),
            (CertificateError::InvalidPurpose.into(), Failure::UnsupportedCertificate),
            (CertificateError::ApplicationVerificationFailure.into(), Failure::NameNotAllowed),
            (CertificateError::BadSignature.into(), Failure::BadCertificate),
            (CertificateError::BadEncoding.into(), Failure::BadCertificate),
            (Error::InvalidMessage(InvalidMessage::InvalidCcs), Failure::ProtocolError),
            (Error::NoApplicationProtocol, Failure::NoApplicationProtocol),
            (Error::AlertReceived(AlertDescription::CloseNotify), Failure::Closed),
            (Error::AlertReceived(AlertDescription::UserCanceled), Failure::Closed),
            (Error::AlertReceived(AlertDescription::UnknownCA), Failure::ClientAlert),
            (PeerIncompatible::Tls12NotOfferedOrEnabled.into(), Failure::ProtocolVersion),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), Failure::NothingInCommon),
            (PeerIncompatible::NoKxGroupsInCommon.into(), Failure::NothingInCommon),
            (PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon.into(), Failure::BadCertificate),
            (PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into(), Failure::BadCertificate),
            (PeerMisbehaved::TooManyEmptyFragments.into(), Failure::ProtocolError),
            (Error::DecryptError, Failure::ProtocolError),
            (Error::Other(OtherError(std::sync::Arc::new(core::fmt::Error))), Failure::ProtocolError),
        ] {
            assert_eq!(Failure::of(&error), failure, "{error:?}");
        }
    }
}
