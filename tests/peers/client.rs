//! A client that sends any bytes and reports what came back, without an opinion on either.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long to wait for bytes that have to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for bytes that must not come.
const SILENCE: Duration = Duration::from_millis(150);

/// What a server sent in answer to one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// None if the first bytes are no status line.
    pub(crate) status: Option<u16>,
    pub(crate) version: String,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body came in chunks.
    pub(crate) chunked: bool,
    /// The server closed the connection after it.
    pub(crate) closed: bool,
    /// Waiting for more was given up.
    pub(crate) timed_out: bool,
    /// Bytes that follow the answer.
    pub(crate) rest: Vec<u8>,
}

impl Answer {
    /// The value of the only header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} came twice: {:?}", self.headers);
        value
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(80)]);
        let Self { status, version, reason, headers, closed, timed_out, .. } = self;
        write!(
            out,
            "{version} {status:?} {reason:?} {headers:?} closed={closed} timed_out={timed_out} {body:?}"
        )
    }
}

/// A connection that may carry several requests.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
    ended: bool,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        Self { stream, received: Vec::new(), ended: false }
    }

    /// Sends; a server that has stopped reading is no error.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads some more; false if nothing came within the time or ever will.
    fn read_more(&mut self, patience: Duration) -> bool {
        if self.ended {
            return false;
        }
        self.stream.set_read_timeout(Some(patience)).expect("a socket option");
        let mut buffer = [0; 16_384];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                return true;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.ended = true,
        }
        false
    }

    /// Whether the server has closed, after a moment.
    pub(crate) fn is_closed(&mut self) -> bool {
        while self.read_more(SILENCE) {}
        self.ended
    }

    /// Reads the answer to a request of the given method.
    pub(crate) fn receive(&mut self, method: &str) -> Answer {
        let mut answer = Answer::default();
        let body_start = loop {
            if !self.received.is_empty()
                && !b"HTTP/".starts_with(&self.received[..self.received.len().min(5)])
            {
                while self.read_more(PATIENCE) {}
                answer.body = std::mem::take(&mut self.received);
                break None;
            }
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break Some(at + 4);
            }
            if !self.read_more(PATIENCE) {
                answer.body = std::mem::take(&mut self.received);
                break None;
            }
        };
        if let Some(start) = body_start {
            let head = String::from_utf8_lossy(&self.received[..start]).into_owned();
            self.received.drain(..start);
            read_head(&head, &mut answer);
            if answer.status == Some(100) {
                return answer;
            }
            self.read_body(method, &mut answer);
        }
        answer.timed_out = !self.ended && answer.status.is_none();
        if method == "HEAD" || answer.header("Connection") == Some("close") || answer.version == "HTTP/1.0" {
            // Bytes after an answer without a body would be a fault: wait whether some come.
            self.is_closed();
        }
        answer.rest = self.received.clone();
        answer.closed = self.ended;
        answer
    }

    /// Reads an answer that has no body, whatever its headers say.
    pub(crate) fn receive_head(&mut self) -> Answer {
        let mut answer = Answer::default();
        loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                let head: Vec<_> = self.received.drain(..at + 4).collect();
                read_head(&String::from_utf8_lossy(&head), &mut answer);
                return answer;
            }
            assert!(self.read_more(PATIENCE), "no head came");
        }
    }

    fn read_body(&mut self, method: &str, answer: &mut Answer) {
        answer.chunked = answer.header("Transfer-Encoding") == Some("chunked");
        let length =
            answer.header("Content-Length").map(|value| value.parse().expect("Content-Length is a number"));
        if method == "HEAD" {
            while self.read_more(SILENCE) {}
            answer.body = std::mem::take(&mut self.received);
        } else if answer.chunked {
            while !self.take_chunk(answer) {
                if !self.read_more(PATIENCE) {
                    panic!("a chunked body ends too early: {answer}");
                }
            }
        } else if let Some(length) = length {
            while self.received.len() < length && self.read_more(PATIENCE) {}
            answer.body = self.received.drain(..length.min(self.received.len())).collect();
            assert_eq!(answer.body.len(), length, "the body is shorter than Content-Length: {answer}");
        } else {
            while self.read_more(PATIENCE) {}
            answer.body = std::mem::take(&mut self.received);
        }
    }

    /// Moves whole chunks into the body; true after the last.
    fn take_chunk(&mut self, answer: &mut Answer) -> bool {
        while let Some(line) = find(&self.received, b"\r\n") {
            let size = std::str::from_utf8(&self.received[..line])
                .ok()
                .and_then(|text| usize::from_str_radix(text, 16).ok());
            let size =
                size.unwrap_or_else(|| panic!("a chunk's size is no number: {:?}", &self.received[..line]));
            let end = line + 2 + size + 2;
            if self.received.len() < end {
                return false;
            }
            assert_eq!(&self.received[end - 2..end], b"\r\n", "a chunk ends in CRLF");
            answer.body.extend_from_slice(&self.received[line + 2..end - 2]);
            self.received.drain(..end);
            if size == 0 {
                return true;
            }
        }
        false
    }
}

fn read_head(head: &str, answer: &mut Answer) {
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or("").splitn(3, ' ');
    first.next().unwrap_or("").clone_into(&mut answer.version);
    answer.status = first.next().and_then(|code| code.parse().ok());
    first.next().unwrap_or("").clone_into(&mut answer.reason);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) =
            line.split_once(':').unwrap_or_else(|| panic!("a header without colon: {line:?}"));
        answer.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The method of a request, as its first bytes tell.
pub(crate) fn method(request: &[u8]) -> String {
    let start = request.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let word = request[start..].split(|byte| byte.is_ascii_whitespace()).next().unwrap_or(&[]);
    String::from_utf8_lossy(word).into_owned()
}

/// Sends one request on a connection of its own and returns the answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut connection = Connection::open(address);
    connection.send(request);
    connection.receive(&method(request))
}

/// A GET for `target` with further header lines, each ended with CRLF.
pub(crate) fn get(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: device\r\n{headers}\r\n").into_bytes()
}
