//! `tls_server_config`: whether TLS is on, and with what. The contents of certificates and keys are not looked at.

use std::ffi::OsStr;
use std::format;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use crate::tls::{Clients, Curve, Part, Pem, Policy, Settings, Suite, Version};

use super::fault::{Fault, Scope, Warning, shown};
use super::path;
use super::walk::{At, Reader, Section, Walk, instead};
use super::yaml::Id;

pub(super) const FIELD: &str = "tls_server_config";
pub(super) const NAMES: &[&str] = &[
    "cert",
    "cert_file",
    "key",
    "key_file",
    "client_ca",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "curve_preferences",
    "prefer_server_cipher_suites",
];

/// The fields that switch TLS on when they are not empty.
const SWITCHES: &[&str] =
    &["cert", "cert_file", "key", "key_file", "client_ca", "client_ca_file", "client_auth_type"];

/// Valid in the reference, but not to be had here.
const ELSEWHERE_VERSIONS: &[&str] = &["TLS10", "TLS11"];
const ELSEWHERE_SUITES: &[&str] = &[
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];
const ELSEWHERE_CURVES: &[&str] = &["CurveP521"];

#[derive(Debug, Default)]
pub(super) struct ServerTls {
    /// One for each of [`SWITCHES`]; an empty text is as none.
    texts: [Option<At<Vec<u8>>>; 7],
    names: Option<At<Vec<String>>>,
    min: Option<At<Version>>,
    max: Option<At<Version>>,
    suites: Option<At<Vec<Suite>>>,
    curves: Option<At<Vec<Curve>>>,
    prefer_server_order: Option<At<bool>>,
}

impl<'t> Section<'t> for ServerTls {
    fn path(&self) -> &'static str {
        FIELD
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn set(&mut self, walk: &mut Walk<'t>, name: &'static str, line: u32, value: Id) {
        let field = &*field(name);
        match name {
            "client_allowed_sans" => self.names = sans(walk, value, field),
            "min_version" => self.min = version(walk, value, field),
            "max_version" => self.max = version(walk, value, field),
            "cipher_suites" => self.suites = named(walk, value, field, &SUITES),
            "curve_preferences" => self.curves = named(walk, value, field, &CURVES),
            "prefer_server_cipher_suites" => {
                let value = walk.boolean(value, field).unwrap_or_default();
                self.prefer_server_order = value.map(|value| At { value, line });
            }
            _ => {
                let reader = if name == "key" { Reader::Own } else { Reader::Common };
                let text = walk.text(value, field, reader).unwrap_or_default();
                if let Some(at) = SWITCHES.iter().position(|known| *known == name) {
                    self.texts[at] = text
                        .filter(|text| !text.value.is_empty())
                        .map(|text| At { value: text.value.into_owned(), line: text.line });
                }
            }
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

fn field(name: &str) -> String {
    format!("{FIELD}.{name}")
}

/// What may be named in a field.
struct Choice<T: 'static> {
    names: &'static [(&'static str, T)],
    elsewhere: &'static [&'static str],
    /// What one of them is called.
    noun: &'static str,
    why: &'static str,
}

const VERSIONS: Choice<Version> = Choice {
    names: Version::NAMES,
    elsewhere: ELSEWHERE_VERSIONS,
    noun: "TLS version",
    why: "is not available (TLS 1.2 and 1.3 are); use TLS12",
};
const SUITES: Choice<Suite> = Choice {
    names: Suite::NAMES,
    elsewhere: ELSEWHERE_SUITES,
    noun: "cipher",
    why: "is not available in this exporter (no CBC suites); remove it",
};
const CURVES: Choice<Curve> = Choice {
    names: Curve::NAMES,
    elsewhere: ELSEWHERE_CURVES,
    noun: "curve",
    why: "is not available in this exporter; remove it",
};

impl<T: Copy> Choice<T> {
    fn find(&self, walk: &mut Walk<'_>, text: &At<std::borrow::Cow<'_, [u8]>>, field: &str) -> Option<T> {
        let name = String::from_utf8_lossy(&text.value);
        if let Some((_, value)) = self.names.iter().find(|(known, _)| *known == name) {
            return Some(*value);
        }
        let all: Vec<&'static str> = self.names.iter().map(|(name, _)| *name).collect();
        if self.elsewhere.contains(&&*name) {
            let problem = format!("{name} {}. Available: {}", self.why, all.join(", "));
            walk.fault_in(Scope::Handshake, text.line, field, problem);
        } else {
            let problem = format!("unknown {} \"{}\"; {}", self.noun, shown(&name), instead(&name, &all));
            walk.fault(text.line, field, problem);
        }
        None
    }
}

fn version(walk: &mut Walk<'_>, value: Id, field: &str) -> Option<At<Version>> {
    let text = walk.text(value, field, Reader::Own).ok()??;
    let value = VERSIONS.find(walk, &text, field)?;
    Some(At { value, line: text.line })
}

