//! A bcrypt hash, read and verified as the reference does it (golang.org/x/crypto/bcrypt): whoever gets in there gets
//! in here.
//!
//! Its form is `$2a$10$`, 22 characters of salt, 31 of digest. The reference is generous with it: any major version
//! up to 2, any minor one or none (all are the same algorithm), any byte where a dollar should stand after them, a
//! plus sign before a cost of one digit, anything behind the digest. All of this verifies there, so it does here.

use core::fmt;

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use super::secret::Secret;

/// The lowest cost there is.
const MIN_COST: u32 = 4;
/// The highest: a day or more for one verification on a small device.
const MAX_COST: u32 = 31;
/// Bytes of a password that count.
pub(crate) const LONGEST_PASSWORD: usize = 72;

/// Characters of a whole hash with a minor version.
pub(crate) const TEXT: usize = 60;
const SALT: usize = 22;
const DIGEST: usize = 31;
/// The 24th byte of the result has never been part of a hash.
const DIGEST_BYTES: usize = 23;

/// A salt's last character has four bits too many, and not every tool leaves them zero.
static LENIENT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));
/// A digest is compared as text, so it has to be exact.
static EXACT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

/// What a password is verified against.
pub(crate) struct BcryptHash {
    cost: u32,
    /// None if it is not base64: then no password can match.
    salt: Option<[u8; 16]>,
    digest: [u8; DIGEST],
    /// Bytes of the text behind the salt.
    behind_salt: usize,
}

/// Why a text is no bcrypt hash. It says nothing of the text itself, which must not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHash {
    Missing,
    NoDollar,
    Short,
    Prefix,
    Digits,
    Cost,
}

impl fmt::Display for NoHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Missing => "there is no hash; make one with `scrapeport hash-password`",
            Self::NoDollar => "this is not a bcrypt hash; make one with `scrapeport hash-password`",
            Self::Short => {
                "the hash is too short for bcrypt (did a shell take its `$` parts?); copy it whole"
            }
            Self::Prefix => "the hash is of another kind than bcrypt, which begins with `$2y$`; use bcrypt",
            Self::Digits => "the hash has no cost of two digits, as in `$2y$10$`; copy it unchanged",
            Self::Cost => "the cost in the hash must be from 04 to 31",
        })
    }
}

impl BcryptHash {
    /// Reads a hash; the verdict is the one of the reference when it loads its file.
    ///
    /// # Errors
    /// [`NoHash`] if the reference refuses the text. Some that it takes can never match: see [`Self::never`].
    pub(crate) fn parse(text: &[u8]) -> Result<Self, NoHash> {
        match text {
            [] => return Err(NoHash::Missing),
            [b'$', ..] => {}
            _ => return Err(NoHash::NoDollar),
        }
        if text.len() < TEXT - 1 {
            return Err(NoHash::Short);
        }
        let [_, b'\0'..=b'2', minor, ..] = text else { return Err(NoHash::Prefix) };
        let text = &text[if *minor == b'$' { 3 } else { 4 }..];
        let cost = cost(text[0], text[1])?;
        let (salt, rest) = text[3..].split_at(SALT);
        let mut digest = [0; DIGEST];
        let length = rest.len().min(DIGEST);
        digest[..length].copy_from_slice(&rest[..length]);
        Ok(Self { cost, salt: decode(&LENIENT, salt), digest, behind_salt: rest.len() })
    }

    /// The binary logarithm of the number of rounds, from [`MIN_COST`] to [`MAX_COST`].
    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// Why no password can ever match; `None` if one can.
    pub(crate) fn never(&self) -> Option<&'static str> {
        if self.behind_salt < DIGEST {
            Some("the hash lacks characters at its end")
        } else if self.salt.is_none() || decode::<DIGEST_BYTES>(&EXACT, &self.digest).is_none() {
            Some("the hash contains characters that bcrypt does not write there")
        } else {
            None
        }
    }

    /// Whether something stands behind the hash, but for a line end.
    pub(crate) const fn has_more(&self) -> bool {
        self.behind_salt > DIGEST + 1
    }

    /// Whether the password matches. Takes the time that the cost asks for, whatever the answer.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        let digest = digest(self.cost, self.salt.unwrap_or_default(), password);
        // The same time wherever the difference is.
        let difference = digest.iter().zip(&self.digest).fold(0, |sum, (a, b)| sum | (a ^ b));
        self.salt.is_some() && core::hint::black_box(difference) == 0
    }
}

/// Takes as long as verifying a password against a hash of that cost.
pub(crate) fn waste(cost: u32, password: &[u8]) {
    core::hint::black_box(digest(cost, [0; 16], password));
}

