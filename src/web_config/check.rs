//! What is wrong with a file, and with the certificates and keys that it names.

use std::path::Path;
use std::string::ToString;
use std::vec::Vec;

use super::file::{Fault, Reading, Scope, Warning, WebConfig, read};
use crate::tls::{Loaded, Problem};
use crate::watched::Watched;

/// What was found out about a file. A server starts with it if there are no faults.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "exporter"), allow(dead_code))]
pub(crate) struct Report {
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Warning>,
}

/// Reads a file, and those that it names.
#[cfg_attr(not(feature = "exporter"), allow(dead_code))]
pub(crate) fn check(path: &Path) -> Report {
    let (_, content) = Watched::read(path);
    let mut reading = match content {
        Ok(bytes) => read(&bytes, directory_of(path)),
        Err(error) => Fault::of_file(error.to_string()).into(),
    };
    let _ = open(&mut reading);
    Report { faults: reading.faults, warnings: reading.warnings }
}

/// Opens what a file names for TLS, if it makes sense at all. What is wrong there is added to the faults.
pub(super) fn open(reading: &mut Reading) -> Option<Loaded> {
    let Reading { config, faults, warnings } = reading;
    if faults.iter().any(|fault| fault.scope != Scope::User) {
        return None;
    }
    let loaded = match Loaded::new(config.tls.as_ref()?) {
        Ok(loaded) => {
            warnings.extend(loaded.remarks.iter().map(|remark| placed(config, remark)));
            Some(loaded)
        }
        Err(failed) => {
            let problems = failed.problems.iter().map(|problem| placed(config, problem));
            faults.extend(problems.map(|fault| fault.reaching(Scope::Handshake)));
            None
        }
    };
    faults.sort_by_key(|fault| fault.line);
    warnings.sort_by_key(|warning| warning.line);
    loaded
}

/// A problem of TLS with the line and the field that it comes from.
pub(super) fn placed(config: &WebConfig, problem: &Problem) -> Fault {
    match config.tls_places.iter().find(|place| place.part == problem.part) {
        Some(place) => Fault::new(place.line, &*place.field, &*problem.text),
        None => Fault::of_file(&*problem.text),
    }
}

/// The place of a file as it was named.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
