//! HTTP without input or output: the handler that answers scrapes, to be mounted in any server, and the conversation on
//! a connection, for the server of this crate.

pub(crate) mod answer;
mod body;
pub(crate) mod connection;
mod date;
mod denial;
mod error_page;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzz;
pub(crate) mod gate;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(not(feature = "gzip"))]
#[path = "no_gzip.rs"]
mod gzip;
pub(crate) mod handler;
mod head;
pub(crate) mod limits;
mod negotiate;
mod reply;
#[allow(dead_code)]
pub(crate) mod route;
#[cfg(feature = "tiny_http")]
pub mod tiny_http;
pub(crate) mod transport;

pub use handler::{MetricsHandler, Request, Response};

#[cfg(test)]
pub(crate) use error_page::reason;
