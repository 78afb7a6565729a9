//! Standard output and standard error, each text at once. The standard library's have a buffer and a lock, which
//! nothing here needs: 1 kB of a static program.

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, write};
use rustix::stdio;

/// Writes to standard output.
pub(super) fn print(text: &str) -> Result<(), Errno> {
    write_all(stdio::stdout(), text.as_bytes())
}

/// Writes to standard error. If nobody reads it, nothing can be done.
pub(super) fn tell(text: &[u8]) {
    let _ = write_all(stdio::stderr(), text);
}

/// What is closed has nobody who would miss the text.
fn write_all(stream: BorrowedFd<'_>, mut text: &[u8]) -> Result<(), Errno> {
    while !text.is_empty() {
        match write(stream, text) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::BADF) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
