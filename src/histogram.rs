//! Histograms: observations counted in buckets.

use crate::cell::Cell64;
use crate::exemplar::{Exemplar, ExemplarStore, NoExemplar};
use crate::metric::{Charset, Desc, Metric, Sealed, Series, SeriesWriter, Single};
use crate::text::bound::BoundText;
use crate::text::number::LONGEST;
use crate::text::{Kind, Line, Number};

/// Upper bounds for durations in seconds, those of the Prometheus client libraries.
pub const DEFAULT_BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Observations counted in `N` buckets and one more for those above the last bound.
///
/// ```
/// use scrapeport::Histogram;
///
/// static LATENCY: Histogram = Histogram::new("app_latency_seconds", "Time to answer.");
/// static SIZE: Histogram<3> = Histogram::with_bounds("app_size_bytes", "Size of requests.", [64.0, 512.0, 4096.0]);
///
/// LATENCY.observe(0.2);
/// SIZE.observe(100.0);
/// assert_eq!(SIZE.count(), 1);
/// ```
pub type Histogram<const N: usize = 14> = Metric<Single<HistogramCells<N>>>;

/// A histogram that shows an example beside each bucket.
pub type ExemplarHistogram<const N: usize = 14> = Metric<Single<HistogramCells<N, Exemplar>>>;

impl<E: ExemplarStore> Metric<Single<HistogramCells<14, E>>> {
    /// A histogram with [`DEFAULT_BOUNDS`].
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::with_bounds(name, help, DEFAULT_BOUNDS)
    }
}

impl<const N: usize, E: ExemplarStore> Metric<Single<HistogramCells<N, E>>> {
    /// A histogram with the given upper bounds, each included in its bucket.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name, or the bounds are not finite and rising, or none.
    #[track_caller]
    #[must_use]
    pub const fn with_bounds(name: &'static str, help: &'static str, bounds: [f64; N]) -> Self {
        Self::declare(name, help, bounds, Charset::Classic)
    }

    /// A histogram whose name may hold any character.
    ///
    /// # Panics
    /// When compiled, if the name is empty, or the bounds are not finite and rising, or none.
    #[track_caller]
    #[must_use]
    pub const fn utf8(name: &'static str, help: &'static str, bounds: [f64; N]) -> Self {
        Self::declare(name, help, bounds, Charset::Utf8)
    }

    #[track_caller]
    const fn declare(name: &'static str, help: &'static str, bounds: [f64; N], charset: Charset) -> Self {
        Self {
            desc: Desc::checked(name, help, Kind::Histogram, charset),
            value: Single { shared: Bounds::checked(bounds), series: HistogramCells::NEW },
        }
    }
}

impl<const N: usize, E: ExemplarStore> Single<HistogramCells<N, E>> {
    /// Counts one observation: two atomic updates. Not-a-number is ignored, it belongs to no bucket.
    #[inline]
    pub fn observe(&self, value: f64) {
        self.series.observe(&self.shared, value);
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.series.read().count()
    }

    /// The sum of all observations.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.series.sum.load_f64()
    }
}

impl<const N: usize> Single<HistogramCells<N, Exemplar>> {
    /// Counts one observation and keeps the labels as the exemplar of its bucket.
    ///
    /// The observation always counts. False if the exemplar was not kept: see
    /// [`CounterValue::inc_with_exemplar`](crate::CounterValue::inc_with_exemplar).
    pub fn observe_with_exemplar(&self, value: f64, labels: &[(&str, &str)]) -> bool {
        match self.series.observe(&self.shared, value) {
            Some(bucket) => self.series.exemplar(bucket).store(labels, value),
            None => false,
        }
    }
}

/// The upper bounds of a histogram, with their text.
#[derive(Debug)]
pub struct Bounds<const N: usize> {
    limits: [f64; N],
    texts: [BoundText; N],
}

