//! Summaries: count and sum of observations.

use crate::cell::Cell64;
use crate::metric::{Charset, Metric, Sealed, Series, SeriesWriter, Single};
use crate::text::{Kind, Number};

/// The count and the sum of observations, without quantiles.
///
/// ```
/// use scrapeport::Summary;
///
/// static SENT: Summary = Summary::new("app_sent_bytes", "Size of messages sent.");
///
/// SENT.observe(512.0);
/// assert_eq!((SENT.count(), SENT.sum()), (1, 512.0));
/// ```
pub type Summary = Metric<Single<SummaryValue>>;

impl Metric<Single<SummaryValue>> {
    /// A summary of nothing.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::declare(name, help, Charset::Classic)
    }

    /// A summary whose name may hold any character.
    ///
    /// # Panics
    /// When compiled, if the name is empty.
    #[track_caller]
    #[must_use]
    pub const fn utf8(name: &'static str, help: &'static str) -> Self {
        Self::declare(name, help, Charset::Utf8)
    }
}

/// The numbers of a summary.
#[derive(Debug)]
pub struct SummaryValue {
    count: Cell64,
    sum: Cell64,
}

impl SummaryValue {
    /// Counts one observation: two atomic updates. Not-a-number is ignored.
    #[inline]
    pub fn observe(&self, value: f64) {
        if !value.is_nan() {
            self.count.add(1);
            self.sum.add_f64(value);
        }
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load()
    }

    /// The sum of all observations.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum.load_f64()
    }
}

impl Sealed for SummaryValue {}

impl Series for SummaryValue {
    const KIND: Kind = Kind::Summary;
    const PLAIN: bool = false;
    const NEW: Self = Self { count: Cell64::new(0), sum: Cell64::new(0) };
    type Shared = ();
    type Handle<'a> = &'a Self;
    type Reading = (u64, f64);

    #[inline]
    fn handle<'a>(&'a self, (): &'a ()) -> &'a Self {
        self
    }

    fn reset(&self) {
        self.count.store(0);
        self.sum.store(0);
    }

    fn read(&self) -> (u64, f64) {
        (self.count(), self.sum())
    }

    fn number(_: &(u64, f64)) -> Option<Number> {
        None
    }

    fn write(&self, (): &(), (count, sum): &(u64, f64), samples: &mut SeriesWriter<'_, '_>) {
        samples.sample("_count", Number::Unsigned(*count));
        samples.sample("_sum", Number::Float(*sum));
    }
}
