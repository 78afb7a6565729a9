//! The value of an `Authorization` field: user and password (RFC 7617 §2), read as the reference does it (net/http's
//! `parseBasicAuth` and encoding/base64's `StdEncoding`).
//!
//! The scheme in any case, exactly one blank, base64 with its padding (unused bits may be set), a colon. Go's decoder
//! skips line ends; no field value that its server lets through has any, so here they are malformed.

use core::ops::Range;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD};

use super::secret::Secret;

/// Characters of base64 that are looked at. More are no credentials: the limit on a request's head can be raised to
/// a megabyte, and a worker's stack is small. Of a password only 72 bytes count anyway.
pub(crate) const LONGEST: usize = 2_048;

const SCHEME: &[u8] = b"basic ";
const DECODED: usize = LONGEST / 4 * 3;

static BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// What a client says who it is. On the stack, overwritten when it goes.
pub(crate) struct Credentials {
    text: Secret<DECODED>,
    colon: usize,
}

impl Credentials {
    /// Reads a field's value, without blanks around it. None if it is malformed, or of another scheme.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (scheme, code) = value.split_at_checked(SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(SCHEME) || code.len() > LONGEST {
            return None;
        }
        let mut text = Secret::new();
        let mut decoded = Ok(0);
        text.fill(|room| {
            decoded = BASE64.decode_slice(code, room);
            decoded.as_ref().copied().unwrap_or_default()
        });
        decoded.ok()?;
        let colon = text.as_slice().iter().position(|byte| *byte == b':')?;
        Some(Self { text, colon })
    }

    pub(crate) fn user(&self) -> &[u8] {
        self.part(0..self.colon)
    }

    /// Everything behind the first colon.
    pub(crate) fn password(&self) -> &[u8] {
        self.part(self.colon + 1..self.text.as_slice().len())
    }

    fn part(&self, range: Range<usize>) -> &[u8] {
        self.text.as_slice().get(range).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::web_config::fuzz::naive;

    fn parsed(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let credentials = Credentials::parse(value)?;
        Some((credentials.user().into(), credentials.password().into()))
    }

    fn read(value: &str) -> Option<(String, String)> {
        let (user, password) = parsed(value.as_bytes())?;
        Some((String::from_utf8(user).unwrap(), String::from_utf8(password).unwrap()))
    }

    #[test]
    fn well_formed_values() {
        for (value, user, password) in [
            ("Basic YWxpY2U6c2VjcmV0", "alice", "secret"),
            ("basic YWxpY2U6c2VjcmV0", "alice", "secret"),
            ("BASIC YWxpY2U6c2VjcmV0", "alice", "secret"),
            ("Basic YTpiOmM=", "a", "b:c"),
            ("Basic YTpiOmN=", "a", "b:c"),
            ("Basic Og==", "", ""),
            ("Basic Oh==", "", ""),
            ("Basic YTo=", "a", ""),
            ("Basic OmI=", "", "b"),
            ("Basic 4pyTOsO8", "✓", "ü"),
        ] {
            assert_eq!(read(value), Some((user.into(), password.into())), "{value}");
        }
    }

    #[test]
    fn malformed_values() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic  YTpi",
            "Basic\tYTpi",
            " Basic YTpi",
            "Basic YTpi ",
            "Basic YTo",
            "Basic Og=",
            "Basic Og",
            "Basic YT pi",
            "Basic YTpi\r\n",
            "Basic YT\npi",
            "Basic YTpi=",
            "Basic YTpi====",
            "Basic Og==YTpi",
            "Basic O===",
            "Basic =",
            "Basic -_8:",
            "Basic YWJj",
            "Basic a:b",
            "Bearer YTpi",
            "Basically YTpi",
            "Digest username=\"a\"",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(parsed(b"Basic YT\xffi"), None);
    }

    #[test]
    fn there_is_a_longest() {
        let code = |length: usize| [&b"Basic Ojoj"[..], &b"A".repeat(length - 4)].concat();
        let (user, password) = parsed(&code(LONGEST)).unwrap();
        assert_eq!((user.len(), password.len()), (0, LONGEST / 4 * 3 - 1));
        assert_eq!(parsed(&code(LONGEST + 4)), None);
        assert_eq!(parsed(&code(1 << 20)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn like_the_naive_reader(code in "[A-D:/+=Og\r\n -]{0,12}", scheme in "[Bb]asic ?.?") {
            let value = [scheme.as_bytes(), code.as_bytes()].concat();
            prop_assert_eq!(parsed(&value), naive(&value));
        }

        #[test]
        fn whatever_is_encoded_is_read(user in "[^:]{0,40}", password: Vec<u8>) {
            let text = [user.as_bytes(), b":", &password].concat();
            let mut code = std::vec![0; text.len() * 2 + 4];
            let length = BASE64.encode_slice(&text, &mut code).unwrap();
            prop_assert_eq!(
                parsed(&[b"Basic ", &code[..length]].concat()),
                Some((user.into_bytes(), password))
            );
        }
    }
}
