//! Netlink: questions to the kernel that no file answers. Source: netlink(7) and the kernel's
//! `Documentation/userspace-api/netlink/intro.rst`.
//!
//! A request and its answers are bytes here; [`Messages`] and [`Attributes`] read them, whatever they hold.

use core::time::Duration;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, sendto, socket_with};

use crate::resident::Bytes;

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Links and addresses: rtnetlink(7). Its protocol number, 0, is the default of the address family.
    Route,
    /// Everything with a name.
    Generic,
}

/// How long the kernel may let an answer wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most bytes of all answers to one request: some 10,000 stations of a wireless network.
const MOST: usize = 16 << 20;

/// Room for one datagram: the kernel fills 32 KiB at most.
const DATAGRAM: usize = 32 << 10;

/// The socket of a thread that asks the routing family: to make one costs half as much as an answer.
pub(super) type Line = Option<OwnedFd>;

/// Sends a request, and gathers all messages of the answer.
///
/// It may wait for a lock of the kernel: ask through [`Patience`](super::patience::Patience).
pub(super) fn exchange(line: &mut Line, peer: Peer, request: &[u8], into: &mut Bytes) -> Result<(), Errno> {
    let socket = match (peer, line.take()) {
        (Peer::Route, Some(socket)) => socket,
        (Peer::Route, None) => open(None)?,
        (Peer::Generic, other) => {
            *line = other;
            let socket = open(Some(netlink::GENERIC))?;
            return ask(&socket, request, into);
        }
    };
    ask(&socket, request, into)?;
    // On one where something went wrong the rest of the answer may still come.
    *line = Some(socket);
    Ok(())
}

fn ask(socket: &OwnedFd, request: &[u8], into: &mut Bytes) -> Result<(), Errno> {
    sendto(socket, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    into.clear();
    loop {
        // Memory for one datagram, and for the end that comes after it: a larger buffer would be a copy of a whole one.
        if into.spare().len() < DATAGRAM {
            into.reserve(2 * DATAGRAM);
        }
        let begin = into.len();
        match recv(socket, into.spare(), RecvFlags::empty()) {
            Err(Errno::INTR) => continue,
            // What does not come in time.
            Err(Errno::AGAIN) => return Err(Errno::TIMEDOUT),
            Err(errno) => return Err(errno),
            Ok((length, _)) => into.add(length),
        }
        if is_last(into.get(begin..).unwrap_or_default())? {
            return Ok(());
        }
        if into.len() > MOST {
            return Err(Errno::FBIG);
        }
    }
}

fn open(protocol: Option<Protocol>) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

/// Whether the answer ends with this datagram, or why there is none.
fn is_last(datagram: &[u8]) -> Result<bool, Errno> {
    let mut any = false;
    for message in Messages::new(datagram) {
        any = true;
        if matches!(message.kind, ERROR | DONE) {
            // A negative error number, or 0 if all is well.
            let code = message.body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
            return if code < 0 { Err(Errno::from_raw_os_error(code.saturating_neg())) } else { Ok(true) };
        }
        if message.flags & MULTI == 0 {
            return Ok(true);
        }
    }
    // Nothing that can be read will not be followed by anything better.
    if any { Ok(false) } else { Err(Errno::BADMSG) }
}

const ERROR: u16 = 2;
const DONE: u16 = 3;
const MULTI: u16 = 2;

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 1;
/// `NLM_F_DUMP`: all there is.
pub(crate) const DUMP: u16 = 0x300;

const HEADER: usize = 16;

/// A message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    flags: u16,
    pub(crate) body: &'a [u8],
}

/// The messages in some bytes. What is cut off ends them.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = u32_at(self.rest, 0)? as usize;
        let body = self.rest.get(HEADER..length)?;
        let (kind, flags) = (u16_at(self.rest, 4)?, u16_at(self.rest, 6)?);
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, flags, body })
    }
}

/// The attributes in some bytes: kind and value. What is cut off ends them.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes that follow a head of so many bytes.
    pub(crate) fn after(head: usize, body: &'a [u8]) -> Self {
        Self { rest: body.get(head..).unwrap_or_default() }
    }

    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The value of the first attribute of this kind.
    pub(crate) fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == kind).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(u16_at(self.rest, 0)?);
        let value = self.rest.get(4..length)?;
        // The two highest bits tell that attributes are nested, or the order of bytes.
        let kind = u16_at(self.rest, 2)? & 0x3fff;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// A request under way, on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    bytes: [u8; LONGEST],
    length: usize,
}

