//! The exporter: serves this machine's metrics. All of it is in the library's `exporter` module.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    scrapeport::exporter::run(env::args_os().skip(1))
}
