//! The log: one line per record on standard error, `level=info msg="…"` (logfmt) as the node exporter writes it, or
//! `{"level":"info","msg":"…"}`. The time is left to the service manager.

use core::fmt::{self, Write as _};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::streams;
use crate::escaped::{is_hidden, write_visible};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Logfmt,
    Json,
}

impl LogFormat {
    pub(crate) fn read(word: &str) -> Result<Self, &'static str> {
        match word {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            _ => Err("must be logfmt or json"),
        }
    }

    /// What stands before the level, between it and the message, and after it.
    const fn frame(self) -> [&'static str; 3] {
        match self {
            Self::Logfmt => ["level=", " msg=\"", "\"\n"],
            Self::Json => ["{\"level\":\"", "\",\"msg\":\"", "\"}\n"],
        }
    }
}

/// Logs to standard error from now on. A second call changes the level only.
pub(crate) fn install(level: LevelFilter, format: LogFormat) {
    static LOGFMT: Logger = Logger(LogFormat::Logfmt);
    static JSON: Logger = Logger(LogFormat::Json);
    let _ = log::set_logger(if format == LogFormat::Json { &JSON } else { &LOGFMT });
    log::set_max_level(level);
}

struct Logger(LogFormat);

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut line = Line::new(self.0);
            line.fill(record.level(), record.args());
            // One write, so that lines of several threads do not mix.
            streams::tell(line.bytes());
        }
    }

    fn flush(&self) {}
}

/// The longest line in bytes; the rest of a longer message is cut off. Pipes take so much in one piece.
const LINE: usize = 1024;
const CUT: &str = "...";

struct Line {
    format: LogFormat,
    bytes: [u8; LINE],
    length: usize,
}

impl Line {
    const fn new(format: LogFormat) -> Self {
        Self { format, bytes: [0; LINE], length: 0 }
    }

    fn fill(&mut self, level: Level, message: &fmt::Arguments<'_>) {
        let word = match level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        let [before, between, end] = self.format.frame();
        let _ = write!(Raw(self, LINE), "{before}{word}{between}");
        if write!(Quoted(self), "{message}").is_err() {
            let _ = Raw(self, LINE).write_str(CUT);
        }
        let _ = Raw(self, LINE).write_str(end);
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Text as it is, up to a length of the whole line; whole or not at all.
struct Raw<'a>(&'a mut Line, usize);

impl fmt::Write for Raw<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Self(line, most) = self;
        let end = line.length + text.len();
        if end > *most {
            return Err(fmt::Error);
        }
        line.bytes[line.length..end].copy_from_slice(text.as_bytes());
        line.length = end;
        Ok(())
    }
}

/// Text between quotes, on one line.
struct Quoted<'a>(&'a mut Line);

impl fmt::Write for Quoted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let (format, [.., end]) = (self.0.format, self.0.format.frame());
        let mut raw = Raw(self.0, LINE - CUT.len() - end.len());
        for character in text.chars() {
            match character {
                '"' => raw.write_str("\\\"")?,
                '\\' => raw.write_str("\\\\")?,
                _ if is_hidden(character) => {
                    let mut escaped = Escaped::default();
                    let _ = match (format, character) {
                        (LogFormat::Logfmt, _) | (_, '\n' | '\r' | '\t') => {
                            write_visible(&mut escaped, character)
                        }
                        // RFC 8259 §7. These have four digits at most.
                        (LogFormat::Json, _) => write!(escaped, "\\u{:04x}", u32::from(character)),
                    };
                    raw.write_str(escaped.as_str())?;
                }
                _ => raw.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// One escaped character, `\u{10ffff}` at most.
#[derive(Default)]
struct Escaped([u8; 10], usize);

impl Escaped {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0[..self.1]).unwrap_or_default()
    }
}

impl fmt::Write for Escaped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.1 + text.len();
        self.0.get_mut(self.1..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.1 = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn line(message: &str) -> String {
        line_in(LogFormat::Logfmt, message)
    }

    fn line_in(format: LogFormat, message: &str) -> String {
        let mut line = Line::new(format);
        line.fill(Level::Warn, &format_args!("{message}"));
        String::from_utf8(line.bytes().into()).unwrap()
    }

    #[test]
    fn a_record_is_one_line() {
        assert_eq!(line("plain"), "level=warn msg=\"plain\"\n");
        assert_eq!(line("a \"b\" \\ \u{e4}"), "level=warn msg=\"a \\\"b\\\" \\\\ \u{e4}\"\n");
        assert_eq!(line("a\nb\t\u{1b}[1m\0"), "level=warn msg=\"a\\nb\\t\\u{1b}[1m\\u{0}\"\n");
    }

    #[test]
    fn a_record_is_one_json_object() {
        let text = line_in(LogFormat::Json, "a \"b\" \\ \n\u{1b}\u{85}\u{e4}");
        assert_eq!(text, "{\"level\":\"warn\",\"msg\":\"a \\\"b\\\" \\\\ \\n\\u001b\\u0085\u{e4}\"}\n");
        assert!(line_in(LogFormat::Json, &"\0".repeat(LINE)).ends_with("...\"}\n"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        for filler in ["x", "\u{e4}", "\n", "\""] {
            for shift in 0..4 {
                let text = line(&("x".repeat(shift) + &filler.repeat(LINE)));
                assert!(text.len() <= LINE && text.len() > LINE - 10);
                assert!(text.ends_with("...\"\n"), "{text}");
            }
        }
    }
}
