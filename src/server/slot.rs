//! What each worker shows to the supervisor: the state of its connection, and the means to end it.
//!
//! The state is one word: what the connection waits for and since when. The worker and the evictor change it by
//! compare-and-swap, so exactly one of "its bytes came" and "it was given up" happens. The descriptor is behind a
//! lock that the worker holds (shared) for the whole connection and takes (alone) to close it. An evictor holds it
//! shared around shutdown(2), so the number cannot meanwhile belong to another file.

use core::cmp::Reverse;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{PoisonError, RwLock};

use rustix::net::{Shutdown, shutdown};

/// A writer is given up only if it has made no progress for so long.
pub(super) const STALLED_MS: u32 = 500;

/// Where there is TLS, a stranger who has begun to say something is given up only after so long. A handshake takes up
/// to three round trips and some work at both ends; a flood of new connections would push it out in between. No longer,
/// because no more places than there are become free in this time for those who wait outside.
pub(super) const SHAKE_MS: u32 = 250;

/// The lowest bits of the word: what the connection is doing. In the order of the evictor's choice where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(super) enum Doing {
    /// There is no connection.
    Free = 0,
    /// It waits for the first byte of a request.
    Idle = 1,
    /// It waits for the rest of something: a head, a body, the client's end.
    Partial = 2,
    /// It waits for the client to take bytes.
    Stalled = 3,
    /// It is being served.
    Working = 4,
    /// It was given up; its worker has not noticed yet.
    Evicted = 5,
    /// The worker has ended.
    Gone = 6,
}

const KIND_BITS: u32 = 3;

fn kind(word: u32) -> Doing {
    match word & ((1 << KIND_BITS) - 1) {
        0 => Doing::Free,
        1 => Doing::Idle,
        2 => Doing::Partial,
        3 => Doing::Stalled,
        4 => Doing::Working,
        5 => Doing::Evicted,
        _ => Doing::Gone,
    }
}

/// 29 bits of milliseconds: after six days a wait looks short again, and no limit comes near.
fn word(doing: Doing, since_ms: u64) -> u32 {
    ((since_ms as u32) << KIND_BITS) | doing as u32
}

fn waited_ms(word: u32, now_ms: u64) -> u32 {
    (now_ms as u32).wrapping_sub(word >> KIND_BITS) & (u32::MAX >> KIND_BITS)
}

/// The connection was given up.
#[derive(Debug)]
pub(super) struct Evicted;

/// One worker's place. On its own cache line, because its worker writes it at each request.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Slot {
    word: AtomicU32,
    /// The client has logged in, or has shown a certificate that was verified. Only a preference, so it may change beside the word.
    known: AtomicBool,
    stream: RwLock<Option<OwnedFd>>,
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            word: AtomicU32::new(Doing::Free as u32),
            known: AtomicBool::new(false),
            stream: RwLock::new(None),
        }
    }

    pub(super) fn doing(&self) -> Doing {
        kind(self.word.load(SeqCst))
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.load(SeqCst)
    }

    pub(super) fn set_known(&self, known: bool) {
        self.known.store(known, SeqCst);
    }

    /// Holds the connection while `serve` runs, then closes it. Blocks as long as `serve` does.
    ///
    /// The state stays as it was at the end, so that [`Slot::leave`] can tell.
    pub(super) fn hold<R>(&self, stream: OwnedFd, serve: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        *self.stream.write().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        self.set_known(false);
        self.word.store(Doing::Working as u32, SeqCst);
        let result = {
            let guard = self.stream.read().unwrap_or_else(PoisonError::into_inner);
            guard.as_ref().map(|stream| serve(stream.as_fd()))
        };
        drop(self.stream.write().unwrap_or_else(PoisonError::into_inner).take());
        result
    }

    /// The worker is free again, or gone. Tells whether the connection had been given up.
    pub(super) fn leave(&self, to: Doing) -> bool {
        kind(self.word.swap(to as u32, SeqCst)) == Doing::Evicted
    }

    /// Shows that the connection waits from now on.
    ///
    /// # Errors
    /// [`Evicted`] if it has been given up.
    pub(super) fn wait(&self, what: Doing, since_ms: u64) -> Result<(), Evicted> {
        self.word
            .compare_exchange(Doing::Working as u32, word(what, since_ms), SeqCst, SeqCst)
            .map(drop)
            .map_err(|_| Evicted)
    }

    /// Shows that the wait is over.
    ///
    /// # Errors
    /// [`Evicted`] if the connection has been given up meanwhile.
    pub(super) fn resume(&self) -> Result<(), Evicted> {
        self.word
            .fetch_update(SeqCst, SeqCst, |word| {
                (kind(word) != Doing::Evicted).then_some(Doing::Working as u32)
            })
            .map(drop)
            .map_err(|_| Evicted)
    }

    /// Gives up the connection if its state is still `seen`.
    fn evict(&self, seen: u32) -> bool {
        if self.word.compare_exchange(seen, Doing::Evicted as u32, SeqCst, SeqCst).is_err() {
            return false;
        }
        self.shut();
        true
    }

    fn shut(&self) {
        // If the lock is not to be had, the worker is closing the connection itself.
        if let Ok(guard) = self.stream.try_read() {
            if let Some(stream) = guard.as_ref() {
                let _ = shutdown(stream, Shutdown::Both);
            }
        }
    }

    /// Gives up the connection, whatever it is doing.
    pub(super) fn force(&self) {
        let given_up = self.word.fetch_update(SeqCst, SeqCst, |word| {
            (!matches!(kind(word), Doing::Free | Doing::Gone)).then_some(Doing::Evicted as u32)
        });
        if given_up.is_ok() {
            self.shut();
        }
    }

    /// Gives up the connection if it waits for a request, or for the rest of one.
    pub(super) fn evict_if_waiting(&self) -> bool {
        loop {
            let seen = self.word.load(SeqCst);
            if !matches!(kind(seen), Doing::Idle | Doing::Partial) {
                return false;
            }
            if self.evict(seen) {
                return true;
            }
        }
    }
}

