//! One at a time, in the order of coming, and no more than so many waiting: the queue in front of bcrypt.

use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The queue.
pub(super) struct Turns {
    waiting: u64,
    longest: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The number that whoever comes next draws.
    next: u64,
    /// The number whose turn it is.
    current: u64,
    closed: bool,
}

/// It is your turn until this goes.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// So many may wait besides the one whose turn it is, and each so long.
    pub(super) const fn new(waiting: usize, longest: Duration) -> Self {
        Self {
            waiting: waiting as u64,
            longest,
            state: Mutex::new(State { next: 0, current: 0, closed: false }),
            changed: Condvar::new(),
        }
    }

    /// Waits for a turn. None, at once, if too many wait already; none if the queue is closed, now or meanwhile; none if
    /// the turn comes too late, which is found out when it comes.
    pub(super) fn wait(&self) -> Option<Turn<'_>> {
        let mut state = self.state();
        // The one whose turn it is holds a number too.
        if state.closed || state.next - state.current > self.waiting {
            return None;
        }
        let number = state.next;
        state.next += 1;
        if state.current != number {
            let came = Instant::now();
            while state.current != number && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if !state.closed && came.elapsed() >= self.longest {
                drop(state);
                drop(Turn(self));
                return None;
            }
        }
        // Not `then_some`: a turn that goes takes the lock that is held here.
        if state.closed { None } else { Some(Turn(self)) }
    }

    /// Sends everybody away who waits, and all who come. Whoever has the turn keeps it.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> u64 {
        let state = self.state();
        state.next - state.current
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().current += 1;
        // All of them: only one will find its number, and there are few.
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;
    use std::vec::Vec;

    use super::*;

    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            thread::yield_now();
        }
    }

    #[test]
    fn first_come_first_served() {
        let turns = Turns::new(10, Duration::MAX);
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = turns.wait().unwrap();
            for number in 0..10 {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let turn = turns.wait().unwrap();
                    order.lock().unwrap().push(number);
                    drop(turn);
                });
                until(|| turns.queued() == number + 2);
            }
            assert!(turns.wait().is_none(), "the queue is full");
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), Vec::from_iter(0..10));
        assert!(turns.wait().is_some());
    }

    #[test]
    fn nobody_may_wait() {
        let turns = Turns::new(0, Duration::MAX);
        let turn = turns.wait().unwrap();
        assert!(turns.wait().is_none());
        drop(turn);
        assert!(turns.wait().is_some());
    }

    #[test]
    fn a_turn_that_comes_too_late_goes_to_the_next() {
        let turns = Turns::new(10, Duration::ZERO);
        let turn = turns.wait().expect("who does not wait is never late");
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..5).map(|_| scope.spawn(|| turns.wait().is_none())).collect();
            until(|| turns.queued() == 6);
            drop(turn);
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        });
        assert_eq!(turns.queued(), 0);
        assert!(turns.wait().is_some());
    }

    #[test]
    fn closing_sends_everybody_away() {
        let turns = Turns::new(10, Duration::MAX);
        let turn = turns.wait().unwrap();
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..5).map(|_| scope.spawn(|| turns.wait().is_none())).collect();
            until(|| turns.queued() == 6);
            turns.close();
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        });
        assert!(turns.is_closed() && turns.wait().is_none());
        drop(turn);
        assert!(turns.wait().is_none());
    }

    #[test]
    fn a_panic_in_a_turn_does_not_stop_the_queue() {
        let turns = Turns::new(1, Duration::MAX);
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _turn = turns.wait();
                    panic!("in a turn");
                })
                .join()
        });
        assert!(panicked.is_err() && turns.wait().is_some());
    }
}
