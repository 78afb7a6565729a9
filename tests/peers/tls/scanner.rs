//! sslyze: none of the known faults of TLS servers, in a plain server and in one that wants TLS 1.3 and certificates.

use crate::pki::{P256, Pki, RSA};
use crate::tls::server::{Served, interpreter};

/// What has to be so with every server.
const ALWAYS: &str = "\
ssl_2_0_cipher_suites: none
ssl_3_0_cipher_suites: none
tls_1_0_cipher_suites: none
tls_1_1_cipher_suites: none
tls_1_3_cipher_suites: TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256
tls_compression supports_compression: False
tls_1_3_early_data supports_early_data: False
openssl_ccs_injection is_vulnerable_to_ccs_injection: False
tls_fallback_scsv supports_fallback_scsv: True
heartbleed is_vulnerable_to_heartbleed: False
robot: NOT_VULNERABLE_RSA_NOT_SUPPORTED
session_renegotiation client_renegotiations_success_count: 0
session_renegotiation is_vulnerable_to_client_renegotiation_dos: False
session_renegotiation supports_secure_renegotiation: True
tls_extended_master_secret supports_ems_extension: True
elliptic_curves: X25519 secp256r1 secp384r1
verified: True
chain in order: True
intermediate profile: kept
";

/// Holds that the scan finds what it always finds, and these lines.
fn scan(pki: &Pki, served: &Served, more: &[&str]) {
    let output = interpreter("scanner.py")
        .args([&served.address.port().to_string(), &pki.ca()])
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found: Vec<_> = said.lines().collect();
    let mut expected: Vec<_> = ALWAYS.lines().chain(more.iter().copied()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_server_for_everybody_has_no_known_fault() {
    let pki = Pki::new();
    for (kind, word) in [(P256, "ECDSA"), (RSA, "RSA")] {
        let served = Served::start(&pki.server(word, kind), &[]);
        let suites = ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"]
            .map(|suite| format!("TLS_ECDHE_{word}_WITH_{suite}"));
        let suites = format!("tls_1_2_cipher_suites: {}", suites.join(" "));
        // The modern profile has no TLS 1.2, nor RSA.
        let modern = match word {
            "ECDSA" => "modern profile: ciphers tls_versions",
            _ => "modern profile: certificate_types ciphers tls_versions",
        };
        scan(&pki, &served, &[&suites, modern]);
    }
}

#[test]
fn a_server_with_tls_1_3_only_keeps_the_modern_profile() {
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &["tls_min_version=1.3"]);
    scan(&pki, &served, &["tls_1_2_cipher_suites: none", "modern profile: kept"]);
}

#[test]
fn a_server_that_asks_for_certificates_has_no_known_fault_either() {
    let pki = Pki::new();
    let ca = format!("client_cafile={}", pki.ca());
    let served = Served::start(&pki.server("server", P256), &[&ca, "tls_min_version=1.3"]);
    scan(&pki, &served, &["tls_1_2_cipher_suites: none", "modern profile: kept"]);
}
