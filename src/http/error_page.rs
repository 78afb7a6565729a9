//! The bodies of errors: one line of plain text, `# HTTP <status> <reason>: <detail>; <hint>`.
//!
//! All texts are constants but for the method in a 405, which is escaped and cut: nothing else of a request comes
//! back.

use std::vec;
use std::vec::Vec;

/// A request that is not understood, and the line that says so. The connection ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    detail: &'static str,
    hint: &'static str,
}

const FORM: &str = "send GET /metrics HTTP/1.1";
const SHORTER: &str = "send fewer or shorter header fields";

impl Refusal {
    pub(crate) const TLS: Self =
        Self::new(400, "a TLS handshake came to a plain HTTP port", "use http:// instead of https://");
    pub(crate) const EMPTY_LINE: Self = Self::new(400, "the request line is blank", FORM);
    pub(crate) const ONE_WORD: Self = Self::new(400, "the request line is a single word", FORM);
    pub(crate) const NO_VERSION: Self = Self::new(400, "the request line has no HTTP version", FORM);
    pub(crate) const BAD_VERSION: Self = Self::new(400, "the HTTP version is malformed", FORM);
    pub(crate) const WORDS: Self =
        Self::new(400, "the request line has more than three words", "encode blanks in the target as %20");
    pub(crate) const CUT: Self =
        Self::new(400, "the input ended inside the request head", "end the head with an empty line");
    pub(crate) const SLOW: Self =
        Self::new(408, "the request head did not arrive in time", "send the head in one piece");
    pub(crate) const LONG_LINE: Self =
        Self::new(414, "the request line is longer than the server's limit", "ask for fewer names at once");
    pub(crate) const LONG_HEAD: Self =
        Self::new(431, "the request head is longer than the server's limit", SHORTER);
    pub(crate) const MANY_FIELDS: Self = Self::new(431, "more than 64 header fields", SHORTER);
    pub(crate) const VERSION: Self = Self::new(505, "only HTTP/1.0 and HTTP/1.1 are spoken here", FORM);

    const fn new(status: u16, detail: &'static str, hint: &'static str) -> Self {
        Self { status, detail, hint }
    }

    /// Writes the body into the buffer, cut to its size, and gives its length.
    pub(crate) fn write(&self, buffer: &mut [u8]) -> usize {
        let mut line = Line { buffer, at: 0 };
        line.begin(self.status);
        line.put(self.detail.as_bytes());
        line.end(self.hint);
        line.at
    }
}

/// Bytes of an unknown method that are shown.
const METHOD: usize = 32;
/// The longest body of a 405.
pub(crate) const LONGEST: usize = 4 * METHOD + 80;

/// Writes the body of a 405 into the buffer, cut to its size, and gives its length.
pub(crate) fn method_not_allowed(method: &[u8], buffer: &mut [u8]) -> usize {
    let mut line = Line { buffer, at: 0 };
    line.begin(405);
    for byte in method.iter().take(METHOD) {
        if is_token_byte(*byte) {
            line.put(&[*byte]);
        } else {
            let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
            line.put(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    if method.len() > METHOD {
        line.put(b"...");
    }
    line.end("use OPTIONS or GET");
    line.at
}

/// The room that the form takes besides detail and hint.
const FORM_ROOM: usize = 64;

/// Makes a body of the same form for errors of other floors. The texts are free of control characters.
pub(crate) fn body(status: u16, detail: &str, hint: &str) -> Vec<u8> {
    let mut room = vec![0; FORM_ROOM + detail.len() + hint.len()];
    let mut line = Line { buffer: &mut room, at: 0 };
    line.begin(status);
    line.put(detail.as_bytes());
    line.end(hint);
    let length = line.at;
    room.truncate(length);
    room
}

/// The reason phrase of a status code that this server sends.
pub(crate) const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

/// Whether the byte may stand in a token (RFC 9110 §5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
}

struct Line<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl Line<'_> {
    fn begin(&mut self, status: u16) {
        self.put(b"# HTTP ");
        self.put(&digits(status));
        self.put(b" ");
        self.put(reason(status).as_bytes());
        self.put(b": ");
    }

    fn end(&mut self, hint: &str) {
        self.put(b"; ");
        self.put(hint.as_bytes());
        self.put(b"\n");
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = self.buffer.len() - self.at;
        let bytes = &bytes[..bytes.len().min(room)];
        self.buffer[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// The three digits of a status code.
pub(crate) const fn digits(status: u16) -> [u8; 3] {
    [b'0' + (status / 100 % 10) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8]
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn refused(method: &[u8]) -> String {
        let mut buffer = [0; LONGEST];
        let length = method_not_allowed(method, &mut buffer);
        String::from_utf8(buffer[..length].into()).unwrap()
    }

    #[test]
    fn a_405_names_the_method() {
        assert_eq!(refused(b"POST"), "# HTTP 405 Method Not Allowed: POST; use OPTIONS or GET\n");
    }

    #[test]
    fn a_method_comes_back_escaped_and_cut() {
        assert_eq!(
            refused(b"A\0\xff<"),
            "# HTTP 405 Method Not Allowed: A\\x00\\xFF\\x3C; use OPTIONS or GET\n"
        );
        let long = refused(&[b'"'; 8_000]);
        assert!(long.ends_with("\\x22...; use OPTIONS or GET\n") && long.len() < LONGEST, "{long}");
    }

    #[test]
    fn errors_of_other_floors_have_the_same_form() {
        assert_eq!(
            String::from_utf8(body(404, "nothing is here", "look there")).unwrap(),
            "# HTTP 404 Not Found: nothing is here; look there\n"
        );
        // The longest reason leaves the end of the line in place.
        assert!(body(431, &"x".repeat(9_999), "y").ends_with(b"x; y\n"));
    }

    #[test]
    fn a_refusal_has_the_same_form() {
        let mut buffer = [0; 200];
        let length = Refusal::NO_VERSION.write(&mut buffer);
        assert_eq!(
            core::str::from_utf8(&buffer[..length]),
            Ok("# HTTP 400 Bad Request: the request line has no HTTP version; send GET /metrics HTTP/1.1\n")
        );
    }
}
