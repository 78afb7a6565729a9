//! A line of input that is not shown, and a terminal that shows again what is typed however the program ends.

use std::borrow::ToOwned;
use std::format;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::string::String;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::signal::Interrupts;
use super::streams;
use crate::web_config::{LONGEST_PASSWORD, Secret};

/// Room for the longest password, a byte too many, and half a line end.
pub(super) type Line = Secret<{ LONGEST_PASSWORD + 2 }>;

/// Why there is no line.
#[derive(Debug)]
pub(super) enum Stopped {
    /// One line that says why.
    Refused(String),
    /// This signal came, and is to have its effect.
    Signal(i32),
}

impl Stopped {
    pub(super) fn refused(problem: &str) -> Self {
        Self::Refused(problem.to_owned())
    }

    fn unreadable(error: impl Into<io::Error>) -> Self {
        Self::Refused(format!("cannot read the password: {}", error.into()))
    }
}

/// Reads up to a line end, which is not part of the line, or up to the end of input. Nothing behind it is read, and
/// of a line that is too long only its beginning.
pub(super) fn read_line(input: impl AsFd, line: &mut Line) -> Result<(), Stopped> {
    read_when(input.as_fd(), line, |_| Ok(()))
}

/// The same; `ready` is called before each byte, and may empty the line.
fn read_when(
    input: BorrowedFd<'_>,
    line: &mut Line,
    mut ready: impl FnMut(&mut Line) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    line.clear();
    let mut byte = Secret::<1>::new();
    loop {
        ready(line)?;
        let mut result = Ok(0);
        byte.fill(|room| {
            result = read(input, &mut room[..]);
            result.unwrap_or(0)
        });
        match result {
            Err(Errno::INTR) => continue,
            Err(error) => return Err(Stopped::unreadable(error)),
            Ok(_) => {}
        }
        match byte.pop() {
            None | Some(b'\n') => break,
            Some(byte) => {
                if line.push(byte).is_err() {
                    return Ok(());
                }
            }
        }
    }
    if line.as_slice().last() == Some(&b'\r') {
        line.pop();
    }
    Ok(())
}

/// A terminal that does not show what is typed, until this goes.
pub(super) struct Terminal<'a> {
    input: BorrowedFd<'a>,
    before: Termios,
    interrupts: Interrupts,
}

impl<'a> Terminal<'a> {
    /// Hides what is typed from now on. None if the input is no terminal.
    pub(super) fn hide(input: &'a impl AsFd) -> Result<Option<Self>, Stopped> {
        let input = input.as_fd();
        let Ok(before) = tcgetattr(input) else { return Ok(None) };
        // First, or a signal could come between.
        let interrupts = Interrupts::install().map_err(Stopped::unreadable)?;
        let terminal = Self { input, before, interrupts };
        terminal.conceal()?;
        Ok(Some(terminal))
    }

    /// Asks for a line, on standard error: standard output is for the result.
    pub(super) fn ask(&self, prompt: &str, line: &mut Line) -> Result<(), Stopped> {
        say(prompt);
        read_when(self.input, line, |line| {
            while let Some(signal) = self.interrupted()? {
                if !signal.stops() {
                    say("\n");
                    return Err(Stopped::Signal(signal.number()));
                }
                // The process goes to the background like any other, and asks anew when it comes back.
                line.clear();
                self.reveal();
                signal.obey();
                self.conceal()?;
                say(prompt);
            }
            Ok(())
        })
    }

    /// Waits for input; gives a signal that came instead.
    fn interrupted(&self) -> Result<Option<super::signal::Interrupt>, Stopped> {
        loop {
            let wake = self.interrupts.wake();
            let mut both =
                [PollFd::from_borrowed_fd(wake, PollFlags::IN), PollFd::new(&self.input, PollFlags::IN)];
            match poll(&mut both, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(Stopped::unreadable(error)),
            }
            if let Some(signal) = self.interrupts.next() {
                return Ok(Some(signal));
            }
            if !both[1].revents().is_empty() {
                return Ok(None);
            }
        }
    }

    /// What was typed too early has been seen, so it is not taken for a password.
    fn conceal(&self) -> Result<(), Stopped> {
        let mut concealed = self.before.clone();
        concealed.local_modes.remove(LocalModes::ECHO);
        concealed.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(self.input, OptionalActions::Flush, &concealed).map_err(Stopped::unreadable)
    }

    /// Drops the rest of a line that was too long: the shell would take it for a command.
    fn reveal(&self) {
        let _ = tcsetattr(self.input, OptionalActions::Flush, &self.before);
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.reveal();
    }
}

fn say(text: &str) {
    streams::tell(text.as_bytes());
}
