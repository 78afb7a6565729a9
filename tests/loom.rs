//! Every interleaving of the lock-free structures, by loom: `RUSTFLAGS="--cfg loom" cargo test --release --test loom`.
//!
//! The files under test are compiled here once more, with loom's atomics in the place of `crate::cell`.
#![cfg(loom)]
#![allow(dead_code, missing_docs)]

/// What `src/cell.rs` offers, made of loom's types. They have no `const` constructor, so each is made at first use,
/// which must be before the threads start: see [`settle`].
mod cell {
    use std::sync::OnceLock;

    pub(crate) use loom::sync::atomic::{Ordering, fence};

    macro_rules! atomic {
        ($name:ident: $number:ty) => {
            pub(crate) struct $name {
                start: $number,
                cell: OnceLock<loom::sync::atomic::$name>,
            }

            impl std::fmt::Debug for $name {
                fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    self.load(Ordering::Relaxed).fmt(out)
                }
            }

            impl $name {
                pub(crate) const fn new(start: $number) -> Self {
                    Self { start, cell: OnceLock::new() }
                }

                fn cell(&self) -> &loom::sync::atomic::$name {
                    self.cell.get_or_init(|| loom::sync::atomic::$name::new(self.start))
                }

                pub(crate) fn load(&self, order: Ordering) -> $number {
                    self.cell().load(order)
                }

                pub(crate) fn store(&self, value: $number, order: Ordering) {
                    self.cell().store(value, order);
                }

                pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                    self.cell().fetch_add(value, order)
                }

                pub(crate) fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                    self.cell().fetch_sub(value, order)
                }

                pub(crate) fn compare_exchange(
                    &self,
                    now: $number,
                    then: $number,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$number, $number> {
                    self.cell().compare_exchange(now, then, success, failure)
                }
            }
        };
    }
    atomic!(AtomicU32: u32);
    atomic!(AtomicU64: u64);
    atomic!(AtomicUsize: usize);

    #[derive(Debug)]
    pub(crate) struct Cell64(AtomicU64);

    impl Cell64 {
        pub(crate) const fn new(bits: u64) -> Self {
            Self(AtomicU64::new(bits))
        }

        pub(crate) fn load(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        pub(crate) fn store(&self, bits: u64) {
            self.0.store(bits, Ordering::Relaxed);
        }

        pub(crate) fn load_f64(&self) -> f64 {
            f64::from_bits(self.load())
        }

        pub(crate) fn store_f64(&self, value: f64) {
            self.store(value.to_bits());
        }
    }

    pub(crate) struct WriteLock(OnceLock<loom::sync::Mutex<()>>);

    impl std::fmt::Debug for WriteLock {
        fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.hold(|| out.write_str("WriteLock"))
        }
    }

    impl WriteLock {
        pub(crate) const fn new() -> Self {
            Self(OnceLock::new())
        }

        pub(crate) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
            let _held = self.0.get_or_init(|| loom::sync::Mutex::new(())).lock().unwrap();
            work()
        }
    }
}

mod clock {
    pub(crate) fn now() -> f64 {
        1.0
    }
}

/// As much of `src/metric.rs` as rows need.
mod metric {
    pub(crate) trait Series {
        const NEW: Self;
    }

    impl Series for crate::cell::Cell64 {
        const NEW: Self = Self::new(0);
    }
}

#[path = "../src/words.rs"]
mod words;

#[path = "../src/rows.rs"]
mod rows;

use std::sync::Arc;

use cell::Cell64;
use rows::{Rows, split_values};
use words::{Sequence, Words};

/// A bounded number of preemptions keeps the number of interleavings in hand; two find nearly all faults.
fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

/// Makes all of loom's objects in `shared`: to be shown, each must be there.
fn settle<T: std::fmt::Debug>(shared: T) -> Arc<T> {
    let _ = format!("{shared:?}");
    Arc::new(shared)
}

#[derive(Debug)]
struct Guarded {
    sequence: Sequence,
    words: Words<1>,
}

#[test]
fn a_reader_never_takes_half_a_text_for_a_whole() {
    model(|| {
        let shared = settle(Guarded { sequence: Sequence::new(), words: Words::new() });
        let write = |shared: &Guarded, byte: u8| {
            if shared.sequence.try_begin_write() {
                shared.words.store(&[byte; 16]);
                shared.sequence.end_write();
            }
        };
        let writers: Vec<_> = [b'a', b'b']
            .into_iter()
            .map(|byte| {
                let shared = shared.clone();
                loom::thread::spawn(move || write(&shared, byte))
            })
            .collect();
        if let Some(begun) = shared.sequence.begin() {
            let mut text = [0; 32];
            shared.words.load(16, &mut text);
            if shared.sequence.unchanged(begun) {
                assert!(text[..16] == [b'a'; 16] || text[..16] == [b'b'; 16], "{text:?}");
            }
        }
        for writer in writers {
            writer.join().unwrap();
        }
        assert!(shared.sequence.begin().is_some(), "at least one was stored");
    });
}

