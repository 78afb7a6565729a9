//! scrapeport (front page to come)
#![no_std]

#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
mod error;
#[cfg(feature = "exporter")]
#[doc(hidden)]
pub mod exporter;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "process")]
pub mod process;
pub mod text;
#[cfg(feature = "std")]
mod textfile;

#[cfg(feature = "std")]
pub use error::Error;
