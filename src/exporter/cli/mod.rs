//! The command line. Flags are named as in the node exporter and in Prometheus, so that unit files carry over.

mod absent;
mod expand;
pub(super) mod flags;
mod help;
mod reader;
#[cfg(feature = "web-config")]
mod tools;

use std::boxed::Box;
use std::ffi::{OsStr, OsString};
use std::format;
use std::path::PathBuf;
use std::string::{String, ToString};
use std::vec::Vec;

use log::LevelFilter;

use super::engine::choices::Choices;
use super::engine::machine::Paths;
use super::logger::LogFormat;
use super::prefix::Prefix;
use crate::escaped::write_visible;
use crate::nearest::nearest;
use crate::text::number::unsigned;
use flags::{
    CONFIG_FILE, DEFAULT_ADDRESS, DEFAULT_MAX_REQUESTS, DISABLE_DEFAULTS, DISABLE_EXPORTER_METRICS,
    ENABLE_LIFECYCLE, EXTERNAL_URL, Flag, HELP, LISTEN, LOG_FORMAT, LOG_LEVEL, MAX_REQUESTS, PAGE, PROCFS,
    ROOTFS, ROUTE_PREFIX, SERVE, SYSFS, SYSTEMD_SOCKET, TELEMETRY_PATH, UDEV_DATA,
};
pub(crate) use help::{Topic, help};
use reader::{Given, Reader};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve(Box<Options>),
    /// Check these web configuration files.
    #[cfg(feature = "web-config")]
    Check(Vec<PathBuf>),
    #[cfg(feature = "web-config")]
    HashPassword(super::hash_password::HashPassword),
    Help(Topic),
    Version,
}

/// How to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) listen: Vec<String>,
    /// The web configuration file.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) prefix: Prefix,
    pub(crate) lifecycle: bool,
    /// Whether browsers get the device page.
    pub(crate) page: bool,
    /// Where the metrics are, if they are to be nowhere else.
    pub(crate) telemetry_path: Option<String>,
    /// How many scrapes may run at once.
    pub(crate) max_requests: usize,
    /// Whether the program tells of itself: its process and its server.
    pub(crate) exporter_metrics: bool,
    /// Whether to serve on the sockets that the service manager has opened.
    pub(crate) systemd_socket: bool,
    pub(crate) log_format: LogFormat,
    pub(crate) paths: Paths,
    /// Whether only those collectors run that are switched on.
    pub(crate) disable_defaults: bool,
    pub(crate) collectors: Choices,
    pub(crate) log_level: LevelFilter,
}

/// A command line that cannot be followed: one line that says why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage(pub(crate) String);

/// The longest path of the metrics, in bytes.
const LONGEST_PATH: usize = 255;

const COMMANDS: [&str; 3] = ["check", "hash-password", "help"];

/// Why a program without a web configuration does not do what was asked.
#[cfg(not(feature = "web-config"))]
const BUILT_WITHOUT: &str = "this program was built without web configuration files (feature web-config)";

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Usage> {
    let mut arguments = expand::expand(arguments)?;
    // A command comes first; without one the program serves.
    let is_command = arguments.first().is_some_and(|first| !first.as_encoded_bytes().starts_with(b"-"));
    if !is_command {
        return serve(arguments);
    }
    let command = arguments.remove(0);
    match command.to_str() {
        #[cfg(feature = "web-config")]
        Some("check") => tools::check(arguments),
        #[cfg(feature = "web-config")]
        Some("hash-password") => tools::hash_password(arguments),
        #[cfg(not(feature = "web-config"))]
        Some(name @ ("check" | "hash-password")) => Err(Usage(format!("{name}: {BUILT_WITHOUT}"))),
        Some("help") => topic(&arguments),
        _ => {
            let hint = nearest(&command.to_string_lossy(), COMMANDS)
                .map(|command| format!(" (did you mean {command}?)"));
            Err(Usage(format!("unknown command {}{}", shown(&command), hint.unwrap_or_default())))
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            config_file: None,
            prefix: Prefix::default(),
            lifecycle: false,
            page: true,
            log_level: LevelFilter::Info,
            telemetry_path: None,
            max_requests: DEFAULT_MAX_REQUESTS,
            exporter_metrics: true,
            systemd_socket: false,
            log_format: LogFormat::Logfmt,
            paths: Paths::default(),
            disable_defaults: false,
            collectors: Choices::default(),
        }
    }
}