#[test]
fn a_text_that_is_cleared_meets_no_second_writer() {
    model(|| {
        let shared = settle(Guarded { sequence: Sequence::new(), words: Words::new() });
        let threads: Vec<_> = [Some(b'a'), None, Some(b'b')]
            .into_iter()
            .map(|byte| {
                let shared = shared.clone();
                loom::thread::spawn(move || match byte {
                    _ if !shared.sequence.try_begin_write() => {}
                    Some(byte) => {
                        shared.words.store(&[byte; 16]);
                        shared.sequence.end_write();
                    }
                    None => shared.sequence.end_write_empty(),
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        if shared.sequence.begin().is_some() {
            let mut text = [0; 32];
            shared.words.load(16, &mut text);
            assert!(text[..16] == [b'a'; 16] || text[..16] == [b'b'; 16], "{text:?}");
        }
    });
}

type Few = Rows<Cell64, 1, 1>;

fn add<'r>(rows: &'r Few, value: &str) -> Option<&'r rows::Row<Cell64, 1>> {
    let render = |out: &mut [u8]| {
        out[..value.len()].copy_from_slice(value.as_bytes());
        Some(value.len())
    };
    rows.find_or_add(&[value], render, |cell| cell.store(0)).ok()
}

#[test]
fn two_threads_that_add_the_same_row_get_the_same() {
    model(|| {
        let rows: Arc<Few> = settle(Rows::new());
        let other = {
            let rows = rows.clone();
            loom::thread::spawn(move || add(&rows, "a").is_some())
        };
        assert!(add(&rows, "a").is_some());
        assert!(other.join().unwrap());
        assert_eq!(rows.iter().count(), 1);
        assert!(rows.find(&["a"]).is_some());
    });
}

#[test]
fn a_row_used_again_is_never_taken_for_the_one_before() {
    model(|| {
        let rows: Arc<Few> = settle(Rows::new());
        add(&rows, "a").unwrap();
        let writer = {
            let rows = rows.clone();
            loom::thread::spawn(move || {
                rows.remove(|_| true);
                add(&rows, "b").unwrap();
            })
        };
        read_page(&rows);
        writer.join().unwrap();
        assert!(rows.find(&["a"]).is_none() && rows.find(&["b"]).is_some());
    });
}

/// As a page reads it: text and values belong together.
fn read_page(rows: &Few) {
    for row in rows.iter() {
        let Some(begun) = row.sequence.begin() else { continue };
        let (mut text, mut values) = ([0; 32], [0; 32]);
        let length = row.text(&mut text);
        row.values(&mut values);
        if row.sequence.unchanged(begun) {
            let value: Vec<_> = split_values(&values).map(str::to_string).collect();
            assert_eq!(value, [String::from_utf8(text[..length].to_vec()).unwrap()]);
        }
    }
}

#[test]
fn one_thread_may_remove_a_row_and_another_use_it_again() {
    model(|| {
        let rows: Arc<Few> = settle(Rows::new());
        add(&rows, "a").unwrap();
        let remover = {
            let rows = rows.clone();
            loom::thread::spawn(move || rows.remove(|_| true))
        };
        let adder = {
            let rows = rows.clone();
            loom::thread::spawn(move || add(&rows, "b").is_some())
        };
        read_page(&rows);
        remover.join().unwrap();
        adder.join().unwrap();
    });
}

#[test]
fn a_pinned_row_is_not_used_again() {
    model(|| {
        let rows: Arc<Few> = settle(Rows::new());
        add(&rows, "a").unwrap();
        let other = {
            let rows = rows.clone();
            loom::thread::spawn(move || {
                rows.remove(|_| true);
                add(&rows, "b").is_some()
            })
        };
        match rows.pin(&["a"]) {
            Some(row) => {
                row.series.store(7);
                assert!(!other.join().unwrap(), "b found a row while a was pinned");
                assert_eq!(row.series.load(), 7);
                row.unpin();
            }
            None => {
                // Removed first; b may have its place.
                other.join().unwrap();
            }
        }
        assert!(add(&rows, "c").is_some() != rows.find(&["b"]).is_some());
    });
}

mod slots {
    use super::cell::Ordering::{Acquire, Relaxed, Release};

    /// The claim of a slot, as `src/slots.rs` does it: loom has no `AtomicBool` made in a constant.
    #[test]
    fn one_slot_has_one_owner() {
        super::model(|| {
            let taken = std::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
            let cell = std::sync::Arc::new(loom::sync::atomic::AtomicU64::new(0));
            let work = |taken: &loom::sync::atomic::AtomicBool, cell: &loom::sync::atomic::AtomicU64| {
                if taken.load(Relaxed) || taken.swap(true, Acquire) {
                    return 0;
                }
                cell.store(cell.load(Relaxed) + 1, Relaxed);
                taken.store(false, Release);
                1
            };
            let other = {
                let (taken, cell) = (taken.clone(), cell.clone());
                loom::thread::spawn(move || work(&taken, &cell))
            };
            let counted = work(&taken, &cell) + other.join().unwrap();
            assert_eq!(cell.load(Relaxed), counted, "an owned add was lost");
        });
    }
}
