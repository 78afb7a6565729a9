//! The page for a loop or a server of the caller's own.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int, c_void};
use std::io;

use super::METRICS;
use super::outcome::{Outcome, answer};
use crate::http::handler::{MetricsHandler, Request};
use crate::text::{Escaping, Format, Syntax};

/// Takes a piece of the page; anything but 0 ends it.
type Sink = unsafe extern "C" fn(user: *mut c_void, text: *const c_char, length: usize) -> c_int;

/// Whoever mounts the page compresses it himself, if at all.
static HANDLER: MetricsHandler = MetricsHandler::new(&METRICS).compression(false);

/// See the header.
///
/// # Safety
/// See the header: the sink can be called from this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_write(sink: Option<Sink>, user: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { scrapeport_write_as(core::ptr::null(), sink, user) }
}

/// See the header.
///
/// # Safety
/// See the header: the sink can be called from this thread, `accept` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_write_as(
    accept: *const c_char,
    sink: Option<Sink>,
    user: *mut c_void,
) -> c_int {
    answer(|| {
        let sink = sink.ok_or(Outcome::InvalidArgument)?;
        // SAFETY: the caller's promise.
        let accept = unsafe { field(accept) };
        let request = Request::new("GET", "/metrics").accept(accept);
        let mut pieces = Pieces { sink, user };
        HANDLER.answer(&request).write_body(&mut pieces).map_err(|_| Outcome::Stopped)
    })
}

/// See the header.
///
/// # Safety
/// The pointer is null or leads to a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_content_type(accept: *const c_char) -> *const c_char {
    let mut chosen = Format::TEXT;
    let _ = answer(|| {
        // SAFETY: the caller's promise.
        let accept = unsafe { field(accept) };
        chosen = *HANDLER.answer(&Request::new("GET", "/metrics").accept(accept)).format();
        Ok(())
    });
    content_type(&chosen).as_ptr()
}

/// # Safety
/// The pointer is null or leads to a text that lives for `'a`.
unsafe fn field<'a>(text: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if text.is_null() { b"" } else { unsafe { CStr::from_ptr(text) }.to_bytes() }
}

struct Pieces {
    sink: Sink,
    user: *mut c_void,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the caller of `scrapeport_write_as` promised it; the bytes live during the call.
        match unsafe { (self.sink)(self.user, bytes.as_ptr().cast(), bytes.len()) } {
            0 => Ok(bytes.len()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As [`Format::content_type`] says it, with a zero at the end.
fn content_type(format: &Format) -> &'static CStr {
    const fn open(escaping: Escaping) -> &'static CStr {
        match escaping {
            Escaping::AllowUtf8 => {
                c"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            Escaping::Underscores => {
                c"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
            Escaping::Dots => c"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots",
            Escaping::Values => {
                c"application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values"
            }
        }
    }
    match (format.syntax, format.escaping) {
        (Syntax::Text0_0_4, _) => c"text/plain; version=0.0.4; charset=utf-8",
        (Syntax::Text1_0_0, Escaping::AllowUtf8) => {
            c"text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
        }
        (Syntax::Text1_0_0, Escaping::Underscores) => {
            c"text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
        }
        (Syntax::Text1_0_0, Escaping::Dots) => c"text/plain; version=1.0.0; charset=utf-8; escaping=dots",
        (Syntax::Text1_0_0, Escaping::Values) => c"text/plain; version=1.0.0; charset=utf-8; escaping=values",
        (Syntax::OpenMetrics1_0_0, _) if !format.announce_escaping => {
            c"application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
        (Syntax::OpenMetrics1_0_0, escaping) => open(escaping),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_those_of_the_formats() {
        for syntax in [Syntax::Text0_0_4, Syntax::Text1_0_0, Syntax::OpenMetrics1_0_0] {
            for escaping in [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values] {
                for announce in [false, true] {
                    let mut format = Format::new(syntax, escaping);
                    format.announce_escaping = announce;
                    assert_eq!(content_type(&format).to_str(), Ok(format.content_type()));
                }
            }
        }
    }
}
