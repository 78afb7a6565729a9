//! Questions that may hang, asked on another thread with a time limit.
//!
//! statfs(2) on a network file system that is gone, a sensor behind a slow bus, an attribute whose driver waits for a
//! lock: the kernel may keep a thread in such a call for minutes, and nothing can take it out again. So a thread that is
//! not the scrape's asks. One that gets no answer in time is left behind with its question, which is not asked again
//! until it returns; another thread asks the rest. A scrape hands over all questions of a collector at once, so
//! what never hangs costs one change of threads, not one for each question.

mod batch;
mod near;

use core::mem;
use core::time::Duration;
use std::string::String;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;
use std::vec::Vec;

use rustix::fs::{StatFs, statfs};
use rustix::io::Errno;

use self::batch::State;
pub(crate) use self::batch::{Answer, Batch, Question, Room, Task};
use self::near::Near;
use super::dir::Dir;
use super::netlink::{Line, exchange};
use crate::resident::{QUIET, Stack};

/// How long one question may take. A healthy sensor on a slow bus takes tens of milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// How long all questions of one collector may take in one scrape.
pub(crate) const PATIENCE_FOR_ALL: Duration = Duration::from_secs(3);

/// So many threads at most, those left behind included.
pub(crate) const ATTENDANTS: usize = 8;

/// The last threads are for questions of a sort that has left none behind: a bus on which everything hangs does not
/// keep the file systems from being asked.
const RESERVED: usize = 2;

/// The stack of such a thread; it makes system calls and little else.
const STACK: usize = 64 * 1024;

/// How often a waiting scrape looks whether its own time is over.
const LOOK: Duration = Duration::from_millis(50);

/// The threads that ask.
#[derive(Debug)]
pub(crate) struct Patience {
    staff: Arc<Staff>,
}

#[derive(Debug)]
struct Staff {
    sysfs: Arc<Dir>,
    rootfs: Arc<Dir>,
    desks: Mutex<Desks>,
    /// A desk has become free.
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Desks {
    free: Vec<Arc<Desk>>,
    all: Vec<Arc<Desk>>,
    /// How many scrapes wait for a desk: a wake-up that nobody needs is a system call all the same.
    waiting: usize,
    /// Nobody will ask any more: the threads end.
    over: bool,
}

impl Desks {
    /// Whether what is left is not for the next question, because others of its sort have left threads behind.
    fn are_reserved(&self, batch: &Batch) -> bool {
        let (mut left, mut alike) = (0, false);
        let next = batch.first_open().and_then(|at| batch.jobs.get(at));
        for desk in self.all.iter().filter(|_| self.free.len() < self.all.len()) {
            if let (Some((question, path)), Some(next)) = (&lock(&desk.work).left, next) {
                left += 1;
                alike |= *question == next.question && sort(path) == sort(batch.path(next));
            }
        }
        alike && left + RESERVED >= ATTENDANTS
    }
}

/// What questions of one kind about paths that begin alike have in common: a class of devices, as `class/hwmon`.
fn sort(path: &[u8]) -> &[u8] {
    let end =
        path.iter().enumerate().filter(|(_, byte)| **byte == b'/').nth(1).map_or(path.len(), |(at, _)| at);
    path.get(..end).unwrap_or_default()
}

/// Where one thread sits.
#[derive(Debug, Default)]
struct Desk {
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    batch: Option<Batch>,
    /// What is being asked, and since when.
    current: Option<(usize, Instant)>,
    done: bool,
    /// The question and the path that the thread was left behind with: the scrape has gone on without it.
    left: Option<(Question, Vec<u8>)>,
    over: bool,
}

impl Patience {
    pub(super) fn new(sysfs: Arc<Dir>, rootfs: Arc<Dir>) -> Self {
        let (desks, freed) = (Mutex::default(), Condvar::new());
        Self { staff: Arc::new(Staff { sysfs, rootfs, desks, freed }) }
    }

