//! The answer to a request, without a server: bytes in, bytes out.

use core::ops::Range;
use core::time::Duration;
use std::io;
use std::time::Instant;

use super::answer::{Answer, query};
use super::error_page;
use super::gzip::{Compressors, Lent};
use super::negotiate::Negotiation;
use crate::registry::Registry;
use crate::text::{Format, NameFilter, Output, Page, Stopped};

/// The bytes of stack through which [`Response::write_body`] streams a page.
const PIECE: usize = 4 * 1024;

/// Answers requests with the metrics of a registry. It does no input or output: mount it in any HTTP server.
///
/// ```
/// use scrapeport::http::{MetricsHandler, Request};
/// use scrapeport::{Counter, Registry};
///
/// static SCRAPES: Counter = Counter::new("app_scrapes_total", "Scrapes answered.");
/// static REGISTRY: Registry = Registry::new(&[&SCRAPES]);
/// static METRICS: MetricsHandler = MetricsHandler::new(&REGISTRY);
///
/// let request = Request::new("GET", "/metrics").accept("text/plain");
/// let response = METRICS.answer(&request);
/// assert_eq!(response.status(), 200);
/// let mut body = Vec::new();
/// response.write_body(&mut body)?;
/// assert!(body.ends_with(b"app_scrapes_total 0\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// With feature `gzip` a handler owns up to two compressors of 165 kB, each made once, when first needed; a page for which
/// none is free goes out uncompressed. A [`Server`](crate::Server) gives their memory back between scrapes.
pub struct MetricsHandler {
    registry: &'static Registry,
    other: Option<&'static Registry>,
    created: bool,
    compression: bool,
    compressors: Compressors,
}

impl MetricsHandler {
    /// A handler for this registry.
    #[must_use]
    pub const fn new(registry: &'static Registry) -> Self {
        Self { registry, other: None, created: false, compression: true, compressors: Compressors::new() }
    }

    /// Shows a second registry on the same page.
    #[must_use]
    pub const fn including(mut self, registry: &'static Registry) -> Self {
        self.other = Some(registry);
        self
    }

    /// Whether `_created` samples are shown. Off by default: they double the counters for little use.
    #[must_use]
    pub const fn created(mut self, shown: bool) -> Self {
        self.created = shown;
        self
    }

    /// Whether pages are compressed for clients that ask for it. On by default where feature `gzip` is.
    #[must_use]
    pub const fn compression(mut self, wanted: bool) -> Self {
        self.compression = wanted;
        self
    }

    /// Decides on the answer. The metrics are read later, while the body is written.
    #[must_use]
    pub fn answer<'a>(&'a self, request: &Request<'a>) -> Response<'a> {
        let answer = Answer::to(request.method, request.target);
        let gzip = answer == Answer::Metrics && self.compression && request.negotiation.gzip();
        Response {
            handler: self,
            answer,
            method: request.method,
            filter: NameFilter::new(query(request.target)),
            format: request.negotiation.format().with_created(self.created),
            scrape_timeout: request.scrape_timeout,
            compressor: if gzip { self.compressors.lend() } else { None },
        }
    }

    /// Allocates what a first scrape would allocate.
    pub(crate) fn prepare(&self) {
        if self.compression {
            self.compressors.allocate();
        }
    }

    /// Gives back to the system what only a scrape needs, until the next one.
    pub(crate) fn rest(&self) {
        self.compressors.rest();
    }
}

impl core::fmt::Debug for MetricsHandler {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("MetricsHandler").finish_non_exhaustive()
    }
}

/// What a handler needs to know of a request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    method: &'a [u8],
    target: &'a [u8],
    negotiation: Negotiation,
    scrape_timeout: Option<Duration>,
}

impl<'a> Request<'a> {
    /// A request with its method and its target: path and query as they were sent, undecoded.
    #[must_use]
    pub fn new<M, T>(method: &'a M, target: &'a T) -> Self
    where
        M: AsRef<[u8]> + ?Sized,
        T: AsRef<[u8]> + ?Sized,
    {
        Self {
            method: method.as_ref(),
            target: target.as_ref(),
            negotiation: Negotiation::new(),
            scrape_timeout: None,
        }
    }

    /// Adds the value of an `Accept` header; to be repeated if there are several.
    #[must_use]
    pub fn accept(mut self, value: impl AsRef<[u8]>) -> Self {
        self.negotiation.accept(value.as_ref());
        self
    }

    /// Adds the value of an `Accept-Encoding` header; to be repeated if there are several.
    #[must_use]
    pub fn accept_encoding(mut self, value: impl AsRef<[u8]>) -> Self {
        self.negotiation.accept_encoding(value.as_ref());
        self
    }

    /// How long the client waits (`X-Prometheus-Scrape-Timeout-Seconds`). Collectors that have not begun shortly
    /// before the end of that time, counted from the call that writes the body, are left out.
    #[must_use]
    pub const fn scrape_timeout(mut self, timeout: Duration) -> Self {
        self.scrape_timeout = Some(timeout);
        self
    }

    pub(crate) const fn with_negotiation(mut self, negotiation: Negotiation) -> Self {
        self.negotiation = negotiation;
        self
    }
}

/// The part of a scrape timeout that may pass before the last collector begins: the rest, a tenth or at most half a
/// second, is for the page to reach a client that still listens.
pub(crate) fn usable(timeout: Duration) -> Duration {
    timeout.saturating_sub((timeout / 10).min(Duration::from_millis(500)))
}

