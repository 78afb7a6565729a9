//! The C API: the functions and structures that `include/scrapeport.h` declares.
//!
//! C code declares its metrics as statics, which this part reads where they lie, or registers them at run time from a
//! fixed pool. All of them are on one page, [`METRICS`]. The header is the manual; `docs/c.md` leads through it.
//!
//! No panic leaves a function, every pointer may be null, and nothing that C owns is ever borrowed mutably.

mod ask;
mod cell;
mod layout;
mod list;
mod log;
mod outcome;
mod pool;
mod register;
mod serve;
mod update;
mod write;

use crate::Registry;

#[doc(hidden)]
pub use cell::Cell;
#[cfg(all(target_has_atomic = "64", not(scrapeport_lock64)))]
#[doc(hidden)]
pub use cell::scrapeport_updates_are_atomic;
#[doc(hidden)]
pub use layout::{Ask, Counter, Gauge, GaugeFunction, Head, Histogram, Label, Options};
#[doc(hidden)]
pub use log::scrapeport_log_to;
#[doc(hidden)]
pub use outcome::{Outcome, scrapeport_strerror, scrapeport_version};
#[doc(hidden)]
pub use pool::{BOUNDS, COUNTERS, GAUGE_FUNCTIONS, GAUGES, HISTOGRAMS};
#[doc(hidden)]
pub use register::{
    scrapeport_add, scrapeport_add_all, scrapeport_counter_register, scrapeport_gauge_function_register,
    scrapeport_gauge_register, scrapeport_hide, scrapeport_histogram_register,
};
#[doc(hidden)]
pub use serve::{
    SERVERS, ServerSlot, scrapeport_server_port, scrapeport_server_start, scrapeport_server_stop,
};
#[doc(hidden)]
pub use update::{
    scrapeport_counter_add, scrapeport_counter_get, scrapeport_counter_inc, scrapeport_gauge_add,
    scrapeport_gauge_get, scrapeport_gauge_set, scrapeport_histogram_observe,
};
#[doc(hidden)]
pub use write::{scrapeport_content_type, scrapeport_write, scrapeport_write_as};

/// Labels of one metric.
pub const LABELS: usize = 8;

/// Every metric that C code has announced or registered.
///
/// A Rust program with C parts includes it, and both share one page:
///
/// ```
/// use scrapeport::{Counter, Registry};
///
/// static RUNS: Counter = Counter::new("app_runs_total", "Runs.");
/// static REGISTRY: Registry = Registry::new(&[&RUNS]).including(&[&scrapeport::capi::METRICS]);
/// ```
///
/// Names are compared among the C metrics only: those of the Rust side must differ from them.
pub static METRICS: Registry = Registry::new(&[&list::ANNOUNCED]);
