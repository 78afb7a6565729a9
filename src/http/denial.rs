//! The responses of a gate that does not let a request in.
//!
//! The bodies of 401, 429 and 500 are those that every exporter with a web configuration file sends, word for word:
//! scripts and probes know them. Only 503 is this server's own, so it has the form of its error pages.

use std::borrow::Cow;

use super::gate::Verdict;
use super::route::{Document, TEXT};

/// The response instead of the answer; `None` if the request is answered.
pub(crate) const fn denial(verdict: Verdict) -> Option<Document<'static>> {
    let (status, fields, body): (u16, &[u8], &[u8]) = match verdict {
        Verdict::Served => return None,
        // RFC 7617 §2 wants a realm.
        Verdict::Unauthorized => {
            (401, b"WWW-Authenticate: Basic realm=\"metrics\"\r\n", b"Unauthorized\n")
        }
        Verdict::TooMany => (429, b"", b"Too Many Requests\n"),
        Verdict::Broken => (500, b"", b"Internal Server Error\n"),
        Verdict::Busy => (
            503,
            b"Retry-After: 1\r\n",
            b"# HTTP 503 Service Unavailable: too many passwords wait to be verified; try again in a second\n",
        ),
    };
    let body = Cow::Borrowed(body);
    Some(Document { status, media: TEXT, body, location: None, allow: None, fields, close: false })
}
