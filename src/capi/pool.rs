//! The pool of registered metrics: statics, no heap. What is taken from it is never given back.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::LABELS;
use super::cell::Cell;
use super::layout::{Counter, Gauge, GaugeFunction, HISTOGRAM, Head, Histogram, Label};
use super::list::Adding;
use super::outcome::Outcome;

/// Counters that can be registered; statics count for nothing.
pub const COUNTERS: usize = 512;
/// Gauges that can be registered.
pub const GAUGES: usize = 512;
/// Gauges with a function that can be registered.
pub const GAUGE_FUNCTIONS: usize = 128;
/// Histograms that can be registered.
pub const HISTOGRAMS: usize = 64;
/// Bounds of a registered histogram.
pub const BOUNDS: usize = 24;

pub(super) static COUNTER_POOL: Pool<Counter, COUNTERS> = Pool::new();
pub(super) static GAUGE_POOL: Pool<Gauge, GAUGES> = Pool::new();
pub(super) static GAUGE_FUNCTION_POOL: Pool<GaugeFunction, GAUGE_FUNCTIONS> = Pool::new();
pub(super) static HISTOGRAM_POOL: Pool<Histogram, HISTOGRAMS, Buckets> = Pool::new();

/// Room for `N` metrics, each with its labels and what else belongs to it. Untouched room takes no memory.
pub(super) struct Pool<T, const N: usize, X = ()> {
    rooms: [UnsafeCell<MaybeUninit<Room<T, X>>>; N],
    taken: AtomicUsize,
}

/// What C gets a pointer to comes first.
#[repr(C)]
struct Room<T, X> {
    metric: T,
    labels: [Label; LABELS],
    extra: X,
}

/// The bounds and buckets of a histogram.
#[repr(C)]
pub(super) struct Buckets {
    bounds: [f64; BOUNDS],
    buckets: [Cell; BOUNDS + 1],
}

// SAFETY: a room is written once, by the holder of `Adding`, before anybody else learns of it; later it is changed
// through its cells and atomics alone. Its pointers lead to what lives for ever.
unsafe impl<T, const N: usize, X> Sync for Pool<T, N, X> {}

impl<T, const N: usize, X> Pool<T, N, X> {
    const fn new() -> Self {
        Self { rooms: [const { UnsafeCell::new(MaybeUninit::uninit()) }; N], taken: AtomicUsize::new(0) }
    }

    /// Takes a room and fills it; `make` is told where the labels and the rest will be.
    fn take(
        &'static self,
        _: &Adding,
        labels: [Label; LABELS],
        extra: X,
        make: impl FnOnce(*const Label, *const X) -> T,
    ) -> Result<NonNull<T>, Outcome> {
        let at = self.taken.load(Relaxed);
        let room = self.rooms.get(at).ok_or(Outcome::Full)?.get().cast::<Room<T, X>>();
        // SAFETY: the room is inside the static, so its fields are too.
        let (own_labels, own_extra) = unsafe { (&raw const (*room).labels, &raw const (*room).extra) };
        let metric = make(own_labels.cast(), own_extra);
        // SAFETY: the place is valid and aligned, and nobody else knows of it: this room has not been given out, and
        // `Adding` is held.
        unsafe { room.write(Room { metric, labels, extra }) };
        self.taken.store(at + 1, Relaxed);
        NonNull::new(room.cast()).ok_or(Outcome::Internal)
    }
}

/// Fills a room for a metric that leads to nothing but its labels.
pub(super) fn take_simple<T, const N: usize>(
    pool: &'static Pool<T, N>,
    adding: &Adding,
    labels: [Label; LABELS],
    make: impl FnOnce(*const Label) -> T,
) -> Result<NonNull<T>, Outcome> {
    pool.take(adding, labels, (), |own_labels, _| make(own_labels))
}

/// Fills a room for a histogram with a copy of its bounds.
pub(super) fn take_histogram(
    adding: &Adding,
    head: Head,
    labels: [Label; LABELS],
    bounds: &[f64],
) -> Result<NonNull<Histogram>, Outcome> {
    let mut own = [0.0; BOUNDS];
    own.get_mut(..bounds.len()).ok_or(Outcome::InvalidBounds)?.copy_from_slice(bounds);
    let extra = Buckets { bounds: own, buckets: [const { Cell::new(0) }; BOUNDS + 1] };
    HISTOGRAM_POOL.take(adding, labels, extra, |own_labels, extra| Histogram {
        metric: Head::new(HISTOGRAM, head.name, head.help, own_labels, head.n_labels),
        // The structure is not filled yet: addresses only.
        bounds: extra.cast(),
        buckets: extra.wrapping_byte_add(core::mem::offset_of!(Buckets, buckets)).cast(),
        n_bounds: bounds.len(),
        sum: Cell::new(0),
    })
}
