//! One connection's socket under time limits.
//!
//! A kept request of an ordinary client costs one recv(2) and one send(2), if it follows the last one soon. The limits
//! cost nothing more, because the socket inherits from its listener the two that the kernel keeps: a short time for a
//! blocking read (`SO_RCVTIMEO`) and half a second for one step of a write (`SO_SNDTIMEO`, socket(7)). Only when a client
//! keeps us waiting longer, or elsewhere, do we ask the clock and poll(2).

use core::time::Duration;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown, sockopt};

use super::clock::{self, coarse_ms, millis};
use super::door::Door;
use super::metrics::Ending;
use super::rest::Rest;
use super::seats::Seats;
use super::slot::{Doing, Slot};
use crate::http::limits::{LINGER_TIMEOUT, Limits};
use crate::http::transport::{Gone, Phase, Transport};
use crate::kernel_time::poll;
use crate::resident::{QUIET, give_back};

/// A connection as the conversation sees it.
#[derive(Debug)]
pub(super) struct Link<'a> {
    stream: BorrowedFd<'a>,
    slot: &'a Slot,
    rest: &'a Rest<'a>,
    door: &'a Door,
    limits: &'a Limits,
    seats: &'a Seats,
    /// It has the reserve descriptor, so it must not stay.
    borrowed: bool,
    /// What it waits for, and since when.
    phase: Option<Phase>,
    entered: u64,
    /// The client has sent something.
    heard: bool,
    began: Duration,
    respond_by: u64,
    collect_by: u64,
    /// Bytes of a response could not be sent.
    owing: bool,
    ending: Ending,
}

impl<'a> Link<'a> {
    pub(super) fn new(
        stream: BorrowedFd<'a>,
        slot: &'a Slot,
        rest: &'a Rest<'a>,
        door: &'a Door,
        limits: &'a Limits,
        seats: &'a Seats,
        borrowed: bool,
    ) -> Self {
        Self {
            stream,
            slot,
            rest,
            door,
            limits,
            seats,
            borrowed,
            phase: None,
            entered: 0,
            heard: false,
            began: Duration::ZERO,
            respond_by: u64::MAX,
            collect_by: u64::MAX,
            owing: false,
            ending: Ending::Closed,
        }
    }

    /// How it ended. To be called last: a response that the client did not take is dropped here, so that the kernel
    /// does not keep it for minutes.
    pub(super) fn end(self) -> Ending {
        if self.owing {
            let _ = sockopt::set_socket_linger(self.stream, Some(Duration::ZERO));
        }
        self.ending
    }

    fn limit(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Handshake => self.limits.handshake_timeout,
            Phase::Idle => self.limits.idle_timeout,
            Phase::Head => self.limits.head_timeout,
            Phase::Body => self.limits.response_timeout,
            Phase::Linger => LINGER_TIMEOUT,
        }
    }

    fn timed_out(&mut self, phase: Option<Phase>) -> Gone {
        self.conclude(match phase {
            Some(Phase::Idle) => Ending::Idle,
            // The client has its response.
            Some(Phase::Linger) => Ending::Closed,
            _ => Ending::TimedOut,
        });
        Gone::TimedOut
    }

    fn lost(&mut self) -> Gone {
        self.conclude(match self.slot.doing() {
            Doing::Evicted if self.door.is_closed() => Ending::Shutdown,
            Doing::Evicted => Ending::Evicted,
            _ => Ending::Reset,
        });
        Gone::Closed
    }

    /// The first reason counts: after a head that took too long, the refusal may meet a lost connection.
    fn conclude(&mut self, ending: Ending) {
        if self.ending == Ending::Closed {
            self.ending = ending;
        }
    }

    /// A read that waits, in sight of the supervisor.
    fn wait(&mut self, into: &mut [u8], unused: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        // Who has sent nothing yet waits for a request as much as one between two.
        let idle = phase == Phase::Idle || !self.heard;
        let doing = if idle { Doing::Idle } else { Doing::Partial };
        self.slot.wait(doing, self.entered).map_err(|_| self.lost())?;
        // Looked at after the state is in sight: shutdown first closes the door and then looks at the states.
        if idle && self.door.is_closed() {
            self.conclude(Ending::Shutdown);
            return Err(Gone::Closed);
        }
        let read = match phase {
            Phase::Idle => self.block(into, unused),
            _ => self.block_in_poll(into, unused, phase, QUIET),
        };
        // If it was given up in the same moment, it is gone.
        self.slot.resume().map_err(|_| self.lost())?;
        read.map_err(|error| match error {
            Errno::AGAIN => self.timed_out(Some(phase)),
            _ => self.lost(),
        })
    }

    /// Between requests the socket has a time limit of its own, which is short: only after it do we look at the clock.
    fn block(&self, into: &mut [u8], unused: &mut [u8]) -> rustix::io::Result<usize> {
        match recv(self.stream, &mut *into, RecvFlags::empty()) {
            // It has waited for that.
            Err(Errno::AGAIN) => self.block_in_poll(into, unused, Phase::Idle, Duration::ZERO),
            Err(Errno::INTR) => self.block_in_poll(into, unused, Phase::Idle, QUIET),
            other => other.map(|(read, _)| read),
        }
    }

    /// Gives memory back once nothing has come for so long.
    fn block_in_poll(
        &self,
        into: &mut [u8],
        unused: &mut [u8],
        phase: Phase,
        quiet_for: Duration,
    ) -> rustix::io::Result<usize> {
        let deadline = self.entered.saturating_add(millis(self.limit(phase)));
        let quiet = coarse_ms().saturating_add(millis(quiet_for));
        let mut rested = false;
        loop {
            let now = coarse_ms();
            if now >= deadline {
                return Err(Errno::AGAIN);
            }
            if now >= quiet && !rested {
                // What is in the room for what comes is nobody's.
                give_back(into);
                give_back(unused);
                self.rest.give_back();
                rested = true;
            }
            let until = if rested { deadline } else { deadline.min(quiet) };
            let mut polled = [PollFd::from_borrowed_fd(self.stream, PollFlags::IN)];
            match poll(&mut polled, Some(until - now)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error),
            }
            match recv(self.stream, &mut *into, RecvFlags::DONTWAIT) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                other => return other.map(|(read, _)| read),
            }
        }
    }

    /// Sends everything, under the deadline of the response.
    fn send_all(&mut self, bytes: &[u8], flags: SendFlags) -> Result<(), Gone> {
        let mut rest = bytes;
        // None as long as the client takes everything at once: then nobody need know that we write.
        let mut progress = None;
        loop {
            let now = coarse_ms();
            if now >= self.respond_by {
                self.owing = true;
                return Err(self.timed_out(None));
            }
            if let Some(since) = progress {
                if self.slot.wait(Doing::Stalled, since).is_err() {
                    self.owing = true;
                    return Err(self.lost());
                }
            }
            let sent = send(self.stream, rest, flags);
            if progress.is_some() && self.slot.resume().is_err() {
                self.owing = true;
                return Err(self.lost());
            }
            match sent {
                Ok(sent) if sent >= rest.len() => return Ok(()),
                Ok(sent) => {
                    rest = &rest[sent..];
                    progress = Some(coarse_ms());
                }
                Err(Errno::AGAIN) => progress = progress.or(Some(now)),
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.owing = true;
                    return Err(self.lost());
                }
            }
        }
    }
}

