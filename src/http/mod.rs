//! HTTP: the handler that answers scrapes, and the server around it.

mod answer;
mod body;
mod connection;
mod date;
mod error_page;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(not(feature = "gzip"))]
#[path = "no_gzip.rs"]
mod gzip;
mod handler;
mod head;
mod limits;
mod negotiate;
mod reply;
#[cfg(feature = "tiny_http")]
pub mod tiny_http;
mod transport;

mod builder;
mod clock;
mod deadline;
mod defer_accept;
mod door;
mod inherit;
mod listen;
mod metrics;
mod server;
mod slot;
mod socket;
mod supervisor;
mod worker;

pub use builder::{DEFAULT_CONNECTIONS, DEFAULT_THREAD_STACK, ServerBuilder};
pub use handler::{MetricsHandler, Request, Response};
pub use inherit::listen_fds;
pub use listen::Listen;
pub use metrics::SERVER_METRICS;
pub use server::{Server, start_http_server};
