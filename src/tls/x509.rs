//! What is read from a certificate besides what rustls reads itself (RFC 5280 §4).
//!
//! rustls and webpki refuse certificates of version 1 and know no names but DNS names and IP addresses; exporters with
//! a web configuration file accept both. Only the structure is judged here, never a signature.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::string::{String, ToString};
use std::vec::Vec;

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, UtcTime};
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};

/// A certificate, taken apart. Everything borrowed stands in its DER.
#[derive(Clone, Debug)]
pub(crate) struct Certificate<'a> {
    /// What the signature is over: the TBSCertificate with its header.
    pub(crate) signed: &'a [u8],
    /// The content of the AlgorithmIdentifier of the signature.
    pub(crate) signature_algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// 1, 2 or 3.
    pub(crate) version: u8,
    /// Names as they stand, with their headers.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    /// Seconds since 1970, both included.
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) key: PublicKey<'a>,
    extensions: Option<&'a [u8]>,
}

/// A SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    /// The content of its AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) bits: &'a [u8],
}

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
/// Extensions that may be critical: those above, and those that ask nothing of a leaf, namely key identifiers,
/// policies and where revocations are published.
const UNDERSTOOD: [&[u8]; 8] = [
    SUBJECT_ALT_NAME,
    EXTENDED_KEY_USAGE,
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    &[0x55, 0x1d, 0x0e],
    &[0x55, 0x1d, 0x1f],
    &[0x55, 0x1d, 0x20],
    &[0x55, 0x1d, 0x23],
];
/// keyCertSign, in the first byte of the key usage.
const CERT_SIGN: u8 = 0x04;
/// id-kp-clientAuth and anyExtendedKeyUsage.
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const P224: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x21];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// The DER is not that of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = SliceReader::new(der)?;
        let certificate = sequence(&mut outer)?;
        outer.finish(())?;
        let mut reader = SliceReader::new(certificate)?;
        let signed = reader.tlv_bytes()?;
        let signature_algorithm = sequence(&mut reader)?;
        let signature = bit_string(&mut reader)?;
        reader.finish(())?;

        let mut whole = SliceReader::new(signed)?;
        let mut reader = SliceReader::new(sequence(&mut whole)?)?;
        let version = match context(&mut reader, 0)? {
            None => 1,
            Some(explicit) => match u8::from_der(explicit)? {
                version @ 0..=2 => version + 1,
                _ => return Err(Malformed),
            },
        };
        let _serial = reader.tlv_bytes()?;
        let _algorithm = sequence(&mut reader)?;
        let issuer = reader.tlv_bytes()?;
        let mut validity = SliceReader::new(sequence(&mut reader)?)?;
        let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
        let subject = reader.tlv_bytes()?;
        let mut info = SliceReader::new(sequence(&mut reader)?)?;
        let key = PublicKey { algorithm: sequence(&mut info)?, bits: bit_string(&mut info)? };
        let _issuer_id = context(&mut reader, 1)?;
        let _subject_id = context(&mut reader, 2)?;
        let extensions = match context(&mut reader, 3)? {
            Some(explicit) if version == 3 => Some(sequence(&mut SliceReader::new(explicit)?)?),
            Some(_) => return Err(Malformed),
            None => None,
        };
        reader.finish(())?;
        let certificate = Self {
            signed,
            signature_algorithm,
            signature,
            version,
            issuer,
            subject,
            not_before,
            not_after,
            key,
            extensions,
        };
        certificate.each_extension(|_, _, _| Ok(()))?;
        Ok(certificate)
    }

    /// Whether it says that it is a CA (RFC 5280 §4.2.1.9).
    pub(crate) fn is_ca(&self) -> bool {
        let flag =
            |value| SliceReader::new(sequence(&mut SliceReader::new(value).ok()?).ok()?).ok()?.decode().ok();
        self.extension(BASIC_CONSTRAINTS).is_some_and(|value| flag(value) == Some(true))
    }

    /// Whether it may sign certificates of clients. One of version 1 cannot say that it may not.
    pub(crate) fn may_sign(&self) -> bool {
        let usage = |value| {
            let bits: BitStringRef<'_> = SliceReader::new(value).ok()?.decode().ok()?;
            bits.raw_bytes().first().copied()
        };
        let signs = self
            .extension(KEY_USAGE)
            .is_none_or(|value| usage(value).is_some_and(|first| first & CERT_SIGN != 0));
        (self.version < 3 || self.is_ca()) && signs && self.is_for_clients()
    }

    /// Whether it limits the names in certificates that it signs (RFC 5280 §4.2.1.10).
    pub(crate) fn limits_names(&self) -> bool {
        self.extension(NAME_CONSTRAINTS).is_some()
    }

    /// Whether it demands something of whoever uses it that is not known here.
    pub(crate) fn has_unknown_demands(&self) -> bool {
        self.each_extension(
            |id, critical, _| {
                if critical && !UNDERSTOOD.contains(&id) { Err(Malformed) } else { Ok(()) }
            },
        )
        .is_err()
    }

    /// What is inside the subject.
    pub(crate) fn subject_content(&self) -> Option<&'a [u8]> {
        sequence(&mut SliceReader::new(self.subject).ok()?).ok()
    }

    /// Whether a client may identify itself with it: it says so, or says nothing (RFC 5280 §4.2.1.12).
    pub(crate) fn is_for_clients(&self) -> bool {
        self.extension(EXTENDED_KEY_USAGE).is_none()
            || self.has_purpose(&|purpose| purpose == CLIENT_AUTH || purpose == ANY_USAGE)
    }

    /// Whether it says that it is for any usage.
    pub(crate) fn is_for_any_usage(&self) -> bool {
        self.has_purpose(&|purpose| purpose == ANY_USAGE)
    }

    fn has_purpose(&self, wanted: &dyn Fn(&[u8]) -> bool) -> bool {
        let found = || -> Result<bool, Malformed> {
            let Some(value) = self.extension(EXTENDED_KEY_USAGE) else { return Ok(false) };
            let mut purposes = SliceReader::new(sequence(&mut SliceReader::new(value)?)?)?;
            while !purposes.is_finished() {
                if wanted(content(&mut purposes, Tag::ObjectIdentifier)?) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        found().unwrap_or(false)
    }

    /// Its subject alternative names as text: DNS names, e-mail addresses, URIs as they stand, IP addresses in their
    /// canonical form (RFC 5952). Others are left out.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let Some(value) = self.extension(SUBJECT_ALT_NAME) else { return names };
        let mut read = || -> Result<(), Malformed> {
            let mut list = SliceReader::new(sequence(&mut SliceReader::new(value)?)?)?;
            while !list.is_finished() {
                let name = AnyRef::decode(&mut list)?;
                names.extend(match name.header_number() {
                    Some(1 | 2 | 6) => core::str::from_utf8(name.value()).ok().map(ToString::to_string),
                    Some(7) => address(name.value()),
                    _ => None,
                });
            }
            Ok(())
        };
        // What stands before a fault is what it says; a fault is no name.
        let _ = read();
        names
    }

    fn extension(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut found = None;
        let _ = self.each_extension(|id, _, value| {
            if id == wanted {
                found = found.or(Some(value));
            }
            Ok(())
        });
        found
    }

    fn each_extension(
        &self,
        mut take: impl FnMut(&'a [u8], bool, &'a [u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let Some(extensions) = self.extensions else { return Ok(()) };
        let mut reader = SliceReader::new(extensions)?;
        while !reader.is_finished() {
            let mut extension = SliceReader::new(sequence(&mut reader)?)?;
            let id = content(&mut extension, Tag::ObjectIdentifier)?;
            let critical = extension.peek_tag()? == Tag::Boolean && extension.decode()?;
            take(id, critical, content(&mut extension, Tag::OctetString)?)?;
            extension.finish(())?;
        }
        Ok(())
    }
}

impl PublicKey<'_> {
    /// What kind of key it is, for people.
    pub(crate) fn describe(&self) -> String {
        let mut parts = [&[][..]; 2];
        if let Ok(mut reader) = SliceReader::new(self.algorithm) {
            for part in &mut parts {
                *part = content(&mut reader, Tag::ObjectIdentifier).unwrap_or_default();
            }
        }
        match parts {
            [RSA_ENCRYPTION, _] => match self.rsa_bits() {
                Some(bits) => std::format!("RSA {bits}"),
                None => "RSA".into(),
            },
            [EC_PUBLIC_KEY, P224] => "P-224".into(),
            [EC_PUBLIC_KEY, P256] => "P-256".into(),
            [EC_PUBLIC_KEY, P384] => "P-384".into(),
            [EC_PUBLIC_KEY, P521] => "P-521".into(),
            [ED25519, _] => "Ed25519".into(),
            _ => "unknown".into(),
        }
    }

    fn rsa_bits(&self) -> Option<usize> {
        let mut key = SliceReader::new(sequence(&mut SliceReader::new(self.bits).ok()?).ok()?).ok()?;
        let modulus = content(&mut key, Tag::Integer).ok()?;
        let first = modulus.iter().position(|byte| *byte != 0)?;
        Some((modulus.len() - first) * 8 - modulus[first].leading_zeros() as usize)
    }
}

/// An element's tag number where it is context-specific.
trait HeaderNumber {
    fn header_number(&self) -> Option<u8>;
}

impl HeaderNumber for AnyRef<'_> {
    fn header_number(&self) -> Option<u8> {
        match der::Tagged::tag(self) {
            Tag::ContextSpecific { number, .. } => Some(number.value()),
            _ => None,
        }
    }
}

