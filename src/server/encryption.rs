//! Connections with TLS, and without.

use std::sync::Arc;

use super::deadline::Link;
use super::metrics::SERVER_METRICS;
use crate::Registry;
use crate::http::connection::{self, Buffers, Service};
use crate::http::transport::Observer;
use crate::tls::{self, Keeper, Session, TLS_METRICS};

/// Gives the certificate and everything else that handshakes need.
pub(crate) type Encryption = Arc<dyn Keeper>;

/// What a server with TLS shows of itself.
pub(super) static METRICS: Registry = Registry::new(&[]).including(&[&SERVER_METRICS, &TLS_METRICS]);

/// The memory of a connection for TLS; none without.
pub(super) struct Memory(Option<tls::Memory>);

impl Memory {
    /// Those of so many connections.
    pub(super) fn of(encryption: Option<&Encryption>, connections: usize) -> impl Iterator<Item = Self> {
        let records = encryption.map(|_| tls::Memory::records(connections));
        (0..connections).map(move |_| Self(records.as_ref().map(tls::Memory::new)))
    }
}

/// Serves a connection to its end.
pub(super) fn serve(
    link: &mut Link<'_>,
    encryption: Option<&Encryption>,
    memory: &mut Memory,
    service: &Service<'_>,
    observer: &dyn Observer,
    buffers: &mut Buffers,
) {
    match (encryption, &mut memory.0) {
        (Some(keeper), Some(memory)) => {
            // A failure has been counted, and the client knows.
            if let Ok(mut session) = Session::accept(&**keeper, link, memory) {
                connection::serve(&mut session, service, observer, buffers);
                session.close();
            }
        }
        _ => connection::serve(link, service, observer, buffers),
    }
}
