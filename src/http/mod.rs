//! HTTP: the handler that answers scrapes.

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

pub use handler::{MetricsHandler, Request, Response};
