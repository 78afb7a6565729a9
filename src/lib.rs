//! The scrape port of an embedded Linux device: metrics declared as statics, served to Prometheus over HTTP by
//! blocking threads, with a fixed amount of memory.
//!
#![cfg_attr(
    feature = "http",
    doc = r#"
```
use scrapeport::{Counter, Registry, start_http_server};

static REQUESTS: Counter = Counter::new("app_requests_total", "Requests served.");
static REGISTRY: Registry = Registry::new(&[&REQUESTS]);

# fn main() -> Result<(), Box<dyn std::error::Error>> {
let (server, thread) = start_http_server("127.0.0.1:0", &REGISTRY)?;
REQUESTS.inc();
// http://127.0.0.1:PORT/metrics now says: app_requests_total 1
server.shutdown();
thread.join().expect("the server's thread does not panic");
# Ok(())
# }
```
"#
)]
//!
//! # The map
//!
//! - **Metrics** are statics: [`Counter`], [`Gauge`], [`GaugeFn`], [`Histogram`], [`Summary`], [`Info`], [`StateSet`];
//!   with labels [`CounterFamily`], [`GaugeFamily`], [`HistogramFamily`], [`SummaryFamily`], [`InfoFamily`]; for hot
//!   loops [`SlotCounter`] and [`SlotHistogram`]. Their constructors run in the compiler: a bad name, a reserved
//!   label, unsorted bounds do not compile.
//! - A [`Registry`] is a constant list of metrics, of other registries, and of [`Collector`]s, which write what they
//!   find when a page is made. Names that collide do not compile.
//! - [`text`] is the page: its formats, its fixed buffer, the filter.
//! - `server` (feature `http`) is the server; `http` is the handler to mount in a server that already exists.
//! - Features `tls` and `web-config` lock it: `ServerBuilder::certfile` and what follows it, or
//!   `ServerBuilder::web_config_file`.
//! - `capi` (feature `capi`) is the C API; `include/scrapeport.h` is its manual.
//! - `process` (feature `process`) tells of this process; `write_to_textfile` is for programs that must not listen.
//!
//! # Promises
//!
//! - An update is one atomic instruction (two for a histogram), takes no lock and no heap.
//! - A page takes no heap, whatever its length: it streams through a buffer of fixed size.
//! - The metrics, the registry and the page need neither `std` nor `alloc`: switch off the default features.
//! - The library never prints, never exits, and does not panic on any input.
//!
//! # Features
//!
//! `default = ["exporter", "gzip", "names", "web-config"]`, for the program; libraries pick a layer with
//! `default-features = false`: `std` → `http` → `tls` → `web-config`; beside them `gzip`, `names`, `process`, `tiny_http`, `capi`.
//! Cargo.toml says what is lost without each.
#![no_std]
// Here alone: tests, examples and the program have `std` anyway.
#![warn(clippy::std_instead_of_core)]

#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "capi")]
pub mod capi;
mod cell;
mod clock;
mod collector;
mod counter;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod escaped;
mod exemplar;
#[cfg(feature = "exporter")]
#[doc(hidden)]
pub mod exporter;
mod family;
mod gauge;
mod guard;
mod histogram;
#[cfg(feature = "http")]
pub mod http;
mod info;
#[cfg(any(feature = "http", feature = "process"))]
mod kernel_time;
mod metric;
#[cfg(any(feature = "exporter", feature = "web-config"))]
mod nearest;
#[cfg(feature = "process")]
pub mod process;
mod registry;
#[cfg(feature = "http")]
mod resident;
mod rows;
#[cfg(feature = "http")]
pub mod server;
mod slots;
mod state_set;
mod summary;
pub mod text;
#[cfg(feature = "std")]
mod textfile;
#[cfg(feature = "std")]
mod timer;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod watched;
#[cfg(feature = "web-config")]
mod web_config;
mod words;

pub use collector::{Collect, CollectError, Collector, Samples};
pub use counter::{Counter, CounterValue, ExemplarCounter};
#[cfg(feature = "std")]
pub use error::Error;
pub use exemplar::{EXEMPLAR_LIMIT, Exemplar, NoExemplar};
pub use family::{
    CounterFamily, ExemplarCounterFamily, Family, GaugeFamily, HistogramFamily, InfoFamily, Kept,
    SummaryFamily,
};
pub use gauge::{Gauge, GaugeFn, GaugeValue, InProgress};
pub use histogram::{DEFAULT_BOUNDS, ExemplarHistogram, Histogram, HistogramRow};
pub use info::Info;
pub use metric::{Metric, Series, Value};
pub use registry::Registry;
#[cfg(feature = "tls")]
pub use server::TlsVersion;
#[cfg(feature = "http")]
pub use server::{Listen, Server, ServerBuilder, start_http_server};
pub use slots::{Claim, SlotCounter, SlotHistogram};
pub use state_set::StateSet;
pub use summary::{Summary, SummaryValue};
#[cfg(feature = "std")]
pub use textfile::{Textfile, write_to_textfile};
#[cfg(feature = "std")]
pub use timer::{Observe, Timer};
#[cfg(all(feature = "tls", any(fuzzing, test)))]
#[doc(hidden)]
pub use tls::fuzz as tls_fuzz;
#[cfg(all(feature = "web-config", any(fuzzing, test)))]
#[doc(hidden)]
pub use web_config::fuzz as web_config_fuzz;

/// The code in the guides compiles and runs.
#[cfg(doctest)]
mod guides {
    #[cfg(all(feature = "http", feature = "process"))]
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[cfg(feature = "std")]
    #[doc = include_str!("../docs/metrics.md")]
    mod metrics {}
    #[cfg(feature = "web-config")]
    #[doc = include_str!("../docs/tls.md")]
    mod tls {}
}