impl Transport for Link<'_> {
    fn read(&mut self, into: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        self.read_beside(into, &mut [], phase)
    }

    fn read_beside(&mut self, into: &mut [u8], unused: &mut [u8], phase: Phase) -> Result<usize, Gone> {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.entered = coarse_ms();
            if phase == Phase::Handshake {
                self.respond_by = self.entered.saturating_add(millis(self.limits.handshake_timeout));
            }
        }
        // A fresh connection and the rest of a large head have mostly come already.
        let ready = if phase == Phase::Idle {
            Err(Errno::AGAIN)
        } else {
            recv(self.stream, &mut *into, RecvFlags::DONTWAIT).map(|(read, _)| read)
        };
        let read = match ready {
            Err(Errno::AGAIN | Errno::INTR) => self.wait(into, unused, phase)?,
            Err(_) => return Err(self.lost()),
            // A client that never lets us wait still has its time only once.
            Ok(_) if self.entered.saturating_add(millis(self.limit(phase))) <= coarse_ms() => {
                return Err(self.timed_out(Some(phase)));
            }
            Ok(read) => read,
        };
        self.heard = true;
        Ok(read)
    }

    // No SIGPIPE for a client that is gone: the program may not ignore it.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.send_all(bytes, SendFlags::NOSIGNAL)
    }

    // The client need not be woken for every piece of a long page (MSG_MORE, send(2)).
    fn write_part(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.send_all(bytes, SendFlags::NOSIGNAL | SendFlags::MORE)
    }

    fn close_write(&mut self) {
        let _ = shutdown(self.stream, Shutdown::Write);
    }

    fn begin_response(&mut self, scrape: Option<Duration>) {
        self.phase = None;
        self.began = clock::precise();
        let now = millis(self.began);
        self.respond_by = now.saturating_add(millis(self.limits.response_timeout));
        self.collect_by = scrape.map_or(u64::MAX, |limit| now.saturating_add(millis(limit)));
    }

    fn admitted(&mut self) {
        self.respond_by = coarse_ms().saturating_add(millis(self.limits.response_timeout));
    }

    fn expired(&self) -> bool {
        coarse_ms() >= self.collect_by.min(self.respond_by)
    }

    fn elapsed(&self) -> Duration {
        clock::precise().saturating_sub(self.began)
    }

    fn draining(&self) -> bool {
        self.borrowed || self.door.is_closed()
    }

    fn crowded(&self) -> bool {
        self.seats.all_taken()
    }

    fn known(&mut self, known: bool) {
        self.slot.set_known(known);
    }

    fn is_known(&self) -> bool {
        self.slot.is_known()
    }

    fn now_unix(&self) -> u64 {
        clock::unix()
    }
}
