//! The handler mounted in a server of the crate tiny_http 0.12.
//!
//! A program that has such a server already can show its metrics there. tiny_http knows no timeouts and no limits:
//! where strangers can connect, this crate's own server is the safer place.

use core::time::Duration;
use std::io;
use std::time::{Instant, SystemTime};
use std::vec::Vec;

use ::tiny_http::{HTTPVersion, Header, Request};

use super::date::Date;
use super::handler::{self, MetricsHandler, Response, usable};
use super::head::seconds;
use super::reply::{self, Terms};
use super::transport::{Answered, Gone, Observer, Phase, Transport};

/// Bytes of stack that a page is written through.
const BUFFER: usize = 8 * 1024;

/// Answers a request of a tiny_http server with the metrics of the handler.
///
/// Head and body leave together, past tiny_http's own response, which sends them one after the other and so costs a
/// kept connection 40 ms per request.
///
/// ```no_run
/// # use scrapeport::{Registry, http::MetricsHandler};
/// # static REGISTRY: Registry = Registry::new(&[]);
/// static METRICS: MetricsHandler = MetricsHandler::new(&REGISTRY);
///
/// let server = tiny_http::Server::http("0.0.0.0:9100").expect("the port is free");
/// for request in server.incoming_requests() {
///     // An error means that this client is gone; the next may be fine.
///     let _ = scrapeport::http::tiny_http::respond(request, &METRICS);
/// }
/// ```
///
/// # Errors
/// Those of the connection. tiny_http then closes it.
pub fn respond(request: Request, handler: &MetricsHandler) -> io::Result<()> {
    let (method, target) = (request.method().as_str().as_bytes().to_vec(), request.url().as_bytes().to_vec());
    let mut asked = handler::Request::new(&method, &target);
    let mut scrape_timeout = None;
    let mut close = false;
    for Header { field, value } in request.headers() {
        let value = value.as_str();
        if field.equiv("Accept") {
            asked = asked.accept(value);
        } else if field.equiv("Accept-Encoding") {
            asked = asked.accept_encoding(value);
        } else if field.equiv("Connection") {
            // As tiny_http decides it.
            close |= value.to_ascii_lowercase().contains("close");
        } else if field.equiv("X-Prometheus-Scrape-Timeout-Seconds") {
            scrape_timeout = seconds(value.as_bytes());
        }
    }
    if let Some(timeout) = scrape_timeout {
        asked = asked.scrape_timeout(timeout);
    }
    let response = handler.answer(&asked);
    if *request.http_version() < HTTPVersion(1, 1) {
        return respond_whole(request, response);
    }
    let mut connection = Connection { writer: request.into_writer(), deadline: None, result: Ok(()) };
    connection.begin_response(scrape_timeout.map(usable));
    let mut date = Date::new();
    let terms = Terms { date: date.at(connection.now_unix()), close, http_1_0: false, fields: &[] };
    let sent = reply::send(response, &terms, &mut [0; BUFFER], &mut connection, &Warnings);
    connection.result.and_then(|()| if sent.complete { connection.writer.flush() } else { Ok(()) })
}

/// Leaves the response to tiny_http, which may keep a connection of HTTP/1.0: the length must be known.
fn respond_whole(request: Request, response: Response<'_>) -> io::Result<()> {
    let headers = response
        .headers()
        .filter_map(|(name, value)| Header::from_bytes(name.as_bytes(), value.as_bytes()).ok())
        .collect();
    let status = response.status();
    let mut body = Vec::new();
    response.write_body(&mut body)?;
    let length = body.len();
    request.respond(::tiny_http::Response::new(status.into(), headers, &body[..], Some(length), None))
}

/// The writing half of a conversation; tiny_http does the reading.
struct Connection<W> {
    writer: W,
    deadline: Option<Instant>,
    result: io::Result<()>,
}

impl<W: io::Write> Transport for Connection<W> {
    fn read(&mut self, _: &mut [u8], _: Phase) -> Result<usize, Gone> {
        Err(Gone::Closed)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.result = self.writer.write_all(bytes);
        if self.result.is_ok() { Ok(()) } else { Err(Gone::Closed) }
    }

    fn close_write(&mut self) {}

    fn begin_response(&mut self, scrape: Option<Duration>) {
        self.deadline = scrape.and_then(|time| Instant::now().checked_add(time));
    }

    fn expired(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn draining(&self) -> bool {
        false
    }

    fn now_unix(&self) -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }
}

/// The books of a server that has none: failures go to the log.
struct Warnings;

impl Observer for Warnings {
    fn answered(&self, _: &Answered) {}

    fn collector_failed(&self, collector: &'static str, why: &dyn core::fmt::Display) {
        log::warn!("collector {collector}: {why}");
    }
}
