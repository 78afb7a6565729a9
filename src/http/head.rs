//! The head of a request: what was asked, and whether the connection can be used again.
//!
//! Sources: RFC 9112 §2, §3, §6, §9; the reference's tolerance is kept. The rule is *lenient in serving, strict in
//! reuse*: a head that a proxy might read differently is answered, and the connection then ends, so nothing can be
//! smuggled behind it.

use core::time::Duration;

use super::error_page::{Refusal, is_token_byte};
use super::limits::{BODY, HEADERS};
use super::negotiate::Negotiation;
use crate::text::float;

/// A request's head. It holds places, not text, so that it stays true for the same bytes elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Bytes up to and including the empty line.
    pub(crate) length: usize,
    method: Span,
    target: Span,
    /// The client knows neither chunks nor kept connections.
    pub(crate) http_1_0: bool,
    /// Whether another request may follow.
    pub(crate) reusable: bool,
    /// Whether the head is as the RFC wants it, so that its end and its body's are beyond doubt.
    pub(crate) regular: bool,
    pub(crate) body: Body,
    pub(crate) negotiation: Negotiation,
    pub(crate) scrape_timeout: Option<Duration>,
    authorization: Option<Span>,
}

impl Head {
    pub(crate) fn method<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        self.method.of(input)
    }

    pub(crate) fn target<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        self.target.of(input)
    }

    /// The value of the first `Authorization` field; what further ones say does not count.
    pub(crate) fn authorization<'a>(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        self.authorization.map(|value| value.of(input))
    }
}

/// What follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked,
}

/// Reads a head at the start of the input; none if it is not whole yet. `scanned` is zero for a new head, and is
/// kept by the caller while more input comes.
///
/// # Errors
/// A head that cannot be answered is refused as soon as that is certain.
pub(crate) fn parse(input: &[u8], scanned: &mut usize) -> Result<Option<Head>, Refusal> {
    let blank = blank_lines(input);
    let text = &input[blank..];
    if text.first() == Some(&0x16) {
        return Err(Refusal::TLS);
    }
    let whole = is_whole(text, scanned);
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let line = Line::parse(&text[..end])?;
    if !whole {
        return Ok(None);
    }
    let mut fields = Fields::new();
    let block = fields.fold(&text[end + 1..], line.regular)?;
    // Old clients send an empty line after a body (RFC 9112 §2.2): that is no irregularity.
    let regular = line.regular && fields.regular && input[..blank].chunks(2).all(|pair| pair == b"\r\n");
    let (body, framed) = fields.body(line.http_1_0);
    let length = blank + end + 1 + block;
    Ok(Some(Head {
        length,
        method: Span::new(input, line.method),
        target: Span::new(input, line.target),
        http_1_0: line.http_1_0,
        reusable: regular && framed && !fields.close && !line.http_1_0,
        regular: regular && framed,
        body,
        negotiation: fields.negotiation,
        scrape_timeout: fields.scrape_timeout,
        authorization: fields.authorization.map(|value| Span::new(input, value)),
    }))
}

/// How many bytes of empty lines stand before a request.
pub(crate) fn blank_lines(input: &[u8]) -> usize {
    input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Why a head was refused that fills all the room there is.
pub(crate) fn too_long(input: &[u8]) -> Refusal {
    let line = &input[blank_lines(input)..];
    if line.contains(&b'\n') { Refusal::LONG_HEAD } else { Refusal::LONG_LINE }
}

/// Whether the empty line has arrived.
fn is_whole(text: &[u8], scanned: &mut usize) -> bool {
    if text.ends_with(b"\r\n\r\n") {
        return true;
    }
    let from = scanned.saturating_sub(2);
    *scanned = text.len();
    let fresh = &text[from..];
    fresh.windows(2).any(|pair| pair == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn new(whole: &[u8], part: &[u8]) -> Self {
        let start = offset(whole, part);
        Self { start, end: start + part.len() }
    }

    fn of(self, whole: &[u8]) -> &[u8] {
        whole.get(self.start..self.end).unwrap_or_default()
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}

/// The request line.
struct Line<'a> {
    method: &'a [u8],
    target: &'a [u8],
    http_1_0: bool,
    regular: bool,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        match Self::parse_regular(line) {
            Some(line) => Ok(line),
            None => Self::parse_words(line),
        }
    }

    fn parse_regular(line: &'a [u8]) -> Option<Self> {
        let words = line.strip_suffix(b" HTTP/1.1\r")?;
        let method = &words[..words.iter().position(|byte| *byte == b' ')?];
        let target = &words[method.len() + 1..];
        let regular = !target.is_empty()
            && target.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
            && method.iter().copied().all(is_token_byte)
            && !method.is_empty();
        regular.then_some(Self { method, target, http_1_0: false, regular })
    }

    #[cold]
    fn parse_words(line: &'a [u8]) -> Result<Self, Refusal> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
        let mut words = line.split(is_blank).filter(|word| !word.is_empty());
        let (method, target, third) = match (words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some(third)) => (method, target, third),
            (Some(_), Some(_), None) => return Err(Refusal::NO_VERSION),
            (Some(_), None, _) => return Err(Refusal::ONE_WORD),
            (None, ..) => return Err(Refusal::EMPTY_LINE),
        };
        let last = words.clone().next_back();
        let (major, minor) = version(last.unwrap_or(third)).ok_or(Refusal::BAD_VERSION)?;
        match (major, last) {
            (1, None) => Ok(Self { method, target, http_1_0: minor == 0, regular: false }),
            (1, Some(_)) => Err(Refusal::WORDS),
            _ => Err(Refusal::VERSION),
        }
    }
}

