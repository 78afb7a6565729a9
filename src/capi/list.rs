//! The C metrics on the page: a chain through the structures themselves, so it takes no memory and has no limit.
//!
//! Adding takes a lock. A scrape takes none: a structure is whole before it is linked, and is never unlinked.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char};
use core::ptr::{self, NonNull};
use core::slice;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::LABELS;
use super::ask::Asked;
use super::layout::{
    COUNTER, Counter, GAUGE, GAUGE_FUNCTION, Gauge, GaugeFunction, HISTOGRAM, Head, Histogram, Label,
};
use super::outcome::Outcome;
use crate::metric::{Desc, Metric, Sealed, Value};
use crate::text::name::{HASH_START, hash, is_classic_label, is_classic_metric, is_reserved_label};
use crate::text::{Help, Kind, Name, Number, Page};

/// Names that begin so are those of this library, which are on the same page.
const OURS: &str = "scrapeport_";

/// More bounds than any histogram has use for: a larger number is taken for a mistake.
pub(super) const MOST_BOUNDS: usize = 1024;

static FIRST: AtomicPtr<Head> = AtomicPtr::new(ptr::null_mut());
static LOCK: Mutex<()> = Mutex::new(());

/// Everything on the chain, as one entry of a registry.
pub(super) static ANNOUNCED: Metric<Chain> = Metric {
    desc: Desc {
        declared: "scrapeport_c",
        name: Name::parse("scrapeport_c", Kind::Unknown),
        help: Help::checked("Whatever C code has announced."),
        unit: "",
        kind: Kind::Unknown,
        hash: hash(HASH_START, "scrapeport_c", false),
    },
    value: Chain,
};

#[derive(Debug)]
pub(super) struct Chain;

impl Sealed for Chain {}

impl Value for Chain {
    fn encode(&self, _: &Desc, page: &mut Page<'_>) {
        let mut next = first();
        while let Some(metric) = next {
            if page.is_stopped() {
                return;
            }
            next = metric.family(page);
        }
    }
}

/// A metric as its texts and its kind declare it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'a> {
    name: &'a str,
    help: &'a str,
    labels: [(&'a str, &'a str); LABELS],
    n_labels: usize,
    shape: Shape<'a>,
}

/// The kind, with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape<'a> {
    Counter,
    Gauge,
    GaugeFunction(Asked),
    Histogram(&'a [f64]),
}

impl<'a> Shape<'a> {
    /// As the page knows it: there, both kinds of gauges are one.
    const fn kind(&self) -> Kind {
        match self {
            Self::Counter => Kind::Counter,
            Self::Gauge | Self::GaugeFunction(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
        }
    }

    /// What all members of a family have alike besides.
    const fn bounds(&self) -> &'a [f64] {
        match self {
            Self::Histogram(bounds) => bounds,
            _ => &[],
        }
    }
}

impl<'a> Declared<'a> {
    /// Reads what C has declared.
    ///
    /// # Safety
    /// Each pointer is null, or leads to a text that ends with zero, or to `n_labels` labels; all of that lives for
    /// `'a` and does not change meanwhile.
    pub(super) unsafe fn read(
        name: *const c_char,
        help: *const c_char,
        labels: *const Label,
        n_labels: usize,
        shape: Shape<'a>,
    ) -> Result<Self, Outcome> {
        // SAFETY: the caller's promise.
        let (name, help) = unsafe { (text(name)?, text(help)?) };
        if n_labels > LABELS {
            return Err(Outcome::InvalidLabel);
        }
        let mut pairs = [("", ""); LABELS];
        // SAFETY: the caller's promise; more than LABELS are never read.
        for (pair, label) in pairs.iter_mut().zip(unsafe { items(labels, n_labels)? }) {
            // SAFETY: the caller's promise.
            *pair = unsafe { (text(label.name)?, text(label.value)?) };
        }
        Ok(Self { name, help, labels: pairs, n_labels, shape })
    }

    fn labels(&self) -> &[(&'a str, &'a str)] {
        self.labels.get(..self.n_labels).unwrap_or_default()
    }

