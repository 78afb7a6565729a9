//! scrapeport against the programs it has to get on with: the reference package it follows, Prometheus, nginx, curl.
//!
//! Not part of everyday `cargo test`: run `tests/peers/setup` once, then `cargo test --test peers`. A peer that is
//! missing is a failure, not a skip.

mod browser;
mod client;
mod connections;
mod curl;
mod guides;
mod nginx;
mod node_exporter;
mod pages;
mod passwords;
mod pki;
mod process;
mod prometheus;
mod reference;
mod refused;
mod renewal;
mod requests;
mod secured;
mod services;
mod start;
mod tls;
mod walk;
mod web_config;

#[path = "../support/exporter.rs"]
mod exporter;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/tree.rs"]
mod tree;
