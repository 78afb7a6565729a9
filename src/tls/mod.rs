//! TLS: certificates and keys in, encrypted connections out. The only place that names rustls.

#![allow(dead_code, unused_imports)]

mod context;
mod failure;
mod identity;
mod kept;
mod metrics;
mod pem;
mod plain_http;
mod problem;
mod provider;
mod session;
mod settings;
mod trust;
mod verifier;
mod x509;

pub(crate) use context::{Context, Failed, Keeper, Loaded};
pub(crate) use failure::Failure;
pub(crate) use kept::Kept;
pub(crate) use metrics::{TLS_METRICS, handshake_failed, reload_failed};
pub(crate) use problem::{Part, Problem, Remark};
pub(crate) use session::{Memory, Session};
pub(crate) use settings::{Clients, Curve, Pem, Policy, Settings, Suite, Version};
