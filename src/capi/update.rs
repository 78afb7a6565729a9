//! Updates as functions: what the header does inline where it can, and for other languages. All ignore null.
#![allow(unsafe_code)]

use super::layout::{Counter, Gauge, Histogram};
use super::list::{MOST_BOUNDS, items};
use crate::guard::guarded;

/// See the header.
///
/// # Safety
/// The pointer is null or that of a counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_counter_inc(counter: *mut Counter) {
    // SAFETY: the caller's promise.
    unsafe { scrapeport_counter_add(counter, 1) }
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_counter_add(counter: *mut Counter, amount: u64) {
    // SAFETY: the caller's promise.
    if let Some(counter) = unsafe { counter.as_ref() } {
        let _ = guarded(|| counter.value.add(amount));
    }
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_counter_get(counter: *const Counter) -> u64 {
    // SAFETY: the caller's promise.
    let counter = unsafe { counter.as_ref() };
    counter.map_or(0, |counter| guarded(|| counter.value.load()).unwrap_or(0))
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a gauge.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_gauge_set(gauge: *mut Gauge, value: f64) {
    // SAFETY: the caller's promise.
    if let Some(gauge) = unsafe { gauge.as_ref() } {
        let _ = guarded(|| gauge.value.store(value.to_bits()));
    }
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a gauge.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_gauge_add(gauge: *mut Gauge, amount: f64) {
    // SAFETY: the caller's promise.
    if let Some(gauge) = unsafe { gauge.as_ref() } {
        let _ = guarded(|| gauge.value.add_f64(amount));
    }
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a gauge.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_gauge_get(gauge: *const Gauge) -> f64 {
    // SAFETY: the caller's promise.
    let gauge = unsafe { gauge.as_ref() };
    gauge.map_or(0.0, |gauge| guarded(|| f64::from_bits(gauge.value.load())).unwrap_or(0.0))
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a histogram.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_histogram_observe(histogram: *mut Histogram, value: f64) {
    // SAFETY: the caller's promise.
    let Some(histogram) = (unsafe { histogram.as_ref() }) else { return };
    let Histogram { bounds, buckets, n_bounds, sum, .. } = histogram;
    if value.is_nan() || *n_bounds > MOST_BOUNDS || buckets.is_null() || !buckets.is_aligned() {
        return;
    }
    let _ = guarded(|| {
        // SAFETY: the caller's promise: so many bounds.
        let Ok(bounds) = (unsafe { items(*bounds, *n_bounds) }) else { return };
        let at = bounds.partition_point(|bound| *bound < value);
        // SAFETY: the caller's promise: a bucket more than bounds, and the place is at most their number.
        let bucket = unsafe { &*buckets.add(at) };
        bucket.add(1);
        sum.add_f64(value);
    });
}
