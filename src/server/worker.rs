//! A worker: accepts a connection, serves it to its end, accepts the next.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use super::deadline::Link;
use super::door::{Door, Visitor};
use super::encryption::{Encryption, serve};
use super::kits::{Kit, Kits};
use super::metrics::{ACCEPTED, Books, Ending, ended};
use super::rest::Rest;
use super::seats::Seats;
use super::slot::{Doing, Slot};
use super::socket::set_timeouts;
use crate::http::connection::Service;
use crate::http::gate::Gate;
use crate::http::handler::MetricsHandler;
use crate::http::limits::Limits;
use crate::http::route::Routes;

/// What the threads of one server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) door: Door,
    pub(super) slots: Arc<[Slot]>,
    pub(super) limits: Limits,
    pub(super) handler: MetricsHandler,
    pub(super) routes: Option<Arc<dyn Routes>>,
    pub(super) encryption: Option<Encryption>,
    pub(super) gate: Option<Arc<dyn Gate>>,
    pub(super) books: Books,
    pub(super) seats: Seats,
    pub(super) kits: Kits,
    /// To be woken when the last worker is taken, and when a connection given up is gone.
    pub(super) supervisor: OnceLock<Thread>,
    pub(super) roll: Roll,
}

impl Shared {
    pub(super) fn wake_supervisor(&self) {
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.unpark();
        }
    }
}

/// Serves connections until the door closes.
pub(super) fn run(shared: &Shared, slot: &Slot) {
    let rest = Rest::on_this_thread(&shared.kits, &shared.handler, shared.routes.as_deref());
    // Who has served nobody has nothing to give back.
    let mut served = false;
    while let Some(visitor) = shared.door.next(&shared.slots, served.then_some(&rest)) {
        served = true;
        ACCEPTED.inc();
        if shared.seats.take() {
            shared.wake_supervisor();
        }
        let ending = attend(shared, slot, &rest, visitor);
        // In this order: when the supervisor sees that a connection is gone, its worker counts as free.
        shared.seats.give_back();
        if slot.leave(Doing::Free) {
            shared.wake_supervisor();
        }
        ended(ending);
    }
}

/// Not part of the loop that waits, whose stack frame would have the room of this one: a page in each idle thread.
#[inline(never)]
fn attend(shared: &Shared, slot: &Slot, rest: &Rest<'_>, visitor: Visitor<'_>) -> Ending {
    let Visitor { stream, inherits, loan } = visitor;
    if !inherits && set_timeouts(&stream, &shared.limits).is_err() {
        return Ending::Reset;
    }
    slot.hold(stream, |stream| {
        let mut link =
            Link::new(stream, slot, rest, &shared.door, &shared.limits, &shared.seats, loan.is_some());
        // A collector's panic is caught where it runs; this is for what nobody thought of. The buffers hold bytes
        // only, so they are fit for the next connection whatever happened.
        let served = shared.kits.with(|Kit { buffers, memory }| {
            let service = Service {
                handler: &shared.handler,
                gate: shared.gate.as_deref(),
                routes: shared.routes.as_deref(),
            };
            catch_unwind(AssertUnwindSafe(|| {
                serve(&mut link, shared.encryption.as_ref(), memory, &service, &shared.books, buffers);
            }))
        });
        match served {
            Some(Ok(())) => link.end(),
            // Each worker has one connection at a time, and there is a kit for each worker.
            None => Ending::Closed,
            Some(Err(_)) => {
                log::error!("a thread of the server panicked; its connection is closed, the thread goes on");
                Ending::Panicked
            }
        }
    })
    .unwrap_or(Ending::Closed)
}

/// How many workers have started, and how many have not ended.
#[derive(Debug, Default)]
pub(super) struct Roll {
    count: Mutex<Count>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Count {
    started: usize,
    ended: usize,
    /// The server is over: everything that will end has ended.
    over: bool,
}

impl Roll {
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Count)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait(&self, limit: Duration, enough: impl Fn(&Count) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), limit, |count| !enough(count));
        enough(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    pub(super) fn start(&self) {
        self.change(|count| count.started += 1);
    }

    pub(super) fn end(&self) {
        self.change(|count| count.ended += 1);
    }

    pub(super) fn close(&self) {
        self.change(|count| count.over = true);
    }

    /// Waits until so many have started; false if the time is over.
    pub(super) fn wait_started(&self, number: usize, limit: Duration) -> bool {
        self.wait(limit, |count| count.started >= number)
    }

    /// Waits until so many have ended; false if the time is over.
    pub(super) fn wait_ended(&self, number: usize, limit: Duration) -> bool {
        self.wait(limit, |count| count.ended >= number)
    }

    /// Waits until the server is over.
    pub(super) fn wait_over(&self) {
        let over = self.changed.wait_while(self.lock(), |count| !count.over);
        drop(over.unwrap_or_else(PoisonError::into_inner));
    }
}
