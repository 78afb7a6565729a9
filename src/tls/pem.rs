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

    /// The certificates in it. Blocks that are no base64 are skipped.
    pub(super) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(&self.text).filter_map(Result::ok).collect()
    }

    /// The forms that the first private key in it may have: its label may promise another than its content keeps.
    pub(super) fn key(&self) -> Result<[PrivateKeyDer<'static>; 3], String> {
        let marker = |label: &str| find(&self.text, format!("-----BEGIN {label}PRIVATE KEY-----").as_bytes());
        let first = ["", "RSA ", "EC "].into_iter().filter_map(marker).min();
        let locked = marker("ENCRYPTED ").is_some_and(|at| first.is_none_or(|first| at < first));
        let from = first.unwrap_or(self.text.len());
        let marked = self.text[from..].windows(9).take(256).any(|text| text == b"ENCRYPTED");
        if locked || marked {
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

pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
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
