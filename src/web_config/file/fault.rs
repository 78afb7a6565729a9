//! What is wrong with a file, for people: one line each, which says where, what, and what to do.
//!
//! Nothing secret is in it: no hash, no key, no password. What stood in the file is shown escaped and cut.

use core::fmt;
use std::format;
use std::string::String;

/// More faults of one file are not reported.
pub(super) const FAULTS: usize = 100;

/// A reason to refuse the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Counted from 1; none if it concerns the whole file.
    pub(crate) line: Option<u32>,
    /// With dots: `tls_server_config.min_version`; empty if it is no field's.
    pub(crate) field: String,
    /// What is wrong and what to do.
    pub(crate) problem: String,
    /// Whom it concerns if the file becomes like this while a server runs.
    pub(crate) scope: Scope,
}

/// How far a fault reaches, the furthest first. At the start every fault is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// The file as a whole cannot be followed.
    File,
    /// Handshakes have nothing to go by; connections that stand do not care.
    Handshake,
    /// One user, who cannot log in.
    User,
}

/// Something useless or dangerous that is accepted all the same.
pub(crate) type Warning = Fault;

impl Fault {
    pub(crate) fn new(line: u32, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { line: Some(line), field: field.into(), problem: problem.into(), scope: Scope::File }
    }

    pub(crate) fn of_file(problem: impl Into<String>) -> Self {
        Self { line: None, field: String::new(), problem: problem.into(), scope: Scope::File }
    }

    pub(crate) const fn reaching(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(out, "line {line}: ")?;
        }
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.problem)
    }
}

/// Longer texts of the file are cut.
const SHOWN: usize = 48;

/// A text of the file, as it may be shown: escaped, short, no secret.
pub(crate) fn shown(text: &str) -> String {
    // What looks like a hash or a key stands in the wrong place, but it stays a secret.
    if text.contains("$2") || text.contains("-----") {
        return String::from("(hidden)");
    }
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", text[..end].escape_debug()),
        None => format!("{}", text.escape_debug()),
    }
}

/// The dotted name of a field.
pub(super) fn dotted(section: &str, name: &str) -> String {
    if section.is_empty() { shown(name) } else { format!("{section}.{}", shown(name)) }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_fault_is_one_line() {
        let fault = Fault::new(3, dotted("basic_auth_users", "a\nb"), "no");
        assert_eq!(fault.to_string(), "line 3: basic_auth_users.a\\nb: no");
        assert_eq!(Fault::of_file("no").to_string(), "no");
    }

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        assert_eq!(shown("$2y$10$abc"), "(hidden)");
        assert_eq!(shown("-----BEGIN PRIVATE KEY-----"), "(hidden)");
        assert_eq!(shown(&"x".repeat(60)), format!("{}...", "x".repeat(48)));
    }
}
