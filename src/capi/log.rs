//! The library's log lines, handed to a function of C.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_void};
use core::fmt::{self, Write as _};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::OnceLock;

use super::outcome::{Outcome, answer};
use ::log::{Level, LevelFilter, Log, Metadata, Record};

/// Bytes of a line with its closing zero; a longer one is cut.
const LINE: usize = 1024;

type Callback = unsafe extern "C" fn(user: *mut c_void, level: c_int, text: *const c_char);

struct Logger {
    callback: Callback,
    user: AtomicPtr<c_void>,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// See the header.
///
/// # Safety
/// See the header: the callback can be called at any time from any thread, with `user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scrapeport_log_to(
    callback: Option<Callback>,
    user: *mut c_void,
    level: c_int,
) -> c_int {
    answer(|| {
        let callback = callback.ok_or(Outcome::InvalidArgument)?;
        let level = match level {
            0 => LevelFilter::Off,
            1 => LevelFilter::Error,
            2 => LevelFilter::Warn,
            3 => LevelFilter::Info,
            4 => LevelFilter::Debug,
            _ => return Err(Outcome::InvalidArgument),
        };
        let mut first = false;
        let logger = LOGGER.get_or_init(|| {
            first = true;
            Logger { callback, user: AtomicPtr::new(user) }
        });
        if !first || ::log::set_logger(logger).is_err() {
            return Err(Outcome::LoggerTaken);
        }
        ::log::set_max_level(level);
        Ok(())
    })
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= ::log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = Line { bytes: [0; LINE], length: 0 };
        let _ = write!(line, "{}", record.args());
        let level = match record.level() {
            Level::Error => 1,
            Level::Warn => 2,
            Level::Info => 3,
            Level::Debug | Level::Trace => 4,
        };
        // SAFETY: the caller of `scrapeport_log_to` promised it; the text ends with zero and lives during the call.
        unsafe { (self.callback)(self.user.load(Relaxed), level, line.bytes.as_ptr().cast()) };
    }

    fn flush(&self) {}
}

/// A text for C: no zero inside, one at the end.
pub(super) struct Line {
    bytes: [u8; LINE],
    length: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LINE - 1 - self.length;
        let cut = fitting(text, room);
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(cut.bytes()) {
            *place = if byte == 0 { b' ' } else { byte };
        }
        self.length += cut.len();
        if cut.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// As much of a text as fits, in whole characters.
pub(super) fn fitting(text: &str, room: usize) -> &str {
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters_and_holds_no_zero() {
        let mut line = Line { bytes: [0xff; LINE], length: 0 };
        assert!(line.write_str("a\0b").is_ok());
        assert!(line.write_str(&"\u{e4}".repeat(LINE)).is_err());
        let text = core::str::from_utf8(&line.bytes[..line.length]).unwrap();
        assert!(text.starts_with("a b\u{e4}") && text.len() == LINE - 1 && text.ends_with('\u{e4}'));
        assert_eq!(line.length, LINE - 1);
    }
}
