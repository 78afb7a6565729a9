//! What the client wants: `Accept` and `Accept-Encoding` folded into a format and a yes or no to gzip.
//!
//! Sources: RFC 9110 §12; the Prometheus content negotiation documents. Nothing here can refuse: what is not
//! understood counts as not said, and text 0.0.4 is always on offer.

use crate::text::{Escaping, Format, Syntax};

/// The outcome of a negotiation so far. Header values are folded in one by one and not stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiation {
    format: Format,
    /// Twice the quality in thousandths, plus one if the format was chosen by name and not by default.
    rank: u16,
    /// The quality of HTML in thousandths; zero if it was not asked for by name.
    html: u16,
    gzip: bool,
}

impl Negotiation {
    /// Nothing said yet: text 0.0.4, not compressed.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { format: Format::TEXT, rank: 0, html: 0, gzip: false }
    }

    /// Folds in the value of an `Accept` header.
    ///
    /// The highest quality wins. Between equals the first wins, but text 0.0.4 and wildcards, which mean it, give
    /// way to any format that the client took the trouble to name with its version.
    pub(crate) fn accept(&mut self, value: &[u8]) {
        for (media, parameters) in Items::of(value) {
            let Some(media) = Media::parse(media) else {
                if media.eq_ignore_ascii_case(b"text/html") {
                    self.html = self.html.max(parameters.quality());
                }
                continue;
            };
            let Some((format, named)) = offer(media, &parameters) else { continue };
            let quality = parameters.quality();
            let rank = 2 * quality + u16::from(named);
            if quality > 0 && rank > self.rank {
                (self.format, self.rank) = (format, rank);
            }
        }
    }

    /// Folds in the value of an `Accept-Encoding` header. Only `gzip` by name counts, not `*`.
    pub(crate) fn accept_encoding(&mut self, value: &[u8]) {
        for (coding, parameters) in Items::of(value) {
            self.gzip |= coding.eq_ignore_ascii_case(b"gzip") && parameters.quality() > 0;
        }
    }

    /// The format to answer in.
    #[must_use]
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Whether the client would rather have HTML than any format of metrics, as browsers do.
    #[must_use]
    pub(crate) const fn prefers_html(&self) -> bool {
        self.html > self.rank / 2
    }

    /// Whether the client takes gzip.
    #[must_use]
    pub(crate) const fn gzip(&self) -> bool {
        self.gzip
    }
}

impl Default for Negotiation {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy)]
enum Media {
    OpenMetrics,
    Text,
    Any,
}

impl Media {
    fn parse(text: &[u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"application/openmetrics-text") {
            Some(Self::OpenMetrics)
        } else if text.eq_ignore_ascii_case(b"text/plain") {
            Some(Self::Text)
        } else if text == b"*/*" || text.eq_ignore_ascii_case(b"text/*") {
            Some(Self::Any)
        } else {
            None
        }
    }
}

/// The parameters of an item that matter here; the first of each name counts.
#[derive(Default)]
struct Parameters<'a> {
    version: Option<&'a [u8]>,
    escaping: Option<&'a [u8]>,
    q: Option<&'a [u8]>,
}

impl<'a> Parameters<'a> {
    /// As in the reference, a blank before `=` makes it another name, and one after it belongs to the value. It does
    /// no harm to a version; and nobody who writes a `q` means to be misunderstood.
    fn set(&mut self, name: &[u8], value: &'a [u8]) {
        let trimmed = unquoted(value.trim_ascii());
        let (slot, value) = match name.len() {
            7 if name.eq_ignore_ascii_case(b"version") => (&mut self.version, trimmed),
            8 if name.eq_ignore_ascii_case(b"escaping") => (&mut self.escaping, unquoted(value)),
            _ if name.trim_ascii_end().eq_ignore_ascii_case(b"q") => (&mut self.q, trimmed),
            _ => return,
        };
        slot.get_or_insert(value);
    }

