//! What is wrong with TLS settings, or only doubtful.

use core::fmt;
use std::string::String;

/// The setting that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Cert,
    Key,
    ClientCa,
    ClientCaDirectory,
    ClientNames,
    Suites,
    #[cfg_attr(not(feature = "web-config"), allow(dead_code, reason = "the builder cannot get them wrong"))]
    Versions,
}

/// A setting with which no server can start. One line, which says the cure; it names the file but not the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) part: Part,
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn new(part: Part, text: impl Into<String>) -> Self {
        Self { part, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Something that works, but perhaps not as meant.
pub(crate) type Remark = Problem;