    /// Starts the first thread, so that it does not have to be found when memory is short.
    pub(crate) fn prepare(&self) {
        let hired = self.staff.hire(&mut lock(&self.staff.desks));
        if let Some(desk) = hired {
            self.staff.release(desk);
        }
    }

    /// Has all questions of a batch answered. `expired` tells whether the scrape's own time is over.
    ///
    /// Blocks for [`PATIENCE_FOR_ALL`] at most.
    pub(crate) fn ask(&self, batch: &mut Batch, expired: &dyn Fn() -> bool) {
        if batch.is_empty() {
            return;
        }
        let until = Instant::now() + PATIENCE_FOR_ALL;
        self.staff.set_aside(batch);
        while batch.first_open().is_some() && Instant::now() < until {
            let Some(desk) = self.staff.take(batch, until, expired) else { return };
            let returned = desk.wait_for(batch, until, expired);
            if returned {
                self.staff.release(desk);
            }
        }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        let mut desks = lock(&self.staff.desks);
        desks.over = true;
        for desk in &desks.all {
            lock(&desk.work).over = true;
            desk.changed.notify_all();
        }
    }
}

impl Staff {
    /// Answers the questions that a thread has been left behind with.
    fn set_aside(&self, batch: &mut Batch) {
        let desks = lock(&self.desks);
        if desks.free.len() == desks.all.len() {
            return;
        }
        for desk in &desks.all {
            let work = lock(&desk.work);
            let Some((question, path)) = &work.left else { continue };
            for at in 0..batch.jobs.len() {
                let Some(job) = batch.jobs.get(at) else { continue };
                let is_open = matches!(job.state, State::Open);
                if is_open && job.question == *question && batch.path(job) == path {
                    batch.set(at, State::TimedOut);
                }
            }
        }
    }

