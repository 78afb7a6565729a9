//! The server for C: started from a structure of options, asked for its port, stopped.
//!
//! A handle is the address of a place in a fixed table and is compared, never followed: one that was stopped already,
//! or never was one, does no harm.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int};
use core::mem::{self, offset_of};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::string::{String, ToString};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use super::METRICS;
use super::layout::Options;
use super::list::text;
use super::log::fitting;
use super::outcome::{Outcome, answer};
use crate::{Error, Server, ServerBuilder};

/// Servers at once.
pub const SERVERS: usize = 8;

/// More than any later version of the options has; a larger size is taken for a mistake.
const LARGEST_OPTIONS: usize = 4096;

/// More names of clients than that are taken for a mistake.
#[cfg(feature = "tls")]
const MOST_NAMES: usize = 1024;

#[cfg(feature = "process")]
static WITH_PROCESS: crate::Registry =
    crate::Registry::new(&[]).including(&[&METRICS]).collecting(&[&crate::process::PROCESS]);

static PLACES: [ServerSlot; SERVERS] = [const { ServerSlot(Mutex::new(State::Free)) }; SERVERS];

/// What a handle in C points to.
#[derive(Debug)]
pub struct ServerSlot(Mutex<State>);

#[derive(Debug)]
enum State {
    Free,
    /// Being started or stopped.
    Busy,
    Runs(Server, JoinHandle<()>),
}

impl ServerSlot {
    fn replace(&self, state: State) -> State {
        mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// The place that a handle stands for.
    fn of(handle: *const Self) -> Option<&'static Self> {
        PLACES.iter().find(|place| ptr::eq(*place, handle))
    }

    /// A free place, now busy. They are taken in turn, so that a handle is not soon given out again.
    fn take() -> Option<&'static Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let start = NEXT.fetch_add(1, Relaxed);
        (0..SERVERS).find_map(|step| {
            let place = PLACES.get(start.wrapping_add(step) % SERVERS)?;
            let mut state = place.0.lock().unwrap_or_else(PoisonError::into_inner);
            matches!(*state, State::Free).then(|| {
                *state = State::Busy;
                place
            })
        })
    }
}

/// Frees a place again unless its server runs.
struct Reserved(&'static ServerSlot, bool);

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.1 {
            self.0.replace(State::Free);
        }
    }
}

/// See the header.
///
/// # Safety
/// See the header: the options begin with their size, and each pointer leads to what it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_server_start(
    options: *const Options,
    out: *mut *const ServerSlot,
) -> c_int {
    let mut problem = String::new();
    let mut told = None;
    let result = answer(|| {
        if out.is_null() || !out.is_aligned() {
            return Err(Outcome::InvalidArgument);
        }
        // SAFETY: the caller's promise: there is room for a pointer.
        unsafe { out.write(ptr::null()) };
        // SAFETY: the caller's promise.
        let options = unsafe { read(options)? };
        told = Some(options);
        // SAFETY: the caller's promise.
        let builder = unsafe { builder(&options)? };
        let mut place = Reserved(ServerSlot::take().ok_or(Outcome::Full)?, false);
        let (server, thread) = builder.start().map_err(|error| {
            problem = error.to_string();
            outcome(&error)
        })?;
        place.0.replace(State::Runs(server, thread));
        place.1 = true;
        // SAFETY: as above.
        unsafe { out.write(place.0) };
        Ok(())
    });
    if let Some(options) = told {
        let known = super::scrapeport_strerror(result);
        // SAFETY: the words of a result are static.
        let words = unsafe { CStr::from_ptr(known) }.to_str().unwrap_or_default();
        let line = match (result, problem.is_empty()) {
            (0, _) => "",
            (_, true) => words,
            (_, false) => problem.as_str(),
        };
        // SAFETY: the caller's promise.
        unsafe { tell(&options, line) };
    }
    result
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn scrapeport_server_port(server: *const ServerSlot) -> u16 {
    let mut port = 0;
    let _ = answer(|| {
        let place = ServerSlot::of(server).ok_or(Outcome::InvalidArgument)?;
        if let State::Runs(server, _) = &*place.0.lock().unwrap_or_else(PoisonError::into_inner) {
            port = server.local_addr().map_or(0, |address| address.port());
        }
        Ok(())
    });
    port
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn scrapeport_server_stop(server: *const ServerSlot) {
    let _ = answer(|| {
        let place = ServerSlot::of(server).ok_or(Outcome::InvalidArgument)?;
        let mut state = place.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Runs(..)) {
            return Ok(());
        }
        let running = mem::replace(&mut *state, State::Busy);
        drop(state);
        let _place = Reserved(place, false);
        if let State::Runs(server, thread) = running {
            server.shutdown();
            let _ = thread.join();
        }
        Ok(())
    });
}

/// The options of a caller who may know fewer of them, or more.
///
/// # Safety
/// The pointer is null, or the options are as long as they say.
unsafe fn read(options: *const Options) -> Result<Options, Outcome> {
    if options.is_null() || !options.is_aligned() {
        return Err(Outcome::InvalidArgument);
    }
    // SAFETY: the caller's promise: the first member is there.
    let size = unsafe { options.cast::<usize>().read() };
    let least = offset_of!(Options, address) + size_of::<usize>();
    if size < least || size > LARGEST_OPTIONS || size % size_of::<usize>() != 0 {
        return Err(Outcome::InvalidArgument);
    }
    let known = size.min(size_of::<Options>());
    // SAFETY: the caller's promise: so many bytes are there.
    let beyond = unsafe { core::slice::from_raw_parts(options.cast::<u8>().add(known), size - known) };
    // What a newer caller says, and does not mean as the default, cannot be done.
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(Outcome::Unsupported);
    }
    let mut own = mem::MaybeUninit::<Options>::zeroed();
    // SAFETY: both have so many bytes, and they do not overlap.
    unsafe { ptr::copy_nonoverlapping(options.cast::<u8>(), own.as_mut_ptr().cast::<u8>(), known) };
    // SAFETY: null pointers and zeros are values of all its members, and so is what C has written.
    Ok(unsafe { own.assume_init() })
}

