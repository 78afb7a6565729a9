//! A client in memory, at the other end of a session: for tests and fuzz targets.

use core::time::Duration;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;
use std::vec::Vec;

use rustls::{ClientConfig, ClientConnection, Error};

use crate::http::transport::{Gone, Phase, Transport};

/// What a client does when the server waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Say(Vec<u8>),
    /// Bytes that no TLS was applied to.
    Raw(Vec<u8>),
    /// Says that it sends no more.
    Farewell,
    /// Takes new keys.
    Rekey,
    /// Closes its side of the connection below.
    Finish,
    Reset,
}

/// A client; without TLS, only its raw steps count.
pub(super) struct Peer {
    pub(super) client: Option<ClientConnection>,
    pub(super) steps: VecDeque<Step>,
    /// Takes its steps as soon as its handshake is complete, without being waited for.
    pub(super) eager: bool,
    /// How many bytes arrive at once.
    pub(super) piece: usize,
    under_way: Vec<u8>,
    ended: Option<Result<usize, Gone>>,
    /// What came from the server: bytes, and text.
    pub(super) records: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) error: Option<Error>,
    pub(super) writes: usize,
    pub(super) phases: Vec<Phase>,
    pub(super) responses: usize,
    pub(super) closed: bool,
    pub(super) known: bool,
}

impl Peer {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            client: None,
            steps: steps.into_iter().collect(),
            eager: false,
            piece: usize::MAX,
            under_way: Vec::new(),
            ended: None,
            records: Vec::new(),
            text: Vec::new(),
            error: None,
            writes: 0,
            phases: Vec::new(),
            responses: 0,
            closed: false,
            known: false,
        }
    }

    pub(super) fn with_tls(config: ClientConfig, steps: impl IntoIterator<Item = Step>) -> Self {
        let name = "localhost".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { client: Some(client), ..Self::new(steps) }
    }

    pub(super) fn in_pieces(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    #[cfg(test)]
    pub(super) fn eagerly(self) -> Self {
        Self { eager: true, ..self }
    }

    fn flush(&mut self) {
        if let Some(client) = &mut self.client {
            while client.wants_write() {
                client.write_tls(&mut self.under_way).unwrap();
            }
        }
    }

    fn step(&mut self) {
        let step = self.steps.pop_front();
        match (step, &mut self.client) {
            (None, _) => self.ended = Some(Err(Gone::TimedOut)),
            (Some(Step::Finish), _) => self.ended = Some(Ok(0)),
            (Some(Step::Reset), _) => self.ended = Some(Err(Gone::Closed)),
            (Some(Step::Raw(bytes)), _) => self.under_way.extend(bytes),
            // After an alert it says no more.
            (Some(Step::Say(text)), Some(client)) => drop(client.writer().write_all(&text)),
            (Some(Step::Farewell), Some(client)) => client.send_close_notify(),
            (Some(Step::Rekey), Some(client)) => drop(client.refresh_traffic_keys()),
            (Some(_), None) => {}
        }
        self.flush();
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.records.extend(bytes);
        self.writes += 1;
        let Some(client) = &mut self.client else { return };
        let mut rest = bytes;
        while !rest.is_empty() && self.error.is_none() {
            if client.read_tls(&mut rest).is_ok_and(|length| length == 0) {
                break;
            }
            match client.process_new_packets() {
                Ok(_) => drop(client.reader().read_to_end(&mut self.text)),
                Err(error) => self.error = Some(error),
            }
        }
        let complete = !client.is_handshaking();
        self.flush();
        while self.eager && complete && self.error.is_none() && !self.steps.is_empty() {
            self.step();
        }
    }
}

impl Transport for Peer {
    fn read(&mut self, into: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        self.phases.push(phase);
        self.flush();
        while self.under_way.is_empty() {
            if let Some(ended) = self.ended {
                return ended;
            }
            self.step();
        }
        let length = self.piece.min(self.under_way.len()).min(into.len());
        into[..length].copy_from_slice(&self.under_way[..length]);
        self.under_way.drain(..length);
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.ended == Some(Err(Gone::Closed)) {
            return Err(Gone::Closed);
        }
        self.hear(bytes);
        Ok(())
    }

    fn close_write(&mut self) {
        self.closed = true;
    }

    fn begin_response(&mut self, _: Option<Duration>) {
        self.responses += 1;
    }

    fn expired(&self) -> bool {
        false
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn draining(&self) -> bool {
        false
    }

    fn known(&mut self, known: bool) {
        self.known = known;
    }

    fn now_unix(&self) -> u64 {
        0
    }
}