/// The longest request: a header, a head, and a few short attributes.
const LONGEST: usize = 96;

impl Request {
    /// A message of this kind whose body begins with `head`.
    pub(crate) fn new(kind: u16, flags: u16, head: &[u8]) -> Self {
        let mut request = Self { bytes: [0; LONGEST], length: 0 };
        request.put(&[0; 4]);
        request.put(&kind.to_ne_bytes());
        request.put(&flags.to_ne_bytes());
        // The sequence number, and the port, which the kernel fills in.
        request.put(&1_u32.to_ne_bytes());
        request.put(&[0; 4]);
        request.put(head);
        request.align();
        request
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(4);
        self.put(&length.to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        self.align();
        self
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// Ends a head or an attribute, and writes the length of it all to the front.
    fn align(&mut self) {
        self.length = self.length.next_multiple_of(4).min(LONGEST);
        if let (Some(place), Ok(length)) = (self.bytes.first_chunk_mut(), u32::try_from(self.length)) {
            *place = length.to_ne_bytes();
        }
    }
}

impl AsRef<[u8]> for Request {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The number of 16 bits at this place, in the machine's order of bytes.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

/// The number of 32 bits at this place.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// The number of 64 bits at this place.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let request =
            Request::new(22, REQUEST | DUMP, &[1, 2, 3, 4]).attribute(3, b"abcde").attribute(4, &[9, 9]);
        let mut messages = Messages::new(request.as_ref());
        let message = messages.next().unwrap();
        assert_eq!((message.kind, message.flags), (22, 0x301));
        assert_eq!(message.body.get(..4), Some(&[1, 2, 3, 4][..]));
        let attributes = Attributes::after(4, message.body);
        assert_eq!(attributes.clone().next(), Some((3, &b"abcde"[..])));
        assert_eq!(attributes.clone().find(4), Some(&[9, 9][..]));
        assert_eq!(attributes.find(5), None);
        assert_eq!(messages.next(), None);
    }

    #[test]
    fn the_end_of_an_answer_is_seen() {
        let done = |code: i32| Request::new(DONE, MULTI, &code.to_ne_bytes());
        let part = Request::new(20, MULTI, b"abcd");
        assert_eq!(is_last(part.as_ref()), Ok(false));
        assert_eq!(is_last(&[part.as_ref(), done(0).as_ref()].concat()), Ok(true));
        assert_eq!(is_last(done(-13).as_ref()), Err(Errno::ACCESS));
        assert_eq!(is_last(Request::new(ERROR, 0, &(-2_i32).to_ne_bytes()).as_ref()), Err(Errno::NOENT));
        assert_eq!(is_last(Request::new(20, 0, b"abcd").as_ref()), Ok(true));
        assert_eq!(is_last(b""), Err(Errno::BADMSG));
    }

    #[test]
    fn the_kernel_answers() {
        let mut answer = Bytes::default();
        // RTM_GETADDR of IPv4; every machine that runs tests has 127.0.0.1.
        let request = Request::new(22, REQUEST | DUMP, &[2, 0, 0, 0, 0, 0, 0, 0]);
        let mut line = None;
        for _ in 0..2 {
            exchange(&mut line, Peer::Route, request.as_ref(), &mut answer).unwrap();
        }
        assert!(line.is_some());
        let addresses = Messages::new(&answer).filter(|message| message.kind == 20);
        let mut addresses = addresses.filter_map(|message| Attributes::after(8, message.body).find(1));
        assert!(addresses.any(|address| address == [127, 0, 0, 1]));
        let unknown = Request::new(u16::MAX, REQUEST, &[0; 4]);
        assert!(exchange(&mut line, Peer::Generic, unknown.as_ref(), &mut answer).is_err() && line.is_some());
        assert!(exchange(&mut line, Peer::Route, unknown.as_ref(), &mut answer).is_err() && line.is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400), short in any::<bool>()) {
            let mut bytes = bytes;
            if short {
                // Lengths that have a chance.
                bytes.iter_mut().skip(1).step_by(4).for_each(|byte| *byte = 0);
                bytes.iter_mut().skip(2).step_by(4).for_each(|byte| *byte %= 4);
            }
            let messages = Messages::new(&bytes).map(|message| Attributes::new(message.body).count());
            prop_assert!(messages.count() <= bytes.len() / HEADER + 1);
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len() / 4 + 1);
            let _ = is_last(&bytes);
        }
    }
}
