//! Who vouches for clients: the certificates of a file, of a directory, or of the public authorities.

use std::format;
use std::path::Path;
use std::vec::Vec;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::pem::{Source, shown, unreadable};
use super::problem::{Part, Problem, Remark};
use super::settings::{Clients, Pem};
use super::x509::Certificate;
use crate::watched::Watched;

/// The certificates that vouch for clients.
#[derive(Debug)]
pub(super) struct Trust {
    /// Those that may vouch for others.
    pub(super) anchors: Vec<Anchor>,
    /// Those that were listed one by one, in full. Each vouches at least for itself.
    pub(super) listed: Vec<CertificateDer<'static>>,
}

/// A trust anchor (RFC 5280 §6.1.1), and when it vouches: seconds since 1970, both included.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) anchor: TrustAnchor<'static>,
}

impl Trust {
    /// Vouches for nobody.
    pub(super) fn nobody() -> Self {
        Self { anchors: Vec::new(), listed: Vec::new() }
    }

    pub(super) fn read(
        clients: &Clients,
        watched: &mut Vec<Watched>,
        remarks: &mut Vec<Remark>,
    ) -> Result<Self, Vec<Problem>> {
        let mut trust = Self::nobody();
        let mut problems = Vec::new();
        if let Some(ca) = &clients.ca {
            match Source::read(ca, watched) {
                Err(text) => problems.push(Problem::new(Part::ClientCa, text)),
                Ok(source) => {
                    if trust.add(source.certificates()) == 0 {
                        remarks.push(Remark::new(
                            Part::ClientCa,
                            format!(
                                "there is no usable certificate in {}; no client can be verified",
                                source.name
                            ),
                        ));
                    }
                }
            }
        }
        if let Some(directory) = &clients.ca_directory {
            if let Err(text) = trust.add_directory(directory, watched) {
                problems.push(Problem::new(Part::ClientCaDirectory, text));
            }
        }
        if clients.public_roots {
            let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            trust.anchors.extend(roots.map(|anchor| Anchor { from: 0, until: u64::MAX, anchor }));
        }
        if problems.is_empty() { Ok(trust) } else { Err(problems) }
    }

    /// Takes the certificates that can be used, and tells how many.
    fn add(&mut self, certificates: Vec<CertificateDer<'static>>) -> usize {
        let mut count = 0;
        for certificate in certificates {
            if self.listed.contains(&certificate) {
                count += 1;
                continue;
            }
            let Ok(parsed) = Certificate::parse(&certificate) else { continue };
            count += 1;
            // webpki takes whatever it is given for a CA. Whoever has the key of a client that is listed itself must
            // not be able to make others.
            if parsed.may_sign() {
                let mut store = RootCertStore::empty();
                let _ = store.add(certificate.clone());
                let (from, until) = (parsed.not_before, parsed.not_after);
                self.anchors.extend(store.roots.into_iter().map(|anchor| Anchor { from, until, anchor }));
            }
            self.listed.push(certificate);
        }
        count
    }

    /// Takes the certificates of every file; a directory of CAs may also hold other things.
    fn add_directory(
        &mut self,
        directory: &Path,
        watched: &mut Vec<Watched>,
    ) -> Result<(), std::string::String> {
        let (listing, names) = Watched::directory(directory);
        watched.push(listing);
        let names = names.map_err(|error| unreadable(directory, &error))?;
        let mut count = 0;
        for name in names {
            match Source::read(&Pem::File(name), watched) {
                Ok(source) => count += self.add(source.certificates()),
                Err(text) => {
                    // Neither a subdirectory nor a link that leads nowhere is a CA; trying again each time would not
                    // make it one.
                    watched.pop();
                    log::debug!("{text}");
                }
            }
        }
        if count == 0 {
            return Err(format!(
                "there is no certificate in the directory {}; put the PEM files of the CAs there",
                shown(directory)
            ));
        }
        Ok(())
    }
}
