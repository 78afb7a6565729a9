//! The reference package: its server, its parsers, and what an answer of either side comes to.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout, Stdio};

use crate::client::{Answer, find};
use crate::process::{Running, python};

/// The server of the reference package, with the families of `examples/every_kind.rs`.
pub(crate) struct Reference {
    _running: Running,
    pub(crate) address: SocketAddr,
}

impl Reference {
    pub(crate) fn serve(arguments: &[&str]) -> Self {
        let mut command = python();
        command.arg("serve").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // It prints a traceback for each fault that a row shows.
        command.stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        let port: u16 = running.first_line().parse().expect("the reference prints its port");
        Self { _running: running, address: ([127, 0, 0, 1], port).into() }
    }

    /// Lines of "name: outcome" about starting and stopping.
    pub(crate) fn start_outcomes() -> Vec<(String, String)> {
        let output = python().arg("start").output().expect("the reference runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("the outcomes are UTF-8");
        text.lines().filter_map(|line| line.split_once(": ")).map(|(a, b)| (a.into(), b.into())).collect()
    }
}

/// The reference package as a reader: its parsers, and Python's gzip.
pub(crate) struct Oracle {
    _running: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start() -> Self {
        let mut command = python();
        command.arg("parse").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        let input = running.child.stdin.take().expect("standard input is a pipe");
        let output = BufReader::new(running.child.stdout.take().expect("standard output is a pipe"));
        Self { _running: running, input, output }
    }

    fn ask(&mut self, command: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        writeln!(self.input, "{command} {}", bytes.len()).expect("the oracle reads");
        self.input.write_all(bytes).expect("the oracle reads");
        self.input.flush().expect("the oracle reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the oracle answers");
        let (verdict, length) =
            line.trim_end().split_once(' ').expect("the oracle answers verdict and length");
        let mut answer = vec![0; length.parse().expect("the oracle answers a length")];
        self.output.read_exact(&mut answer).expect("the oracle answers");
        if verdict == "ok" { Ok(answer) } else { Err(String::from_utf8_lossy(&answer).into_owned()) }
    }

    pub(crate) fn gunzip(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.ask("gunzip", bytes)
    }

    /// A page as the package's parser for text understands it: one line per family and per sample.
    pub(crate) fn parse_text(&mut self, page: &[u8]) -> Result<Vec<String>, String> {
        Ok(lines(&self.ask("text", page)?))
    }

    /// A page as the package's parser for OpenMetrics understands it.
    pub(crate) fn parse_openmetrics(&mut self, page: &[u8]) -> Result<Vec<String>, String> {
        Ok(lines(&self.ask("openmetrics", page)?))
    }

    /// A page as the parser for its content type understands it.
    pub(crate) fn parse(&mut self, content_type: &str, page: &[u8]) -> Result<Vec<String>, String> {
        if content_type.starts_with("application/openmetrics-text") {
            self.parse_openmetrics(page)
        } else {
            self.parse_text(page)
        }
    }

    /// The body without its content encoding.
    pub(crate) fn plain(&mut self, answer: &Answer) -> Vec<u8> {
        match answer.header("Content-Encoding") {
            Some("gzip") => self.gunzip(&answer.body).expect("a gzip body unpacks"),
            Some(other) => panic!("unknown Content-Encoding {other:?}"),
            None => answer.body.clone(),
        }
    }

    /// What an answer comes to, in one line: status, whether `Allow` names GET and OPTIONS, Content-Type, encoding,
    /// and the class of the body.
    pub(crate) fn shape(&mut self, answer: &Answer) -> String {
        let mut shape = match answer.status {
            Some(status) => status.to_string(),
            None if answer.timed_out => return "silence".into(),
            None if answer.body.is_empty() => return "closed".into(),
            None => "no status line".into(),
        };
        if let Some(allow) = answer.header("Allow") {
            let methods: BTreeSet<_> = allow.split(',').map(str::trim).collect();
            shape += if methods == BTreeSet::from(["GET", "OPTIONS"]) { " allow" } else { " other allow" };
        }
        for header in ["Content-Type", "Content-Encoding"] {
            if let Some(value) = answer.header(header) {
                shape += " ";
                shape += value;
            }
        }
        shape + " | " + &body_class(&self.plain(answer))
    }
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

fn body_class(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
    if body.is_empty() {
        "empty".into()
    } else if start.starts_with("# HTTP 405 ") {
        // The one line that both sides have: compared as it is.
        String::from_utf8_lossy(body).escape_debug().to_string()
    } else if start.starts_with("# HTTP ") {
        "hash line".into()
    } else if start.starts_with("<!DOCTYPE") || start.starts_with("<html") {
        let code = find(body, b"Error code: ")
            .map(|at| String::from_utf8_lossy(&body[at + 12..at + 15]).into_owned());
        format!("html {}", code.unwrap_or_default())
    } else if body.ends_with(b"# EOF\n") {
        "openmetrics".into()
    } else if start.starts_with("# HELP ") {
        "text".into()
    } else {
        "other".into()
    }
}
