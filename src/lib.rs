//! scrapeport (front page to come)
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod cell;
mod clock;
mod collector;
mod counter;
#[cfg(feature = "std")]
mod error;
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
mod metric;
#[cfg(feature = "process")]
pub mod process;
mod registry;
mod rows;
mod slots;
mod state_set;
mod summary;
pub mod text;
#[cfg(feature = "std")]
mod textfile;
#[cfg(feature = "std")]
mod timer;
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
#[cfg(feature = "http")]
pub use http::{Listen, Server, ServerBuilder, start_http_server};
pub use info::Info;
pub use metric::{Metric, Series, Value};
pub use registry::Registry;
pub use slots::{Claim, SlotCounter, SlotHistogram};
pub use state_set::StateSet;
pub use summary::{Summary, SummaryValue};
#[cfg(feature = "std")]
pub use textfile::{Textfile, write_to_textfile};
#[cfg(feature = "std")]
pub use timer::{Observe, Timer};

/// The code in the guides compiles and runs.
#[cfg(doctest)]
mod guides {
    #[cfg(all(feature = "http", feature = "process"))]
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[cfg(feature = "std")]
    #[doc = include_str!("../docs/metrics.md")]
    mod metrics {}
}
