//! One TLS connection over another transport: the handshake, then plain bytes in and out.
//!
//! Records are read into memory that a connection is lent, and put together in memory that it has only meanwhile; so
//! what it takes from the heap is rustls's own state. A kept request costs one read and one write below; a ticket leaves
//! with the first response, the farewell with the last.

mod memory;

use core::fmt;
use core::time::Duration;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};

pub(crate) use memory::Memory;
use memory::{Output, RECORD, WAITING};

use super::context::Keeper;
use super::failure::Failure;
use super::metrics::{HANDSHAKES, handshake_failed};
use super::plain_http::{drain, receive_first};
use super::x509::Certificate;
use crate::http::transport::{Gone, Phase, Transport};

/// The alert `internal_error`, which is fatal, in a record of its own (RFC 8446 §6).
const INTERNAL_ERROR: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// A TLS connection.
pub(crate) struct Session<'a> {
    below: &'a mut dyn Transport,
    connection: UnbufferedServerConnection,
    /// A certificate that was accepted says who the client is.
    verifies: bool,
    /// Records that have come: `input[..received]`.
    input: &'a mut [u8],
    received: usize,
    /// Text that has come and was not asked for yet. It cannot overflow: nothing is received while there is some, and
    /// the text of records is shorter than they are.
    text: &'a mut [u8],
    pending: core::ops::Range<usize>,
    output: Output<'a>,
    /// Bytes of records that wait in the output.
    queued: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshake,
    Open,
    /// The client has said that it sends no more.
    Finished,
    /// It cannot be used any more.
    Broken,
}

/// What comes of looking at the records.
enum Event {
    /// More records are needed.
    Blocked,
    /// Some bytes of text were put where they were wanted.
    Text(usize),
    /// A record has been added to the output.
    Encrypted,
    Finished,
}

impl<'a> Session<'a> {
    /// Shakes hands, under the deadline that the transport sets for it. What fails is counted.
    ///
    /// # Errors
    /// Why it failed. The client has been told, as far as it can be.
    pub(crate) fn accept(
        keeper: &dyn Keeper,
        below: &'a mut dyn Transport,
        memory: &'a mut Memory,
    ) -> Result<Self, Failure> {
        let mut result = Self::begin(keeper, below, memory)
            .and_then(|mut session| session.shake_hands().map(|()| session));
        match &mut result {
            Ok(session) => session.note(),
            Err(failure) => handshake_failed(*failure),
        }
        result
    }

    fn begin(
        keeper: &dyn Keeper,
        below: &'a mut dyn Transport,
        memory: &'a mut Memory,
    ) -> Result<Self, Failure> {
        let (input, text, output) = memory.parts();
        let received = receive_first(below, input)?;
        let begun = keeper.context().and_then(|context| {
            Some((UnbufferedServerConnection::new(context.config).ok()?, context.verifies))
        });
        let Some((connection, verifies)) = begun else {
            let _ = below.write(INTERNAL_ERROR);
            drain(below, input);
            return Err(Failure::Configuration);
        };
        Ok(Self {
            below,
            connection,
            verifies,
            input,
            received,
            text,
            pending: 0..0,
            output,
            queued: 0,
            state: State::Handshake,
        })
    }

    /// The client may be known by name now.
    fn note(&mut self) {
        HANDSHAKES.inc();
        if self.verifies && self.connection.peer_certificates().is_some() {
            self.below.known(true);
        }
        if log::log_enabled!(log::Level::Debug) {
            if let Some(leaf) = self.connection.peer_certificates().and_then(|chain| chain.first()) {
                let names = Certificate::parse(leaf).map(|leaf| leaf.names()).unwrap_or_default();
                log::debug!("a client identified itself with a certificate for {names:?}");
            }
        }
    }

    fn shake_hands(&mut self) -> Result<(), Failure> {
        loop {
            let event = self.advance(&mut [], None).map_err(|stop| match stop {
                Stop::Failed(failure) => failure,
                Stop::Gone(gone) => gone.into(),
            })?;
            if !self.connection.is_handshaking() {
                // Who has said everything in one breath still gets an answer.
                let finished = matches!(event, Event::Finished);
                self.state = if finished { State::Finished } else { State::Open };
                return Ok(());
            }
            if self.received == self.input.len() {
                // A message that fills everything and is not whole: a chain of certificates beyond all measure.
                return Err(Failure::ProtocolError);
            }
            if self.receive(&mut [], Phase::Handshake).map_err(Failure::from)? == 0 {
                return Err(Failure::Closed);
            }
        }
    }