/// # Safety
/// Each pointer is null or leads to what it says.
unsafe fn builder(options: &Options) -> Result<ServerBuilder, Outcome> {
    // SAFETY: the caller's promise.
    let address = unsafe { text(options.address)? };
    let registry = match options.process_metrics {
        0 => &METRICS,
        #[cfg(feature = "process")]
        _ => &WITH_PROCESS,
        #[cfg(not(feature = "process"))]
        _ => return Err(Outcome::Unsupported),
    };
    let mut builder = Server::builder(registry).listen(address);
    if options.no_server_metrics != 0 {
        builder = builder.server_metrics(false);
    }
    if let Ok(number @ 1..) = usize::try_from(options.max_connections) {
        builder = builder.max_connections(number);
    }
    // SAFETY: the caller's promise.
    let builder = unsafe { with_tls(builder, options)? };
    // SAFETY: the caller's promise.
    match unsafe { path(options.web_config_file) } {
        None => Ok(builder),
        #[cfg(feature = "web-config")]
        Some(file) => Ok(builder.web_config_file(file)),
        #[cfg(not(feature = "web-config"))]
        Some(_) => Err(Outcome::Unsupported),
    }
}

/// # Safety
/// Each pointer is null or leads to what it says.
#[cfg(feature = "tls")]
unsafe fn with_tls(mut builder: ServerBuilder, options: &Options) -> Result<ServerBuilder, Outcome> {
    type Set = fn(ServerBuilder, &Path) -> ServerBuilder;
    let settings: [(*const c_char, Set); 4] = [
        (options.certfile, |builder, file| builder.certfile(file)),
        (options.keyfile, |builder, file| builder.keyfile(file)),
        (options.client_cafile, |builder, file| builder.client_cafile(file)),
        (options.client_capath, |builder, directory| builder.client_capath(directory)),
    ];
    for (pointer, set) in settings {
        // SAFETY: the caller's promise.
        if let Some(file) = unsafe { path(pointer) } {
            builder = set(builder, file);
        }
    }
    if options.client_auth_required != 0 {
        builder = builder.client_auth_required(true);
    }
    if options.n_client_allowed_names > MOST_NAMES {
        return Err(Outcome::InvalidArgument);
    }
    // SAFETY: the caller's promise.
    let names = unsafe { super::list::items(options.client_allowed_names, options.n_client_allowed_names)? };
    if !names.is_empty() {
        let mut allowed = std::vec::Vec::with_capacity(names.len());
        for name in names {
            // SAFETY: the caller's promise.
            allowed.push(unsafe { text(*name)? });
        }
        builder = builder.client_allowed_names(allowed);
    }
    Ok(builder)
}

/// # Safety
/// None: nothing is followed.
#[cfg(not(feature = "tls"))]
unsafe fn with_tls(builder: ServerBuilder, options: &Options) -> Result<ServerBuilder, Outcome> {
    let files = [options.certfile, options.keyfile, options.client_cafile, options.client_capath];
    let asked = files.iter().any(|file| !file.is_null())
        || options.client_auth_required != 0
        || options.n_client_allowed_names != 0;
    if asked { Err(Outcome::Unsupported) } else { Ok(builder) }
}

/// # Safety
/// The pointer is null or leads to a text that lives for `'a`.
unsafe fn path<'a>(pointer: *const c_char) -> Option<&'a Path> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(pointer) }.to_bytes())))
}

/// # Safety
/// There is as much room for the problem as the options say.
unsafe fn tell(options: &Options, line: &str) {
    let Options { problem, problem_size, .. } = *options;
    if problem.is_null() || problem_size == 0 {
        return;
    }
    let line = fitting(line, problem_size - 1);
    // SAFETY: the caller's promise: the line and a zero fit.
    unsafe {
        ptr::copy_nonoverlapping(line.as_ptr(), problem.cast::<u8>(), line.len());
        problem.add(line.len()).write(0);
    }
}

fn outcome(error: &Error) -> Outcome {
    match error {
        Error::Address { .. } | Error::Listen { .. } => Outcome::Address,
        Error::Setting { .. } | Error::Write { .. } => Outcome::Setting,
        #[cfg(feature = "tls")]
        Error::Tls { .. } => Outcome::Tls,
        #[cfg(feature = "web-config")]
        Error::WebConfig { .. } => Outcome::WebConfig,
        Error::Thread { .. } => Outcome::Thread,
    }
}
