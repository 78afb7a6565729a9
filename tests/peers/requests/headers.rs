//! Headers that change nothing, headers that frame a body, headers that are none.

use super::{OPENMETRICS, Row, TEXT, compare, openmetrics};
use crate::client::get;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, headers) in [
        ("doubled Host", "Host: other\r\n"),
        ("Range", "Range: bytes=0-9\r\n"),
        ("If-None-Match", "If-None-Match: *\r\n"),
        ("If-Match", "If-Match: \"x\"\r\n"),
        ("If-Modified-Since", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n"),
        ("If-Unmodified-Since", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        ("If-Range", "If-Range: \"x\"\r\nRange: bytes=0-9\r\n"),
        ("Authorization", "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"),
        ("bad Authorization", "Authorization: ?\r\n"),
        ("Origin", "Origin: http://other\r\n"),
        ("Upgrade to websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"),
        (
            "Upgrade to h2c",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n",
        ),
        ("Expect", "Expect: 100-continue\r\n"),
        ("unknown Expect", "Expect: the-moon\r\n"),
        ("X-HTTP-Method-Override", "X-HTTP-Method-Override: POST\r\n"),
        ("scrape timeout", "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n"),
        ("bad scrape timeout", "X-Prometheus-Scrape-Timeout-Seconds: soon\r\n"),
        ("negative scrape timeout", "X-Prometheus-Scrape-Timeout-Seconds: -1\r\n"),
        ("endless scrape timeout", "X-Prometheus-Scrape-Timeout-Seconds: inf\r\n"),
        ("scrape timeout that is no number", "X-Prometheus-Scrape-Timeout-Seconds: nan\r\n"),
        ("huge scrape timeout", "X-Prometheus-Scrape-Timeout-Seconds: 1e308\r\n"),
        ("Connection: close", "Connection: close\r\n"),
        ("Connection: keep-alive", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
        ("odd Connection", "Connection: ,,x,\"y\",\r\n"),
        ("Connection that names Accept", "Connection: Accept\r\n"),
        ("TE and Trailer", "TE: trailers, deflate\r\nTrailer: Expires\r\n"),
        ("Cookie", "Cookie: a=b; c=\"d\"\r\n"),
        ("Forwarded", "Forwarded: for=192.0.2.1;proto=https\r\nX-Forwarded-For: 192.0.2.1\r\nVia: 1.1 x\r\n"),
        ("Cache-Control", "Cache-Control: no-cache, only-if-cached\r\nPragma: no-cache\r\n"),
        ("Accept-Language and -Charset", "Accept-Language: xx\r\nAccept-Charset: utf-7;q=1, *;q=0\r\n"),
        ("header without value", "X-Empty:\r\n"),
        ("header of blanks", "X-Blanks:   \t \r\n"),
        ("header without blank", "Accept:application/openmetrics-text\r\n"),
        ("header in capitals", "ACCEPT: application/openmetrics-text\r\n"),
        ("header in small letters", "accept: application/openmetrics-text\r\naccept-encoding: gzip\r\n"),
        ("header with odd name", "!#$%&'*+-.^_`|~09: x\r\n"),
        ("header in UTF-8", "X-Name: größe\r\n"),
        ("header with tabs", "Accept:\tapplication/openmetrics-text\t\r\n"),
        ("header with underscores", "X_Name: x\r\n"),
    ] {
        rows.push(Row::new(name, get("/metrics", headers)));
    }
    rows.extend([
        Row::new("no Host", "GET / HTTP/1.1\r\n\r\n"),
        Row::new("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        Row::new("odd Host", "GET / HTTP/1.1\r\nHost: a b/c@d?\r\n\r\n"),
        Row::new("no headers in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
        Row::new(
            "line ends without CR",
            "GET / HTTP/1.1\nHost: device\nAccept: application/openmetrics-text\n\n",
        ),
        Row::new(
            "mixed line ends",
            "GET / HTTP/1.1\r\nHost: device\nAccept: application/openmetrics-text\r\n\n",
        ),
        Row::new("header with a raw byte above ASCII", &b"GET / HTTP/1.1\r\nX: \xff\xfe\r\n\r\n"[..]),
    ]);
    // A body's length that cannot be right, or lines that are no headers. Both sides serve the request; but where it
    // ends may look otherwise to whoever stands between, so nothing after it is taken for a request: we close.
    for (name, headers) in [
        ("Content-Length that is no number", "Content-Length: abc\r\n"),
        ("negative Content-Length", "Content-Length: -1\r\n"),
        ("Content-Length with a sign", "Content-Length: +0\r\n"),
        ("empty Content-Length", "Content-Length:\r\n"),
        ("Content-Length beyond 64 bits", "Content-Length: 99999999999999999999\r\n"),
        ("two Content-Lengths", "Content-Length: 0\r\nContent-Length: 1\r\n"),
        ("Content-Length with Transfer-Encoding", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
        ("unknown Transfer-Encoding", "Transfer-Encoding: gzip\r\n"),
    ] {
        rows.push(Row::new(name, get("/metrics", headers)).closes());
    }
    rows.push(
        Row::new(
            "chunks that are none",
            "GET / HTTP/1.1\r\nHost: device\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        )
        .and_closed(),
    );
    let om = "Accept: application/openmetrics-text\r\n";
    rows.extend([
        Row::new("header without colon", get("/", &format!("no colon here\r\n{om}"))).closes(),
        Row::new("header without name", get("/", &format!(": x\r\n{om}"))).closes(),
        Row::new("header with a NUL", get("/", &format!("X-Name: a\0b\r\n{om}"))).closes(),
        Row::new("header with a lone CR", get("/", "X-Name: a\rb\r\n")).closes(),
        // The reference drops such a line and, without a word, every header after it; we drop the line.
        Row::new("header with a blank in its name", get("/", &format!("X Name: x\r\n{om}")))
            .mended(TEXT, OPENMETRICS)
            .closes(),
        Row::new("header with a blank before its colon", get("/", &format!("X-Name : x\r\n{om}")))
            .mended(TEXT, OPENMETRICS)
            .closes(),
        Row::new("folded header", get("/", "Accept: application/openmetrics-text;\r\n version=1.0.0\r\n"))
            .refused(openmetrics("underscores"), OPENMETRICS, "a line that begins with a blank is not read")
            .closes(),
    ]);
    rows
}

#[test]
fn headers() {
    compare(&rows(), false);
}
