//! Python's ssl module over TLS: sessions, farewells, and clients that are slow, silent, or gone.

use crate::pki::{Client, P256, Pki, RSA};
use crate::tls::server::{Counters, Python, Served, Way};

const VERSIONS: [&str; 2] = ["1.2", "1.3"];

/// A server with these settings, a client, and the counters.
fn all(pki: &Pki, settings: &[&str]) -> (Served, Way, Python, Counters) {
    let served = Served::start(&pki.server("server", P256), settings);
    let way = Way::new(served.address, &pki.ca());
    let counters = Counters::open(&way);
    (served, way, Python::start(), counters)
}

#[test]
fn a_scrape_in_both_versions() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &[]);
    for version in VERSIONS {
        let seen = python.ask("version", &way.speaking(version), &[]);
        assert_eq!(seen, format!("200 TLSv{version} None"));
        counters.expect(version, &[("handshakes", 1)]);
    }
    assert_eq!(python.ask("version", &way, &[]), "200 TLSv1.3 None");
}

#[test]
fn the_page_tells_when_the_certificate_expires() {
    let pki = Pki::new();
    let served = Served::start(&pki.server("server", P256), &[]);
    let mut counters = Counters::open(&Way::new(served.address, &pki.ca()));
    let output = std::process::Command::new(crate::process::tool("openssl"))
        .args(["x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in"])
        .arg(pki.path("server.pem"))
        .output()
        .expect("openssl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let date = text.trim().strip_prefix("notAfter=").expect("openssl tells the date");
    let seconds = std::process::Command::new(crate::process::tool("date"))
        .args(["-u", "+%s", "-d", date])
        .output()
        .expect("date runs");
    assert_eq!(String::from_utf8_lossy(&seconds.stdout).trim(), counters.not_after().to_string());
}

#[test]
fn sessions_are_resumed() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &[]);
    for version in VERSIONS {
        let seen = python.ask("resume", &way.speaking(version), &["4"]);
        assert_eq!(seen, "200 new, 200 reused, 200 reused, 200 reused", "{version}");
        counters.expect(version, &[("handshakes", 4)]);
    }
}

#[test]
fn a_client_with_a_certificate_does_all_that_others_do() {
    let pki = Pki::new();
    let good = pki.client(Client::Good);
    let file = format!("client_cafile={}", pki.ca());
    let served =
        Served::start(&pki.server("server", RSA), &[&file, "client_auth_required=true", "rows=1000"]);
    let way = Way::new(served.address, &pki.ca()).with(good.as_ref());
    let mut python = Python::start();
    for version in VERSIONS {
        let way = way.speaking(version);
        assert_eq!(python.ask("version", &way, &[]), format!("200 TLSv{version} None"));
        assert_eq!(python.ask("farewell", &way, &[]), "200 farewell end");
        assert_eq!(python.ask("half_close", &way, &[]), "200 farewell");
        assert_eq!(python.ask("slow", &way, &["7"]), "200 True");
    }
}

#[test]
fn the_farewell_is_answered() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &["rows=1000"]);
    for version in VERSIONS {
        let way = way.speaking(version);
        assert_eq!(python.ask("farewell", &way, &[]), "200 farewell end", "{version}");
        // Who has said all there is to say is answered all the same.
        assert_eq!(python.ask("half_close", &way, &[]), "200 farewell", "{version}");
        assert_eq!(python.ask("end_of_tcp", &way, &[]), "200", "{version}");
        counters.expect(version, &[("handshakes", 3)]);
    }
    for _ in 0..5 {
        assert_eq!(python.ask("half_close", &way.speaking("1.3"), &["together"]), "200 farewell");
        counters.expect("together", &[("handshakes", 1)]);
    }
}

#[test]
fn slow_clients_are_served() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &["rows=100"]);
    for version in VERSIONS {
        for pace in ["1", "2", "5", "100"] {
            assert_eq!(python.ask("slow", &way.speaking(version), &[pace]), "200 True", "{version} {pace}");
            counters.expect(pace, &[("handshakes", 1)]);
        }
    }
}

#[test]
fn handshakes_that_are_broken_off_are_counted() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &[]);
    for version in VERSIONS {
        for place in ["nothing", "one byte", "hello", "answer"] {
            assert_eq!(python.ask("broken_off", &way.speaking(version), &[place]), "ended", "{place}");
            counters.expect(&format!("{version} {place}"), &[("closed", 1)]);
        }
    }
    assert_eq!(python.ask("visit", &way, &[]), "200");
}

#[test]
fn a_handshake_has_a_deadline() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &["handshake_timeout=1000"]);
    for place in ["nothing", "hello", "answer"] {
        assert_eq!(python.ask("silent", &way, &[place]), "ended", "{place}");
        counters.expect(place, &[("timed_out", 1)]);
    }
    // The whole handshake has it, not each byte.
    assert_eq!(python.ask("dripping", &way, &[]), "ended");
    counters.expect("dripping", &[("timed_out", 1)]);
    assert_eq!(python.ask("visit", &way, &[]), "200");
}

#[test]
fn silent_handshakes_keep_nobody_out() {
    let pki = Pki::new();
    let settings = ["max_connections=4", "handshake_timeout=60000"];
    let served = Served::start(&pki.server("server", P256), &settings);
    let way = Way::new(served.address, &pki.ca());
    let mut python = Python::start();
    assert_eq!(python.ask("crowd", &way, &["40"]), "200");
    assert_eq!(python.ask("crowd", &way, &["3"]), "200");
}

#[test]
fn what_is_no_tls_gets_no_answer_but_plain_http() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &[]);
    let hex = |text: &[u8]| text.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let notice = hex(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    for text in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"GET /", b"POST /x HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.1"]
    {
        assert_eq!(python.ask("raw", &way, &[&hex(text)]), notice, "{text:?}");
        counters.expect("plain HTTP", &[("plain_http", 1)]);
    }
    for text in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"\0\0\0\0", b"GET", b"\x15\x03\x03\x00\x02\x02\x28"] {
        assert_eq!(python.ask("raw", &way, &[&hex(text)]), "", "{text:?}");
        counters.expect("no TLS", &[("not_tls", 1)]);
    }
    // Begins like TLS and goes on otherwise: a record too long, one of no known type, a hello that is none.
    for text in [&b"\x16\x03\x01\xff\xff\x01\x00\x00\x00"[..], b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff"] {
        let answer = python.ask("raw", &way, &[&hex(text)]);
        assert!(answer.starts_with("15030"), "no alert for {text:?}: {answer}");
        counters.expect("broken TLS", &[("protocol_error", 1)]);
    }
}

#[test]
fn altered_records_are_noticed() {
    let pki = Pki::new();
    let (_served, way, mut python, mut counters) = all(&pki, &[]);
    for version in VERSIONS {
        for at in ["6", "20"] {
            let seen = python.ask("altered", &way.speaking(version), &[at]);
            assert_eq!(seen, "alert bad_record_mac", "{version} {at}");
            counters.expect(version, &[("handshakes", 1)]);
        }
    }
    assert_eq!(python.ask("visit", &way, &[]), "200");
}