    /// Whether it may be on a page at all.
    pub(super) fn check(&self) -> Result<(), Outcome> {
        let kind = self.shape.kind();
        let suffix = Name::parse(self.name, kind).suffix;
        if !is_classic_metric(self.name) || self.name.starts_with(OURS) || suffix != kind.suffix() {
            return Err(Outcome::InvalidName);
        }
        for (at, (name, _)) in self.labels().iter().enumerate() {
            let twice = self.labels().iter().take(at).any(|(other, _)| other == name);
            if twice || !is_classic_label(name) || is_reserved_label(name) {
                return Err(Outcome::InvalidLabel);
            }
        }
        match self.shape {
            Shape::Histogram(bounds) => {
                let rise = bounds.windows(2).all(|two| matches!(two, [low, high] if low < high));
                let finite = bounds.iter().all(|bound| bound.is_finite());
                if rise && finite && !bounds.is_empty() { Ok(()) } else { Err(Outcome::InvalidBounds) }
            }
            Shape::Counter | Shape::Gauge | Shape::GaugeFunction(_) => Ok(()),
        }
    }

    /// Whether the other is the same series. If they can neither be the same nor stand on one page, says why.
    fn meets(&self, other: &Self) -> Result<Meeting, Outcome> {
        if self.name != other.name {
            return if self.collides(other) { Err(Outcome::NameTaken) } else { Ok(Meeting::Strangers) };
        }
        if self.shape.kind() != other.shape.kind() {
            return Err(Outcome::KindDiffers);
        }
        if self.shape.bounds() != other.shape.bounds() {
            return Err(Outcome::BoundsDiffer);
        }
        if self.help != other.help {
            return Err(Outcome::HelpDiffers);
        }
        let names = |declared: &Self| declared.labels.map(|(name, _)| name);
        if (self.n_labels, names(self)) != (other.n_labels, names(other)) {
            return Err(Outcome::LabelsDiffer);
        }
        if self.labels() != other.labels() {
            return Ok(Meeting::Family);
        }
        // A number and a function, or two functions: who asks for one must not be given the other.
        if self.shape == other.shape { Ok(Meeting::Same) } else { Err(Outcome::NameTaken) }
    }

    /// Whether two families would put samples of one name on a page.
    fn collides(&self, other: &Self) -> bool {
        let mine = self.claims();
        other.claims().any(|theirs| mine.clone().any(|own| own == theirs))
    }

    /// The names that are its own on a page, as hashes.
    fn claims(&self) -> impl Iterator<Item = u64> + Clone + use<> {
        let kind = self.shape.kind();
        let base = hash(HASH_START, Name::parse(self.name, kind).base, false);
        kind.claims().iter().map(move |suffix| hash(base, suffix, true))
    }
}

enum Meeting {
    Same,
    Family,
    Strangers,
}

/// A metric on the chain, or one that its owner hands over to be: whole, and left alone for as long as the process
/// lives. A raw pointer, because it stands for the whole structure of which the head is the beginning.
#[derive(Clone, Copy)]
pub(super) struct Known(NonNull<Head>);

impl Known {
    /// # Safety
    /// The pointer is that of a whole structure of a metric, which lives for ever and is changed by nobody but through
    /// its cells, as are the texts, labels and bounds that it leads to. Its function can be called on any thread at any
    /// time.
    pub(super) const unsafe fn new(metric: NonNull<Head>) -> Self {
        Self(metric)
    }

    pub(super) const fn pointer(self) -> NonNull<Head> {
        self.0
    }

