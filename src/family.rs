//! Families: one metric with labels, its rows in fixed storage.

use core::fmt;
use core::ops::Deref;

use crate::cell::Cell64;
use crate::counter::CounterValue;
use crate::exemplar::{Exemplar, NoExemplar};
use crate::gauge::GaugeValue;
use crate::histogram::{Bounds, HistogramCells};
use crate::info::One;
use crate::metric::{
    Charset, Desc, Metric, Sealed, Series, SeriesWriter, Value, begin, check_labels, created_family,
};
use crate::rows::{Row, Rows, split_values};
use crate::summary::SummaryValue;
use crate::text::name::is_classic_label;
use crate::text::number::LONGEST;
use crate::text::{Kind, Line, Page};
use crate::words::CHUNK;

/// Counters with `L` labels in at most `R` rows. `K` sets how long the labels of a row may be: 32 bytes each as
/// exposition text (`method="GET",code="200"` takes 23), 96 by default.
///
/// ```
/// use scrapeport::CounterFamily;
///
/// static REPLIES: CounterFamily<2, 8> =
///     CounterFamily::new("app_replies_total", "Replies.", ["method", "code"]);
///
/// REPLIES.with(["GET", "200"]).inc();
/// assert_eq!(REPLIES.with(["GET", "200"]).get(), 1.0);
/// ```
pub type CounterFamily<const L: usize, const R: usize, const K: usize = 3> =
    Metric<Family<CounterValue, L, R, K>>;

/// Counters with labels and exemplars.
pub type ExemplarCounterFamily<const L: usize, const R: usize, const K: usize = 3> =
    Metric<Family<CounterValue<Exemplar>, L, R, K>>;

/// Gauges with `L` labels in at most `R` rows; for `K` see [`CounterFamily`].
pub type GaugeFamily<const L: usize, const R: usize, const K: usize = 3> =
    Metric<Family<GaugeValue, L, R, K>>;

/// Histograms of `N` buckets with `L` labels in at most `R` rows; for `K` see [`CounterFamily`]. The bounds are kept
/// once.
pub type HistogramFamily<
    const L: usize,
    const R: usize,
    const N: usize = 14,
    const K: usize = 3,
    E = NoExemplar,
> = Metric<Family<HistogramCells<N, E>, L, R, K>>;

/// Summaries with `L` labels in at most `R` rows; for `K` see [`CounterFamily`].
pub type SummaryFamily<const L: usize, const R: usize, const K: usize = 3> =
    Metric<Family<SummaryValue, L, R, K>>;

/// Facts found at run time: each row is an info with the value 1; for `K` see [`CounterFamily`].
pub type InfoFamily<const L: usize, const R: usize = 1, const K: usize = 8> = Metric<Family<One, L, R, K>>;

macro_rules! family_constructors {
    ($([$($generic:tt)*] $series:ty: $kind:ident;)*) => {
        $(impl<$($generic)* const L: usize, const R: usize, const K: usize> Metric<Family<$series, L, R, K>> {
            /// A family without rows.
            ///
            /// # Panics
            /// When compiled, if the name or a label is not classic, reserved, or there twice.
            #[track_caller]
            #[must_use]
            pub const fn new(name: &'static str, help: &'static str, labels: [&'static str; L]) -> Self {
                Self::declare(name, help, labels, (), Kind::$kind, Charset::Classic)
            }

            /// A family without rows whose name and labels may hold any character.
            ///
            /// # Panics
            /// When compiled, if the name or a label is empty, or a label is reserved or there twice.
            #[track_caller]
            #[must_use]
            pub const fn utf8(name: &'static str, help: &'static str, labels: [&'static str; L]) -> Self {
                Self::declare(name, help, labels, (), Kind::$kind, Charset::Utf8)
            }
        })*
    };
}
family_constructors! {
    [] CounterValue<NoExemplar>: Counter;
    [] CounterValue<Exemplar>: Counter;
    [] GaugeValue: Gauge;
    [] SummaryValue: Summary;
    [] One: Info;
}

impl<const L: usize, const R: usize, const N: usize, const K: usize, E: crate::exemplar::ExemplarStore>
    Metric<Family<HistogramCells<N, E>, L, R, K>>
{
    /// A family without rows.
    ///
    /// # Panics
    /// When compiled, if the name or a label is not classic, reserved, or there twice, or the bounds are not finite
    /// and rising, or none.
    #[track_caller]
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; L],
        bounds: [f64; N],
    ) -> Self {
        Self::declare(name, help, labels, Bounds::checked(bounds), Kind::Histogram, Charset::Classic)
    }

    /// A family without rows whose name and labels may hold any character.
    ///
    /// # Panics
    /// When compiled, if the name or a label is empty, or a label is reserved or there twice, or the bounds are not
    /// finite and rising, or none.
    #[track_caller]
    #[must_use]
    pub const fn utf8(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; L],
        bounds: [f64; N],
    ) -> Self {
        Self::declare(name, help, labels, Bounds::checked(bounds), Kind::Histogram, Charset::Utf8)
    }
}

