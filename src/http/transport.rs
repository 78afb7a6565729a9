//! What a conversation needs from below: bytes, deadlines, a clock. Sockets and TLS implement it; tests do so in
//! memory.

use core::fmt;
use core::time::Duration;

/// What a read waits for. It governs the deadline, and how readily the connection may be given up for another.
///
/// The deadline of a phase runs from when the phase is entered, not from each read: a client that drips bytes gains
/// nothing. Between the heads of two requests there is always a [`Transport::begin_response`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The rest of a TLS handshake, its first byte included.
    Handshake,
    /// The first byte of another request.
    Idle,
    /// The rest of a request's head; on a fresh connection also its first byte.
    Head,
    /// A request's body, which is dropped. The response has been sent.
    Body,
    /// The end of the input, which is dropped, after the last response.
    Linger,
}

/// Why bytes no longer flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The deadline of the phase, or of the response, has passed.
    TimedOut,
    /// Reset, given up for another connection, or shut down.
    Closed,
}

/// One connection, as the conversation sees it.
pub(crate) trait Transport {
    /// Reads some bytes; 0 only when the client has finished sending. `into` is never empty.
    fn read(&mut self, into: &mut [u8], phase: Phase) -> Result<usize, Gone>;

    /// As [`Transport::read`]. What is in `unused` is nobody's, and may be lost: its memory can be given back while
    /// nothing comes.
    fn read_beside(&mut self, into: &mut [u8], _unused: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        self.read(into, phase)
    }

    /// Writes all of the bytes, under the deadline of the response.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone>;

    /// As [`Transport::write`], and more will follow soon: small parts may wait for it.
    fn write_part(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.write(bytes)
    }

    /// As [`Transport::write`], and nothing more will come, though the client may still be sending.
    fn write_last(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.write(bytes)
    }

    /// Tells the client that nothing more will come; reading goes on.
    fn close_write(&mut self);

    /// A head has arrived or was refused: the deadline of the response starts now. With `scrape`, the client gives
    /// up after that time, and [`Transport::expired`] tells so too.
    fn begin_response(&mut self, scrape: Option<Duration>);

    /// Whoever decides about the request has done so: the deadline of the response starts only now. The time that the
    /// client gives the scrape does not.
    fn admitted(&mut self) {}

    /// Whether collectors that have not begun should be left out of the response under way.
    fn expired(&self) -> bool;

    /// Time since [`Transport::begin_response`].
    fn elapsed(&self) -> Duration;

    /// Whether the server is shutting down: the response under way is the connection's last.
    fn draining(&self) -> bool;

    /// Whether every connection is taken, so that somebody may wait for this one to end.
    fn crowded(&self) -> bool {
        false
    }

    /// The client has shown who it is, by its certificate or a password, or has failed to: connections of known
    /// clients are given up last.
    fn known(&mut self, _: bool) {}

    /// Whether it has shown that.
    fn is_known(&self) -> bool {
        false
    }

    /// Seconds since 1970, for the `Date` header.
    fn now_unix(&self) -> u64;
}

/// A response that has been sent, or whose sending failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The status code.
    pub(crate) status: u16,
    /// Whether it was a page of metrics.
    pub(crate) scrape: bool,
    /// Whether all of it was handed to the transport.
    pub(crate) complete: bool,
    /// Bytes handed to the transport, head and framing included.
    pub(crate) bytes: u64,
    /// From the end of the request's head to the end of the response.
    pub(crate) took: Duration,
}

/// Who keeps the books of a server.
pub(crate) trait Observer {
    /// A response is over.
    fn answered(&self, answered: &Answered);

    /// A collector failed or was skipped; the page went out without it.
    fn collector_failed(&self, collector: &'static str, why: &dyn fmt::Display);
}
