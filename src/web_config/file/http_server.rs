//! `http_server_config`: fields of every response, and HTTP/2.

use std::borrow::Cow;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::fault::{Fault, dotted, shown};
use super::walk::{Reader, Section, Texts, Walk, instead};
use super::yaml::Id;

pub(super) const FIELD: &str = "http_server_config";
pub(super) const NAMES: &[&str] = &["http2", "headers"];

const HTTP2: &str = "http_server_config.http2";
const HEADERS: &str = "http_server_config.headers";

/// The headers that can be set, in the order in which they are sent, with their values if not all are allowed.
const HEADER_NAMES: &[&str] = &[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

fn allowed(name: &str) -> &'static [&'static str] {
    match name {
        "X-Content-Type-Options" => &["nosniff"],
        "X-Frame-Options" => &["deny", "sameorigin"],
        _ => &[],
    }
}

#[derive(Debug, Default)]
pub(super) struct HttpServer<'t> {
    http2: Option<bool>,
    headers: Texts<'t>,
}

impl<'t> Section<'t> for HttpServer<'t> {
    fn path(&self) -> &'static str {
        FIELD
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn set(&mut self, walk: &mut Walk<'t>, name: &'static str, _: u32, value: Id) {
        if name == "http2" {
            self.http2 = walk.boolean(value, HTTP2).unwrap_or_default();
        } else {
            walk.texts(value, HEADERS, Reader::Common, &mut self.headers);
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

impl HttpServer<'_> {
    pub(super) fn http2(&self) -> bool {
        self.http2.unwrap_or(true)
    }

    /// The field lines of every response.
    pub(super) fn settle(self, faults: &mut Vec<Fault>) -> Vec<u8> {
        for (name, text) in &self.headers {
            let name = String::from_utf8_lossy(name);
            if HEADER_NAMES.contains(&&*name) {
                let allowed = allowed(&name);
                if !allowed.is_empty() && !allowed.iter().any(|value| value.as_bytes() == &*text.value) {
                    let (value, wanted) = (String::from_utf8_lossy(&text.value), allowed.join(" or "));
                    let problem = format!("must be {wanted}; is \"{}\"", shown(&value));
                    faults.push(Fault::new(text.line, dotted(HEADERS, &name), problem));
                }
            } else {
                let problem = format!("this header cannot be set; {}", instead(&name, HEADER_NAMES));
                faults.push(Fault::new(text.line, dotted(HEADERS, &name), problem));
            }
        }
        let mut lines = Vec::new();
        for name in HEADER_NAMES {
            if let Some(text) = self.headers.get(&Cow::Borrowed(name.as_bytes())) {
                lines.extend_from_slice(name.as_bytes());
                lines.extend_from_slice(b": ");
                lines.extend(text.value.trim_ascii().iter().map(|byte| match byte {
                    // A value must not begin another field (RFC 9110 §5.5).
                    0x7F | ..0x20 if *byte != b'\t' => b' ',
                    byte => *byte,
                }));
                lines.extend_from_slice(b"\r\n");
            }
        }
        lines
    }
}
