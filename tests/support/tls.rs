//! A client with TLS, and the certificates of `tests/data/certs`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub(crate) fn certs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs").join(name)
}

/// A client that trusts the CA, and shows this certificate. Its hands are shaken with the first request.
pub(crate) fn client<S: Read + Write>(stream: S, who: Option<&str>) -> StreamOwned<ClientConnection, S> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certs("ca.pem")).expect("a certificate")).expect("a CA");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match who {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain = Vec::from([CertificateDer::from_pem_file(certs(name)).expect("a certificate")]);
            let key = PrivateKeyDer::from_pem_file(certs("client.key")).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("they belong together")
        }
    };
    let name = "localhost".try_into().expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), stream)
}
