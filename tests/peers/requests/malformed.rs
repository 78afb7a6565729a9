//! Request lines that are none, odd, or not whole.

use super::{Row, TEXT, compare, error};

pub(crate) fn rows() -> Vec<Row> {
    let html = "no status line | html 400";
    let mut rows = Vec::new();
    // Odd, yet served by both.
    for (name, request) in [
        ("runs of blanks", "GET   /metrics   HTTP/1.1\r\n\r\n"),
        ("tabs for blanks", "GET\t/metrics\tHTTP/1.1\r\n\r\n"),
        ("a leading blank", " GET / HTTP/1.1\r\n\r\n"),
        ("a trailing blank", "GET / HTTP/1.1 \r\n\r\n"),
        ("HTTP/1.2", "GET / HTTP/1.2\r\n\r\n"),
        ("HTTP/1.9", "GET / HTTP/1.9\r\n\r\n"),
        ("HTTP/01.01", "GET / HTTP/01.01\r\n\r\n"),
        ("a line end without CR", "GET / HTTP/1.1\n\n"),
    ] {
        rows.push(Row::new(name, request));
    }
    // A request without version, or of version 0.9: the reference answers with a body alone.
    for (name, request) in
        [("no version", "GET /\r\n\r\n"), ("no version, blank at the end", "GET / \r\n\r\n")]
    {
        rows.push(Row::new(name, request).mended("no status line | text", error(400)).closes());
    }
    rows.push(
        Row::new("HTTP/0.9", "GET / HTTP/0.9\r\n\r\n").mended("no status line | text", error(505)).closes(),
    );
    // What is no request: the reference answers with a page in HTML, without status line.
    for (name, request) in [
        ("POST without version", "POST /\r\n\r\n"),
        ("OPTIONS without version", "OPTIONS *\r\n\r\n"),
        ("a single word", "GET\r\n\r\n"),
        ("garbage", "\u{1}\u{2}\u{3}\r\n\r\n"),
        ("no HTTP", "GET / FTP/1.1\r\n\r\n"),
        ("http in small letters", "GET / http/1.1\r\n\r\n"),
        ("a version without minor", "GET / HTTP/1\r\n\r\n"),
        ("a version of three parts", "GET / HTTP/1.1.1\r\n\r\n"),
        ("a version that is no number", "GET / HTTP/a.b\r\n\r\n"),
        ("a negative version", "GET / HTTP/-1.1\r\n\r\n"),
        ("a version with a sign", "GET / HTTP/1.+1\r\n\r\n"),
        ("an empty version", "GET / HTTP/\r\n\r\n"),
        ("a very long version", "GET / HTTP/1.11111111111\r\n\r\n"),
    ] {
        rows.push(Row::new(name, request).mended(html, error(400)).closes());
    }
    for (name, request) in [
        ("HTTP/2.0", "GET / HTTP/2.0\r\n\r\n"),
        ("HTTP/3.0", "GET / HTTP/3.0\r\n\r\n"),
        ("an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ] {
        rows.push(Row::new(name, request).mended("no status line | html 505", error(505)).closes());
    }
    rows.extend([
        Row::new("four words", "GET / x HTTP/1.1\r\n\r\n")
            .mended("400 text/html;charset=utf-8 | html 400", error(400)),
        Row::new("five words", "GET / x y HTTP/1.1\r\n\r\n")
            .mended("400 text/html;charset=utf-8 | html 400", error(400)),
        Row::new("four words with a quote and a tag", "GET /\"<b> x HTTP/1.1\r\n\r\n")
            .mended("400 text/html;charset=utf-8 | html 400", error(400)),
        // Some clients end a body with a line too many.
        Row::new("an empty line before the request", "\r\nGET / HTTP/1.1\r\n\r\n").mended("closed", TEXT),
        Row::new("an empty line without CR before the request", "\nGET / HTTP/1.1\r\n\r\n")
            .mended("closed", TEXT),
        Row::new("only an empty line", "\r\n").and_finish().mended("closed", "closed"),
        Row::new("nothing", "").and_finish(),
        // A head that ends in the middle is not a request.
        Row::new("end after the request line", "GET / HTTP/1.1\r\n").and_finish().mended(TEXT, error(400)),
        Row::new("end inside the request line", "GET / HT").and_finish().mended(html, error(400)),
        Row::new("end inside a header", "GET / HTTP/1.1\r\nHost: dev").and_finish().mended(TEXT, error(400)),
        Row::new("end after a header", "GET / HTTP/1.1\r\nHost: device\r\n")
            .and_finish()
            .mended(TEXT, error(400)),
        Row::new("end before the last LF", "GET / HTTP/1.1\r\nHost: device\r\n\r")
            .and_finish()
            .mended(TEXT, error(400)),
        Row::new("end after the request", "GET / HTTP/1.1\r\nHost: device\r\n\r\n").and_finish(),
        Row::new("end inside a body", "POST / HTTP/1.1\r\nHost: device\r\nContent-Length: 10\r\n\r\nhello")
            .and_finish(),
        Row::new("a TLS handshake", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..])
            .mended(html, error(400)),
        // Served, but nothing that follows it on the connection.
        Row::new("a NUL in the path", "GET /\0 HTTP/1.1\r\n\r\n").closes(),
        Row::new("a control character in the path", "GET /\u{1} HTTP/1.1\r\n\r\n").closes(),
        Row::new("a lone CR in the request line", "GET /a\rb HTTP/1.1\r\n\r\n")
            .mended("400 text/html;charset=utf-8 | html 400", error(400)),
    ]);
    rows
}

#[test]
fn malformed() {
    compare(&rows(), false);
}