/// A new hash, with the prefix of today's tools. Of a longer password only [`LONGEST_PASSWORD`] bytes count.
#[cfg(any(feature = "exporter", test))]
pub(crate) fn generate(cost: u32, salt: [u8; 16], password: &[u8]) -> [u8; TEXT] {
    let cost = cost.clamp(MIN_COST, MAX_COST);
    let mut text = *b"$2y$00$.....................................................";
    text[4] = b'0' + (cost / 10) as u8;
    text[5] = b'0' + (cost % 10) as u8;
    // It fits: 16 bytes are 22 characters.
    let _ = EXACT.encode_slice(salt, &mut text[7..7 + SALT]);
    text[7 + SALT..].copy_from_slice(&digest(cost, salt, password));
    text
}

/// A number of two characters, as Go's `strconv.Atoi` reads it.
fn cost(tens: u8, ones: u8) -> Result<u32, NoHash> {
    let tens = if tens == b'+' { b'0' } else { tens };
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return Err(NoHash::Digits);
    }
    let cost = u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    if (MIN_COST..=MAX_COST).contains(&cost) { Ok(cost) } else { Err(NoHash::Cost) }
}

/// Decodes exactly `N` bytes.
fn decode<const N: usize>(engine: &GeneralPurpose, text: &[u8]) -> Option<[u8; N]> {
    // The decoder wants room for whole groups of four characters.
    let mut room = [0; 24];
    let length = engine.decode_slice(text, &mut room).ok()?;
    room[..length].try_into().ok()
}

