//! The `scrapeport` program: everything but its `main`.

#[cfg(feature = "web-config")]
mod check;
mod cli;
mod collectors;
mod engine;
#[cfg(any(fuzzing, test))]
pub mod fuzz;
#[cfg(feature = "web-config")]
mod hash_password;
mod logger;
mod packed;
mod page;
mod prefix;
mod reload;
mod routes;
mod signal;
mod streams;
mod sys;
#[cfg(feature = "web-config")]
mod terminal;

use std::boxed::Box;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::string::{String, ToString};
use std::sync::{Arc, OnceLock};
use std::vec::Vec;
use std::{env, format};

use rustix::io::Errno;

use crate::process::WITHOUT_ACCEPT;
use crate::server::listen_fds;
use crate::{Error, Info, Listen, Registry, Server};
use cli::{Command, Options, Usage};
use engine::machine::Machine;
use engine::node::{Engine, NODE};
use reload::Reload;
use routes::{Lifecycle, Paths};
use signal::{Signal, Signals};

/// Which program this is.
pub static BUILD_INFO: Info<4> = Info::new(
    "scrapeport_build_info",
    "The version of scrapeport, and what it was built for.",
    [("version", VERSION), ("os", env::consts::OS), ("arch", env::consts::ARCH), ("libc", LIBC)],
);

/// What the program serves, besides the metrics of its server.
pub static METRICS: Registry = Registry::new(&[&BUILD_INFO]).collecting(&[&NODE, &WITHOUT_ACCEPT]);

/// The same without the program itself.
static MACHINE_METRICS: Registry = Registry::new(&[&BUILD_INFO]).collecting(&[&NODE]);

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

/// Runs the program with the arguments that follow its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let done = cli::parse(arguments).and_then(|command| match command {
        Command::Serve(options) => {
            logger::install(options.log_level, options.log_format);
            // As long as the program.
            serve(Box::leak(options))
        }
        #[cfg(feature = "web-config")]
        Command::Check(files) => check::run(&files),
        #[cfg(feature = "web-config")]
        Command::HashPassword(wanted) => Ok(hash_password::run(&wanted)),
        Command::Help(topic) => Ok(print(&cli::help(topic))),
        Command::Version => {
            Ok(print(&format!("scrapeport {VERSION} ({}-{}-{LIBC})\n", env::consts::ARCH, env::consts::OS)))
        }
    });
    done.unwrap_or_else(|Usage(problem)| {
        complain(&format!("{problem}, try --help"));
        ExitCode::FAILURE
    })
}

/// Sets the collectors to work that these flags of the program ask for, once in a process: for tests and benchmarks that
/// serve [`METRICS`] by themselves.
///
/// # Errors
/// One line that says which flag cannot be followed.
#[doc(hidden)]
pub fn install(flags: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let Command::Serve(options) = cli::parse(flags).map_err(|usage| usage.0)? else {
        return Err(String::from("there are only flags"));
    };
    NODE.source().install(engine_of(&options).map_err(|usage| usage.0)?);
    Ok(())
}

