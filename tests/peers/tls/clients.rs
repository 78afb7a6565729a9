//! Client certificates: every kind against every policy, what the client sees and what the server counts.

use crate::pki::{Client, NAME, P256, Pair, Pki};
use crate::tls::server::{Counters, Python, Served, Way};

/// What is asked of clients: the words of the web configuration file, which say more than the builder can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

impl Policy {
    const ALL: [Self; 5] = [
        Self::NoClientCert,
        Self::RequestClientCert,
        Self::RequireAnyClientCert,
        Self::VerifyClientCertIfGiven,
        Self::RequireAndVerifyClientCert,
    ];
}

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    In,
    /// Refused, and counted so.
    Out(&'static str),
}

use Verdict::{In, Out};

const MISSING: Verdict = Out("certificate_required");
const UNKNOWN: Verdict = Out("unknown_ca");
const EXPIRED: Verdict = Out("certificate_expired");
const TOO_EARLY: Verdict = Out("certificate_not_yet_valid");
const NOT_CLIENT: Verdict = Out("unsupported_certificate");
const NAMELESS: Verdict = Out("name_not_allowed");

type Row = (Client, [Verdict; 5]);

/// In the order of the policies.
#[rustfmt::skip]
const ANY_NAME: [Row; Client::ALL.len()] = [
    (Client::Nothing,     [In, In, MISSING, In,         MISSING]),
    (Client::Good,        [In, In, In,      In,         In]),
    (Client::AnyUse,      [In, In, In,      In,         In]),
    (Client::Chain,       [In, In, In,      In,         In]),
    (Client::BrokenChain, [In, In, In,      UNKNOWN,    UNKNOWN]),
    (Client::OtherCa,     [In, In, In,      UNKNOWN,    UNKNOWN]),
    (Client::Expired,     [In, In, In,      EXPIRED,    EXPIRED]),
    (Client::NotYetValid, [In, In, In,      TOO_EARLY,  TOO_EARLY]),
    (Client::ServerOnly,  [In, In, In,      NOT_CLIENT, NOT_CLIENT]),
    (Client::SelfSigned,  [In, In, In,      UNKNOWN,    UNKNOWN]),
    (Client::OtherName,   [In, In, In,      In,         In]),
    (Client::TheCa,       [In, In, In,      In,         In]),
    (Client::Version1,    [In, In, In,      In,         In]),
];

/// The same with a list of allowed names: names are looked at last, and nobody without certificate has one.
#[rustfmt::skip]
const ONE_NAME: [Row; Client::ALL.len()] = [
    (Client::Nothing,     [In, MISSING,  MISSING,  MISSING,    MISSING]),
    (Client::Good,        [In, In,       In,       In,         In]),
    (Client::AnyUse,      [In, In,       In,       In,         In]),
    (Client::Chain,       [In, In,       In,       In,         In]),
    (Client::BrokenChain, [In, In,       In,       UNKNOWN,    UNKNOWN]),
    (Client::OtherCa,     [In, In,       In,       UNKNOWN,    UNKNOWN]),
    (Client::Expired,     [In, In,       In,       EXPIRED,    EXPIRED]),
    (Client::NotYetValid, [In, In,       In,       TOO_EARLY,  TOO_EARLY]),
    (Client::ServerOnly,  [In, In,       In,       NOT_CLIENT, NOT_CLIENT]),
    (Client::SelfSigned,  [In, In,       In,       UNKNOWN,    UNKNOWN]),
    (Client::OtherName,   [In, NAMELESS, NAMELESS, NAMELESS,   NAMELESS]),
    (Client::TheCa,       [In, NAMELESS, NAMELESS, NAMELESS,   NAMELESS]),
    (Client::Version1,    [In, NAMELESS, NAMELESS, NAMELESS,   NAMELESS]),
];

/// The certificates that clients come with.
pub(crate) struct Clients(Vec<(Client, Option<Pair>)>);

impl Clients {
    pub(crate) fn new(pki: &Pki) -> Self {
        Self(Client::ALL.into_iter().map(|client| (client, pki.client(client))).collect())
    }

    pub(crate) fn get(&self, client: Client) -> Option<&Pair> {
        self.0.iter().find(|(kind, _)| *kind == client).and_then(|(_, pair)| pair.as_ref())
    }
}

/// The alert that a refused client gets. TLS has none for a certificate that is not valid yet.
fn alert(reason: &str) -> String {
    let name = match reason {
        "certificate_not_yet_valid" => "certificate_expired",
        "name_not_allowed" => "access_denied",
        same => same,
    };
    format!("alert {name}")
}

