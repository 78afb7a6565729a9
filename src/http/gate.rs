//! What may stand before the answer to a request: a login, a limit, and header fields for every response. The web
//! configuration file implements it; this floor only asks.
#![cfg_attr(not(feature = "web-config"), allow(dead_code))]

use core::fmt;
use std::sync::Arc;

/// Decides on each request before it is looked at, on every path and for every method.
pub(crate) trait Gate: fmt::Debug + Send + Sync {
    /// Decides on a request by the value of its first `Authorization` field. May block while a password is verified.
    fn admit(&self, authorization: Option<&[u8]>) -> Admission;

    /// The server is shutting down: whoever waits inside [`Gate::admit`] comes out at once.
    fn close(&self) {}
}

/// A decision, and what goes out with it.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) verdict: Verdict,
    /// Header fields for the response, each with its line end; without control characters but for these.
    pub(crate) fields: Option<Arc<[u8]>>,
    /// The client has logged in. Not set if nobody has to.
    pub(crate) known: bool,
}

/// What becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is answered.
    Served,
    /// 401: no credentials, or wrong ones.
    Unauthorized,
    /// 429: more requests than the rate limit allows.
    TooMany,
    /// 500: what decides cannot be read; nobody is let in.
    Broken,
    /// 503: too many passwords wait to be verified.
    Busy,
}
