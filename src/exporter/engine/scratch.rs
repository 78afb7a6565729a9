//! The buffers of one scrape. They grow to what the machine needs at the first scrape and are kept for the next.

use core::time::Duration;
use std::boxed::Box;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use rustix::thread::sched_getaffinity;

use super::machine::Machine;
use super::names::Names;
use super::patience::Batch;
use super::problem::Problem;
use super::rows::Rows;
use super::seen::Seen;
use crate::resident::{Bytes, Pile, clear};

/// Buffers that a collector may use as it likes; it finds them in any state.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) file: Bytes,
    pub(crate) other: Bytes,
    pub(crate) third: Bytes,
    pub(crate) names: Names,
    pub(crate) more_names: Names,
    pub(crate) numbers: Vec<u64>,
    pub(crate) rows: Rows,
    pub(crate) seen: Seen,
    pub(crate) batch: Batch,
    pub(crate) stat: ProcStat,
    pub(crate) links: Links,
}

impl Scratch {
    /// To be called when a scrape begins.
    pub(crate) fn begin(&mut self) {
        self.stat.is_read = false;
        self.links.text.clear();
    }

    /// Gives the memory back to the system, until it is written to again.
    pub(crate) fn rest(&mut self) {
        let Self { file, other, third, names, more_names, numbers, rows, seen: _, batch, stat, links } = self;
        for bytes in [file, other, third, &mut stat.text, &mut links.text] {
            bytes.rest();
        }
        names.rest();
        more_names.rest();
        clear(numbers);
        rows.rest();
        batch.rest();
    }
}

/// `/proc/stat`, which two collectors look at. The kernel counts all interrupts of all processors for it, so it is
/// read once a scrape.
#[derive(Debug, Default)]
pub(crate) struct ProcStat {
    text: Bytes,
    is_read: bool,
}

impl ProcStat {
    /// Its path below procfs.
    pub(crate) const FILE: &'static str = "stat";

    pub(crate) fn read(&mut self, machine: &Machine) -> Result<&[u8], Problem> {
        if !self.is_read {
            machine.procfs.held_short(Self::FILE, &mut self.text)?;
            self.is_read = true;
        }
        Ok(&self.text)
    }
}

/// What rtnetlink has told of all network devices, which two collectors look at.
#[derive(Debug, Default)]
pub(crate) struct Links {
    text: Bytes,
}

impl Links {
    /// Keeps an answer for who comes later in this scrape.
    pub(crate) fn tell(&mut self, answer: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(answer);
    }

    /// Empty if nobody has asked in this scrape.
    pub(crate) fn told(&self) -> &[u8] {
        &self.text
    }
}

/// Sets of buffers, for the scrapes that run at the same time. A collector that needs buffers of its own kind keeps its
/// own pool.
#[derive(Debug)]
pub(crate) struct Pool<B = Scratch> {
    sets: Mutex<Sets<B>>,
    given_back: Condvar,
    /// How many sets are made before anyone waits.
    at_once: usize,
    wait: Duration,
}

#[derive(Debug)]
struct Sets<B> {
    // The last one put back is the next one taken: its memory is warm, and the others stay untouched.
    free: Pile<Box<B>>,
    made: usize,
    /// How many scrapes wait: a wake-up that nobody needs is a system call all the same.
    waiting: usize,
}

/// How long a scrape waits for the buffers of another before it makes its own. A scrape has collected long before, unless
/// its client reads slowly or something hangs.
const WAIT: Duration = Duration::from_millis(500);

impl<B> Default for Pool<B> {
    /// Never waits.
    fn default() -> Self {
        Self::new(usize::MAX, Duration::ZERO)
    }
}

impl<B> Pool<B> {
    const fn new(at_once: usize, wait: Duration) -> Self {
        let sets = Mutex::new(Sets { free: Pile::new(), made: 0, waiting: 0 });
        Self { sets, given_back: Condvar::new(), at_once, wait }
    }

    /// Keeps one set for each processor that there is: more scrapes at once would not end sooner. Who has waited in vain
    /// gets one that is given up when nobody needs it any more.
    pub(crate) fn for_processors() -> Self {
        // Fails only where there are more than a thousand.
        let processors = sched_getaffinity(None).ok().and_then(|set| usize::try_from(set.count()).ok());
        Self::new(processors.unwrap_or(usize::MAX).max(1), WAIT)
    }

    fn lock(&self) -> MutexGuard<'_, Sets<B>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Default> Pool<B> {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut B) -> T) -> T {
        let mut lent = Lent { pool: self, set: Some(self.take()) };
        work(lent.set.get_or_insert_default())
    }

    /// Does something to every set that has been used since, and is not lent.
    pub(crate) fn for_each_used(&self, work: impl FnMut(&mut Box<B>)) {
        self.lock().free.used().iter_mut().for_each(work);
    }

    fn take(&self) -> Box<B> {
        let mut sets = self.lock();
        if sets.free.is_empty() && sets.made >= self.at_once {
            sets.waiting += 1;
            let waited = self.given_back.wait_timeout_while(sets, self.wait, |sets| sets.free.is_empty());
            sets = waited.unwrap_or_else(PoisonError::into_inner).0;
            sets.waiting -= 1;
        }
        sets.free.take().unwrap_or_else(|| {
            sets.made += 1;
            Box::default()
        })
    }
}

/// A set that goes back when dropped.
struct Lent<'a, B: Default> {
    pool: &'a Pool<B>,
    set: Option<Box<B>>,
}

impl<B: Default> Drop for Lent<'_, B> {
    fn drop(&mut self) {
        let mut sets = self.pool.lock();
        let waited_for = sets.waiting > 0;
        if sets.made > self.pool.at_once && !waited_for {
            sets.made -= 1;
            return;
        }
        if let Some(set) = self.set.take() {
            sets.free.put_back(set);
        }
        // Whoever is woken needs the lock first of all.
        drop(sets);
        if waited_for {
            self.pool.given_back.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_gets_the_buffers_of_another() {
        let pool = Pool::<usize>::new(1, Duration::from_secs(600));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| pool.with(|uses| *uses += 1)));
            }
        });
        let mut sets = pool.lock();
        assert_eq!((sets.made, sets.free.len()), (1, 1));
        assert_eq!(*sets.free.used()[0], 200);
    }

    #[test]
    fn who_has_waited_for_nothing_makes_its_own() {
        let pool = Pool::<usize>::new(1, Duration::from_millis(1));
        // The outer one does not end before the inner one has.
        let inner = pool.with(|outer| {
            *outer = 1;
            let inner = pool.with(|inner| *inner);
            assert_eq!(pool.lock().made, 1);
            inner
        });
        assert_eq!(inner, 0);
        // What was one too many is given up.
        let mut sets = pool.lock();
        assert_eq!((sets.made, *sets.free.used()[0]), (1, 1));
    }

    #[test]
    fn a_panic_gives_the_buffers_back() {
        let pool = Pool::<usize>::new(1, Duration::from_secs(600));
        let panicked = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| pool.with(|_| panic!())));
        assert!(panicked.is_err());
        pool.with(|_| ());
        assert_eq!(pool.lock().free.len(), 1);
    }

    #[test]
    fn as_many_as_there_may_be_at_once_do_not_wait() {
        let pool = Pool::<usize>::default();
        pool.with(|_| pool.with(|_| pool.with(|_| ())));
        assert_eq!(pool.lock().made, 3);
    }
}
