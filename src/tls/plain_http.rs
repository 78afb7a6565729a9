//! Clients that speak HTTP without TLS to a port that speaks it with TLS.

/// What they are told: the bytes that every Go server sends, so that probes recognise them.
pub(super) const NOTICE: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// How requests begin.
const BEGINNINGS: [&[u8; 5]; 5] = [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO"];

/// The content type of a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Tls,
    PlainHttp,
    Other,
    /// Too few to tell.
    Unknown,
}

pub(super) fn first_bytes(bytes: &[u8]) -> First {
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
