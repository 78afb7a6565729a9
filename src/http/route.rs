//! Where a request goes in a program that serves more than metrics. A higher floor implements it; without it every
//! path is the metrics path.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::borrow::Cow;
use std::vec::Vec;

use super::error_page;

/// Finds what a path leads to. Comes after the gate.
pub(crate) trait Routes: Send + Sync {
    /// Decides by what was asked.
    fn route(&self, asked: &Asked<'_>) -> Route<'_>;

    /// Lets a scrape begin, or says why not. The turn ends with the response.
    fn begin_scrape(&self) -> Result<Turn<'_>, Document<'_>> {
        Ok(Turn(None))
    }

    /// Nothing has been asked for a while: memory that only a scrape needs can be given back to the system.
    fn rest(&self) {}
}

/// Without their own text, which would be in every program for nobody.
impl fmt::Debug for dyn Routes + '_ {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Routes")
    }
}

/// What decides about the way of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Method and target as they were sent.
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
    /// The client would rather have HTML than metrics: it is a browser.
    pub(crate) prefers_html: bool,
}

/// A scrape that counts as running as long as this lives.
#[derive(Debug)]
pub(crate) struct Turn<'a>(Option<&'a AtomicUsize>);

impl<'a> Turn<'a> {
    /// Takes a turn unless `most` are taken.
    pub(crate) fn take(running: &'a AtomicUsize, most: usize) -> Option<Self> {
        let turn = Self(Some(running));
        (running.fetch_add(1, Ordering::Relaxed) < most).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.0 {
            running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// To the metrics, by the method table.
    Metrics,
    /// To something else.
    Document(Document<'a>),
}

impl<'a> Route<'a> {
    pub(crate) fn document(self) -> Option<Document<'a>> {
        match self {
            Self::Metrics => None,
            Self::Document(document) => Some(document),
        }
    }
}

/// The media type of plain text.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// The longest `Location` that is sent, in bytes.
pub(crate) const LONGEST_LOCATION: usize = 512;

/// Bytes that a document's own header fields may take.
pub(crate) const LONGEST_FIELDS: usize = 640;

/// A response whose body is known as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    pub(crate) status: u16,
    /// The media type; empty for a response that has none.
    pub(crate) media: &'static str,
    /// Left out of the response to HEAD, but for its length.
    pub(crate) body: Cow<'a, [u8]>,
    /// The value of `Location`: ASCII without control characters, [`LONGEST_LOCATION`] at most.
    pub(crate) location: Option<&'a str>,
    /// The value of `Allow`.
    pub(crate) allow: Option<&'static str>,
    /// Further header fields, each with its line end, [`LONGEST_FIELDS`] at most. What the gate sets for every
    /// response is left out of them.
    pub(crate) fields: &'static [u8],
    /// Whether the connection ends after it.
    pub(crate) close: bool,
}

impl<'a> Document<'a> {
    pub(crate) fn new(status: u16, media: &'static str, body: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { status, media, body: body.into(), location: None, allow: None, fields: b"", close: false }
    }

    /// An error whose body has been made by [`error_body`].
    pub(crate) fn error(status: u16, body: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::new(status, TEXT, body)
    }

    pub(crate) const fn at(mut self, location: &'a str) -> Self {
        self.location = Some(location);
        self
    }

    pub(crate) const fn allowing(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    pub(crate) const fn with_fields(mut self, fields: &'static [u8]) -> Self {
        self.fields = fields;
        self
    }

    pub(crate) const fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}

/// The body of an error: one line in the form of all others. The texts are free of control characters.
pub(crate) fn error_body(status: u16, detail: &str, hint: &str) -> Vec<u8> {
    error_page::body(status, detail, hint)
}