    /// A desk for the next question of the batch: a free one, or a new one, or one that becomes free in time.
    fn take(
        self: &Arc<Self>,
        batch: &Batch,
        until: Instant,
        expired: &dyn Fn() -> bool,
    ) -> Option<Arc<Desk>> {
        let mut desks = lock(&self.desks);
        loop {
            if desks.are_reserved(batch) {
                return None;
            }
            if let Some(desk) = desks.free.pop() {
                return Some(desk);
            }
            if desks.all.len() < ATTENDANTS {
                if let Some(desk) = self.hire(&mut desks) {
                    return Some(desk);
                }
            }
            if Instant::now() >= until
                || expired()
                || desks.all.iter().all(|desk| lock(&desk.work).left.is_some())
            {
                return None;
            }
            desks.waiting += 1;
            desks = self.freed.wait_timeout(desks, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            desks.waiting -= 1;
        }
    }

    fn hire(self: &Arc<Self>, desks: &mut Desks) -> Option<Arc<Desk>> {
        let desk = Arc::new(Desk::default());
        let (staff, own) = (Arc::clone(self), Arc::clone(&desk));
        let builder = thread::Builder::new().name(String::from("attendant")).stack_size(STACK);
        match builder.spawn(move || staff.attend(&own)) {
            Ok(_) => {
                desks.all.push(Arc::clone(&desk));
                Some(desk)
            }
            Err(error) => {
                log::warn!("cannot start a thread for what may hang: {error}");
                None
            }
        }
    }

    fn release(&self, desk: Arc<Desk>) {
        let mut desks = lock(&self.desks);
        desks.free.push(desk);
        let waited_for = desks.waiting > 0;
        drop(desks);
        if waited_for {
            self.freed.notify_one();
        }
    }

    /// The life of a thread.
    fn attend(&self, desk: &Arc<Desk>) {
        let mut room = Room::default();
        let (mut near, mut line) = (Near::default(), None);
        let mut path = Vec::new();
        let stack = Stack::of_this_thread();
        // It has given back what it needed.
        let mut rested = true;
        let mut work = lock(&desk.work);
        loop {
            let batch = work.batch.as_ref().filter(|_| !work.done);
            let Some((at, job)) = batch.and_then(|batch| Some((batch.first_open()?, batch))) else {
                if work.over {
                    return;
                }
                near.leave();
                if work.batch.is_some() && !work.done {
                    work.done = true;
                    // Whoever is woken needs the lock first of all.
                    drop(work);
                    desk.changed.notify_all();
                    work = lock(&desk.work);
                } else if rested {
                    work = desk.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
                } else {
                    let waited = desk.changed.wait_timeout(work, QUIET);
                    let (again, quiet) = waited.unwrap_or_else(PoisonError::into_inner);
                    work = again;
                    if quiet.timed_out() {
                        room.rest();
                        stack.iter().for_each(Stack::give_back);
                        rested = true;
                    }
                }
                continue;
            };
            let Some((question, has_sibling)) = job.jobs.get(at).map(|next| {
                path.clear();
                path.extend_from_slice(job.path(next));
                (next.question, job.has_sibling(at))
            }) else {
                continue;
            };
            work.current = Some((at, Instant::now()));
            rested = false;
            drop(work);
            near.approach(&self.sysfs, &path, has_sibling);
            let state = self.answer(question, &path, &near, &mut line, &mut room);
            work = lock(&desk.work);
            work.current = None;
            if work.left.take().is_some() {
                // Nobody waits for this answer any more.
                drop(work);
                self.release(Arc::clone(desk));
                work = lock(&desk.work);
            } else if let Some(batch) = &mut work.batch {
                let state = match state {
                    Ok(Some(found)) => State::StatFs(batch.keep_system(found)),
                    Ok(None) => State::Text(batch.keep(&room.text)),
                    Err(errno) => State::Failed(errno),
                };
                batch.set(at, state);
            }
        }
    }

    fn answer(
        &self,
        question: Question,
        path: &[u8],
        near: &Near,
        line: &mut Line,
        room: &mut Room,
    ) -> Result<Option<StatFs>, Errno> {
        let text = &mut room.text;
        text.clear();
        match question {
            Question::StatFs => return statfs(path).map(Some),
            Question::Task(task) => (task.run)(path, room)?,
            #[cfg(test)]
            Question::Hang => drop(self.sysfs.open_and_wait(path)?),
            Question::Rootfs => self.rootfs.read_whole(path, text)?,
            Question::SysfsWhole => self.sysfs.read_whole(path, text)?,
            Question::Netlink(peer) => exchange(line, peer, path, text)?,
            Question::Sysfs => near.attribute(&self.sysfs, path, text)?,
        }
        Ok(None)
    }
}

impl Desk {
    /// Hands the questions over and waits. False if the thread was left behind.
    fn wait_for(&self, batch: &mut Batch, until: Instant, expired: &dyn Fn() -> bool) -> bool {
        let mut work = lock(&self.work);
        work.batch = Some(mem::take(batch));
        work.done = false;
        // Whoever is woken needs the lock first of all.
        drop(work);
        self.changed.notify_all();
        work = lock(&self.work);
        loop {
            let late = |(_, since): (usize, Instant)| since.elapsed() >= PATIENCE;
            let over = work.current.is_some_and(late) || Instant::now() >= until || expired();
            if work.done || over {
                break;
            }
            (work, _) = self.changed.wait_timeout(work, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        let done = mem::replace(&mut work.done, true);
        *batch = work.batch.take().unwrap_or_default();
        if let (false, Some((at, _))) = (done, work.current) {
            work.left = batch.jobs.get(at).map(|job| (job.question, batch.path(job).into()));
            batch.set(at, State::TimedOut);
            return false;
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const NEVER: &dyn Fn() -> bool = &|| false;

    /// A FIFO: opening one without O_NONBLOCK hangs until somebody writes.
    fn fifo(tree: &Tree, path: &str) -> std::path::PathBuf {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let path = tree.path(path);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    #[test]
    fn answers_come_in_order_whatever_fails() {
        let tree = Tree::new(&[("sys/a", " 1 \n"), ("sys/b", "2"), ("root/c", "three\n")]);
        let machine = tree.machine();
        machine.patience.prepare();
        let mut batch = Batch::default();
        for _ in 0..3 {
            batch.clear();
            batch.ask(Question::Sysfs, "a");
            batch.ask(Question::Sysfs, "none");
            batch.ask(Question::Sysfs, "b");
            batch.ask(Question::Rootfs, "c");
            batch.ask(Question::StatFs, "/");
            batch.ask(Question::StatFs, "/nowhere");
            machine.patience.ask(&mut batch, NEVER);
            assert_eq!(batch.text(0), Some(&b"1"[..]));
            assert!(matches!(batch.answer(1), Answer::Failed(Errno::NOENT)));
            assert_eq!((batch.text(2), batch.text(3)), (Some(&b"2"[..]), Some(&b"three\n"[..])));
            assert!(matches!(batch.answer(4), Answer::StatFs(found) if found.f_bsize > 0));
            assert!(matches!(batch.answer(5), Answer::Failed(Errno::NOENT)));
            assert!(matches!(batch.answer(6), Answer::TimedOut));
        }
        assert_eq!(lock(&machine.patience.staff.desks).all.len(), 1);
        batch.clear();
        machine.patience.ask(&mut batch, NEVER);
    }

    /// A question that hangs: statfs(2) cannot be made to, so the file is a FIFO opened without O_NONBLOCK.
    #[test]
    fn a_thread_that_hangs_is_left_behind_and_comes_back() {
        let tree = Tree::new(&[("sys/good", "1")]);
        let fifo = fifo(&tree, "sys/fifo");
        let machine = tree.machine();
        let mut batch = Batch::default();
        let ask = |batch: &mut Batch| {
            batch.clear();
            batch.ask(Question::Sysfs, "good");
            batch.ask(Question::Hang, "fifo");
            batch.ask(Question::Sysfs, "good");
            machine.patience.ask(batch, NEVER);
            assert_eq!((batch.text(0), batch.text(2)), (Some(&b"1"[..]), Some(&b"1"[..])));
        };
        ask(&mut batch);
        assert!(matches!(batch.answer(1), Answer::TimedOut));
        assert_eq!(lock(&machine.patience.staff.desks).all.len(), 2);
        // An answer that there is stays.
        batch.clear();
        batch.ask(Question::Hang, "fifo");
        batch.set(0, State::Failed(Errno::NOENT));
        batch.ask(Question::Sysfs, "good");
        machine.patience.ask(&mut batch, NEVER);
        assert!(matches!(batch.answer(0), Answer::Failed(Errno::NOENT)));
        assert_eq!(batch.text(1), Some(&b"1"[..]));
        // It is not asked again, by nobody.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut batch = Batch::default();
                    ask(&mut batch);
                    assert!(matches!(batch.answer(1), Answer::TimedOut));
                });
            }
        });
        let hung = |left: &[Arc<Desk>]| left.iter().filter(|desk| lock(&desk.work).left.is_some()).count();
        assert_eq!(hung(&lock(&machine.patience.staff.desks).all), 1);
        // The thread returns, and the question can be asked again.
        drop(OpenOptions::new().write(true).open(&fifo).unwrap());
        while hung(&lock(&machine.patience.staff.desks).all) > 0 {
            thread::yield_now();
        }
        let writer = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        ask(&mut batch);
        assert!(matches!(batch.answer(1), Answer::Text(_)));
        drop((writer, File::open(tree.path("sys/good"))));
    }