/// Which connections may be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victims {
    /// Those between requests.
    Idle,
    /// All that wait for their client.
    Waiting,
    /// The same, but nobody who is known as long as there is a stranger who goes soon: who is being served, or has not
    /// had its time yet.
    Strangers,
}

/// Gives up the connection that has waited longest: idle ones first, then unfinished requests, then writers that
/// make no progress; in this order, but those of clients that are known only after all others. A scraper waits longest
/// of all, so guessers would otherwise push it out. `None` if every connection is being served, or is a stranger's
/// that has waited for the rest of something, a handshake for instance, for less than `patience_ms`.
pub(super) fn evict_one(slots: &[Slot], victims: Victims, patience_ms: u32, now_ms: u64) -> Option<&Slot> {
    let last = if victims == Victims::Idle { Doing::Idle } else { Doing::Stalled };
    let fresh = |slot: &Slot, word: u32| {
        kind(word) == Doing::Partial && !slot.is_known() && waited_ms(word, now_ms) < patience_ms
    };
    loop {
        let (slot, seen) = slots
            .iter()
            .map(|slot| (slot, slot.word.load(SeqCst)))
            .filter(|&(slot, word)| {
                let doing = kind(word);
                (Doing::Idle..=last).contains(&doing)
                    && (doing != Doing::Stalled || waited_ms(word, now_ms) >= STALLED_MS)
                    && !fresh(slot, word)
            })
            .max_by_key(|&(slot, word)| {
                (Reverse(slot.is_known()), Reverse(kind(word)), waited_ms(word, now_ms))
            })?;
        // Soon it can be given up, or goes by itself.
        let leaves_soon = |slot: &Slot| {
            let word = slot.word.load(SeqCst);
            !slot.is_known() && (kind(word) == Doing::Working || fresh(slot, word))
        };
        if victims == Victims::Strangers && slot.is_known() && slots.iter().any(leaves_soon) {
            return None;
        }
        if slot.evict(seen) {
            return Some(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr;
    use std::vec::Vec;

    fn slots(states: &[(Doing, u64)]) -> Vec<Slot> {
        states
            .iter()
            .map(|&(doing, since)| {
                let slot = Slot::new();
                slot.word.store(word(doing, since), SeqCst);
                slot
            })
            .collect()
    }

    fn order(slots: &[Slot], victims: Victims, now: u64) -> Vec<usize> {
        core::iter::from_fn(|| evict_one(slots, victims, 0, now))
            .map(|victim| slots.iter().position(|slot| ptr::eq(slot, victim)).expect("one of them"))
            .collect()
    }

    #[test]
    fn idle_first_then_unfinished_then_stalled() {
        let slots = slots(&[
            (Doing::Stalled, 100),
            (Doing::Partial, 50),
            (Doing::Idle, 9_000),
            (Doing::Working, 0),
            (Doing::Stalled, 9_600),
            (Doing::Partial, 40),
            (Doing::Idle, 8_000),
            (Doing::Free, 0),
            (Doing::Gone, 0),
        ]);
        assert_eq!(order(&slots, Victims::Waiting, 10_000), [6, 2, 5, 1, 0]);
    }

    #[test]
    fn idle_only() {
        let slots = slots(&[(Doing::Partial, 1), (Doing::Idle, 2), (Doing::Idle, 1), (Doing::Stalled, 0)]);
        assert_eq!(order(&slots, Victims::Idle, 10_000), [2, 1]);
    }

    #[test]
    fn the_known_go_last() {
        let slots = slots(&[
            (Doing::Idle, 1),
            (Doing::Idle, 9_990),
            (Doing::Partial, 9_000),
            (Doing::Stalled, 9_000),
            (Doing::Stalled, 9_900),
            (Doing::Partial, 2),
        ]);
        slots[0].set_known(true);
        slots[5].set_known(true);
        assert_eq!(order(&slots, Victims::Idle, 10_000), [1, 0]);
        assert_eq!(order(&slots, Victims::Waiting, 10_000), [2, 3, 5]);
    }

    #[test]
    fn the_known_stay_while_a_stranger_is_served() {
        let slots = slots(&[(Doing::Working, 1), (Doing::Idle, 1), (Doing::Partial, 2)]);
        slots[1].set_known(true);
        assert_eq!(order(&slots, Victims::Strangers, 10_000), [2]);
        assert_eq!(order(&slots, Victims::Waiting, 10_000), [1]);
        slots[1].word.store(Doing::Idle as u32, SeqCst);
        slots[0].set_known(true);
        assert_eq!(order(&slots, Victims::Strangers, 10_000), [1], "or nobody else would come in");
    }

    #[test]
    fn strangers_have_some_time_to_shake_hands() {
        let slots = slots(&[
            (Doing::Partial, 9_900),
            (Doing::Partial, 9_751),
            (Doing::Idle, 9_999),
            (Doing::Idle, 1),
            (Doing::Partial, 9_990),
        ]);
        slots[3].set_known(true);
        let next = |victims, now| {
            let victim = evict_one(&slots, victims, SHAKE_MS, now)?;
            slots.iter().position(|slot| ptr::eq(slot, victim))
        };
        // Who has said nothing has nothing to lose.
        assert_eq!(next(Victims::Strangers, 10_000), Some(2));
        assert_eq!(next(Victims::Strangers, 10_000), None, "strangers will go soon, so the known may stay");
        assert_eq!(next(Victims::Strangers, 10_001), Some(1));
        assert_eq!(next(Victims::Waiting, 10_001), Some(3), "that is over");
        assert_eq!(next(Victims::Waiting, 10_001), None);
        slots[4].set_known(true);
        assert_eq!(next(Victims::Strangers, 10_149), None);
        assert_eq!(next(Victims::Strangers, 10_150), Some(0));
        assert_eq!(next(Victims::Strangers, 10_150), Some(4), "there are no strangers any more");
    }

    #[test]
    fn times_wrap() {
        let turn = 1 << 29;
        let slots = slots(&[(Doing::Idle, turn - 5), (Doing::Idle, turn + 3)]);
        assert_eq!(order(&slots, Victims::Waiting, turn + 10), [0, 1]);
    }

    #[test]
    fn the_worker_and_the_evictor_agree() {
        let slot = Slot::new();
        slot.word.store(Doing::Working as u32, SeqCst);
        assert!(
            evict_one(core::slice::from_ref(&slot), Victims::Waiting, 0, 0).is_none(),
            "it is being served"
        );
        slot.wait(Doing::Idle, 7).expect("not evicted");
        slot.resume().expect("not evicted");
        slot.wait(Doing::Idle, 7).expect("not evicted");
        assert!(slot.evict_if_waiting());
        assert!(slot.resume().is_err());
        assert!(slot.wait(Doing::Idle, 8).is_err(), "for ever");
        assert!(slot.leave(Doing::Free));
        assert!(!slot.leave(Doing::Free));
    }
}
