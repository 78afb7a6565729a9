//! Exposition text: names, numbers, formats, and the page they are written to.
//!
//! Everything here is `no_std`, allocates nothing and does no input or output: text goes into a buffer that the
//! caller lends, and leaves through the caller's [`Output`].
//!
//! Sources: Prometheus text format 0.0.4 and 1.0.0; OpenMetrics 1.0.0.

pub(crate) mod bound;
mod copy;
mod eight;
mod filter;
#[cfg(feature = "http")]
mod float;
mod format;
mod kind;
mod layout;
mod line;
pub(crate) mod name;
pub(crate) mod number;
mod page;
mod shortest;

#[cfg(feature = "exporter")]
pub(crate) use copy::copy;
#[cfg(feature = "exporter")]
pub(crate) use eight::find;
pub use filter::NameFilter;
pub(crate) use filter::Verdicts;
#[cfg(feature = "exporter")]
pub(crate) use filter::{decoded as form_decoded, pairs};
#[cfg(feature = "http")]
pub(crate) use float::float;
pub use format::{Escaping, Format, Syntax};
pub use kind::Kind;
#[doc(hidden)]
pub use line::Line;
pub use number::Number;
pub(crate) use page::{Help, Name};
pub use page::{Output, Page, Stopped};
