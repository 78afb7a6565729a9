//! The same raw requests to the reference and to us.
//!
//! Each row says whether we give the same answer, mend a fault of the reference, or refuse what it accepts. Where the
//! two differ, the row holds both answers: so it also fails when the reference changes.

mod accept;
mod encoding;
mod filter;
mod headers;
mod limits;
mod malformed;
mod methods;
mod paths;

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::client::{Answer, Connection, method};
use crate::process::Served;
use crate::reference::{Oracle, Reference};

pub(crate) const TEXT: &str = "200 text/plain; version=0.0.4; charset=utf-8 | text";
pub(crate) const OPENMETRICS: &str =
    "200 application/openmetrics-text; version=1.0.0; charset=utf-8 | openmetrics";
pub(crate) const FAVICON: &str = "200 | empty";
pub(crate) const ALLOWED: &str = "200 allow | empty";
/// What the reference says when a request makes it fail.
pub(crate) const FAILED: &str = "500 text/plain | other";

pub(crate) fn text_1_0_0(escaping: &str) -> String {
    format!("200 text/plain; version=1.0.0; charset=utf-8; escaping={escaping} | text")
}

pub(crate) fn openmetrics(escaping: &str) -> String {
    format!(
        "200 application/openmetrics-text; version=1.0.0; charset=utf-8; escaping={escaping} | openmetrics"
    )
}

/// The answer to any method but GET and OPTIONS.
pub(crate) fn not_allowed(method: &str) -> String {
    format!("405 allow | # HTTP 405 Method Not Allowed: {method}; use OPTIONS or GET\\n")
}

/// Our answer to what is no request, or too large a one.
pub(crate) fn error(status: u16) -> String {
    format!("{status} text/plain; charset=utf-8 | hash line")
}

/// How our answer stands to the reference's.
pub(crate) enum Verdict {
    /// The same.
    Match,
    /// Better: the reference's answer, ours.
    Mended(String, String),
    /// We do not do what the reference does: its answer, ours, the reason.
    Refused(String, String, &'static str),
}

/// What becomes of the connection after our answer, where a row says so.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Any,
    /// Closed, though what was wrong shows only after the answer.
    Closed,
    /// Closed, as the answer says.
    Announced,
}

/// One request.
pub(crate) struct Row {
    pub(crate) name: String,
    request: Vec<u8>,
    verdict: Verdict,
    /// The client says that nothing follows the request.
    finish: bool,
    /// What we do with the connection.
    end: End,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, request: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            request: request.into(),
            verdict: Verdict::Match,
            finish: false,
            end: End::Any,
        }
    }

    pub(crate) fn mended(mut self, theirs: impl Into<String>, ours: impl Into<String>) -> Self {
        self.verdict = Verdict::Mended(theirs.into(), ours.into());
        self
    }

    pub(crate) fn refused(
        mut self,
        theirs: impl Into<String>,
        ours: impl Into<String>,
        why: &'static str,
    ) -> Self {
        self.verdict = Verdict::Refused(theirs.into(), ours.into(), why);
        self
    }

    pub(crate) fn and_finish(mut self) -> Self {
        self.finish = true;
        self
    }

    /// We say that we close, and do.
    pub(crate) fn closes(mut self) -> Self {
        self.end = End::Announced;
        self
    }

    /// We close, without having said so.
    pub(crate) fn and_closed(mut self) -> Self {
        self.end = End::Closed;
        self
    }

    fn ask(&self, address: SocketAddr) -> Answer {
        let mut connection = Connection::open(address);
        connection.send(&self.request);
        if self.finish {
            connection.finish_sending();
        }
        let mut answer = connection.receive(&method(&self.request));
        answer.closed = answer.closed || (self.end == End::Closed && connection.is_closed());
        answer
    }
}

