//! Reading the web configuration file.
//!
//! A file gets the verdict of the reference (the Go exporters' `exporter-toolkit`), but for what cannot work here.
//! Certificates and keys are not opened here.

mod date;
mod duration;
mod fault;
mod http_server;
mod limits;
mod path;
mod scalar;
mod server_tls;
mod users;
mod walk;
mod yaml;

use std::path::Path;
use std::vec::Vec;

use super::rate_limit::Rate;
use crate::tls::Settings;

pub(crate) use fault::{Fault, Scope, Warning};
pub(crate) use server_tls::Place;
pub(crate) use users::User;

use http_server::HttpServer;
use limits::Limits;
use server_tls::ServerTls;
use walk::{Reader, Section, Texts, Walk};
use yaml::Id;

/// A longer file is refused unread: 1 MiB.
pub(crate) const LONGEST_FILE: usize = 1 << 20;

/// What a file says, with the defaults where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebConfig {
    /// None: plain HTTP.
    pub(crate) tls: Option<Settings>,
    /// Where the fields of the TLS section are that name something to open.
    pub(crate) tls_places: Vec<Place>,
    /// Field lines for every response, each with its line end.
    pub(crate) headers: Vec<u8>,
    /// Who may log in, by name; everybody without login if there is none.
    pub(crate) users: Vec<User>,
    pub(crate) rate_limit: Rate,
    /// Has no effect: HTTP/1.1 is spoken in either case.
    pub(crate) http2: bool,
}

/// A file that has been read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// What could be made of it; as far as the faults reach it is not to be followed.
    pub(crate) config: WebConfig,
    /// All that is wrong, in the order of the lines; if it is no YAML, that alone.
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Warning>,
}

impl From<Fault> for Reading {
    fn from(fault: Fault) -> Self {
        Self { faults: Vec::from([fault]), ..Self::default() }
    }
}

/// The fields of each section; those of the file itself under no name.
const SECTIONS: &[(&str, &[&str])] = &[
    ("", NAMES),
    (server_tls::FIELD, server_tls::NAMES),
    (http_server::FIELD, http_server::NAMES),
    (limits::FIELD, limits::NAMES),
];

const NAMES: &[&str] = &[server_tls::FIELD, http_server::FIELD, users::FIELD, limits::FIELD];

/// Reads the text of a file. Its paths are beside `directory`, the place of the file as it was named.
pub(crate) fn read(bytes: &[u8], directory: &Path) -> Reading {
    if bytes.len() > LONGEST_FILE {
        return Fault::of_file("the file is longer than 1 MiB; is it the right one?").into();
    }
    let tree = match yaml::parse(bytes) {
        Ok(tree) => tree,
        Err(broken) => {
            // The end of a text is taken for a line of its own.
            let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u32;
            return Fault::new(broken.line.min(lines), "", broken.problem).into();
        }
    };
    let mut walk = Walk::new(&tree);
    let mut file = File::default();
    if let Some(root) = tree.root() {
        walk.section(root, "", &mut file);
    }
    let mut faults = core::mem::take(&mut walk.faults);
    let mut warnings = Vec::new();
    let config = file.settle(directory, &mut faults, &mut warnings);
    // Those that reach furthest are kept: how the file is followed depends on them.
    faults.sort_by_key(|fault| (fault.scope, fault.line));
    faults.truncate(fault::FAULTS);
    faults.sort_by_key(|fault| fault.line);
    warnings.sort_by_key(|warning| warning.line);
    Reading { config, faults, warnings }
}

#[derive(Default)]
struct File<'t> {
    tls: ServerTls,
    tls_line: u32,
    http: HttpServer<'t>,
    limits: Limits,
    users: Texts<'t>,
    users_line: u32,
}

impl<'t> Section<'t> for File<'t> {
    fn path(&self) -> &'static str {
        ""
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn set(&mut self, walk: &mut Walk<'t>, name: &'static str, line: u32, value: Id) {
        match name {
            server_tls::FIELD => {
                self.tls_line = line;
                walk.section(value, name, &mut self.tls);
            }
            http_server::FIELD => walk.section(value, name, &mut self.http),
            limits::FIELD => walk.section(value, name, &mut self.limits),
            _ => {
                self.users_line = line;
                walk.texts(value, users::FIELD, Reader::Own, &mut self.users);
            }
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

impl File<'_> {
    fn settle(self, directory: &Path, faults: &mut Vec<Fault>, warnings: &mut Vec<Warning>) -> WebConfig {
        let tls_places = self.tls.places(self.tls_line);
        let tls = self.tls.settle(self.tls_line, directory, faults, warnings);
        let users = users::settle(&self.users, faults, warnings);
        if tls.is_none() && !users.is_empty() {
            let problem =
                "passwords cross the network unencrypted, because TLS is off; add tls_server_config";
            warnings.push(Fault::new(self.users_line, users::FIELD, problem));
        }
        WebConfig {
            tls,
            tls_places,
            http2: self.http.http2(),
            headers: self.http.settle(faults),
            users,
            rate_limit: self.limits.settle(faults, warnings),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use super::*;

    fn scopes(text: &str) -> Vec<Scope> {
        read(text.as_bytes(), Path::new("/")).faults.iter().map(|fault| fault.scope).collect()
    }

    #[test]
    fn many_faults_do_not_hide_those_that_reach_further() {
        let suites = "  - TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\n".repeat(fault::FAULTS);
        let suites = format!("tls_server_config:\n  cipher_suites:\n{suites}basic_auth_users: {{a: b}}\n");
        let users: String = (0..2 * fault::FAULTS).map(|number| format!("  u{number}: bad\n")).collect();
        let users = format!("basic_auth_users:\n{users}");
        for (text, furthest) in [
            (suites, Scope::File),
            (format!("{users}unknown: x\n"), Scope::File),
            (format!("{users}tls_server_config: {{client_ca_file: x}}\n"), Scope::Handshake),
            (users, Scope::User),
        ] {
            let scopes = scopes(&text);
            assert_eq!(scopes.iter().min(), Some(&furthest), "{text}");
            assert_eq!(scopes.len(), fault::FAULTS);
        }
    }
}