fn serve(arguments: Vec<OsString>) -> Result<Command, Usage> {
    let mut options = Options::default();
    let mut prefixes = Prefixes::default();
    let mut reader = Reader::new(arguments, SERVE);
    while let Some(given) = reader.next()? {
        match given {
            Given::Value(flag, value) => options.take_value(&mut prefixes, flag, value)?,
            Given::Switch(flag, on) => options.take_switch(flag, on)?,
            Given::Question(flag) => return Ok(answer(flag, Topic::Program)),
            Given::Word(word) => {
                let late = word.to_str().is_some_and(|word| COMMANDS.contains(&word));
                let why = if late { ": a command comes first" } else { ": there are only flags" };
                return Err(Usage(format!("unexpected argument {}{why}", shown(&word))));
            }
        }
    }
    if options.listen.is_empty() && !options.systemd_socket {
        options.listen.push(DEFAULT_ADDRESS.to_string());
    }
    // The path of the external URL is only the default.
    options.prefix = prefixes.route.or(prefixes.external).unwrap_or_default();
    Ok(Command::Serve(Box::new(options)))
}

/// What the two flags say of the prefix.
#[derive(Default)]
struct Prefixes {
    external: Option<Prefix>,
    route: Option<Prefix>,
}

impl Options {
    fn take_value(&mut self, prefixes: &mut Prefixes, flag: &Flag, value: OsString) -> Result<(), Usage> {
        // The only one that need not be UTF-8.
        if *flag == CONFIG_FILE {
            if !value.is_empty() {
                self.config_file = Some(file(flag, value)?);
            }
            return Ok(());
        }
        let value = text(flag, value)?;
        if flag.is_of_collector() {
            self.collectors.give(flag, value);
            return Ok(());
        }
        // An empty value of the others means none, as in the Go exporters.
        if value.is_empty() {
            let must_be_filled = [&LISTEN, &LOG_LEVEL, &LOG_FORMAT].contains(&flag);
            return if must_be_filled { Err(empty(flag)) } else { Ok(()) };
        }
        self.read_value(prefixes, flag, &value)
            .map_err(|problem| Usage(format!("--{}={}: {problem}", flag.long, unquoted(&value))))
    }

    /// Reads a value that is not empty, or says what is wrong with it.
    fn read_value(&mut self, prefixes: &mut Prefixes, flag: &Flag, value: &str) -> Result<(), &'static str> {
        match flag {
            flag if *flag == LISTEN => self.listen.push(value.into()),
            flag if *flag == LOG_LEVEL => self.log_level = level(value)?,
            flag if *flag == LOG_FORMAT => self.log_format = LogFormat::read(value)?,
            flag if *flag == TELEMETRY_PATH => self.telemetry_path = Some(telemetry_path(value)?),
            flag if *flag == MAX_REQUESTS => self.max_requests = max_requests(value)?,
            flag if *flag == PROCFS => self.paths.procfs = value.into(),
            flag if *flag == SYSFS => self.paths.sysfs = value.into(),
            flag if *flag == ROOTFS => self.paths.rootfs = value.into(),
            flag if *flag == UDEV_DATA => self.paths.udev_data = value.into(),
            flag if *flag == EXTERNAL_URL => prefixes.external = Some(Prefix::of_url(value)?),
            flag if *flag == ROUTE_PREFIX => prefixes.route = Some(Prefix::of_path(value)?),
            _ => return Err("the flag has no meaning here"),
        }
        Ok(())
    }

    fn take_switch(&mut self, flag: &Flag, on: bool) -> Result<(), Usage> {
        match flag {
            flag if *flag == ENABLE_LIFECYCLE => self.lifecycle = on,
            flag if *flag == PAGE => self.page = on,
            flag if *flag == DISABLE_EXPORTER_METRICS => self.exporter_metrics = !on,
            flag if *flag == SYSTEMD_SOCKET => self.systemd_socket = on,
            flag if *flag == DISABLE_DEFAULTS => self.disable_defaults = on,
            flag if flag.is_of_collector() => self.collectors.switch(flag, on),
            flag => return Err(Usage(format!("--{} has no meaning here", flag.long))),
        }
        Ok(())
    }
}