    /// Receives records, however few bytes of them. What is in `unused` may be lost.
    fn receive(&mut self, unused: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        let room = &mut self.input[self.received..];
        if room.is_empty() {
            self.state = State::Broken;
            return Err(Gone::Closed);
        }
        if self.queued == 0 {
            // Nobody knows how long this takes.
            self.output.give_back();
        }
        let length = self.below.read_beside(room, unused, phase)?;
        self.received += length;
        Ok(length)
    }

    /// Works through the records that have come, and sends what the protocol itself has to say.
    ///
    /// Text goes into `wanted` as far as it has room, the rest waits. With a `piece`, that is encrypted as soon as it
    /// may be; an empty one is the farewell.
    fn advance(&mut self, wanted: &mut [u8], piece: Option<Option<&[u8]>>) -> Result<Event, Stop> {
        let mut delivered = 0;
        // No response is under way: what the protocol itself has to say needs a deadline of its own.
        let between = piece.is_none() && self.state == State::Open;
        let event = loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut self.input[..self.received]);
            let mut failed = None;
            let mut event = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        let text = record.payload;
                        let now = text.len().min(wanted.len() - delivered);
                        wanted[delivered..delivered + now].copy_from_slice(&text[..now]);
                        delivered += now;
                        let later = &text[now..];
                        let end = self.pending.end + later.len();
                        match self.text.get_mut(self.pending.end..end) {
                            Some(room) => room.copy_from_slice(later),
                            None => failed = Some(Failure::ProtocolError),
                        }
                        self.pending.end = end.min(self.text.len());
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    match data.encode(&mut self.output.get()[self.queued..]) {
                        Ok(length) => self.queued += length,
                        Err(EncodeError::InsufficientSize(_)) if self.queued > 0 => {
                            self.below.write_part(&self.output.get()[..self.queued]).map_err(Stop::Gone)?;
                            self.queued = data.encode(self.output.get()).unwrap_or(0);
                        }
                        Err(_) => failed = Some(Failure::Configuration),
                    }
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    // A ticket leaves with the first response.
                    let later = self.state == State::Handshake && self.has_finished();
                    if !later || self.queued > WAITING {
                        if between && self.queued > 0 {
                            self.below.begin_response(None);
                        }
                        self.flush(false).map_err(Stop::Gone)?;
                    }
                }
                Ok(ConnectionState::PeerClosed) => event = Some(Event::Finished),
                // Both have said that they send no more, so no piece can be sent.
                Ok(ConnectionState::Closed) => {
                    event = Some(if piece.is_some() { Event::Blocked } else { Event::Finished });
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    event = Some(match piece {
                        None => Event::Blocked,
                        Some(piece) => {
                            let room = &mut self.output.get()[self.queued..];
                            let encrypted = match piece {
                                Some(piece) => traffic.encrypt(piece, room),
                                None => traffic.queue_close_notify(room),
                            };
                            encrypted.map_or(Event::Blocked, |length| {
                                self.queued += length;
                                Event::Encrypted
                            })
                        }
                    });
                }
                Ok(_) => event = Some(Event::Blocked),
                Err(error) => failed = Some(Failure::of(&error)),
            }
            if discard > 0 {
                self.input.copy_within(discard..self.received, 0);
                self.received -= discard;
            }
            if let Some(failure) = failed {
                if between {
                    self.below.begin_response(None);
                }
                self.state = State::Broken;
                self.send_alert();
                return Err(Stop::Failed(failure));
            }
            if let Some(event) = event {
                break event;
            }
        };
        if matches!(event, Event::Finished) && self.state == State::Open {
            self.state = State::Finished;
        }
        Ok(if delivered > 0 { Event::Text(delivered) } else { event })
    }

    /// Sends the alert that rustls has made ready after a fault.
    fn send_alert(&mut self) {
        // Not once more than that: rustls would look at the faulty record again.
        while self.connection.wants_write() {
            let status = self.connection.process_tls_records(&mut self.input[..self.received]);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else { break };
            self.queued += data.encode(&mut self.output.get()[self.queued..]).unwrap_or(0);
        }
        let queued = core::mem::take(&mut self.queued);
        let sent = queued > 0 && self.below.write(&self.output.get()[..queued]).is_ok();
        self.output.give_back();
        if sent {
            drain(self.below, self.input);
        }
    }

    /// Whether the client waits for nothing but text: only in TLS 1.3 is the last word of a handshake always its own.
    fn has_finished(&self) -> bool {
        !self.connection.is_handshaking()
            && self.connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3)
    }

    /// Sends the records that wait.
    fn flush(&mut self, more: bool) -> Result<(), Gone> {
        match core::mem::take(&mut self.queued) {
            0 => Ok(()),
            queued if more => self.below.write_part(&self.output.get()[..queued]),
            queued => self.below.write(&self.output.get()[..queued]),
        }
    }

    /// Encrypts and sends.
    fn send(&mut self, bytes: &[u8], more: bool) -> Result<(), Gone> {
        let mut pieces = bytes.chunks(RECORD).peekable();
        while let Some(piece) = pieces.next() {
            self.encrypt(Some(piece))?;
            self.flush(more || pieces.peek().is_some()).map_err(|gone| self.broken(gone))?;
        }
        Ok(())
    }

    /// What cannot be sent in part cannot be followed by anything, a farewell neither.
    fn broken(&mut self, gone: Gone) -> Gone {
        self.state = State::Broken;
        gone
    }

    /// Makes a record of the text, or one that says that no more will come.
    fn encrypt(&mut self, piece: Option<&[u8]>) -> Result<(), Gone> {
        if self.state == State::Broken {
            return Err(Gone::Closed);
        }
        loop {
            // Records that came together with this request are kept for the next one.
            match self.advance(&mut [], Some(piece)) {
                Ok(Event::Encrypted) => return Ok(()),
                Ok(Event::Finished | Event::Text(_)) => {}
                Ok(Event::Blocked) | Err(Stop::Failed(_)) => return Err(Gone::Closed),
                Err(Stop::Gone(gone)) => return Err(self.broken(gone)),
            }
        }
    }

    fn take_pending(&mut self, into: &mut [u8]) -> usize {
        let length = self.pending.len().min(into.len());
        into[..length].copy_from_slice(&self.text[self.pending.start..][..length]);
        self.pending.start += length;
        if self.pending.is_empty() {
            self.pending = 0..0;
        }
        length
    }

    /// Says that no more will come, unless that has been said or cannot be.
    pub(crate) fn close(mut self) {
        if matches!(self.state, State::Open | State::Finished) {
            self.below.begin_response(None);
            let _ = self.say_goodbye();
        }
    }

    /// Sends what waits and the farewell.
    fn say_goodbye(&mut self) -> Result<(), Gone> {
        let _ = self.encrypt(None);
        match core::mem::replace(&mut self.state, State::Broken) {
            State::Broken => Err(Gone::Closed),
            _ => self.flush(false),
        }
    }
}

