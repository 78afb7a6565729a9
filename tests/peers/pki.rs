//! Certificates of every kind, made with openssl in a directory that goes with the value.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Scratch, tool};

/// What clients come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// No certificate.
    Nothing,
    /// For clients, from the CA, with an allowed name.
    Good,
    /// Without a word about its use, which allows every use.
    AnyUse,
    /// From an intermediate CA, which the client sends along.
    Chain,
    /// From an intermediate CA, which the client keeps to itself.
    BrokenChain,
    /// From another CA of the same name.
    OtherCa,
    Expired,
    NotYetValid,
    /// For servers only.
    ServerOnly,
    SelfSigned,
    /// Good but for its name.
    OtherName,
    /// The CA's own certificate, as if it were a client's.
    TheCa,
    /// X.509 version 1, from the CA: without extensions, so without names.
    Version1,
}

impl Client {
    pub(crate) const ALL: [Self; 13] = [
        Self::Nothing,
        Self::Good,
        Self::AnyUse,
        Self::Chain,
        Self::BrokenChain,
        Self::OtherCa,
        Self::Expired,
        Self::NotYetValid,
        Self::ServerOnly,
        Self::SelfSigned,
        Self::OtherName,
        Self::TheCa,
        Self::Version1,
    ];
}

/// The name that clients have among their subject alternative names.
pub(crate) const NAME: &str = "prometheus.example.org";

/// The names of the server's certificate.
const SERVER_NAMES: &str = "DNS:localhost,IP:127.0.0.1";

const CONFIGURATION: &str = "
[req]
distinguished_name = name
[name]
[ca]
default_ca = ours
[ours]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 30
unique_subject = no
policy = any
[any]
commonName = supplied
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[server]
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
[client]
subjectAltName = DNS:prometheus.example.org
extendedKeyUsage = clientAuth
[any_use]
subjectAltName = DNS:prometheus.example.org
[server_only]
subjectAltName = DNS:prometheus.example.org
extendedKeyUsage = serverAuth
[other_name]
subjectAltName = DNS:grafana.example.org, email:prometheus.example.org@example.org
extendedKeyUsage = clientAuth
";

/// Certificate and key.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pair {
    pub(crate) fn cert(&self) -> &str {
        self.cert.to_str().expect("a path in UTF-8")
    }

    pub(crate) fn key(&self) -> &str {
        self.key.to_str().expect("a path in UTF-8")
    }
}

/// The kinds of key that servers have.
pub(crate) const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(crate) const P384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
pub(crate) const ED25519: &[&str] = &["ed25519"];
pub(crate) const RSA: &[&str] = &["rsa:2048"];

/// A CA with what it has signed.
pub(crate) struct Pki {
    scratch: Scratch,
}

