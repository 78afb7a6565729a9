//! The web configuration file of the Prometheus ecosystem: TLS, basic authentication, headers, a rate limit.

#![allow(dead_code)]
