//! The server: started, asked for its addresses, shut down.

use core::net::SocketAddr;
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use super::builder::ServerBuilder;
use super::clock::coarse_ms;
use super::door::Door;
use super::encryption::Encryption;
use super::kits::Kits;
use super::listen::Listen;
use super::lock::Reread;
use super::metrics::{Books, watch};
use super::seats::Seats;
use super::slot::{Doing, Slot};
use super::socket::Listener;
use super::supervisor;
use super::worker::{self, Roll, Shared};
use crate::http::gate::Gate;
use crate::http::handler::MetricsHandler;
use crate::http::limits::Limits;
use crate::http::route::Routes;
use crate::{Error, Registry};

/// For all threads to start. They have nothing to wait for; a machine that needs longer is not serving anybody.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the registry over HTTP at the address, with the default limits.
///
/// When it returns, the socket listens and every thread runs: [`DEFAULT_CONNECTIONS`](super::DEFAULT_CONNECTIONS)
/// that serve, and the supervisor, whose handle is returned. Nothing is allocated after that. The server runs until
/// [`Server::shutdown`] or until [`Server`] is dropped; the thread ends then.
///
/// Blocks while a host name is resolved, if the address has one.
///
/// # Errors
/// See [`Error`]; each is one line with the address and what to do. Nothing stays behind.
pub fn start_http_server(
    address: impl Into<Listen>,
    registry: &'static Registry,
) -> Result<(Server, JoinHandle<()>), Error> {
    Server::builder(registry).start_on(address)
}

/// A server that runs. Dropping it shuts it down.
#[derive(Debug)]
#[must_use = "dropping the server shuts it down"]
pub struct Server {
    shared: Arc<Shared>,
    addresses: Box<[Address]>,
    files: Option<Arc<dyn Reread>>,
}

#[derive(Debug)]
struct Address {
    name: String,
    ip: Option<SocketAddr>,
}

impl Server {
    /// Whether it speaks TLS. Settled at the start.
    pub fn uses_tls(&self) -> bool {
        self.shared.encryption.is_some()
    }

    /// A server of this registry, to be configured.
    pub fn builder(registry: &'static Registry) -> ServerBuilder {
        ServerBuilder::new(registry)
    }

