//! The results of the C API: their numbers, which are never used again for anything else, and their words.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int};

use crate::guard::guarded;

/// What a function answers; `scrapeport_result` in C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "their words are below")]
pub enum Outcome {
    Ok = 0,
    InvalidArgument = 1,
    InvalidName = 2,
    InvalidLabel = 3,
    InvalidUtf8 = 4,
    InvalidBounds = 5,
    KindDiffers = 6,
    HelpDiffers = 7,
    LabelsDiffer = 8,
    BoundsDiffer = 9,
    NameTaken = 10,
    Full = 11,
    Stopped = 12,
    Unsupported = 13,
    Address = 14,
    Setting = 15,
    Tls = 16,
    WebConfig = 17,
    Thread = 18,
    LoggerTaken = 19,
    Internal = 20,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 21] = [
        Self::Ok,
        Self::InvalidArgument,
        Self::InvalidName,
        Self::InvalidLabel,
        Self::InvalidUtf8,
        Self::InvalidBounds,
        Self::KindDiffers,
        Self::HelpDiffers,
        Self::LabelsDiffer,
        Self::BoundsDiffer,
        Self::NameTaken,
        Self::Full,
        Self::Stopped,
        Self::Unsupported,
        Self::Address,
        Self::Setting,
        Self::Tls,
        Self::WebConfig,
        Self::Thread,
        Self::LoggerTaken,
        Self::Internal,
    ];

    /// One line for people.
    const fn words(self) -> &'static CStr {
        match self {
            Self::Ok => c"no error",
            Self::InvalidArgument => {
                c"an argument is NULL, misaligned or out of range; SCRAPEPORT_COUNTER and its kin set what is needed"
            }
            Self::InvalidName => {
                c"not a name for a metric: [a-zA-Z_:][a-zA-Z0-9_:]*, a counter's ends in _total, scrapeport_ is the library's"
            }
            Self::InvalidLabel => {
                c"not a label: [a-zA-Z_][a-zA-Z0-9_]*, none twice, not le, quantile or __*, at most 8"
            }
            Self::InvalidUtf8 => c"a text is not UTF-8",
            Self::InvalidBounds => {
                c"the bounds of a histogram must be finite and rise; at least 1, registered ones at most 24"
            }
            Self::KindDiffers => c"a metric of this name has another kind",
            Self::HelpDiffers => c"a metric of this name has another help text",
            Self::LabelsDiffer => c"a metric of this name has labels of other names, or in another order",
            Self::BoundsDiffer => c"a histogram of this name has other bounds",
            Self::NameTaken => c"the name, or that of a sample, belongs to another metric",
            Self::Full => c"the pool of metrics is used up (statics need none), or 8 servers run",
            Self::Stopped => c"the sink did not take the page",
            Self::Unsupported => c"this library was built without that feature, or is older than the header",
            Self::Address => c"cannot listen on the address",
            Self::Setting => c"a setting cannot work",
            Self::Tls => c"a certificate, a key or a CA cannot be used",
            Self::WebConfig => c"the web configuration file cannot be followed",
            Self::Thread => c"the threads of the server cannot be created",
            Self::LoggerTaken => c"this process has a logger already",
            Self::Internal => c"an error of the library itself; please report it",
        }
    }

    pub(super) const fn number(self) -> c_int {
        self as c_int
    }
}

/// Runs the body of a function that C calls: a panic ends here.
pub(super) fn answer(work: impl FnOnce() -> Result<(), Outcome>) -> c_int {
    match guarded(work) {
        Ok(Ok(())) => Outcome::Ok.number(),
        Ok(Err(outcome)) => outcome.number(),
        Err(_) => Outcome::Internal.number(),
    }
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn scrapeport_strerror(result: c_int) -> *const c_char {
    let known = usize::try_from(result).ok().and_then(|number| Outcome::ALL.get(number));
    known.map_or(c"a result of a newer library", |outcome| outcome.words()).as_ptr()
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn scrapeport_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_at_their_numbers() {
        for (number, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(outcome.number()), Ok(number));
        }
    }

    #[test]
    fn a_panic_ends_at_the_boundary() {
        assert_eq!(answer(|| panic!("of the test")), Outcome::Internal.number());
    }
}
