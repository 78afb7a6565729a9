//! The conversation on one connection: requests in, responses out, until either side has had enough.
//!
//! Source: RFC 9112 §9. A request that is kept costs one read and one write.

use core::time::Duration;
use std::sync::Arc;

use super::body::{Discard, Progress};
use super::date::Date;
use super::denial::denial;
use super::error_page::Refusal;
use super::gate::{Admission, Gate, Verdict};
use super::handler::{MetricsHandler, Request, usable};
use super::head::{self, Head};
use super::limits::{LINGER, Limits};
use super::reply::{self, Terms};
use super::route::{Asked, Routes};
use super::transport::{Answered, Gone, Observer, Phase, Transport};
use crate::resident::Zeroed;
use crate::resident::stock::Stock;

/// The memory of a connection, allocated at start and used for one connection after another.
pub(crate) struct Buffers {
    input: Zeroed,
    /// Where responses are put together. A connection has one of them only meanwhile.
    pages: Arc<Stock>,
    familiar: Familiar,
    date: Date,
}

impl Buffers {
    pub(crate) fn new(limits: &Limits, pages: &Arc<Stock>) -> Self {
        Self {
            input: Zeroed::new(limits.head),
            pages: Arc::clone(pages),
            familiar: Familiar { text: [0; FAMILIAR], head: None },
            date: Date::new(),
        }
    }

    /// Gives its pages back to the system.
    pub(crate) fn give_back(&mut self) {
        self.input.give_back();
    }

    /// What so many connections put their responses together in.
    pub(crate) fn pages(limits: &Limits, connections: usize) -> Arc<Stock> {
        Arc::new(Stock::new(connections, limits.buffer))
    }

    /// Those of a connection that is the only one.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn alone(limits: &Limits) -> Self {
        Self::new(limits, &Self::pages(limits, 1))
    }
}

/// What a connection can get.
pub(crate) struct Service<'a> {
    pub(crate) handler: &'a MetricsHandler,
    /// Whom it is for; everybody if `None`.
    pub(crate) gate: Option<&'a dyn Gate>,
    /// What there is besides metrics.
    pub(crate) routes: Option<&'a dyn Routes>,
}

/// Serves one connection to its end. The caller then closes it.
pub(crate) fn serve(
    transport: &mut dyn Transport,
    service: &Service<'_>,
    observer: &dyn Observer,
    buffers: &mut Buffers,
) {
    let mut conversation = Conversation {
        transport,
        service,
        observer,
        buffers,
        start: 0,
        end: 0,
        fresh: true,
        finished: false,
    };
    let next = loop {
        match conversation.exchange() {
            Next::Request => {}
            next => break next,
        }
    };
    if next == Next::Linger && !conversation.finished {
        conversation.linger();
    }
}

/// What comes after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another request.
    Request,
    /// The end; but the client may still be sending, and closing now would reset the connection under the response.
    Linger,
    /// The end.
    End,
}

/// Why there is no head.
enum NoHead {
    Refused(Refusal),
    End,
}

struct Conversation<'a> {
    transport: &'a mut dyn Transport,
    service: &'a Service<'a>,
    observer: &'a dyn Observer,
    buffers: &'a mut Buffers,
    /// The input that has been read and not used.
    start: usize,
    end: usize,
    /// No request yet.
    fresh: bool,
    /// The client has finished sending.
    finished: bool,
}