/// An answer whose body is yet to be written.
pub struct Response<'a> {
    handler: &'a MetricsHandler,
    answer: Answer,
    method: &'a [u8],
    filter: NameFilter<'a>,
    format: Format,
    scrape_timeout: Option<Duration>,
    compressor: Option<Lent<'a>>,
}

impl Response<'_> {
    /// The status code: 200 or 405.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.answer.status()
    }

    /// The reason phrase that belongs to the status code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        error_page::reason(self.status())
    }

    /// The headers that describe the answer, names and values. `Date`, `Content-Length` and the like are the
    /// server's.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let metrics = self.answer == Answer::Metrics;
        let compressed = self.compressor.is_some();
        [
            metrics.then(|| ("Content-Type", self.format.content_type())),
            compressed.then_some(("Content-Encoding", "gzip")),
            metrics.then_some(("Vary", "Accept, Accept-Encoding")),
            matches!(self.answer, Answer::Options | Answer::NotAllowed).then_some(("Allow", ALLOW)),
        ]
        .into_iter()
        .flatten()
    }

    /// Writes the body, piece by piece as the metrics are read, through 4 KiB of stack.
    ///
    /// # Errors
    /// Those of the writer; writing ends at the first.
    pub fn write_body(mut self, writer: &mut dyn io::Write) -> io::Result<()> {
        let mut buffer = [0; PIECE];
        if self.is_head() {
            return Ok(());
        }
        if self.answer != Answer::Metrics {
            let length = self.short_body(&mut buffer);
            return writer.write_all(&buffer[..length]);
        }
        let deadline = self.scrape_timeout.and_then(|timeout| Instant::now().checked_add(usable(timeout)));
        let mut output = Writer { writer, deadline, result: Ok(()) };
        if let Ok((rest, content)) = self.encode(&mut buffer, 0, 0, &mut output) {
            let _ = output.flush(rest, content.range);
        }
        output.result
    }

    pub(crate) const fn answer(&self) -> Answer {
        self.answer
    }

    /// Whether the body is a page of metrics.
    pub(crate) fn is_scrape(&self) -> bool {
        self.answer == Answer::Metrics
    }

    /// The format of a page of metrics.
    #[cfg(feature = "capi")]
    pub(crate) const fn format(&self) -> &Format {
        &self.format
    }

    /// The media type of a page of metrics.
    pub(crate) const fn content_type(&self) -> &'static str {
        self.format.content_type()
    }

    pub(crate) const fn is_compressed(&self) -> bool {
        self.compressor.is_some()
    }

    /// Writes a body that is not a page of metrics, and gives its length.
    pub(crate) fn short_body(&self, buffer: &mut [u8]) -> usize {
        match self.answer {
            Answer::NotAllowed => error_page::method_not_allowed(self.method, buffer),
            _ => 0,
        }
    }

    /// Whether the body is left out of the response although its length is told (RFC 9110 §9.3.2).
    pub(crate) fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }

    /// Writes a page of metrics. What has not been handed on at the end is given back, with the part of the buffer
    /// that holds it and has the margins.
    pub(crate) fn encode<'b>(
        &mut self,
        buffer: &'b mut [u8],
        front: usize,
        back: usize,
        output: &mut dyn Output,
    ) -> Result<(&'b mut [u8], Content), Stopped> {
        let Some(compressor) = &mut self.compressor else {
            let page = Page::with_margins(buffer, front, back, self.format, output);
            let (range, flushed) = self.handler.fill(page, self.filter).finish_in_place()?;
            return Ok((buffer, Content { range, flushed }));
        };
        // The text needs only a short stretch: what is compressed shrinks by ten.
        let (text, packed) = buffer.split_at_mut(buffer.len() / 4);
        let mut gzip = compressor.page(packed, front, back, output);
        self.handler.fill(Page::new(text, self.format, &mut gzip), self.filter).finish()?;
        let (range, flushed) = gzip.finish_in_place()?;
        Ok((packed, Content { range, flushed }))
    }
}

/// The methods of every target.
pub(crate) const ALLOW: &str = "OPTIONS, GET";

/// The end of a page, still in its buffer.
pub(crate) struct Content {
    pub(crate) range: Range<usize>,
    /// Whether something was handed on before.
    pub(crate) flushed: bool,
}

impl MetricsHandler {
    fn fill<'p>(&self, page: Page<'p>, filter: NameFilter<'p>) -> Page<'p> {
        let mut page = page.with_filter(filter);
        match self.other {
            Some(other) => self.registry.encode_with(&[other], &mut page),
            None => self.registry.encode(&mut page),
        }
        page
    }
}

impl core::fmt::Debug for Response<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Response").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// A writer as the output of a page.
struct Writer<'a> {
    writer: &'a mut dyn io::Write,
    deadline: Option<Instant>,
    result: io::Result<()>,
}

impl Output for Writer<'_> {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        self.result = self.writer.write_all(&buffer[content]);
        if self.result.is_ok() { Ok(()) } else { Err(Stopped) }
    }

    fn expired(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn collector_failed(&mut self, collector: &'static str, why: &dyn core::fmt::Display) {
        log::warn!("collector {collector}: {why}");
    }
}
