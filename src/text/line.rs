//! One line of a page: labels, value, and what may follow.

use super::copy::copy;
use super::eight::is_plain;
use super::format::Escaping;
use super::name::is_classic_label;
use super::number::{LONGEST, Number};
use super::page::Page;

/// A sample line under way: labels, then the value.
#[doc(hidden)]
#[derive(Debug)]
pub struct Line<'p, 'a> {
    page: &'p mut Page<'a>,
    open: bool,
}

/// A separator, `=`, and two quotes.
const PUNCTUATION: usize = 4;

impl<'p, 'a> Line<'p, 'a> {
    /// A line whose name has been written; `open` if it stands within the braces.
    #[inline]
    pub(super) fn new(page: &'p mut Page<'a>, open: bool) -> Self {
        Self { page, open }
    }

    #[inline]
    fn separate(&mut self) {
        self.page.put(if self.open { b"," } else { b"{" });
        self.open = true;
    }

    /// Writes a label that needs no escaping in one step; whether there was room, and it is one.
    #[inline]
    fn plain_label(&mut self, name: &str, value: &str) -> bool {
        let length = name.len() + value.len() + PUNCTUATION;
        if !is_plain(value.as_bytes()) {
            return false;
        }
        let open = self.open;
        let Some(room) = self.page.room_now(length) else { return false };
        let [separator, room @ .., end] = room else { return false };
        let Some((first, second)) = room.split_at_mut_checked(name.len() + 2) else { return false };
        let [name_room @ .., equals, quote] = first else { return false };
        *separator = if open { b',' } else { b'{' };
        copy(name.as_bytes(), name_room);
        (*equals, *quote) = (b'=', b'"');
        copy(value.as_bytes(), second);
        *end = b'"';
        self.page.advance(length);
        self.open = true;
        true
    }

    #[inline]
    pub(crate) fn label(&mut self, name: &str, value: &str) {
        let as_it_is = self.page.shows_classic_names_as_they_are() && is_classic_label(name);
        if as_it_is && self.plain_label(name, value) {
            return;
        }
        self.separate();
        if as_it_is {
            self.page.put(name.as_bytes());
        } else if self.page.format().escaping == Escaping::AllowUtf8 {
            self.page.put(b"\"");
            self.page.put_escaped(name, true);
            self.page.put(b"\"");
        } else {
            self.page.put_name_escaped(name, false);
        }
        self.page.put(b"=\"");
        self.page.put_escaped(value, true);
        self.page.put(b"\"");
    }

    /// Labels that are exposition text already: `a="1",b="2"`.
    #[inline]
    pub(crate) fn rendered(&mut self, labels: &[u8]) {
        if !labels.is_empty() {
            self.separate();
            self.page.put(labels);
        }
    }

    /// The `le` label.
    #[inline]
    pub(crate) fn bound(&mut self, bound: &[u8]) {
        self.separate();
        self.page.put(b"le=\"");
        self.page.put(bound);
        self.page.put(b"\"");
    }

    #[inline]
    fn put_value(&mut self, value: Number) {
        self.page.put(if self.open { b"} " } else { b" " });
        self.page.put_number(value);
    }

    /// Ends the line with its value.
    #[inline]
    pub(crate) fn value(self, value: Number) {
        let mut text = [0; 2 + LONGEST + 1];
        let [brace, blank, rest @ ..] = &mut text;
        (*brace, *blank) = (b'}', b' ');
        let length = rest.first_chunk_mut().map_or(0, |room| value.write(room));
        if let Some(end) = rest.get_mut(length) {
            *end = b'\n';
        }
        let begin = usize::from(!self.open);
        self.page.put(text.get(begin..length + 3).unwrap_or_default());
    }

    /// Ends the line with its value and the time it was taken, in milliseconds since the epoch.
    pub(crate) fn value_at(mut self, value: Number, milliseconds: i64) {
        self.put_value(value);
        self.page.put(b" ");
        if self.page.format().is_openmetrics() {
            self.page.put_number(Number::Float(milliseconds as f64 / 1_000.0));
        } else {
            self.page.put_number(Number::Signed(milliseconds));
        }
        self.page.put(b"\n");
    }

    /// Ends the line with its value and, in OpenMetrics, an exemplar: its labels as text, its value, and its time in
    /// seconds since the epoch (none if zero).
    pub(crate) fn value_with_exemplar(mut self, value: Number, labels: &[u8], observed: f64, seconds: f64) {
        self.put_value(value);
        if self.page.format().is_openmetrics() {
            self.page.put(b" # {");
            self.page.put(labels);
            self.page.put(b"} ");
            self.page.put_number(Number::Float(observed));
            if seconds > 0.0 {
                self.page.put(b" ");
                self.page.put_number(Number::Float(seconds));
            }
        }
        self.page.put(b"\n");
    }
}