    fn version(&self) -> Version {
        match self.version {
            None | Some(b"") => Version::None,
            Some(b"0.0.4") => Version::V0_0_4,
            Some(text) => {
                let mut parts = text.split(|byte| *byte == b'.');
                let numbers =
                    parts.clone().all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
                let major = parts.next().unwrap_or_default();
                let one_or_more = major.iter().any(|digit| *digit != b'0');
                if numbers && one_or_more { Version::V1 } else { Version::Other }
            }
        }
    }

    fn escaping(&self) -> Escaping {
        let asked = self.escaping.unwrap_or_default();
        if asked.eq_ignore_ascii_case(b"allow-utf-8") {
            Escaping::AllowUtf8
        } else if asked.eq_ignore_ascii_case(b"dots") {
            Escaping::Dots
        } else if asked.eq_ignore_ascii_case(b"values") {
            Escaping::Values
        } else {
            Escaping::Underscores
        }
    }

    /// The quality in thousandths: 1,000 if absent or not a number.
    fn quality(&self) -> u16 {
        let Some(text) = self.q else { return 1_000 };
        let mut parts = text.splitn(2, |byte| *byte == b'.');
        let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let digits = || whole.iter().chain(fraction);
        if digits().next().is_none() || !digits().all(u8::is_ascii_digit) || whole.iter().any(|d| *d != b'0')
        {
            return 1_000;
        }
        let shown = fraction.iter().chain(b"000").take(3);
        let thousandths = shown.fold(0, |sum, digit| 10 * sum + u16::from(digit - b'0'));
        thousandths.max(u16::from(fraction.iter().any(|digit| *digit != b'0')))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    None,
    V0_0_4,
    /// 1.0.0 or later, answered with 1.0.0; `1` and `1.0` count as 1.0.0.
    V1,
    Other,
}

/// The format for an item, if there is one, and whether it was chosen by name.
fn offer(media: Media, parameters: &Parameters<'_>) -> Option<(Format, bool)> {
    Some(match (media, parameters.version()) {
        (Media::OpenMetrics, Version::None) => {
            // A client that names no version is of the time before escaping schemes, and may be strict.
            let mut format = Format::OPENMETRICS;
            format.announce_escaping = false;
            (format, true)
        }
        (Media::OpenMetrics, Version::V1) => {
            (Format::new(Syntax::OpenMetrics1_0_0, parameters.escaping()), true)
        }
        (Media::Text, Version::V1) => (Format::new(Syntax::Text1_0_0, parameters.escaping()), true),
        (Media::Text, Version::None | Version::V0_0_4) | (Media::Any, _) => (Format::TEXT, false),
        (Media::OpenMetrics | Media::Text, _) => return None,
    })
}

/// The items of a header value: `item;name=value;name="value", item`.
struct Items<'a> {
    rest: &'a [u8],
    /// What ended the last piece; a comma stands before the first.
    mark: u8,
}

impl<'a> Items<'a> {
    const fn of(value: &'a [u8]) -> Self {
        Self { rest: value, mark: b',' }
    }

    /// The text up to the next separator. Within double quotes there are none.
    fn piece(&mut self, is_name: bool) -> &'a [u8] {
        let text = self.rest;
        let mut at = 0;
        self.mark = loop {
            let Some(byte) = text.get(at) else { break 0 };
            // Letters, which most bytes are, lie above all separators.
            match byte {
                b'>'.. => at += 1,
                b',' | b';' => break *byte,
                b'=' if is_name => break b'=',
                b'"' => at = end_of_quotes(text, at),
                _ => at += 1,
            }
        };
        self.rest = text.get(at + 1..).unwrap_or_default();
        &text[..at]
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = (&'a [u8], Parameters<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.mark != b',' {
            return None;
        }
        let item = self.piece(false).trim_ascii();
        let mut parameters = Parameters::default();
        while self.mark == b';' {
            let name = self.piece(true).trim_ascii_start();
            if self.mark == b'=' {
                let value = self.piece(false).trim_ascii_end();
                parameters.set(name, value);
            }
        }
        Some((item, parameters))
    }
}

