//! Connections without TLS, for builds that have none.

use super::deadline::Link;
use crate::http::connection::{self, Buffers, Service};
use crate::http::transport::Observer;

/// There is none.
#[derive(Debug)]
pub(crate) enum Encryption {}

/// There is none.
pub(super) struct Memory;

impl Memory {
    pub(super) fn give_back(&mut self) {}
}

/// There are none.
pub(super) struct Records;

impl Records {
    pub(super) fn of(_: Option<&Encryption>, _: usize) -> Self {
        Self
    }

    pub(super) fn memory(&self) -> Memory {
        Memory
    }

    pub(super) fn give_back(&self) {}
}

/// Serves a connection to its end.
pub(super) fn serve(
    link: &mut Link<'_>,
    _: Option<&Encryption>,
    _: &mut Memory,
    service: &Service<'_>,
    observer: &dyn Observer,
    buffers: &mut Buffers,
) {
    connection::serve(link, service, observer, buffers);
}
