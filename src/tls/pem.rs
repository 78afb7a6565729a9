//! PEM text (RFC 7468): certificates and keys between their markers, whatever stands around them.

use std::format;
use std::io;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::Pem;
use crate::watched::Watched;

/// PEM text, and how to call its source in a message.
pub(super) struct Source {
    pub(super) text: Vec<u8>,
    pub(super) name: String,
}

impl Source {
    /// Reads it, and adds what was read to the watched files.
    pub(super) fn read(pem: &Pem, watched: &mut Vec<Watched>) -> Result<Self, String> {
        match pem {
            Pem::Inline(text) => Ok(Self { text: text.clone().into_bytes(), name: "the text".into() }),
            Pem::File(path) => {
                let (file, result) = Watched::read(path);
                watched.push(file);
                match result {
                    Ok(text) => Ok(Self { text, name: shown(path) }),
                    Err(error) => Err(unreadable(path, &error)),
                }
            }
        }
    }

    /// The forms that the first private key in it may have: its label may promise another than its content keeps.
    pub(super) fn key(&self) -> Result<[PrivateKeyDer<'static>; 3], String> {
        let marker = |label: &str| find(&self.text, format!("-----BEGIN {label}PRIVATE KEY-----").as_bytes());
        let first = ["", "RSA ", "EC "].into_iter().filter_map(marker).min();
        let locked = marker("ENCRYPTED ").is_some_and(|at| first.is_none_or(|first| at < first));
        let from = first.unwrap_or(self.text.len());
        // The older way: a header inside the block (RFC 1421 §4.6.1.1).
        let block = &self.text[from..];
        let block = &block[..find(block, b"-----END").unwrap_or(block.len())];
        if locked || find(block, b"\nProc-Type: 4,ENCRYPTED").is_some() {
            return Err(format!(
                "the private key in {} is encrypted; remove its pass phrase with `openssl pkey`",
                self.name
            ));
        }
        let mut sections =
            <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.text[from..]).filter_map(Result::ok);
        let (_, der) = sections
            .find(|(kind, _)| {
                matches!(
                    kind,
                    SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
                )
            })
            .ok_or_else(|| {
                format!(
                    "there is no private key in {}; it needs a PEM block `-----BEGIN PRIVATE KEY-----`",
                    self.name
                )
            })?;
        Ok([
            PrivateKeyDer::Pkcs8(der.clone().into()),
            PrivateKeyDer::Pkcs1(der.clone().into()),
            PrivateKeyDer::Sec1(der.into()),
        ])
    }
}

