//! Whole conversations in memory. Tests are named after the row of the specification that they show.

use core::cell::RefCell;
use std::borrow::ToOwned;
use std::boxed::Box;
use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::collector::{Collect, CollectError, Collector};
use crate::counter::Counter;
use crate::http::route::{Asked, Document, Route, error_body};
use crate::registry::Registry;
use crate::text::{Kind, Page};

static HITS: Counter = Counter::new("hits_total", "Hits.");
static SMALL: Registry = Registry::new(&[&HITS]);
const PAGE: &str = "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total 0\n";
const TEXT: &str =
    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nVary: Accept, Accept-Encoding\r\n";
const ALLOW: &str = "Allow: OPTIONS, GET\r\n";

struct Many;

impl Collect for Many {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut family = page.family(Kind::Gauge, "many", "Many.");
        for number in 0..2_000_u64 {
            family.sample(&[("number", &format!("{number}"))], number);
        }
        Ok(())
    }
}

static MANY: Collector<Many> = Collector::new("many", &["many"], Many);
static LARGE: Registry = Registry::new(&[]).collecting(&[&MANY]);

/// What the client does after its last byte.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Finishes,
    WaitsForEver,
    Resets,
}

struct Client {
    input: Vec<u8>,
    at: usize,
    piece: Box<dyn FnMut() -> usize>,
    after: After,
    output: Vec<u8>,
    writes: Vec<usize>,
    phases: Vec<Phase>,
    half_closed: bool,
    draining: bool,
    crowded: bool,
    known: Vec<bool>,
    refuses_after: usize,
    scrape: Option<Duration>,
}

impl Client {
    fn new(input: impl AsRef<[u8]>) -> Self {
        Self {
            input: input.as_ref().to_owned(),
            at: 0,
            piece: Box::new(|| usize::MAX),
            after: After::Finishes,
            output: Vec::new(),
            writes: Vec::new(),
            phases: Vec::new(),
            half_closed: false,
            draining: false,
            crowded: false,
            known: Vec::new(),
            refuses_after: usize::MAX,
            scrape: None,
        }
    }

    fn then(mut self, after: After) -> Self {
        self.after = after;
        self
    }

    fn in_pieces(mut self, piece: impl FnMut() -> usize + 'static) -> Self {
        self.piece = Box::new(piece);
        self
    }

    fn talk_to(self, registry: &'static Registry) -> Self {
        self.talk(&MetricsHandler::new(registry), &mut Buffers::alone(&Limits::DEFAULT), &Books::default())
    }

    fn talk(mut self, handler: &MetricsHandler, buffers: &mut Buffers, books: &Books) -> Self {
        serve(&mut self, &Service { handler, gate: None, routes: None }, books, buffers);
        self
    }

    /// Past a gate with this verdict and these fields.
    fn pass(mut self, gate: &dyn Gate, registry: &'static Registry, buffer: usize) -> Self {
        let handler = MetricsHandler::new(registry);
        let mut buffers = Buffers::alone(&Limits { buffer, ..Limits::DEFAULT });
        let service = Service { handler: &handler, gate: Some(gate), routes: None };
        serve(&mut self, &service, &Books::default(), &mut buffers);
        self
    }

    fn talk_with(mut self, routes: &dyn Routes, limits: &Limits) -> Self {
        let handler = MetricsHandler::new(&SMALL);
        let service = Service { handler: &handler, gate: None, routes: Some(routes) };
        serve(&mut self, &service, &Books::default(), &mut Buffers::alone(limits));
        self
    }

    fn text(&self) -> String {
        String::from_utf8(self.output.clone()).unwrap()
    }
}

impl Transport for Client {
    fn read(&mut self, into: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        assert!(!into.is_empty());
        self.phases.push(phase);
        let rest = &self.input[self.at..];
        if rest.is_empty() {
            return match self.after {
                After::Finishes => Ok(0),
                After::WaitsForEver => Err(Gone::TimedOut),
                After::Resets => Err(Gone::Closed),
            };
        }
        let length = (self.piece)().min(rest.len()).min(into.len()).max(1);
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        assert!(!bytes.is_empty() && !self.half_closed);
        if self.writes.len() >= self.refuses_after {
            return Err(Gone::Closed);
        }
        self.output.extend_from_slice(bytes);
        self.writes.push(bytes.len());
        Ok(())
    }

    fn close_write(&mut self) {
        assert!(!self.half_closed);
        self.half_closed = true;
    }

    fn begin_response(&mut self, scrape: Option<Duration>) {
        self.scrape = scrape;
    }

    fn expired(&self) -> bool {
        self.scrape.is_some_and(|time| time < Duration::from_secs(1))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(3)
    }

    fn draining(&self) -> bool {
        self.draining
    }

    fn crowded(&self) -> bool {
        self.crowded
    }

    fn known(&mut self, known: bool) {
        self.known.push(known);
    }

    fn is_known(&self) -> bool {
        self.known.last() == Some(&true)
    }

    fn now_unix(&self) -> u64 {
        784_111_777
    }
}

#[derive(Default)]
struct Books {
    answered: RefCell<Vec<Answered>>,
    failed: RefCell<Vec<&'static str>>,
}

impl Observer for Books {
    fn answered(&self, answered: &Answered) {
        self.answered.borrow_mut().push(*answered);
    }

    fn collector_failed(&self, collector: &'static str, _: &dyn core::fmt::Display) {
        self.failed.borrow_mut().push(collector);
    }
}

/// All that a client gets that sends these bytes and then finishes.
fn said(input: impl AsRef<[u8]>) -> String {
    Client::new(input).talk_to(&SMALL).text()
}

