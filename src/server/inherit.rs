//! Listeners that the service manager has opened: socket activation, sd_listen_fds(3).
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use std::env;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::string::String;
use std::vec::Vec;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};

use super::listen::{Listen, Place};
use crate::Error;
use crate::text::number::unsigned;

/// The first inherited descriptor (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// More sockets than any unit file lists; a larger number is taken for a mistake.
const MOST: RawFd = 64;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The listening sockets that the service manager hands to this process, in the order of its unit file; none if it
/// was started otherwise.
///
/// This follows `sd_listen_fds(3)`: `LISTEN_PID` must be this process, `LISTEN_FDS` counts descriptors from 3 on.
/// They are set close-on-exec. The first call takes them, later calls get none. The environment is left as it is.
/// Allocates.
///
/// # Errors
/// [`Error::Address`] if a variable is not a number, or a descriptor is not a listening stream socket.
pub fn listen_fds() -> Result<Vec<Listen>, Error> {
    let pid = env::var("LISTEN_PID").ok();
    let fds = env::var("LISTEN_FDS").ok();
    let count = count(pid.as_deref(), fds.as_deref(), std::process::id())?;
    if count == 0 || TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    (FIRST..FIRST + count).map(take).collect()
}

fn count(pid: Option<&str>, fds: Option<&str>, own: u32) -> Result<RawFd, Error> {
    let (Some(pid), Some(fds)) = (pid, fds) else { return Ok(0) };
    let pid = unsigned(pid.as_bytes())
        .ok_or_else(|| Error::address("LISTEN_PID", "the variable is not a process number"))?;
    // Meant for our parent: what it left in the environment is not ours.
    if pid != u64::from(own) {
        return Ok(0);
    }
    match unsigned(fds.as_bytes()) {
        Some(count) if count <= MOST as u64 => Ok(count as RawFd),
        _ => Err(Error::address("LISTEN_FDS", "the variable is not a number from 0 to 64")),
    }
}

fn take(number: RawFd) -> Result<Listen, Error> {
    let refused = |problem| Error::address(label(number), problem);
    {
        // SAFETY: used for this block only, and only in system calls that fail cleanly if it is not open.
        let peek = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl_setfd(peek, FdFlags::CLOEXEC).map_err(|_| refused("the descriptor is not open"))?;
        check(peek).map_err(refused)?;
    }
    // SAFETY: the descriptor is open, and by the protocol the process owns it from its start. `TAKEN` lets only one
    // caller come here, so nothing else closes it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    Ok(Listen(Place::Socket(socket)))
}

fn label(number: RawFd) -> String {
    std::format!("inherited descriptor {number}")
}

/// Whether a server can accept from this socket.
pub(super) fn check(socket: impl AsFd) -> Result<(), &'static str> {
    match (socket_type(&socket), socket_acceptconn(&socket)) {
        (Err(_), _) => Err("it is not a socket"),
        (Ok(kind), _) if kind != SocketType::STREAM => Err("it is not a stream socket"),
        (_, Ok(true)) => Ok(()),
        _ => Err("the socket does not listen; let the service manager listen on it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_this_process() {
        assert_eq!(count(None, None, 7).expect("none"), 0);
        assert_eq!(count(Some("7"), None, 7).expect("none"), 0);
        assert_eq!(count(Some("8"), Some("1"), 7).expect("none"), 0);
        assert_eq!(count(Some("7"), Some("0"), 7).expect("none"), 0);
        assert_eq!(count(Some("7"), Some("2"), 7).expect("two"), 2);
        for (pid, fds) in [("x", "1"), ("7", "x"), ("7", "-1"), ("7", "65"), ("7", "99999999999")] {
            assert!(count(Some(pid), Some(fds), 7).is_err(), "{pid} {fds}");
        }
    }
}
