//! Own-thread kinds: a thread claims a slot and counts there alone, without an atomic read-modify-write; a page shows
//! the sum. For hot loops: an update is a load, an add and a store, and threads never wait for one another's cache
//! lines.

use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::cell::Cell64;
use crate::exemplar::NoExemplar;
use crate::histogram::{Bounds, Buckets, HistogramCells};
use crate::metric::{Charset, Desc, Metric, Sealed, Series, SeriesWriter, Value, begin, created_family};
use crate::text::{Kind, Number, Page};

/// A counter with `T` slots, each for one thread at a time.
///
/// ```
/// use scrapeport::SlotCounter;
///
/// static PACKETS: SlotCounter<4> = SlotCounter::new("app_packets_total", "Packets seen.");
///
/// let mut mine = PACKETS.claim().expect("at most four threads");
/// for _ in 0..1_000 {
///     mine.inc();
/// }
/// assert_eq!(PACKETS.get(), 1_000);
/// ```
pub type SlotCounter<const T: usize> = Metric<Slots<Cell64Slot, (), T>>;

/// A histogram with `T` slots, each for one thread at a time, and `N` buckets.
pub type SlotHistogram<const T: usize, const N: usize = 14> =
    Metric<Slots<HistogramCells<N, NoExemplar>, Bounds<N>, T>>;

/// What a slot of a [`SlotCounter`] holds.
#[derive(Debug)]
pub struct Cell64Slot(Cell64);

/// The slots of an own-thread metric.
#[derive(Debug)]
pub struct Slots<C, Shared, const T: usize> {
    shared: Shared,
    slots: [Slot<C>; T],
}

/// One slot, on a cache line of its own. What it counted stays when its thread gives it back.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Slot<C> {
    taken: AtomicBool,
    cells: C,
}

impl<C, Shared, const T: usize> Slots<C, Shared, T> {
    /// Claims a free slot for the caller alone; none if all are taken.
    fn free_slot(&self) -> Option<&Slot<C>> {
        self.slots.iter().find(|slot| !slot.taken.load(Relaxed) && !slot.taken.swap(true, Acquire))
    }
}

/// A claimed slot: counts for one thread, and is given back when dropped. It can be sent to another thread but not
/// shared.
#[derive(Debug)]
pub struct Claim<'a, C, Shared> {
    slot: &'a Slot<C>,
    shared: &'a Shared,
    not_shared: PhantomData<Cell<()>>,
}

impl<C, Shared> Drop for Claim<'_, C, Shared> {
    fn drop(&mut self) {
        self.slot.taken.store(false, Release);
    }
}

impl<const T: usize> Metric<Slots<Cell64Slot, (), T>> {
    /// A counter at zero.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name that ends in `_total`.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        let slots = [const { Slot { taken: AtomicBool::new(false), cells: Cell64Slot(Cell64::new(0)) } }; T];
        Self {
            desc: Desc::checked(name, help, Kind::Counter, Charset::Classic),
            value: Slots { shared: (), slots },
        }
    }
}

impl<const T: usize> Slots<Cell64Slot, (), T> {
    /// Claims a slot for the caller; none while all are taken.
    #[must_use]
    pub fn claim(&self) -> Option<Claim<'_, Cell64Slot, ()>> {
        Some(Claim { slot: self.free_slot()?, shared: &(), not_shared: PhantomData })
    }

    /// The sum of all slots.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.cells.0.load()))
    }
}

impl Claim<'_, Cell64Slot, ()> {
    /// Adds one: a load, an add and a store.
    #[inline]
    pub fn inc(&mut self) {
        self.slot.cells.0.add_owned(1);
    }

    /// Adds an amount.
    #[inline]
    pub fn inc_by(&mut self, amount: u64) {
        self.slot.cells.0.add_owned(amount);
    }
}

impl<C, Shared, const T: usize> Sealed for Slots<C, Shared, T> {}

impl<const T: usize> Value for Slots<Cell64Slot, (), T> {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        encode(desc, page, |samples| {
            let suffix = samples.main_suffix();
            samples.sample(suffix, Number::Unsigned(self.get()));
        });
    }
}

impl<const T: usize, const N: usize> Metric<Slots<HistogramCells<N, NoExemplar>, Bounds<N>, T>> {
    /// A histogram with the given upper bounds.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name, or the bounds are not finite and rising, or none.
    #[track_caller]
    #[must_use]
    pub const fn with_bounds(name: &'static str, help: &'static str, bounds: [f64; N]) -> Self {
        let slots = [const { Slot { taken: AtomicBool::new(false), cells: HistogramCells::NEW } }; T];
        Self {
            desc: Desc::checked(name, help, Kind::Histogram, Charset::Classic),
            value: Slots { shared: Bounds::checked(bounds), slots },
        }
    }
}

impl<const T: usize, const N: usize> Slots<HistogramCells<N, NoExemplar>, Bounds<N>, T> {
    /// Claims a slot for the caller; none while all are taken.
    #[must_use]
    pub fn claim(&self) -> Option<Claim<'_, HistogramCells<N, NoExemplar>, Bounds<N>>> {
        Some(Claim { slot: self.free_slot()?, shared: &self.shared, not_shared: PhantomData })
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.read().count()
    }

    fn read(&self) -> Buckets<N> {
        let mut reading = Buckets::NONE;
        self.slots.iter().for_each(|slot| slot.cells.read_into(&mut reading));
        reading
    }
}

impl<const N: usize> Claim<'_, HistogramCells<N, NoExemplar>, Bounds<N>> {
    /// Counts one observation. Not-a-number is ignored.
    #[inline]
    pub fn observe(&mut self, value: f64) {
        self.slot.cells.observe_owned(self.shared, value);
    }
}

impl<const T: usize, const N: usize> Value for Slots<HistogramCells<N, NoExemplar>, Bounds<N>, T> {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        encode(desc, page, |samples| self.read().write(&self.shared, samples, None::<&HistogramCells<N>>));
    }
}

fn encode(desc: &Desc, page: &mut Page<'_>, write: impl FnOnce(&mut SeriesWriter<'_, '_>)) {
    if !begin(desc, page) {
        return;
    }
    let mut samples = SeriesWriter { page, desc, labels: b"", raw: None };
    write(&mut samples);
    if samples.page.format().is_openmetrics() {
        samples.created(crate::clock::started());
    }
    if created_family(desc, page) {
        SeriesWriter { page, desc, labels: b"", raw: None }.created(crate::clock::started());
    }
}
