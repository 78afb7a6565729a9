//! curl over TLS.

use std::process::Output;

use crate::curl::text;
use crate::pki::{Client, ED25519, P256, P384, Pki, RSA};
use crate::tls::server::{Counters, Served, Way};

/// The name stands for both addresses, and the server has one.
fn curl(arguments: &[&str]) -> Output {
    crate::curl::curl(&[&["--ipv4"], arguments].concat())
}

/// curl's exit status, and what it says of it.
fn failure(output: &Output) -> (i32, String) {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("curl is not killed"), said)
}

#[test]
fn a_page_with_every_kind_of_key_and_version() {
    let pki = Pki::new();
    let ca = pki.ca();
    for (name, kind) in [("p256", P256), ("p384", P384), ("ed25519", ED25519), ("rsa", RSA)] {
        let served = Served::start(&pki.server(name, kind), &[]);
        for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"], &[], &["--http1.0"]] {
            let page = text(&curl(&[version, &["--cacert", &ca, &served.url()]].concat()));
            assert!(page.contains("\ndemo_requests_total 3\n"), "{name} {version:?} {page}");
            assert!(page.contains("\nscrapeport_tls_handshakes_total "), "{name} {version:?} {page}");
        }
    }
}

#[test]
fn a_certificate_is_only_as_good_as_its_ca_and_its_name() {
    let pki = Pki::new();
    let own = pki.self_signed_server("own");
    let [served, alone] = [&pki.server("server", P256), &own].map(|pair| Served::start(pair, &[]));
    let ca = pki.ca();
    let mut counters = Counters::open(&Way::new(served.address, &ca));
    // 60: the certificate cannot be verified.
    let (code, said) = failure(&curl(&[&served.url()]));
    assert_eq!(code, 60, "{said}");
    counters.expect("no CA", &[("client_alert", 1)]);
    let elsewhere = format!("elsewhere.example.org:{}:127.0.0.1", served.address.port());
    let url = format!("https://elsewhere.example.org:{}/metrics", served.address.port());
    // curl looks at the name after the handshake. With TLS 1.3 it may be gone before the server knows.
    let named = ["--cacert", &ca, "--resolve", &elsewhere, &url, "--tls-max", "1.2"];
    let (code, said) = failure(&curl(&named));
    assert_eq!(code, 60, "{said}");
    assert!(said.contains("elsewhere.example.org"), "{said}");
    counters.expect("another name", &[("handshakes", 1)]);
    for arguments in [
        &["--cacert", &ca, &served.url()][..],
        &["--cacert", &ca, &format!("https://{}/", served.address)],
        &["--insecure", &served.url()],
        &["--insecure", "--resolve", &elsewhere, &url],
    ] {
        assert!(text(&curl(arguments)).contains("\ndemo_requests_total 3\n"), "{arguments:?}");
        counters.expect("a scrape", &[("handshakes", 1)]);
    }
    // One that nobody signed is its own CA.
    assert!(text(&curl(&["--cacert", own.cert(), &alone.url()])).contains("demo_requests_total"));
    assert_eq!(failure(&curl(&["--cacert", &ca, &alone.url()])).0, 60);
}

#[test]
fn a_client_certificate_opens_the_door() {
    let pki = Pki::new();
    let good = pki.client(Client::Good).expect("a certificate");
    let bad = pki.client(Client::Expired).expect("a certificate");
    let ca_of_clients = format!("client_cafile={}", pki.ca());
    let settings = [&ca_of_clients[..], "client_auth_required=true"];
    let served = Served::start(&pki.server("server", P256), &settings);
    let (ca, url) = (pki.ca(), served.url());
    let mut counters = Counters::open(&Way::new(served.address, &ca).with(Some(&good)));
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let base = [version, &["--cacert", &ca, &url]].concat();
        let page = text(&curl(&[&base[..], &["--cert", good.cert(), "--key", good.key()]].concat()));
        assert!(page.contains("demo_requests_total"), "{page}");
        counters.expect("good", &[("handshakes", 1)]);
        // 98 is curl's word for a client's certificate that is missing; 56, on a read, for any failure to receive.
        let (code, said) = failure(&curl(&base));
        assert!([98, 56].contains(&code) && said.contains("certificate required"), "{code} {said}");
        counters.expect("none", &[("certificate_required", 1)]);
        let (code, said) = failure(&curl(&[&base[..], &["--cert", bad.cert(), "--key", bad.key()]].concat()));
        // With TLS 1.3 it learns of it on its first read, and shows the alert. In the handshake of 1.2 it takes the
        // alert for a verdict of its own.
        let expected = if version == ["--tlsv1.3"] { (56, "certificate expired") } else { (60, "verif") };
        assert!(code == expected.0 && said.contains(expected.1), "{code} {said}");
        counters.expect("expired", &[("certificate_expired", 1)]);
    }
}

