//! Accepting: the one place where workers wait for connections, and what is done when the system has no descriptor
//! left for one.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use core::time::Duration;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::vec::Vec;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::io::{Errno, ioctl_fionbio, write};
use rustix::net::{SocketFlags, accept_with};

use super::clock::coarse_ms;
use super::metrics::ACCEPT_ERRORS;
use super::rest::Rest;
use super::slot::{Slot, Victims, evict_one};
use super::socket::Listener;
use crate::kernel_time::poll;
use crate::resident::QUIET;

/// The first pause after an accept that failed, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: QUIET.subsec_nanos() as _ };

/// The listeners, and how the workers wait on them: in epoll_wait(2), which wakes the worker that has come last, where
/// accept(2) wakes the one that has waited longest. So a few workers do all the work as long as a few are enough, and
/// the stacks of the others stay untouched.
#[derive(Debug)]
struct Watch {
    epoll: OwnedFd,
    /// An event descriptor, to wake everybody.
    wake: OwnedFd,
    listeners: Vec<Listener>,
}

/// A listener that nobody else has is told of once, and again when a worker has accepted from it: one worker wakes for
/// one connection. With one that another process may use too this would be of no use, so it is told of as long as
/// somebody waits; of all who listen, one wakes.
fn flags(listener: &Listener) -> EventFlags {
    EventFlags::IN | if listener.own { EventFlags::ONESHOT } else { EventFlags::EXCLUSIVE }
}

impl Watch {
    fn new(listeners: Vec<Listener>) -> rustix::io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = spare()?;
        epoll::add(&epoll, &wake, EventData::new_u64(u64::MAX), EventFlags::IN)?;
        for (at, listener) in (0..).zip(&listeners) {
            ioctl_fionbio(&listener.socket, true)?;
            epoll::add(&epoll, &listener.socket, EventData::new_u64(at), flags(listener))?;
        }
        Ok(Self { epoll, wake, listeners })
    }

    /// One attempt; blocks until there is something to accept. `TIME` if the limit, where there is one, comes first.
    fn accept(&self, limit: Option<&Timespec>) -> Result<(OwnedFd, bool), Errno> {
        let mut events = [MaybeUninit::uninit()];
        let (ready, _) = epoll::wait(&self.epoll, &mut events, limit)?;
        if ready.is_empty() {
            return Err(Errno::TIME);
        }
        let at = ready.first().map_or(u64::MAX, |event| event.data.u64());
        // Not a listener: everybody is woken.
        let listener = usize::try_from(at).ok().and_then(|at| self.listeners.get(at)).ok_or(Errno::INTR)?;
        let accepted = accept_with(&listener.socket, SocketFlags::CLOEXEC);
        if listener.own {
            epoll::modify(&self.epoll, &listener.socket, EventData::new_u64(at), flags(listener))?;
        }
        accepted.map(|stream| (stream, listener.inherits))
    }
}

/// What the workers accept from.
#[derive(Debug)]
pub(super) struct Door {
    /// Held shared while a thread waits, taken alone to close.
    watch: RwLock<Option<Watch>>,
    closed: AtomicBool,
    reserve: Reserve,
    /// An episode of failures has been logged.
    short: AtomicBool,
    pause: Mutex<()>,
    over: Condvar,
}

/// A connection just accepted.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    pub(super) stream: OwnedFd,
    /// It has the options of its listener.
    pub(super) inherits: bool,
    /// Set if it took the reserve descriptor. It is to be closed after one response, and this dropped after that.
    pub(super) loan: Option<Loan<'a>>,
}

/// Whether somebody waits to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Waiting,
    Closed,
}

