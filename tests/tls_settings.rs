//! What the builder is told of TLS: half of it, or what cannot be used, is an error at the start, never plain HTTP.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use scrapeport::server::ServerBuilder;
use scrapeport::{Counter, Registry, Server, TlsVersion};

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

fn certs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(name)
}

fn pair(cert: &str, key: &str) -> ServerBuilder {
    Server::builder(&REGISTRY).certfile(certs(cert)).keyfile(certs(key))
}

/// Why a server does not start; that it has not listened either.
fn refusal(builder: ServerBuilder) -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback");
    let Err(error) = builder.start_on(port) else { panic!("it started") };
    TcpListener::bind(port).expect("nobody is there");
    error.to_string()
}

#[track_caller]
fn assert_refused(builder: ServerBuilder, parts: &[&str]) {
    let error = refusal(builder);
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn half_a_configuration_is_refused() {
    let bare = || Server::builder(&REGISTRY);
    assert_refused(bare().certfile(certs("server.pem")), &["keyfile: is missing"]);
    assert_refused(bare().keyfile(certs("server.key")), &["certfile: is missing"]);
    let needs = "needs certfile and keyfile";
    assert_refused(bare().client_cafile(certs("ca.pem")), &["client_cafile: ", needs]);
    assert_refused(bare().client_capath(certs("")), &["client_capath: ", needs]);
    assert_refused(bare().client_auth_required(true), &["client_auth_required: ", needs]);
    assert_refused(bare().client_allowed_names(["a"]), &["client_allowed_names: ", needs]);
    assert_refused(bare().tls_min_version(TlsVersion::Tls13), &["tls_min_version: ", needs]);
    let locked = || pair("server.pem", "server.key");
    assert_refused(
        locked().client_allowed_names(["a"]),
        &["client_allowed_names: needs client_auth_required"],
    );
    let nobody: [&str; 0] = [];
    let verified = locked().client_cafile(certs("ca.pem"));
    assert_refused(verified.client_allowed_names(nobody), &["client_allowed_names: is empty"]);
}

#[test]
fn what_cannot_be_used_is_named_with_its_file_and_its_cure() {
    let missing = [&*certs("nowhere.pem").to_string_lossy(), "check the path"].map(str::to_owned);
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    assert_refused(pair("nowhere.pem", "server.key"), &[&["certfile: "], &missing[..]].concat());
    assert_refused(pair("server.pem", "nowhere.key"), &["keyfile: ", "nowhere.key"]);
    assert_refused(pair("server.pem", "other.key"), &["keyfile: ", "other.key", "does not belong"]);
    assert_refused(pair("server.key", "server.key"), &["certfile: ", "BEGIN CERTIFICATE"]);
    assert_refused(pair("server.pem", "server.pem"), &["keyfile: ", "BEGIN PRIVATE KEY"]);
    assert_refused(pair("server.pem", "server-encrypted.key"), &["keyfile: ", "encrypted", "openssl pkey"]);
    // All of it at once.
    assert_refused(pair("nowhere.pem", "nowhere.key"), &["certfile: ", "keyfile: "]);
    let locked = || pair("server.pem", "server.key");
    assert_refused(locked().client_cafile(certs("nowhere.pem")), &["client_cafile: ", "nowhere.pem"]);
    assert_refused(locked().client_cafile(certs("server.key")), &["client_cafile: ", "server.key"]);
    assert_refused(locked().client_capath(certs("nowhere")), &["client_capath: ", "nowhere"]);
    let empty = std::env::temp_dir().join(format!("scrapeport-{}-empty", std::process::id()));
    fs::create_dir_all(&empty).expect("a folder");
    assert_refused(locked().client_capath(&empty), &["client_capath: ", &empty.to_string_lossy()]);
    fs::remove_dir(empty).expect("it is empty");
}

#[test]
fn whole_configurations_start() {
    let locked = || pair("server.pem", "server.key");
    let both = pair("server-both.pem", "server-both.pem");
    let builders = [
        locked(),
        both,
        locked().tls_min_version(TlsVersion::Tls13),
        locked().client_cafile(certs("ca.pem")),
        locked().client_capath(certs("")),
        locked().client_cafile(certs("ca.pem")).client_capath(certs("")).client_auth_required(true),
        // By the public authorities, and one name.
        locked().client_auth_required(true).client_allowed_names(["scraper.example.org"]),
    ];
    for builder in builders {
        let (server, thread) = builder.start_on("127.0.0.1:0").expect("whole");
        assert!(server.uses_tls());
        server.reload().expect("nothing has changed");
        server.shutdown();
        thread.join().expect("no panic");
    }
    let (server, _thread) = Server::builder(&REGISTRY).start_on("127.0.0.1:0").expect("plain");
    assert!(!server.uses_tls());
    assert!(server.reload().is_ok(), "there is nothing to read");
}
