//! `Accept`: which format, which escaping.

use super::{FAILED, OPENMETRICS, Row, TEXT, compare, openmetrics, text_1_0_0};
use crate::client::get;

const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

fn accept(value: &str) -> Row {
    let request = ["GET / HTTP/1.1\r\nHost: device\r\nAccept: ", value, "\r\n\r\n"].concat();
    Row::new(format!("accept {value:?}"), request)
}

fn echoed(version: &str, escaping: &str) -> String {
    format!(
        "200 application/openmetrics-text; version={version}; charset=utf-8; escaping={escaping} | openmetrics"
    )
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let om = "application/openmetrics-text";
    for value in [
        // Nothing that fits.
        "",
        "*/*",
        "text/*",
        "text/html",
        "application/json",
        "application/*",
        "*",
        "/",
        ";",
        ",",
        ";;;,,,;;",
        "=;=,=",
        "text",
        "text/plain/x",
        "plain",
        "application/openmetrics",
        "application/openmetrics-textx",
        "xapplication/openmetrics-text",
        "text/plain",
        "text/plain;version=0.0.4",
        "text/plain; charset=utf-8",
        "text/plain;version=0.0.4;escaping=allow-utf-8",
        "text/plain;escaping=allow-utf-8",
        "text/plain;version=0.0.1",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "text/plain;version=0.0.4;q=1,*/*;q=0.1",
        // OpenMetrics.
        "application/openmetrics-text",
        "application/openmetrics-text;version=",
        "application/openmetrics-text;escaping=dots",
        "application/openmetrics-text; charset=utf-8",
        "application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "  application/openmetrics-text  ;  version=1.0.0  ",
        "application/openmetrics-text\t;\tversion=1.0.0",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=0.0.1,application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text;version=1.0.0;version=0.0.1",
        "application/openmetrics-text;;;version=1.0.0;;",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
        "application/openmetrics-text;version=1.0.0;escaping=underscores",
        "application/openmetrics-text;version=1.0.0;escaping=dots",
        "application/openmetrics-text;version=1.0.0;escaping=values",
        "application/openmetrics-text;version=1.0.0;escaping=unknown",
        "application/openmetrics-text;version=1.0.0;escaping=",
        "application/openmetrics-text;escaping=dots;version=1.0.0",
        "application/openmetrics-text;version=1.0.0;escaping=dots;escaping=values",
        "application/openmetrics-text;version=1.0.0;x=y;escaping=allow-utf-8;q=0.3",
        // Text 1.0.0.
        "text/plain;version=1.0.0",
        "text/plain;version=1.0.0;escaping=allow-utf-8",
        "text/plain;version=1.0.0;escaping=underscores",
        "text/plain;version=1.0.0;escaping=dots",
        "text/plain;version=1.0.0;escaping=values",
        "text/plain;version=1.0.0;escaping=x",
        "text/plain; charset=utf-8; version=1.0.0",
        // The first that fits, among equals.
        "text/plain;version=1.0.0,application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text;version=1.0.0,text/plain;version=1.0.0",
        "application/json,application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;escaping=dots,application/openmetrics-text;version=1.0.0;escaping=values",
        "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=1.0.0;q=0.1",
        PROMETHEUS_2,
        PROMETHEUS_3,
    ] {
        rows.push(accept(value));
    }
    rows.extend([
        Row::new("no Accept", get("/", "")),
        Row::new(
            "Prometheus with native histograms",
            get("/", &format!("Accept: {PROTOBUF};q=0.7,{PROMETHEUS_2}\r\n")),
        ),
        Row::new(
            "two Accept headers",
            get("/", &format!("Accept: text/html\r\nAccept: {om};version=1.0.0\r\n")),
        ),
        Row::new(
            "Accept split over two headers",
            get("/", &format!("Accept: {om};version=1.0.0\r\nAccept: text/plain\r\n")),
        ),
        Row::new("OPTIONS and Accept", format!("OPTIONS / HTTP/1.1\r\nAccept: {om}\r\n\r\n")),
        Row::new("a long Accept", get("/", &format!("Accept: {}{om}\r\n", "a/b;c=d,".repeat(500)))),
        Row::new(
            "Accept with a byte above ASCII",
            &b"GET / HTTP/1.1\r\nAccept: \xff/\xfe, application/openmetrics-text\r\n\r\n"[..],
        ),
    ]);
    rows.extend(quality_rows());
    rows.extend(case_rows());
    rows.extend(version_rows());
    rows
}

