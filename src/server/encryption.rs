//! Connections with TLS, and without.

use std::sync::Arc;

use super::deadline::Link;
use super::metrics::SERVER_METRICS;
use crate::Registry;
use crate::http::connection::{self, Buffers, Service};
use crate::http::transport::Observer;
use crate::resident::stock::Stock;
use crate::tls::{self, Keeper, Session, TLS_METRICS};

/// Gives the certificate and everything else that handshakes need.
pub(crate) type Encryption = Arc<dyn Keeper>;

/// What a server with TLS shows of itself.
pub(super) static METRICS: Registry = Registry::new(&[]).including(&[&SERVER_METRICS, &TLS_METRICS]);

/// The memory of a connection for TLS; none without.
pub(super) struct Memory(Option<tls::Memory>);

impl Memory {
    /// Gives its pages back to the system.
    pub(super) fn give_back(&mut self) {
        if let Some(memory) = &mut self.0 {
            memory.give_back();
        }
    }
}

/// What connections with TLS put their records together in.
pub(super) struct Records(Option<Arc<Stock>>);

impl Records {
    /// Those of so many connections.
    pub(super) fn of(encryption: Option<&Encryption>, connections: usize) -> Self {
        Self(encryption.map(|_| tls::Memory::records(connections)))
    }

    /// The memory of one connection.
    pub(super) fn memory(&self) -> Memory {
        Memory(self.0.as_ref().map(tls::Memory::new))
    }

    /// Gives the pages of those back that are not lent.
    pub(super) fn give_back(&self) {
        if let Some(records) = &self.0 {
            records.give_back();
        }
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
