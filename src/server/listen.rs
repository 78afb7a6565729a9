//! Where a server listens: what callers may give, and how an address text is read. No socket is opened here.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::borrow::ToOwned;
use std::format;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::string::{String, ToString};

use crate::Error;
use crate::text::number::unsigned;

/// Longest path of a Unix socket, in bytes: `sun_path` less its closing zero (unix(7)).
const LONGEST_PATH: usize = 107;

/// Where to listen: an address, or a socket that listens already.
///
/// | text | meaning |
/// |---|---|
/// | `0.0.0.0:9100` | all IPv4 addresses of this machine |
/// | `[::]:9100` | all addresses, IPv6 and IPv4, through one socket |
/// | `:9100` | the same, and IPv4 alone where the system has no IPv6 |
/// | `127.0.0.1:9100`, `[::1]:9100` | one address |
/// | `localhost:9100` | what the resolver says; the first address that can be listened on. Without the feature `names` no name but this one is known |
/// | `unix:/run/scrapeport.sock` | a Unix socket; a file left behind by a dead server is replaced |
///
/// Port 0 lets the system choose; [`Server::local_addr`](super::Server::local_addr) tells which it took.
///
/// A listener given as such ([`TcpListener`], [`UnixListener`], [`listen_fds`](super::listen_fds)) is closed at
/// shutdown but never shut down: another process, such as systemd, may hold the same one and go on using it. It is
/// set to non-blocking.
#[derive(Debug)]
pub struct Listen(pub(super) Place);

#[derive(Debug)]
pub(super) enum Place {
    Text(String),
    Address(SocketAddr),
    Socket(OwnedFd),
}

impl From<&str> for Listen {
    fn from(text: &str) -> Self {
        Self(Place::Text(text.to_owned()))
    }
}

impl From<&String> for Listen {
    fn from(text: &String) -> Self {
        Self(Place::Text(text.clone()))
    }
}

impl From<String> for Listen {
    fn from(text: String) -> Self {
        Self(Place::Text(text))
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(Place::Address(address))
    }
}

impl From<(IpAddr, u16)> for Listen {
    fn from((address, port): (IpAddr, u16)) -> Self {
        Self(Place::Address(SocketAddr::new(address, port)))
    }
}

impl From<(&str, u16)> for Listen {
    /// The host as in an address text; an IPv6 address may come without its brackets.
    fn from((host, port): (&str, u16)) -> Self {
        let bare = host.contains(':') && !host.starts_with('[');
        Self(Place::Text(if bare { format!("[{host}]:{port}") } else { format!("{host}:{port}") }))
    }
}

impl From<TcpListener> for Listen {
    fn from(listener: TcpListener) -> Self {
        Self(Place::Socket(listener.into()))
    }
}

impl From<UnixListener> for Listen {
    fn from(listener: UnixListener) -> Self {
        Self(Place::Socket(listener.into()))
    }
}

/// An address text, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// `:9100`
    Everywhere(u16),
    Address(SocketAddr),
    Name(&'a str, u16),
    Unix(&'a Path),
}

impl<'a> Target<'a> {
    /// # Errors
    /// [`Error::Address`], which says what to write instead.
    pub(super) fn parse(text: &'a str) -> Result<Self, Error> {
        let bad = |problem| Error::address(text, problem);
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err(bad("the path is missing; write unix:/run/scrapeport.sock")),
                1..=LONGEST_PATH if !path.contains('\0') => Ok(Self::Unix(Path::new(path))),
                1..=LONGEST_PATH => Err(bad("a path cannot hold a zero byte")),
                _ => Err(bad("the path is longer than 107 bytes, the most a Unix socket can have")),
            };
        }
        if text.starts_with('/') {
            return Err(bad("for a Unix socket write unix: before the path"));
        }
        if text.split(':').skip(1).any(|rest| rest.starts_with("//")) {
            return Err(bad("an address has no scheme and no path; write host:port"));
        }
        let missing = "the port is missing; write host:port, as in 0.0.0.0:9100";
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(bad("an IPv6 address stands in brackets; write [::1]:9100"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| bad(missing))?;
        if port.is_empty() || port.ends_with(']') {
            return Err(bad(missing));
        }
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad("the port is not a number; write host:port, as in 0.0.0.0:9100"));
        }
        let port = unsigned(port.as_bytes()).and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| bad("the port is out of range; the highest is 65535"))?;
        if host.is_empty() {
            return Ok(Self::Everywhere(port));
        }
        if let Some(inner) = host.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(|| bad("the closing bracket is missing"))?;
            return match inner.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Self::Address(SocketAddr::new(address.into(), port))),
                // A zone, as in fe80::1%eth0, has to be looked up.
                Err(_) if inner.contains('%') => Ok(Self::Name(inner, port)),
                Err(_) => Err(bad("what stands in the brackets is not an IPv6 address")),
            };
        }
        if host.contains(':') {
            return Err(bad("an IPv6 address stands in brackets; write [::1]:9100"));
        }
        match host.parse::<IpAddr>() {
            Ok(address) => Ok(Self::Address(SocketAddr::new(address, port))),
            Err(_) => Ok(Self::Name(host, port)),
        }
    }
}

impl Place {
    /// What stands in messages about this place.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Address(address) => address.to_string(),
            Self::Socket(_) => "the listener given".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Target::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn every_form_of_the_table() {
        let address = |text: &str| Target::Address(text.parse().expect(text));
        for (text, expected) in [
            ("0.0.0.0:9100", address("0.0.0.0:9100")),
            ("[::]:9100", address("[::]:9100")),
            ("[::1]:0", address("[::1]:0")),
            (":9100", Target::Everywhere(9100)),
            ("localhost:65535", Target::Name("localhost", 65_535)),
            ("[fe80::1%eth0]:9100", Target::Name("fe80::1%eth0", 9100)),
            ("unix:/run/x.sock", Target::Unix(Path::new("/run/x.sock"))),
            ("unix:x", Target::Unix(Path::new("x"))),
        ] {
            assert_eq!(Target::parse(text).expect(text), expected);
        }
    }

    #[test]
    fn refusals_say_what_to_write() {
        for (text, words) in [
            ("", "port is missing"),
            ("0.0.0.0", "port is missing"),
            ("0.0.0.0:", "port is missing"),
            ("[::1]", "port is missing"),
            ("::1", "brackets"),
            ("::1:9100", "brackets"),
            ("fe80::1:2:3:4:5:6:7:8:9100", "brackets"),
            ("0.0.0.0:65536", "highest is 65535"),
            ("0.0.0.0:99999999999999999999", "highest is 65535"),
            ("0.0.0.0:-1", "not a number"),
            ("0.0.0.0:+1", "not a number"),
            ("0.0.0.0:http", "not a number"),
            ("[::1:9100", "closing bracket"),
            ("[localhost]:9100", "not an IPv6 address"),
            ("http://0.0.0.0:9100", "no scheme"),
            ("/run/x.sock", "write unix:"),
            ("unix:", "path is missing"),
            ("unix:a\0b", "zero byte"),
            (&format!("unix:/{}", "x".repeat(107)), "longer than 107"),
        ] {
            let line = refusal(text);
            assert!(line.contains(words), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
