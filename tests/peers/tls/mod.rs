//! TLS with those who speak it: curl, openssl, Python, and a scanner.
//!
//! A server is a process of its own here, because its counters are compared before and after.

mod clients;
mod curl;
mod python;
mod rotation;
mod s_client;
mod scanner;
mod server;
