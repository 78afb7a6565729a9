//! A scraper: blocking, one connection at a time, bounded in number and time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What Prometheus sends, except that it would also take gzip.
const HEAD: &str = "GET /metrics HTTP/1.1\r\n\
    Host: 127.0.0.1:9100\r\n\
    User-Agent: Prometheus/3.5.0\r\n\
    Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n\
    X-Prometheus-Scrape-Timeout-Seconds: 10\r\n";

/// How connections are used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// One connection for all requests.
    Kept,
    /// One for each request; the server is asked to close it.
    Fresh,
}

/// What came of a load.
pub struct Done {
    pub requests: u32,
    pub took: Duration,
    /// The bytes of the last answer's body.
    pub body: usize,
}

/// Asks `requests` times, or until `limit` is over.
///
/// # Errors
/// If an answer is not 200 or cannot be read.
pub fn run(address: SocketAddr, how: Connections, requests: u32, limit: Duration) -> io::Result<Done> {
    run_over(|| connect(address), how, requests, limit)
}

/// The same, and takes compressed pages too, as Prometheus does.
///
/// # Errors
/// If an answer is not 200 or cannot be read.
pub fn run_gzip(address: SocketAddr, how: Connections, requests: u32, limit: Duration) -> io::Result<Done> {
    run_with(|| connect(address), how, requests, limit, "Accept-Encoding: gzip\r\n")
}

/// Asks once over a connection that stays open.
///
/// # Errors
/// If the answer is not 200 or cannot be read.
pub fn ask(stream: &mut (impl Read + Write)) -> io::Result<usize> {
    stream.write_all(format!("{HEAD}\r\n").as_bytes())?;
    Scraper { buffer: vec![0; 64 * 1024], filled: 0, taken: 0 }.answer(stream)
}

/// The same as [`run`] over connections of any kind.
///
/// # Errors
/// If an answer is not 200 or cannot be read.
pub fn run_over<S: Read + Write>(
    connect: impl Fn() -> io::Result<S>,
    how: Connections,
    requests: u32,
    limit: Duration,
) -> io::Result<Done> {
    run_with(connect, how, requests, limit, "")
}

fn run_with<S: Read + Write>(
    connect: impl Fn() -> io::Result<S>,
    how: Connections,
    requests: u32,
    limit: Duration,
    fields: &str,
) -> io::Result<Done> {
    let mut scraper = Scraper { buffer: vec![0; 64 * 1024], filled: 0, taken: 0 };
    let begin = Instant::now();
    let (mut done, mut body) = (0, 0);
    let kept = format!("{HEAD}{fields}\r\n");
    let fresh = format!("{HEAD}{fields}Connection: close\r\n\r\n");
    let mut stream = connect()?;
    while done < requests && begin.elapsed() < limit {
        if how == Connections::Kept {
            stream.write_all(kept.as_bytes())?;
            body = scraper.answer(&mut stream)?;
        } else {
            if done > 0 {
                stream = connect()?;
            }
            stream.write_all(fresh.as_bytes())?;
            body = scraper.answer(&mut stream)?;
            while scraper.fill(&mut stream)? > 0 {}
            (scraper.filled, scraper.taken) = (0, 0);
        }
        done += 1;
    }
    Ok(Done { requests: done, took: begin.elapsed(), body })
}

/// A connection that does not wait with what is written.
///
/// # Errors
/// If there is none.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

struct Scraper {
    buffer: Vec<u8>,
    filled: usize,
    taken: usize,
}

impl Scraper {
    fn fill(&mut self, stream: &mut (impl Read + Write)) -> io::Result<usize> {
        if self.taken == self.filled {
            (self.filled, self.taken) = (0, 0);
        } else if self.filled == self.buffer.len() {
            self.buffer.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
        }
        let got = stream.read(&mut self.buffer[self.filled..])?;
        self.filled += got;
        Ok(got)
    }

    fn need(&mut self, stream: &mut (impl Read + Write)) -> io::Result<()> {
        if self.fill(stream)? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads one answer whole; gives the length of its body.
    fn answer(&mut self, stream: &mut (impl Read + Write)) -> io::Result<usize> {
        let head = self.until(stream, b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&self.buffer[self.taken..self.taken + head]).to_ascii_lowercase();
        self.taken += head;
        if !text.starts_with("http/1.1 200") {
            return Err(io::Error::other(text));
        }
        if text.contains("\r\ntransfer-encoding: chunked") {
            return self.chunks(stream);
        }
        let length = text
            .split_once("\r\ncontent-length:")
            .and_then(|(_, rest)| rest.split("\r\n").next()?.trim().parse().ok());
        if length.is_none() && text.contains("\r\nconnection: close") {
            return self.to_the_end(stream);
        }
        let length = length.ok_or_else(|| io::Error::other("neither a length nor chunks"))?;
        self.skip(stream, length)?;
        Ok(length)
    }

    fn chunks(&mut self, stream: &mut (impl Read + Write)) -> io::Result<usize> {
        let mut total = 0;
        loop {
            let line = self.until(stream, b"\r\n")?;
            let text = String::from_utf8_lossy(&self.buffer[self.taken..self.taken + line - 2]).into_owned();
            self.taken += line;
            let length = usize::from_str_radix(text.trim(), 16).map_err(io::Error::other)?;
            self.skip(stream, length + 2)?;
            total += length;
            if length == 0 {
                return Ok(total);
            }
        }
    }

    /// A body that ends with the connection.
    fn to_the_end(&mut self, stream: &mut (impl Read + Write)) -> io::Result<usize> {
        let mut total = 0;
        loop {
            total += self.filled - self.taken;
            self.taken = self.filled;
            if self.fill(stream)? == 0 {
                return Ok(total);
            }
        }
    }

    fn until(&mut self, stream: &mut (impl Read + Write), mark: &[u8]) -> io::Result<usize> {
        loop {
            let window = &self.buffer[self.taken..self.filled];
            if let Some(at) = window.windows(mark.len()).position(|bytes| bytes == mark) {
                return Ok(at + mark.len());
            }
            self.need(stream)?;
        }
    }

    fn skip(&mut self, stream: &mut (impl Read + Write), mut length: usize) -> io::Result<()> {
        loop {
            let now = length.min(self.filled - self.taken);
            self.taken += now;
            length -= now;
            if length == 0 {
                return Ok(());
            }
            self.need(stream)?;
        }
    }
}
