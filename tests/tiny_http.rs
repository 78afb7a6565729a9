//! The handler mounted in a real tiny_http server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use scrapeport::http::{MetricsHandler, tiny_http::respond};
use scrapeport::text::{Format, Kind, Page};
use scrapeport::{Collect, CollectError, Collector, Counter, Registry};

static HITS: Counter = Counter::new("hits_total", "Hits.");

struct Many;

impl Collect for Many {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut family = page.family(Kind::Gauge, "many", "Many.");
        for number in 0..2_000_u64 {
            family.sample(&[], number);
        }
        Ok(())
    }
}

static MANY: Collector<Many> = Collector::new("many", &["many"], Many);
static REGISTRY: Registry = Registry::new(&[&HITS]).collecting(&[&MANY]);
static METRICS: MetricsHandler = MetricsHandler::new(&REGISTRY);

fn serve() -> SocketAddr {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = server.server_addr().to_ip().unwrap();
    thread::spawn(move || {
        for request in server.incoming_requests() {
            let _ = respond(request, &METRICS);
        }
    });
    address
}

/// What comes back for a request after which the connection ends.
fn said(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(response[..end].to_vec()).unwrap(), response[end + 4..].to_vec())
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = bytes[end + 2 + size..].strip_prefix(b"\r\n").unwrap();
        if size == 0 {
            assert!(bytes.is_empty());
            return body;
        }
    }
}

#[test]
fn a_long_page_is_chunked_for_http_1_1() {
    let (head, body) = said(serve(), "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(head.ends_with("\r\nConnection: close\r\nTransfer-Encoding: chunked"), "{head}");
    assert_eq!(dechunked(&body), REGISTRY.to_text(Format::TEXT).as_bytes());
}

#[test]
fn a_page_for_http_1_0_has_its_length() {
    for extra in ["", "Connection: close\r\n"] {
        let (head, body) = said(serve(), &format!("GET / HTTP/1.0\r\n{extra}\r\n"));
        assert!(head.contains("\r\nContent-Length: ") && !head.contains("chunked"), "{head}");
        assert_eq!(body, REGISTRY.to_text(Format::TEXT).as_bytes());
    }
}

#[test]
fn the_query_filters_and_accept_negotiates() {
    let request = "GET /?name[]=hits_total HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\
        Connection: close\r\n\r\n";
    let (head, body) = said(serve(), request);
    assert!(head.contains("openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"), "{head}");
    assert_eq!(body, b"# HELP hits Hits.\n# TYPE hits counter\nhits_total 0\n# EOF\n");
}

#[test]
fn other_methods_are_not_allowed() {
    let body = "# HTTP 405 Method Not Allowed: POST; use OPTIONS or GET\n";
    let request = "POST / HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    let (head, given) = said(serve(), request);
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nAllow: OPTIONS, GET\r\n"), "{head}");
    assert_eq!(given, body.as_bytes());
    for version in ["1.0", "1.1"] {
        let (head, given) = said(serve(), &format!("HEAD / HTTP/{version}\r\nConnection: close\r\n\r\n"));
        assert!(head.starts_with("HTTP/1.") && head.contains(" 405 "), "{head}");
        assert_eq!(given, b"");
    }
}

#[test]
fn a_kept_connection_is_not_slowed_down() {
    let mut stream = TcpStream::connect(serve()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let start = Instant::now();
    for _ in 0..25 {
        stream.write_all(b"GET /?name[]=hits_total HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"hits_total 0\n") {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0);
            response.extend_from_slice(&piece[..length]);
        }
    }
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}
