//! The server: blocking threads around listening sockets. The only place that names sockets.
//!
//! A fixed number of workers block in `accept` on the shared sockets, and each serves its connection itself. A
//! supervisor sleeps until every worker is taken, and then sees to it that nobody is kept out.

mod builder;
mod clock;
mod deadline;
mod defer_accept;
mod door;
#[cfg(feature = "tls")]
mod encryption;
#[cfg(not(feature = "tls"))]
#[path = "no_encryption.rs"]
mod encryption;
mod inherit;
mod kits;
mod listen;
mod lock;
mod metrics;
mod rest;
mod seats;
mod slot;
mod socket;
mod start;
mod supervisor;
#[cfg(feature = "tls")]
mod tls_settings;
mod worker;

pub use builder::{DEFAULT_CONNECTIONS, DEFAULT_THREAD_STACK, ServerBuilder};
pub use inherit::listen_fds;
pub use listen::Listen;
#[cfg(feature = "web-config")]
pub(crate) use lock::{Lock, Opened, Reread};
pub use metrics::SERVER_METRICS;
pub use start::{Server, start_http_server};
#[cfg(feature = "tls")]
pub use tls_settings::TlsVersion;
