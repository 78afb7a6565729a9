//! The device page: what a person sees who opens the port in a browser. One document without outside resources, which
//! asks for the metrics itself and shows them.
//!
//! Sources: Content Security Policy Level 3; RFC 9110 §12.5.5 on `Vary`. No text of a metric is ever part of the
//! document: its script puts them in as text.

mod assembly;
mod digest;

use std::string::String;

use assembly::{joined, lean, lean_length, length};

use super::packed;
use crate::http::route::{Document, LONGEST_FIELDS};

/// Says that the answer depends on who asks.
pub(super) const VARIES: &[u8] = b"Vary: Accept\r\n";

/// The document, for metrics at one path. Each view takes memory of its own for as long as it is sent.
#[derive(Debug)]
pub(super) struct DevicePage {
    /// Where the metrics are below the prefix.
    metrics: String,
}

impl DevicePage {
    /// For metrics at this path below the prefix, or everywhere.
    pub(super) fn new(path: Option<&[u8]>) -> Self {
        Self { metrics: path.map_or("metrics".into(), String::from_utf8_lossy).into_owned() }
    }

    /// The document as a response.
    pub(super) fn document(&self) -> Document<'static> {
        Document::new(200, "text/html; charset=utf-8", self.html().into_bytes()).with_fields(&FIELDS)
    }

    fn html(&self) -> String {
        let whole = packed::unpack(&PACKED, WHOLE.len());
        if self.metrics == "metrics" {
            return whole;
        }
        let mut page = String::with_capacity(whole.len() + self.metrics.len());
        for part in whole.split_inclusive('"') {
            if part == "metrics\"" && page.ends_with("href=\"") {
                // What stands before a colon would be a scheme (RFC 3986 §4.2).
                page.push_str(if self.metrics.contains(':') { "./" } else { "" });
                self.metrics.chars().for_each(|character| push_escaped(&mut page, character));
                page.push('"');
            } else {
                page.push_str(part);
            }
        }
        page
    }
}

/// For the value of an attribute.
fn push_escaped(page: &mut String, character: char) {
    match character {
        '&' => page.push_str("&amp;"),
        '"' => page.push_str("&quot;"),
        '<' => page.push_str("&lt;"),
        _ => page.push(character),
    }
}

const STYLE_TEXT: &[u8] = include_bytes!("page.css");
static STYLE: [u8; lean_length(STYLE_TEXT)] = lean(STYLE_TEXT);
const SCRIPT_TEXT: &[u8] = include_bytes!("page.js");
static SCRIPT: [u8; lean_length(SCRIPT_TEXT)] = lean(SCRIPT_TEXT);

/// The whole document. The policy names its style and its script by what stands between the tags, to the byte.
static WHOLE: [u8; length(DOCUMENT)] = joined(DOCUMENT);

static PACKED: [u8; PACK.length] = packed::bytes(&PACK);
#[allow(long_running_const_eval)]
static PACK: packed::Packed<{ WHOLE.len() }> = packed::pack(&WHOLE);

const DOCUMENT: &[&[u8]] = &[
    include_bytes!("head.html"),
    b"<style>",
    &STYLE,
    b"</style>\n",
    include_bytes!("page.html"),
    b"<script>",
    &SCRIPT,
    b"</script>\n",
];

/// The header fields, put together by the compiler, which thereby keeps the digests true.
static FIELDS: [u8; length(PARTS)] = joined(PARTS);

const PARTS: &[&[u8]] = &[
    VARIES,
    b"Cache-Control: no-cache\r\nContent-Security-Policy: default-src 'none'; script-src 'sha256-",
    &digest::base64(&digest::sha256(&SCRIPT)),
    b"'; style-src 'sha256-",
    &digest::base64(&digest::sha256(&STYLE)),
    b"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
      X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
];

const _: () = assert!(length(PARTS) <= LONGEST_FIELDS);

#[cfg(test)]
mod tests {
    use super::*;

    /// It is part of a program for small flash memories.
    const BUDGET: usize = 13_000;

    /// The same in memory, while it is sent.
    const UNPACKED: usize = 27_000;

    fn whole() -> &'static str {
        core::str::from_utf8(&WHOLE).unwrap()
    }

    #[test]
    fn the_page_keeps_its_budget() {
        assert!(PACKED.len() < BUDGET && WHOLE.len() < UNPACKED, "{} of {} bytes", PACKED.len(), WHOLE.len());
    }

    #[test]
    fn what_was_packed_comes_back() {
        assert_eq!(packed::unpack(&PACKED, WHOLE.len()), whole());
    }

    #[test]
    fn the_page_needs_nothing_from_outside() {
        assert!(whole().starts_with("<!doctype html>\n") && whole().is_ascii());
        for word in
            ["src=", "http://", "https://", "@import", "url(", "<link rel=\"style", " style=", "innerHTML"]
        {
            // The icon is a picture in the document, whose language has an address for a name.
            let text = whole().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains(word), "{word}");
        }
        let handlers = whole().match_indices(" on").filter(|(at, _)| {
            let word: String = whole()[at + 3..].chars().take_while(char::is_ascii_alphanumeric).collect();
            whole()[at + 3 + word.len()..].starts_with("=\"")
        });
        assert_eq!(handlers.count(), 0);
        // What would end the elements early, and make the digests those of something else.
        assert_eq!((whole().matches("</script").count(), whole().matches("</style").count()), (1, 1));
    }

    #[cfg(feature = "web-config")]
    #[test]
    fn the_policy_names_style_and_script_by_their_digests() {
        use base64::Engine as _;
        let fields = core::str::from_utf8(&FIELDS).unwrap();
        for (directive, open, close) in
            [("script-src", "<script>", "</script>"), ("style-src", "<style>", "</style>")]
        {
            let (_, rest) = whole().split_once(open).unwrap();
            let (text, _) = rest.split_once(close).unwrap();
            let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            let mut room = [0; 44];
            base64::engine::general_purpose::STANDARD.encode_slice(digest, &mut room).unwrap();
            let digest = core::str::from_utf8(&room).unwrap();
            assert!(fields.contains(&std::format!("; {directive} 'sha256-{digest}';")), "{fields}");
        }
    }

    #[test]
    fn the_links_lead_to_the_path_of_the_metrics() {
        let html = |path| DevicePage::new(path).html();
        assert!(html(None) == whole() && html(Some(b"metrics")) == whole());
        let other = html(Some(b"m/\"<x>&y"));
        assert_eq!(other.matches("<a href=\"m/&quot;&lt;x>&amp;y\">").count(), 2);
        assert!(!other.contains("href=\"metrics\""));
        assert_eq!(html(Some(b"a:b")).matches("<a href=\"./a:b\">").count(), 2);
    }

    #[test]
    fn every_field_is_a_line() {
        let fields = core::str::from_utf8(&FIELDS).unwrap();
        assert_eq!(fields.matches("\r\n").count(), 5);
        for line in fields.split_terminator("\r\n") {
            assert!(line.contains(": ") && !line.contains(char::is_control), "{line}");
        }
    }
}
