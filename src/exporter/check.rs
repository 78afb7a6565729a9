//! The command `check web-config`: says of each file whether the program would start with it.

use std::format;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::string::String;

use super::cli::{Usage, shown, unquoted};
use super::streams;
use crate::web_config::{Report, check};

/// Checks all files, after it has made sure that all of them are there.
pub(super) fn run(files: &[PathBuf]) -> Result<ExitCode, Usage> {
    for file in files {
        must_exist(file)?;
    }
    let mut failed = false;
    for file in files {
        let report = check(file);
        failed |= !report.faults.is_empty();
        streams::tell(verdict(file, &report).as_bytes());
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A file that is missing is a mistake of the command line, not of the file.
fn must_exist(file: &Path) -> Result<(), Usage> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => Err(Usage(format!("path {} is a directory", shown(file)))),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Usage(format!("path {} does not exist", shown(file))))
        }
        Err(error) => Err(Usage(format!("path {}: {error}", shown(file)))),
    }
}

/// Warnings, then the verdict; further reasons are indented.
fn verdict(file: &Path, report: &Report) -> String {
    let name = unquoted(file);
    let mut text = String::new();
    for warning in &report.warnings {
        text += &format!("{name} WARNING: {warning}\n");
    }
    match report.faults.split_first() {
        None => text += &format!("{name} SUCCESS\n"),
        Some((first, others)) => {
            text += &format!("{name} FAILED: {first}\n");
            for other in others {
                text += &format!("  {other}\n");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web_config::Fault;

    #[test]
    fn verdicts() {
        let mut report = Report::default();
        let path = Path::new("a\nb.yml");
        assert_eq!(verdict(path, &report), "a\\nb.yml SUCCESS\n");
        report.warnings.push(Fault::new(2, "f", "w"));
        assert_eq!(verdict(path, &report), "a\\nb.yml WARNING: line 2: f: w\na\\nb.yml SUCCESS\n");
        report.faults = [Fault::of_file("one"), Fault::new(7, "x", "two")].into();
        assert_eq!(
            verdict(path, &report),
            "a\\nb.yml WARNING: line 2: f: w\na\\nb.yml FAILED: one\n  line 7: x: two\n"
        );
    }

    #[test]
    fn what_is_missing_is_told_before_anything_is_checked() {
        for (path, expected) in [
            ("/no/such/file", "path '/no/such/file' does not exist"),
            ("", "path '' does not exist"),
            ("/", "path '/' is a directory"),
            ("/dev/null/x", "path '/dev/null/x': Not a directory (os error 20)"),
        ] {
            let files = [PathBuf::from("/dev/null"), PathBuf::from(path)];
            assert_eq!(run(&files).unwrap_err().0, expected);
        }
    }
}
