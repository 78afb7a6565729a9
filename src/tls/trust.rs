//! Who vouches for clients: the certificates of a file, of a directory, or of the public authorities.

use std::format;
use std::io;
use std::path::Path;
use std::vec::Vec;

use rustix::io::Errno;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::pem::{Source, certificates, shown, unreadable};
use super::problem::{Part, Problem, Remark};
use super::settings::Clients;
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
                    if trust.add(certificates(&source.text)) == 0 {
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
    pub(super) fn add(&mut self, certificates: Vec<CertificateDer<'static>>) -> usize {
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
            let (file, result) = Watched::read(&name);
            match result {
                Ok(text) => {
                    watched.push(file);
                    count += self.add(certificates(&text));
                }
                // Another time the same file may be a CA.
                Err(error) if is_passing(&error) => {
                    watched.push(file);
                    return Err(unreadable(&name, &error));
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    log::warn!("{}; it vouches for nobody", unreadable(&name, &error));
                }
                // Neither a subdirectory nor a link that leads nowhere is a CA; trying again each time would not make
                // it one.
                Err(error) => log::debug!("{}", unreadable(&name, &error)),
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

/// Whether the machine is at fault, not the file.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO | Errno::STALE | Errno::TIMEDOUT)
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tls::fixtures::{certificate, file, path, text};
    use crate::tls::settings::Pem;

    fn read(clients: &Clients) -> (Result<Trust, Vec<Problem>>, Vec<Remark>, Vec<Watched>) {
        let (mut watched, mut remarks) = (Vec::new(), Vec::new());
        let trust = Trust::read(clients, &mut watched, &mut remarks);
        (trust, remarks, watched)
    }

    fn from(ca: Pem) -> Clients {
        Clients { ca: Some(ca), ..Clients::default() }
    }

    #[test]
    fn only_those_that_may_sign_vouch_for_others() {
        for (name, signs) in [
            ("ca.pem", true),
            ("ca-v1.pem", true),
            ("ca-expired.pem", true),
            ("intermediate.pem", true),
            ("client-self-ca.pem", true),
            ("client.pem", false),
            ("client-self.pem", false),
            ("ca-not-signing.pem", false),
            ("ca-for-servers.pem", false),
        ] {
            let (trust, remarks, watched) = read(&from(file(name)));
            let trust = trust.unwrap();
            assert_eq!((trust.listed.len(), trust.anchors.len()), (1, usize::from(signs)), "{name}");
            assert_eq!((remarks.len(), watched.len()), (0, 1));
        }
    }

    #[test]
    fn what_cannot_be_used_is_passed_over() {
        let ca = text("ca.pem");
        let broken = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let mixed = [&ca[..], broken, &text("server.key"), &ca, &text("client.pem")].concat();
        let (trust, remarks, _) = read(&from(Pem::Inline(std::string::String::from_utf8(mixed).unwrap())));
        assert_eq!(trust.unwrap().listed, [certificate("ca.pem"), certificate("client.pem")]);
        assert!(remarks.is_empty());

        for name in ["server.key", "make"] {
            let (trust, remarks, _) = read(&from(file(name)));
            assert!(trust.unwrap().listed.is_empty());
            let expected = format!(
                "there is no usable certificate in {}; no client can be verified",
                path(name).display()
            );
            assert_eq!(remarks, [Remark::new(Part::ClientCa, expected)]);
        }
        let (trust, ..) = read(&from(file("none.pem")));
        let expected = format!(
            "cannot read {}: No such file or directory (os error 2); check the path",
            path("none.pem").display()
        );
        assert_eq!(trust.unwrap_err(), [Problem::new(Part::ClientCa, expected)]);
    }

    #[test]
    fn a_directory_may_hold_other_things_too() {
        let folder = std::env::temp_dir().join(format!("scrapeport-trust-{}", std::process::id()));
        fs::create_dir_all(folder.join("subdirectory")).unwrap();
        let clients = Clients { ca_directory: Some(folder.clone()), ..Clients::default() };
        let (trust, ..) = read(&clients);
        let expected = format!(
            "there is no certificate in the directory {}; put the PEM files of the CAs there",
            folder.display()
        );
        assert_eq!(trust.unwrap_err(), [Problem::new(Part::ClientCaDirectory, expected)]);

        fs::copy(path("ca.pem"), folder.join("0123abcd.0")).unwrap();
        fs::copy(path("ca-v1.pem"), folder.join("also a CA")).unwrap();
        fs::copy(path("server.key"), folder.join("key")).unwrap();
        symlink("0123abcd.0", folder.join("link")).unwrap();
        symlink("nowhere", folder.join("dangling")).unwrap();
        let socket = folder.join("socket");
        rustix::fs::mknodat(rustix::fs::CWD, &socket, rustix::fs::FileType::Socket, 0o600.into(), 0).unwrap();
        let (trust, remarks, mut watched) = read(&clients);
        assert_eq!(trust.unwrap().listed, [certificate("ca.pem"), certificate("ca-v1.pem")]);
        // The directory, three files, the link.
        assert_eq!((remarks.len(), watched.len()), (0, 5));
        assert!(watched.iter_mut().all(Watched::is_current));
        fs::remove_file(folder.join("link")).unwrap();
        assert!(!watched.iter_mut().all(Watched::is_current));
        fs::remove_dir_all(&folder).unwrap();
        let (trust, ..) = read(&clients);
        assert_eq!(trust.unwrap_err()[0].part, Part::ClientCaDirectory);
    }

    #[test]
    fn want_of_descriptors_is_no_reason_to_drop_a_ca() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(is_passing(&error(Errno::MFILE)) && is_passing(&error(Errno::IO)));
        assert!(!is_passing(&error(Errno::NOENT)) && !is_passing(&io::ErrorKind::IsADirectory.into()));
    }

    #[test]
    fn the_public_authorities_vouch_if_they_are_asked_for() {
        let (trust, ..) = read(&Clients { public_roots: true, ..Clients::default() });
        let trust = trust.unwrap();
        assert!(trust.listed.is_empty() && trust.anchors.len() > 50);
    }
}
