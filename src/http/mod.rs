//! HTTP.

mod connection;
mod handler;
mod limits;
mod transport;
