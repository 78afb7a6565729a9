//! Paths: metrics everywhere but at the favicon.

use super::{FAVICON, Row, compare};
use crate::client::get;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for target in [
        "/",
        "/metrics",
        "/metrics/",
        "/a/b",
        "*",
        "metrics",
        "/..",
        "/../etc/passwd",
        "/.",
        "//",
        "/%00",
        "/%zz",
        "/%",
        "/%6",
        "/%ff",
        "/metrics?",
        "/metrics?x=y",
        "/?a=b&c=d",
        "?",
        "?x",
        "/metrics#top",
        "/metrics;x",
        "http://device/metrics",
        "https://device/",
        "http://device",
        "device:80",
        "/-/healthy",
        "/api/v1/query?query=up",
        "/\"<>\\^`{|}",
        "/~",
        "/a:b@c",
        "/metrics?name",
        "/cgi-bin/%2e%2e/",
        "/index.html",
        "/robots.txt",
        "/favicon.ico",
        "/favicon.ico?x",
        "/favicon.ico?name[]=demo_requests_total",
        "/%66avicon.ico",
        "/favicon%2Eico",
        "/favicon%2eico",
        "/%66%61%76%69%63%6f%6e%2e%69%63%6f",
        "//favicon.ico",
        "///favicon.ico",
        "/favicon.ico/",
        "/FAVICON.ICO",
        "/favicon.ico;x",
        "/favicon.ico#x",
        "/%2Ffavicon.ico",
        "/favicon.ico%00",
        "/favicon.ico%3Fx",
        "/./favicon.ico",
        "/x/../favicon.ico",
        "/favicon.icon",
        "/favicon",
        "/x/favicon.ico",
        "http://h/favicon.ico",
        "favicon.ico",
        "/favicon.ico?",
        "/+favicon.ico",
        "/?/favicon.ico",
    ] {
        rows.push(Row::new(format!("path {target}"), get(target, "")));
    }
    rows.push(Row::new(
        "a path with a raw byte above ASCII",
        &b"GET /\xff HTTP/1.1\r\nHost: device\r\n\r\n"[..],
    ));
    rows.push(Row::new("a path in UTF-8", "GET /größe HTTP/1.1\r\nHost: device\r\n\r\n"));
    rows.push(Row::new("a long path", get(&format!("/{}", "a".repeat(4_000)), "")));
    rows.push(Row::new("favicon and compression", get("/favicon.ico", "Accept-Encoding: gzip\r\n")));
    rows.push(Row::new(
        "favicon and formats",
        get("/favicon.ico", "Accept: application/openmetrics-text\r\n"),
    ));
    rows.push(Row::new("favicon in HTTP/1.0", "GET /favicon.ico HTTP/1.0\r\n\r\n"));
    rows
}

#[test]
fn paths() {
    compare(&rows(), false);
}

#[test]
fn favicon_has_no_body_and_a_length() {
    let ours = crate::process::Served::every_kind(&[]);
    let answer = crate::client::exchange(ours.address, &get("/favicon.ico", ""));
    assert_eq!(answer.header("Content-Length"), Some("0"), "{answer}");
    assert_eq!(crate::reference::Oracle::start().shape(&answer), FAVICON);
}