    #[test]
    fn a_class_in_which_everything_hangs_leaves_threads_to_others() {
        let tree = Tree::new(&[("sys/class/a/good", "1"), ("sys/class/b/good", "1")]);
        let machine = tree.machine();
        let mut batch = Batch::default();
        let fifos: Vec<_> =
            (0..2 * ATTENDANTS).map(|number| fifo(&tree, &std::format!("sys/class/a/{number}"))).collect();
        for number in 0..2 * ATTENDANTS {
            batch.clear();
            batch.ask(Question::Hang, std::format!("class/a/{number}"));
            let looks = core::cell::Cell::new(0);
            machine.patience.ask(&mut batch, &|| looks.replace(looks.get() + 1) > 0);
            assert!(matches!(batch.answer(0), Answer::TimedOut));
        }
        assert_eq!(lock(&machine.patience.staff.desks).all.len(), ATTENDANTS - RESERVED);
        let mut ask = |question, path: &str| {
            batch.clear();
            batch.ask(question, path);
            machine.patience.ask(&mut batch, NEVER);
            !matches!(batch.answer(0), Answer::TimedOut)
        };
        assert!(!ask(Question::Hang, "class/a/good"));
        assert!(ask(Question::Sysfs, "class/b/good") && ask(Question::StatFs, "/"));
        for fifo in &fifos[..ATTENDANTS - RESERVED] {
            drop(OpenOptions::new().write(true).open(fifo).unwrap());
        }
        while lock(&machine.patience.staff.desks).all.iter().any(|desk| lock(&desk.work).left.is_some()) {
            thread::yield_now();
        }
        assert!(ask(Question::Sysfs, "class/a/good"));
    }