impl<S: Series, const L: usize, const R: usize, const K: usize> Metric<Family<S, L, R, K>> {
    #[track_caller]
    const fn declare(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; L],
        shared: S::Shared,
        kind: Kind,
        charset: Charset,
    ) -> Self {
        assert!(L > 0, "a family needs at least one label: without labels use the plain metric");
        assert!(R > 0, "a family needs room for at least one row");
        assert!(K > 0 && K <= 32, "a row takes 1 to 32 chunks of labels");
        check_labels(&labels, charset);
        let mut classic = true;
        let mut at = 0;
        while at < L {
            classic = classic && is_classic_label(labels[at]);
            at += 1;
        }
        Self {
            desc: Desc::checked(name, help, kind, charset),
            value: Family {
                labels,
                classic,
                shared,
                rows: Rows::new(),
                overflow: S::NEW,
                overflow_shown: Cell64::new(0),
                dropped: Cell64::new(0),
            },
        }
    }
}

/// What all labels of the overflow row read.
pub(crate) const OTHER: &str = "other";

/// The rows of a labelled metric.
///
/// A look-up of a row that is there takes no lock and no heap; a new row takes a lock for a moment. When all rows are
/// taken, or the labels of a row are longer than its storage, updates go to one overflow row whose labels all read
/// `other`, so that sums over the family stay true, and `scrapeport_dropped_series_total` counts them.
#[derive(Debug)]
pub struct Family<S: Series, const L: usize, const R: usize, const K: usize> {
    labels: [&'static str; L],
    classic: bool,
    shared: S::Shared,
    rows: Rows<S, R, K>,
    overflow: S,
    overflow_shown: Cell64,
    dropped: Cell64,
}

impl<S: Series, const L: usize, const R: usize, const K: usize> Family<S, L, R, K> {
    /// The row of these label values, added if it is new; the overflow row if there is no room.
    ///
    /// Use the result at once. After [`remove`](Self::remove) the storage of a row may serve another, so a reference
    /// kept across a removal may count there; to keep one, take [`keep`](Self::keep).
    #[inline]
    pub fn with<'v>(&self, values: impl Into<[&'v str; L]>) -> S::Handle<'_> {
        let values = values.into();
        match self.rows.find(&values) {
            Some(row) => row.series.handle(&self.shared),
            None => self.add_or_overflow(&values),
        }
    }

    /// The row of these label values, added if it is new; none if there is no room.
    #[inline]
    pub fn try_with<'v>(&self, values: impl Into<[&'v str; L]>) -> Option<S::Handle<'_>> {
        let values = values.into();
        let row = self.rows.find(&values).or_else(|| self.add(&values))?;
        Some(row.series.handle(&self.shared))
    }

    /// The row of these label values to keep: no look-up any more, an update through it is the bare atomic
    /// instruction. None if there is no room.
    ///
    /// A kept row can be removed, which hides it, but its storage serves no other row until it is dropped.
    pub fn keep<'v>(&self, values: impl Into<[&'v str; L]>) -> Option<Kept<'_, S, K>> {
        let values = values.into();
        loop {
            if let Some(row) = self.rows.pin(&values) {
                return Some(Kept { handle: row.series.handle(&self.shared), row });
            }
            // Removed again before it was pinned: once more.
            self.add(&values)?;
        }
    }

    /// Removes the row of these label values; false if there is none. Takes a lock for a moment.
    pub fn remove<'v>(&self, values: impl Into<[&'v str; L]>) -> bool {
        let values = values.into();
        self.remove_matching(values.map(Some)) > 0
    }

    /// Removes all rows whose values equal the given ones where one is given; tells how many.
    pub fn remove_matching<'v>(&self, values: impl Into<[Option<&'v str>; L]>) -> usize {
        let wanted = values.into();
        self.rows.remove(|values| {
            wanted.iter().zip(values).all(|(wanted, value)| wanted.is_none_or(|w| w == value))
        })
    }

    /// Removes all rows; tells how many there were.
    pub fn clear(&self) -> usize {
        self.rows.remove(|_| true)
    }

    /// How many updates went to the overflow row.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load()
    }

    #[cold]
    fn add_or_overflow(&self, values: &[&str; L]) -> S::Handle<'_> {
        let own = values.iter().all(|value| *value == OTHER);
        if !own {
            if let Some(row) = self.add(values) {
                return row.series.handle(&self.shared);
            }
            self.dropped.add(1);
        }
        self.overflow_shown.store(1);
        self.overflow.handle(&self.shared)
    }

    #[cold]
    fn add(&self, values: &[&str; L]) -> Option<&Row<S, K>> {
        // The overflow row has these labels already.
        if values.iter().all(|value| *value == OTHER) {
            return None;
        }
        self.rows.find_or_add(values, |out| self.render(values, out), S::reset).ok()
    }

    /// Writes the labels as exposition text; none if it does not fit.
    fn render(&self, values: &[&str; L], out: &mut [u8]) -> Option<usize> {
        if !self.classic {
            // The text of other names depends on the page, so it is made for each.
            return Some(0);
        }
        let mut text = Text { out, length: 0 };
        text.labels(&self.labels, values).ok()?;
        Some(text.length)
    }

    /// Writes rows of one number each: the prefix of the line, the labels and the number are copied in wide pieces.
    ///
    /// False, and nothing is written, if the page's buffer is too small for that.
    fn encode_numbers(&self, prefix: &[u8; PREFIX], length: usize, page: &mut Page<'_>) -> bool {
        let longest = PREFIX + K * CHUNK + 2 + LONGEST + 1;
        if page.room(longest).is_none() {
            return false;
        }
        for row in self.rows.iter() {
            let Some(begun) = row.sequence.begin() else { continue };
            let Some(out) = page.room(longest) else { break };
            out[..PREFIX].copy_from_slice(prefix);
            let mut at = length + row.text(&mut out[length..]);
            out[at..at + 2].copy_from_slice(b"} ");
            at += 2;
            let Some(number) = S::number(&row.series.read()) else { continue };
            let Some(digits) = out.get_mut(at..).and_then(|out| out.first_chunk_mut()) else { break };
            at += number.write(digits);
            out[at] = b'\n';
            if row.sequence.unchanged(begun) {
                page.advance(at + 1);
            }
        }
        true
    }

    /// Writes all rows, whatever the kind, the format and the names.
    fn encode_rows(
        &self,
        desc: &Desc,
        page: &mut Page<'_>,
        write: impl Fn(&S::Reading, &S, f64, &mut SeriesWriter<'_, '_>),
    ) {
        let plain = self.classic && page.shows_classic_names_as_they_are();
        let mut copied = [0; 32 * CHUNK];
        for row in self.rows.iter() {
            let Some(begun) = row.sequence.begin() else { continue };
            let length = if plain {
                row.text(&mut copied)
            } else {
                row.values(&mut copied);
                0
            };
            let (reading, created) = (row.series.read(), row.created());
            if !row.sequence.unchanged(begun) {
                continue;
            }
            let labels = |line: &mut Line<'_, '_>| {
                self.labels
                    .iter()
                    .zip(split_values(&copied))
                    .for_each(|(name, value)| line.label(name, value));
            };
            let raw: Option<&dyn Fn(&mut Line<'_, '_>)> = if plain { None } else { Some(&labels) };
            let mut samples = SeriesWriter { page, desc, labels: &copied[..length], raw };
            write(&reading, &row.series, created, &mut samples);
        }
        if self.overflow_shown.load() != 0 {
            let labels =
                |line: &mut Line<'_, '_>| self.labels.iter().for_each(|name| line.label(name, OTHER));
            let mut samples = SeriesWriter { page, desc, labels: b"", raw: Some(&labels) };
            write(&self.overflow.read(), &self.overflow, crate::clock::started(), &mut samples);
        }
    }
}