/// Serves until it is told to stop. What a flag asks for and cannot be is a [`Usage`]; whatever else goes wrong is
/// logged.
fn serve(options: &Options) -> Result<ExitCode, Usage> {
    let engine = NODE.source().install(engine_of(options)?);
    // Before the server's threads exist, so that no signal finds the program half prepared.
    let taken = Signals::install().and_then(|signals| Ok((signals.stopper()?, signals)));
    let (stop, signals) = match taken {
        Ok(taken) => taken,
        Err(error) => return Ok(give_up(&format!("cannot take over signals: {error}"))),
    };
    let running = Arc::<OnceLock<Server>>::default();
    let reload = Arc::new(reload_of(&running));
    let metrics = if options.exporter_metrics { &METRICS } else { &MACHINE_METRICS };
    let mut builder = Server::builder(metrics).server_metrics(options.exporter_metrics);
    #[cfg(feature = "web-config")]
    if let Some(file) = &options.config_file {
        builder = builder.web_config_file(file);
    }
    let lifecycle = options
        .lifecycle
        .then(|| Lifecycle::new(Arc::clone(&reload), move || stop().map_err(|error| error.to_string())));
    let paths = Paths::new(options.prefix.clone(), lifecycle)
        .metrics_at(options.telemetry_path.as_deref())
        .of_engine(engine, options.max_requests)
        .with_page(options.page);
    builder = builder.routes(Arc::new(paths));
    for place in places(options)? {
        builder = builder.listen(place);
    }
    let (server, thread) = match builder.start() {
        Ok(started) => started,
        Err(error @ (Error::Address { .. } | Error::Setting { .. })) => return Err(Usage(error.to_string())),
        Err(error) => return Ok(give_up(&error.to_string())),
    };
    let server = running.get_or_init(|| server);
    log::info!("scrapeport {VERSION} is ready");
    for address in server.addresses() {
        log::info!("listening on {address}");
    }
    log::info!("TLS is {}", if server.uses_tls() { "enabled" } else { "disabled" });
    if !options.prefix.is_root() {
        log::info!("everything is below {}", options.prefix.path());
    }
    let stopped = obey(signals, &reload);
    if let Err(error) = stopped {
        return Ok(give_up(&format!("cannot wait for signals: {error}")));
    }
    log::info!("stopping; a second signal stops at once");
    server.shutdown();
    let finished = thread.join();
    log::info!("stopped");
    Ok(if finished.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where to listen.
fn places(options: &Options) -> Result<Vec<Listen>, Usage> {
    let mut places: Vec<_> = options.listen.iter().map(|address| Listen::from(address.as_str())).collect();
    if options.systemd_socket {
        let inherited = listen_fds().map_err(|error| Usage(format!("--web.systemd-socket: {error}")))?;
        if inherited.is_empty() {
            let problem = "--web.systemd-socket: there is no socket: LISTEN_FDS is not set for this process";
            return Err(Usage(String::from(problem)));
        }
        places.extend(inherited);
    }
    Ok(places)
}

/// The collectors that the options ask for.
fn engine_of(options: &Options) -> Result<Engine, Usage> {
    let machine = Machine::open(&options.paths).map_err(Usage)?;
    let mut sources = Vec::new();
    for entry in collectors::all() {
        let default = entry.default && !options.disable_defaults;
        if options.collectors.is_on(&entry.switch).unwrap_or(default) {
            sources.push((entry, entry.source(&options.collectors).map_err(Usage)?));
        }
    }
    Ok(Engine::new(machine, sources, collectors::all()))
}

/// The server has its routes before it exists, and one of them asks it to reload.
fn reload_of(running: &Arc<OnceLock<Server>>) -> Reload {
    let running = Arc::downgrade(running);
    Reload::new(move || match running.upgrade().as_deref().and_then(OnceLock::get) {
        Some(server) => server.reload().map_err(|error| error.to_string()),
        None => Err(String::from("the server has not started yet")),
    })
}

/// Does what signals ask for until one says stop.
fn obey(mut signals: Signals, reload: &Reload) -> io::Result<()> {
    loop {
        match signals.next()? {
            Signal::Stop => return Ok(()),
            // What came of it is in the log; the program goes on either way.
            Signal::Reload => {
                let _ = reload.run("SIGHUP");
            }
        }
    }
}

fn give_up(problem: &str) -> ExitCode {
    log::error!("{problem}");
    ExitCode::FAILURE
}

/// Standard output may be closed, or a pipe that has read enough: no reason to panic.
fn print(text: &str) -> ExitCode {
    match streams::print(text) {
        Ok(()) | Err(Errno::PIPE) => ExitCode::SUCCESS,
        Err(errno) => {
            complain(&format!("cannot write to standard output: {}", io::Error::from(errno)));
            ExitCode::FAILURE
        }
    }
}

fn complain(problem: &str) {
    streams::tell(format!("scrapeport: error: {problem}\n").as_bytes());
}
