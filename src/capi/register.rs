//! How C metrics come on the page: statics announced, or metrics registered from the pool.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_void};
use core::ptr::{self, NonNull};

use super::LABELS;
use super::ask::Asked;
use super::cell::Cell;
use super::layout::{
    Ask, COUNTER, Counter, GAUGE, GAUGE_FUNCTION, Gauge, GaugeFunction, HISTOGRAM, Head, Histogram, Label,
};
use super::list::{Adding, Declared, Known, Place, Shape, items};
use super::outcome::{Outcome, answer};
use super::pool::{self, BOUNDS, COUNTER_POOL, GAUGE_FUNCTION_POOL, GAUGE_POOL};

/// See the header.
///
/// # Safety
/// See the header: the structure and what it leads to lives for ever and is left alone. A function in it can be called at
/// any time from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_add(metric: *mut Head) -> c_int {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { add(metric) }
    })
}

/// See the header.
///
/// # Safety
/// As for [`scrapeport_add`]; the list has so many entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_add_all(metrics: *const *mut Head, n_metrics: usize) -> c_int {
    answer(|| {
        // SAFETY: the caller's promise.
        for metric in unsafe { items(metrics, n_metrics)? } {
            // SAFETY: the caller's promise.
            unsafe { add(*metric)? };
        }
        Ok(())
    })
}

/// See the header.
///
/// # Safety
/// The pointer is null or that of a metric.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_hide(metric: *mut Head) {
    let _ = answer(|| {
        // SAFETY: the caller's promise.
        let metric = unsafe { Known::new(usable(metric)?) };
        metric.hide(true);
        Ok(())
    });
}

/// See the header.
///
/// # Safety
/// See the header: texts live for ever, and each pointer leads to what it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_counter_register(
    name: *const c_char,
    help: *const c_char,
    labels: *const Label,
    n_labels: usize,
    out: *mut *mut Counter,
) -> c_int {
    let wanted = Wanted { name, help, labels, n_labels, shape: Ok(Shape::Counter) };
    // SAFETY: the caller's promise.
    unsafe {
        register(wanted, out, |adding, labels| {
            pool::take_simple(&COUNTER_POOL, adding, labels, |labels| Counter {
                metric: Head::new(COUNTER, name, help, labels, n_labels),
                value: Cell::new(0),
            })
        })
    }
}

/// See the header.
///
/// # Safety
/// As for [`scrapeport_counter_register`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_gauge_register(
    name: *const c_char,
    help: *const c_char,
    labels: *const Label,
    n_labels: usize,
    out: *mut *mut Gauge,
) -> c_int {
    let wanted = Wanted { name, help, labels, n_labels, shape: Ok(Shape::Gauge) };
    // SAFETY: the caller's promise.
    unsafe {
        register(wanted, out, |adding, labels| {
            pool::take_simple(&GAUGE_POOL, adding, labels, |labels| Gauge {
                metric: Head::new(GAUGE, name, help, labels, n_labels),
                value: Cell::new(0),
            })
        })
    }
}

/// See the header.
///
/// # Safety
/// As for [`scrapeport_counter_register`]; the function can be called at any time from any thread, with `user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_gauge_function_register(
    name: *const c_char,
    help: *const c_char,
    ask: Option<Ask>,
    user: *mut c_void,
    labels: *const Label,
    n_labels: usize,
    out: *mut *mut GaugeFunction,
) -> c_int {
    let shape = Asked::new(ask, user).map(Shape::GaugeFunction);
    let wanted = Wanted { name, help, labels, n_labels, shape };
    // SAFETY: the caller's promise.
    unsafe {
        register(wanted, out, |adding, labels| {
            pool::take_simple(&GAUGE_FUNCTION_POOL, adding, labels, |labels| GaugeFunction {
                metric: Head::new(GAUGE_FUNCTION, name, help, labels, n_labels),
                ask,
                user,
            })
        })
    }
}

/// See the header.
///
/// # Safety
/// As for [`scrapeport_counter_register`]; there are so many bounds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_histogram_register(
    name: *const c_char,
    help: *const c_char,
    bounds: *const f64,
    n_bounds: usize,
    labels: *const Label,
    n_labels: usize,
    out: *mut *mut Histogram,
) -> c_int {
    let bounds = match n_bounds {
        // SAFETY: the caller's promise.
        0..=BOUNDS => unsafe { items(bounds, n_bounds) },
        _ => Err(Outcome::InvalidBounds),
    };
    let wanted = Wanted { name, help, labels, n_labels, shape: bounds.map(Shape::Histogram) };
    // SAFETY: the caller's promise.
    unsafe {
        register(wanted, out, |adding, labels| {
            let head = Head::new(HISTOGRAM, name, help, ptr::null(), n_labels);
            pool::take_histogram(adding, head, labels, bounds?)
        })
    }
}

/// What a register function was asked for.
struct Wanted<'a> {
    name: *const c_char,
    help: *const c_char,
    labels: *const Label,
    n_labels: usize,
    shape: Result<Shape<'a>, Outcome>,
}

/// # Safety
/// As for [`scrapeport_counter_register`]; `T` is the structure of the wanted kind.
unsafe fn register<T>(
    wanted: Wanted<'_>,
    out: *mut *mut T,
    take: impl FnOnce(&Adding, [Label; LABELS]) -> Result<NonNull<T>, Outcome>,
) -> c_int {
    answer(|| {
        if out.is_null() || !out.is_aligned() {
            return Err(Outcome::InvalidArgument);
        }
        // SAFETY: the caller's promise: there is room for a pointer.
        unsafe { out.write(ptr::null_mut()) };
        let Wanted { name, help, labels, n_labels, shape } = wanted;
        // SAFETY: the caller's promise.
        let declared = unsafe { Declared::read(name, help, labels, n_labels, shape?)? };
        declared.check()?;
        let adding = Adding::begin();
        let pointer = match adding.find(&declared)? {
            Place::Found(metric) => {
                metric.hide(false);
                metric.pointer().cast()
            }
            Place::Free { after } => {
                let mut own = [Label { name: ptr::null(), value: ptr::null() }; LABELS];
                // SAFETY: the caller's promise; read once above, and no more than there is room for.
                for (place, label) in own.iter_mut().zip(unsafe { items(labels, n_labels)? }) {
                    *place = *label;
                }
                let pointer = take(&adding, own)?;
                // SAFETY: the pool has filled it, and it stays for ever; so do the texts, by the caller's promise.
                adding.link(unsafe { Known::new(pointer.cast()) }, after);
                pointer
            }
        };
        // SAFETY: as above.
        unsafe { out.write(pointer.as_ptr()) };
        Ok(())
    })
}

/// # Safety
/// As for [`scrapeport_add`].
unsafe fn add(metric: *mut Head) -> Result<(), Outcome> {
    // SAFETY: the caller's promise.
    let metric = unsafe { Known::new(usable(metric)?) };
    let adding = Adding::begin();
    let declared = metric.declared()?;
    declared.check()?;
    match adding.find(&declared)? {
        Place::Found(there) if there.pointer() == metric.pointer() => {}
        Place::Found(_) => return Err(Outcome::NameTaken),
        Place::Free { after } => adding.link(metric, after),
    }
    metric.hide(false);
    Ok(())
}

/// A pointer that can be that of a metric: all kinds are aligned as their cells are.
fn usable(metric: *mut Head) -> Result<NonNull<Head>, Outcome> {
    let aligned = metric.cast::<Counter>().is_aligned();
    NonNull::new(metric).filter(|_| aligned).ok_or(Outcome::InvalidArgument)
}
