//! The structures that C and Rust share, as `include/scrapeport.h` declares them, and what is promised of their layout.
//!
//! A structure of a metric lies in programs that were compiled earlier, so it never changes: another layout would get
//! another number of kind.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32};

use super::cell::Cell;

/// `scrapeport_label`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Label {
    /// The name.
    pub name: *const c_char,
    /// The value.
    pub value: *const c_char,
}

/// The numbers of kinds in [`Head::kind`].
pub(super) const COUNTER: u32 = 1;
pub(super) const GAUGE: u32 = 2;
pub(super) const HISTOGRAM: u32 = 3;
pub(super) const GAUGE_FUNCTION: u32 = 4;

/// `scrapeport_metric`: what every metric begins with.
#[derive(Debug)]
#[repr(C)]
pub struct Head {
    /// The name.
    pub name: *const c_char,
    /// The help text.
    pub help: *const c_char,
    /// The labels, null if there are none.
    pub labels: *const Label,
    /// How many labels.
    pub n_labels: usize,
    /// Which structure this is the beginning of.
    pub kind: u32,
    /// Whether it is left out of the page; the library's.
    pub hidden: AtomicU32,
    /// The next one on the page; the library's.
    pub next: AtomicPtr<Self>,
}

impl Head {
    /// A metric that is on no page.
    #[must_use]
    pub const fn new(
        kind: u32,
        name: *const c_char,
        help: *const c_char,
        labels: *const Label,
        n_labels: usize,
    ) -> Self {
        let next = AtomicPtr::new(ptr::null_mut());
        Self { name, help, labels, n_labels, kind, hidden: AtomicU32::new(0), next }
    }
}

/// `scrapeport_counter`
#[derive(Debug)]
#[repr(C)]
pub struct Counter {
    /// What it is.
    pub metric: Head,
    /// The number.
    pub value: Cell,
}

/// `scrapeport_gauge`
#[derive(Debug)]
#[repr(C)]
pub struct Gauge {
    /// What it is.
    pub metric: Head,
    /// The bits of a `double`.
    pub value: Cell,
}

/// `scrapeport_histogram`
#[derive(Debug)]
#[repr(C)]
pub struct Histogram {
    /// What it is.
    pub metric: Head,
    /// The upper bounds.
    pub bounds: *const f64,
    /// The observations in each bucket, one more than there are bounds.
    pub buckets: *const Cell,
    /// How many bounds.
    pub n_bounds: usize,
    /// The bits of a `double`.
    pub sum: Cell,
}

/// `scrapeport_ask`: what a gauge asks at each scrape.
pub type Ask = unsafe extern "C" fn(user: *mut c_void) -> f64;

/// `scrapeport_gauge_function`, which has no cell but the alignment of all kinds, so that a pointer is checked before it is
/// known which kind it leads to.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct GaugeFunction {
    /// What it is.
    pub metric: Head,
    /// The function.
    pub ask: Option<Ask>,
    /// What the function is told.
    pub user: *mut c_void,
}

/// `scrapeport_server_options`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Options {
    /// Of this structure as the caller knows it.
    pub size: usize,
    /// Where to listen.
    pub address: *const c_char,
    /// Where to write what went wrong.
    pub problem: *mut c_char,
    /// The room for it.
    pub problem_size: usize,
    /// The web configuration file.
    pub web_config_file: *const c_char,
    /// The certificate.
    pub certfile: *const c_char,
    /// Its key.
    pub keyfile: *const c_char,
    /// The CAs of clients.
    pub client_cafile: *const c_char,
    /// The directory of CAs of clients.
    pub client_capath: *const c_char,
    /// The names that clients may have.
    pub client_allowed_names: *const *const c_char,
    /// How many names.
    pub n_client_allowed_names: usize,
    /// Whether clients must have a certificate.
    pub client_auth_required: c_int,
    /// Whether the process's own metrics are on the page.
    pub process_metrics: c_int,
    /// Whether the server's own metrics are left out.
    pub no_server_metrics: c_int,
    /// Connections at once, 0 for the default.
    pub max_connections: u32,
}

/// The layout, for both widths of pointers; `tests/c/layout.c` says the same to the C compiler.
const _: () = {
    let wide = size_of::<usize>() == 8;
    const fn either(wide: bool, on_64: usize, on_32: usize) -> usize {
        if wide { on_64 } else { on_32 }
    }
    use core::mem::offset_of;
    assert!(size_of::<usize>() == 8 || size_of::<usize>() == 4);
    assert!(size_of::<c_int>() == 4);
    assert!(size_of::<Label>() == either(wide, 16, 8));
    assert!(size_of::<Head>() == either(wide, 48, 28));
    assert!(offset_of!(Head, kind) == either(wide, 32, 16));
    assert!(offset_of!(Head, next) == either(wide, 40, 24));
    assert!(size_of::<Counter>() == either(wide, 56, 40));
    assert!(offset_of!(Counter, value) == either(wide, 48, 32));
    assert!(size_of::<Gauge>() == either(wide, 56, 40));
    assert!(offset_of!(Gauge, value) == either(wide, 48, 32));
    assert!(size_of::<Histogram>() == either(wide, 80, 48));
    assert!(offset_of!(Histogram, n_bounds) == either(wide, 64, 36));
    assert!(offset_of!(Histogram, sum) == either(wide, 72, 40));
    assert!(size_of::<GaugeFunction>() == either(wide, 64, 40) && align_of::<GaugeFunction>() == 8);
    assert!(offset_of!(GaugeFunction, ask) == either(wide, 48, 28));
    assert!(offset_of!(GaugeFunction, user) == either(wide, 56, 32));
    assert!(size_of::<Options>() == either(wide, 104, 60));
    assert!(offset_of!(Options, n_client_allowed_names) == either(wide, 80, 40));
    assert!(offset_of!(Options, max_connections) == either(wide, 100, 56));
};
