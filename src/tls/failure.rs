//! Why handshakes fail, in words that stand in a label: those of the alerts (RFC 8446 §6.2) where there is one.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible, PeerMisbehaved};

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
                | PeerIncompatible::ServerDoesNotSupportTls12Or13,
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
