//! `Accept-Encoding`.

use super::{OPENMETRICS, Row, TEXT, compare};
use crate::client::{exchange, get};

/// The same answer, compressed.
fn gzip(shape: &str) -> String {
    shape.replacen(" | ", " gzip | ", 1)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for value in [
        "gzip",
        "GZIP",
        "gZip",
        "gzip, deflate",
        "deflate, gzip",
        "deflate,gzip,br",
        "br;q=1.0, gzip;q=0.8, *;q=0.1",
        "gzip;q=1",
        "gzip;q=0.5",
        "gzip;q=0.001",
        " gzip ",
        "gzip ; q=1",
        "identity, gzip",
        "gzip;x=y",
        "gzip,gzip",
        ",,gzip,,",
        "x-gzip",
        "*",
        "identity",
        "identity;q=0",
        "identity;q=0, gzip;q=1",
        "identity;q=1, gzip;q=0.5",
        "br",
        "zstd",
        "deflate",
        "compress",
        "",
        ";",
        "gzipped",
        "gzip2",
        "g zip",
        "\"gzip\"",
        "*;q=0",
        "snappy",
    ] {
        rows.push(Row::new(
            format!("encoding {value:?}"),
            get("/", &format!("Accept-Encoding: {value}\r\n")),
        ));
    }
    let mended = |value: &str| {
        Row::new(format!("encoding {value:?}"), get("/", &format!("Accept-Encoding: {value}\r\n")))
    };
    rows.extend([
        mended("gzip;q=0").mended(gzip(TEXT), TEXT),
        mended("gzip; q=0.000").mended(gzip(TEXT), TEXT),
        mended("gzip;Q=0").mended(gzip(TEXT), TEXT),
        mended("identity, gzip;q=0, br").mended(gzip(TEXT), TEXT),
        Row::new("two Accept-Encoding headers", get("/", "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n")),
        Row::new(
            "compressed OpenMetrics",
            get("/", "Accept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n"),
        ),
        Row::new("compressed empty page", get("/?name[]=nothing", "Accept-Encoding: gzip\r\n")),
        Row::new(
            "compressed empty page of OpenMetrics",
            get("/?name[]=nothing", "Accept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n"),
        ),
        Row::new("compressed OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: device\r\nAccept-Encoding: gzip\r\n\r\n"),
        Row::new("compressed in HTTP/1.0", "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"),
        Row::new(
            "encoding with a byte above ASCII",
            &b"GET / HTTP/1.1\r\nAccept-Encoding: \xff, gzip\r\n\r\n"[..],
        ),
    ]);
    rows
}

#[test]
fn encodings() {
    compare(&rows(), false);
}

#[test]
fn a_compressed_page_is_the_same_page() {
    let ours = crate::process::Served::every_kind(&[]);
    let mut oracle = crate::reference::Oracle::start();
    for accept in ["", "Accept: application/openmetrics-text\r\n"] {
        let plain = exchange(ours.address, &get("/", accept));
        let packed = exchange(ours.address, &get("/", &format!("{accept}Accept-Encoding: gzip\r\n")));
        assert_eq!(packed.header("Content-Encoding"), Some("gzip"), "{packed}");
        assert!(
            packed.body.len() * 2 < plain.body.len(),
            "{} bytes of {}",
            packed.body.len(),
            plain.body.len()
        );
        assert_eq!(oracle.plain(&packed), plain.body);
        let expected = if accept.is_empty() { TEXT } else { OPENMETRICS };
        assert_eq!(oracle.shape(&packed), gzip(expected));
    }
}