/// The longest start of a line, name and brace, that is copied as one piece.
const PREFIX: usize = 64;

impl<S: Series, const L: usize, const R: usize, const K: usize> Sealed for Family<S, L, R, K> {}

impl<S: Series, const L: usize, const R: usize, const K: usize> Value for Family<S, L, R, K> {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        if !begin(desc, page) {
            return;
        }
        if let Some((prefix, length)) = self.line_start(desc, page) {
            if self.encode_numbers(&prefix, length, page) {
                return;
            }
        }
        let openmetrics = page.format().is_openmetrics();
        self.encode_rows(desc, page, |reading, series, created, samples| {
            series.write(&self.shared, reading, samples);
            if openmetrics {
                samples.created(created);
            }
        });
        if created_family(desc, page) {
            self.encode_rows(desc, page, |_, _, created, samples| samples.created(created));
        }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load()
    }
}

impl<S: Series, const L: usize, const R: usize, const K: usize> Family<S, L, R, K> {
    /// The start of every line, where the rows are simple enough to be copied.
    fn line_start(&self, desc: &Desc, page: &Page<'_>) -> Option<([u8; PREFIX], usize)> {
        let suffix = page.main_suffix(&desc.name, desc.kind);
        let simple = self.classic
            && desc.name.classic
            && page.shows_classic_names_as_they_are()
            && !page.filter().is_active()
            && !page.format().created
            && S::PLAIN
            && self.overflow_shown.load() == 0;
        let mut prefix = [0; PREFIX];
        let mut text = Text { out: &mut prefix, length: 0 };
        let fits = fmt::Write::write_str(&mut text, desc.name.base)
            .and_then(|()| fmt::Write::write_str(&mut text, suffix))
            .and_then(|()| fmt::Write::write_str(&mut text, "{"));
        let length = text.length;
        (simple && fits.is_ok()).then_some((prefix, length))
    }
}

