//! TLS: certificates and keys in, encrypted connections out. The only place that names rustls.

mod chains;
mod context;
mod failure;
#[cfg(any(fuzzing, test))]
mod fixtures;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod kept;
mod metrics;
#[cfg(any(fuzzing, test))]
mod peer;
mod pem;
mod plain_http;
mod problem;
mod provider;
mod randomness;
mod session;
mod settings;
mod trust;
mod verifier;
mod x509;

pub(crate) use context::Keeper;
pub(crate) use kept::Kept;
pub(crate) use metrics::TLS_METRICS;
pub(crate) use problem::{Part, Problem};
pub(crate) use session::{Memory, Session};
pub(crate) use settings::{Clients, Pem, Policy, Settings, Version};
#[cfg(feature = "web-config")]
pub(crate) use {
    context::{Context, Failed, Loaded},
    metrics::reload_failed,
    randomness::wait_for_random_numbers,
    settings::{Curve, Suite},
};
