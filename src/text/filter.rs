//! The `name[]` filter of a scrape: which samples were asked for.

/// The names that a query string asks for with `name[]=…`, compared in place: nothing is copied.
///
/// The query is split at `&`; `+` is a blank and `%xx` a byte, in keys and values alike. No `name[]`, or only empty
/// ones, asks for everything. A name may be a family's or a sample's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameFilter<'a> {
    query: &'a [u8],
    active: bool,
}

impl<'a> NameFilter<'a> {
    /// Asks for everything.
    pub const ALL: NameFilter<'static> = NameFilter { query: b"", active: false };

    /// Reads a query string: what stands after `?` in a request target.
    #[must_use]
    pub fn new(query: &'a [u8]) -> Self {
        let mut filter = Self { query, active: false };
        filter.active = filter.names().next().is_some();
        filter
    }

    /// The query string.
    #[cfg(feature = "exporter")]
    pub(crate) const fn query(&self) -> &'a [u8] {
        self.query
    }

    /// Whether anything is filtered out.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// Whether the sample `base` + `suffix` of the family `family` was asked for.
    #[must_use]
    pub fn wants(&self, family: &str, base: &str, suffix: &str) -> bool {
        !self.active
            || self.names().any(|name| {
                decoded(name).eq(family.bytes()) || decoded(name).eq(base.bytes().chain(suffix.bytes()))
            })
    }

    /// Whether any sample of a family of this name may have been asked for: for collectors, whose samples are not
    /// known before they run.
    pub(crate) fn may_want_family(&self, name: &str) -> bool {
        !self.active
            || self.names().any(|wanted| {
                let base = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info")).unwrap_or(name);
                let suffixes =
                    ["", "_total", "_created", "_bucket", "_count", "_sum", "_info", "_gcount", "_gsum"];
                decoded(wanted).eq(name.bytes())
                    || suffixes.iter().any(|suffix| decoded(wanted).eq(base.bytes().chain(suffix.bytes())))
            })
    }

    fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        pairs(self.query).filter_map(|(key, value)| {
            (!value.is_empty() && decoded(key).eq(b"name[]".iter().copied())).then_some(value)
        })
    }
}

/// The keys and values of a query string, as they were sent.
pub(crate) fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((&pair[..equals], &pair[equals + 1..]))
    })
}

/// What a filter wants of one family: the same for all its rows, so each name is looked for once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdicts {
    known: [(&'static str, bool); 6],
    count: usize,
}

impl Verdicts {
    pub(crate) const NONE: Self = Self { known: [("", false); 6], count: 0 };

    /// The verdict on the samples with this suffix; `judge` finds it if it is not known yet.
    pub(crate) fn on(&mut self, suffix: &'static str, judge: impl FnOnce() -> bool) -> bool {
        if let Some((_, verdict)) = self.known[..self.count].iter().find(|(known, _)| *known == suffix) {
            return *verdict;
        }
        let verdict = judge();
        if let Some(room) = self.known.get_mut(self.count) {
            *room = (suffix, verdict);
            self.count += 1;
        }
        verdict
    }
}

/// The bytes of a form-encoded text.
pub(crate) fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let byte = *text.get(at)?;
        at += 1;
        Some(match byte {
            b'+' => b' ',
            b'%' => match (hex(text.get(at)), hex(text.get(at + 1))) {
                (Some(high), Some(low)) => {
                    at += 2;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => byte,
        })
    })
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(query: &str, base: &str, suffix: &str) -> bool {
        NameFilter::new(query.as_bytes()).wants(base, base, suffix)
    }

    #[test]
    fn absent_or_empty_asks_for_all() {
        for query in ["", "name[]", "name[]=", "name=a", "name%5B%5D=", "x&&y", "name[]]=b"] {
            assert!(!NameFilter::new(query.as_bytes()).is_active(), "{query}");
            assert!(wants(query, "a", "_total"), "{query}");
        }
    }

    #[test]
    fn a_verdict_is_found_once_for_each_suffix() {
        let mut verdicts = Verdicts::NONE;
        let suffixes = ["", "_a", "_b", "_c", "_d", "_e", "_f", "_g"];
        for (at, suffix) in suffixes.iter().enumerate() {
            assert_eq!(verdicts.on(suffix, || at % 2 == 0), at % 2 == 0);
        }
        for (at, suffix) in suffixes.iter().enumerate() {
            // Beyond what there is room for, it is found again.
            assert_eq!(verdicts.on(suffix, || at >= 6), if at < 6 { at % 2 == 0 } else { true }, "{suffix}");
        }
    }

    #[test]
    fn names_are_decoded_on_both_sides() {
        for query in
            ["name[]=a_total", "name%5B%5D=a_total", "name%5b]=%61_total", "x=1&name[]=b&name[]=a_total"]
        {
            assert!(wants(query, "a", "_total"), "{query}");
            assert!(!wants(query, "a", "_created"), "{query}");
        }
        assert!(wants("name[]=a+b%2", "a b%2", ""));
        assert!(!wants("name[]=a,b", "a", ""));
        assert!(!wants("name[]=a;b", "a", ""));
    }

    #[test]
    fn a_family_name_asks_for_all_its_samples() {
        assert!(wants("name[]=a", "a", "_total"));
        assert!(wants("name[]=h", "h", "_bucket"));
        assert!(NameFilter::new(b"name[]=h_bucket").may_want_family("h"));
        assert!(NameFilter::new(b"name[]=x").may_want_family("x_total"));
        assert!(!NameFilter::new(b"name[]=x").may_want_family("y_total"));
    }
}
