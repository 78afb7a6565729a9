//! What a TLS server can be told: by the builder or by a web configuration file.
#![cfg_attr(not(feature = "web-config"), allow(dead_code, reason = "the builder can say less"))]

use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

/// Everything about the TLS side of one server. Two equal settings with the same files mean the same server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) cert: Pem,
    pub(crate) key: Pem,
    pub(crate) clients: Clients,
    pub(crate) min_version: Version,
    pub(crate) max_version: Version,
    /// The suites of TLS 1.2, all of them if `None`; those of TLS 1.3 are always on.
    pub(crate) suites: Option<Vec<Suite>>,
    /// The groups for key exchange, all of them if `None`.
    pub(crate) curves: Option<Vec<Curve>>,
    /// Whether the server's order of suites counts, not the client's.
    pub(crate) prefer_server_order: bool,
}

/// Where PEM text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pem {
    File(PathBuf),
    Inline(String),
}

/// What is asked of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clients {
    pub(crate) policy: Policy,
    /// The certificates that vouch for clients; with none of them and no roots, no client can be verified.
    pub(crate) ca: Option<Pem>,
    /// A directory of PEM files that add to them.
    pub(crate) ca_directory: Option<PathBuf>,
    /// The public certificate authorities add to them too.
    pub(crate) public_roots: bool,
    /// The subject alternative names of which a client must have one; any if `None`, and nobody if empty.
    pub(crate) names: Option<Vec<String>>,
}

impl Clients {
    /// The setting by which less is asked of clients than these did: somebody might come in who did not before.
    /// Other CAs and other names are not less, because they let in others.
    pub(crate) fn asks_less_than(&self, before: &Self) -> Option<&'static str> {
        let asks = |clients: &Self| clients.policy != Policy::NoClientCert;
        // Names demand a certificate by themselves.
        let named = |clients: &Self| asks(clients) && clients.names.is_some();
        let requires = |clients: &Self| clients.policy.requires() || named(clients);
        let without_ca = |clients: &Self| clients.ca.is_none() && clients.ca_directory.is_none();
        if before.policy.verifies() && !self.policy.verifies() {
            Some("client_auth_type")
        } else if named(before) && asks(self) && !named(self) {
            Some("client_allowed_sans")
        } else if requires(before) && !requires(self) {
            Some("client_auth_type")
        } else if before.policy.verifies() && !without_ca(before) && without_ca(self) {
            Some("client_ca_file")
        } else {
            None
        }
    }
}

/// Whether clients are asked for a certificate, and what happens then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It is not asked for.
    #[default]
    NoClientCert,
    /// It is asked for, and any is good, also none.
    RequestClientCert,
    /// There must be one, and any is good.
    RequireAnyClientCert,
    /// If there is one, it must be vouched for.
    VerifyClientCertIfGiven,
    /// There must be one that is vouched for.
    RequireAndVerifyClientCert,
}

impl Policy {
    /// Whether certificates are checked against the CAs.
    pub(crate) const fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }

    /// Whether a client without certificate is refused.
    pub(crate) const fn requires(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }
}

impl Policy {
    /// As in the web configuration file, all of them.
    pub(crate) const NAMES: &'static [(&'static str, Self)] = &[
        ("NoClientCert", Self::NoClientCert),
        ("RequestClientCert", Self::RequestClientCert),
        ("RequireAnyClientCert", Self::RequireAnyClientCert),
        ("VerifyClientCertIfGiven", Self::VerifyClientCertIfGiven),
        ("RequireAndVerifyClientCert", Self::RequireAndVerifyClientCert),
    ];

    pub(crate) fn name(self) -> &'static str {
        name(Self::NAMES, self)
    }
}

/// Protocol versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Version {
    /// As in the web configuration file, all of them.
    pub(crate) const NAMES: &'static [(&'static str, Self)] =
        &[("TLS12", Self::Tls12), ("TLS13", Self::Tls13)];

    pub(crate) fn name(self) -> &'static str {
        name(Self::NAMES, self)
    }
}