fn named<T: Copy>(walk: &mut Walk<'_>, value: Id, field: &str, choice: &Choice<T>) -> Option<At<Vec<T>>> {
    let line = walk.line(value);
    let entries = walk.list(value, field).ok()??;
    let mut values = Vec::new();
    for entry in entries {
        // An entry without value counts as not there.
        if let Ok(Some(text)) = walk.text(*entry, field, Reader::Own) {
            values.extend(choice.find(walk, &text, field));
        }
    }
    Some(At { value: values, line }).filter(|values| !values.value.is_empty())
}

fn sans(walk: &mut Walk<'_>, value: Id, field: &str) -> Option<At<Vec<String>>> {
    let line = walk.line(value);
    let entries = walk.list(value, field).ok()??;
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(text) = walk.text(*entry, field, Reader::Common) {
            names
                .push(text.map(|text| String::from_utf8_lossy(&text.value).into_owned()).unwrap_or_default());
        }
    }
    Some(At { value: names, line })
}

/// Where a field stands that names something to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) part: Part,
    pub(crate) field: String,
    pub(crate) line: u32,
}

impl ServerTls {
    /// For each part of the TLS settings where it is said; in the section's first line if it is not.
    pub(super) fn places(&self, section: u32) -> Vec<Place> {
        let texts = [
            (Part::Cert, ["cert_file", "cert"]),
            (Part::Key, ["key_file", "key"]),
            (Part::ClientCa, ["client_ca_file", "client_ca"]),
        ];
        let mut places = Vec::new();
        for (part, names) in texts {
            if let Some((name, text)) = names.iter().find_map(|name| Some((name, self.text(name)?))) {
                places.push(Place { part, field: field(name), line: text.line });
            }
        }
        let lines = [
            (Part::ClientNames, "client_allowed_sans", self.names.as_ref().map(|at| at.line)),
            (Part::Suites, "cipher_suites", self.suites.as_ref().map(|at| at.line)),
            (Part::Versions, "min_version", self.min.as_ref().map(|at| at.line)),
        ];
        for (part, name, line) in lines {
            if let Some(line) = line {
                places.push(Place { part, field: field(name), line });
            }
        }
        places.push(Place { part: Part::ClientCa, field: field("client_auth_type"), line: section });
        places
    }

    fn text(&self, name: &str) -> Option<&At<Vec<u8>>> {
        let at = SWITCHES.iter().position(|known| *known == name)?;
        self.texts[at].as_ref()
    }

    /// The settings if TLS is on. The line is the section's.
    pub(super) fn settle(
        self,
        line: u32,
        directory: &Path,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<Warning>,
    ) -> Option<Settings> {
        let Some((switch, _)) = SWITCHES.iter().zip(&self.texts).find(|(_, text)| text.is_some()) else {
            self.warn_of_no_effect(warnings);
            return None;
        };
        let cert = self.pem("cert", "cert_file", directory);
        let key = self.pem("key", "key_file", directory);
        for (there, names) in [(cert.is_some(), ["cert", "cert_file"]), (key.is_some(), ["key", "key_file"])]
        {
            // What stands there may have been told already.
            let told = names.map(field).iter().any(|name| faults.iter().any(|fault| fault.field == *name));
            if !there && !told {
                let what = names.join(" or ");
                let problem = format!("missing one of {what}; add it, or remove {switch} to switch TLS off");
                faults.push(Fault::new(line, FIELD, problem).reaching(Scope::Handshake));
            }
        }
        let clients = self.clients(directory, faults, warnings);
        self.check_handshakes(faults);
        Some(Settings {
            cert: cert?,
            key: key?,
            clients: clients?,
            min_version: self.min.map_or(Version::Tls12, |min| min.value),
            max_version: self.max.map_or(Version::Tls13, |max| max.value),
            suites: self.suites.map(|suites| suites.value),
            curves: self.curves.map(|curves| curves.value),
            prefer_server_order: self.prefer_server_order.is_none_or(|prefer| prefer.value),
        })
    }

    /// PEM text; the file counts if both are given.
    fn pem(&self, inline: &str, file: &str, directory: &Path) -> Option<Pem> {
        if let Some(file) = self.text(file) {
            let file = PathBuf::from(OsStr::from_bytes(&file.value));
            return Some(Pem::File(path::beside(directory, &file)));
        }
        self.text(inline).map(|text| Pem::Inline(String::from_utf8_lossy(&text.value).into_owned()))
    }