/// A row of a family, kept: see [`Family::keep`].
#[derive(Debug)]
pub struct Kept<'a, S: Series, const K: usize> {
    handle: S::Handle<'a>,
    row: &'a Row<S, K>,
}

impl<'a, S: Series, const K: usize> Deref for Kept<'a, S, K> {
    type Target = S::Handle<'a>;

    #[inline]
    fn deref(&self) -> &S::Handle<'a> {
        &self.handle
    }
}

impl<S: Series, const K: usize> Drop for Kept<'_, S, K> {
    fn drop(&mut self) {
        self.row.unpin();
    }
}

/// Text in a buffer.
struct Text<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl Text<'_> {
    fn labels(&mut self, names: &[&str], values: &[&str]) -> fmt::Result {
        use fmt::Write;
        for (at, (name, value)) in names.iter().zip(values).enumerate() {
            if at > 0 {
                self.write_str(",")?;
            }
            self.write_str(name)?;
            self.write_str("=\"")?;
            for piece in value.split_inclusive(['\\', '"', '\n']) {
                let (plain, escaped) = match piece.as_bytes().last() {
                    Some(b'\\') => (&piece[..piece.len() - 1], "\\\\"),
                    Some(b'"') => (&piece[..piece.len() - 1], "\\\""),
                    Some(b'\n') => (&piece[..piece.len() - 1], "\\n"),
                    _ => (piece, ""),
                };
                self.write_str(plain)?;
                self.write_str(escaped)?;
            }
            self.write_str("\"")?;
        }
        Ok(())
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.out.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
