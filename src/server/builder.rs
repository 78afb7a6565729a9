//! The settings of a server.

use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::vec::Vec;

use super::listen::Listen;
use super::lock::{Lock, Opened};
use super::metrics::SERVER_METRICS;
use super::start::{Plan, Server, start};
#[cfg(feature = "tls")]
use super::tls_settings::TlsSettings;
use crate::http::handler::MetricsHandler;
use crate::http::limits::{CONNECTIONS, Limits, SMALLEST_BUFFER, SMALLEST_HEAD};
use crate::http::route::Routes;
use crate::{Error, Registry};

/// Connections that a server serves at once unless told otherwise.
pub const DEFAULT_CONNECTIONS: usize = CONNECTIONS;

/// Bytes of stack of each thread unless told otherwise.
pub const DEFAULT_THREAD_STACK: usize = 128 * 1024;

/// Less than this is too little for the server itself.
const SMALLEST_STACK: usize = 32 * 1024;

/// More threads or seconds than this are taken for a mistake.
const MOST_CONNECTIONS: usize = 4096;
const LONGEST_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of a server; see [`Server::builder`].
///
/// A setting that cannot work is an [`Error::Setting`] at the start, never a silent correction.
#[derive(Debug)]
#[must_use = "call start"]
pub struct ServerBuilder {
    handler: MetricsHandler,
    routes: Option<Arc<dyn Routes>>,
    limits: Limits,
    thread_stack: usize,
    server_metrics: bool,
    places: Vec<Listen>,
    #[cfg(feature = "tls")]
    pub(super) tls: TlsSettings,
    lock: Option<Box<dyn Lock>>,
}

impl ServerBuilder {
    pub(super) const fn new(registry: &'static Registry) -> Self {
        Self {
            handler: MetricsHandler::new(registry),
            routes: None,
            limits: Limits::DEFAULT,
            thread_stack: DEFAULT_THREAD_STACK,
            server_metrics: true,
            places: Vec::new(),
            #[cfg(feature = "tls")]
            tls: TlsSettings::new(),
            lock: None,
        }
    }

    /// Listens on this address; may be called several times. See [`Listen`].
    pub fn listen(mut self, address: impl Into<Listen>) -> Self {
        self.places.push(address.into());
        self
    }

    /// Connections served at once, 16 unless set: so many threads are created, each with its buffers. One more does
    /// not wait: it replaces the one that has waited longest for its client.
    pub const fn max_connections(mut self, number: usize) -> Self {
        self.limits.connections = number;
        self
    }

    /// Bytes of a request's head, 8 KiB unless set, at least 512. A longer one is refused with 431 or 414.
    pub const fn head_limit(mut self, bytes: usize) -> Self {
        self.limits.head = bytes;
        self
    }

    /// Bytes of a connection's output buffer, 16 KiB unless set, at least 2 KiB. A page that fits leaves in one
    /// piece with its length, a longer one in chunks.
    pub const fn buffer(mut self, bytes: usize) -> Self {
        self.limits.buffer = bytes;
        self
    }

    /// Time for a whole request head, 5 s unless set.
    pub const fn head_timeout(mut self, time: Duration) -> Self {
        self.limits.head_timeout = time;
        self
    }

    /// Time for a whole response, 30 s unless set.
    pub const fn response_timeout(mut self, time: Duration) -> Self {
        self.limits.response_timeout = time;
        self
    }

    /// Time between two requests of a connection, 5 min unless set.
    pub const fn idle_timeout(mut self, time: Duration) -> Self {
        self.limits.idle_timeout = time;
        self
    }

    /// Time for responses under way when the server is shut down, 5 s unless set; 0 cuts them off at once.
    pub const fn shutdown_grace(mut self, time: Duration) -> Self {
        self.limits.shutdown_grace = time;
        self
    }

    /// Bytes of stack of each thread, 128 KiB unless set, at least 32 KiB. Collectors run on it.
    ///
    /// It is address space: memory is used as far as the stack has been touched. Measured on x86-64 with a collector
    /// that reads a file into 4 KiB: 16 KiB when optimised, 37 KiB if the collector panics and the backtrace is
    /// printed; 76 KiB without optimisation and with compression.
    pub const fn thread_stack(mut self, bytes: usize) -> Self {
        self.thread_stack = bytes;
        self
    }

    /// Whether the server's own metrics ([`SERVER_METRICS`]) are on its page; they are unless set.
    pub const fn server_metrics(mut self, on: bool) -> Self {
        self.server_metrics = on;
        self
    }