    /// Attributes of one directory are read without looking up its path each time.
    #[test]
    fn attributes_in_one_directory_are_read_from_there() {
        let tree = Tree::new(&[]);
        for (file, text) in
            [("a/one", "1"), ("a/two", "2"), ("a/three", "3"), ("b/one", "4"), ("b/c/one", "5")]
        {
            tree.write(&std::format!("sys/class/{file}"), text);
        }
        tree.link("sys/class/link", "a");
        let machine = tree.machine();
        let mut batch = Batch::default();
        let asked = [
            ("class/a/one", Some("1")),
            ("class/a/two", Some("2")),
            ("class/a/none", None),
            ("class/a/three", Some("3")),
            ("class/b/one", Some("4")),
            ("class/b/two", None),
            ("class/b/c/one", Some("5")),
            ("class/nowhere/one", None),
            ("class/nowhere/two", None),
            ("class/nowhere/three", None),
            ("class/link/one", Some("1")),
            ("class/link/three", Some("3")),
            ("class/link/two", Some("2")),
            ("top", None),
            ("class/a/one", Some("1")),
        ];
        for _ in 0..2 {
            batch.clear();
            for (path, _) in asked {
                batch.ask(Question::Sysfs, path);
            }
            machine.patience.ask(&mut batch, NEVER);
            for (number, (path, text)) in asked.iter().enumerate() {
                assert_eq!(batch.text(number), text.map(str::as_bytes), "{path}");
            }
        }
    }

    #[test]
    fn when_all_threads_hang_nobody_waits_for_them() {
        let tree = Tree::new(&[("sys/good", "1")]);
        let machine = tree.machine();
        let mut batch = Batch::default();
        let fifos: Vec<_> =
            (0..=ATTENDANTS).map(|number| fifo(&tree, &std::format!("sys/{number}"))).collect();
        let mut asked = 0;
        while lock(&machine.patience.staff.desks)
            .all
            .iter()
            .filter(|desk| lock(&desk.work).left.is_some())
            .count()
            < ATTENDANTS
        {
            batch.clear();
            batch.ask(Question::Hang, std::format!("{asked}"));
            // Who has little time leaves the thread behind soon.
            let looks = core::cell::Cell::new(0);
            machine.patience.ask(&mut batch, &|| looks.replace(looks.get() + 1) > 0);
            assert!(matches!(batch.answer(0), Answer::TimedOut));
            asked += 1;
            assert!(asked <= 2 * ATTENDANTS);
        }
        batch.clear();
        batch.ask(Question::Sysfs, "good");
        machine.patience.ask(&mut batch, NEVER);
        assert!(matches!(batch.answer(0), Answer::TimedOut));
        for fifo in &fifos[..ATTENDANTS] {
            drop(OpenOptions::new().write(true).open(fifo).unwrap());
        }
        loop {
            batch.clear();
            batch.ask(Question::Sysfs, "good");
            machine.patience.ask(&mut batch, NEVER);
            if batch.text(0) == Some(b"1") {
                break;
            }
        }
    }
}
