//! How much head a request may have. Ours are smaller by design: a device has no 64 KiB per client to spare.

use super::{Row, TEXT, compare, error, not_allowed};

const HEAD: usize = 8 * 1_024;

fn with_headers(count: usize) -> String {
    let headers: String = (0..count).map(|number| format!("X-{number}: x\r\n")).collect();
    format!("GET / HTTP/1.1\r\n{headers}\r\n")
}

/// A request whose head is so many bytes long.
fn head_of(length: usize) -> String {
    let (start, end) = ("GET / HTTP/1.1\r\nX: ", "\r\n\r\n");
    format!("{start}{}{end}", "a".repeat(length - start.len() - end.len()))
}

fn line_of(length: usize) -> String {
    let (start, end) = ("GET /", " HTTP/1.1\r\n\r\n");
    format!("{start}{}{end}", "a".repeat(length - start.len() - end.len() + 2))
}

pub(crate) fn rows() -> Vec<Row> {
    let html = |status: u16| format!("{status} text/html;charset=utf-8 | html {status}");
    let small = "a head is at most 8 KiB and 64 headers here";
    vec![
        Row::new("no headers", with_headers(0)),
        Row::new("64 headers", with_headers(64)),
        Row::new("65 headers", with_headers(65)).refused(TEXT, error(431), small),
        Row::new("99 headers", with_headers(99)).refused(TEXT, error(431), small),
        Row::new("100 headers", with_headers(100)).mended(html(431), error(431)),
        Row::new("a head of 8 KiB", head_of(HEAD)),
        Row::new("a head of 8 KiB and a byte", head_of(HEAD + 1)).refused(TEXT, error(431), small),
        Row::new("a head of 60 KiB", head_of(60 * 1_024)).refused(TEXT, error(431), small),
        Row::new("a header line above 64 KiB", head_of(65_536 + 100)).mended(html(431), error(431)),
        Row::new("a request line of 4 KiB", line_of(4 * 1_024)),
        Row::new("a request line of 60 KiB", line_of(60 * 1_024)).refused(TEXT, error(414), small),
        Row::new("a request line above 64 KiB", line_of(65_536 + 100)).mended(html(414), error(414)),
        Row::new("a method of 32 characters", format!("{} / HTTP/1.1\r\n\r\n", "M".repeat(32))),
        // Of a longer one we echo the beginning.
        Row::new("a method of 100 characters", format!("{} / HTTP/1.1\r\n\r\n", "M".repeat(100)))
            .mended(not_allowed(&"M".repeat(100)), not_allowed(&("M".repeat(32) + "..."))),
        Row::new("a header with a long name", format!("GET / HTTP/1.1\r\n{}: x\r\n\r\n", "N".repeat(2_000))),
    ]
}

#[test]
fn limits() {
    compare(&rows(), false);
}
