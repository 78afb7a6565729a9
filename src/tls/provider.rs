//! The cryptography: ring through rustls, with the suites in the order of what this machine computes fastest.

use std::sync::Arc;
use std::vec::Vec;

use rustls::crypto::ring::{self, cipher_suite as suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

use super::settings::{Curve, Settings, Suite, Version};

/// Those with SHA-256 first: ring has no hardware path for SHA-384.
const AES_FIRST: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// The provider for these settings.
pub(super) fn provider(settings: &Settings) -> Arc<CryptoProvider> {
    let mut cipher_suites = AES_FIRST.to_vec();
    if !has_aes() {
        // Stable: ChaCha20 comes first within each version.
        cipher_suites.sort_by_key(|suite| (is_1_2(suite), !is_chacha(suite)));
    }
    if let Some(wanted) = &settings.suites {
        cipher_suites.retain(|suite| !is_1_2(suite) || wanted.iter().any(|wanted| is(suite, *wanted)));
    }
    let kx_groups = match &settings.curves {
        None => Vec::from([kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1]),
        Some(curves) => curves.iter().map(|curve| group(*curve)).collect(),
    };
    Arc::new(CryptoProvider { cipher_suites, kx_groups, ..ring::default_provider() })
}

/// What signatures can be verified.
pub(super) fn algorithms() -> WebPkiSupportedAlgorithms {
    ring::default_provider().signature_verification_algorithms
}

pub(super) fn versions(settings: &Settings) -> Vec<&'static SupportedProtocolVersion> {
    [(Version::Tls13, &rustls::version::TLS13), (Version::Tls12, &rustls::version::TLS12)]
        .into_iter()
        .filter(|(version, _)| (settings.min_version..=settings.max_version).contains(version))
        .map(|(_, version)| version)
        .collect()
}

const fn is_1_2(suite: &SupportedCipherSuite) -> bool {
    matches!(suite, SupportedCipherSuite::Tls12(_))
}

fn is_chacha(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

fn is(suite: &SupportedCipherSuite, wanted: Suite) -> bool {
    suite.suite()
        == match wanted {
            Suite::TLS_AES_128_GCM_SHA256 => CipherSuite::TLS13_AES_128_GCM_SHA256,
            Suite::TLS_AES_256_GCM_SHA384 => CipherSuite::TLS13_AES_256_GCM_SHA384,
            Suite::TLS_CHACHA20_POLY1305_SHA256 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
            Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => {
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            }
            Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => {
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            }
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
                CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            }
            Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => {
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            }
            Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => {
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            }
            Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => {
                CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            }
        }
}

fn group(curve: Curve) -> &'static dyn SupportedKxGroup {
    match curve {
        Curve::X25519 => kx_group::X25519,
        Curve::P256 => kx_group::SECP256R1,
        Curve::P384 => kx_group::SECP384R1,
    }
}

/// Whether the processor has instructions for AES. Where that cannot be asked, it seldom has.
fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        std::arch::is_x86_feature_detected!("aes")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("aes")
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;
    use crate::tls::fixtures::settings;

    fn suites(suites: Option<&[Suite]>) -> Vec<CipherSuite> {
        let settings = Settings { suites: suites.map(<[Suite]>::to_vec), ..settings() };
        provider(&settings).cipher_suites.iter().map(SupportedCipherSuite::suite).collect()
    }

    #[test]
    fn a_list_of_suites_limits_the_older_version_alone() {
        let all = suites(None);
        assert_eq!(all.len(), AES_FIRST.len());
        let (new, old) = all.split_at(3);
        assert!(AES_FIRST.iter().filter(|suite| !is_1_2(suite)).all(|suite| new.contains(&suite.suite())));
        assert_eq!(suites(Some(&[])), new);
        assert_eq!(suites(Some(&[Suite::TLS_AES_128_GCM_SHA256])), new);
        let one = Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256;
        let expected = [new, &[CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]].concat();
        assert_eq!(suites(Some(&[one, one])), expected);
        // Each name means one suite.
        use Suite::*;
        for (at, suite) in [
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ]
        .into_iter()
        .enumerate()
        {
            let left = suites(Some(&[suite]));
            assert_eq!((left.len(), old.contains(&left[3])), (4, true), "{at}");
            assert_eq!(std::format!("{:?}", left[3]), std::format!("{suite:?}"));
        }
    }

    #[test]
    fn curves_and_versions_are_as_listed() {
        let groups = |curves: Option<&[Curve]>| -> Vec<NamedGroup> {
            let settings = Settings { curves: curves.map(<[Curve]>::to_vec), ..settings() };
            provider(&settings).kx_groups.iter().map(|group| group.name()).collect()
        };
        assert_eq!(groups(None), [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1]);
        let some = [Curve::P384, Curve::X25519, Curve::P256];
        assert_eq!(groups(Some(&some)), [NamedGroup::secp384r1, NamedGroup::X25519, NamedGroup::secp256r1]);

        let count =
            |min_version, max_version| versions(&Settings { min_version, max_version, ..settings() }).len();
        assert_eq!(count(Version::Tls12, Version::Tls13), 2);
        assert_eq!(count(Version::Tls13, Version::Tls13), 1);
        assert_eq!(count(Version::Tls12, Version::Tls12), 1);
    }
}
