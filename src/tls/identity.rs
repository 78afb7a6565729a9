//! Who the server is: its certificate with its chain, and the key to it.

use std::format;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};

use super::pem::{Source, certificates, shown};
use super::problem::{Part, Problem, Remark};
use super::settings::{Pem, Settings};
use super::x509::Certificate;
use crate::watched::Watched;

/// A certificate that ends within so many seconds is remarked upon.
const SOON: u64 = 14 * 24 * 60 * 60;

/// The keys that can be served.
const KINDS: &str = "RSA 2048 to 4096, P-256, P-384 and Ed25519 are";

/// The same certificate for every server name, and for none.
#[derive(Debug)]
pub(super) struct Identity {
    certified: Arc<CertifiedKey>,
    /// Until when, in seconds since 1970.
    pub(super) not_after: u64,
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified))
    }
}

impl Identity {
    /// Reads certificate and key, and holds them against each other.
    pub(super) fn read(
        settings: &Settings,
        now: u64,
        watched: &mut Vec<Watched>,
        remarks: &mut Vec<Remark>,
    ) -> Result<Self, Vec<Problem>> {
        let cert_problem = |text| Problem::new(Part::Cert, text);
        let key_problem = |text| Problem::new(Part::Key, text);
        let cert = Source::read(&settings.cert, watched).map_err(cert_problem);
        let key = Source::read(&settings.key, watched).map_err(key_problem);
        let (cert, key) = match (cert, key) {
            (Ok(cert), Ok(key)) => (cert, key),
            (cert, key) => return Err([cert.err(), key.err()].into_iter().flatten().collect()),
        };
        let chain = certificates(&cert.text);
        let leaf = match chain.first() {
            None => Err(cert_problem(format!(
                "there is no certificate in {}; it needs a PEM block `-----BEGIN CERTIFICATE-----`",
                cert.name
            ))),
            Some(leaf) => Certificate::parse(leaf).map_err(|_| {
                cert_problem(format!("the first certificate in {} is malformed; write it anew", cert.name))
            }),
        };
        let forms = key.key().map_err(key_problem);
        let (leaf, forms) = match (leaf, forms) {
            (Ok(leaf), Ok(forms)) => (leaf, forms),
            (leaf, forms) => return Err([leaf.err(), forms.err()].into_iter().flatten().collect()),
        };
        let kind = leaf.key.describe();
        let Some(signing) = forms.iter().find_map(|form| any_supported_type(form).ok()) else {
            return Err(Vec::from([key_problem(unusable(&key.name, &kind))]));
        };
        if !belong_together(&*signing, &leaf) {
            return Err(Vec::from([key_problem(format!(
                "the private key in {} does not belong to the certificate in {} ({kind}); give the pair that was made together",
                key.name, cert.name
            ))]));
        }
        remark_on_dates(&leaf, &cert.name, now, remarks);
        remark_on_access(&settings.key, remarks);
        let not_after = leaf.not_after;
        Ok(Self { certified: Arc::new(CertifiedKey::new(chain, signing)), not_after })
    }
}

fn unusable(name: &str, kind: &str) -> String {
    match kind {
        "RSA 2048" | "RSA 3072" | "RSA 4096" | "P-256" | "P-384" | "Ed25519" => {
            format!("the private key in {name} cannot be read as one; write it anew, without a pass phrase")
        }
        _ => format!("a key of kind {kind} ({name}) is not available here ({KINDS}); make one of these"),
    }
}

/// rustls compares them too, but refuses certificates of version 1 before it does.
fn belong_together(key: &dyn SigningKey, leaf: &Certificate<'_>) -> bool {
    let Some(public) = key.public_key() else { return false };
    let bits = leaf.key.bits;
    !bits.is_empty() && public.as_ref().ends_with(bits) && public.as_ref().len() < bits.len() + 64
}

fn remark_on_dates(leaf: &Certificate<'_>, name: &str, now: u64, remarks: &mut Vec<Remark>) {
    let mut remark = |text: String| remarks.push(Remark::new(Part::Cert, text));
    if now > leaf.not_after {
        remark(format!("the certificate in {name} has expired; clients will refuse it"));
    } else if now < leaf.not_before {
        remark(format!("the certificate in {name} is not valid yet; clients will refuse it until then"));
    } else if leaf.not_after - now < SOON {
        let days = (leaf.not_after - now) / (24 * 60 * 60);
        remark(format!("the certificate in {name} expires in {days} days; renew it"));
    }
}

