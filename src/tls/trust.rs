//! Who vouches for clients: the certificates of a file, of a directory, or of the public authorities.

use std::format;
use std::path::Path;
use std::vec::Vec;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::pem::{Source, shown, unreadable};
use super::problem::{Part, Problem, Remark};
use super::settings::{Clients, Pem};
use super::x509::Certificate;
use crate::watched::Watched;

/// The trust anchors, in the two forms in which they are used.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) anchors: RootCertStore,
    /// Those that were listed one by one, in full.
    pub(super) listed: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Vouches for nobody.
    pub(super) fn nobody() -> Self {
        Self { anchors: RootCertStore::empty(), listed: Vec::new() }
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
            trust.anchors.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if problems.is_empty() { Ok(trust) } else { Err(problems) }
    }

    /// Takes the certificates that can be used, and tells how many.
    fn add(&mut self, certificates: Vec<CertificateDer<'static>>) -> usize {
        let mut count = 0;
        for certificate in certificates {
            if self.listed.contains(&certificate) {
                count += 1;
            } else if Certificate::parse(&certificate).is_ok() {
                count += 1;
                // One that cannot vouch for others still vouches for itself.
                let _ = self.anchors.add(certificate.clone());
                self.listed.push(certificate);
            }
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