/// The place after the quotes that open here; the end of the text if they never close.
fn end_of_quotes(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    loop {
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    #[test]
    fn html_is_preferred_by_browsers_alone() {
        let prefers = |value: &str| {
            let mut negotiation = Negotiation::new();
            negotiation.accept(value.as_bytes());
            negotiation.prefers_html()
        };
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "TEXT/HTML",
            "*/*;q=0.1, text/html;q=0.2",
            "text/html, text/*;q=0.5, image/*, application/*",
            "text/plain;q=0, text/html;q=0.001",
        ] {
            assert!(prefers(browser), "{browser}");
        }
        for other in [
            "",
            "*/*",
            "text/*",
            "text/html;q=0",
            "text/html, */*",
            "text/html, text/plain",
            "text/html;q=0.5, text/plain;q=0.5",
            "text/html;q=0.5, application/openmetrics-text;version=1.0.0;q=0.6",
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2",
            "application/xhtml+xml",
            "text/htmlx",
            "text/html/x",
        ] {
            assert!(!prefers(other), "{other}");
        }
        // Several fields are one list (RFC 9110 §5.3).
        let mut both = Negotiation::new();
        both.accept(b"text/html;q=0.9");
        both.accept(b"text/plain");
        assert!(!both.prefers_html());
    }

    fn media(values: &[&str]) -> &'static str {
        let mut negotiation = Negotiation::new();
        values.iter().for_each(|value| negotiation.accept(value.as_bytes()));
        negotiation.format().content_type()
    }

    fn gzip(values: &[&str]) -> bool {
        let mut negotiation = Negotiation::new();
        values.iter().for_each(|value| negotiation.accept_encoding(value.as_bytes()));
        negotiation.gzip()
    }

    fn with_escaping(base: &str, escaping: &str) -> String {
        std::format!("{base}; escaping={escaping}")
    }

    #[test]
    fn openmetrics_without_a_version_ignores_escaping() {
        for value in [
            "application/openmetrics-text",
            "application/openmetrics-text;version=",
            "application/openmetrics-text; version=\"\"; escaping=dots",
            "APPLICATION/OpenMetrics-Text",
        ] {
            assert_eq!(media(&[value]), OM, "{value}");
        }
    }

    #[test]
    fn openmetrics_of_any_later_version_is_answered_with_1_0_0() {
        for version in ["1.0.0", "1", "1.0", "1.1", "2.0.0", "9.9.9", "\"1.0.0\"", "10"] {
            let value =
                std::format!("application/openmetrics-text ; Version={version} ; escaping=Allow-UTF-8");
            assert_eq!(media(&[&value]), with_escaping(OM, "allow-utf-8"), "{value}");
        }
    }

    #[test]
    fn blanks_stand_around_semicolons_but_not_around_equals_signs() {
        let version = "application/openmetrics-text\t ; \tversion=1.0.0 ; escaping=dots \t";
        assert_eq!(media(&[version]), with_escaping(OM, "dots"));
        assert_eq!(media(&["application/openmetrics-text;version =1.0.0;escaping=dots"]), OM);
        assert_eq!(media(&["text/plain;version =1.0.0"]), TEXT);
        for escaping in ["escaping = dots", "escaping =dots", "escaping= dots"] {
            let value = std::format!("application/openmetrics-text;version=1.0.0;{escaping}");
            assert_eq!(media(&[&value]), with_escaping(OM, "underscores"), "{value}");
        }
        assert_eq!(media(&["text/plain;version=1.0.0;q =0"]), TEXT);
    }

    #[test]
    fn the_four_escapings_and_unknown_ones() {
        let plain = "text/plain; version=1.0.0; charset=utf-8";
        for (asked, given) in [
            ("allow-utf-8", "allow-utf-8"),
            ("underscores", "underscores"),
            ("dots", "dots"),
            ("VALUES", "values"),
            ("\"values\"", "values"),
            ("nonsense", "underscores"),
            ("", "underscores"),
        ] {
            let value = std::format!("text/plain;version=1.0.0;escaping={asked}");
            assert_eq!(media(&[&value]), with_escaping(plain, given));
        }
        assert_eq!(media(&["text/plain;version=1.0.0"]), with_escaping(plain, "underscores"));
    }

    #[test]
    fn anything_else_means_text_0_0_4() {
        for value in [
            "",
            "*/*",
            "text/*",
            "text/plain",
            "text/plain;version=0.0.4",
            "text/plain;version=0.0.1",
            "text/plain;version=abc",
            "application/json",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=abc",
            "application/openmetrics-text;version=1.0.0-rc1",
            "application/openmetrics-text;version=1..0",
            "application/openmetrics-text;version=1.\u{b2}",
            "application/openmetrics-text;q=0",
            ";;;,,,\"",
        ] {
            assert_eq!(media(&[value]), TEXT, "{value}");
        }
        assert_eq!(media(&[]), TEXT);
    }

    #[test]
    fn the_headers_of_prometheus_2_and_3() {
        let three = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
            text/plain;version=0.0.4;q=0.2,/;q=0.1";
        assert_eq!(media(&[three]), with_escaping(OM, "allow-utf-8"));
        let two = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(media(&[two]), with_escaping(OM, "underscores"));
    }

    #[test]
    fn the_highest_quality_wins_and_zero_excludes() {
        let om = with_escaping(OM, "underscores");
        for (value, expected) in [
            ("application/openmetrics-text;version=1.0.0;q=0.1, text/plain;q=0.2", TEXT),
            ("application/openmetrics-text;version=1.0.0;q=0.2, text/plain;q=0.1", &om),
            ("application/openmetrics-text;version=1.0.0;q=0.3, */*;q=0.8", TEXT),
            ("application/openmetrics-text;version=1.0.0;q=0, */*", TEXT),
            ("application/openmetrics-text;version=1.0.0;q=0.000", TEXT),
            ("application/openmetrics-text;version=1.0.0;q=0.0001", &om),
            ("application/openmetrics-text;version=1.0.0;Q=.5, text/plain;q=0.4", &om),
            ("application/openmetrics-text;version=1.0.0;q=x, text/plain;q=0.9", &om),
            ("application/openmetrics-text;version=1.0.0;q=7;q=0", &om),
        ] {
            assert_eq!(media(&[value]), expected, "{value}");
        }
    }

    #[test]
    fn between_equals_the_first_named_format_wins() {
        let om = "application/openmetrics-text;version=1.0.0";
        let text = "text/plain;version=1.0.0";
        assert!(media(&[om, text]).starts_with("application"));
        assert!(media(&[text, om]).starts_with("text/plain; version=1.0.0"));
        for fallback in ["*/*", "text/plain", "text/plain;version=0.0.4"] {
            assert!(media(&[fallback, om]).starts_with("application"), "{fallback}");
        }
    }

    #[test]
    fn several_headers_are_one_list() {
        assert_eq!(media(&["text/html", "application/openmetrics-text"]), OM);
        assert!(gzip(&["br", "deflate, gzip"]));
    }

    #[test]
    fn quoted_separators_do_not_separate() {
        let value = "text/html;x=\"a,\\\",application/openmetrics-text;\"";
        assert_eq!(media(&[value]), TEXT);
    }

    #[test]
    fn gzip_by_name_and_with_a_quality_above_zero() {
        for value in ["gzip", "GZip", "br, gzip;q=0.1", "gzip;q=0, gzip", "identity;q=0,gzip ; q=1"] {
            assert!(gzip(&[value]), "{value}");
        }
        for value in ["", "*", "x-gzip", "gzip;q=0", "gzip; Q=0.000", "identity;q=0", "br", "zstd", "gzipped"]
        {
            assert!(!gzip(&[value]), "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_understood_somehow(values: Vec<Vec<u8>>) {
            let mut negotiation = Negotiation::new();
            for value in &values {
                negotiation.accept(value);
                negotiation.accept_encoding(value);
            }
            prop_assert!(negotiation.rank <= 2_001);
        }
    }
}
