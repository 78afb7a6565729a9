//! TLS: certificates and keys in, encrypted connections out. The only place that names rustls.

#![allow(dead_code)]

mod settings;

pub(crate) use settings::{Clients, Curve, Pem, Policy, Settings, Suite, Version};
