//! Why a collector has no success.

use core::fmt;
use std::io;

use rustix::io::Errno;

use super::parse::lossy_into;
use super::path::Path;

/// Why a collector failed, or that this machine has nothing for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The hardware or the kernel option is absent: no success, but nothing to worry about.
    NoData(&'static str),
    /// A file could not be read.
    Unreadable(Place, Errno),
    /// A file holds something else than the kernel's documentation says.
    Malformed(Place),
    /// Something else failed.
    Failed(&'static str),
}

impl Problem {
    /// A path that could not be read, or that is not as documented.
    pub(crate) fn unreadable<'a>(path: impl Into<Path<'a>>, errno: Errno) -> Self {
        Self::Unreadable(Place::new(path.into()), errno)
    }

    pub(crate) fn malformed<'a>(path: impl Into<Path<'a>>) -> Self {
        Self::Malformed(Place::new(path.into()))
    }

    /// Whether the hardware or the kernel option is only absent.
    pub(crate) fn is_no_data(&self) -> bool {
        matches!(
            self,
            Self::NoData(_)
                | Self::Unreadable(
                    _,
                    Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::OPNOTSUPP | Errno::NOSYS
                )
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData(what) | Self::Failed(what) => out.write_str(what),
            Self::Unreadable(place, errno) => {
                write!(out, "cannot read {}: {}", place.as_str(), io::Error::from(*errno))
            }
            Self::Malformed(place) => write!(out, "{} is not as the kernel documents it", place.as_str()),
        }
    }
}

/// The path that a problem is about, as far as it fits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    text: [u8; Self::LONGEST],
    length: usize,
}

impl Place {
    const LONGEST: usize = 96;

    #[cold]
    #[inline(never)]
    fn new(path: Path<'_>) -> Self {
        let mut text = [0; Self::LONGEST];
        let length = lossy_into(path.whole(&mut None), &mut text);
        Self { text, length }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.text.get(..self.length).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_problem_names_its_file() {
        let problem = Problem::unreadable("proc/stat", Errno::ACCESS);
        assert_eq!(problem.to_string(), "cannot read proc/stat: Permission denied (os error 13)");
        assert!(!problem.is_no_data());
        assert!(Problem::unreadable("x", Errno::NOENT).is_no_data());
        assert_eq!(
            Problem::malformed(&[b'a', 0xff]).to_string(),
            "a\u{fffd} is not as the kernel documents it"
        );
        assert_eq!(Place::new(Path::Whole(&[b'x'; 300])).as_str().len(), Place::LONGEST);
    }
}
