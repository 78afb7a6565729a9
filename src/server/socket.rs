//! Opening the sockets to listen on. Whatever fails, nothing stays behind.

use core::fmt;
#[cfg(not(feature = "names"))]
use core::net::SocketAddrV6;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::ffi::{CStr, CString};
use std::format;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::string::{String, ToString};
#[cfg(not(feature = "names"))]
use std::{vec, vec::Vec};

use rustix::fs::{FileType, lstat, unlink};
use rustix::io::Errno;
use rustix::net::sockopt::{
    Timeout, set_ipv6_v6only, set_socket_reuseaddr, set_socket_timeout, set_tcp_nodelay, socket_domain,
};
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname,
    listen, socket_with,
};

use super::defer_accept::defer_accept;
use super::inherit::check;
use super::listen::{Listen, Place, Target};
use super::slot::STALLED_MS;
use crate::Error;
use crate::http::limits::Limits;
use crate::resident::QUIET;
#[cfg(not(feature = "names"))]
use crate::text::number::unsigned;

/// Connections that the kernel keeps for us. More than a crowd of silent clients fills easily, because a full queue
/// makes it drop SYNs, which clients repeat only after a second. An entry costs memory only while it is used.
const BACKLOG: i32 = 1024;

/// How long the kernel may keep back a connection that has sent nothing, in seconds.
const DEFER_SECONDS: i32 = 5;

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    /// No other process accepts from it.
    pub(super) own: bool,
    /// Accepted sockets have its time limits. Those of Unix sockets have not.
    pub(super) inherits: bool,
    pub(super) name: String,
    pub(super) address: Option<SocketAddr>,
    /// Removed when the listener is dropped.
    _file: Option<SocketFile>,
}

impl Listener {
    /// Opens the place. Blocks only if a host name has to be resolved.
    pub(super) fn open(place: Listen, limits: &Limits) -> Result<Self, Error> {
        let label = place.0.label();
        let failed = |source| Error::listen(label.as_str(), source);
        let (socket, file, own) = match place.0 {
            Place::Address(address) => (open_tcp(address).map_err(failed)?, None, true),
            Place::Socket(socket) => {
                check(&socket).map_err(|problem| Error::address(label.as_str(), problem))?;
                (socket, None, false)
            }
            Place::Text(text) => match Target::parse(&text)? {
                Target::Address(address) => (open_tcp(address).map_err(failed)?, None, true),
                Target::Everywhere(port) => (open_everywhere(port).map_err(failed)?, None, true),
                Target::Name(host, port) => (open_name(host, port).map_err(failed)?, None, true),
                Target::Unix(path) => {
                    let (socket, file) = open_unix(path).map_err(failed)?;
                    (socket, Some(file), true)
                }
            },
        };
        let inherits = prepare(&socket, own, limits).map_err(|error| failed(error.into()))?;
        let (name, address) = name_of(&socket).map_err(|error| failed(error.into()))?;
        Ok(Self { socket, own, inherits, name, address, _file: file })
    }
}

/// Sets what connections inherit, so that none costs a system call for it. Tells whether they do. Where another process may
/// accept from it too, our times would be in its connections, so each of ours gets them by itself.
fn prepare(socket: &OwnedFd, own: bool, limits: &Limits) -> rustix::io::Result<bool> {
    if own {
        set_timeouts(socket, limits)?;
    }
    let tcp = socket_domain(socket)? != AddressFamily::UNIX;
    if tcp {
        // A response leaves in whole buffers; without this, the second of two waits for the peer's delayed
        // acknowledgement of the first, 40 ms (RFC 9293 §3.7.4).
        set_tcp_nodelay(socket, true)?;
        defer_accept(std::os::fd::AsFd::as_fd(socket), DEFER_SECONDS);
    }
    Ok(tcp && own)
}

/// The time limits of the blocking calls: a read between requests, and one step of a write (see `deadline.rs`).
pub(super) fn set_timeouts(socket: &OwnedFd, limits: &Limits) -> rustix::io::Result<()> {
    let step = Duration::from_millis(u64::from(STALLED_MS)).min(limits.response_timeout);
    let quiet = QUIET.min(limits.idle_timeout);
    set_socket_timeout(socket, Timeout::Recv, Some(quiet))?;
    set_socket_timeout(socket, Timeout::Send, Some(step))
}

fn open_tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        // `[::]` means everything, whatever net.ipv6.bindv6only says.
        set_ipv6_v6only(&socket, false)?;
    }
    // A port with connections of an earlier server in TIME_WAIT can be taken, one with a listener cannot.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn open_everywhere(port: u16) -> io::Result<OwnedFd> {
    match open_tcp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
        Err(error)
            if [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT]
                .iter()
                .any(|absent| error.raw_os_error() == Some(absent.raw_os_error())) =>
        {
            open_tcp(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        other => other,
    }
}

