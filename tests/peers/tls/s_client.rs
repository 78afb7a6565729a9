//! openssl s_client: which versions, suites, groups and protocols are agreed upon, and how a connection ends.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::pki::{ED25519, P256, P384, Pki, RSA};
use crate::process::{Running, tool};
use crate::tls::server::{Counters, Served, Way};

const LAST_REQUEST: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Everything that OpenSSL can be made to offer.
const EVERYTHING: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";

/// Runs it with this input, at whose end it leaves unless an option says otherwise; what it prints.
fn s_client(way: &Way, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("timeout");
    command.arg("20").arg(tool("openssl")).args(["s_client", "-connect", &way.address.to_string()]);
    command.args(["-CAfile", &way.ca, "-verify_return_error"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl runs");
    let mut pipe = child.stdin.take().expect("standard input is a pipe");
    // It may have been refused before it reads.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().expect("openssl ends");
    assert_ne!(output.status.code(), Some(124), "{arguments:?}: openssl does not come to an end");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A scrape; what is printed beside the page.
fn scrape(way: &Way, arguments: &[&str]) -> String {
    let said = s_client(way, &[arguments, &["-ign_eof"]].concat(), LAST_REQUEST);
    assert!(said.contains("\ndemo_requests_total 3\n"), "{arguments:?}: no page in {said}");
    said
}

/// How a handshake ended: "TLSv1.3 with TLS_AES_128_GCM_SHA256", or "none".
fn agreed(said: &str) -> String {
    let line = said
        .lines()
        .find(|line| line.starts_with("New, ") || line.starts_with("Reused, "))
        .unwrap_or_else(|| panic!("openssl says nothing of a handshake: {said}"));
    if line.contains("(NONE)") {
        return "none".into();
    }
    line.replace(", Cipher is ", " with ").replace("New, ", "").replace("Reused, ", "reused ")
}

fn start(pki: &Pki, kind: &[&str]) -> (Served, Way, Counters) {
    let served = Served::start(&pki.server("server", kind), &[]);
    let way = Way::new(served.address, &pki.ca());
    let counters = Counters::open(&way);
    (served, way, counters)
}

#[test]
fn old_versions_are_refused() {
    let pki = Pki::new();
    let (_served, way, mut counters) = start(&pki, RSA);
    for version in ["-tls1", "-tls1_1"] {
        let said = s_client(&way, &[version, "-cipher", EVERYTHING], "");
        assert_eq!(agreed(&said), "none", "{said}");
        // What a hello of these lacks is noticed before its version is.
        assert!(
            ["protocol version", "handshake failure"]
                .iter()
                .any(|word| said.contains(&format!("alert {word}")))
        );
        counters.expect(version, &[("protocol_version", 1)]);
    }
    for (version, expected) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        assert!(agreed(&scrape(&way, &[version])).starts_with(expected), "{version}");
        counters.expect(version, &[("handshakes", 1)]);
    }
}

/// The suites of TLS 1.2 of all that OpenSSL knows with which a handshake succeeds.
fn accepted(way: &Way) -> BTreeSet<String> {
    let list = Command::new(tool("openssl"))
        .args(["ciphers", "-s", "-tls1_2", EVERYTHING])
        .output()
        .expect("openssl runs");
    let list = String::from_utf8(list.stdout).expect("suites have plain names");
    let suites: Vec<_> = list.trim().split(':').filter(|suite| !suite.starts_with("TLS_")).collect();
    assert!(suites.len() > 60, "openssl lists few suites: {suites:?}");
    let tried = |suite: &&str| {
        // Also those that OpenSSL itself would refuse with this certificate show in what the server picks.
        let said = s_client(way, &["-tls1_2", "-cipher", &format!("{suite}:@SECLEVEL=0")], "");
        let agreed = agreed(&said);
        assert!(agreed == "none" || agreed == format!("TLSv1.2 with {suite}"), "{suite}: {agreed}");
        assert!(agreed != "none" || said.contains("alert handshake failure"), "{suite}: {said}");
        agreed != "none"
    };
    suites.into_iter().filter(tried).map(str::to_owned).collect()
}

#[test]
fn suites_without_forward_secrecy_or_authentication_are_refused() {
    let pki = Pki::new();
    for (kind, word) in [(RSA, "RSA"), (P256, "ECDSA")] {
        let (_served, way, _) = start(&pki, kind);
        let expected: BTreeSet<_> = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
            .iter()
            .map(|suite| format!("ECDHE-{word}-{suite}"))
            .collect();
        assert_eq!(accepted(&way), expected);
    }
}

#[test]
fn every_good_suite_carries_a_page() {
    let pki = Pki::new();
    for (kind, word) in [(RSA, "RSA"), (P256, "ECDSA"), (P384, "ECDSA"), (ED25519, "ECDSA")] {
        let (_served, way, mut counters) = start(&pki, kind);
        for suite in ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"] {
            let suite = format!("ECDHE-{word}-{suite}");
            let said = scrape(&way, &["-tls1_2", "-cipher", &suite]);
            assert_eq!(agreed(&said), format!("TLSv1.2 with {suite}"));
            assert!(said.contains("Secure Renegotiation IS supported"), "{said}");
            assert!(said.contains("Extended master secret: yes"), "{said}");
        }
        for suite in ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
            let said = scrape(&way, &["-tls1_3", "-ciphersuites", suite]);
            assert_eq!(agreed(&said), format!("TLSv1.3 with {suite}"));
            assert!(said.contains("Compression: NONE"), "{said}");
        }
        counters.expect("suites", &[("handshakes", 6)]);
        let suite = "TLS_AES_128_CCM_SHA256";
        let said = s_client(&way, &["-tls1_3", "-ciphersuites", suite], "");
        assert!(agreed(&said) == "none" && said.contains("alert handshake failure"), "{said}");
        counters.expect(suite, &[("handshake_failure", 1)]);
    }
}

