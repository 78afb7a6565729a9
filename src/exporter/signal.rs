//! Signals, waited for in a blocking read: a program that has nothing to do does not wake up.
//!
//! A signal handler may do next to nothing, so it sets a flag and writes a byte to a socket; the main thread reads.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The signals of this process.
pub(crate) struct Signals {
    wake: UnixStream,
    waker: UnixStream,
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Takes the signals over. From now on a second SIGTERM or SIGINT ends the process at once, with status 1.
    pub(crate) fn install() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the flag of the first signal must not be taken for a second one.
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
            pipe::register(signal, waker.try_clone()?)?;
        }
        flag::register(SIGHUP, Arc::clone(&reload))?;
        pipe::register(SIGHUP, waker.try_clone()?)?;
        Ok(Self { wake, waker, stop, reload })
    }

    /// What does as SIGTERM does, from any thread. Nothing ends the process at once by this, however often it is
    /// called.
    pub(crate) fn stopper(&self) -> io::Result<impl Fn() -> io::Result<()> + Send + Sync + 'static + use<>> {
        let (waker, stop) = (self.waker.try_clone()?, Arc::clone(&self.stop));
        Ok(move || {
            stop.store(true, Ordering::SeqCst);
            (&waker).write_all(&[0])
        })
    }

    /// Waits for a signal.
    pub(crate) fn next(&mut self) -> io::Result<Signal> {
        let mut bytes = [0; 16];
        loop {
            // The socket is emptied before the flags are looked at, or a signal in between would be lost.
            match self.wake.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if self.stop.load(Ordering::SeqCst) {
                return Ok(Signal::Stop);
            }
            if self.reload.swap(false, Ordering::SeqCst) {
                return Ok(Signal::Reload);
            }
        }
    }
}
