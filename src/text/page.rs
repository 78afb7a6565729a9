//! The page: lines of exposition text in a fixed buffer, handed on whenever it is full.

use core::ops::Range;

use super::copy::copy;
use super::eight::is_plain;
use super::format::{Escaping, Format};
use super::kind::Kind;
use super::line::Line;
use super::name::{is_classic_byte, is_classic_label};
use super::number::{LONGEST, Number};
use super::{NameFilter, Verdicts, name};

/// The smallest buffer that a page accepts, in bytes.
pub(crate) const SCRATCH: usize = 256;

/// The reader is gone, or the output cannot take more. The output itself knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Where a page goes when its buffer is full.
pub trait Output {
    /// Takes `buffer[content]`.
    ///
    /// The bytes before and after `content` are the page's margins (see [`Page::with_margins`]): the output may
    /// write its own framing there, so that everything leaves in one piece. After an error nothing more comes.
    ///
    /// # Errors
    /// [`Stopped`] ends the page.
    fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped>;

    /// Whether the time for this page is over: collectors that have not begun are then skipped.
    fn expired(&self) -> bool {
        false
    }

    /// Told of each collector that failed or was skipped; the page goes on without it.
    fn collector_failed(&mut self, collector: &'static str, why: &dyn core::fmt::Display) {
        let _ = (collector, why);
    }
}

/// A family's name as it stands on a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    /// Without the suffix of its kind.
    pub(crate) base: &'a str,
    /// What the Prometheus text formats show after the base: `_total`, `_info` or nothing.
    pub(crate) suffix: &'static str,
    /// Whether it is in the classic character set.
    pub(crate) classic: bool,
}

impl<'a> Name<'a> {
    /// Splits the suffix of the kind off a name as it was declared.
    pub(crate) const fn parse(declared: &'a str, kind: Kind) -> Self {
        let suffix = kind.suffix();
        let classic = name::is_classic_metric(declared);
        if suffix.is_empty() || !name::ends_with(declared, suffix) {
            return Self { base: declared, suffix: "", classic };
        }
        let (base, _) = declared.as_bytes().split_at(declared.len() - suffix.len());
        match core::str::from_utf8(base) {
            Ok(base) => Self { base, suffix, classic },
            Err(_) => Self { base: declared, suffix: "", classic },
        }
    }
}

impl<'a> Name<'a> {
    /// The same as [`Name::parse`] for a name found at run time.
    pub(crate) fn found(declared: &'a str, kind: Kind) -> Self {
        let classic = name::is_classic_metric_now(declared);
        let suffix = kind.suffix();
        // Most kinds have none.
        let base = if suffix.is_empty() { None } else { declared.strip_suffix(suffix) };
        match base.filter(|base| !base.is_empty()) {
            Some(base) => Self { base, suffix, classic },
            None => Self { base: declared, suffix: "", classic },
        }
    }
}

/// A family's help text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Help<'a> {
    pub(crate) text: &'a str,
    /// Whether it is known to hold nothing that must be escaped.
    pub(crate) plain: bool,
}

impl<'a> Help<'a> {
    /// Looks at the text once, when the program is compiled.
    pub(crate) const fn checked(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() && !matches!(bytes[at], b'\\' | b'\n' | b'"') {
            at += 1;
        }
        Self { text, plain: at == bytes.len() }
    }

    /// A text found at run time, looked at when it is written.
    pub(crate) const fn unchecked(text: &'a str) -> Self {
        Self { text, plain: false }
    }
}

/// A page of metrics under way.
///
/// Text is written into the buffer that the caller lends and handed to the [`Output`] whenever it is full, so a page
/// of any length needs only that buffer. Once the output has stopped, everything written is dropped.
pub struct Page<'a> {
    buffer: &'a mut [u8],
    start: usize,
    at: usize,
    limit: usize,
    output: &'a mut dyn Output,
    stopped: bool,
    flushed: bool,
    format: Format,
    filter: NameFilter<'a>,
    verdicts: Verdicts,
    listener: Option<fn(&str)>,
}

impl core::fmt::Debug for Page<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Page")
            .field("format", &self.format)
            .field("filter", &self.filter)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

impl<'a> Page<'a> {
    /// A page in the given buffer.
    ///
    /// # Panics
    /// If the buffer is smaller than 256 bytes.
    pub fn new(buffer: &'a mut [u8], format: Format, output: &'a mut dyn Output) -> Self {
        Self::with_margins(buffer, 0, 0, format, output)
    }