fn response(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    format!("HTTP/1.1 {status}\r\n{date}\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

fn page(close: bool) -> String {
    let close = if close { "Connection: close\r\n" } else { "" };
    response("200 OK", &format!("{TEXT}{close}"), PAGE)
}

fn refusal(status: &str, detail: &str) -> String {
    let fields = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
    response(status, fields, &format!("# HTTP {status}: {detail}\n"))
}

const NO_VERSION: &str = "the request line has no HTTP version; send GET /metrics HTTP/1.1";
const ONE_WORD: &str = "the request line is a single word; send GET /metrics HTTP/1.1";
const BAD_VERSION: &str = "the HTTP version is malformed; send GET /metrics HTTP/1.1";
const OTHER_VERSION: &str = "only HTTP/1.0 and HTTP/1.1 are spoken here; send GET /metrics HTTP/1.1";
const WORDS: &str = "the request line has more than three words; encode blanks in the target as %20";
const CUT: &str = "the input ended inside the request head; end the head with an empty line";

#[test]
fn get_any_path_gives_the_metrics() {
    for target in
        ["/", "/metrics", "/a/b", "*", "metrics", "/..", "/%00", "/%zz", "http://h/favicon.ico", "/x?y"]
    {
        assert_eq!(said(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")), page(false), "{target}");
    }
    assert_eq!(said(b"GET /\xff\xfe HTTP/1.1\r\n\r\n"), page(false));
}

#[test]
fn get_favicon_gives_an_empty_body_without_a_type() {
    for target in ["/favicon.ico", "//favicon.ico", "/%66avicon.ico?x"] {
        assert_eq!(said(format!("GET {target} HTTP/1.1\r\n\r\n")), response("200 OK", "", ""));
    }
}

#[test]
fn options_gives_the_allowed_methods() {
    for target in ["*", "/", "/favicon.ico"] {
        assert_eq!(said(format!("OPTIONS {target} HTTP/1.1\r\n\r\n")), response("200 OK", ALLOW, ""));
    }
}

#[test]
fn any_other_method_is_not_allowed() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "options", "X-Y!"] {
        let body = format!("# HTTP 405 Method Not Allowed: {method}; use OPTIONS or GET\n");
        let expected = response("405 Method Not Allowed", ALLOW, &body);
        assert_eq!(said(format!("{method} / HTTP/1.1\r\n\r\n")), expected);
    }
    assert!(said("CONNECT h:1 HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
}

#[test]
fn head_is_not_allowed_and_has_no_body_bytes() {
    let body = "# HTTP 405 Method Not Allowed: HEAD; use OPTIONS or GET\n";
    let whole = response("405 Method Not Allowed", ALLOW, body);
    let expected = whole.strip_suffix(body).unwrap();
    assert_eq!(said("HEAD / HTTP/1.1\r\n\r\n"), expected);
    assert_eq!(said("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), expected.to_owned() + &page(false));
}

#[test]
fn odd_bytes_of_a_method_come_back_escaped_and_end_the_connection() {
    let body = "# HTTP 405 Method Not Allowed: <\\x00\\xE9>; use OPTIONS or GET\n";
    let body = body.replace('<', "\\x3C").replace('>', "\\x3E");
    let fields = format!("{ALLOW}Connection: close\r\n");
    let expected = response("405 Method Not Allowed", &fields, &body);
    assert_eq!(said(b"<\0\xe9> / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), expected);
}

#[test]
fn a_request_line_without_version_is_refused_with_a_status_line() {
    for line in ["GET /\r\n\r\n", "GET /\r\n", "POST /\n", "GET / \r\n"] {
        assert_eq!(said(line), refusal("400 Bad Request", NO_VERSION), "{line}");
    }
}

#[test]
fn a_single_word_is_refused() {
    for line in ["GET\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n"] {
        assert_eq!(said(line), refusal("400 Bad Request", ONE_WORD), "{line}");
    }
}

#[test]
fn four_words_are_refused() {
    assert_eq!(said("GET / x HTTP/1.1\r\n\r\n"), refusal("400 Bad Request", WORDS));
}

#[test]
fn a_bad_version_word_is_refused() {
    for word in ["HTTP", "HTTP/", "HTTP/1", "HTTP/1.", "HTTP/1.1.1", "http/1.1", "HTTP/1.x", "HTTP/-1.1", "x"]
    {
        assert_eq!(said(format!("GET / {word}\r\n\r\n")), refusal("400 Bad Request", BAD_VERSION), "{word}");
    }
}

#[test]
fn other_major_versions_are_refused_with_505() {
    let expected = refusal("505 HTTP Version Not Supported", OTHER_VERSION);
    for word in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9999999999.0"] {
        assert_eq!(said(format!("GET / {word}\r\n\r\n")), expected, "{word}");
    }
    assert_eq!(said("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), expected, "HTTP/2 preface");
}

#[test]
fn later_minor_versions_and_loose_request_lines_are_served_and_end_the_connection() {
    for line in [
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/1.9\r\n",
        "GET / HTTP/01.01\r\n",
        "GET\t/\tHTTP/1.1\r\n",
        "GET   /   HTTP/1.1\r\n",
        " GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET / HTTP/1.1\n",
        "GET /\x7f HTTP/1.1\r\n",
    ] {
        assert_eq!(said(format!("{line}\r\nGET / HTTP/1.1\r\n\r\n")), page(true), "{line:?}");
    }
}

#[test]
fn line_feeds_alone_are_served_and_end_the_connection() {
    for head in [
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\nAccept: */*\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n",
    ] {
        assert_eq!(said(head.to_owned() + "GET / HTTP/1.1\r\n\r\n"), page(true), "{head:?}");
    }
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    for blank in ["\r\n", "\r\n\r\n\r\n"] {
        let two = format!("{blank}GET / HTTP/1.1\r\n\r\n").repeat(2);
        assert_eq!(said(two), page(false).repeat(2));
    }
    assert_eq!(said("\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), page(true));
    assert_eq!(said("\r\n"), "");
    assert_eq!(
        said(" \t\r\n"),
        refusal("400 Bad Request", "the request line is blank; send GET /metrics HTTP/1.1")
    );
}

#[test]
fn a_request_line_over_the_limit_is_refused_with_414_at_once() {
    let detail = "the request line is longer than the server's limit; ask for fewer names at once";
    let client = Client::new("x".repeat(10_000_000)).talk_to(&SMALL);
    assert_eq!(client.text(), refusal("414 URI Too Long", detail));
    assert!(client.at <= Limits::DEFAULT.head + super::LINGER + Limits::DEFAULT.head, "{}", client.at);
    assert_eq!(said("\r\n".repeat(5_000)), refusal("414 URI Too Long", detail));
}

#[test]
fn a_head_over_the_limit_is_refused_with_431_at_once() {
    let detail = "the request head is longer than the server's limit; send fewer or shorter header fields";
    let expected = refusal("431 Request Header Fields Too Large", detail);
    assert_eq!(said(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(10_000_000))), expected);
    assert_eq!(said("GET / HTTP/1.1\r\n".to_owned() + &"x\r\n".repeat(1_000_000)), expected);
}

#[test]
fn a_head_of_exactly_the_limit_is_served() {
    let padded = |length: usize| {
        let frame = "GET / HTTP/1.1\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length - frame))
    };
    assert_eq!(said(padded(Limits::DEFAULT.head)), page(false));
    assert_eq!(
        said("GET / HTTP/1.1\r\n\r\n".to_owned() + &padded(Limits::DEFAULT.head)),
        page(false).repeat(2)
    );
    assert!(said(padded(Limits::DEFAULT.head + 1)).starts_with("HTTP/1.1 431 "));
}

#[test]
fn more_than_64_header_fields_are_refused() {
    let head = |count: usize, field: &str| format!("GET / HTTP/1.1\r\n{}\r\n", field.repeat(count));
    assert_eq!(said(head(64, "A: b\r\n")), page(false));
    assert_eq!(said(head(64, "A\r\n")), page(true));
    let detail = "more than 64 header fields; send fewer or shorter header fields";
    for field in ["A: b\r\n", "A\r\n"] {
        let expected = refusal("431 Request Header Fields Too Large", detail);
        assert_eq!(said(head(65, field)), expected);
    }
}

#[test]
fn a_header_without_colon_ends_the_headers_and_the_connection() {
    let om = "Accept: application/openmetrics-text\r\n";
    let after = said(format!("GET / HTTP/1.1\r\nnonsense\r\n{om}\r\nGET / HTTP/1.1\r\n\r\n"));
    assert_eq!(after, page(true));
    let before = said(format!("GET / HTTP/1.1\r\n{om}nonsense\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
    assert!(before.contains("Content-Type: application/openmetrics-text;"), "{before}");
}

#[test]
fn odd_header_syntax_is_served_and_ends_the_connection() {
    for field in [
        "Host : x",
        " folded: x",
        "A: b\r\n c",
        "A: \x01",
        ": x",
        "A: b\rc",
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 1, 1",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        let input = format!("GET / HTTP/1.1\r\n{field}\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        assert_eq!(said(input), page(true), "{field:?}");
    }
}

#[test]
fn headers_after_an_odd_one_still_count() {
    let odd = said("GET / HTTP/1.1\r\nA: \x01\r\nAccept: application/openmetrics-text\r\n\r\n");
    assert!(odd.contains("Content-Type: application/openmetrics-text;"), "{odd}");
}

#[test]
fn ignored_headers_are_ignored() {
    for fields in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Range: bytes=0-1\r\nIf-None-Match: *\r\nIf-Modified-Since: x\r\n",
        "Authorization: Basic eA==\r\nOrigin: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n",
        "X-HTTP-Method-Override: POST\r\nX-Prometheus-Scrape-Timeout-Seconds: nonsense\r\n",
        "Connection: keep-alive\r\nContent-Length: 0\r\nExpect: 100-continue\r\n",
    ] {
        let input = format!("GET / HTTP/1.1\r\n{fields}\r\n").repeat(2);
        assert_eq!(said(input), page(false).repeat(2), "{fields}");
    }
}

#[test]
fn eof_inside_a_head_is_refused_and_before_it_is_silence() {
    let head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for end in 1..head.len() {
        assert_eq!(said(&head[..end]), refusal("400 Bad Request", CUT), "{end}");
        assert_eq!(
            said(head.to_owned() + &head[..end]),
            page(false) + &refusal("400 Bad Request", CUT),
            "{end}"
        );
    }
    assert_eq!(said(""), "");
}

#[test]
fn slow_heads_time_out_with_408_and_silence_with_nothing() {
    let detail = "the request head did not arrive in time; send the head in one piece";
    let slow = |input: &str| Client::new(input).then(After::WaitsForEver).talk_to(&SMALL);
    for input in ["G", "\r\nG", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        assert_eq!(slow(input).text(), refusal("408 Request Timeout", detail), "{input:?}");
    }
    for input in ["", "\r\n"] {
        assert_eq!(slow(input).text(), "", "{input:?}");
    }
    assert_eq!(slow("GET / HTTP/1.1\r\n\r\n").text(), page(false));
    assert_eq!(slow("GET / HTTP/1.1\r\n\r\n\r\n").text(), page(false));
}

#[test]
fn a_reset_ends_in_silence_anywhere() {
    let head = "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    for end in 0..=head.len() {
        let text = Client::new(&head[..end]).then(After::Resets).talk_to(&SMALL).text();
        assert_eq!(text, if end < head.len() - 3 { String::new() } else { page(false) }, "{end}");
    }
}

#[test]
fn phases_tell_what_is_waited_for() {
    use Phase::*;
    let input = "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\n\r\nbad\r\n";
    let mut sizes = [10, 27, 1, 1, 17, 5].into_iter();
    let client = Client::new(input).in_pieces(move || sizes.next().unwrap()).talk_to(&SMALL);
    assert_eq!(client.phases, [Head, Head, Body, Idle, Head, Idle, Linger]);
    assert!(client.half_closed);
}

#[test]
fn tls_on_the_plain_port_gets_a_line_that_says_so() {
    let detail = "a TLS handshake came to a plain HTTP port; use http:// instead of https://";
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for end in 1..hello.len() {
        let client = Client::new(&hello[..end]).then(After::WaitsForEver).talk_to(&SMALL);
        assert_eq!(client.text(), refusal("400 Bad Request", detail));
    }
}

#[test]
fn connection_close_is_honoured() {
    for field in ["Connection: close", "connection: Keep-Alive, CLOSE", "Connection: a\r\nConnection: close"]
    {
        let client = Client::new(format!("GET / HTTP/1.1\r\n{field}\r\n\r\n")).talk_to(&SMALL);
        assert_eq!(client.text(), page(true));
        assert!(!client.half_closed, "nothing unread: the connection ends at once");
    }
}

#[test]
fn http_1_0_always_closes() {
    for field in ["", "Connection: keep-alive\r\n"] {
        let input = format!("GET / HTTP/1.0\r\n{field}\r\n").repeat(2);
        let client = Client::new(input).talk_to(&SMALL);
        assert_eq!(client.text(), page(true));
        assert!(client.half_closed, "a second request is unread");
    }
}

#[test]
fn draining_makes_the_response_the_last() {
    let mut client = Client::new("GET / HTTP/1.1\r\n\r\n");
    client.draining = true;
    assert_eq!(client.talk_to(&SMALL).text(), page(true));
}

#[test]
fn bodies_are_dropped_and_the_connection_kept() {
    for body in [
        "Content-Length: 5\r\n\r\nabcde",
        "Transfer-Encoding: Chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n00\r\nTrailer: x\r\n\r\n",
    ] {
        assert_eq!(said(format!("GET / HTTP/1.1\r\n{body}").repeat(3)), page(false).repeat(3), "{body}");
    }
    let long = format!("GET / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n{}", "x".repeat(65_536));
    assert_eq!(said(long.repeat(2)), page(false).repeat(2));
}

#[test]
fn a_body_over_the_limit_is_answered_and_ends_the_connection() {
    let long = format!("POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n{}", "x".repeat(65_537));
    let client = Client::new(long).talk_to(&SMALL);
    assert!(client.text().contains("\r\nConnection: close\r\n") && client.half_closed);
    let chunked =
        format!("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}", "1\r\nx\r\n".repeat(20_000));
    assert_eq!(said(chunked), page(false));
}

#[test]
fn a_malformed_chunk_ends_the_connection() {
    let input = "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\n\nGET / HTTP/1.1\r\n\r\n";
    assert_eq!(said(input), page(false));
}

#[test]
fn expect_100_continue_is_answered_at_once_and_ends_the_connection() {
    let input = "POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let client = Client::new(input).then(After::WaitsForEver).talk_to(&SMALL);
    assert!(
        client.text().starts_with("HTTP/1.1 405 ") && client.text().contains("\r\nConnection: close\r\n")
    );
    assert_eq!(client.phases, [Phase::Head, Phase::Linger]);
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_order() {
    let mut input = String::new();
    let mut expected = String::new();
    for number in 0..1_000 {
        if number % 3 == 0 {
            input += &format!("M{number} / HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy");
            let body = format!("# HTTP 405 Method Not Allowed: M{number}; use OPTIONS or GET\n");
            expected += &response("405 Method Not Allowed", ALLOW, &body);
        } else {
            input += "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
            expected += &page(false);
        }
    }
    assert_eq!(said(&input), expected);
    let mut size = 0;
    let client = Client::new(&input).in_pieces(move || {
        size = (size + 7) % 100;
        size
    });
    assert_eq!(client.talk_to(&SMALL).text(), expected);
}

#[test]
fn a_kept_request_costs_one_read_and_one_write() {
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
    let client = Client::new(request.repeat(50)).in_pieces(|| request.len()).talk_to(&SMALL);
    assert_eq!((client.phases.len(), client.writes.len()), (51, 50));
}

#[test]
fn a_long_page_leaves_in_chunks_of_one_write_each() {
    let client = Client::new("GET / HTTP/1.1\r\n\r\n".repeat(2)).talk_to(&LARGE);
    let text = client.text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with("\r\nTransfer-Encoding: chunked"), "{head}");
    let pieces = client.writes.len() / 2;
    assert!(
        client.writes[..pieces - 1].iter().all(|size| *size > 15_000 && *size <= 16_384),
        "{:?}",
        client.writes
    );
    let (first, rest) = dechunked(body);
    assert_eq!(first, LARGE.to_text(crate::text::Format::TEXT));
    let (_, body) = rest.split_once("\r\n\r\n").unwrap();
    assert_eq!(dechunked(body), (first, ""));
}

#[test]
fn a_long_page_for_http_1_0_ends_with_the_connection() {
    let text = Client::new("GET / HTTP/1.0\r\n\r\n").talk_to(&LARGE).text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with("\r\nConnection: close"), "{head}");
    assert_eq!(body, LARGE.to_text(crate::text::Format::TEXT));
}

#[cfg(feature = "gzip")]
#[test]
fn pages_are_compressed_for_those_who_ask() {
    let unpacked = |packed: &[u8], length: usize| {
        let mut text = std::vec![0; length + 1];
        let mut inflate = zlib_rs::Inflate::new(true, 16 + 15);
        inflate.decompress(packed, &mut text, zlib_rs::InflateFlush::Finish).unwrap();
        text.truncate(inflate.total_out() as usize);
        String::from_utf8(text).unwrap()
    };
    let request = "GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n";
    let small = Client::new(request).talk_to(&SMALL);
    let at = small.output.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = small.output.split_at(at);
    let expected = response("200 OK", &TEXT.replace("Vary", "Content-Encoding: gzip\r\nVary"), "");
    let expected = expected.replace("Length: 0", &format!("Length: {}", body.len()));
    assert_eq!(core::str::from_utf8(head), Ok(&expected[..]));
    assert_eq!(unpacked(body, PAGE.len()), PAGE);
    assert_eq!(small.writes.len(), 1);

    let page = LARGE.to_text(crate::text::Format::TEXT);
    let smallest = super::super::limits::SMALLEST_BUFFER;
    let mut buffers = Buffers::alone(&Limits { buffer: smallest, ..Limits::DEFAULT });
    let close = "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n";
    for input in [request, close] {
        let client = Client::new(input).talk(&MetricsHandler::new(&LARGE), &mut buffers, &Books::default());
        let at = client.output.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let body =
            if input == close { client.output[at..].to_vec() } else { dechunked_bytes(&client.output[at..]) };
        assert_eq!(unpacked(&body, page.len()), page);
        assert!(client.writes.len() > 3 && body.len() < page.len() / 4, "{:?}", client.writes);
    }
}

#[cfg(feature = "gzip")]
#[test]
fn nothing_but_metrics_is_compressed() {
    for line in ["GET /favicon.ico", "OPTIONS *", "PUT /"] {
        assert!(
            !said(format!("{line} HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n")).contains("gzip"),
            "{line}"
        );
    }
}

#[cfg(feature = "gzip")]
fn dechunked_bytes(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(core::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = bytes[end + 2 + size..].strip_prefix(b"\r\n").unwrap();
        if size == 0 {
            assert!(bytes.is_empty());
            return body;
        }
    }
}

/// The body, and what follows it.
fn dechunked(mut text: &str) -> (String, &str) {
    let mut body = String::new();
    loop {
        let (size, rest) = text.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body += &rest[..size];
        text = rest[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            return (body, text);
        }
    }
}

#[test]
fn a_client_that_leaves_during_a_page_ends_the_conversation() {
    for writes in 0..3 {
        let books = Books::default();
        let mut client = Client::new("GET / HTTP/1.1\r\n\r\n".repeat(2));
        client.refuses_after = writes;
        let handler = MetricsHandler::new(&LARGE);
        let client = client.talk(&handler, &mut Buffers::alone(&Limits::DEFAULT), &books);
        assert_eq!(client.writes.len(), writes);
        assert!(!client.half_closed);
        let answered = books.answered.borrow();
        assert_eq!(answered.len(), 1);
        assert!(!answered[0].complete && answered[0].bytes == client.output.len() as u64);
    }
}

#[test]
fn the_books_are_kept() {
    let books = Books::default();
    let client = Client::new("GET / HTTP/1.1\r\n\r\nPUT / HTTP/1.1\r\n\r\nx\r\n").talk(
        &MetricsHandler::new(&SMALL),
        &mut Buffers::alone(&Limits::DEFAULT),
        &books,
    );
    let answered = books.answered.borrow();
    assert_eq!(
        answered.iter().map(|one| (one.status, one.scrape)).collect::<Vec<_>>(),
        [(200, true), (405, false), (400, false)]
    );
    assert!(answered.iter().all(|one| one.complete && one.took == Duration::from_millis(3)));
    assert_eq!(answered.iter().map(|one| one.bytes).sum::<u64>(), client.output.len() as u64);
}

#[test]
fn the_scrape_timeout_stops_collectors_that_have_not_begun() {
    // A collector of its own: the page tells how often one was skipped.
    static LATE: Collector<Many> = Collector::new("late", &["many"], Many);
    static REGISTRY: Registry = Registry::new(&[]).collecting(&[&LATE]);
    for (value, served) in
        [("10", true), ("1.5e0", true), ("0.5", false), ("0", true), ("-1", true), ("nan", true)]
    {
        let books = Books::default();
        let input = format!("GET / HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: {value}\r\n\r\n");
        let handler = MetricsHandler::new(&REGISTRY);
        let client = Client::new(input).talk(&handler, &mut Buffers::alone(&Limits::DEFAULT), &books);
        assert_eq!(client.text().contains("many{"), served, "{value}");
        assert_eq!(books.failed.borrow().as_slice(), if served { &[][..] } else { &["late"] });
    }
}

#[test]
fn names_filter_the_page_on_every_path() {
    for target in ["/metrics?name[]=nothing", "/?name%5B%5D=nothing", "http://h/?name[]=nothing"] {
        let fields = TEXT;
        assert_eq!(said(format!("GET {target} HTTP/1.1\r\n\r\n")), response("200 OK", fields, ""));
    }
    assert_eq!(said("GET /?name[]=hits_total HTTP/1.1\r\n\r\n"), page(false));
    let om = "GET /?name[]=x HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n";
    assert!(said(om).ends_with("\r\nContent-Length: 6\r\n\r\n# EOF\n"));
}

#[test]
fn a_familiar_head_answers_only_for_the_same_bytes() {
    let mut buffers = Buffers::alone(&Limits::DEFAULT);
    let handler = MetricsHandler::new(&SMALL);
    let inputs = [
        ("GET /a HTTP/1.1\r\n\r\n", 200),
        ("GET /a HTTP/1.1\r\n\r\n", 200),
        ("PUT /a HTTP/1.1\r\n\r\n", 405),
        ("GET /a HTTP/1.1\r\n", 400),
        ("GET /a HTTP/1.1\r\n\r\nPUT /a HTTP/1.1\r\n\r\n", 405),
    ];
    for (input, status) in inputs {
        let books = Books::default();
        Client::new(input).talk(&handler, &mut buffers, &books);
        assert_eq!(books.answered.borrow().last().unwrap().status, status, "{input}");
    }
}

#[test]
fn the_longest_head_fits_its_margin() {
    let input = "GET / HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\
        Accept: application/openmetrics-text;version=1.0.0;escaping=underscores\r\n\r\n";
    for registry in [&SMALL, &LARGE] {
        let output = Client::new(input).talk_to(registry).output;
        let head = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        // A size line of eight digits, and a length of twenty.
        assert!(head + 10 + 20 <= reply::FRONT, "{head}");
    }
}

/// Gives the same verdict to everybody, and remembers what it was asked.
#[derive(Debug)]
struct Keeper<'a> {
    verdict: Verdict,
    fields: &'a [u8],
    known: bool,
    asked: std::sync::Mutex<Vec<Option<Vec<u8>>>>,
}

impl<'a> Keeper<'a> {
    fn new(verdict: Verdict, fields: &'a [u8]) -> Self {
        Self { verdict, fields, known: false, asked: std::sync::Mutex::default() }
    }
}

impl Gate for Keeper<'_> {
    fn admit(&self, authorization: Option<&[u8]>) -> Admission {
        self.asked.lock().unwrap().push(authorization.map(<[u8]>::to_vec));
        let fields = (!self.fields.is_empty()).then(|| self.fields.into());
        Admission { verdict: self.verdict, fields, known: self.known }
    }
}

#[test]
fn a_gate_stands_before_every_path_and_method() {
    for (verdict, status, rest) in [
        (
            Verdict::Unauthorized,
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"metrics\"\r\nX: y\r\n\r\nUnauthorized\n",
        ),
        (Verdict::TooMany, "429 Too Many Requests", "X: y\r\n\r\nToo Many Requests\n"),
        (Verdict::Broken, "500 Internal Server Error", "X: y\r\n\r\nInternal Server Error\n"),
        (
            Verdict::Busy,
            "503 Service Unavailable",
            "Retry-After: 1\r\nX: y\r\n\r\n# HTTP 503 Service Unavailable: too many passwords wait to be verified; \
             try again in a second\n",
        ),
    ] {
        for request in ["GET /metrics", "GET /favicon.ico", "POST /x", "OPTIONS *", "get /"] {
            let gate = Keeper::new(verdict, b"X: y\r\n");
            let text = Client::new(format!("{request} HTTP/1.1\r\n\r\n")).pass(&gate, &SMALL, 4096).text();
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}");
            assert!(text.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
            assert!(text.ends_with(rest), "{text}");
        }
        let gate = Keeper::new(verdict, b"");
        let text = Client::new("HEAD / HTTP/1.1\r\n\r\n").pass(&gate, &SMALL, 4096).text();
        let (_, body) = rest.split_once("\r\n\r\n").unwrap();
        assert!(
            text.contains(&format!("Content-Length: {}\r\n", body.len())) && text.ends_with("\r\n\r\n"),
            "{text}"
        );
    }
}

/// Whoever has not logged in holds no place that others wait for; who is in front of a broken file keeps its own.
#[test]
fn strangers_make_room_and_the_known_stay() {
    let cases: [(Verdict, bool, bool, &[bool]); 6] = [
        (Verdict::Unauthorized, false, true, &[false]),
        (Verdict::Busy, false, true, &[false]),
        (Verdict::TooMany, false, true, &[]),
        (Verdict::Broken, false, false, &[]),
        (Verdict::Served, true, false, &[true]),
        (Verdict::Served, false, false, &[]),
    ];
    for (verdict, known, closes, told) in cases {
        for crowded in [false, true] {
            let gate = Keeper { known, ..Keeper::new(verdict, b"") };
            let mut client = Client::new("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
            client.crowded = crowded;
            let client = client.pass(&gate, &SMALL, 4096);
            let answers = if closes && crowded { 1 } else { 2 };
            assert_eq!(client.known, told.repeat(answers), "{verdict:?}");
            let text = client.text();
            assert_eq!(text.matches("HTTP/1.1 ").count(), answers, "{verdict:?}: {text}");
            assert_eq!(text.contains("Connection: close"), closes && crowded, "{verdict:?}: {text}");
        }
    }
}

/// Asking too often is no reason to doubt who somebody is, nor to believe it.
#[test]
fn a_scraper_over_the_limit_keeps_its_place() {
    for (known, closes) in [(&[true][..], false), (&[false], true), (&[true, false], true), (&[], true)] {
        let gate = Keeper::new(Verdict::TooMany, b"");
        let mut client = Client::new("GET / HTTP/1.1\r\n\r\n");
        client.crowded = true;
        // By its certificate, or with a request before.
        client.known = known.to_vec();
        let client = client.pass(&gate, &SMALL, 4096);
        assert_eq!(client.known, known, "nobody was asked");
        let text = client.text();
        assert!(text.starts_with("HTTP/1.1 429 "), "{text}");
        assert_eq!(text.contains("Connection: close"), closes, "{known:?}: {text}");
    }
}

#[test]
fn a_gate_is_asked_with_the_first_authorization() {
    let gate = Keeper::new(Verdict::Served, b"");
    let input = "GET / HTTP/1.1\r\nAuthorization: Basic  YQ==\r\nauthorization: Basic b\r\n\r\n\
        GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nAUTHORIZATION:\r\nAuthorization: x\r\n\r\n";
    let client = Client::new(input).pass(&gate, &SMALL, 4096);
    assert_eq!(client.writes.len(), 3);
    let expected = [Some(b"Basic  YQ==".to_vec()), None, Some(Vec::new())];
    assert_eq!(*gate.asked.lock().unwrap(), expected);
}

#[test]
fn fields_of_the_gate_stand_in_every_response_whatever_their_length() {
    let short: &[u8] = b"X-Frame-Options: deny\r\n";
    let long = [b"Content-Security-Policy: ", &[b'x'; 3000][..], b"\r\n"].concat();
    for fields in [short, &long] {
        for (registry, whole) in [(&SMALL, true), (&LARGE, false)] {
            for request in
                ["GET / HTTP/1.1", "GET / HTTP/1.0", "HEAD / HTTP/1.1", "GET /favicon.ico HTTP/1.1"]
            {
                for accept in ["", "Accept-Encoding: gzip\r\n"] {
                    let input = format!("{request}\r\n{accept}\r\n");
                    let gate = Keeper::new(Verdict::Served, fields);
                    let with = Client::new(&input).pass(&gate, registry, 2048);
                    let gate = Keeper::new(Verdict::Served, b"");
                    let without = Client::new(&input).pass(&gate, registry, 2048);
                    let field = with
                        .output
                        .windows(fields.len())
                        .position(|part| part == fields)
                        .expect("it stands there");
                    let end = with.output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
                    assert!(field < end && with.output[..field].ends_with(b"\r\n"), "{input}");
                    assert!(with.output.starts_with(b"HTTP/1.1 "));
                    if whole {
                        let rest = [&with.output[..field], &with.output[field + fields.len()..]].concat();
                        assert_eq!(rest.len(), without.output.len(), "{input}");
                        let writes = if fields.len() < 256 { 1 } else { 3 };
                        assert_eq!(with.writes.len(), writes, "{input}");
                    }
                }
            }
        }
    }
}

/// Requests and rubbish, to be put together in any order.
const PARTS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "GET /favicon.ico HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "PUT / HTTP/1.0\r\n",
    "GET / HTTP/1.2\r\n",
    "Accept: application/openmetrics-text\r\n",
    "Content-Length: 4\r\n",
    "Content-Length: 4\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "4\r\nabcd\r\n",
    "0\r\n",
    "nonsense\r\n",
    "abcd",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd",
];

proptest! {
    #[test]
    fn any_split_of_the_input_gives_the_same_output(
        parts in prop::collection::vec(0..PARTS.len(), 0..12),
        sizes in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let input: String = parts.iter().map(|part| PARTS[*part]).collect();
        let whole = said(&input);
        let mut sizes = sizes.into_iter().cycle();
        let split = Client::new(&input).in_pieces(move || sizes.next().unwrap()).talk_to(&SMALL).text();
        prop_assert_eq!(&whole, &split);
        let bytes = Client::new(&input).in_pieces(|| 1).talk_to(&SMALL).text();
        prop_assert_eq!(&whole, &bytes);
    }

    #[test]
    fn any_bytes_are_survived(input: Vec<u8>, after in 0..3) {
        let after = [After::Finishes, After::WaitsForEver, After::Resets][after as usize];
        Client::new(&input).then(after).talk_to(&SMALL);
        Client::new([b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &input[..]].concat()).talk_to(&SMALL);
        Client::new([b"GET / HTTP/1.1\r\n", &input[..]].concat()).talk_to(&SMALL);
    }
}

/// Routes for the tests: metrics but for a few paths.
#[derive(Debug)]
struct Doors;

static LONG: [u8; 5_000] = [b'x'; 5_000];

impl Routes for Doors {
    fn route(&self, asked: &Asked<'_>) -> Route<'_> {
        Route::Document(match asked.target {
            b"/ready" => Document::new(200, crate::http::route::TEXT, &b"ready\n"[..]),
            b"/nothing" => Document::new(200, "", &b""[..]),
            b"/old" => Document::error(302, error_body(302, "it moved", "follow")).at("/new"),
            b"/far" => Document::new(302, "", &b""[..]).at(FAR),
            b"/not" => Document::error(405, error_body(405, "no", "use PUT")).allowing("PUT"),
            b"/last" => Document::new(200, "", asked.method.to_owned()).closing(),
            b"/long" => Document::new(200, "x/y", &LONG[..]),
            b"/html" if asked.prefers_html => Document::new(200, "text/html", &b"<p>"[..]).with_fields(OWN),
            _ => return Route::Metrics,
        })
    }
}

/// Fields of a document's own.
const OWN: &[u8] =
    b"Vary: Accept\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'\r\n";

/// The longest place that is told.
const FAR: &str = match core::str::from_utf8(&[b'/'; crate::http::route::LONGEST_LOCATION]) {
    Ok(text) => text,
    Err(_) => "",
};

fn routed(input: impl AsRef<[u8]>) -> Client {
    Client::new(input).talk_with(&Doors, &Limits::DEFAULT)
}

const PLAIN: &str = "Content-Type: text/plain; charset=utf-8\r\n";

#[test]
fn what_is_no_document_goes_by_the_method_table() {
    assert_eq!(routed("GET /metrics HTTP/1.1\r\n\r\n").text(), page(false));
    assert_eq!(routed("OPTIONS * HTTP/1.1\r\n\r\n").text(), response("200 OK", ALLOW, ""));
    assert!(routed("POST /metrics HTTP/1.1\r\n\r\n").text().starts_with("HTTP/1.1 405 "));
    assert_eq!(routed("GET /metrics\r\n\r\n").text(), refusal("400 Bad Request", NO_VERSION));
}

#[test]
fn a_document_leaves_in_one_piece_and_the_connection_goes_on() {
    let moved = format!("{PLAIN}Location: /new\r\n");
    let not = format!("{PLAIN}Allow: PUT\r\n");
    let far = format!("Location: {FAR}\r\n");
    for (target, expected) in [
        ("/ready", response("200 OK", PLAIN, "ready\n")),
        ("/nothing", response("200 OK", "", "")),
        ("/old", response("302 Found", &moved, "# HTTP 302 Found: it moved; follow\n")),
        ("/far", response("302 Found", &far, "")),
        ("/not", response("405 Method Not Allowed", &not, "# HTTP 405 Method Not Allowed: no; use PUT\n")),
    ] {
        let client = routed(format!("GET {target} HTTP/1.1\r\n\r\n").repeat(3));
        assert_eq!(client.text(), expected.repeat(3), "{target}");
        assert_eq!(client.writes, [expected.len(); 3], "{target}");
    }
}

const HTML: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

#[test]
fn a_document_may_depend_on_what_the_client_prefers() {
    let html = response("200 OK", "Content-Type: text/html\r\n", "<p>")
        .replace("\r\n\r\n", &format!("\r\n{}\r\n", core::str::from_utf8(OWN).unwrap()));
    assert_eq!(routed(format!("GET /html HTTP/1.1\r\n{HTML}\r\n")).text(), html);
    for accept in ["", "Accept: */*\r\n", "Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n"] {
        assert_eq!(routed(format!("GET /html HTTP/1.1\r\n{accept}\r\n")).text(), page(false));
    }
}

#[test]
fn what_the_gate_sets_is_not_said_twice() {
    let long = "x".repeat(3000);
    for (set, left) in [
        ("content-security-policy: default-src 'self'\r\n".to_owned(), 2),
        ("X-Content-Type-Options: nosniff\r\nX-Frame-Options: deny\r\n".to_owned(), 2),
        (format!("Content-Security-Policy: {long}\r\nX-Content-Type-Options: nosniff\r\n"), 1),
        ("X-Content-Type: a\r\nX-Vary: Vary: Content-Security-Policy\r\n".to_owned(), 3),
    ] {
        let gate = Keeper::new(Verdict::Served, set.as_bytes());
        let handler = MetricsHandler::new(&SMALL);
        let mut client = Client::new(format!("GET /html HTTP/1.1\r\n{HTML}\r\n"));
        let service = Service { handler: &handler, gate: Some(&gate), routes: Some(&Doors) };
        let limits = Limits { buffer: 2048, ..Limits::DEFAULT };
        serve(&mut client, &service, &Books::default(), &mut Buffers::alone(&limits));
        let text = client.text();
        assert!(text.contains(&set) && text.ends_with("\r\n\r\n<p>"), "{text}");
        let own = core::str::from_utf8(OWN).unwrap().lines().filter(|line| text.contains(*line)).count();
        let same = usize::from(set.contains("nosniff"));
        assert_eq!(own, left + same, "{text}");
        for name in ["content-security-policy:", "x-content-type-options:", "vary:"] {
            let lines = text.lines().filter(|line| line.to_lowercase().starts_with(name)).count();
            assert_eq!(lines, 1, "{name} in {text}");
        }
    }
}

#[test]
fn a_document_after_head_has_its_length_and_no_body() {
    let whole = response("200 OK", PLAIN, "ready\n");
    let head = whole.strip_suffix("ready\n").unwrap();
    let client = routed("HEAD /ready HTTP/1.1\r\n\r\nGET /ready HTTP/1.1\r\n\r\n");
    assert_eq!(client.text(), head.to_owned() + &whole);
    let long = routed("HEAD /long HTTP/1.1\r\n\r\n");
    assert_eq!(long.writes.len(), 1);
    assert!(long.text().ends_with("Content-Length: 5000\r\n\r\n"));
}

#[test]
fn a_long_document_leaves_in_pieces_of_the_buffer() {
    let whole = response("200 OK", "Content-Type: x/y\r\n", core::str::from_utf8(&LONG).unwrap());
    for buffer in [2 * 1024, 4 * 1024, 5_000, 5_336, 5_337, 16 * 1024] {
        let limits = Limits { buffer, ..Limits::DEFAULT };
        let client = Client::new("GET /long HTTP/1.1\r\n\r\n".repeat(2)).talk_with(&Doors, &limits);
        assert_eq!(client.text(), whole.repeat(2), "{buffer}");
        assert!(client.writes.iter().all(|length| *length <= buffer));
        let pieces = 1 + (LONG.len().saturating_sub(buffer - 336)).div_ceil(buffer);
        assert_eq!(client.writes.len(), 2 * pieces, "{buffer}");
    }
}

#[test]
fn a_last_document_ends_the_connection() {
    let closed = response("200 OK", "Connection: close\r\n", "POST");
    let client = routed("POST /last HTTP/1.1\r\n\r\n").text();
    assert_eq!(client, closed);
    // The body that nobody reads must not reset the connection under the response.
    let client = routed("POST /last HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.text(), closed);
    assert!(client.phases.contains(&Phase::Linger));
    // HTTP/1.0 ends it anyway.
    let old = routed("GET /ready HTTP/1.0\r\n\r\n").text();
    assert_eq!(old, response("200 OK", &format!("{PLAIN}Connection: close\r\n"), "ready\n"));
}

#[test]
fn documents_are_counted_by_their_status_and_are_no_scrapes() {
    let books = Books::default();
    let handler = MetricsHandler::new(&SMALL);
    let mut client = Client::new("GET /old HTTP/1.1\r\n\r\nGET /long HTTP/1.1\r\n\r\n");
    client.refuses_after = 1;
    let service = Service { handler: &handler, gate: None, routes: Some(&Doors) };
    serve(&mut client, &service, &books, &mut Buffers::alone(&Limits::DEFAULT));
    let answered = books.answered.borrow();
    let seen: Vec<_> = answered.iter().map(|one| (one.status, one.scrape, one.complete)).collect();
    assert_eq!(seen, [(302, false, true), (200, false, false)]);
    assert_eq!(answered[0].bytes, client.output.len() as u64);
}

#[test]
fn nobody_holds_a_page_while_a_client_is_waited_for() {
    let pages = Buffers::pages(&Limits::DEFAULT, 1);
    let mut buffers = Buffers::new(&Limits::DEFAULT, &pages);
    let input = "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345GET /a HTTP/1.1\r\n\r\nGET  / HTTP/1.1\r\n\r\nmore";
    let reads = std::rc::Rc::new(core::cell::Cell::new(0));
    let (counted, watched) = (std::rc::Rc::clone(&reads), Arc::clone(&pages));
    let client = Client::new(input).in_pieces(move || {
        assert_eq!(watched.free(), 1);
        counted.set(counted.get() + 1);
        7
    });
    let client = client.talk(&MetricsHandler::new(&LARGE), &mut buffers, &Books::default());
    assert!(reads.get() > 10 && client.writes.len() > 3, "{} {}", reads.get(), client.writes.len());
    assert_eq!(pages.free(), 1);
}
