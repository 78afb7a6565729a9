//! The web configuration file of the Prometheus ecosystem: TLS, basic authentication, header fields, a rate limit.
//!
//! `file` reads it, `login` knows its users, `live` follows it while a server runs, and `check` says what is wrong.

mod builder;
mod check;
mod doubt;
mod file;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzz;
mod live;
mod login;
mod metrics;
mod rate_limit;

#[cfg(feature = "exporter")]
pub(crate) use check::{Report, check};
#[cfg(all(test, feature = "exporter"))]
pub(crate) use file::Fault;
#[cfg(feature = "exporter")]
pub(crate) use login::{LONGEST_PASSWORD, Secret, generate};