    /// The first TCP address, with the port that the system chose if 0 was asked for. `None` with Unix sockets only.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|address| address.ip)
    }

    /// Every address in the order given, as [`Listen`] reads it.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(|address| address.name.as_str())
    }

    /// Looks now whether certificates, keys and the web configuration file have changed, and whether they can be
    /// used. There is no need to call this for a change to take effect: each connection looks for itself. It is for
    /// programs that want to say at once, at a SIGHUP for example, what is wrong.
    ///
    /// # Errors
    /// What is wrong. What the server does meanwhile is told at [`ServerBuilder::certfile`] and for the web
    /// configuration file in its guide.
    pub fn reload(&self) -> Result<(), Error> {
        self.files.as_ref().map_or(Ok(()), |files| files.reread())
    }

    /// Stops the server, from any thread; again is harmless.
    ///
    /// At once nothing more is accepted, ports are free, socket files are removed, and connections without a whole
    /// request are closed.
    /// Responses under way have the grace time ([`ServerBuilder::shutdown_grace`]), then they are cut off. A
    /// collector that does not return even then keeps its thread, which is logged. Blocks until all this is done: at
    /// most the grace time and a second. In a collector, which the server waits for, it blocks that long.
    pub fn shutdown(&self) {
        self.shared.door.close();
        if let Some(gate) = &self.shared.gate {
            gate.close();
        }
        self.shared.wake_supervisor();
        self.shared.roll.wait_over();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// What a builder has gathered.
pub(super) struct Plan {
    pub(super) handler: MetricsHandler,
    pub(super) routes: Option<Arc<dyn Routes>>,
    pub(super) limits: Limits,
    pub(super) thread_stack: usize,
    pub(super) places: Vec<Listen>,
    pub(super) encryption: Option<Encryption>,
    pub(super) gate: Option<Arc<dyn Gate>>,
    pub(super) files: Option<Arc<dyn Reread>>,
}

pub(super) fn start(plan: Plan) -> Result<(Server, JoinHandle<()>), Error> {
    let Plan { handler, routes, limits, thread_stack, places, encryption, gate, files } = plan;
    handler.prepare();
    // The first look at the clock finds where the kernel keeps it, which may need a descriptor.
    coarse_ms();
    let listeners =
        places.into_iter().map(|place| Listener::open(place, &limits)).collect::<Result<Vec<_>, _>>()?;
    let addresses = listeners
        .iter()
        .map(|listener| Address { name: listener.name.clone(), ip: listener.address })
        .collect();
    let door = Door::new(listeners).map_err(|error| Error::Thread { source: error.into() })?;
    let slots: Arc<[Slot]> = (0..limits.connections).map(|_| Slot::new()).collect();
    watch(&slots);
    let shared = Arc::new(Shared {
        door,
        seats: Seats::new(slots.len()),
        kits: Kits::new(&limits, encryption.as_ref()),
        slots,
        limits,
        handler,
        routes,
        encryption,
        gate,
        books: Books::new(),
        supervisor: OnceLock::new(),
        roll: Roll::default(),
    });
    let thread = start_threads(&shared, thread_stack).inspect_err(|_| shared.door.close())?;
    Ok((Server { shared, addresses, files }, thread))
}

/// Creates every thread, so that none is missing when it is needed, and waits until they run: creation may succeed
/// and the thread yet die for want of memory, and then it should be now.
fn start_threads(shared: &Arc<Shared>, stack: usize) -> Result<JoinHandle<()>, Error> {
    let failed = |source| Error::Thread { source };
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name(name.into()).stack_size(stack).spawn(run).map_err(failed)
    };
    let mut workers = Vec::with_capacity(shared.slots.len());
    for at in 0..shared.slots.len() {
        let shared_too = Arc::clone(shared);
        let spawned = spawn(
            "scrape-worker",
            Box::new(move || {
                let _present = Present::sign(&shared_too, at);
                worker::run(&shared_too, &shared_too.slots[at]);
            }),
        );
        match spawned {
            Ok(worker) => {
                workers.push(worker);
                // On one processor whoever wants to be answered, and the thread that answers, come before the rest of the
                // threads are made. Where others want it too, each of these is a turn of theirs: a millisecond or so.
                thread::yield_now();
            }
            Err(error) => {
                dismiss(shared, workers);
                return Err(error);
            }
        }
    }
    // The handles go through a cell, so that they are still here if the last thread cannot be created.
    let handles = Arc::new(std::sync::Mutex::new(workers));
    let (theirs, shared_too) = (Arc::clone(&handles), Arc::clone(shared));
    let supervisor = spawn(
        "scrape-super",
        Box::new(move || {
            shared_too.roll.start();
            supervisor::run(&shared_too, take(&theirs));
        }),
    )
    .inspect_err(|_| dismiss(shared, take(&handles)))?;
    let _ = shared.supervisor.set(supervisor.thread().clone());
    // The last worker may have been taken before the supervisor was known.
    supervisor.thread().unpark();
    if shared.roll.wait_started(shared.slots.len() + 1, START_TIMEOUT) {
        return Ok(supervisor);
    }
    shared.door.close();
    let _ = supervisor.join();
    Err(failed(std::io::ErrorKind::TimedOut.into()))
}

fn take(handles: &std::sync::Mutex<Vec<JoinHandle<()>>>) -> Vec<JoinHandle<()>> {
    core::mem::take(&mut *handles.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn dismiss(shared: &Shared, workers: Vec<JoinHandle<()>>) {
    shared.door.close();
    for slot in shared.slots.iter() {
        slot.force();
    }
    for worker in workers {
        let _ = worker.join();
    }
}

/// A worker on the roll, until it ends in whatever way.
struct Present<'a>(&'a Shared, usize);

impl<'a> Present<'a> {
    fn sign(shared: &'a Shared, at: usize) -> Self {
        shared.roll.start();
        Self(shared, at)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.slots[self.1].leave(Doing::Gone);
        self.0.roll.end();
    }
}
