//! The limits of a server: each is a named constant beside its reason, and most can be set through the builder.
//!
//! Together they bound memory (`connections × (stack + head + buffer)`) and the time for which a client can hold a
//! thread.

use core::time::Duration;

/// Connections served at once. A device has a handful of scrapers; a thread's stack is the price of one more.
pub(crate) const CONNECTIONS: usize = 16;
/// Bytes of a request's head, from its first byte to the empty line. Scrapers send 200 to 400.
pub(crate) const HEAD: usize = 8 * 1024;
/// The smallest head limit that the builder takes: below, ordinary scrapers would be refused.
pub(crate) const SMALLEST_HEAD: usize = 512;
/// Header fields in a request. Browsers behind proxies send about 20.
pub(crate) const HEADERS: usize = 64;
/// Bytes of a request's body, framing included, that are read and dropped to keep the connection.
pub(crate) const BODY: usize = 64 * 1024;
/// Bytes of a connection's output buffer: a page that fits leaves in one piece with its length.
pub(crate) const BUFFER: usize = 16 * 1024;
/// The smallest output buffer that the builder takes: two margins, and a line of text in each half.
pub(crate) const SMALLEST_BUFFER: usize = 2 * 1024;
/// Bytes that are read and dropped after the last response, so that the client gets it rather than a reset.
pub(crate) const LINGER: usize = 256 * 1024;

/// From the start of a connection to the end of its TLS handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first byte of a request, or the start of the connection, to the end of its head.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// From the end of a request's head, or of the login, to the last byte of its response, and from there to the end of
/// its body.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two requests. A TLS handshake costs a small CPU more than twenty scrapes, so connections are kept long.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// For the client to close its side after the last response.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// For responses under way when the server is shut down.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// The limits of one server, as its builder left them.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) head: usize,
    pub(crate) buffer: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) head_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        connections: CONNECTIONS,
        head: HEAD,
        buffer: BUFFER,
        handshake_timeout: HANDSHAKE_TIMEOUT,
        head_timeout: HEAD_TIMEOUT,
        response_timeout: RESPONSE_TIMEOUT,
        idle_timeout: IDLE_TIMEOUT,
        shutdown_grace: SHUTDOWN_GRACE,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