#[test]
fn several_requests_take_one_handshake() {
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &["rows=1000"]);
    let (ca, url) = (pki.ca(), served.url());
    let mut counters = Counters::open(&Way::new(served.address, &ca));
    let each = ["-o", "/dev/null", "-w", "%{num_connects} %{http_code} %{size_download}\n"];
    let mut arguments = Vec::new();
    for _ in 0..20 {
        arguments.extend(["--cacert", &ca, "--ipv4", "--noproxy", "*", "--silent"]);
        arguments.extend(each);
        arguments.extend([&url, "--next"]);
    }
    arguments.pop();
    let output = text(&curl(&arguments));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 20, "{output}");
    for (at, line) in lines.iter().enumerate() {
        let size = line.strip_prefix(if at == 0 { "1 200 " } else { "0 200 " });
        let size = size.unwrap_or_else(|| panic!("{output}"));
        // Longer than a record of TLS and than the buffer.
        assert!(size.parse::<u32>().is_ok_and(|bytes| bytes > 20_000), "{output}");
    }
    counters.expect("one connection", &[("handshakes", 1)]);
}

#[test]
fn methods_and_encodings_are_those_of_plain_http() {
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &[]);
    let (ca, url) = (pki.ca(), served.url());
    let code = |arguments: &[&str]| {
        let report = ["--cacert", &ca, "-o", "/dev/null", "-w", "%{http_code}", &url];
        text(&curl(&[arguments, &report].concat()))
    };
    assert_eq!(code(&["--head"]), "405");
    assert_eq!(code(&["-X", "OPTIONS"]), "200");
    assert_eq!(code(&["-X", "OPTIONS", "--request-target", "*"]), "200");
    assert_eq!(code(&["-d", "a=b"]), "405");
    // More than a record of TLS.
    let large = "x".repeat(40_000);
    assert_eq!(code(&["-d", &large]), "405");
    assert_eq!(code(&["-d", &large, "-H", "Transfer-Encoding: chunked"]), "405");
    assert_eq!(code(&["-d", &large, "-H", "Expect: 100-continue"]), "405");
    assert_eq!(code(&["-H", &format!("X-Long: {}", "x".repeat(9000))]), "431");
    assert_eq!(code(&["--compressed"]), "200");
    assert_eq!(code(&["--http2"]), "200");
    let head = text(&curl(&["--cacert", &ca, "--head", &url]));
    assert!(head.contains("Allow: OPTIONS, GET"), "{head}");
    let body = text(&curl(&["--cacert", &ca, "-d", "a=b", &url]));
    assert_eq!(body, "# HTTP 405 Method Not Allowed: POST; use OPTIONS or GET\n");
    // A body too long for us still gets its answer.
    let file = pki.scratch().write("large", &"x".repeat(1_000_000));
    let output = curl(&["--cacert", &ca, "-T", file.to_str().expect("a path in UTF-8"), &url]);
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains("# HTTP 405 Method Not Allowed: PUT"), "{answer} {output:?}");
}

#[test]
fn plain_http_is_told_what_is_wrong() {
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &[]);
    let mut counters = Counters::open(&Way::new(served.address, &pki.ca()));
    let url = format!("http://{}/metrics", served.address);
    let file = pki.scratch().write("large", &"x".repeat(30_000));
    let data = format!("@{}", file.display());
    for arguments in [&[][..], &["--head"], &["--data-binary", &data], &["-X", "OPTIONS"], &["--http1.0"]] {
        let report = ["-w", " %{http_code}", &url];
        let answer = text(&curl(&[arguments, &report].concat()));
        assert!(answer.ends_with(" 400"), "{arguments:?} {answer}");
        if arguments != ["--head"] {
            assert_eq!(answer, "Client sent an HTTP request to an HTTPS server.\n 400", "{arguments:?}");
        }
        counters.expect(&format!("{arguments:?}"), &[("plain_http", 1)]);
    }
}

#[test]
fn the_lowest_version_can_be_raised() {
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &["tls_min_version=1.3"]);
    let (ca, url) = (pki.ca(), served.url());
    let mut counters = Counters::open(&Way::new(served.address, &ca));
    text(&curl(&["--cacert", &ca, &url]));
    counters.expect("1.3", &[("handshakes", 1)]);
    let (code, said) = failure(&curl(&["--cacert", &ca, "--tls-max", "1.2", &url]));
    assert!(code == 35 && said.contains("protocol version"), "{code} {said}");
    counters.expect("1.2", &[("protocol_version", 1)]);
}
