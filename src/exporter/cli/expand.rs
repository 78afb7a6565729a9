//! Arguments from files: `@FILE` stands for the lines of the file, as in the Go exporters (kingpin). A line that begins
//! with `#` is a comment; empty lines do not count; nothing is unquoted.

use std::ffi::{OsStr, OsString};
use std::format;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::vec::Vec;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::read;

use super::{Usage, shown};

/// The bytes of all files together. A command line of the system is not longer than some of this.
const MOST_BYTES: usize = 64 * 1024;
/// A file may name others, and so itself.
const MOST_FILES: usize = 16;

/// Puts the lines of files in the place of their names. Behind `--` an argument is what it is.
pub(super) fn expand(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, Usage> {
    let mut expanded = Vec::new();
    // The next argument is the last of these.
    let mut waiting: Vec<OsString> = arguments.into_iter().collect();
    waiting.reverse();
    let (mut bytes, mut files) = (0, 0);
    while let Some(argument) = waiting.pop() {
        if argument == "--" {
            expanded.push(argument);
            waiting.reverse();
            expanded.append(&mut waiting);
            break;
        }
        let Some(name) = argument.as_bytes().strip_prefix(b"@") else {
            expanded.push(argument);
            continue;
        };
        let name = OsStr::from_bytes(name);
        files += 1;
        if files > MOST_FILES {
            return Err(Usage(format!(
                "more than {MOST_FILES} files of arguments; does {} name itself?",
                shown(&argument)
            )));
        }
        let text = text_of(name)
            .map_err(|error| Usage(format!("cannot read the file of arguments {}: {error}", shown(name))))?;
        bytes += text.len();
        if bytes > MOST_BYTES {
            return Err(Usage(format!(
                "the file of arguments {} is too long: 64 KiB are allowed",
                shown(name)
            )));
        }
        for line in text.rsplit(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() && !line.starts_with(b"#") {
                waiting.push(OsStr::from_bytes(line).to_os_string());
            }
        }
    }
    Ok(expanded)
}

/// One byte more than is allowed tells that it is too long.
fn text_of(name: &OsStr) -> io::Result<Vec<u8>> {
    let file = openat(CWD, name.as_bytes(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = Vec::with_capacity(MOST_BYTES + 1);
    while text.len() <= MOST_BYTES && read(&file, spare_capacity(&mut text))? > 0 {}
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::string::String;

    use super::*;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("scrapeport-expand-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn expanded(arguments: &[&str]) -> Result<Vec<String>, String> {
        let expanded = expand(arguments.iter().map(OsString::from));
        expanded
            .map(|all| all.into_iter().map(|one| one.into_string().unwrap()).collect())
            .map_err(|usage| usage.0)
    }

    #[test]
    fn a_file_stands_for_its_lines() {
        let inner = file("inner", "--b=2 3\r\n");
        let outer = file("outer", &format!("# comment\n--a=1\n\n@{}\n  --c\n\"d\"", inner.display()));
        let at = format!("@{}", outer.display());
        assert_eq!(expanded(&["x", &at, "y"]).unwrap(), ["x", "--a=1", "--b=2 3", "  --c", "\"d\"", "y"]);
        assert_eq!(expanded(&["--", &at]).unwrap(), ["--", at.as_str()]);
        let _ = (std::fs::remove_file(inner), std::fs::remove_file(outer));
    }

    #[test]
    fn files_that_cannot_be_are_named() {
        let own = std::env::temp_dir().join(format!("scrapeport-expand-{}-own", std::process::id()));
        let at_own = format!("@{}", own.display());
        std::fs::write(&own, &at_own).unwrap();
        let long = file("long", &"x\n".repeat(MOST_BYTES));
        for (argument, part) in [
            ("@", "''"),
            ("@/no/such\nfile", "/no/such\\nfile"),
            ("@/", "'/'"),
            ("@/dev/zero", "64 KiB"),
            (at_own.as_str(), "itself"),
            (&format!("@{}", long.display()), "64 KiB"),
        ] {
            let problem = expanded(&[argument]).unwrap_err();
            assert!(problem.contains(part) && !problem.contains(char::is_control), "{problem}");
        }
        let _ = (std::fs::remove_file(own), std::fs::remove_file(long));
    }
}
