//! Counters: numbers that only grow.

use crate::cell::Cell64;
use crate::exemplar::{Exemplar, ExemplarStore, NoExemplar};
use crate::metric::{Charset, Metric, Sealed, Series, SeriesWriter, Single};
use crate::text::{Kind, Number};

/// A number that only grows, or restarts from zero with the program.
///
/// ```
/// use scrapeport::Counter;
///
/// static REQUESTS: Counter = Counter::new("app_requests_total", "Requests served.");
///
/// REQUESTS.inc();
/// REQUESTS.inc_by(41);
/// assert_eq!(REQUESTS.get(), 42.0);
/// ```
pub type Counter = Metric<Single<CounterValue>>;

/// A counter that shows an example beside its number: see [`CounterValue::inc_with_exemplar`].
pub type ExemplarCounter = Metric<Single<CounterValue<Exemplar>>>;

impl<E: ExemplarStore> Metric<Single<CounterValue<E>>> {
    /// A counter at zero.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name that ends in `_total`.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::declare(name, help, Charset::Classic)
    }

    /// A counter whose name may hold any character; it must end in `_total` all the same.
    ///
    /// # Panics
    /// When compiled, if the name does not end in `_total`.
    #[track_caller]
    #[must_use]
    pub const fn utf8(name: &'static str, help: &'static str) -> Self {
        Self::declare(name, help, Charset::Utf8)
    }
}

/// The number of a counter.
///
/// Whole amounts and the fractions of others are kept apart, so that whole amounts are exact up to 2^64.
#[derive(Debug)]
pub struct CounterValue<E = NoExemplar> {
    whole: Cell64,
    fraction: Cell64,
    exemplar: E,
}

impl<E> CounterValue<E> {
    /// Adds one: one atomic instruction. May be called from a signal handler where the target has 64-bit atomics.
    #[inline]
    pub fn inc(&self) {
        self.whole.add(1);
    }

    /// Adds a whole amount: one atomic instruction.
    #[inline]
    pub fn inc_by(&self, amount: u64) {
        self.whole.add(amount);
    }

    /// Adds any amount. One that is negative, not a number, or beyond what can be counted (2^64, infinity) is
    /// ignored: a counter only grows.
    #[inline]
    pub fn inc_by_f64(&self, amount: f64) {
        if amount.is_nan() || amount <= 0.0 || amount >= TOO_LARGE {
            return;
        }
        let whole = amount as u64;
        self.whole.add(whole);
        let fraction = amount - whole as f64;
        if fraction > 0.0 && whole < 1 << 53 {
            self.fraction.add_f64(fraction);
        }
    }

    /// Adds one if the result is an error, and hands the result on.
    ///
    /// # Errors
    /// The given one.
    #[inline]
    pub fn count_error<T, F>(&self, result: Result<T, F>) -> Result<T, F> {
        if result.is_err() {
            self.inc();
        }
        result
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> f64 {
        match self.number() {
            Number::Unsigned(whole) => whole as f64,
            Number::Signed(whole) => whole as f64,
            Number::Float(value) => value,
        }
    }

    /// Starts again from zero; a reader sees a restart of the counter.
    pub fn reset_to_zero(&self) {
        self.whole.store(0);
        self.fraction.store(0);
    }

    #[inline]
    fn number(&self) -> Number {
        let fractions = self.fraction.load();
        let whole = self.whole.load();
        if fractions == 0 { Number::Unsigned(whole) } else { sum(whole, f64::from_bits(fractions)) }
    }
}

/// 2^64: adding this would turn the counter back.
const TOO_LARGE: f64 = 18_446_744_073_709_551_616.0;

/// The sum of whole amounts and fractions, exact where it is whole or too large to show a fraction.
fn sum(whole: u64, fractions: f64) -> Number {
    let carried = fractions as u64;
    let rest = fractions - carried as f64;
    let whole = whole.wrapping_add(carried);
    if rest == 0.0 || whole >= 1 << 53 { Number::Unsigned(whole) } else { Number::Float(whole as f64 + rest) }
}

impl CounterValue<Exemplar> {
    /// Adds a whole amount and keeps the labels as its exemplar, with the time where there is a clock.
    ///
    /// The amount always counts. False if the exemplar was not kept: more than
    /// [`EXEMPLAR_LIMIT`](crate::EXEMPLAR_LIMIT) characters, a bad label name, or another thread was storing one at
    /// that moment.
    pub fn inc_with_exemplar(&self, amount: u64, labels: &[(&str, &str)]) -> bool {
        self.inc_by(amount);
        self.exemplar.store(labels, amount as f64)
    }
}

impl<E> Sealed for CounterValue<E> {}

impl<E: ExemplarStore> Series for CounterValue<E> {
    const KIND: Kind = Kind::Counter;
    const PLAIN: bool = !E::KEEPS;
    const NEW: Self = Self { whole: Cell64::new(0), fraction: Cell64::new(0), exemplar: E::NEW };
    type Shared = ();
    type Handle<'a> = &'a Self;
    type Reading = Number;

    #[inline]
    fn handle<'a>(&'a self, (): &'a ()) -> &'a Self {
        self
    }

    fn reset(&self) {
        self.reset_to_zero();
        self.exemplar.clear();
    }

    #[inline]
    fn read(&self) -> Number {
        self.number()
    }

    #[inline]
    fn number(reading: &Number) -> Option<Number> {
        Some(*reading)
    }

    fn write(&self, (): &(), reading: &Number, samples: &mut SeriesWriter<'_, '_>) {
        let suffix = samples.main_suffix();
        if let Some(line) = samples.line(suffix) {
            self.exemplar.write(line, *reading);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_amounts_are_exact_beyond_what_a_float_holds() {
        let counter = CounterValue::<NoExemplar>::NEW;
        counter.inc_by((1 << 53) + 1);
        assert_eq!(counter.number(), Number::Unsigned((1 << 53) + 1));
        counter.inc_by_f64(0.5);
        counter.inc_by_f64(2.5);
        assert_eq!(counter.number(), Number::Unsigned((1 << 53) + 4));
    }

    #[test]
    fn fractions_add_up() {
        let counter = CounterValue::<NoExemplar>::NEW;
        counter.inc_by_f64(0.25);
        assert_eq!(counter.number(), Number::Float(0.25));
        counter.inc_by_f64(1.75);
        assert_eq!(counter.number(), Number::Unsigned(2));
        let too_large = [f64::INFINITY, f64::MAX, 18_446_744_073_709_551_616.0];
        for ignored in [-1.0, f64::NAN, f64::NEG_INFINITY, 0.0, -0.0].into_iter().chain(too_large) {
            counter.inc_by_f64(ignored);
        }
        assert_eq!(counter.get(), 2.0);
    }

    #[test]
    fn errors_are_counted_and_handed_on() {
        let counter = CounterValue::<NoExemplar>::NEW;
        assert_eq!(counter.count_error(Ok::<_, ()>(1)), Ok(1));
        assert_eq!(counter.count_error(Err::<(), _>(2)), Err(2));
        assert_eq!(counter.get(), 1.0);
    }
}
