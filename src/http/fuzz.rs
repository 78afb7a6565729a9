//! What the fuzz targets run, and what they hold to be true. The corpus is replayed by every `cargo test`.

use core::cell::RefCell;
use core::fmt;
use core::time::Duration;
use std::vec::Vec;

use super::connection::{Buffers, Service, serve};
use super::handler::MetricsHandler;
use super::head;
use super::limits::Limits;
use super::negotiate::Negotiation;
use super::transport::{Answered, Gone, Observer, Phase, Transport};
use crate::counter::Counter;
use crate::registry::Registry;
use crate::text::NameFilter;

/// A head is read the same way however it arrives, and never reaches past what there is.
pub fn head(input: &[u8]) {
    let whole = head::parse(input, &mut 0);
    let mut scanned = 0;
    let mut first = head::parse(&[], &mut scanned);
    for end in 0..=input.len().min(2_000) {
        first = head::parse(&input[..end], &mut scanned);
        if !matches!(first, Ok(None)) {
            break;
        }
    }
    match (whole, first) {
        (Ok(Some(whole)), Ok(Some(first))) => {
            assert!(whole.length <= input.len());
            assert_eq!(
                (whole.length, whole.reusable, whole.body),
                (first.length, first.reusable, first.body)
            );
            assert_eq!(whole.target(input), first.target(input));
            assert!(!whole.method(input).is_empty() && !whole.target(input).is_empty());
        }
        (Err(whole), Err(first)) => assert_eq!(whole, first),
        (Ok(None), Ok(None)) => {}
        // Only the pieces beyond the bound above may tell more.
        (whole, first) => assert!(input.len() > 2_000, "{whole:?} {first:?}"),
    }
}

/// A list of values means the same as one value with commas.
pub fn negotiate(input: &[u8]) {
    let mut apart = Negotiation::new();
    for value in input.split(|byte| *byte == b'\n') {
        apart.accept(value);
        apart.accept_encoding(value);
    }
    if !input.contains(&b'"') {
        let joined: Vec<u8> = input.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }).collect();
        let mut together = Negotiation::new();
        together.accept(&joined);
        together.accept_encoding(&joined);
        assert_eq!((apart.format(), apart.gzip()), (together.format(), together.gzip()));
    }
    assert!(apart.format().content_type().contains("version="));
}

/// A filter that is not active wants everything.
pub fn filter(input: &[u8]) {
    let filter = NameFilter::new(input);
    let wanted = filter.wants("a", "a", "_total");
    assert!(filter.is_active() || wanted);
    assert!(!wanted || filter.may_want_family("a"));
}

/// A conversation gives the same output for any split of its input, and every response begins with a status line.
/// The first byte chooses the size of the pieces.
pub fn connection(input: &[u8]) {
    let Some((size, input)) = input.split_first() else { return };
    let whole = said(input, usize::MAX);
    assert!(whole.is_empty() || whole.starts_with(b"HTTP/1.1 "));
    assert_eq!(whole, said(input, 1 + usize::from(*size % 64)));
}

static HITS: Counter = Counter::new("hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

fn said(input: &[u8], piece: usize) -> Vec<u8> {
    let mut client = Client { input, piece, output: Vec::new() };
    let books = Books::default();
    let service = Service { handler: &MetricsHandler::new(&REGISTRY), gate: None, routes: None };
    serve(&mut client, &service, &books, &mut Buffers::alone(&Limits::DEFAULT));
    let sent: u64 = books.0.borrow().iter().map(|answered| answered.bytes).sum();
    assert_eq!(sent, client.output.len() as u64);
    client.output
}

struct Client<'a> {
    input: &'a [u8],
    piece: usize,
    output: Vec<u8>,
}

impl Transport for Client<'_> {
    fn read(&mut self, into: &mut [u8], _: Phase) -> Result<usize, Gone> {
        let length = self.piece.min(self.input.len()).min(into.len());
        let (now, later) = self.input.split_at(length);
        into[..length].copy_from_slice(now);
        self.input = later;
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    fn close_write(&mut self) {}

    fn begin_response(&mut self, _: Option<Duration>) {}

    fn expired(&self) -> bool {
        false
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn draining(&self) -> bool {
        false
    }

    fn now_unix(&self) -> u64 {
        0
    }
}

#[derive(Default)]
struct Books(RefCell<Vec<Answered>>);

impl Observer for Books {
    fn answered(&self, answered: &Answered) {
        self.0.borrow_mut().push(*answered);
    }

    fn collector_failed(&self, _: &'static str, _: &dyn fmt::Display) {}
}

/// Runs a target on every file of a folder of the project.
#[cfg(test)]
pub(crate) fn replay(folder: &str, target: fn(&[u8])) {
    let inputs = inputs(folder);
    inputs.iter().for_each(|input| target(input));
}

/// The files of a folder of the project.
#[cfg(test)]
pub(crate) fn inputs(folder: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let inputs: Vec<_> = files.map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!inputs.is_empty());
    inputs
}

#[cfg(test)]
mod tests {
    use super::replay;

    #[test]
    fn the_corpus_holds() {
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 4] = [
            ("head", super::head),
            ("negotiate", super::negotiate),
            ("filter", super::filter),
            ("connection", super::connection),
        ];
        for (name, target) in targets {
            replay(&["fuzz/corpus/", name].concat(), target);
        }
    }
}
