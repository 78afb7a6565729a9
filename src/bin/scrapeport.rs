//! The exporter: serves this machine's metrics. All of it is in the library's `exporter` module.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let _name = arguments.next();
    scrapeport::exporter::run(arguments)
}
