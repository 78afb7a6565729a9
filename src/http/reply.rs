//! A response on its way out: the head is set right before the body, and both leave in one piece.

use core::ops::Range;

use super::answer::Answer;
use super::error_page::{self, Refusal, digits, reason};
use super::handler::{ALLOW, Response};
use super::route::{Document, LONGEST_FIELDS, LONGEST_LOCATION, TEXT};
use super::transport::{Observer, Transport};
use crate::text::{Output, Stopped};

/// Bytes that the longest head takes, with the size line of a first chunk.
pub(crate) const FRONT: usize = 320;
/// Bytes that the end of a last chunk takes.
pub(crate) const BACK: usize = LAST.len();
const LAST: &[u8; 7] = b"\r\n0\r\n\r\n";

/// What the conversation has settled on before the response.
pub(crate) struct Terms<'a> {
    pub(crate) date: &'a [u8; 29],
    /// Whether the connection ends after the response.
    pub(crate) close: bool,
    /// The client knows no chunks: a page of unknown length ends with the connection.
    pub(crate) http_1_0: bool,
    /// Header fields that every response carries, each with its line end.
    pub(crate) fields: &'a [u8],
}

impl Terms<'_> {
    /// Bytes to keep free in the buffer for the head. Fields that would take more than their share of it are sent
    /// ahead instead.
    fn front(&self, buffer: &[u8]) -> usize {
        if self.ahead(buffer) { FRONT } else { FRONT + self.fields.len() }
    }

    fn ahead(&self, buffer: &[u8]) -> bool {
        self.fields.len() > buffer.len() / 8
    }
}

/// What became of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    pub(crate) complete: bool,
}

/// Sends the answer to a request.
pub(crate) fn send(
    response: Response<'_>,
    terms: &Terms<'_>,
    buffer: &mut [u8],
    transport: &mut dyn Transport,
    observer: &dyn Observer,
) -> Sent {
    let answer = response.answer();
    let metrics = answer == Answer::Metrics;
    let fields = Fields {
        media: if metrics { Some(response.content_type()) } else { None },
        gzip: response.is_compressed(),
        vary: metrics,
        allow: matches!(answer, Answer::Options | Answer::NotAllowed).then_some(ALLOW),
        ..Fields::bare(answer.status())
    };
    let front = terms.front(buffer);
    let mut wire = Wire::new(transport, observer, terms, fields, buffer);
    let result = if metrics {
        let page = {
            // The compressor goes back here: a client that asks again when it has the last byte must find one.
            let mut response = response;
            response.encode(buffer, front, BACK, &mut wire)
        };
        page.and_then(|(buffer, content)| {
            if content.flushed { wire.end(buffer, content.range) } else { wire.whole(buffer, content.range) }
        })
    } else {
        let end = front + response.short_body(&mut buffer[front..]);
        wire.short(buffer, front..end, response.is_head())
    };
    Sent { bytes: wire.bytes, complete: result.is_ok() }
}

/// Sends the refusal of a request.
pub(crate) fn refuse(
    refusal: Refusal,
    terms: &Terms<'_>,
    buffer: &mut [u8],
    transport: &mut dyn Transport,
    observer: &dyn Observer,
) -> Sent {
    let fields = Fields { media: Some(TEXT), ..Fields::bare(refusal.status) };
    let front = terms.front(buffer);
    let length = refusal.write(&mut buffer[front..]);
    let mut wire = Wire::new(transport, observer, terms, fields, buffer);
    let result = wire.whole(buffer, front..front + length);
    Sent { bytes: wire.bytes, complete: result.is_ok() }
}

/// Bytes that a document's own fields take: `Location`, `Allow` and the further ones.
const DOCUMENT: usize = LONGEST_LOCATION + 80 + LONGEST_FIELDS;

