//! The `scrapeport` program: everything but its `main`.

mod cli;
mod logger;
mod signal;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::string::String;
use std::{env, format};

use crate::process::PROCESS;
use crate::{Error, Info, Registry, Server};
use cli::{Command, Options};
use signal::{Signal, Signals};

/// Which program this is.
pub static BUILD_INFO: Info<4> = Info::new(
    "scrapeport_build_info",
    "The version of scrapeport, and what it was built for.",
    [("version", VERSION), ("os", env::consts::OS), ("arch", env::consts::ARCH), ("libc", LIBC)],
);

/// What the program serves, besides the metrics of its server.
pub static METRICS: Registry = Registry::new(&[&BUILD_INFO]).collecting(&[&PROCESS]);

const VERSION: &str = env!("CARGO_PKG_VERSION");

const LIBC: &str = if cfg!(target_env = "musl") {
    "musl"
} else if cfg!(target_env = "gnu") {
    "gnu"
} else if cfg!(target_env = "uclibc") {
    "uclibc"
} else {
    "other"
};

/// A wrong flag. As in most programs; 1 says that a right one could not be followed.
const USAGE: u8 = 2;

/// Runs the program with the arguments that follow its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match cli::parse(arguments) {
        Ok(Command::Serve(options)) => {
            logger::install(options.log_level);
            serve(&options)
        }
        Ok(Command::Help) => print(&cli::help()),
        Ok(Command::Version) => {
            print(&format!("scrapeport {VERSION} ({}-{}-{LIBC})\n", env::consts::ARCH, env::consts::OS))
        }
        Err(usage) => {
            complain(&usage.0);
            USAGE.into()
        }
    }
}

fn serve(options: &Options) -> ExitCode {
    // Before the server's threads exist, so that no signal finds the program half prepared.
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            log::error!("cannot take over signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut builder = Server::builder(&METRICS);
    for address in &options.listen {
        builder = builder.listen(address.as_str());
    }
    let (server, thread) = match builder.start() {
        Ok(started) => started,
        Err(error @ (Error::Address { .. } | Error::Setting { .. })) => {
            complain(&format!("{error}"));
            return USAGE.into();
        }
        Err(error) => {
            log::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    log::info!("scrapeport {VERSION} is ready");
    for address in server.addresses() {
        log::info!("listening on {address}");
    }
    loop {
        match signals.next() {
            Ok(Signal::Reload) => log::info!("SIGHUP: there is no configuration file to read again"),
            Ok(Signal::Stop) => {
                log::info!("stopping; a second signal stops at once");
                server.shutdown();
                let finished = thread.join();
                log::info!("stopped");
                return if finished.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            }
            Err(error) => {
                log::error!("cannot wait for signals: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
}

/// Standard output may be closed, or a pipe that has read enough: no reason to panic.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn complain(problem: &str) {
    let line: String = format!("scrapeport: {problem}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}