#[test]
fn groups_for_the_key_exchange() {
    let pki = Pki::new();
    // A certificate of RSA, because OpenSSL takes the list for that of a certificate's curve as well.
    let (_served, way, mut counters) = start(&pki, RSA);
    for version in ["-tls1_2", "-tls1_3"] {
        for (group, key) in [("X25519", "X25519, 253 bits"), ("P-256", "P-256, 256"), ("P-384", "P-384, 384")]
        {
            let said = scrape(&way, &[version, "-groups", group]);
            let line = said.lines().find(|line| line.starts_with("Server Temp Key: ")).unwrap_or_default();
            let line =
                line.replace("ECDH, ", "").replace("prime256v1", "P-256").replace("secp384r1", "P-384");
            assert!(line.contains(key), "{version} {group}: {line}");
        }
        counters.expect(version, &[("handshakes", 3)]);
        for group in ["P-521", "X448"] {
            let said = s_client(&way, &[version, "-groups", group], "");
            assert!(agreed(&said) == "none" && said.contains("alert handshake failure"), "{said}");
            counters.expect(group, &[("handshake_failure", 1)]);
        }
    }
    // With TLS 1.3 the client guesses, and is asked to guess again.
    let said = scrape(&way, &["-tls1_3", "-groups", "P-521:P-384:X25519", "-msg"]);
    assert_eq!(said.matches(", ClientHello").count(), 2, "{said}");
    counters.expect("a second hello", &[("handshakes", 1)]);
}

#[test]
fn sessions_are_resumed() {
    let pki = Pki::new();
    let (mut served, way, mut counters) = start(&pki, P256);
    let said = s_client(&way, &["-tls1_2", "-reconnect", "-ign_eof"], LAST_REQUEST);
    let count = |word: &str| said.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("New, TLSv1.2"), count("Reused, TLSv1.2")), (1, 5), "{said}");
    counters.expect("reconnect", &[("handshakes", 6)]);
    let mut files = Vec::new();
    for version in ["-tls1_2", "-tls1_3"] {
        let file = pki.path(&format!("session{version}")).to_string_lossy().into_owned();
        let first = agreed(&scrape(&way, &[version, "-sess_out", &file]));
        for _ in 0..2 {
            let again = agreed(&scrape(&way, &[version, "-sess_in", &file]));
            assert_eq!(again, format!("reused {first}"));
        }
        counters.expect(version, &[("handshakes", 3)]);
        // Who wants no ticket is served.
        let said = scrape(&way, &[version, "-no_ticket"]);
        assert!(!said.contains("Reused"), "{said}");
        counters.expect(version, &[("handshakes", 1)]);
        files.push((version, file));
    }
    // A new certificate has new keys for tickets: the old ones lead to a full handshake, not to a failure.
    let other = pki.server("other", P256);
    std::fs::rename(&other.key, pki.path("server.key")).expect("a file can be renamed");
    std::fs::rename(&other.cert, pki.path("server.pem")).expect("a file can be renamed");
    served.reload().expect("the new certificate can be used");
    for (version, file) in files {
        let said = scrape(&way, &[version, "-sess_in", &file]);
        assert!(agreed(&said).starts_with("TLSv1."), "{said}");
        assert!(said.contains("0 s:CN = other"), "{said}");
    }
    counters.expect("old tickets", &[("handshakes", 2), ("reloads", 1)]);
}

