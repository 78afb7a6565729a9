//! Methods, and requests with a body.

use super::{ALLOWED, Row, compare, not_allowed};

fn request(method: &str, target: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: device\r\n\r\n").into_bytes()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("GET", request("GET", "/")),
        Row::new("GET in HTTP/1.0", "GET /metrics HTTP/1.0\r\n\r\n"),
        Row::new("OPTIONS", request("OPTIONS", "/metrics")),
        Row::new("OPTIONS of the server", request("OPTIONS", "*")),
        Row::new("OPTIONS of the favicon", request("OPTIONS", "/favicon.ico")),
        Row::new("OPTIONS in HTTP/1.0", "OPTIONS / HTTP/1.0\r\n\r\n"),
        Row::new(
            "OPTIONS across origins",
            "OPTIONS / HTTP/1.1\r\nHost: device\r\nOrigin: http://other\r\nAccess-Control-Request-Method: GET\r\n\r\n",
        ),
        Row::new("CONNECT to an authority", request("CONNECT", "device:443")),
        // An answer to HEAD has no body; the reference sends one.
        Row::new("HEAD", request("HEAD", "/metrics")).mended(not_allowed("HEAD"), "405 allow | empty"),
        Row::new("HEAD of the favicon", request("HEAD", "/favicon.ico"))
            .mended(not_allowed("HEAD"), "405 allow | empty"),
        Row::new("HEAD in HTTP/1.0", "HEAD / HTTP/1.0\r\n\r\n")
            .mended(not_allowed("HEAD"), "405 allow | empty"),
        Row::new("POST with a body", "POST / HTTP/1.1\r\nHost: device\r\nContent-Length: 5\r\n\r\nhello"),
        Row::new("POST with an empty body", "POST / HTTP/1.1\r\nHost: device\r\nContent-Length: 0\r\n\r\n"),
        Row::new(
            "POST in chunks",
            "POST / HTTP/1.1\r\nHost: device\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        Row::new("PUT with a body", "PUT /x HTTP/1.1\r\nHost: device\r\nContent-Length: 5\r\n\r\nhello"),
        Row::new("GET with a body", "GET / HTTP/1.1\r\nHost: device\r\nContent-Length: 5\r\n\r\nhello"),
        Row::new(
            "GET in chunks",
            "GET / HTTP/1.1\r\nHost: device\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        Row::new(
            "OPTIONS with a body",
            "OPTIONS / HTTP/1.1\r\nHost: device\r\nContent-Length: 5\r\n\r\nhello",
        ),
        Row::new(
            "POST that waits to be asked for its body",
            "POST / HTTP/1.1\r\nHost: device\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        ),
        Row::new(
            "POST that overrides its method",
            "POST / HTTP/1.1\r\nHost: device\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n",
        ),
        Row::new("405 is not compressed", "POST / HTTP/1.1\r\nHost: device\r\nAccept-Encoding: gzip\r\n\r\n"),
        Row::new(
            "405 knows no formats",
            "DELETE / HTTP/1.1\r\nHost: device\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n",
        ),
    ];
    for method in [
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "M-SEARCH",
        "PRI",
        "PURGE",
        "get",
        "options",
        "Get",
        "head",
        "GETT",
        "GE",
        "OPTIONSS",
        "X",
        "123",
        "!#$%&'*+-.^_`|~",
    ] {
        rows.push(Row::new(format!("method {method}"), request(method, "/metrics")));
    }
    // What is no character of a method is not echoed as it is.
    for (name, method, theirs, ours) in [
        ("a byte above ASCII", &b"G\xc3\xa4T"[..], "GÃ¤T", "G\\\\xC3\\\\xA4T"),
        ("a NUL", b"G\0T", "G\\0T", "G\\\\x00T"),
        ("a quote", b"G\"T", "G\\\"T", "G\\\\x22T"),
        ("a tag", b"<b>", "<b>", "\\\\x3Cb\\\\x3E"),
        ("a colon", b"GET:", "GET:", "GET\\\\x3A"),
        ("a backslash", b"G\\T", "G\\\\T", "G\\\\x5CT"),
        ("a delete character", b"G\x7fT", "G\\u{7f}T", "G\\\\x7FT"),
    ] {
        let request = [method, b" / HTTP/1.1\r\nHost: device\r\n\r\n"].concat();
        let row = Row::new(format!("a method with {name}"), request);
        rows.push(row.mended(not_allowed(theirs), not_allowed(ours)).closes());
    }
    rows
}

#[test]
fn methods() {
    compare(&rows(), false);
}

#[test]
fn options_has_no_body_and_a_length() {
    let ours = crate::process::Served::every_kind(&[]);
    let answer = crate::client::exchange(ours.address, &request("OPTIONS", "*"));
    assert_eq!(answer.header("Allow"), Some("OPTIONS, GET"), "{answer}");
    assert_eq!(answer.header("Content-Length"), Some("0"), "{answer}");
    assert_eq!(crate::reference::Oracle::start().shape(&answer), ALLOWED);
}

#[test]
fn head_has_no_body_and_the_connection_stays() {
    let ours = crate::process::Served::every_kind(&[]);
    let mut connection = crate::client::Connection::open(ours.address);
    // On one connection: a body after HEAD would be taken for the next answer.
    for _ in 0..3 {
        connection.send(b"HEAD / HTTP/1.1\r\nHost: device\r\n\r\n");
        let answer = connection.receive("HEAD");
        assert_eq!(answer.status, Some(405), "{answer}");
        assert!(answer.body.is_empty(), "{answer}");
        assert!(!answer.closed, "{answer}");
    }
}