fn content<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Result<&'a [u8], Malformed> {
    let header = Header::decode(reader)?;
    if header.tag != tag {
        return Err(Malformed);
    }
    Ok(reader.read_slice(header.length)?)
}

fn sequence<'a>(reader: &mut SliceReader<'a>) -> Result<&'a [u8], Malformed> {
    content(reader, Tag::Sequence)
}

/// The content of an optional element with a context-specific tag.
fn context<'a>(reader: &mut SliceReader<'a>, number: u8) -> Result<Option<&'a [u8]>, Malformed> {
    let wanted = TagNumber::new(number);
    match reader.peek_byte().map(Tag::try_from) {
        Some(Ok(tag @ Tag::ContextSpecific { number, .. })) if number == wanted => {
            content(reader, tag).map(Some)
        }
        _ => Ok(None),
    }
}

fn bit_string<'a>(reader: &mut SliceReader<'a>) -> Result<&'a [u8], Malformed> {
    let bits: BitStringRef<'a> = reader.decode()?;
    bits.as_bytes().ok_or(Malformed)
}

fn time(reader: &mut SliceReader<'_>) -> Result<u64, Malformed> {
    Ok(match reader.peek_tag()? {
        Tag::UtcTime => reader.decode::<UtcTime>()?.to_unix_duration().as_secs(),
        _ => reader.decode::<GeneralizedTime>()?.to_unix_duration().as_secs(),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    // Go prints a mapped address as the IPv4 address that it is, and names are compared with what Go prints.
    Some(address.to_ipv4_mapped().map_or_else(|| address.to_string(), |four| four.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::fixtures::certificate;

    fn with<R>(name: &str, look: impl FnOnce(Certificate<'_>) -> R) -> R {
        look(Certificate::parse(&certificate(name)).unwrap())
    }

    /// Asks everything that can be asked.
    fn exhaust(der: &[u8]) {
        if let Ok(certificate) = Certificate::parse(der) {
            let size: usize = certificate.names().iter().map(String::len).sum();
            // An IPv6 address is longer as text.
            assert!(size <= 3 * der.len());
            let _ =
                (certificate.may_sign(), certificate.has_unknown_demands(), certificate.is_for_any_usage());
            let _ = (certificate.limits_names(), certificate.subject_content(), certificate.key.describe());
            assert!(certificate.signed.len() < der.len() && (1..=3).contains(&certificate.version));
        }
    }

    #[test]
    fn every_part_is_read() {
        with("client.pem", |client| {
            assert_eq!(
                (client.version, client.not_before, client.not_after),
                (3, 946_684_800, 4_102_444_799)
            );
            let names = [
                "scraper.example.org",
                "ops@example.org",
                "spiffe://example.org/prometheus",
                "192.0.2.7",
                "2001:db8::7",
            ];
            assert_eq!(client.names(), names);
            assert!(client.subject.ends_with(b"client") && client.issuer.ends_with(b"the CA"));
            assert_eq!(client.subject_content(), Some(&client.subject[2..]));
            with("ca.pem", |ca| assert_eq!(ca.subject, client.issuer));
            assert!(!client.is_ca() && client.is_for_clients() && !client.is_for_any_usage());
            assert!(!client.has_unknown_demands() && !client.limits_names());
        });
    }

    #[test]
    fn version_1_has_no_extensions() {
        for name in ["client-v1.pem", "server-v1.pem", "ca-v1.pem"] {
            with(name, |old| {
                assert_eq!((old.version, old.names().len()), (1, 0));
                assert!(!old.is_ca() && old.is_for_clients() && old.may_sign() && !old.has_unknown_demands());
            });
        }
    }

    #[test]
    fn usages_are_told_apart() {
        for (name, clients, any) in [
            ("client.pem", true, false),
            ("client-plain.pem", true, false),
            ("client-any-usage.pem", true, true),
            ("client-for-servers.pem", false, false),
            ("server.pem", false, false),
        ] {
            with(name, |leaf| {
                assert_eq!((leaf.is_for_clients(), leaf.is_for_any_usage()), (clients, any), "{name}");
            });
        }
        for (name, ca, signs) in [
            ("ca.pem", true, true),
            ("ca-limited.pem", true, true),
            ("ca-not-signing.pem", true, false),
            ("ca-for-servers.pem", true, false),
            ("client.pem", false, false),
            ("client-plain.pem", false, false),
            ("client-with-ca.pem", true, true),
        ] {
            with(name, |issuer| assert_eq!((issuer.is_ca(), issuer.may_sign()), (ca, signs), "{name}"));
        }
        with("ca-limited.pem", |ca| assert!(ca.limits_names() && ca.has_unknown_demands()));
        with("client-with-ca-critical.pem", |leaf| assert!(leaf.has_unknown_demands()));
    }

    #[test]
    fn keys_are_called_by_their_kind() {
        for (name, kind) in [
            ("server.pem", "P-256"),
            ("server-p384.pem", "P-384"),
            ("server-p521.pem", "P-521"),
            ("server-ed25519.pem", "Ed25519"),
            ("server-rsa.pem", "RSA 2048"),
            ("server-rsa1024.pem", "RSA 1024"),
        ] {
            with(name, |leaf| assert_eq!(leaf.key.describe(), kind));
        }
        for algorithm in [&[][..], &[6], &[6, 1, 0x2a], &[0xff; 8]] {
            assert_eq!(PublicKey { algorithm, bits: &[] }.describe(), "unknown");
        }
    }

    #[test]
    fn addresses_are_as_go_prints_them() {
        assert_eq!(address(&[192, 0, 2, 7]).unwrap(), "192.0.2.7");
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
        assert_eq!(address(&mapped).unwrap(), "192.0.2.7");
        assert_eq!(address(&[0; 16]).unwrap(), "::");
        assert_eq!(address(&[0; 5]), None);
    }

    #[test]
    fn cut_or_changed_anywhere_it_is_malformed_or_another_but_no_panic() {
        for name in ["client.pem", "client-v1.pem", "ca-limited.pem", "server-rsa.pem"] {
            let der = certificate(name);
            for end in 0..der.len() {
                assert!(Certificate::parse(&der[..end]).is_err(), "{name} {end}");
            }
            assert!(Certificate::parse(&[&der[..], &[0]].concat()).is_err());
            let mut der = der.to_vec();
            for at in 0..der.len() {
                let before = der[at];
                for byte in [0, 1, 0x7f, 0x80, 0x82, 0xff, before ^ 1, before.wrapping_add(1)] {
                    der[at] = byte;
                    exhaust(&der);
                }
                der[at] = before;
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, at in 0_usize..400, cut in 0_usize..8) {
            exhaust(&bytes);
            let mut der = certificate("client.pem").to_vec();
            let at = at.min(der.len());
            der.splice(at..(at + cut).min(der.len()), bytes);
            exhaust(&der);
        }
    }
}
