//! The conversation on one connection: requests in, responses out, until either side has had enough.

use std::boxed::Box;
use std::vec;

use super::limits::Limits;
use super::transport::{Observer, Transport};
use super::handler::MetricsHandler;

/// The memory of a connection, allocated once per thread at start and used for one connection after another.
pub(crate) struct Buffers {
    input: Box<[u8]>,
    output: Box<[u8]>,
}

impl Buffers {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            input: vec![0; limits.head].into_boxed_slice(),
            output: vec![0; limits.buffer].into_boxed_slice(),
        }
    }
}

/// Serves one connection to its end. The caller then closes it.
pub(crate) fn serve(
    transport: &mut dyn Transport,
    handler: &MetricsHandler,
    observer: &dyn Observer,
    buffers: &mut Buffers,
) {
    let _ = (transport, handler, observer, &buffers.input, &buffers.output);
}