/// The numbers of `HTTP/1.1`, as leniently as the reference reads them.
fn version(word: &[u8]) -> Option<(u64, u64)> {
    let numbers = word.strip_prefix(b"HTTP/")?;
    let point = numbers.iter().position(|byte| *byte == b'.')?;
    Some((number(&numbers[..point], 10)?, number(&numbers[point + 1..], 10)?))
}

/// A decimal number of so many digits at most.
fn number(text: &[u8], digits: usize) -> Option<u64> {
    if text.is_empty() || text.len() > digits || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |sum, digit| 10 * sum + u64::from(digit - b'0')))
}

/// What the header fields say.
struct Fields<'a> {
    negotiation: Negotiation,
    scrape_timeout: Option<Duration>,
    authorization: Option<&'a [u8]>,
    close: bool,
    expect: bool,
    length: Option<u64>,
    chunked: bool,
    regular: bool,
}

impl<'a> Fields<'a> {
    const fn new() -> Self {
        Self {
            negotiation: Negotiation::new(),
            scrape_timeout: None,
            authorization: None,
            close: false,
            expect: false,
            length: None,
            chunked: false,
            regular: true,
        }
    }

    /// Folds in all fields up to the empty line, and gives the length of the block.
    fn fold(&mut self, block: &'a [u8], crlf: bool) -> Result<usize, Refusal> {
        let mut room = [httparse::EMPTY_HEADER; HEADERS];
        match httparse::parse_headers(block, &mut room) {
            Ok(httparse::Status::Complete((length, fields))) => {
                for field in fields {
                    // httparse takes bare line feeds without a word.
                    let at = offset(block, field.name.as_bytes());
                    self.regular &=
                        if at == 0 { crlf } else { block.get(at.wrapping_sub(2)) == Some(&b'\r') };
                    self.take(field.name.as_bytes(), field.value);
                }
                let end = &block[..length];
                self.regular &= end.ends_with(b"\r\n\r\n") || end == b"\r\n";
                Ok(length)
            }
            Err(httparse::Error::TooManyHeaders) => Err(Refusal::MANY_FIELDS),
            _ => self.fold_irregular(block),
        }
    }

    /// Does what can be done with a block that is not well formed: a line without a colon ends it.
    #[cold]
    fn fold_irregular(&mut self, block: &'a [u8]) -> Result<usize, Refusal> {
        self.regular = false;
        let mut length = 0;
        let mut count = 0;
        let mut reading = true;
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            length += line.len();
            if line.trim_ascii_end().is_empty() && !line.starts_with(b" ") && !line.starts_with(b"\t") {
                break;
            }
            count += 1;
            if count > HEADERS {
                return Err(Refusal::MANY_FIELDS);
            }
            match line.iter().position(|byte| *byte == b':') {
                Some(colon) if reading => self.take(&line[..colon], line[colon + 1..].trim_ascii()),
                _ => reading = false,
            }
        }
        Ok(length)
    }

    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            6 if is(b"accept") => self.negotiation.accept(value),
            6 if is(b"expect") => self.expect = true,
            10 if is(b"connection") => {
                let mut options = value.split(|byte| *byte == b',');
                self.close |= options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
            13 if is(b"authorization") => self.authorization = self.authorization.or(Some(value)),
            14 if is(b"content-length") => {
                let length = number(value, 19);
                self.regular &= length.is_some() && self.length.is_none();
                self.length = length.or(Some(u64::MAX));
            }
            15 if is(b"accept-encoding") => self.negotiation.accept_encoding(value),
            17 if is(b"transfer-encoding") => {
                self.regular &= value.eq_ignore_ascii_case(b"chunked") && !self.chunked;
                self.chunked = true;
            }
            35 if is(b"x-prometheus-scrape-timeout-seconds") => self.scrape_timeout = seconds(value),
            _ => {}
        }
    }

    /// The body, and whether its end is certain and near enough to wait for it.
    fn body(&self, http_1_0: bool) -> (Body, bool) {
        match (self.chunked, self.length) {
            (false, None | Some(0)) => (Body::Length(0), true),
            (false, Some(length)) => (Body::Length(length), length <= BODY as u64 && !self.expect),
            (true, None) => (Body::Chunked, !http_1_0 && !self.expect),
            (true, Some(_)) => (Body::Chunked, false),
        }
    }
}

/// A positive finite number of seconds.
pub(crate) fn seconds(text: &[u8]) -> Option<Duration> {
    let seconds = float(text)?;
    if seconds > 0.0 { Duration::try_from_secs_f64(seconds).ok() } else { None }
}