/// Sends every client in both versions to a server that has this policy and, if `named`, [`NAME`] as the only
/// allowed name. The way is one to the server, without a client's certificate.
pub(crate) fn try_all(way: &Way, clients: &Clients, policy: Policy, named: bool) {
    let table = if named { &ONE_NAME } else { &ANY_NAME };
    let mut python = Python::start();
    // The good one may look at the counters under every policy.
    let mut counters = Counters::open(&way.with(clients.get(Client::Good)));
    let mut faults = Vec::new();
    for (client, verdicts) in table {
        for version in ["1.2", "1.3"] {
            let what = format!("{client:?} with TLS {version} under {policy:?}, named: {named}");
            let way = way.with(clients.get(*client)).speaking(version);
            let seen = python.ask("visit", &way, &[]);
            let (expected, counter) = match verdicts[policy as usize] {
                In => ("200".to_owned(), "handshakes"),
                Out(reason) => (alert(reason), reason),
            };
            if seen != expected {
                faults.push(format!("{what}: {seen}, not {expected}"));
            }
            if let Err(wrong) = counters.compare(&[(counter, 1)]) {
                faults.push(format!("{what}: {wrong}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A server of the builder with these settings, in which `{ca}` and `{directory}` stand for the paths.
fn builder(policy: Policy, settings: &[&str]) {
    let pki = Pki::new();
    let clients = Clients::new(&pki);
    let directory = pki.path("cas");
    std::fs::create_dir_all(directory.join("sub")).expect("a directory can be made");
    std::fs::copy(pki.ca(), directory.join("whatever.name")).expect("a file can be copied");
    std::fs::write(directory.join("README"), "no certificate").expect("a file can be written");
    let settings: Vec<_> = settings
        .iter()
        .map(|text| text.replace("{ca}", &pki.ca()).replace("{directory}", &directory.to_string_lossy()))
        .collect();
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let served = Served::start(&pki.server("server", P256), &settings);
    let named = settings.iter().any(|setting| setting.starts_with("client_allowed_names"));
    try_all(&Way::new(served.address, &pki.ca()), &clients, policy, named);
}

const ALLOWED: &str = "client_allowed_names=prometheus.example.org";

#[test]
fn without_a_word_about_clients_all_come_in() {
    builder(Policy::NoClientCert, &[]);
    builder(Policy::NoClientCert, &["client_auth_required=false"]);
}

#[test]
fn with_a_ca_a_certificate_is_verified_if_there_is_one() {
    builder(Policy::VerifyClientCertIfGiven, &["client_cafile={ca}"]);
}

#[test]
fn required_certificates_are_verified() {
    builder(Policy::RequireAndVerifyClientCert, &["client_cafile={ca}", "client_auth_required=true"]);
}

#[test]
fn a_directory_of_cas_does_the_same() {
    builder(Policy::VerifyClientCertIfGiven, &["client_capath={directory}"]);
    builder(Policy::RequireAndVerifyClientCert, &["client_capath={directory}", "client_auth_required=true"]);
}

#[test]
fn only_allowed_names_come_in() {
    assert!(ALLOWED.ends_with(NAME));
    builder(Policy::VerifyClientCertIfGiven, &["client_cafile={ca}", ALLOWED]);
    builder(
        Policy::RequireAndVerifyClientCert,
        &["client_capath={directory}", "client_auth_required=true", ALLOWED, "client_allowed_names=x"],
    );
}

/// A server with a web configuration file, for each policy in turn.
fn web_configuration(named: bool) {
    let pki = Pki::new();
    let clients = Clients::new(&pki);
    pki.server("server", P256);
    for policy in Policy::ALL {
        let mut text = format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_auth_type: {policy:?}\n"
        );
        // Without a policy a CA would be an error.
        if policy != Policy::NoClientCert {
            text += "  client_ca_file: ca.pem\n";
        }
        if named {
            text += &format!("  client_allowed_sans: [{NAME}]\n");
        }
        let file = pki.scratch().write("web.yml", &text);
        let served = Served::told(&[&format!("web_config_file={}", file.display())]);
        try_all(&Way::new(served.address, &pki.ca()), &clients, policy, named);
    }
}

#[test]
fn every_policy_of_the_web_configuration_file() {
    web_configuration(false);
}

#[test]
fn every_policy_of_the_web_configuration_file_with_an_allowed_name() {
    web_configuration(true);
}

#[test]
fn a_file_and_a_directory_of_cas_add_up() {
    let pki = Pki::new();
    let [good, other] = [Client::Good, Client::OtherCa].map(|client| pki.client(client));
    let directory = pki.path("cas");
    std::fs::create_dir(&directory).expect("a directory can be made");
    std::fs::copy(pki.path("other-ca.pem"), directory.join("other.pem")).expect("a file can be copied");
    let [file, directory] =
        [format!("client_cafile={}", pki.ca()), format!("client_capath={}", directory.display())];
    let required = "client_auth_required=true";
    let served = Served::start(&pki.server("server", P256), &[&file, &directory, required]);
    let way = Way::new(served.address, &pki.ca());
    let mut python = Python::start();
    for pair in [good, other] {
        assert_eq!(python.ask("visit", &way.with(pair.as_ref()), &[]), "200", "{pair:?}");
    }
    assert_eq!(python.ask("visit", &way, &[]), "alert certificate_required");
}

#[test]
fn without_a_ca_none_of_ours_comes_in() {
    // The public authorities vouch for nobody here.
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &["client_auth_required=true", "beside"]);
    let way = Way::new(served.address, &pki.ca());
    let mut counters = Counters::open(&Way::new(served.beside.expect("a second server"), &pki.ca()));
    let mut python = Python::start();
    for (client, reason) in [
        (Client::Nothing, "certificate_required"),
        (Client::Good, "unknown_ca"),
        (Client::SelfSigned, "unknown_ca"),
    ] {
        for version in ["1.2", "1.3"] {
            let way = way.with(pki.client(client).as_ref()).speaking(version);
            assert_eq!(python.ask("visit", &way, &[]), alert(reason), "{client:?} {version}");
            counters.expect(&format!("{client:?} {version}"), &[(reason, 1)]);
        }
    }
}

#[test]
fn a_session_does_not_outlive_the_judgement() {
    // With certificates asked for, each connection is judged anew: no ticket, in either version.
    let pki = Pki::new();
    let good = pki.client(Client::Good);
    let file = format!("client_cafile={}", pki.ca());
    let required = "client_auth_required=true";
    let served = Served::start(&pki.server("server", P256), &[&file, required]);
    let way = Way::new(served.address, &pki.ca()).with(good.as_ref());
    let mut python = Python::start();
    for version in ["1.2", "1.3"] {
        let seen = python.ask("resume", &way.speaking(version), &["3"]);
        assert_eq!(seen, "200 new, 200 new, 200 new", "{version}");
    }
}

#[test]
fn a_ca_that_is_replaced_counts_for_the_next_connection() {
    let pki = Pki::new();
    let [good, other] = [Client::Good, Client::OtherCa].map(|client| pki.client(client));
    let clients_ca = pki.path("clients-ca.pem");
    std::fs::copy(pki.ca(), &clients_ca).expect("a file can be copied");
    let file = format!("client_cafile={}", clients_ca.display());
    let settings = [&file[..], "client_auth_required=true", "beside"];
    let mut served = Served::start(&pki.server("server", P256), &settings);
    let way = Way::new(served.address, &pki.ca());
    let mut counters = Counters::open(&Way::new(served.beside.expect("a second server"), &pki.ca()));
    let mut python = Python::start();
    assert_eq!(python.ask("visit", &way.with(good.as_ref()), &[]), "200");
    assert_eq!(python.ask("visit", &way.with(other.as_ref()), &[]), "alert unknown_ca");
    counters.expect("the first CA", &[("handshakes", 1), ("unknown_ca", 1)]);
    std::fs::rename(pki.path("other-ca.pem"), &clients_ca).expect("a file can be renamed");
    assert_eq!(python.ask("visit", &way.with(good.as_ref()), &[]), "alert unknown_ca");
    assert_eq!(python.ask("visit", &way.with(other.as_ref()), &[]), "200");
    counters.expect("the second CA", &[("handshakes", 1), ("unknown_ca", 1), ("reloads", 1)]);
    // One that nobody can use is no reason to let anybody else in, nor to keep those out who may.
    std::fs::write(&clients_ca, "").expect("a file can be written");
    assert_eq!(python.ask("visit", &way.with(good.as_ref()), &[]), "alert unknown_ca");
    assert_eq!(python.ask("visit", &way.with(other.as_ref()), &[]), "200");
    counters.expect("an empty CA", &[("handshakes", 1), ("unknown_ca", 1), ("reload_failures", 1)]);
    assert!(served.reload().unwrap_err().contains("client_cafile"));
}
