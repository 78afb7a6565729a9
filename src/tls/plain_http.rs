//! Before TLS and after it: clients that speak HTTP without TLS to a port that speaks it with TLS, and last words that
//! are to arrive.

use super::failure::Failure;
use crate::http::limits::LINGER;
use crate::http::transport::{Phase, Transport};

/// What they are told: the bytes that every Go server sends, so that probes recognise them.
pub(super) const NOTICE: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// How requests begin.
const BEGINNINGS: [&[u8; 5]; 5] = [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO"];

/// The content type of a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// Receives until it is certain that it is TLS that comes, and gives the number of bytes.
pub(super) fn receive_first(below: &mut dyn Transport, input: &mut [u8]) -> Result<usize, Failure> {
    let mut received = 0;
    loop {
        match first_bytes(&input[..received]) {
            First::Tls => return Ok(received),
            First::Unknown => {}
            First::Other => return Err(Failure::NotTls),
            First::PlainHttp => {
                let _ = below.write(NOTICE);
                drain(below, input);
                return Err(Failure::PlainHttp);
            }
        }
        match below.read(&mut input[received..], Phase::Handshake).map_err(Failure::from)? {
            0 if received == 0 => return Err(Failure::Closed),
            0 => return Err(Failure::NotTls),
            length => received += length,
        }
    }
}

/// Ends the conversation so that the last words arrive: closing while the client's bytes still come would reset the
/// connection under them.
#[cold]
pub(super) fn drain(below: &mut dyn Transport, input: &mut [u8]) {
    below.close_write();
    let mut dropped = 0;
    while dropped < LINGER {
        match below.read(input, Phase::Linger) {
            Ok(0) | Err(_) => return,
            Ok(length) => dropped += length,
        }
    }
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Tls,
    PlainHttp,
    Other,
    /// Too few to tell.
    Unknown,
}

fn first_bytes(bytes: &[u8]) -> First {
    let Some(first) = bytes.first() else { return First::Unknown };
    if *first == HANDSHAKE {
        return First::Tls;
    }
    let begun = &bytes[..bytes.len().min(5)];
    if BEGINNINGS.iter().any(|beginning| beginning.starts_with(begun)) {
        return if begun.len() == 5 { First::PlainHttp } else { First::Unknown };
    }
    First::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_five_bytes_tell_even_one_by_one() {
        for request in ["GET / HTTP/1.1", "GET /metrics", "HEAD *", "POST x", "PUT /", "OPTIONS * HTTP/1.1"] {
            for end in 0..5 {
                assert_eq!(first_bytes(&request.as_bytes()[..end]), First::Unknown);
            }
            assert_eq!(first_bytes(&request.as_bytes()[..5]), First::PlainHttp);
            assert_eq!(first_bytes(request.as_bytes()), First::PlainHttp);
        }
        for other in ["get /", "GET x", "GETX", "DELETE", "\r\nGET /", "\u{15}", "SSH-2.0", "PUT x"] {
            assert_eq!(first_bytes(other.as_bytes()), First::Other, "{other}");
        }
        assert_eq!(first_bytes(&[22, 3, 1, 0, 5]), First::Tls);
        assert_eq!(first_bytes(&[22]), First::Tls);
    }
}