impl Conversation<'_> {
    fn exchange(&mut self) -> Next {
        match self.receive() {
            Ok(head) => self.answer(&head),
            Err(NoHead::Refused(refusal)) => self.refuse(refusal),
            Err(NoHead::End) => Next::End,
        }
    }

    /// Reads until a head is whole.
    fn receive(&mut self) -> Result<Head, NoHead> {
        let mut scanned = 0;
        loop {
            let input = &self.buffers.input[self.start..self.end];
            if let Some(head) = self.buffers.familiar.recognise(input) {
                return Ok(head);
            }
            if !input.is_empty() {
                match head::parse(input, &mut scanned) {
                    Ok(Some(head)) => {
                        self.buffers.familiar.remember(input, &head);
                        return Ok(head);
                    }
                    Ok(None) => {}
                    Err(refusal) => return Err(NoHead::Refused(refusal)),
                }
            }
            self.read_head()?;
        }
    }

    fn read_head(&mut self) -> Result<(), NoHead> {
        self.make_room();
        let input = &self.buffers.input[..];
        if self.end == input.len() {
            return Err(NoHead::Refused(head::too_long(input)));
        }
        let input = &input[..self.end];
        let silent = head::blank_lines(input) == input.len();
        let phase = if silent && !self.fresh { Phase::Idle } else { Phase::Head };
        match self.transport.read(&mut self.buffers.input[self.end..], phase) {
            Ok(0) => {
                self.finished = true;
                Err(if silent { NoHead::End } else { NoHead::Refused(Refusal::CUT) })
            }
            Ok(length) => {
                self.end += length;
                Ok(())
            }
            Err(Gone::TimedOut) if !silent => Err(NoHead::Refused(Refusal::SLOW)),
            Err(_) => Err(NoHead::End),
        }
    }

    /// Moves unused input to the front.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffers.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    fn answer(&mut self, head: &Head) -> Next {
        self.fresh = false;
        let scrape: Option<Duration> = head.scrape_timeout.map(usable);
        self.transport.begin_response(scrape);
        let input = &self.buffers.input[self.start..self.end];
        let (method, target) = (head.method(input), head.target(input));
        let admission = self.service.gate.map(|gate| {
            let admission = gate.admit(head.authorization(input));
            self.transport.admitted();
            admission
        });
        let (verdict, fields) = match &admission {
            Some(Admission { verdict, fields, .. }) => (*verdict, fields.as_deref().unwrap_or_default()),
            None => (Verdict::Served, &[][..]),
        };
        let stranger = matches!(verdict, Verdict::Unauthorized | Verdict::Busy);
        match &admission {
            Some(Admission { known: true, .. }) => self.transport.known(true),
            Some(_) if stranger => self.transport.known(false),
            // Over the limit or with a broken file nobody is asked who it is.
            _ => {}
        }
        let document = match denial(verdict) {
            Some(denial) => Some(denial),
            None => {
                let asked = Asked { method, target, prefers_html: head.negotiation.prefers_html() };
                self.service.routes.and_then(|routes| routes.route(&asked).document())
            }
        };
        // The turn ends with the response.
        let (_turn, document) = match (document, self.service.routes) {
            (None, Some(routes)) if method == b"GET" => match routes.begin_scrape() {
                Ok(turn) => (Some(turn), None),
                Err(busy) => (None, Some(busy)),
            },
            (document, _) => (None, document),
        };
        // After the gate, where a request may have waited while the server began to shut down.
        let last = document.as_ref().is_some_and(|document| document.close);
        let mut close = last || !head.reusable || self.transport.draining();
        // Whoever guesses passwords, or asks too often, holds no place that others wait for.
        let stranger = stranger || (verdict == Verdict::TooMany && !self.transport.is_known());
        close |= stranger && self.transport.crowded();
        let date = self.buffers.date.at(self.transport.now_unix());
        let terms = Terms { date, close, http_1_0: head.http_1_0, fields };
        let is_head = method == b"HEAD";
        let mut page = self.buffers.pages.lend();
        let (status, scrape, sent) = if let Some(document) = document {
            let sent =
                reply::send_document(&document, is_head, &terms, &mut page, self.transport, self.observer);
            (document.status, false, sent)
        } else {
            let request = Request::new(method, target).with_negotiation(head.negotiation);
            let response = self.service.handler.answer(&request);
            let (status, scrape) = (response.status(), response.is_scrape());
            (status, scrape, reply::send(response, &terms, &mut page, self.transport, self.observer))
        };
        drop(page);
        self.report(status, scrape, sent);
        self.start += head.length;
        if !sent.complete {
            return Next::End;
        }
        let bare = head.body == head::Body::Length(0);
        if close {
            // Nobody knows what follows an irregular head.
            let over = bare && head.regular && self.start == self.end;
            return if over { Next::End } else { Next::Linger };
        }
        if bare { Next::Request } else { self.discard(Discard::new(head.body)) }
    }

    fn refuse(&mut self, refusal: Refusal) -> Next {
        self.transport.begin_response(None);
        let date = self.buffers.date.at(self.transport.now_unix());
        let terms = Terms { date, close: true, http_1_0: false, fields: &[] };
        let mut page = self.buffers.pages.lend();
        let sent = reply::refuse(refusal, &terms, &mut page, self.transport, self.observer);
        drop(page);
        self.report(refusal.status, false, sent);
        if sent.complete { Next::Linger } else { Next::End }
    }

    fn report(&self, status: u16, scrape: bool, sent: reply::Sent) {
        let took = self.transport.elapsed();
        let (complete, bytes) = (sent.complete, sent.bytes);
        self.observer.answered(&Answered { status, scrape, complete, bytes, took });
    }

    /// Reads a body and drops it.
    fn discard(&mut self, mut discard: Discard) -> Next {
        loop {
            match discard.feed(&self.buffers.input[self.start..self.end]) {
                Progress::Done(length) => {
                    self.start += length;
                    return Next::Request;
                }
                Progress::Lost => return Next::Linger,
                Progress::More => {}
            }
            (self.start, self.end) = (0, 0);
            match self.transport.read(&mut self.buffers.input, Phase::Body) {
                Ok(0) | Err(_) => return Next::End,
                Ok(length) => self.end = length,
            }
        }
    }

    /// Lets the client take the response before the connection goes.
    #[cold]
    fn linger(&mut self) {
        self.transport.close_write();
        let mut dropped = 0;
        while dropped < LINGER {
            match self.transport.read(&mut self.buffers.input, Phase::Linger) {
                Ok(0) | Err(_) => return,
                Ok(length) => dropped += length,
            }
        }
    }
}

/// The longest head that is remembered. Scrapers send 200 to 400 bytes.
const FAMILIAR: usize = 512;

/// The last head, as text and as understood. A scraper sends the same head again and again, and the same bytes mean
/// the same: comparing them takes a tenth of the time of reading them.
struct Familiar {
    text: [u8; FAMILIAR],
    head: Option<Head>,
}

impl Familiar {
    fn recognise(&self, input: &[u8]) -> Option<Head> {
        let head = self.head?;
        input.starts_with(self.text.get(..head.length)?).then_some(head)
    }

    fn remember(&mut self, input: &[u8], head: &Head) {
        if let (Some(room), Some(text)) = (self.text.get_mut(..head.length), input.get(..head.length)) {
            room.copy_from_slice(text);
            self.head = Some(*head);
        }
    }
}

#[cfg(test)]
mod tests;