impl<const N: usize> Bounds<N> {
    #[track_caller]
    pub(crate) const fn checked(limits: [f64; N]) -> Self {
        assert!(N > 0, "a histogram needs at least one finite bound");
        let mut texts = [BoundText::EMPTY; N];
        let mut at = 0;
        while at < N {
            assert!(
                limits[at].is_finite(),
                "a histogram's bounds must be finite: the +Inf bucket is always there"
            );
            assert!(at == 0 || limits[at - 1] < limits[at], "a histogram's bounds must rise");
            texts[at] = BoundText::prepare(limits[at]);
            at += 1;
        }
        Self { limits, texts }
    }

    /// The bucket of a value: `N` for one above all bounds.
    #[inline]
    pub(crate) fn bucket(&self, value: f64) -> usize {
        if N > 32 {
            return self.limits.partition_point(|limit| *limit < value);
        }
        // Without branches: as many bounds as lie below the value.
        self.limits.iter().map(|limit| usize::from(*limit < value)).sum()
    }
}

/// The numbers of a histogram: observations per bucket, not yet added up.
#[derive(Debug)]
pub struct HistogramCells<const N: usize, E = NoExemplar> {
    buckets: [Cell64; N],
    above: Cell64,
    sum: Cell64,
    exemplars: [E; N],
    exemplar_above: E,
}

impl<const N: usize, E> HistogramCells<N, E> {
    #[inline]
    fn observe(&self, bounds: &Bounds<N>, value: f64) -> Option<usize> {
        if value.is_nan() {
            return None;
        }
        let bucket = bounds.bucket(value);
        self.buckets.get(bucket).unwrap_or(&self.above).add(1);
        self.sum.add_f64(value);
        Some(bucket)
    }

    fn exemplar(&self, bucket: usize) -> &E {
        self.exemplars.get(bucket).unwrap_or(&self.exemplar_above)
    }

    /// Adds what was counted elsewhere to a reading.
    pub(crate) fn read_into(&self, reading: &mut Buckets<N>) {
        for (count, cell) in reading.buckets.iter_mut().zip(&self.buckets) {
            *count = count.wrapping_add(cell.load());
        }
        reading.above = reading.above.wrapping_add(self.above.load());
        reading.sum += self.sum.load_f64();
    }

    /// As `observe`, from the only thread that may.
    #[inline]
    pub(crate) fn observe_owned(&self, bounds: &Bounds<N>, value: f64) {
        if value.is_nan() {
            return;
        }
        self.buckets.get(bounds.bucket(value)).unwrap_or(&self.above).add_owned(1);
        self.sum.store_f64(self.sum.load_f64() + value);
    }
}

/// A reading of a histogram.
#[derive(Clone, Copy, Debug)]
pub struct Buckets<const N: usize> {
    buckets: [u64; N],
    above: u64,
    sum: f64,
}

impl<const N: usize> Buckets<N> {
    pub(crate) const NONE: Self = Self { buckets: [0; N], above: 0, sum: 0.0 };

    /// The observations in all buckets: what `_count` and the `+Inf` bucket show, so they cannot differ.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().fold(self.above, |count, bucket| count.wrapping_add(*bucket))
    }

    /// Writes the samples of a histogram, with the exemplars of the cells if there are any.
    pub(crate) fn write<E: ExemplarStore>(
        &self,
        bounds: &Bounds<N>,
        samples: &mut SeriesWriter<'_, '_>,
        cells: Option<&HistogramCells<N, E>>,
    ) {
        let end = |line: Line<'_, '_>, bucket: usize, count: u64| match cells {
            Some(cells) => cells.exemplar(bucket).write(line, Number::Unsigned(count)),
            None => line.value(Number::Unsigned(count)),
        };
        let mut count = 0_u64;
        for (at, bucket) in self.buckets.iter().enumerate() {
            count = count.wrapping_add(*bucket);
            if let Some(line) = samples.bucket(|out| bounds.texts[at].write(bounds.limits[at], out)) {
                end(line, at, count);
            }
        }
        let count = count.wrapping_add(self.above);
        let infinity = |out: &mut [u8; LONGEST]| {
            out[..4].copy_from_slice(b"+Inf");
            4
        };
        if let Some(line) = samples.bucket(infinity) {
            end(line, N, count);
        }
        // OpenMetrics readers refuse a sum, and hence a count, beside a bucket below zero: such a sum can shrink.
        if samples.page.format().is_openmetrics() && bounds.limits[0] < 0.0 {
            return;
        }
        samples.sample("_count", Number::Unsigned(count));
        samples.sample("_sum", Number::Float(self.sum));
    }
}