/// The digest of a password, as text. A NUL ends the password and counts as a part of it; what is beyond 72 bytes
/// does not. A NUL inside is a byte like any other.
fn digest(cost: u32, salt: [u8; 16], password: &[u8]) -> [u8; DIGEST] {
    let mut key = Secret::<LONGEST_PASSWORD>::new();
    key.fill(|room| {
        let length = password.len().min(LONGEST_PASSWORD);
        room[..length].copy_from_slice(&password[..length]);
        length + 1
    });
    // It panics for an empty key, one beyond 72 bytes and a cost beyond 31: there are none.
    let result = bcrypt::bcrypt(cost.min(MAX_COST), salt, key.as_slice());
    let mut text = [0; DIGEST];
    // It fits: 23 bytes are 31 characters.
    let _ = EXACT.encode_slice(&result[..DIGEST_BYTES], &mut text);
    text
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The reference's own answer for this text and "secret" is in each test that uses it.
    const SECRET: &str = "$2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK";

    fn verify(text: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> bool {
        BcryptHash::parse(text.as_ref()).ok().unwrap().verify(password.as_ref())
    }

    fn can_match(text: impl AsRef<[u8]>) -> bool {
        BcryptHash::parse(text.as_ref()).ok().unwrap().never().is_none()
    }

    fn refused(text: impl AsRef<[u8]>) -> Option<NoHash> {
        BcryptHash::parse(text.as_ref()).err()
    }

    fn with(at: usize, byte: u8) -> Vec<u8> {
        let mut text = Vec::from(SECRET);
        text[at] = byte;
        text
    }

    /// Test vectors of Openwall's crypt_blowfish.
    #[test]
    fn known_passwords_match() {
        let long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let ignored = String::from(long) + "chars after 72 are ignored";
        let vectors: [(&str, &[u8]); 17] = [
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", b"U*U"),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", b"U*U*"),
            ("$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", b"U*U*U"),
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", b""),
            ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", long.as_bytes()),
            ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", ignored.as_bytes()),
            ("$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", b"\xff\xff\xa3"),
            ("$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", b"\xff\xff\xa3"),
            ("$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", b"\xa3"),
            ("$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq", b"\xa3"),
            (
                "$2y$05$/OK.fbVrR/bpIqNJ5ianF.o./n25XVfn6oAPaUvHe.Csk4zRfsYPi",
                b"\xff\xa334\xff\xff\xff\xa3345",
            ),
            ("$2y$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e", b"\xff\xa3345"),
            ("$2x$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", b"\xa3ab"),
            ("$2y$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS", b"\xa3ab"),
            ("$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6", &[0xaa; 90]),
            ("$2a$05$/OK.fbVrR/bpIqNJ5ianF.R9xrDjiycxMbQE2bp.vgqlYpW5wx2yy", &[0xaa, 0x55].repeat(36)),
            ("$2a$05$/OK.fbVrR/bpIqNJ5ianF.9tQZzcJfm3uj2NvJ/n5xkhpqLrMpWCe", &[0x55, 0xaa, 0xff].repeat(24)),
        ];
        for (text, password) in vectors {
            assert!(can_match(text) && verify(text, password), "{text}");
            assert!(!verify(text, [b"x", password].concat()), "{text}");
        }
        // What only the old fault of 2x makes equal, and what 2a was changed to keep apart: the reference knows neither.
        assert!(!verify("$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", b"\xa3"));
        assert!(!verify("$2a$05$/OK.fbVrR/bpIqNJ5ianF.nqd1wy.pTMdcvrRWxyiGL2eMz.2a85.", b"\xff\xff\xa3"));
    }

    #[test]
    fn what_the_reference_tolerates_matches() {
        let without_minor = SECRET.replacen("$2a", "$2", 1);
        assert_eq!(without_minor.len(), 59);
        let tolerated = [
            SECRET.into(),
            Vec::from(without_minor.as_str()),
            Vec::from(without_minor.clone() + "x"),
            Vec::from(SECRET.replacen("$2a", "$1a", 1)),
            Vec::from(SECRET.replacen("$2a", "$2y", 1)),
            Vec::from(SECRET.replacen("$2a", "$\0\x07", 1)),
            with(2, 0xc3),
            Vec::from(SECRET.replacen("$04$", "#04#", 1)),
            Vec::from(SECRET.replacen("$04$", "$+4$", 1)),
            Vec::from(SECRET.to_string() + "\n"),
            Vec::from(SECRET.to_string() + "garbage"),
            // Unused bits of the salt.
            with(28, b'j'),
        ];
        for text in tolerated {
            assert!(can_match(&text) && verify(&text, "secret"), "{text:?}");
            assert!(!verify(&text, "Secret"), "{text:?}");
        }
    }

    #[test]
    fn what_loads_but_cannot_match_never_does() {
        for text in [
            Vec::from(&SECRET[..59]),
            // Unused bits of the digest.
            with(59, b'L'),
            with(28, b'='),
            with(10, b'\n'),
            with(40, b'+'),
            with(59, 0xff),
        ] {
            assert!(!can_match(&text) && !verify(&text, "secret"), "{text:?}");
        }
    }

    #[test]
    fn what_the_reference_refuses_is_refused() {
        assert_eq!(refused(""), Some(NoHash::Missing));
        assert_eq!(refused(&SECRET[..58]), Some(NoHash::Short));
        assert_eq!(refused("secret"), Some(NoHash::NoDollar));
        assert_eq!(refused(" ".to_string() + SECRET), Some(NoHash::NoDollar));
        assert_eq!(refused("$".to_string() + SECRET), Some(NoHash::Digits), "a doubled dollar");
        assert_eq!(refused(with(1, b'3')), Some(NoHash::Prefix));
        for cost in ["03", "32", "00", "99", "+3"] {
            let text = SECRET.replacen("$04$", &["$", cost, "$"].concat(), 1);
            assert_eq!(refused(text), Some(NoHash::Cost), "{cost}");
        }
        for cost in ["-4", "4$", " 4", "0x", "++", "4+", "0_"] {
            let text = SECRET.replacen("$04$", &["$", cost, "$"].concat(), 1);
            assert_eq!(refused(text), Some(NoHash::Digits), "{cost}");
        }
        let others = [
            "$apr1$12345678$0123456789012345678901234567890123456789012345678901",
            "$6$rounds=5000$saltsalt$0123456789012345678901234567890123456789012345678901",
            "$argon2id$v=19$m=65536,t=2,p=1$gZiV/M1gPc22ElAH/Jh1Hw$CWOrkoo7oJBQ/iyh7uJ0LO2aLEfrHwTWllSAxT0zRno",
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
        ];
        for other in others {
            assert!(refused(other).is_some(), "{other}");
        }
    }

    #[test]
    fn passwords_end_with_a_nul_and_with_72_bytes() {
        let hash = |password: &[u8]| generate(4, [7; 16], password);
        let long = [b'b'; 80];
        assert!(verify(hash(&long[..72]), long), "only 72 bytes count");
        assert!(!verify(hash(&long[..71]), &long[..72]));
        assert!(verify(hash(&long[..71]), [&long[..71], b"\0x"].concat()), "the 72nd byte is the NUL");
        assert!(!verify(hash(b"a\0b"), b"a"), "a NUL inside ends nothing");
        assert!(!verify(hash(b"a\0b"), b"a\0c"));
        assert!(verify(hash(b"a\0b"), b"a\0b"));
        // The key is repeated until it fills 72 bytes: no fault of ours.
        assert!(verify(hash(b"a"), b"a\0a"));
        assert!(verify(hash(b""), b"") && !verify(hash(b""), b"x") && !verify(hash(b"x"), b""));
    }

    #[test]
    fn a_new_hash_has_its_form() {
        let text = String::from_utf8(generate(5, [0x10; 16], b"password").into()).unwrap();
        assert!(text.starts_with("$2y$05$C/.OC/.OC/.OC/.OC/.OC."), "{text}");
        assert!(can_match(&text) && verify(&text, "password"));
        assert!(generate(0, [0; 16], b"").starts_with(b"$2y$04$"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(hash) = BcryptHash::parse(&bytes) {
                prop_assert!(bytes.len() >= 59 && bytes[0] == b'$');
                hash.never();
            }
        }

        #[test]
        fn a_hash_with_any_byte_changed_is_survived(at in 0_usize..60, byte: u8, length in 0_usize..70) {
            let mut text = with(at, byte);
            text.resize(length, byte);
            if let Ok(hash) = BcryptHash::parse(&text) {
                prop_assert!((MIN_COST..=MAX_COST).contains(&hash.cost()));
                if hash.cost() == MIN_COST {
                    prop_assert!(!hash.verify(b"secret") || hash.never().is_none());
                }
            }
        }
    }
}