#[test]
fn the_last_record_is_a_farewell() {
    let pki = Pki::new();
    let (_served, way, _) = start(&pki, P256);
    for version in ["-tls1_2", "-tls1_3"] {
        let said = scrape(&way, &[version, "-msg"]);
        let received: Vec<_> = said.lines().filter(|line| line.starts_with("<<< ")).collect();
        let last = received.last().copied().unwrap_or_default();
        assert!(last.contains("Alert") && last.contains("warning close_notify"), "{last}: {said}");
        assert!(said.lines().any(|line| line == "closed"), "{said}");
        assert!(!said.contains("unexpected eof"), "{said}");
    }
}

#[test]
fn renegotiation_is_refused() {
    let pki = Pki::new();
    let (_served, way, _) = start(&pki, P256);
    let mut command = Command::new(tool("openssl"));
    command.args(["s_client", "-connect", &way.address.to_string(), "-CAfile", &way.ca, "-tls1_2", "-msg"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(&mut command);
    let mut input = running.child.stdin.take().expect("standard input is a pipe");
    input.write_all(b"R\n").expect("openssl reads");
    // It ends by itself when it is told that there is none; while the input is open it would wait for more.
    let mut said = String::new();
    let mut output = running.child.stdout.take().expect("standard output is a pipe");
    let reader = std::thread::spawn(move || {
        std::io::Read::read_to_string(&mut output, &mut said).map(|_| said).unwrap_or_default()
    });
    assert!(running.wait(crate::process::PATIENCE).is_some(), "openssl goes on after it was refused");
    drop(input);
    let said = reader.join().expect("the reader does not panic");
    let after = said.split(", ClientHello").nth(2).unwrap_or_else(|| panic!("no second hello: {said}"));
    assert!(after.contains("<<< TLS 1.2, Alert [length 0002], warning no_renegotiation"), "{said}");
    assert!(!after.contains("ServerHello"), "{said}");
    // And the next one is served.
    scrape(&way, &["-tls1_2"]);
}

#[test]
fn a_server_name_is_not_needed() {
    let pki = Pki::new();
    let (_served, way, mut counters) = start(&pki, P256);
    for arguments in [
        &["-noservername"][..],
        &["-servername", "localhost"],
        &["-servername", "unknown.example.org"],
        &["-servername", "127.0.0.1"],
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let said = scrape(&way, &[arguments, &[version]].concat());
            assert!(said.contains("0 s:CN = server"), "{said}");
            counters.expect(version, &[("handshakes", 1)]);
        }
    }
}

#[test]
fn the_protocol_inside() {
    let pki = Pki::new();
    let (_served, way, mut counters) = start(&pki, P256);
    for version in ["-tls1_2", "-tls1_3"] {
        for (offered, expected) in [
            ("http/1.1", "http/1.1"),
            ("h2,http/1.1", "http/1.1"),
            ("http/1.1,h2", "http/1.1"),
            ("http/1.0", "http/1.0"),
        ] {
            let said = scrape(&way, &[version, "-alpn", offered]);
            assert!(said.contains(&format!("ALPN protocol: {expected}\n")), "{offered}: {said}");
            counters.expect(offered, &[("handshakes", 1)]);
        }
        assert!(scrape(&way, &[version]).contains("No ALPN negotiated"));
        counters.expect("nothing", &[("handshakes", 1)]);
        let said = s_client(&way, &[version, "-alpn", "h2"], "");
        assert!(said.contains("alert no application protocol"), "{said}");
        counters.expect("h2", &[("no_application_protocol", 1)]);
    }
}

#[test]
fn unusual_clients_are_served() {
    let pki = Pki::new();
    let (_served, way, mut counters) = start(&pki, RSA);
    for arguments in [
        &["-tls1_2", "-maxfraglen", "512"][..],
        &["-tls1_3", "-maxfraglen", "512"],
        &["-tls1_3", "-no_middlebox"],
        &["-tls1_3", "-record_padding", "512"],
        &["-status"],
        &["-split_send_frag", "512"],
        &["-max_send_frag", "512"],
        &["-tls1_2", "-sigalgs", "RSA+SHA256"],
        &["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha512"],
    ] {
        scrape(&way, arguments);
        counters.expect(&format!("{arguments:?}"), &[("handshakes", 1)]);
    }
}