/// Both servers, with `_created` samples or without.
pub(crate) fn compare(rows: &[Row], created: bool) {
    let arguments: &[&str] = if created { &["created"] } else { &[] };
    let mut oracle = Oracle::start();
    let reference = Reference::serve(arguments);
    // For looking at the reference alone.
    let ours = std::env::var_os("PEERS_REFERENCE_ONLY").is_none().then(|| Served::every_kind(arguments));
    let mut faults = String::new();
    let mut names = std::collections::BTreeSet::new();
    for row in rows {
        assert!(names.insert(&row.name), "two rows are named {:?}", row.name);
        let theirs = row.ask(reference.address);
        let their_shape = oracle.shape(&theirs);
        if std::env::var_os("PEERS_SHOW").is_some() {
            println!("{}: {their_shape}", row.name);
        }
        let why = if let Verdict::Refused(.., why) = row.verdict {
            format!(" (refused: {why})")
        } else {
            String::new()
        };
        let mut fault = |what: String| {
            let request = String::from_utf8_lossy(&row.request[..row.request.len().min(200)]).into_owned();
            let _ = writeln!(
                faults,
                "{}{why}: {what}\n    request {request:?}\n    reference {theirs}",
                row.name
            );
        };
        if let Verdict::Mended(expected, _) | Verdict::Refused(expected, _, _) = &row.verdict
            && their_shape != *expected
        {
            fault(format!("the reference answers\n    {their_shape}\n  and not\n    {expected}"));
        }
        let Some(ours) = &ours else { continue };
        let our_answer = row.ask(ours.address);
        let our_shape = oracle.shape(&our_answer);
        let expected = match &row.verdict {
            Verdict::Match => &their_shape,
            Verdict::Mended(_, ours) | Verdict::Refused(_, ours, _) => ours,
        };
        let said = our_answer.header("Connection") == Some("close");
        if (row.end == End::Announced && !said) || (row.end != End::Any && !our_answer.closed) {
            fault(format!("we do not close the connection\n    ours {our_answer}"));
        }
        if our_shape != *expected {
            fault(format!("we answer\n    {our_shape}\n  and not\n    {expected}\n    ours {our_answer}"));
        } else if matches!(row.verdict, Verdict::Match)
            && let Some(difference) = difference(&mut oracle, &theirs, &our_answer)
        {
            fault(format!("the pages differ: {difference}"));
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The first sample in which two pages of the same content type differ, by the reference's own parser.
fn difference(oracle: &mut Oracle, theirs: &Answer, ours: &Answer) -> Option<String> {
    let content_type = ours.header("Content-Type")?;
    if theirs.header("Content-Type") != Some(content_type) || theirs.status != Some(200) {
        return None;
    }
    // What the reference writes under these escapings its own parser does not read: see `pages`.
    if content_type.ends_with("dots") || content_type.ends_with("values") {
        return None;
    }
    let mut samples = |answer: &Answer| {
        let page = oracle.plain(answer);
        let lines = oracle.parse(content_type, &page).unwrap_or_else(|error| panic!("{error}: {answer}"));
        comparable(lines)
    };
    let (theirs, ours) = (samples(theirs), samples(ours));
    let only = |left: &[String], right: &[String]| left.iter().find(|line| !right.contains(line)).cloned();
    only(&theirs, &ours)
        .map(|line| format!("only the reference has {line}"))
        .or_else(|| only(&ours, &theirs).map(|line| format!("only we have {line}")))
        .or_else(|| (theirs.len() != ours.len()).then(|| "some samples came twice".into()))
}

/// The samples of a page without what may differ: times of creation, and the name whose colon the reference loses.
fn comparable(lines: Vec<String>) -> Vec<String> {
    let mut samples: Vec<_> = lines
        .into_iter()
        .filter(|line| {
            line.starts_with("[\"sample\"")
                && !["demo:ratio", "demo_ratio", "\"scrapeport_"].iter().any(|name| line.contains(name))
        })
        .map(|line| match line.find("_created\"") {
            Some(_) => line[..line.rfind(", ").unwrap_or(line.len())].to_owned(),
            None => line,
        })
        .collect();
    samples.sort();
    samples
}

/// Adds the names of the tests in a directory and below it.
fn names_of_tests(directory: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("the sources are there") {
        let path = entry.expect("the sources are there").path();
        if path.is_dir() {
            names_of_tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("the sources are UTF-8");
            let after = text.split("#[test]\n").skip(1);
            names.extend(
                after.filter_map(|text| Some(text.split_once("fn ")?.1.split_once('(')?.0.to_owned())),
            );
        }
    }
}

/// The page for users names these tests; every name on it is a test, and every test of requests is on it.
#[test]
fn the_page_about_the_reference_is_true() {
    let page = include_str!("../../docs/reference.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = |directory: &str| {
        let mut names = Vec::new();
        names_of_tests(&root.join(directory), &mut names);
        names
    };
    let requests = tests("tests/peers/requests");
    let known = [tests("tests"), tests("src")].concat();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| held by |"));
    let mut named = Vec::new();
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or("");
        let names: Vec<_> = last.split('`').skip(1).step_by(2).filter(|name| !name.contains('/')).collect();
        assert!(!names.is_empty(), "no test holds: {row}");
        named.extend(names);
    }
    for name in &named {
        assert!(known.iter().any(|test| test == name), "{name} is no test");
    }
    for test in &requests {
        assert!(named.contains(&test.as_str()), "{test} is not on the page");
    }
}