/// The certificates in a text. Blocks that are no base64 are skipped.
pub(super) fn certificates(text: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(text).filter_map(Result::ok).collect()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A path as it stands in a message.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    let cure = match error.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; let this program's user read it",
        _ => "",
    };
    format!("cannot read {}: {error}{cure}", shown(path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::crypto::ring::sign::any_supported_type;

    use super::*;
    use crate::tls::fixtures::{certificate, file, path, text};

    fn inline(text: &[u8]) -> Source {
        Source { text: text.to_vec(), name: "the text".into() }
    }

    #[test]
    fn certificates_are_found_among_other_things() {
        let (ca, client) = (text("ca.pem"), text("client.pem"));
        let both = [certificate("ca.pem"), certificate("client.pem")];
        for between in [
            &b""[..],
            b"some words\n",
            b"\n\n",
            &text("server.key"),
            b"-----BEGIN X-----\nAA==\n-----END X-----\n",
        ] {
            assert_eq!(certificates(&[between, &ca, between, &client, between].concat()), both);
        }
        let text_of_both = String::from_utf8([ca, client].concat()).unwrap();
        assert_eq!(certificates(text_of_both.replace('\n', "\r\n").as_bytes()), both);
        assert_eq!(certificates(text_of_both.trim_end().as_bytes()), both, "the last line has no end");
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let ca = String::from_utf8(text("ca.pem")).unwrap();
        for other in [
            String::new(),
            "-----BEGIN CERTIFICATE-----\n".into(),
            ca.replace('\n', "\n  "),
            ca.replace('\n', " "),
            ca.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            ca.replace("-----END CERTIFICATE-----", ""),
            ca.replace("MII", "M!I"),
        ] {
            assert!(certificates(format!("\n  {other}").as_bytes()).is_empty(), "{other}");
        }
        assert!(certificates(&certificate("ca.pem")).is_empty(), "DER");
    }

    #[test]
    fn keys_of_every_form_are_found() {
        for name in [
            "server.key",
            "server-sec1.key",
            "server-parameters.key",
            "server-both.pem",
            "server-rsa.key",
            "server-rsa-pkcs1.key",
            "server-ed25519.key",
            "server-p384.key",
        ] {
            let forms = Source::read(&file(name), &mut Vec::new()).unwrap().key().unwrap();
            assert!(forms.iter().any(|form| any_supported_type(form).is_ok()), "{name}");
        }
    }

    #[test]
    fn encrypted_keys_are_called_so() {
        for name in ["server-encrypted.key", "server-encrypted-sec1.key"] {
            let expected =
                "the private key in the text is encrypted; remove its pass phrase with `openssl pkey`";
            assert_eq!(inline(&text(name)).key().unwrap_err(), expected);
            let before = [text(name), text("server.key")].concat();
            assert_eq!(inline(&before).key().unwrap_err(), expected);
            // The first key counts, and one of Ed25519 is short.
            let after = [text("server-ed25519.key"), text(name)].concat();
            assert!(inline(&after).key().is_ok(), "{name}");
        }
    }

    #[test]
    fn without_a_key_it_says_what_is_missing() {
        for text in [
            &b""[..],
            &text("server.pem"),
            b"-----BEGIN PRIVATE KEY-----\n",
            b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----",
        ] {
            assert_eq!(
                inline(text).key().unwrap_err(),
                "there is no private key in the text; it needs a PEM block `-----BEGIN PRIVATE KEY-----`"
            );
        }
    }

    #[test]
    fn what_is_read_is_watched_even_if_it_cannot_be_read() {
        let mut watched = Vec::new();
        assert_eq!(Source::read(&file("ca.pem"), &mut watched).map(|source| source.text), Ok(text("ca.pem")));
        let missing = Source::read(&file("none.pem"), &mut watched).map(|_| ()).unwrap_err();
        assert_eq!(
            missing,
            format!(
                "cannot read {}: No such file or directory (os error 2); check the path",
                path("none.pem").display()
            )
        );
        assert_eq!(watched.len(), 2);
        assert!(watched[0].is_current() && !watched[1].is_current());
        assert_eq!(Source::read(&Pem::Inline("x".into()), &mut watched).unwrap().name, "the text");
        assert_eq!(watched.len(), 2);
    }

    #[test]
    fn odd_paths_are_shown_in_one_line() {
        assert_eq!(shown(Path::new("a\nb\u{1b}")), "a\\nb\\u{1b}");
    }

    /// Pieces of PEM, to be put together in any order.
    const PARTS: &[&str] = &[
        "-----BEGIN ",
        "-----END ",
        "CERTIFICATE",
        "PRIVATE KEY",
        "RSA ",
        "EC ",
        "ENCRYPTED ",
        "-----",
        "\n",
        "\r",
        " ",
        "MIIB",
        "AA==",
        "=",
        "Proc-Type: 4,ENCRYPTED",
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n",
        "-----END PRIVATE KEY-----\n",
    ];

    proptest! {
        #[test]
        fn any_text_is_survived(parts in prop::collection::vec(0..PARTS.len(), 0..40), noise: Vec<u8>) {
            let text: String = parts.iter().map(|part| PARTS[*part]).collect();
            for text in [text.as_bytes(), &noise, &[text.as_bytes(), &noise].concat()] {
                let found: usize = certificates(text).iter().map(|der| der.len()).sum();
                prop_assert!(found <= text.len());
                if let Ok([form, ..]) = inline(text).key() {
                    prop_assert!(form.secret_der().len() <= text.len());
                }
            }
        }
    }
}