    fn head(self) -> &'static Head {
        // SAFETY: the promise of `new`.
        unsafe { self.0.as_ref() }
    }

    fn next(self) -> Option<Self> {
        NonNull::new(self.head().next.load(Acquire)).map(Self)
    }

    pub(super) fn declared(self) -> Result<Declared<'static>, Outcome> {
        let head = self.head();
        let shape = match head.kind {
            COUNTER => Shape::Counter,
            GAUGE => Shape::Gauge,
            GAUGE_FUNCTION => Shape::GaugeFunction(Asked::of(self.gauge_function())?),
            HISTOGRAM => {
                let histogram = self.histogram();
                if histogram.buckets.is_null() || !histogram.buckets.is_aligned() {
                    return Err(Outcome::InvalidArgument);
                }
                if histogram.n_bounds > MOST_BOUNDS {
                    return Err(Outcome::InvalidBounds);
                }
                // SAFETY: the promise of `new`.
                Shape::Histogram(unsafe { items(histogram.bounds, histogram.n_bounds)? })
            }
            _ => return Err(Outcome::InvalidArgument),
        };
        // SAFETY: the promise of `new`.
        unsafe { Declared::read(head.name, head.help, head.labels, head.n_labels, shape) }
    }

    fn counter(self) -> &'static Counter {
        // SAFETY: the promise of `new`; asked for where the kind says so.
        unsafe { self.0.cast::<Counter>().as_ref() }
    }

    fn gauge(self) -> &'static Gauge {
        // SAFETY: as above.
        unsafe { self.0.cast::<Gauge>().as_ref() }
    }

    fn gauge_function(self) -> &'static GaugeFunction {
        // SAFETY: as above.
        unsafe { self.0.cast::<GaugeFunction>().as_ref() }
    }

    fn histogram(self) -> &'static Histogram {
        // SAFETY: as above.
        unsafe { self.0.cast::<Histogram>().as_ref() }
    }

    pub(super) fn hide(self, hidden: bool) {
        self.head().hidden.store(u32::from(hidden), Relaxed);
    }

    /// Writes this metric and those after it that belong to its family; gives the one that follows.
    fn family(self, page: &mut Page<'_>) -> Option<Self> {
        let Ok(family) = self.declared() else { return self.next() };
        let mut samples = page.family(family.shape.kind(), family.name, family.help);
        let with_sums = !samples.is_openmetrics()
            || !matches!(family.shape, Shape::Histogram([least, ..]) if *least < 0.0);
        let mut member = self;
        let mut declared = family;
        loop {
            if member.head().hidden.load(Relaxed) == 0 {
                let labels = declared.labels();
                match declared.shape {
                    Shape::Counter => samples.sample(labels, Number::Unsigned(member.counter().value.load())),
                    Shape::Gauge => {
                        samples.sample(labels, Number::Float(f64::from_bits(member.gauge().value.load())));
                    }
                    // Not asked in vain: its answer may cost something.
                    Shape::GaugeFunction(asked) => {
                        if samples.is_wanted() {
                            // SAFETY: the promise of `new`.
                            samples.sample(labels, Number::Float(unsafe { asked.number() }));
                        }
                    }
                    Shape::Histogram(bounds) => {
                        let histogram = member.histogram();
                        // SAFETY: the promise of `new`: a bucket more than there are bounds.
                        let buckets = unsafe { slice::from_raw_parts(histogram.buckets, bounds.len() + 1) };
                        let mut count = 0_u64;
                        let all = bounds.iter().copied().chain([f64::INFINITY]);
                        for (bound, bucket) in all.zip(buckets) {
                            count = count.wrapping_add(bucket.load());
                            samples.bucket(labels, bound, count);
                        }
                        // A reader of OpenMetrics refuses a sum, and hence a count, that can shrink.
                        if with_sums {
                            let sum = Number::Float(f64::from_bits(histogram.sum.load()));
                            samples.count_and_sum(labels, count, sum);
                        }
                    }
                }
            }
            member = member.next()?;
            match member.declared() {
                Ok(next) if next.name == family.name => declared = next,
                _ => return Some(member),
            }
        }
    }
}

/// The first metric of the page.
pub(super) fn first() -> Option<Known> {
    NonNull::new(FIRST.load(Acquire)).map(Known)
}

/// Who holds this may add.
pub(super) struct Adding(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Adding {
    pub(super) fn begin() -> Self {
        Self(LOCK.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where a metric stands or belongs.
    pub(super) fn find(&self, wanted: &Declared<'_>) -> Result<Place, Outcome> {
        let (mut last, mut after) = (None, None);
        let mut next = first();
        while let Some(metric) = next {
            if let Ok(declared) = metric.declared() {
                match wanted.meets(&declared)? {
                    Meeting::Same => return Ok(Place::Found(metric)),
                    Meeting::Family => after = Some(metric),
                    Meeting::Strangers => {}
                }
            }
            last = Some(metric);
            next = metric.next();
        }
        Ok(Place::Free { after: after.or(last) })
    }

    /// Puts a metric on the page.
    pub(super) fn link(&self, metric: Known, after: Option<Known>) {
        let before = after.map_or(&FIRST, |known| &known.head().next);
        metric.head().next.store(before.load(Relaxed), Relaxed);
        before.store(metric.0.as_ptr(), Release);
    }
}

pub(super) enum Place {
    Found(Known),
    Free { after: Option<Known> },
}

/// # Safety
/// The pointer is null or leads to a text that ends with zero, lives for `'a` and does not change meanwhile.
pub(super) unsafe fn text<'a>(pointer: *const c_char) -> Result<&'a str, Outcome> {
    if pointer.is_null() {
        return Err(Outcome::InvalidArgument);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Outcome::InvalidUtf8)
}

/// # Safety
/// The pointer is null or leads to so many things, which live for `'a` and do not change meanwhile.
pub(super) unsafe fn items<'a, T>(pointer: *const T, count: usize) -> Result<&'a [T], Outcome> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() || !pointer.is_aligned() || count > isize::MAX as usize / size_of::<T>() {
        return Err(Outcome::InvalidArgument);
    }
    // SAFETY: the caller's promise; neither null nor misaligned, and no longer than an address space.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}