impl Pki {
    /// A CA, called `ca`, and nothing else.
    pub(crate) fn new() -> Self {
        let pki = Self { scratch: Scratch::new("pki") };
        pki.scratch.write("openssl.cnf", CONFIGURATION);
        pki.scratch.write("index.txt", "");
        pki.authority("ca");
        pki
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The certificate of the CA.
    pub(crate) fn ca(&self) -> String {
        self.path("ca.pem").to_str().expect("a path in UTF-8").to_owned()
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    fn openssl(&self, arguments: &[&str]) -> Output {
        let output = Command::new(tool("openssl"))
            .current_dir(self.scratch.path())
            .args(arguments)
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn pair(&self, name: &str) -> Pair {
        Pair { cert: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) }
    }

    /// A key, and with `more` what becomes of it.
    fn request(&self, name: &str, kind: &[&str], subject: &str, more: &[&str]) {
        let (key, subject) = (format!("{name}.key"), format!("/CN={subject}"));
        let begin = ["req", "-config", "openssl.cnf", "-new", "-nodes", "-keyout", &key, "-subj", &subject];
        self.openssl(&[&begin[..], &["-newkey"], kind, more].concat());
    }

    /// A CA that signs itself. All of them have the same name, so that only their keys tell them apart.
    pub(crate) fn authority(&self, name: &str) -> Pair {
        let pem = format!("{name}.pem");
        self.request(name, P256, "Peers CA", &["-x509", "-days", "30", "-extensions", "root", "-out", &pem]);
        self.pair(name)
    }

    /// A certificate that `issuer` signs. `dates` are options of `openssl ca`.
    fn signed(&self, name: &str, kind: &[&str], section: &str, issuer: &str, dates: &[&str]) -> Pair {
        let [csr, pem, ca, ca_key] =
            [format!("{name}.csr"), format!("{name}.pem"), format!("{issuer}.pem"), format!("{issuer}.key")];
        self.request(name, kind, name, &["-out", &csr]);
        let begin = ["ca", "-config", "openssl.cnf", "-batch", "-notext", "-rand_serial"];
        let files = ["-in", &csr, "-out", &pem, "-cert", &ca, "-keyfile", &ca_key, "-extensions", section];
        self.openssl(&[&begin[..], &files, dates].concat());
        self.pair(name)
    }

    /// A server's certificate from the CA, with a key of this kind.
    pub(crate) fn server(&self, name: &str, kind: &[&str]) -> Pair {
        self.signed(name, kind, "server", "ca", &[])
    }

    /// A server's certificate that only its own holder vouches for.
    pub(crate) fn self_signed_server(&self, name: &str) -> Pair {
        let (pem, names) = (format!("{name}.pem"), format!("subjectAltName={SERVER_NAMES}"));
        self.request(name, P256, name, &["-x509", "-days", "30", "-addext", &names, "-out", &pem]);
        self.pair(name)
    }

    /// A client's certificate; none for [`Client::Nothing`].
    pub(crate) fn client(&self, client: Client) -> Option<Pair> {
        const PAST: &[&str] = &["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
        const FUTURE: &[&str] = &["-startdate", "20480101000000Z", "-enddate", "20480201000000Z"];
        let name = format!("{client:?}");
        let of = |section, issuer, dates| Some(self.signed(&name, P256, section, issuer, dates));
        match client {
            Client::Nothing => None,
            Client::Good => of("client", "ca", &[]),
            Client::AnyUse => of("any_use", "ca", &[]),
            Client::Chain | Client::BrokenChain => {
                let intermediate = format!("{name}-intermediate");
                let above = self.signed(&intermediate, P256, "root", "ca", &[]);
                let pair = self.signed(&name, P256, "client", &intermediate, &[]);
                if client == Client::Chain {
                    let [leaf, above] = [&pair.cert, &above.cert].map(|path| read(path));
                    self.scratch.write("Chain.pem", &(leaf + &above));
                }
                Some(pair)
            }
            Client::OtherCa => {
                self.authority("other-ca");
                of("client", "other-ca", &[])
            }
            Client::Expired => of("client", "ca", PAST),
            Client::NotYetValid => of("client", "ca", FUTURE),
            Client::ServerOnly => of("server_only", "ca", &[]),
            Client::SelfSigned => {
                let pem = format!("{name}.pem");
                let more = ["-x509", "-days", "30", "-extensions", "client", "-out", &pem];
                self.request(&name, P256, &name, &more);
                Some(self.pair(&name))
            }
            Client::OtherName => of("other_name", "ca", &[]),
            Client::TheCa => Some(self.pair("ca")),
            Client::Version1 => {
                self.request(&name, P256, &name, &["-out", "v1.csr"]);
                let out = format!("{name}.pem");
                self.openssl(&[
                    "x509",
                    "-req",
                    "-in",
                    "v1.csr",
                    "-CA",
                    "ca.pem",
                    "-CAkey",
                    "ca.key",
                    "-CAcreateserial",
                    "-days",
                    "30",
                    "-out",
                    &out,
                ]);
                let text = self.openssl(&["x509", "-in", &out, "-noout", "-text"]);
                let text = String::from_utf8_lossy(&text.stdout).into_owned();
                assert!(text.contains("Version: 1 (0x0)"), "{text}");
                Some(self.pair(&name))
            }
        }
    }
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("openssl has written it")
}
