//! The commands about web configuration files: `check web-config` and `hash-password`.

use std::ffi::OsString;
use std::format;
use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

use super::flags::{self, COST, USER};
use super::help::Topic;
use super::reader::{Given, Reader};
use super::{Command, Usage, answer, filled, shown, unquoted};
use crate::exporter::hash_password::HashPassword;
use crate::nearest::nearest;

/// The cost of a hash unless told otherwise, as htpasswd and the Go exporters' manuals have it.
const DEFAULT_COST: u32 = 10;
/// The longest name in an entry, in bytes.
const LONGEST_NAME: usize = 255;

/// `check web-config FILE...`
pub(super) fn check(arguments: Vec<OsString>) -> Result<Command, Usage> {
    let mut reader = Reader::new(arguments, flags::CHECK);
    let mut what = None;
    let mut files = Vec::new();
    while let Some(given) = reader.next()? {
        match given {
            Given::Question(flag) => return Ok(answer(flag, Topic::Check)),
            Given::Word(word) if what.is_none() && word == "web-config" => what = Some(()),
            Given::Word(word) if what.is_none() => {
                let near = nearest(&word.to_string_lossy(), ["web-config"]);
                let hint = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                return Err(Usage(format!("cannot check {}{hint}", shown(&word))));
            }
            Given::Word(file) => files.push(PathBuf::from(file)),
            Given::Value(flag, _) | Given::Switch(flag, _) => return Err(no_meaning(flag)),
        }
    }
    match (what, files.is_empty()) {
        (None, _) => Err(Usage(String::from("check needs to know what: check web-config FILE..."))),
        (_, true) => Err(Usage(String::from("check web-config needs at least one FILE"))),
        (_, false) => Ok(Command::Check(files)),
    }
}

/// `hash-password [--cost N] [--user NAME]`
pub(super) fn hash_password(arguments: Vec<OsString>) -> Result<Command, Usage> {
    let mut reader = Reader::new(arguments, flags::HASH_PASSWORD);
    let mut wanted = HashPassword { cost: DEFAULT_COST, user: None };
    while let Some(given) = reader.next()? {
        match given {
            Given::Question(flag) => return Ok(answer(flag, Topic::HashPassword)),
            Given::Value(flag, value) if *flag == COST => wanted.cost = cost(&filled(flag, value)?)?,
            Given::Value(flag, value) if *flag == USER => wanted.user = Some(user(filled(flag, value)?)?),
            Given::Value(flag, _) | Given::Switch(flag, _) => return Err(no_meaning(flag)),
            // Not shown: it may be the password.
            Given::Word(_) => {
                return Err(Usage(String::from(
                    "unexpected argument: the password is asked for or read from standard input",
                )));
            }
        }
    }
    Ok(Command::HashPassword(wanted))
}

fn no_meaning(flag: &flags::Flag) -> Usage {
    Usage(format!("--{} has no meaning here", flag.long))
}

fn cost(text: &str) -> Result<u32, Usage> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(cost @ 4..=31) if is_number => Ok(cost),
        _ => Err(Usage(format!("--cost={}: must be a number from 4 to 31", unquoted(text)))),
    }
}

fn user(name: String) -> Result<String, Usage> {
    if name.contains(':') {
        return Err(Usage(format!("--user={}: a name with a colon can never log in", unquoted(&name))));
    }
    if name.contains(char::is_control) {
        return Err(Usage(format!("--user={}: must not contain control characters", unquoted(&name))));
    }
    // YAML takes no more than 1024 characters for a key, and htpasswd not even so much.
    if name.len() > LONGEST_NAME {
        return Err(Usage(format!("--user={}: has more than {LONGEST_NAME} bytes", unquoted(&name))));
    }
    Ok(name)
}
