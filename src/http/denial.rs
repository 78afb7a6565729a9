//! The responses of a gate that does not let a request in.
//!
//! The bodies of 401, 429 and 500 are those that every exporter with a web configuration file sends, word for word:
//! scripts and probes know them. Only 503 is this server's own, so it has the form of its error pages.

use super::gate::Verdict;

/// A response instead of the answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) status: u16,
    /// A header field that belongs to the status, with its line end.
    pub(crate) field: &'static [u8],
    pub(crate) body: &'static [u8],
}

/// RFC 7617 §2 wants a realm.
const UNAUTHORIZED: Denial =
    Denial { status: 401, field: b"WWW-Authenticate: Basic realm=\"metrics\"\r\n", body: b"Unauthorized\n" };

const TOO_MANY: Denial = Denial { status: 429, field: b"", body: b"Too Many Requests\n" };

const BROKEN: Denial = Denial { status: 500, field: b"", body: b"Internal Server Error\n" };

const BUSY: Denial = Denial {
    status: 503,
    field: b"Retry-After: 1\r\n",
    body: b"# HTTP 503 Service Unavailable: too many passwords wait to be verified; try again in a second\n",
};

impl Denial {
    /// The response for a verdict that is not [`Verdict::Served`].
    pub(crate) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Unauthorized => UNAUTHORIZED,
            Verdict::TooMany => TOO_MANY,
            Verdict::Broken | Verdict::Served => BROKEN,
            Verdict::Busy => BUSY,
        }
    }
}
