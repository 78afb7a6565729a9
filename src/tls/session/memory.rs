//! The memory that a TLS connection takes beside the state of rustls.

use std::sync::Arc;

use crate::resident::Zeroed;
use crate::resident::stock::{Lent, Stock};

/// Bytes of input that may wait to be understood. A handshake message must fit, so this also bounds the chain of
/// certificates that a client may send; one record has 18 kB at most.
const INPUT: usize = 32 * 1024;
/// Bytes of text that one record takes (RFC 8446 §5.1).
pub(super) const RECORD: usize = 16 * 1024;
/// What may wait for the next record of text: after a handshake of TLS 1.3 a ticket, which serves nobody before the
/// client has been answered.
pub(super) const WAITING: usize = 1024;
/// What waits, a record of text with its header and its tag, and the farewell; or one message of a handshake.
const OUTPUT: usize = WAITING + RECORD + 256 + 5 + 32;

/// The memory of a TLS connection, allocated at start and used for one connection after another.
pub(crate) struct Memory {
    /// Records that have come, and their text.
    input: Zeroed,
    /// Where records are put together. A connection has one of them only as long as there is something in it.
    records: Arc<Stock>,
}

impl Memory {
    pub(crate) fn new(records: &Arc<Stock>) -> Self {
        Self { input: Zeroed::new(2 * INPUT), records: Arc::clone(records) }
    }

    /// Gives its pages back to the system.
    pub(crate) fn give_back(&mut self) {
        self.input.give_back();
    }

    /// What so many connections put their records together in.
    pub(crate) fn records(connections: usize) -> Arc<Stock> {
        Arc::new(Stock::new(connections, OUTPUT))
    }

    /// For records that have come, for their text, and for what goes out.
    pub(super) fn parts(&mut self) -> (&mut [u8], &mut [u8], Output<'_>) {
        let (input, text) = self.input.split_at_mut(INPUT);
        (input, text, Output { stock: &self.records, lent: None })
    }

    /// That of a connection that is the only one.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn alone() -> Self {
        Self::new(&Self::records(1))
    }
}

/// Memory for records that go out, once there are any.
pub(super) struct Output<'a> {
    stock: &'a Stock,
    lent: Option<Lent<'a>>,
}

impl Output<'_> {
    pub(super) fn get(&mut self) -> &mut [u8] {
        self.lent.get_or_insert_with(|| self.stock.lend())
    }

    pub(super) fn give_back(&mut self) {
        self.lent = None;
    }
}