/// One histogram of a family.
#[derive(Debug)]
pub struct HistogramRow<'a, const N: usize, E = NoExemplar> {
    bounds: &'a Bounds<N>,
    cells: &'a HistogramCells<N, E>,
}

impl<const N: usize, E> Clone for HistogramRow<'_, N, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const N: usize, E> Copy for HistogramRow<'_, N, E> {}

impl<const N: usize, E: ExemplarStore> HistogramRow<'_, N, E> {
    /// Counts one observation: two atomic updates. Not-a-number is ignored, it belongs to no bucket.
    #[inline]
    pub fn observe(&self, value: f64) {
        self.cells.observe(self.bounds, value);
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cells.read().count()
    }
}

impl<const N: usize> HistogramRow<'_, N, Exemplar> {
    /// Counts one observation and keeps the labels as the exemplar of its bucket.
    pub fn observe_with_exemplar(&self, value: f64, labels: &[(&str, &str)]) -> bool {
        match self.cells.observe(self.bounds, value) {
            Some(bucket) => self.cells.exemplar(bucket).store(labels, value),
            None => false,
        }
    }
}

impl<const N: usize, E> Sealed for HistogramCells<N, E> {}

impl<const N: usize, E: ExemplarStore> Series for HistogramCells<N, E> {
    const KIND: Kind = Kind::Histogram;
    const PLAIN: bool = false;
    const NEW: Self = Self {
        buckets: [const { Cell64::new(0) }; N],
        above: Cell64::new(0),
        sum: Cell64::new(0),
        exemplars: [const { E::NEW }; N],
        exemplar_above: E::NEW,
    };
    type Shared = Bounds<N>;
    type Handle<'a> = HistogramRow<'a, N, E>;
    type Reading = Buckets<N>;

    #[inline]
    fn handle<'a>(&'a self, bounds: &'a Bounds<N>) -> HistogramRow<'a, N, E> {
        HistogramRow { bounds, cells: self }
    }

    fn reset(&self) {
        for bucket in &self.buckets {
            bucket.store(0);
        }
        self.above.store(0);
        self.sum.store(0);
        self.exemplars.iter().for_each(E::clear);
        self.exemplar_above.clear();
    }

    fn read(&self) -> Buckets<N> {
        let mut reading = Buckets::NONE;
        self.read_into(&mut reading);
        reading
    }

    fn number(_: &Buckets<N>) -> Option<Number> {
        None
    }

    fn write(&self, bounds: &Bounds<N>, reading: &Buckets<N>, samples: &mut SeriesWriter<'_, '_>) {
        reading.write(bounds, samples, Some(self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static H: Histogram<3> = Histogram::with_bounds("h", "", [-1.0, 0.5, 2.0]);

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        for (value, bucket) in
            [(-2.0, 0), (-1.0, 0), (-0.9, 1), (0.5, 1), (0.6, 2), (2.0, 2), (2.1, 3), (f64::INFINITY, 3)]
        {
            assert_eq!(H.shared.bucket(value), bucket, "{value}");
        }
        let many: Bounds<40> = Bounds::checked(core::array::from_fn(|at| at as f64));
        assert_eq!(many.bucket(7.0), 7);
        assert_eq!(many.bucket(7.5), 8);
        assert_eq!(many.bucket(1e9), 40);
    }

    #[test]
    fn count_is_the_sum_of_the_buckets_and_nan_is_ignored() {
        H.observe(1.0);
        H.observe(100.0);
        H.observe(f64::NAN);
        assert_eq!(H.count(), 2);
        assert_eq!(H.sum(), 101.0);
    }
}
