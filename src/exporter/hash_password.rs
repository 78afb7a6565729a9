//! The command `hash-password`: reads a password, prints what stands for it in a web configuration file.

use core::fmt::Write;
use std::io;
use std::process::ExitCode;
use std::string::String;
use std::{format, str};

use ring::rand::{SecureRandom, SystemRandom};

use super::signal;
use super::terminal::{Line, Stopped, Terminal, read_line};
use crate::web_config::{LONGEST_PASSWORD, generate};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HashPassword {
    /// The work of a login, as a power of two: 4 to 31.
    pub(super) cost: u32,
    /// Whose entry to print; the bare hash without.
    pub(super) user: Option<String>,
}

pub(super) fn run(wanted: &HashPassword) -> ExitCode {
    // When this returns, the password is no longer in memory and the terminal is as it was.
    match hashed(wanted) {
        Ok(text) => super::print(&text),
        Err(Stopped::Refused(problem)) => {
            super::complain(&problem);
            ExitCode::FAILURE
        }
        Err(Stopped::Signal(signal)) => {
            signal::die_of(signal);
            ExitCode::FAILURE
        }
    }
}

fn hashed(wanted: &HashPassword) -> Result<String, Stopped> {
    let mut password = Line::new();
    let input = io::stdin();
    match Terminal::hide(&input)? {
        None => read_line(&input, &mut password)?,
        Some(terminal) => {
            terminal.ask("Password: ", &mut password)?;
            // Whoever mistyped the first one need not type a second.
            check(password.as_slice())?;
            let mut again = Line::new();
            terminal.ask("The same again: ", &mut again)?;
            if again.as_slice() != password.as_slice() {
                return Err(Stopped::refused("the passwords differ"));
            }
        }
    }
    check(password.as_slice())?;
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| Stopped::refused("the system has no random numbers"))?;
    let hash = generate(wanted.cost, salt, password.as_slice());
    // Base64, dollars and digits.
    let hash = str::from_utf8(&hash).unwrap_or_default();
    Ok(match &wanted.user {
        None => format!("{hash}\n"),
        Some(name) => format!("basic_auth_users:\n  {}: {hash}\n", quoted(name)),
    })
}

/// Refuses what could not be typed at a login, and what bcrypt would cut off.
fn check(password: &[u8]) -> Result<(), Stopped> {
    if password.is_empty() {
        return Err(Stopped::refused("the password is empty"));
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(Stopped::refused(
            "the password has more than 72 bytes, and bcrypt would ignore the rest",
        ));
    }
    if password.contains(&0) {
        return Err(Stopped::refused("the password contains a NUL byte, where bcrypt programs end it"));
    }
    Ok(())
}

/// A name in double quotes, as YAML reads them. What it takes for a line end, or does not let stand in a file, is
/// escaped; control characters have been refused.
fn quoted(name: &str) -> String {
    let mut out = String::from('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_quotes() {
        for (name, expected) in [
            ("prometheus", r#""prometheus""#),
            ("yes", r#""yes""#),
            (r#"a "b" \n"#, r#""a \"b\" \\n""#),
            ("# Älice's - {x}", "\"# Älice's - {x}\""),
            ("\u{2028}\u{feff}\u{ffff}", r#""\u2028\ufeff\uffff""#),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }

    #[test]
    fn passwords_that_are_refused() {
        assert!(check(&[b'x'; 72]).is_ok() && check(b"\xff\n\t").is_ok());
        for password in [&b""[..], &[b'x'; 73], b"a\0b"] {
            assert!(matches!(check(password), Err(Stopped::Refused(_))));
        }
    }
}
