//! Gauges: numbers that go up and down.

use crate::cell::Cell64;
use crate::metric::{Charset, Desc, Metric, Sealed, Series, SeriesWriter, Single, Value, begin};
use crate::text::{Kind, Number, Page};

/// A number that goes up and down.
///
/// ```
/// use scrapeport::Gauge;
///
/// static TEMPERATURE: Gauge = Gauge::new("app_temperature_celsius", "Board temperature.").unit("celsius");
///
/// TEMPERATURE.set(41.5);
/// TEMPERATURE.sub(0.5);
/// assert_eq!(TEMPERATURE.get(), 41.0);
/// ```
pub type Gauge = Metric<Single<GaugeValue>>;

/// A gauge that asks a function at each scrape.
///
/// The function runs on the thread that serves the scrape, perhaps on several at once; it should not block. If it
/// panics, the gauge is left out of that page.
///
/// ```
/// use scrapeport::GaugeFn;
///
/// fn queue_length() -> f64 {
///     3.0
/// }
///
/// static QUEUE: GaugeFn = GaugeFn::new("app_queue_length", "Jobs that wait.", queue_length);
/// ```
pub type GaugeFn = Metric<Callback>;

impl Metric<Single<GaugeValue>> {
    /// A gauge at zero.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::declare(name, help, Charset::Classic)
    }

    /// A gauge whose name may hold any character.
    ///
    /// # Panics
    /// When compiled, if the name is empty.
    #[track_caller]
    #[must_use]
    pub const fn utf8(name: &'static str, help: &'static str) -> Self {
        Self::declare(name, help, Charset::Utf8)
    }
}

/// The number of a gauge.
#[derive(Debug)]
pub struct GaugeValue(Cell64);

impl GaugeValue {
    /// Sets the number: one store.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.store_f64(value);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.sub(1.0);
    }

    /// Adds an amount.
    #[inline]
    pub fn add(&self, amount: f64) {
        self.0.add_f64(amount);
    }

    /// Takes an amount away.
    #[inline]
    pub fn sub(&self, amount: f64) {
        self.0.add_f64(-amount);
    }

    /// The number now.
    #[inline]
    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.load_f64()
    }

    /// Sets the number to the wall clock, in seconds since the epoch.
    #[cfg(feature = "std")]
    pub fn set_to_current_time(&self) {
        self.set(crate::clock::now());
    }

    /// Adds one until the guard is dropped: how many are at work just now.
    ///
    /// ```
    /// # use scrapeport::Gauge;
    /// static ACTIVE: Gauge = Gauge::new("app_jobs_active", "Jobs at work.");
    /// {
    ///     let _job = ACTIVE.track_in_progress();
    ///     assert_eq!(ACTIVE.get(), 1.0);
    /// }
    /// assert_eq!(ACTIVE.get(), 0.0);
    /// ```
    #[must_use = "the guard counts until it is dropped"]
    pub fn track_in_progress(&self) -> InProgress<'_> {
        self.inc();
        InProgress(self)
    }
}

/// Counts in its gauge until it is dropped.
#[derive(Debug)]
pub struct InProgress<'a>(&'a GaugeValue);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Sealed for GaugeValue {}

impl Series for GaugeValue {
    const KIND: Kind = Kind::Gauge;
    const PLAIN: bool = true;
    const NEW: Self = Self(Cell64::new(0));
    type Shared = ();
    type Handle<'a> = &'a Self;
    type Reading = Number;

    #[inline]
    fn handle<'a>(&'a self, (): &'a ()) -> &'a Self {
        self
    }

    fn reset(&self) {
        self.set(0.0);
    }

    #[inline]
    fn read(&self) -> Number {
        Number::Float(self.get())
    }

    #[inline]
    fn number(reading: &Number) -> Option<Number> {
        Some(*reading)
    }

    fn write(&self, (): &(), reading: &Number, samples: &mut SeriesWriter<'_, '_>) {
        samples.sample("", *reading);
    }
}

/// The function of a [`GaugeFn`].
#[derive(Debug)]
pub struct Callback(fn() -> f64);

impl Metric<Callback> {
    /// A gauge that asks `value` at each scrape.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str, value: fn() -> f64) -> Self {
        Self { desc: Desc::checked(name, help, Kind::Gauge, Charset::Classic), value: Callback(value) }
    }
}

impl Sealed for Callback {}

impl Value for Callback {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        // Asked before the header, so that a panic leaves no half of the family behind.
        let base = desc.name.base;
        if !page.filter().wants(base, base, "") {
            return;
        }
        match crate::guard::guarded(self.0) {
            Ok(value) => {
                if begin(desc, page) {
                    SeriesWriter { page, desc, labels: b"", raw: None }.sample("", Number::Float(value));
                }
            }
            Err(panicked) => page.report(desc.declared, &panicked),
        }
    }
}