    /// Whether the page tells when each series began (`_created`); it does not unless set.
    pub fn created(mut self, on: bool) -> Self {
        self.handler = self.handler.created(on);
        self
    }

    /// Whether the page is compressed for clients that accept it; it is unless set.
    pub fn compression(mut self, on: bool) -> Self {
        self.handler = self.handler.compression(on);
        self
    }

    /// Lets another part of the crate say who may come in.
    #[cfg_attr(not(feature = "web-config"), allow(dead_code))]
    pub(crate) fn lock(mut self, lock: impl Lock + 'static) -> Self {
        self.lock = Some(Box::new(lock));
        self
    }

    /// What is served besides metrics; every path is the metrics path unless set.
    #[cfg_attr(not(feature = "exporter"), allow(dead_code))]
    pub(crate) fn routes(mut self, routes: Arc<dyn Routes>) -> Self {
        self.routes = Some(routes);
        self
    }

    /// Starts on this address besides those given with [`listen`](Self::listen); see [`start`](Self::start).
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub fn start_on(self, address: impl Into<Listen>) -> Result<(Server, JoinHandle<()>), Error> {
        self.listen(address).start()
    }

    fn open_lock(&self) -> Result<Opened, Error> {
        #[cfg(feature = "tls")]
        if !self.tls.is_empty() {
            return match self.lock {
                None => self.tls.open(self.limits.connections),
                Some(_) => Err(Error::Setting {
                    setting: "certfile",
                    problem: "say it in the web configuration file, or do without that file",
                }),
            };
        }
        self.lock.as_ref().map_or_else(|| Ok(Opened::default()), |lock| lock.open(self.limits.connections))
    }

    /// Time for a TLS handshake, 5 s unless set.
    #[cfg(feature = "tls")]
    pub const fn handshake_timeout(mut self, time: Duration) -> Self {
        self.limits.handshake_timeout = time;
        self
    }

    /// Starts the server: opens the sockets, then creates every thread. See
    /// [`start_http_server`](super::start_http_server) for what it blocks on and what runs afterwards.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting that cannot work, [`Error::Address`] and [`Error::Listen`] for an address,
    /// [`Error::Thread`] if the threads could not be created. Nothing stays behind.
    pub fn start(self) -> Result<(Server, JoinHandle<()>), Error> {
        self.check()?;
        let Opened { encryption, gate, files, metrics } = self.open_lock()?;
        let Self { handler, routes, limits, thread_stack, server_metrics, places, .. } = self;
        let metrics = metrics.unwrap_or(&SERVER_METRICS);
        let handler = if server_metrics { handler.including(metrics) } else { handler };
        start(Plan { handler, routes, limits, thread_stack, places, encryption, gate, files })
    }

    fn check(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let range = |setting, time: Duration, least: Duration| match time {
            time if time < least => {
                Err(Error::Setting { setting, problem: "must be at least a millisecond" })
            }
            time if time > LONGEST_TIME => Err(Error::Setting { setting, problem: "must be at most a day" }),
            _ => Ok(()),
        };
        let ensure = |holds: bool, setting, problem| {
            if holds { Ok(()) } else { Err(Error::Setting { setting, problem }) }
        };
        let instant = Duration::from_millis(1);
        ensure(!self.places.is_empty(), "listen", "name at least one address")?;
        ensure(limits.connections > 0, "max_connections", "must be at least 1")?;
        ensure(limits.connections <= MOST_CONNECTIONS, "max_connections", "must be at most 4096")?;
        ensure(limits.head >= SMALLEST_HEAD, "head_limit", "must be at least 512 bytes")?;
        ensure(limits.head <= 1 << 20, "head_limit", "must be at most 1 MiB")?;
        ensure(limits.buffer >= SMALLEST_BUFFER, "buffer", "must be at least 2 KiB")?;
        ensure(limits.buffer <= 1 << 24, "buffer", "must be at most 16 MiB")?;
        ensure(self.thread_stack >= SMALLEST_STACK, "thread_stack", "must be at least 32 KiB")?;
        ensure(self.thread_stack <= 1 << 30, "thread_stack", "must be at most 1 GiB")?;
        range("handshake_timeout", limits.handshake_timeout, instant)?;
        range("head_timeout", limits.head_timeout, instant)?;
        range("response_timeout", limits.response_timeout, instant)?;
        range("idle_timeout", limits.idle_timeout, instant)?;
        range("shutdown_grace", limits.shutdown_grace, Duration::ZERO)
    }
}
