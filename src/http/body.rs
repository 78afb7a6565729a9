//! Request bodies: read to find their end, and dropped (RFC 9112 §6, §7.1).

use super::head::Body;
use super::limits::BODY;

/// A body that is being dropped.
#[derive(Debug)]
pub(crate) struct Discard {
    state: State,
    /// Bytes that may still come before patience ends, framing included.
    allowance: usize,
}

/// What some bytes of input did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The body ended after so many of them.
    Done(usize),
    /// All of them belong to the body, and more will follow.
    More,
    /// Malformed or too long: where the next request begins is not known.
    Lost,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Bytes(usize),
    Size { value: usize, digits: u8 },
    Extension(usize),
    SizeLf(usize),
    Data(usize),
    DataCr,
    DataLf,
    Trailer,
    TrailerField,
    TrailerLf,
    EndLf,
}

impl Discard {
    pub(crate) fn new(body: Body) -> Self {
        let state = match body {
            Body::Length(length) => State::Bytes(usize::try_from(length).unwrap_or(usize::MAX)),
            Body::Chunked => State::Size { value: 0, digits: 0 },
        };
        Self { state, allowance: BODY }
    }

    /// Takes the next bytes of the input.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Progress {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            if let State::Bytes(left) | State::Data(left) = self.state {
                let now = left.min(rest.len());
                if now > self.allowance {
                    return Progress::Lost;
                }
                self.allowance -= now;
                at += now;
                self.state = match self.state {
                    State::Bytes(_) if now == left => return Progress::Done(at),
                    State::Bytes(_) => State::Bytes(left - now),
                    _ if now == left => State::DataCr,
                    _ => State::Data(left - now),
                };
                if at == input.len() {
                    return Progress::More;
                }
                continue;
            }
            let Some(byte) = rest.first() else { return Progress::More };
            at += 1;
            match (self.allowance.checked_sub(1), self.state, byte) {
                (Some(_), State::EndLf, b'\n') => return Progress::Done(at),
                (Some(allowance), state, byte) => match state.after(*byte) {
                    Some(state) => *self = Self { state, allowance },
                    None => return Progress::Lost,
                },
                (None, ..) => return Progress::Lost,
            }
        }
    }
}

impl State {
    /// The state after a byte of chunk framing; none if it may not stand there.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { value, digits: 1.. }, b'\r') | (Self::Extension(value), b'\r') => {
                Self::SizeLf(value)
            }
            (Self::Size { value, digits: 1.. }, b';' | b' ' | b'\t') => Self::Extension(value),
            (Self::Size { value, digits: digits @ ..8 }, digit) => {
                let digit = char::from(digit).to_digit(16)? as usize;
                let value = value.checked_mul(16)?.checked_add(digit).filter(|value| *value <= BODY)?;
                Self::Size { value, digits: digits + 1 }
            }
            // A bare line feed in an extension is where two readers could part.
            (Self::Extension(_), b'\n') => return None,
            (Self::Extension(value), _) => Self::Extension(value),
            (Self::SizeLf(0), b'\n') => Self::Trailer,
            (Self::SizeLf(value), b'\n') => Self::Data(value),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size { value: 0, digits: 0 },
            (Self::Trailer, b'\r') => Self::EndLf,
            (Self::TrailerField, b'\r') => Self::TrailerLf,
            (Self::TrailerLf, b'\n') => Self::Trailer,
            (Self::Trailer | Self::TrailerField, b'\n') => return None,
            (Self::Trailer | Self::TrailerField, _) => Self::TrailerField,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn fed(body: Body, input: &[u8]) -> Progress {
        Discard::new(body).feed(input)
    }

    #[test]
    fn a_length_is_counted() {
        assert_eq!(fed(Body::Length(0), b"GET"), Progress::Done(0));
        assert_eq!(fed(Body::Length(3), b"abcGET"), Progress::Done(3));
        assert_eq!(fed(Body::Length(3), b"ab"), Progress::More);
    }

    #[test]
    fn chunks_are_followed_to_their_end() {
        for body in [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "00003;x=\"y\"\r\nabc\r\nA \r\n0123456789\r\n000\r\nTrailer: x\r\nOther: y\r\n\r\n",
        ] {
            let input = [body.as_bytes(), b"GET"].concat();
            assert_eq!(fed(Body::Chunked, &input), Progress::Done(body.len()), "{body}");
            assert_eq!(fed(Body::Chunked, &input[..body.len() - 1]), Progress::More, "{body}");
        }
    }

    #[test]
    fn doubtful_chunks_lose_the_connection() {
        for body in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "0x3\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "0\r\n\n",
            "0\r\nx\n\r\n",
            "3;a\nabc",
            "000000003\r\n",
            "fffffffff\r\n",
            "10001\r\n",
        ] {
            assert_eq!(fed(Body::Chunked, body.as_bytes()), Progress::Lost, "{body:?}");
        }
    }

    #[test]
    fn patience_ends_at_the_limit() {
        let mut discard = Discard::new(Body::Chunked);
        let sent = (0..).take_while(|_| discard.feed(b"1\r\nx\r\n") == Progress::More).count();
        assert_eq!(sent, BODY / 6);
        assert_eq!(fed(Body::Length(u64::MAX), &[0; BODY + 1]), Progress::Lost);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(input in "[0-9af;\r\n x]{0,40}", cuts: Vec<u8>) {
            let whole = fed(Body::Chunked, input.as_bytes());
            let mut discard = Discard::new(Body::Chunked);
            let mut at = 0;
            let mut result = Progress::More;
            for length in cuts.iter().map(|cut| usize::from(*cut % 5)).chain([input.len()]) {
                let end = (at + length).min(input.len());
                result = match discard.feed(&input.as_bytes()[at..end]) {
                    Progress::Done(now) => Progress::Done(at + now),
                    other => other,
                };
                at = end;
                if result != Progress::More {
                    break;
                }
            }
            prop_assert_eq!(whole, result);
        }
    }
}