    /// A page that leaves the first `front` and the last `back` bytes of the buffer to the output.
    ///
    /// # Panics
    /// If less than 256 bytes remain between the margins.
    pub fn with_margins(
        buffer: &'a mut [u8],
        front: usize,
        back: usize,
        format: Format,
        output: &'a mut dyn Output,
    ) -> Self {
        assert!(buffer.len() >= front + back + SCRATCH, "a page needs a buffer of {SCRATCH} bytes");
        let limit = buffer.len() - back;
        Self {
            buffer,
            start: front,
            at: front,
            limit,
            output,
            stopped: false,
            flushed: false,
            format,
            filter: NameFilter::ALL,
            verdicts: Verdicts::NONE,
            listener: None,
        }
    }

    /// The same page, holding only what the filter wants.
    #[must_use]
    pub fn with_filter(mut self, filter: NameFilter<'a>) -> Self {
        self.filter = filter;
        self
    }

    /// The format of the page.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// The filter of the page.
    #[must_use]
    pub const fn filter(&self) -> &NameFilter<'a> {
        &self.filter
    }

    /// Begins another family: verdicts on the one before do not hold for it.
    #[inline]
    pub(crate) fn begin_family(&mut self) {
        self.verdicts = Verdicts::NONE;
    }

    /// From now on `listener` hears the name of each family that a collector begins.
    #[cfg(feature = "exporter")]
    pub(crate) fn listen(&mut self, listener: Option<fn(&str)>) {
        self.listener = listener;
    }

    /// Tells who listens that a family begins.
    #[inline]
    pub(crate) fn tell_family(&self, name: &str) {
        if let Some(listener) = self.listener {
            listener(name);
        }
    }

    /// Whether the filter wants the samples of this family that have this suffix.
    #[inline]
    pub(crate) fn wants(&mut self, base: &str, suffix: &'static str) -> bool {
        let filter = self.filter;
        !filter.is_active() || self.verdicts.on(suffix, || filter.wants(base, base, suffix))
    }

    /// Whether the output has stopped: what is written from now on is dropped.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the time for this page is over; a long-running collector may ask and end early.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.stopped || self.output.expired()
    }

    /// Ends the page and hands the rest to the output.
    ///
    /// # Errors
    /// [`Stopped`] if the output did not take everything.
    pub fn finish(mut self) -> Result<(), Stopped> {
        self.flush();
        if self.stopped { Err(Stopped) } else { Ok(()) }
    }

    /// Ends the page without handing on the rest: gives the range of the buffer that holds it, and whether
    /// something was handed on before.
    ///
    /// # Errors
    /// [`Stopped`] if the output refused something earlier.
    pub fn finish_in_place(self) -> Result<(Range<usize>, bool), Stopped> {
        if self.stopped { Err(Stopped) } else { Ok((self.start..self.at, self.flushed)) }
    }

    pub(crate) fn report(&mut self, collector: &'static str, why: &dyn core::fmt::Display) {
        self.output.collector_failed(collector, why);
    }

    #[cold]
    #[inline(never)]
    fn flush(&mut self) {
        if !self.stopped && self.at > self.start {
            self.stopped = self.output.flush(self.buffer, self.start..self.at).is_err();
            self.flushed = true;
        }
        self.at = self.start;
    }

    /// Room for `length` bytes in one piece, to be confirmed by [`Page::advance`]; none if the buffer is smaller.
    #[inline]
    pub(crate) fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        if self.limit - self.at < length {
            self.flush();
            if self.limit - self.at < length {
                return None;
            }
        }
        self.buffer.get_mut(self.at..self.limit)
    }

    /// So many bytes, if they are left in the buffer, to be confirmed by [`Page::advance`].
    #[inline]
    pub(super) fn room_now(&mut self, length: usize) -> Option<&mut [u8]> {
        self.buffer.get_mut(self.at..self.limit)?.get_mut(..length)
    }

    #[inline]
    pub(crate) fn advance(&mut self, length: usize) {
        self.at += length;
        debug_assert!(self.at <= self.limit);
    }

    /// Writes bytes as they are.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.at..self.limit).and_then(|room| room.get_mut(..bytes.len())) {
            Some(room) => {
                copy(bytes, room);
                self.at += bytes.len();
            }
            None => self.put_in_pieces(bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn put_in_pieces(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.at == self.limit {
                self.flush();
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.limit - self.at));
            self.buffer[self.at..self.at + now.len()].copy_from_slice(now);
            self.at += now.len();
            bytes = later;
        }
    }

    #[inline]
    pub(crate) fn put_number(&mut self, number: Number) {
        let mut text = [0; LONGEST];
        let length = number.write(&mut text);
        self.put(&text[..length]);
    }

    /// Writes text with backslash and newline escaped, and the double quote where `quote` says so.
    pub(crate) fn put_escaped(&mut self, text: &str, quote: bool) {
        let mut rest = text.as_bytes();
        if is_plain(rest) {
            return self.put(rest);
        }
        while let Some(at) =
            rest.iter().position(|byte| matches!(byte, b'\\' | b'\n') || (quote && *byte == b'"'))
        {
            self.put(&rest[..at]);
            self.put(match rest[at] {
                b'\n' => b"\\n",
                b'"' => b"\\\"",
                _ => b"\\\\",
            });
            rest = &rest[at + 1..];
        }
        self.put(rest);
    }

    /// Writes a name that needs escaping, by the scheme of the page; `colon` where one is allowed.
    pub(super) fn put_name_escaped(&mut self, name: &str, colon: bool) {
        let scheme = self.format.escaping;
        let classic = name::is_classic_metric(name) && (colon || is_classic_label(name));
        if scheme != Escaping::Dots && classic {
            return self.put(name.as_bytes());
        }
        if scheme == Escaping::Values {
            self.put(b"U__");
        }
        for (at, character) in name.char_indices() {
            let fits = character.is_ascii() && is_classic_byte(character as u8, at == 0, colon);
            match scheme {
                Escaping::Dots | Escaping::Values if character == '_' => self.put(b"__"),
                Escaping::Dots if character == '.' => self.put(b"_dot_"),
                _ if fits => self.put(&[character as u8]),
                Escaping::Dots => self.put(b"__"),
                Escaping::Values => self.put_code(character),
                _ => self.put(b"_"),
            }
        }
    }

    /// Writes `_`, the hexadecimal code of the character, `_`.
    fn put_code(&mut self, character: char) {
        let code = u32::from(character);
        self.put(b"_");
        let digits = (32 - code.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let digit = char::from_digit(code >> (4 * place) & 15, 16).unwrap_or('0');
            self.put(&[digit as u8]);
        }
        self.put(b"_");
    }

    /// Writes a family's or a sample's name outside of braces.
    fn put_name(&mut self, name: &Name<'_>, suffix: &str) {
        if name.classic && self.format.escaping != Escaping::Dots {
            self.put(name.base.as_bytes());
            if !suffix.is_empty() {
                self.put(suffix.as_bytes());
            }
        } else if self.format.escaping == Escaping::AllowUtf8 {
            self.put(b"\"");
            self.put_escaped(name.base, true);
            self.put(suffix.as_bytes());
            self.put(b"\"");
        } else {
            self.put_name_escaped(name.base, true);
            self.put(suffix.as_bytes());
        }
    }

    /// What stands after the base in the name of a family's main sample.
    pub(crate) const fn main_suffix(&self, name: &Name<'_>, kind: Kind) -> &'static str {
        if self.format.is_openmetrics() { kind.suffix() } else { name.suffix }
    }

    /// Writes the HELP and TYPE lines of a family, and UNIT where the format knows it.
    pub(crate) fn header(&mut self, name: &Name<'_>, kind: Kind, help: Help<'_>, unit: &str) {
        let openmetrics = self.format.is_openmetrics();
        let suffix = if openmetrics { "" } else { name.suffix };
        self.put(b"# HELP ");
        self.put_name(name, suffix);
        self.put(b" ");
        if help.plain {
            self.put(help.text.as_bytes());
        } else {
            self.put_escaped(help.text, openmetrics);
        }
        self.put(b"\n# TYPE ");
        self.put_name(name, suffix);
        self.put(b" ");
        self.put(kind.word(openmetrics).as_bytes());
        if openmetrics && !unit.is_empty() {
            self.put(b"\n# UNIT ");
            self.put_name(name, suffix);
            self.put(b" ");
            self.put(unit.as_bytes());
        }
        self.put(b"\n");
    }

    /// The header of a gauge family of its own, for samples that the Prometheus text formats cannot have in theirs:
    /// when a series began, and the count and sum of a gauge histogram.
    pub(crate) fn gauge_header(&mut self, name: &Name<'_>, suffix: &str, help: &str) {
        self.put(b"# HELP ");
        self.put_name(name, suffix);
        self.put(b" ");
        self.put_escaped(help, false);
        self.put(b"\n# TYPE ");
        self.put_name(name, suffix);
        self.put(b" gauge\n");
    }

    /// Begins a sample line.
    #[inline]
    pub(crate) fn line(&mut self, name: &Name<'_>, suffix: &str) -> Line<'_, 'a> {
        let quoted = !name.classic && self.format.escaping == Escaping::AllowUtf8;
        if quoted {
            self.put(b"{");
        }
        self.put_name(name, suffix);
        Line::new(self, quoted)
    }

    /// Whether text made for classic names fits the escaping of this page.
    pub(crate) fn shows_classic_names_as_they_are(&self) -> bool {
        self.format.escaping != Escaping::Dots
    }

    /// Ends the page as its syntax asks.
    pub(crate) fn end_mark(&mut self) {
        if self.format.is_openmetrics() {
            self.put(b"# EOF\n");
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::text::Syntax;

    #[derive(Default)]
    struct Pieces(Vec<String>);

    impl Output for Pieces {
        fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
            self.0.push(String::from_utf8_lossy(&buffer[content]).into());
            Ok(())
        }
    }

    fn written(format: Format, write: impl FnOnce(&mut Page<'_>)) -> String {
        let mut pieces = Pieces::default();
        let mut buffer = [0; SCRATCH + 30];
        let mut page = Page::with_margins(&mut buffer, 10, 20, format, &mut pieces);
        write(&mut page);
        page.finish().unwrap();
        pieces.0.concat()
    }

    fn sample(escaping: Escaping, name: &str, label: &str) -> String {
        let format = Format::new(Syntax::OpenMetrics1_0_0, escaping);
        written(format, |page| {
            let name = Name::parse(name, Kind::Counter);
            let mut line = page.line(&name, page.main_suffix(&name, Kind::Counter));
            line.label(label, "a\"b\\c\nd");
            line.value(Number::Unsigned(1));
        })
    }

    proptest::proptest! {
        #[test]
        fn a_name_found_is_as_one_declared(start in "[a-z_:0-9\u{e4}.]{0,20}", end in "(_total|_info|total)?") {
            let declared = start + &end;
            for kind in [Kind::Counter, Kind::Info, Kind::Gauge] {
                let (found, parsed) = (Name::found(&declared, kind), Name::parse(&declared, kind));
                proptest::prop_assert_eq!(std::format!("{found:?}"), std::format!("{parsed:?}"));
            }
        }
    }

    #[test]
    fn names_are_escaped_before_the_suffix() {
        let value = "=\"a\\\"b\\\\c\\nd\"} 1\n";
        for (escaping, name, label, expected) in [
            (Escaping::Underscores, "a.b_total", "c-d", "a_b_total{c_d"),
            (Escaping::AllowUtf8, "a.b_total", "c-d", "{\"a.b_total\",\"c-d\""),
            (Escaping::AllowUtf8, "a:b_total", "c", "a:b_total{c"),
            (Escaping::Dots, "a.b_c_total", "c-d", "a_dot_b__c_total{c__d"),
            (Escaping::Dots, "a_b_total", "c_d", "a__b_total{c__d"),
            (Escaping::Values, "a.b_c_total", "c:d", "U__a_2e_b__c_total{U__c_3a_d"),
            (Escaping::Values, "a_b_total", "c_d", "a_b_total{c_d"),
            (Escaping::Values, "\u{e4}\u{1f600}", "x", "U___e4__1f600__total{x"),
            (Escaping::Underscores, "9\u{e4}", "x", "___total{x"),
        ] {
            assert_eq!(sample(escaping, name, label), String::from(expected) + value);
        }
    }

    #[test]
    fn a_long_page_leaves_in_pieces_and_whole() {
        let help: String = "0123456789".repeat(100);
        let text = written(Format::TEXT, |page| {
            page.header(&Name::parse("a_total", Kind::Counter), Kind::Counter, Help::unchecked(&help), "");
        });
        assert_eq!(text, std::format!("# HELP a_total {help}\n# TYPE a_total counter\n"));
    }

    #[test]
    fn after_a_stop_nothing_more_is_handed_on() {
        struct Gone(usize);
        impl Output for Gone {
            fn flush(&mut self, _: &mut [u8], _: Range<usize>) -> Result<(), Stopped> {
                self.0 += 1;
                Err(Stopped)
            }
        }
        let mut gone = Gone(0);
        let mut buffer = [0; SCRATCH];
        let mut page = Page::new(&mut buffer, Format::TEXT, &mut gone);
        page.put(&[b'x'; 10_000]);
        assert!(page.is_stopped());
        assert_eq!(page.finish(), Err(Stopped));
        assert_eq!(gone.0, 1);
    }

    #[test]
    fn units_belong_to_openmetrics() {
        let name = Name::parse("t_seconds", Kind::Gauge);
        let both = |format| {
            written(format, |page| page.header(&name, Kind::Gauge, Help::checked("a\\b\nc\"d"), "seconds"))
        };
        assert_eq!(both(Format::TEXT), "# HELP t_seconds a\\\\b\\nc\"d\n# TYPE t_seconds gauge\n");
        assert_eq!(
            both(Format::OPENMETRICS),
            "# HELP t_seconds a\\\\b\\nc\\\"d\n# TYPE t_seconds gauge\n# UNIT t_seconds seconds\n"
        );
    }
}
