//! Signals, waited for in a blocking read: a program that has nothing to do does not wake up.
//!
//! A signal handler may do next to nothing, so it sets a flag and writes a byte to a socket; the main thread reads.

#[cfg(feature = "web-config")]
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, Read, Write};
#[cfg(feature = "web-config")]
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

#[cfg(feature = "web-config")]
use signal_hook::consts::{SIGALRM, SIGPROF, SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
#[cfg(feature = "web-config")]
use signal_hook::low_level::emulate_default_handler;
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

/// A signal that came while something had to be put right first.
#[cfg(feature = "web-config")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interrupt(i32);

#[cfg(feature = "web-config")]
impl Interrupt {
    /// Whether it only stops the process until it is told to go on.
    pub(super) fn stops(self) -> bool {
        self.0 == SIGTSTP
    }

    pub(super) const fn number(self) -> i32 {
        self.0
    }

    /// Does to the process what the signal does by default.
    pub(super) fn obey(self) {
        die_of(self.0);
    }
}

/// Lets a signal have its effect after all; returns if that is not the end of the process.
#[cfg(feature = "web-config")]
pub(super) fn die_of(signal: i32) {
    let _ = emulate_default_handler(signal);
}

/// What ends or stops a program by default and may be sent to it: by a terminal or a service manager, by hand, or by
/// the kernel when a time is over (signal(7)). Not what it brings upon itself.
#[cfg(feature = "web-config")]
const INTERRUPTS: [i32; 11] =
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU];

/// Holds back signals that end or stop a program, until this goes.
#[cfg(feature = "web-config")]
pub(super) struct Interrupts {
    wake: UnixStream,
    came: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

#[cfg(feature = "web-config")]
impl Interrupts {
    pub(super) fn install() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (came, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for signal in INTERRUPTS {
            // A handler cannot be taken away again, so it ends by doing what the signal does by default.
            flag::register_conditional_default(signal, Arc::clone(&over))?;
            flag::register_usize(signal, Arc::clone(&came), usize::try_from(signal).unwrap_or_default())?;
            pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Self { wake, came, over })
    }

    /// Readable when a signal has come.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The last signal that has come since the last call.
    pub(super) fn next(&self) -> Option<Interrupt> {
        // Emptied before the number is looked at, or a signal in between would wake nobody.
        while (&self.wake).read(&mut [0; 16]).is_ok_and(|read| read > 0) {}
        i32::try_from(self.came.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal != 0).map(Interrupt)
    }
}

#[cfg(feature = "web-config")]
impl Drop for Interrupts {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // One that came a moment ago.
        if let Some(signal) = self.next() {
            signal.obey();
        }
    }
}