/// The reference ignores q.
fn quality_rows() -> Vec<Row> {
    let om = openmetrics("underscores");
    let text1 = text_1_0_0("underscores");
    vec![
        accept("application/openmetrics-text;version=1.0.0;q=0").mended(&*om, TEXT),
        accept("application/openmetrics-text;version=1.0.0; q=0.000").mended(&*om, TEXT),
        accept("application/openmetrics-text;q=0").mended(OPENMETRICS, TEXT),
        accept("application/openmetrics-text;version=1.0.0;Q=0").mended(&*om, TEXT),
        accept("text/plain;version=1.0.0;q=0").mended(&*text1, TEXT),
        accept("application/openmetrics-text;version=1.0.0;q=0.1,text/plain;version=1.0.0;q=0.9").mended(&*om, &*text1),
        accept("text/plain;version=1.0.0;q=0.5,application/openmetrics-text;version=1.0.0;q=0.6").mended(&*text1, &*om),
        accept("text/plain;version=1.0.0;q=0,application/openmetrics-text;version=1.0.0").mended(&*text1, &*om),
        accept("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.8").mended(&*om, TEXT),
        accept("application/openmetrics-text;version=1.0.0;escaping=dots;q=0.1,application/openmetrics-text;version=1.0.0;escaping=values;q=0.2")
            .mended(openmetrics("dots"), openmetrics("values")),
    ]
}

/// The reference compares with case.
fn case_rows() -> Vec<Row> {
    vec![
        accept("Application/OpenMetrics-Text").mended(TEXT, OPENMETRICS),
        accept("APPLICATION/OPENMETRICS-TEXT;VERSION=1.0.0").mended(TEXT, openmetrics("underscores")),
        accept("application/openmetrics-text;Version=1.0.0").mended(OPENMETRICS, openmetrics("underscores")),
        accept("application/openmetrics-text;version=1.0.0;Escaping=dots")
            .mended(openmetrics("underscores"), openmetrics("dots")),
        accept("application/openmetrics-text;version=1.0.0;escaping=DOTS")
            .mended(openmetrics("underscores"), openmetrics("dots")),
        accept("Text/Plain;version=1.0.0").mended(TEXT, text_1_0_0("underscores")),
    ]
}

/// The reference echoes versions it does not know and fails on what is no version; to us a newer version means the
/// newest that we speak, and what is no version fits nothing.
fn version_rows() -> Vec<Row> {
    let om = openmetrics("underscores");
    let mut rows = vec![
        accept("application/openmetrics-text;version=1").mended(TEXT, &*om),
        accept("application/openmetrics-text;version=1.0").mended(TEXT, &*om),
        accept("text/plain;version=1").mended(TEXT, text_1_0_0("underscores")),
        accept("text/plain;version=1.0").mended(TEXT, text_1_0_0("underscores")),
        accept("application/openmetrics-text;version=9.9.9").mended(echoed("9.9.9", "underscores"), &*om),
        accept("application/openmetrics-text;version=2.0.0").mended(echoed("2.0.0", "underscores"), &*om),
        accept("application/openmetrics-text;version=1.1.0").mended(echoed("1.1.0", "underscores"), &*om),
        accept("application/openmetrics-text;version=1.0.1").mended(echoed("1.0.1", "underscores"), &*om),
        accept("application/openmetrics-text;version=2.<b>").mended(echoed("2.<b>", "underscores"), TEXT),
        accept("application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0")
            .mended(echoed("2.0.0", "underscores"), &*om),
        accept("text/plain;version=2.0.0"),
        accept("application/openmetrics-text;version=\"1.0.0\"").mended(FAILED, &*om),
    ];
    for value in [
        "application/openmetrics-text;version=abc",
        "application/openmetrics-text;version=1.0.0-rc1",
        "application/openmetrics-text;version=1.0.0x",
        "application/openmetrics-text;version=v1.0.0",
        "application/openmetrics-text;version=1..0",
        "text/plain;version=abc",
        "text/plain;version=one",
    ] {
        rows.push(accept(value).mended(FAILED, TEXT));
    }
    rows.push(
        Row::new(
            "a version with a byte above ASCII",
            &b"GET / HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\xff\r\n\r\n"[..],
        )
        .mended(FAILED, TEXT),
    );
    rows
}

#[test]
fn formats() {
    compare(&rows(), false);
}