fn remark_on_access(key: &Pem, remarks: &mut Vec<Remark>) {
    use std::os::unix::fs::MetadataExt;
    let Pem::File(path) = key else { return };
    if std::fs::metadata(path).is_ok_and(|file| file.mode() & 0o004 != 0) {
        let name = shown(path);
        remarks.push(Remark::new(Part::Key, format!("{name} can be read by everybody; chmod o-r it")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::fixtures::{file, path, settings};

    /// 2026-01-01
    const NOW: u64 = 1_767_225_600;
    /// 2099-12-31T23:59:59
    const END: u64 = 4_102_444_799;

    fn read(cert: &str, key: &str, now: u64) -> Result<(Identity, Vec<String>), Vec<String>> {
        let settings = Settings { cert: file(cert), key: file(key), ..settings() };
        let mut remarks = Vec::new();
        let texts = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.text).collect();
        match Identity::read(&settings, now, &mut Vec::new(), &mut remarks) {
            Ok(identity) => {
                remarks.retain(|remark| remark.part == Part::Cert);
                Ok((identity, texts(remarks)))
            }
            Err(problems) => Err(texts(problems)),
        }
    }

    #[test]
    fn certificates_and_keys_of_every_kind_belong_together() {
        for (cert, key) in [
            ("server.pem", "server.key"),
            ("server.pem", "server-sec1.key"),
            ("server.pem", "server-parameters.key"),
            ("server-both.pem", "server-both.pem"),
            ("server-p384.pem", "server-p384.key"),
            ("server-ed25519.pem", "server-ed25519.key"),
            ("server-rsa.pem", "server-rsa.key"),
            ("server-rsa.pem", "server-rsa-pkcs1.key"),
            // Of version 1, a client's, a CA's: the client judges, not we.
            ("server-v1.pem", "server.key"),
            ("client.pem", "client.key"),
            ("ca.pem", "ca.key"),
        ] {
            let (identity, remarks) = read(cert, key, NOW).unwrap();
            assert_eq!((identity.not_after, remarks.len()), (END, 0), "{cert} {key}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_named_with_its_cure() {
        let at = |name: &str| shown(&path(name));
        for (cert, key, expected) in [
            (
                "server.pem",
                "client.key",
                format!(
                    "the private key in {} does not belong to the certificate in {} (P-256); give the pair that was \
                     made together",
                    at("client.key"),
                    at("server.pem")
                ),
            ),
            (
                "server-p521.pem",
                "server-p521.key",
                format!(
                    "a key of kind P-521 ({}) is not available here (RSA 2048 to 4096, P-256, P-384 and Ed25519 are); \
                     make one of these",
                    at("server-p521.key")
                ),
            ),
            (
                "server-rsa1024.pem",
                "server-rsa1024.key",
                format!(
                    "a key of kind RSA 1024 ({}) is not available here (RSA 2048 to 4096, P-256, P-384 and Ed25519 \
                     are); make one of these",
                    at("server-rsa1024.key")
                ),
            ),
            (
                "server.key",
                "server.key",
                format!(
                    "there is no certificate in {}; it needs a PEM block `-----BEGIN CERTIFICATE-----`",
                    at("server.key")
                ),
            ),
            (
                "server.pem",
                "server-p521.key",
                format!(
                    "the private key in {} cannot be read as one; write it anew, without a pass phrase",
                    at("server-p521.key")
                ),
            ),
        ] {
            assert_eq!(read(cert, key, NOW).map(|_| ()).unwrap_err(), [expected]);
        }
        let both = read("none.pem", "none.key", NOW).map(|_| ()).unwrap_err();
        assert_eq!(both.len(), 2, "all that is wrong is said at once: {both:?}");
        let both = read("server.key", "server.pem", NOW).map(|_| ()).unwrap_err();
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn dates_are_remarked_upon_and_not_judged() {
        let cert = shown(&path("server.pem"));
        for (now, expected) in [
            (NOW, None),
            (END - SOON, None),
            (END - SOON + 1, Some("expires in 13 days; renew it")),
            (END, Some("expires in 0 days; renew it")),
            (END + 1, Some("has expired; clients will refuse it")),
            (0, Some("is not valid yet; clients will refuse it until then")),
        ] {
            let (_, remarks) = read("server.pem", "server.key", now).unwrap();
            let expected: Vec<_> =
                expected.map(|text| format!("the certificate in {cert} {text}")).into_iter().collect();
            assert_eq!(remarks, expected);
        }
        for name in ["server-expired.pem", "server-future.pem"] {
            assert_eq!(read(name, "server.key", NOW).unwrap().1.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_key_for_everybody_is_remarked_upon() {
        use std::os::unix::fs::PermissionsExt;
        let copy = std::env::temp_dir().join(format!("scrapeport-identity-{}.key", std::process::id()));
        std::fs::copy(path("server.key"), &copy).unwrap();
        for (mode, expected) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut remarks = Vec::new();
            remark_on_access(&Pem::File(copy.clone()), &mut remarks);
            assert_eq!(remarks.len(), expected, "{mode:o}");
        }
        std::fs::remove_file(&copy).unwrap();
    }
}