/// Cipher suites by their IANA names; `TLS_ECDHE_*` are of TLS 1.2, the others of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the names of the registry")]
pub(crate) enum Suite {
    TLS_AES_128_GCM_SHA256,
    TLS_AES_256_GCM_SHA384,
    TLS_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

impl Suite {
    /// As in the registry and in the web configuration file, all of them.
    pub(crate) const NAMES: &'static [(&'static str, Self)] = &[
        ("TLS_AES_128_GCM_SHA256", Self::TLS_AES_128_GCM_SHA256),
        ("TLS_AES_256_GCM_SHA384", Self::TLS_AES_256_GCM_SHA384),
        ("TLS_CHACHA20_POLY1305_SHA256", Self::TLS_CHACHA20_POLY1305_SHA256),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Self::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Self::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Self::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Self::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Self::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Self::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ];

    pub(crate) fn name(self) -> &'static str {
        name(Self::NAMES, self)
    }
}

/// Groups for the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    X25519,
    P256,
    P384,
}

impl Curve {
    /// As in the web configuration file, all of them.
    pub(crate) const NAMES: &'static [(&'static str, Self)] =
        &[("X25519", Self::X25519), ("CurveP256", Self::P256), ("CurveP384", Self::P384)];
}

fn name<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the table of `docs/tls.md`: who comes in has no certificate, or one that somebody vouches for or not, with
    /// an allowed name or not.
    #[test]
    fn less_is_asked_when_somebody_else_comes_in() {
        let enters = |clients: &Clients| {
            let asked = clients.policy != Policy::NoClientCert;
            let named = asked && clients.names.is_some();
            let with =
                |vouched: bool, name: bool| (vouched || !clients.policy.verifies()) && (name || !named);
            let without = !clients.policy.requires() && !named;
            [without, with(false, false), with(false, true), with(true, false), with(true, true)]
        };
        let ca = Some(Pem::Inline("a CA".into()));
        let all = Policy::NAMES.iter().flat_map(|&(_, policy)| {
            [None, Some(Vec::from(["a".into()]))].map(|names| Clients {
                policy,
                ca: ca.clone(),
                names,
                ..Clients::default()
            })
        });
        let all: Vec<_> = all.collect();
        let mut less = 0;
        for before in &all {
            for after in &all {
                let expected =
                    enters(before).iter().zip(enters(after)).any(|(before, after)| after && !before);
                assert_eq!(after.asks_less_than(before).is_some(), expected, "{before:?} {after:?}");
                less += usize::from(expected);
            }
        }
        assert!(less > 20 && less < 80, "{less}");
    }

    #[test]
    fn another_ca_or_name_is_not_less_but_none_is() {
        let [one, other] = ["one", "other"].map(|name| Clients {
            policy: Policy::VerifyClientCertIfGiven,
            ca: Some(Pem::File(name.into())),
            names: Some(Vec::from([name.into()])),
            ..Clients::default()
        });
        assert_eq!(other.asks_less_than(&one), None);
        let untrusting = Clients { ca: None, ..other.clone() };
        assert_eq!(untrusting.asks_less_than(&one), Some("client_ca_file"));
        assert_eq!(one.asks_less_than(&untrusting), None);
        let unnamed = Clients { names: None, ..other };
        assert_eq!(unnamed.asks_less_than(&one), Some("client_allowed_sans"));
        assert_eq!(one.asks_less_than(&unnamed), None);
    }

    #[test]
    fn everything_has_a_name() {
        assert_eq!(Policy::VerifyClientCertIfGiven.name(), "VerifyClientCertIfGiven");
        assert_eq!(Version::Tls13.name(), "TLS13");
        for (name, suite) in Suite::NAMES {
            assert_eq!(*name, std::format!("{suite:?}"));
        }
    }
}
