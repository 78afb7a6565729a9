//! The command line. Flags are named as in the node exporter, so that unit files carry over.

use core::fmt::Write;
use std::ffi::OsString;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use lexopt::{Arg, Parser};
use log::LevelFilter;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve(Options),
    Help,
    Version,
}

/// How to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) listen: Vec<String>,
    pub(crate) log_level: LevelFilter,
}

/// A command line that cannot be followed: one line that says why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage(pub(crate) String);

const DEFAULT_ADDRESS: &str = ":9100";

struct Flag {
    long: &'static str,
    short: Option<char>,
    value: Option<&'static str>,
    help: &'static [&'static str],
}

const LISTEN: Flag = Flag {
    long: "web.listen-address",
    short: None,
    value: Some("ADDRESS"),
    help: &[
        "Where to serve; may be given several times. Default \":9100\".",
        "  :9100             every address of this machine",
        "  127.0.0.1:9100    one IPv4 address; [::1]:9100 one IPv6 address",
        "  unix:/run/x.sock  a Unix socket",
        "Port 0 takes a free port, which the log tells.",
    ],
};
const LOG_LEVEL: Flag = Flag {
    long: "log.level",
    short: None,
    value: Some("LEVEL"),
    help: &["What to log on standard error: debug, info, warn or error. Default \"info\"."],
};
const HELP: Flag = Flag { long: "help", short: Some('h'), value: None, help: &["Print this help and exit."] };
const VERSION: Flag =
    Flag { long: "version", short: Some('V'), value: None, help: &["Print the version and exit."] };

const GROUPS: &[(&str, &[Flag])] =
    &[("Serving", &[LISTEN]), ("Logging", &[LOG_LEVEL]), ("Other", &[HELP, VERSION])];

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Usage> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options { listen: Vec::new(), log_level: LevelFilter::Info };
    while let Some(argument) = parser.next().map_err(usage)? {
        let is_long = matches!(argument, Arg::Long(_));
        let flag = match argument {
            Arg::Long(name) => find(|flag| flag.long == name).ok_or_else(|| unknown("--", name))?,
            Arg::Short(letter) => match find(|flag| flag.short == Some(letter)) {
                Some(flag) => flag,
                None => return Err(unknown("-", &whole_word(&mut parser, letter))),
            },
            Arg::Value(value) => {
                return Err(Usage(format!(
                    "unexpected argument {:?}: there are only flags",
                    value.to_string_lossy()
                )));
            }
        };
        match flag.long {
            name if name == LISTEN.long => options.listen.push(text(flag, &mut parser)?),
            name if name == LOG_LEVEL.long => options.log_level = level(&text(flag, &mut parser)?)?,
            name => {
                // What stands behind a short flag is another one: `-hV`.
                if let Some(value) = is_long.then(|| parser.optional_value()).flatten() {
                    return Err(Usage(format!(
                        "--{name} takes no value, but got {:?}",
                        value.to_string_lossy()
                    )));
                }
                return Ok(if name == HELP.long { Command::Help } else { Command::Version });
            }
        }
    }
    if options.listen.is_empty() {
        options.listen.push(DEFAULT_ADDRESS.to_string());
    }
    Ok(Command::Serve(options))
}

/// The help, for standard output.
pub(crate) fn help() -> String {
    let mut out = String::from(
        "Serves the metrics of this machine to Prometheus over HTTP.\n\nUsage: scrapeport [FLAG]...\n",
    );
    for (group, flags) in GROUPS {
        let _ = write!(out, "\n{group}:\n");
        for flag in *flags {
            let short = flag.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
            let value = flag.value.map(|value| format!("={value}")).unwrap_or_default();
            let _ = writeln!(out, "  {short}--{}{value}", flag.long);
            for line in flag.help {
                let _ = writeln!(out, "        {line}");
            }
        }
    }
    out.push_str(
        "\nSIGTERM or SIGINT: running responses are finished, then the exit status is 0. A second one: exit at once,\n\
         status 1. The status is 1 if an address cannot be listened on, 2 if a flag is wrong.\n",
    );
    out
}

fn find(wanted: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    GROUPS.iter().flat_map(|(_, flags)| *flags).find(|flag| wanted(flag))
}

/// What was written behind one dash: perhaps a long flag that lacks the other.
fn whole_word(parser: &mut Parser, first: char) -> String {
    let rest = parser.optional_value().unwrap_or_default();
    let mut word = first.to_string();
    word.push_str(rest.to_string_lossy().split('=').next().unwrap_or_default());
    word
}

fn text(flag: &Flag, parser: &mut Parser) -> Result<String, Usage> {
    let value = parser.value().map_err(|_| {
        Usage(format!("--{} needs a value: --{0}={}", flag.long, flag.value.unwrap_or_default()))
    })?;
    match value.into_string() {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) => Err(Usage(format!("--{} needs a value that is not empty", flag.long))),
        Err(value) => Err(Usage(format!("--{}: {:?} is not UTF-8", flag.long, value.to_string_lossy()))),
    }
}

