//! A client made of `std` alone, and what the kernel says of this process.
#![allow(dead_code, reason = "each test binary uses its part")]

#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Far longer than anything here takes; it only turns a hang into a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tests that count threads or descriptors must have the process to themselves.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a sample, by everything that stands before the blank.
    pub(crate) fn sample(&self, series: &str) -> f64 {
        let line =
            self.body.lines().find(|line| line.split_once(' ').is_some_and(|(name, _)| name == series));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap_or(0.0)
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case(header))
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// One request on a connection that stays.
pub(crate) fn ask(stream: &mut (impl Read + Write), request: &str) -> io::Result<Reply> {
    stream.write_all(request.as_bytes())?;
    read_reply(stream)
}

pub(crate) const GET: &str = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";

pub(crate) fn get(stream: &mut (impl Read + Write)) -> io::Result<Reply> {
    ask(stream, GET)
}

/// One request on a connection of its own.
pub(crate) fn scrape(address: SocketAddr) -> Reply {
    // What fills the kernel's queue may get our connection refused a slot for a moment.
    let start = Instant::now();
    loop {
        match get(&mut connect(address)) {
            Ok(reply) => return reply,
            Err(error) => assert!(start.elapsed() < PATIENCE, "no scrape: {error}"),
        }
    }
}

pub(crate) fn read_reply(stream: &mut impl Read) -> io::Result<Reply> {
    let head = read_head(stream)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = Vec::new();
    if let Some(length) = field("content-length") {
        body.resize(length.parse().expect("a length"), 0);
        stream.read_exact(&mut body)?;
    } else if field("transfer-encoding").is_some() {
        loop {
            let size = read_line(stream)?;
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
            let at = body.len();
            body.resize(at + size, 0);
            stream.read_exact(&mut body[at..])?;
            assert_eq!(read_line(stream)?, "\r\n");
            if size == 0 {
                break;
            }
        }
    } else {
        stream.read_to_end(&mut body)?;
    }
    Ok(Reply { status, head, body: String::from_utf8_lossy(&body).into_owned() })
}

fn read_line(stream: &mut impl Read) -> io::Result<String> {
    read_until(stream, b"\n")
}

pub(crate) fn read_head(stream: &mut impl Read) -> io::Result<String> {
    read_until(stream, b"\r\n\r\n")
}

fn read_until(stream: &mut impl Read, end: &[u8]) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(end) {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8(bytes).expect("text"))
}

/// Whether the server has closed this connection; waits for it.
pub(crate) fn is_closed(stream: &mut TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// Whether the connection is open and silent now.
pub(crate) fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let open = matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).expect("a socket");
    open
}

/// A path that nobody else uses.
pub(crate) fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("scrapeport-{}-{name}", std::process::id()))
}

/// Threads of servers in this process.
pub(crate) fn server_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    tasks
        .flatten()
        .filter(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("scrape-"))
        })
        .count()
}

/// Descriptors of this process.
pub(crate) fn descriptors() -> usize {
    // The directory's own does not count.
    fs::read_dir("/proc/self/fd").expect("Linux").count() - 1
}

/// Resident memory in bytes.
pub(crate) fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The value of an `Authorization` field is this of `user:password` (RFC 4648 §4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize % 64] as char;
            text.push(if place <= group.len() { letter } else { '=' });
        }
    }
    text
}