fn open_name(host: &str, port: u16) -> io::Result<OwnedFd> {
    let mut failed = None;
    for address in addresses(host, port)? {
        match open_tcp(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.unwrap_or_else(|| refusal(io::ErrorKind::NotFound, "the name has no address")))
}

/// Why this program opens no socket, as an error of the system.
fn refusal(kind: io::ErrorKind, why: &'static str) -> io::Error {
    io::Error::new(kind, Refusal(why))
}

/// A text alone would bring what prints any text for programmers.
struct Refusal(&'static str);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl core::error::Error for Refusal {}

#[cfg(feature = "names")]
fn addresses(host: &str, port: u16) -> io::Result<impl Iterator<Item = SocketAddr>> {
    std::net::ToSocketAddrs::to_socket_addrs(&(host, port))
}

/// What needs no resolver: this machine by its name, and an IPv6 address with its zone (RFC 4007 §11).
#[cfg(not(feature = "names"))]
fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    let zoned = host.split_once('%').and_then(|(address, zone)| Some((address.parse().ok()?, zone)));
    let Some((address, zone)) = zoned else {
        return Err(refusal(
            io::ErrorKind::Unsupported,
            "this program looks up no names; write an address, or build it with the feature `names`",
        ));
    };
    let index = match unsigned(zone.as_bytes()).and_then(|index| u32::try_from(index).ok()) {
        Some(index) => index,
        None => {
            let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
            rustix::net::netdevice::name_to_index(&socket, zone)?
        }
    };
    Ok(vec![SocketAddrV6::new(address, port, 0, index).into()])
}

/// The file of a Unix socket, removed when dropped unless another has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: CString,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if look(&self.path).is_ok_and(|(_, identity)| identity == self.identity) {
            let _ = unlink(&self.path);
        }
    }
}

/// What a file is, and which; a link is a file.
#[allow(clippy::unnecessary_cast, reason = "the types differ between targets")]
fn look(path: &CStr) -> rustix::io::Result<(FileType, (u64, u64))> {
    let about = lstat(path)?;
    Ok((FileType::from_raw_mode(about.st_mode), (about.st_dev as u64, about.st_ino as u64)))
}

fn open_unix(path: &Path) -> io::Result<(OwnedFd, SocketFile)> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
    let address = SocketAddrUnix::new(path.as_c_str())?;
    let new = || socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = new()?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            if look(&path)?.0 != FileType::Socket {
                return Err(refusal(io::ErrorKind::AlreadyExists, "the path is a file of another kind"));
            }
            let probe = socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
                None,
            )?;
            // Only a refusal proves that nobody listens; a server with a full queue says EAGAIN.
            if connect(&probe, &address) != Err(Errno::CONNREFUSED) {
                return Err(Errno::ADDRINUSE.into());
            }
            unlink(&path)?;
            bind(&socket, &address)?;
        }
        other => other?,
    }
    let (_, identity) = look(&path)?;
    let file = SocketFile { path, identity };
    listen(&socket, BACKLOG)?;
    Ok((socket, file))
}

/// The address in the form that `Listen` reads, and as an IP address if it is one.
fn name_of(socket: &OwnedFd) -> rustix::io::Result<(String, Option<SocketAddr>)> {
    let any: SocketAddrAny = getsockname(socket)?;
    if let Ok(address) = SocketAddr::try_from(any.clone()) {
        return Ok((address.to_string(), Some(address)));
    }
    let path = SocketAddrUnix::try_from(any).ok();
    let path = path.as_ref().and_then(|unix| unix.path()).map(|path| path.to_string_lossy().into_owned());
    Ok((format!("unix:{}", path.unwrap_or_default()), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::accept_with;
    use rustix::net::sockopt::{socket_timeout, tcp_nodelay};
    use std::io::Write;
    use std::net::TcpStream;

    fn open(place: impl Into<Listen>) -> Result<Listener, Error> {
        Listener::open(place.into(), &Limits::DEFAULT)
    }

    #[test]
    fn accepted_tcp_sockets_inherit_every_option() {
        let listener = open("127.0.0.1:0").expect("loopback");
        let mut client = TcpStream::connect(listener.address.expect("TCP")).expect("it listens");
        client.write_all(b"x").expect("it is open");
        let accepted = accept_with(&listener.socket, SocketFlags::CLOEXEC).expect("a client waits");
        assert!(listener.inherits);
        assert!(tcp_nodelay(&accepted).expect("a TCP socket"));
        assert_eq!(socket_timeout(&accepted, Timeout::Recv).expect("set"), Some(QUIET));
        assert_eq!(
            socket_timeout(&accepted, Timeout::Send).expect("set"),
            Some(Duration::from_millis(STALLED_MS.into()))
        );
    }

    #[test]
    fn a_busy_port_is_named_with_the_cure() {
        let first = open("127.0.0.1:0").expect("loopback");
        let line = open(&first.name).expect_err("in use").to_string();
        assert!(line.starts_with(&format!("cannot listen on {}: ", first.name)), "{line}");
        assert!(line.contains("in use") && line.contains("choose another port"), "{line}");
    }

    #[test]
    fn foreign_addresses_and_unknown_hosts() {
        let line = open("192.0.2.200:0").expect_err("not ours").to_string();
        assert!(line.contains("192.0.2.200:0") && line.contains("must belong to this machine"), "{line}");
        let line = open("no-such-host.invalid:0").expect_err("reserved by RFC 6761").to_string();
        assert!(line.contains("no-such-host.invalid:0"), "{line}");
    }

    #[test]
    fn everywhere_takes_both_families() {
        let listener = open(":0").expect("some family");
        let port = listener.address.expect("TCP").port();
        TcpStream::connect(("127.0.0.1", port)).expect("IPv4 always");
        if TcpStream::connect(("::1", port)).is_err() {
            assert!(listener.address.expect("TCP").is_ipv4(), "IPv6 only where the machine has none");
        }
    }
}
