//! Why something could not be started or written.

use std::boxed::Box;
use std::fmt;
use std::io;
#[cfg(feature = "http")]
use std::string::String;

use crate::escaped::Quoted;

/// Why a server could not start or a file could not be written. One line, which names the thing and the cure.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one that can be listened on.
    Address {
        /// The address as it was given.
        address: Box<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The system refused the address: in use, not local, not permitted.
    Listen {
        /// The address as it was given.
        address: Box<str>,
        /// The system's reason.
        source: io::Error,
    },
    /// A setting that cannot work.
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A certificate, a key or a CA cannot be used.
    #[cfg(feature = "tls")]
    Tls {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it, with the file's name.
        problem: Box<str>,
    },
    /// The web configuration file cannot be followed.
    #[cfg(feature = "web-config")]
    WebConfig {
        /// The path as it was given.
        path: Box<str>,
        /// What is wrong with it, with lines and fields.
        problem: Box<str>,
    },
    /// The server's threads could not be created.
    Thread {
        /// The system's reason.
        source: io::Error,
    },
    /// A file could not be written.
    Write {
        /// The path.
        path: Box<str>,
        /// The system's reason.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, problem } => {
                write!(out, "cannot listen on {}: {problem}", Quoted(address))
            }
            Self::Listen { address, source } => {
                write!(out, "cannot listen on {address}: {source}{}", hint(source))
            }
            Self::Setting { setting, problem } => write!(out, "{setting}: {problem}"),
            #[cfg(feature = "tls")]
            Self::Tls { setting, problem } => write!(out, "{setting}: {problem}"),
            #[cfg(feature = "web-config")]
            Self::WebConfig { path, problem } => write!(out, "{path}: {problem}"),
            Self::Thread { source } => write!(out, "cannot create the server's threads: {source}"),
            Self::Write { path, source } => write!(out, "cannot write {path}: {source}"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Thread { source } | Self::Write { source, .. } => {
                Some(source)
            }
            Self::Address { .. } | Self::Setting { .. } => None,
            #[cfg(feature = "tls")]
            Self::Tls { .. } => None,
            #[cfg(feature = "web-config")]
            Self::WebConfig { .. } => None,
        }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "; stop the other program or choose another port",
        io::ErrorKind::AddrNotAvailable => "; the address must belong to this machine",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    }
}

#[cfg(feature = "http")]
impl Error {
    pub(crate) fn address(address: impl Into<String>, problem: &'static str) -> Self {
        Self::Address { address: address.into().into_boxed_str(), problem }
    }

    pub(crate) fn listen(address: impl Into<String>, source: io::Error) -> Self {
        Self::Listen { address: address.into().into_boxed_str(), source }
    }
}