fn level(word: &str) -> Result<LevelFilter, Usage> {
    match word {
        "debug" => Ok(LevelFilter::Debug),
        "info" => Ok(LevelFilter::Info),
        "warn" => Ok(LevelFilter::Warn),
        "error" => Ok(LevelFilter::Error),
        _ => Err(Usage(format!("--log.level={}: must be debug, info, warn or error", word.escape_debug()))),
    }
}

fn usage(error: lexopt::Error) -> Usage {
    Usage(error.to_string())
}

fn unknown(dashes: &str, name: &str) -> Usage {
    let nearest = GROUPS
        .iter()
        .flat_map(|(_, flags)| *flags)
        .map(|flag| {
            let begun = name.len() > 2 && flag.long.starts_with(name);
            (if begun { 0 } else { distance(name, flag.long) }, flag.long)
        })
        // Further away than that, it was something else.
        .filter(|(distance, long)| *distance <= long.len() / 2)
        .min();
    let hint = match nearest {
        Some((_, long)) => format!("did you mean --{long}?"),
        None => String::from("--help lists all flags"),
    };
    Usage(format!("unknown flag {dashes}{}; {hint}", name.escape_debug()))
}

/// A name longer than this is nobody's typing mistake.
const LONGEST_COMPARED: usize = 64;

/// How many characters must be put in, left out or changed to make one word the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(LONGEST_COMPARED).collect();
    let mut above: Vec<usize> = (0..=from.len()).collect();
    for (row, wanted) in to.chars().enumerate() {
        let mut diagonal = above[0];
        above[0] = row + 1;
        for (column, got) in from.iter().enumerate() {
            let changed = diagonal + usize::from(*got != wanted);
            diagonal = above[column + 1];
            above[column + 1] = changed.min(diagonal + 1).min(above[column] + 1);
        }
    }
    above[from.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Usage> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn refused(line: &str) -> String {
        parsed(line).unwrap_err().0
    }

    #[test]
    fn no_flags_serve_the_default_address() {
        let options = Options { listen: Vec::from([String::from(":9100")]), log_level: LevelFilter::Info };
        assert_eq!(parsed(""), Ok(Command::Serve(options)));
    }

    #[test]
    fn addresses_add_up_and_values_may_stand_apart() {
        let line = "--web.listen-address=:1 --log.level debug --web.listen-address unix:/x=y";
        let options = Options {
            listen: Vec::from([String::from(":1"), String::from("unix:/x=y")]),
            log_level: LevelFilter::Debug,
        };
        assert_eq!(parsed(line), Ok(Command::Serve(options)));
    }

    #[test]
    fn help_and_version_have_short_names() {
        for line in ["--help", "-h", "--log.level=warn -h", "-hV", "-h --nonsense"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line}");
        }
        for line in ["--version", "-V"] {
            assert_eq!(parsed(line), Ok(Command::Version), "{line}");
        }
    }

    #[test]
    fn unknown_flags_are_named_with_the_nearest() {
        for (line, expected) in [
            (
                "--web.listen-adress=:1",
                "unknown flag --web.listen-adress; did you mean --web.listen-address?",
            ),
            ("--web.listen=:1", "unknown flag --web.listen; did you mean --web.listen-address?"),
            (
                "-web.listen-address=:1",
                "unknown flag -web.listen-address; did you mean --web.listen-address?",
            ),
            ("-log.level=info", "unknown flag -log.level; did you mean --log.level?"),
            ("--hlep", "unknown flag --hlep; did you mean --help?"),
            ("--Version", "unknown flag --Version; did you mean --version?"),
            ("--collector.something", "unknown flag --collector.something; --help lists all flags"),
            ("-x", "unknown flag -x; --help lists all flags"),
            ("--\n", "unexpected argument \"x\": there are only flags"),
        ] {
            let line = if line == "--\n" { "-- x" } else { line };
            assert_eq!(refused(line), expected, "{line}");
        }
    }

    #[test]
    fn wrong_values_are_explained() {
        for (line, expected) in [
            ("--log.level=loud", "--log.level=loud: must be debug, info, warn or error"),
            ("--log.level", "--log.level needs a value: --log.level=LEVEL"),
            ("--web.listen-address", "--web.listen-address needs a value: --web.listen-address=ADDRESS"),
            ("--web.listen-address=", "--web.listen-address needs a value that is not empty"),
            ("--help=yes", "--help takes no value, but got \"yes\""),
            ("serve", "unexpected argument \"serve\": there are only flags"),
        ] {
            assert_eq!(refused(line), expected, "{line}");
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_was_typed() {
        use std::os::unix::ffi::OsStringExt;
        for bytes in
            [&b"--a\nb"[..], b"-\x1b[1m", b"x\ny", b"--log.level=\n", b"--web.listen-address=\xff", b"--\xff"]
        {
            let error = parse([OsString::from_vec(bytes.into())]).unwrap_err().0;
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        assert!(unknown("--", &"x".repeat(1 << 20)).0.ends_with("--help lists all flags"));
    }

    #[test]
    fn every_flag_is_in_the_help() {
        let help = help();
        for flag in GROUPS.iter().flat_map(|(_, flags)| *flags) {
            assert!(help.contains(&format!("--{}", flag.long)));
        }
        assert!(help.contains(DEFAULT_ADDRESS));
        assert!(help.lines().all(|line| line.len() <= 110), "{help}");
    }

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