impl Transport for Session<'_> {
    fn read(&mut self, into: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        if phase == Phase::Linger && self.state == State::Broken {
            // What comes now matters to nobody; it is only to have come.
            self.output.give_back();
            return self.below.read(self.input, phase);
        }
        if !self.pending.is_empty() {
            return Ok(self.take_pending(into));
        }
        let mut looked = self.received == 0;
        loop {
            // A record that has come in part is no idle connection any more.
            let phase = if phase == Phase::Idle && self.received > 0 { Phase::Head } else { phase };
            if self.state == State::Finished {
                return Ok(0);
            }
            if self.state == State::Broken {
                return Err(Gone::Closed);
            }
            // Without a word of farewell it is an end all the same: HTTP tells where messages end.
            if looked && self.receive(into, phase)? == 0 {
                self.state = State::Finished;
                return Ok(0);
            }
            looked = true;
            match self.advance(into, None) {
                Ok(Event::Text(length)) => return Ok(length),
                Ok(Event::Finished) => return Ok(0),
                Ok(Event::Blocked | Event::Encrypted) => {}
                Err(Stop::Failed(_)) => return Err(Gone::Closed),
                Err(Stop::Gone(gone)) => return Err(self.broken(gone)),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.send(bytes, false)
    }

    fn write_part(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.send(bytes, true)
    }

    fn write_last(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let (before, last) = bytes.split_at(bytes.len().saturating_sub(1) / RECORD * RECORD);
        self.send(before, true)?;
        self.encrypt(Some(last))?;
        self.say_goodbye()
    }

    fn close_write(&mut self) {
        let _ = self.say_goodbye();
        self.below.close_write();
    }

    fn begin_response(&mut self, scrape: Option<Duration>) {
        self.below.begin_response(scrape);
    }

    fn admitted(&mut self) {
        self.below.admitted();
    }

    fn expired(&self) -> bool {
        self.below.expired()
    }

    fn elapsed(&self) -> Duration {
        self.below.elapsed()
    }

    fn draining(&self) -> bool {
        self.below.draining()
    }

    fn crowded(&self) -> bool {
        self.below.crowded()
    }

    fn known(&mut self, known: bool) {
        self.below.known(known);
    }

    fn is_known(&self) -> bool {
        self.below.is_known()
    }

    fn now_unix(&self) -> u64 {
        self.below.now_unix()
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Why looking at the records came to nothing.
enum Stop {
    Failed(Failure),
    Gone(Gone),
}

#[cfg(test)]
mod tests;
