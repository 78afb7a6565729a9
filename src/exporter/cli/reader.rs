//! Reads arguments by a table of flags. The rules are those of the Go exporters (kingpin): `--flag=value` or
//! `--flag value`, `--no-flag` for switches, and what may not be repeated is refused if it is.

use std::ffi::OsString;
use std::format;
use std::string::String;
use std::vec::Vec;

use lexopt::{Arg, Parser};

use super::flags::{Flag, Groups, Kind, all};
use super::{Usage, absent, shown, unquoted};
use crate::nearest::nearest;

/// The arguments that are left.
pub(super) struct Reader {
    parser: Parser,
    groups: Groups,
    flags: Vec<&'static Flag>,
    seen: Vec<&'static str>,
}

/// One argument, with its value.
#[derive(Debug)]
pub(super) enum Given {
    Value(&'static Flag, OsString),
    Switch(&'static Flag, bool),
    Question(&'static Flag),
    /// Something without dashes.
    Word(OsString),
}

impl Reader {
    pub(super) fn new(arguments: Vec<OsString>, groups: Groups) -> Self {
        Self { parser: Parser::from_args(arguments), groups, flags: all(groups), seen: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Result<Option<Given>, Usage> {
        let argument = loop {
            let Some(argument) = self.parser.next().map_err(|error| problem(&error))? else {
                return Ok(None);
            };
            match argument {
                // What is not there is off.
                Arg::Long(name) if name.strip_prefix("no-").and_then(absent::collector).is_some() => {}
                argument => break argument,
            }
        };
        let is_long = matches!(argument, Arg::Long(_));
        let (flag, on) = match argument {
            Arg::Long(name) => {
                find_long(&self.flags, name).ok_or_else(|| unknown(self.groups, &self.flags, "--", name))?
            }
            Arg::Short(letter) => match self.flags.iter().find(|flag| flag.short == Some(letter)) {
                Some(flag) => (*flag, true),
                None => {
                    let word = whole_word(&mut self.parser, letter);
                    return Err(unknown(self.groups, &self.flags, "-", &word));
                }
            },
            Arg::Value(value) => return Ok(Some(Given::Word(value))),
        };
        let given = match flag.kind {
            Kind::Value(what) | Kind::Values(what) => Given::Value(flag, self.value(flag, what)?),
            Kind::Switch => Given::Switch(flag, on),
            Kind::Question => Given::Question(flag),
        };
        // What stands behind a short flag is another one: `-hV`.
        let more = if is_long { self.parser.optional_value() } else { None };
        if let Some(value) = more {
            return Err(Usage(format!("--{} takes no value, but got {}", flag.long, shown(&value))));
        }
        self.note(flag)?;
        Ok(Some(given))
    }

    fn value(&mut self, flag: &Flag, what: &str) -> Result<OsString, Usage> {
        if let Some(value) = self.parser.optional_value() {
            return Ok(value);
        }
        // A flag is no value: with `--a --b` the value of `--a` was forgotten.
        let next = self.parser.try_raw_args().and_then(|mut rest| rest.next_if(|next| !is_flag(next)));
        next.ok_or_else(|| Usage(format!("--{} needs a value: --{0}={what}", flag.long)))
    }

    fn note(&mut self, flag: &'static Flag) -> Result<(), Usage> {
        let once = matches!(flag.kind, Kind::Value(_) | Kind::Switch);
        if once && self.seen.contains(&flag.long) {
            return Err(Usage(format!("flag '{}' cannot be repeated", flag.long)));
        }
        self.seen.push(flag.long);
        Ok(())
    }
}

/// The only error of arguments that are taken one by one is a value that nobody has asked for.
fn problem(error: &lexopt::Error) -> Usage {
    match error {
        lexopt::Error::UnexpectedValue { option, value } => {
            Usage(format!("unexpected argument for option '{}': \"{}\"", unquoted(option), unquoted(value)))
        }
        _ => Usage(String::from("the arguments cannot be read")),
    }
}

fn is_flag(argument: &std::ffi::OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    bytes.len() > 1 && bytes.starts_with(b"-")
}

/// A flag by its name, and whether it is switched on.
fn find_long(flags: &[&'static Flag], name: &str) -> Option<(&'static Flag, bool)> {
    flags.iter().find_map(|flag| match name.strip_suffix(flag.long)? {
        "" => Some((*flag, true)),
        "no-" if flag.kind == Kind::Switch => Some((*flag, false)),
        _ => None,
    })
}

/// What was written behind one dash: perhaps a long flag that lacks the other.
fn whole_word(parser: &mut Parser, first: char) -> String {
    let rest = parser.optional_value().unwrap_or_default();
    let mut word = String::from(first);
    word.push_str(rest.to_string_lossy().split('=').next().unwrap_or_default());
    word
}

fn unknown(groups: Groups, flags: &[&'static Flag], dashes: &str, name: &str) -> Usage {
    let (no, positive) = name.strip_prefix("no-").map_or(("", name), |positive| ("no-", positive));
    let wanted = flags.iter().filter(|flag| no.is_empty() || flag.kind == Kind::Switch);
    if let Some(collector) = absent::collector(positive).filter(|_| groups.collectors) {
        let cure = "docs/collectors.md says what there is instead; leave the flag out";
        return Usage(format!("--{}: there is no collector {collector}: {cure}", unquoted(positive)));
    }
    // What all flags of a section have in common says nothing about nearness.
    let section =
        positive.split_inclusive('.').next().filter(|section| *section == "collector.").unwrap_or("");
    let wanted = wanted.filter_map(|flag| flag.long.strip_prefix(section));
    let rest = positive.strip_prefix(section).unwrap_or(positive);
    let hint = match nearest(rest, wanted) {
        Some(rest) => format!(" (did you mean --{no}{section}{rest}?)"),
        None => String::new(),
    };
    Usage(format!("unknown flag {dashes}{}{hint}", unquoted(name)))
}