impl Door {
    pub(super) fn new(listeners: Vec<Listener>) -> rustix::io::Result<Self> {
        Ok(Self {
            watch: RwLock::new(Some(Watch::new(listeners)?)),
            closed: AtomicBool::new(false),
            reserve: Reserve(Mutex::new(Kept::Here(spare()?))),
            short: AtomicBool::new(false),
            pause: Mutex::new(()),
            over: Condvar::new(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Waits for a connection and accepts it; `None` when the door is closed.
    ///
    /// If the system has no descriptor or memory left, it takes the connection with the reserve descriptor; if that
    /// is in use too, it gives up a connection, as the supervisor would, and pauses, twice as long each time.
    ///
    /// When nobody has come for a while, `rest` gives back what the last connection has used.
    pub(super) fn next(&self, slots: &[Slot], mut rest: Option<&Rest<'_>>) -> Option<Visitor<'_>> {
        let mut loan = None;
        let mut pause = FIRST_PAUSE;
        while !self.is_closed() {
            let error = match self.accept(rest.map(|_| &REST))? {
                Ok((stream, inherits)) => {
                    if loan.is_none() {
                        self.recovered();
                    }
                    // If there is a descriptor for the reserve again, the visitor may stay.
                    let loan = loan.filter(|loan: &Loan<'_>| !loan.0.refill());
                    return Some(Visitor { stream, inherits, loan });
                }
                Err(Errno::TIME) => {
                    rest.take().inspect(|rest| rest.give_back());
                    continue;
                }
                Err(error) => error,
            };
            if is_harmless(error) {
                continue;
            }
            if self.is_closed() {
                return None;
            }
            self.complain(error);
            let shortage = matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS);
            if shortage && loan.is_none() {
                loan = self.reserve.lend();
                if loan.is_some() {
                    continue;
                }
            }
            loan = None;
            if shortage {
                // It fails although nobody may wait: the kernel looks for a descriptor first (accept(2)).
                let victims = if self.somebody_waits() { Victims::Waiting } else { Victims::Idle };
                evict_one(slots, victims, 0, coarse_ms());
            }
            self.wait(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        None
    }

    /// One attempt; blocks until there is something to accept, or so long.
    fn accept(&self, limit: Option<&Timespec>) -> Option<Result<(OwnedFd, bool), Errno>> {
        let watch = self.watch.read().unwrap_or_else(PoisonError::into_inner);
        watch.as_ref().map(|watch| watch.accept(limit))
    }

    /// Waits until somebody waits to be accepted, or the door is closed.
    pub(super) fn queue(&self) -> Queue {
        // To be woken makes it ready too; an interruption is for the caller to sort out.
        let _ = self.look(None);
        if self.is_closed() { Queue::Closed } else { Queue::Waiting }
    }

    pub(super) fn somebody_waits(&self) -> bool {
        self.look(Some(0))
    }

    /// Waits so many milliseconds, or without end, until there is something to accept.
    fn look(&self, limit_ms: Option<u64>) -> bool {
        let watch = self.watch.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Watch { epoll, .. }) = watch.as_ref() else { return false };
        poll(&mut [PollFd::new(epoll, PollFlags::IN)], limit_ms).is_ok_and(|ready| ready > 0)
    }

    /// Stops accepting and closes the listeners: when this returns, their ports are free and socket files removed.
    pub(super) fn close(&self) {
        self.closed.store(true, SeqCst);
        if let Some(watch) = self.watch.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            let _ = write(&watch.wake, &1_u64.to_ne_bytes());
        }
        drop(self.pause.lock().unwrap_or_else(PoisonError::into_inner));
        self.over.notify_all();
        // Everybody is awake and lets go of the lock.
        drop(self.watch.write().unwrap_or_else(PoisonError::into_inner).take());
        self.reserve.close();
    }

    fn wait(&self, pause: Duration) {
        let guard = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.over.wait_timeout_while(guard, pause, |()| !self.is_closed());
    }

    fn complain(&self, error: Errno) {
        ACCEPT_ERRORS.inc();
        if !self.short.swap(true, SeqCst) {
            log::warn!("cannot accept connections: {error}; going on with a reserve");
        }
    }

    fn recovered(&self) {
        if self.short.load(SeqCst) && self.reserve.refill() && self.short.swap(false, SeqCst) {
            log::info!("accepting connections again");
        }
    }
}

/// Errors after which the next accept may well succeed: the connection in question is gone (accept(2)), or the
/// listener's own read timeout, which connections inherit, has passed.
fn is_harmless(error: Errno) -> bool {
    matches!(
        error,
        Errno::AGAIN
            | Errno::INTR
            | Errno::CONNABORTED
            | Errno::NETDOWN
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
            | Errno::TIMEDOUT
    )
}

fn spare() -> rustix::io::Result<OwnedFd> {
    eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
}

/// A descriptor kept for the day when there are none.
#[derive(Debug)]
struct Reserve(Mutex<Kept>);

#[derive(Debug)]
enum Kept {
    Here(#[expect(dead_code, reason = "it is there to be closed")] OwnedFd),
    Out,
    /// The door is closed.
    Over,
}

impl Reserve {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees the descriptor for the next accept, unless it is out already.
    fn lend(&self) -> Option<Loan<'_>> {
        let mut kept = self.lock();
        if !matches!(*kept, Kept::Here(_)) {
            return None;
        }
        *kept = Kept::Out;
        Some(Loan(self))
    }

    /// Whether the reserve is there again.
    fn refill(&self) -> bool {
        let mut kept = self.lock();
        if matches!(*kept, Kept::Out) {
            if let Ok(descriptor) = spare() {
                *kept = Kept::Here(descriptor);
            }
        }
        matches!(*kept, Kept::Here(_))
    }

    fn close(&self) {
        *self.lock() = Kept::Over;
    }
}

/// The reserve is out. Dropping this takes it back, if a descriptor can be had.
#[derive(Debug)]
pub(super) struct Loan<'a>(&'a Reserve);

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.0.refill();
    }
}