/// Sends a document, without its body if the request was HEAD. What fits the buffer leaves in one piece with the
/// head; the rest of a longer body is sent from where it lies.
pub(crate) fn send_document(
    document: &Document<'_>,
    is_head: bool,
    terms: &Terms<'_>,
    buffer: &mut [u8],
    transport: &mut dyn Transport,
    observer: &dyn Observer,
) -> Sent {
    let fields = Fields {
        media: Some(document.media).filter(|media| !media.is_empty()),
        allow: document.allow,
        location: document.location.filter(|location| location.len() <= LONGEST_LOCATION),
        extra: if document.fields.len() <= LONGEST_FIELDS { document.fields } else { b"" },
        ..Fields::bare(document.status)
    };
    let own =
        fields.location.map_or(0, str::len) + fields.allow.map_or(0, str::len) + fields.extra.len() + 16;
    let front = terms.front(buffer) + own;
    let body = if is_head { &[] } else { &document.body[..] };
    let (first, rest) = body.split_at(body.len().min(buffer.len() - front));
    let end = front + first.len();
    buffer[front..end].copy_from_slice(first);
    let mut wire = Wire::new(transport, observer, terms, fields, buffer);
    let result = wire
        .put_head(buffer, front, Framing::Length(document.body.len()))
        .and_then(|start| wire.pieces(&buffer[start..end], rest, buffer.len()));
    Sent { bytes: wire.bytes, complete: result.is_ok() }
}

/// The header fields that differ between responses.
struct Fields<'a> {
    status: u16,
    media: Option<&'static str>,
    gzip: bool,
    vary: bool,
    allow: Option<&'static str>,
    location: Option<&'a str>,
    /// Further ones, each with its line end.
    extra: &'static [u8],
}

impl Fields<'_> {
    const fn bare(status: u16) -> Self {
        Self { status, media: None, gzip: false, vary: false, allow: None, location: None, extra: b"" }
    }
}

/// How the client finds the end of the body (RFC 9112 §6.3).
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

/// The output of a page: pieces become chunks.
struct Wire<'a> {
    transport: &'a mut dyn Transport,
    observer: &'a dyn Observer,
    terms: &'a Terms<'a>,
    fields: Fields<'a>,
    /// The terms' fields do not fit in with the rest of the head.
    ahead: bool,
    begun: bool,
    bytes: u64,
}

impl<'a> Wire<'a> {
    fn new(
        transport: &'a mut dyn Transport,
        observer: &'a dyn Observer,
        terms: &'a Terms<'a>,
        fields: Fields<'a>,
        buffer: &[u8],
    ) -> Self {
        let ahead = terms.ahead(buffer);
        Self { transport, observer, terms, fields, ahead, begun: false, bytes: 0 }
    }

    /// Sends head and body at once, or the head alone.
    fn short(&mut self, buffer: &mut [u8], body: Range<usize>, head_only: bool) -> Result<(), Stopped> {
        if !head_only {
            return self.whole(buffer, body);
        }
        let start = self.put_head(buffer, body.start, Framing::Length(body.len()))?;
        self.write(&buffer[start..body.start])
    }

    /// Sends head and body at once.
    fn whole(&mut self, buffer: &mut [u8], body: Range<usize>) -> Result<(), Stopped> {
        let start = self.put_head(buffer, body.start, Framing::Length(body.len()))?;
        self.write(&buffer[start..body.end])
    }

    /// Sends the end of a page that has been begun.
    fn end(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        let Range { mut start, mut end } = content;
        if !self.terms.http_1_0 {
            // An empty chunk would end the body before its end mark.
            let mark = if content.is_empty() { &LAST[2..] } else { &LAST[..] };
            if !content.is_empty() {
                start = put_size(buffer, start, content.len());
            }
            buffer[end..end + mark.len()].copy_from_slice(mark);
            end += mark.len();
        }
        self.write(&buffer[start..end])
    }

