//! Timers: guards that observe how long they lived.

use std::time::Instant;

use crate::exemplar::ExemplarStore;
use crate::gauge::GaugeValue;
use crate::histogram::{HistogramCells, HistogramRow};
use crate::metric::Single;
use crate::summary::SummaryValue;

/// What a [`Timer`] can tell its duration.
pub trait Observe {
    /// Takes a duration in seconds.
    fn observe_seconds(&self, seconds: f64);
}

/// Observes the time from its start to its drop, in seconds by the monotonic clock.
///
/// ```
/// use scrapeport::{Histogram, Observe, Timer};
///
/// static LATENCY: Histogram = Histogram::new("app_latency_seconds", "Time to answer.");
///
/// fn answer() {
///     let _timer = LATENCY.start_timer();
///     // … the work
/// }
///
/// answer();
/// assert_eq!(LATENCY.count(), 1);
/// ```
#[derive(Debug)]
#[must_use = "a timer observes when it is dropped"]
pub struct Timer<O: Observe> {
    started: Instant,
    to: Option<O>,
}

impl<O: Observe> Timer<O> {
    /// Starts the clock for any metric that takes durations.
    pub fn start(to: O) -> Self {
        Self { started: Instant::now(), to: Some(to) }
    }

    /// Stops the clock, observes, and tells the seconds.
    pub fn stop(mut self) -> f64 {
        self.finish()
    }

    /// Stops the clock and observes nothing.
    pub fn discard(mut self) {
        self.to = None;
    }

    fn finish(&mut self) -> f64 {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(to) = self.to.take() {
            to.observe_seconds(seconds);
        }
        seconds
    }
}

impl<O: Observe> Drop for Timer<O> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<const N: usize, E: ExemplarStore> Observe for &Single<HistogramCells<N, E>> {
    fn observe_seconds(&self, seconds: f64) {
        self.observe(seconds);
    }
}

impl<const N: usize, E: ExemplarStore> Observe for HistogramRow<'_, N, E> {
    fn observe_seconds(&self, seconds: f64) {
        self.observe(seconds);
    }
}

impl Observe for &SummaryValue {
    fn observe_seconds(&self, seconds: f64) {
        self.observe(seconds);
    }
}

impl Observe for &GaugeValue {
    fn observe_seconds(&self, seconds: f64) {
        self.set(seconds);
    }
}

impl<const N: usize, E: ExemplarStore> Single<HistogramCells<N, E>> {
    /// Observes the time until the guard is dropped.
    pub fn start_timer(&self) -> Timer<&Self> {
        Timer::start(self)
    }
}

impl<const N: usize, E: ExemplarStore> HistogramRow<'_, N, E> {
    /// Observes the time until the guard is dropped.
    pub fn start_timer(&self) -> Timer<Self> {
        Timer::start(*self)
    }
}

impl SummaryValue {
    /// Observes the time until the guard is dropped.
    pub fn start_timer(&self) -> Timer<&Self> {
        Timer::start(self)
    }
}

impl GaugeValue {
    /// Sets the gauge to the time until the guard is dropped.
    pub fn start_timer(&self) -> Timer<&Self> {
        Timer::start(self)
    }
}