fn telemetry_path(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("must begin with /");
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'%');
    match path.bytes().all(plain) {
        true if path.len() <= LONGEST_PATH => Ok(String::from(path)),
        true => Err("must not have more than 255 bytes"),
        false => Err("must be a plain path, without ?, # and %"),
    }
}

/// How many scrapes may run at once; 0 for any number.
fn max_requests(number: &str) -> Result<usize, &'static str> {
    match unsigned(number.as_bytes()).and_then(|most| usize::try_from(most).ok()) {
        Some(0) => Ok(usize::MAX),
        Some(most) => Ok(most),
        None => Err("must be a number, 0 for no limit"),
    }
}

#[cfg(feature = "web-config")]
#[allow(clippy::unnecessary_wraps, reason = "without the feature there is no such file")]
fn file(_: &Flag, value: OsString) -> Result<PathBuf, Usage> {
    Ok(PathBuf::from(value))
}

#[cfg(not(feature = "web-config"))]
fn file(flag: &Flag, value: OsString) -> Result<PathBuf, Usage> {
    Err(Usage(format!("--{}={}: {BUILT_WITHOUT}", flag.long, unquoted(value))))
}

/// `help`, perhaps with the name of a command.
fn topic(words: &[OsString]) -> Result<Command, Usage> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    match words[..] {
        [] | ["help" | "-h" | "--help"] => Ok(Command::Help(Topic::Program)),
        #[cfg(feature = "web-config")]
        ["check" | "check web-config"] | ["check", "web-config"] => Ok(Command::Help(Topic::Check)),
        #[cfg(feature = "web-config")]
        ["hash-password"] => Ok(Command::Help(Topic::HashPassword)),
        #[cfg(not(feature = "web-config"))]
        [name @ ("check" | "hash-password"), ..] => Err(Usage(format!("{name}: {BUILT_WITHOUT}"))),
        [first, ..] => {
            Err(Usage(format!("no help about {}: the commands are {}", shown(first), COMMANDS.join(", "))))
        }
    }
}

fn answer(flag: &Flag, topic: Topic) -> Command {
    if *flag == HELP { Command::Help(topic) } else { Command::Version }
}

fn text(flag: &Flag, value: OsString) -> Result<String, Usage> {
    value.into_string().map_err(|value| Usage(format!("--{}: {} is not UTF-8", flag.long, shown(&value))))
}

/// Text that must not be empty.
#[cfg(feature = "web-config")]
fn filled(flag: &Flag, value: OsString) -> Result<String, Usage> {
    match text(flag, value)? {
        value if value.is_empty() => Err(empty(flag)),
        value => Ok(value),
    }
}

fn empty(flag: &Flag) -> Usage {
    Usage(format!("--{} needs a value that is not empty", flag.long))
}

fn level(word: &str) -> Result<LevelFilter, &'static str> {
    match word {
        "debug" => Ok(LevelFilter::Debug),
        "info" => Ok(LevelFilter::Info),
        "warn" => Ok(LevelFilter::Warn),
        "error" => Ok(LevelFilter::Error),
        _ => Err("must be debug, info, warn or error"),
    }
}

/// Something that was typed, in quotes, on one line and not too long.
pub(super) fn shown(typed: impl AsRef<OsStr>) -> String {
    in_quotes(typed.as_ref(), "'")
}

/// The same without quotes.
pub(crate) fn unquoted(typed: impl AsRef<OsStr>) -> String {
    in_quotes(typed.as_ref(), "")
}

#[inline(never)]
fn in_quotes(typed: &OsStr, quote: &str) -> String {
    const LONGEST: usize = 256;
    let mut out = String::from(quote);
    for (count, character) in typed.to_string_lossy().chars().enumerate() {
        if count == LONGEST {
            out.push_str("...");
            break;
        }
        if character == '\\' {
            out.push(character);
        }
        let _ = write_visible(&mut out, character);
    }
    out.push_str(quote);
    out
}

#[cfg(test)]
mod tests;
