//! HTTPS for the comparisons: a certificate that all servers share, and a client that does the same to all of them.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite as suite, kx_group};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use crate::load::connect;

/// A P-256 certificate and its key, in a folder that goes with it.
pub struct Pair {
    folder: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    /// Makes one with the `openssl` program.
    pub fn make() -> Self {
        const SETTINGS: &str = "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=more\n\
            [name]\nCN=localhost\n[more]\nbasicConstraints=critical,CA:FALSE\n\
            subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n";
        let folder = std::env::temp_dir().join(format!("scrapeport-benches-{}-pair", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [settings, certificate, key] = ["settings", "cert.pem", "key.pem"].map(|name| folder.join(name));
        std::fs::write(&settings, SETTINGS).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-sha256", "-days", "30", "-config"])
            .args([&settings, Path::new("-out"), &certificate, Path::new("-keyout"), &key])
            .output()
            .expect("the openssl program");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Ours reads files again for each handshake as long as they are young; in the field they are not.
        std::thread::sleep(Duration::from_secs(5));
        Self { folder, certificate, key }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Connects with TLS 1.3, X25519, and AES-128 as its first wish, as Prometheus does.
pub struct Client {
    config: Arc<ClientConfig>,
    /// What every handshake must have been, except a first one that gets the ticket for the others.
    kind: HandshakeKind,
    ticket: AtomicBool,
}

impl Client {
    pub fn new(certificate: &Path, resuming: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = CryptoProvider {
            cipher_suites: vec![
                suite::TLS13_AES_128_GCM_SHA256,
                suite::TLS13_AES_256_GCM_SHA384,
                suite::TLS13_CHACHA20_POLY1305_SHA256,
            ],
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
            ..ring::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let kind = if resuming { HandshakeKind::Resumed } else { HandshakeKind::Full };
        config.resumption =
            if resuming { Resumption::in_memory_sessions(16) } else { Resumption::disabled() };
        Self { config: Arc::new(config), kind, ticket: AtomicBool::new(false) }
    }

    /// Whether a handshake has left something to resume.
    pub fn has_ticket(&self) -> bool {
        self.ticket.load(Relaxed)
    }

    /// A connection whose handshake is over.
    ///
    /// # Errors
    /// If there is none.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Encrypted> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut socket = connect(address)?;
        let mut session = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        while session.is_handshaking() || session.wants_write() {
            session.complete_io(&mut socket)?;
        }
        self.ticket.store(true, Relaxed);
        Ok(Encrypted(StreamOwned::new(session, socket)))
    }

    /// A connection whose handshake was what this client is for.
    ///
    /// # Errors
    /// If there is none, or the handshake was another one.
    pub fn connect_as_planned(&self, address: SocketAddr) -> io::Result<Encrypted> {
        let stream = self.connect(address)?;
        match stream.0.conn.handshake_kind() {
            kind if kind == Some(self.kind) => Ok(stream),
            kind => Err(io::Error::other(format!("{kind:?} instead of {:?}", self.kind))),
        }
    }
}

/// A connection with TLS.
pub struct Encrypted(StreamOwned<ClientConnection, TcpStream>);

impl Read for Encrypted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into) {
            // Not every server says farewell.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            result => result,
        }
    }
}

impl Write for Encrypted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