    fn clients(
        &self,
        directory: &Path,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<Warning>,
    ) -> Option<Clients> {
        let policy = match self.text("client_auth_type") {
            None => Policy::NoClientCert,
            Some(text) => match policy(&text.value) {
                Ok(policy) => policy,
                Err(problem) => {
                    faults.push(
                        Fault::new(text.line, field("client_auth_type"), problem).reaching(Scope::Handshake),
                    );
                    return None;
                }
            },
        };
        let line = self.text("client_auth_type").map_or(0, |text| text.line);
        let ca = self.pem("client_ca", "client_ca_file", directory);
        let ca_text = self.text("client_ca_file").or(self.text("client_ca"));
        match (policy, ca_text) {
            (Policy::NoClientCert, Some(text)) => {
                let name = if matches!(ca, Some(Pem::File(_))) { "client_ca_file" } else { "client_ca" };
                let problem = "client CAs are given, but no certificate is asked for; set client_auth_type to \
                               RequireAndVerifyClientCert, or remove this";
                faults.push(Fault::new(text.line, field(name), problem).reaching(Scope::Handshake));
            }
            (Policy::RequireAndVerifyClientCert, None) => {
                let problem = "RequireAndVerifyClientCert needs client_ca_file or client_ca, else no client is \
                               ever let in (the system's CAs are not used)";
                faults.push(Fault::new(line, field("client_auth_type"), problem).reaching(Scope::Handshake));
            }
            (Policy::VerifyClientCertIfGiven, None) => {
                let problem =
                    "without client_ca_file or client_ca every client that sends a certificate is refused";
                warnings.push(Fault::new(line, field("client_auth_type"), problem));
            }
            _ => {}
        }
        if !policy.verifies() && policy != Policy::NoClientCert {
            let problem = format!("{} lets in every client, whoever signed its certificate", policy.name());
            warnings.push(Fault::new(line, field("client_auth_type"), problem));
        }
        if let Some(names) = &self.names {
            self.check_names(policy, names, faults, warnings);
        }
        let names = self.names.as_ref().map(|names| names.value.clone());
        Some(Clients { policy, ca, ca_directory: None, public_roots: false, names })
    }

    fn check_names(
        &self,
        policy: Policy,
        names: &At<Vec<String>>,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<Warning>,
    ) {
        let field = field("client_allowed_sans");
        if policy == Policy::NoClientCert {
            let problem = "has no effect, because no certificate is asked for; set client_auth_type";
            warnings.push(Fault::new(names.line, field, problem));
        } else if names.value.is_empty() {
            let problem = "an empty list lets nobody in; name the clients, or remove it";
            faults.push(Fault::new(names.line, field, problem).reaching(Scope::Handshake));
        } else if !policy.verifies() {
            let problem =
                format!("with {} these names are not verified: anybody can claim them", policy.name());
            warnings.push(Fault::new(names.line, field, problem));
        }
    }

    /// Whether any handshake can succeed.
    fn check_handshakes(&self, faults: &mut Vec<Fault>) {
        let min = self.min.as_ref().map_or(Version::Tls12, |min| min.value);
        let max = self.max.as_ref().map_or(Version::Tls13, |max| max.value);
        if let Some(highest) = self.max.as_ref().filter(|_| min > max) {
            let problem = format!(
                "{} is below min_version {}, so no client can connect; raise it",
                max.name(),
                min.name()
            );
            faults.push(Fault::new(highest.line, field("max_version"), problem).reaching(Scope::Handshake));
        }
        let of_tls12 = |suite: &Suite| suite.name().starts_with("TLS_ECDHE_");
        if let Some(suites) = self.suites.as_ref().filter(|_| max == Version::Tls12) {
            if !suites.value.iter().any(of_tls12) {
                let problem = "none of these is of TLS 1.2, and max_version is TLS12, so no client can connect; \
                               remove one of the two";
                faults.push(
                    Fault::new(suites.line, field("cipher_suites"), problem).reaching(Scope::Handshake),
                );
            }
        }
    }

    fn warn_of_no_effect(&self, warnings: &mut Vec<Warning>) {
        let lines = [
            ("client_allowed_sans", self.names.as_ref().map(|at| at.line)),
            ("min_version", self.min.as_ref().map(|at| at.line)),
            ("max_version", self.max.as_ref().map(|at| at.line)),
            ("cipher_suites", self.suites.as_ref().map(|at| at.line)),
            ("curve_preferences", self.curves.as_ref().map(|at| at.line)),
            ("prefer_server_cipher_suites", self.prefer_server_order.as_ref().map(|at| at.line)),
        ];
        for (name, line) in lines {
            if let Some(line) = line {
                let problem = "has no effect, because TLS is off; add cert_file and key_file";
                warnings.push(Fault::new(line, field(name), problem));
            }
        }
    }
}

fn policy(text: &[u8]) -> Result<Policy, String> {
    let text = String::from_utf8_lossy(text);
    // The old name.
    if text == "RequireClientCert" {
        return Ok(Policy::RequireAnyClientCert);
    }
    if let Some((_, policy)) = Policy::NAMES.iter().find(|(name, _)| *name == text) {
        return Ok(*policy);
    }
    let names: Vec<&'static str> = Policy::NAMES.iter().map(|(name, _)| *name).collect();
    Err(format!("unknown policy \"{}\"; {}", shown(&text), instead(&text, &names)))
}