    /// Sends the first piece, then the rest in pieces of this size.
    fn pieces<'b>(&mut self, mut piece: &'b [u8], mut rest: &'b [u8], size: usize) -> Result<(), Stopped> {
        while !rest.is_empty() {
            self.write_part(piece)?;
            (piece, rest) = rest.split_at(rest.len().min(size));
        }
        self.write(piece)
    }

    fn write_part(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.transport.write_part(bytes).map_err(|_| Stopped)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent =
            if self.terms.close { self.transport.write_last(bytes) } else { self.transport.write(bytes) };
        sent.map_err(|_| Stopped)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Sets the head before `end`, and gives its start. What does not fit there is sent.
    fn put_head(&mut self, buffer: &mut [u8], end: usize, framing: Framing) -> Result<usize, Stopped> {
        let start = self.set_head(buffer, end, framing);
        if self.ahead {
            // The status line is set last, so it stands first; the fields go out right behind it.
            let line =
                buffer[start..end].iter().position(|byte| *byte == b'\n').map_or(end, |at| start + at + 1);
            self.write_part(&buffer[start..line])?;
            self.write_part(self.terms.fields)?;
            return Ok(line);
        }
        Ok(start)
    }

    fn set_head(&self, buffer: &mut [u8], end: usize, framing: Framing) -> usize {
        let mut head = Backwards { buffer, at: end };
        head.put(b"\r\n");
        if !self.ahead {
            head.put(self.terms.fields);
        }
        for line in self.fields.extra.split_inclusive(|byte| *byte == b'\n').rev() {
            // What the operator has set for every response is not said twice.
            if !has_field(self.terms.fields, field_name(line)) {
                head.put(line);
            }
        }
        head.put(b"\r\n");
        match framing {
            Framing::Length(length) => {
                head.put_decimal(length);
                head.put(b"\r\nContent-Length: ");
            }
            Framing::Chunked => head.put(b"\r\nTransfer-Encoding: chunked"),
            Framing::Close => {}
        }
        if self.terms.close {
            head.put(b"\r\nConnection: close");
        }
        if let Some(allow) = self.fields.allow {
            head.put(allow.as_bytes());
            head.put(b"\r\nAllow: ");
        }
        if let Some(location) = self.fields.location {
            head.put(location.as_bytes());
            head.put(b"\r\nLocation: ");
        }
        if self.fields.vary {
            // One address has many representations: a cache must not give one client the form of another.
            head.put(b"\r\nVary: Accept, Accept-Encoding");
        }
        if self.fields.gzip {
            head.put(b"\r\nContent-Encoding: gzip");
        }
        if let Some(media) = self.fields.media {
            head.put(media.as_bytes());
            head.put(b"\r\nContent-Type: ");
        }
        head.put(self.terms.date);
        head.put(b"\r\nDate: ");
        if self.fields.status == 200 {
            head.put(b"HTTP/1.1 200 OK");
        } else {
            head.put(reason(self.fields.status).as_bytes());
            head.put(b" ");
            head.put(&digits(self.fields.status));
            head.put(b"HTTP/1.1 ");
        }
        head.at
    }
}

impl Output for Wire<'_> {
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
        let Range { mut start, mut end } = content;
        let chunked = !self.terms.http_1_0;
        if chunked {
            buffer[end..end + 2].copy_from_slice(b"\r\n");
            end += 2;
            start = put_size(buffer, start, content.len());
        }
        if !self.begun {
            self.begun = true;
            let framing = if chunked { Framing::Chunked } else { Framing::Close };
            start = self.put_head(buffer, start, framing)?;
        }
        self.write_part(&buffer[start..end])
    }

    fn expired(&self) -> bool {
        self.transport.expired()
    }

    fn collector_failed(&mut self, collector: &'static str, why: &dyn core::fmt::Display) {
        self.observer.collector_failed(collector, why);
    }
}

/// The name at the start of a field line.
fn field_name(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b':').next().unwrap_or_default()
}

/// Whether one of the lines is a field of this name (RFC 9110 §5.1).
fn has_field(lines: &[u8], name: &[u8]) -> bool {
    lines.split(|byte| *byte == b'\n').any(|line| field_name(line).eq_ignore_ascii_case(name))
}

/// Sets a chunk's size line before `end`, and gives its start.
fn put_size(buffer: &mut [u8], end: usize, size: usize) -> usize {
    let mut line = Backwards { buffer, at: end };
    line.put(b"\r\n");
    let mut rest = size;
    loop {
        line.put(&[b"0123456789abcdef"[rest % 16]]);
        rest /= 16;
        if rest == 0 {
            return line.at;
        }
    }
}

/// Text that is written from its end to its start, because its end is known first.
struct Backwards<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl Backwards<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let start = self.at - bytes.len();
        self.buffer[start..self.at].copy_from_slice(bytes);
        self.at = start;
    }

    fn put_decimal(&mut self, mut number: usize) {
        loop {
            self.put(&[b'0' + (number % 10) as u8]);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }
}

const _: () = assert!(super::limits::SMALLEST_BUFFER >= FRONT + error_page::LONGEST);
const _: () = assert!(super::limits::SMALLEST_BUFFER * 7 / 8 >= FRONT + DOCUMENT);
