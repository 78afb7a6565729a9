//! Collectors: samples found when a page is made, never stored.

use core::fmt;

use crate::cell::Cell64;
use crate::guard::guarded;
use crate::metric::Sealed;
use crate::text::bound::write_bound;
use crate::text::number::LONGEST;
use crate::text::{Help, Kind, Line, Name, Number, Page};

/// Finds samples when a page is made, and writes them.
///
/// It runs on the thread that serves the scrape, perhaps on several at once. If it fails or panics, what it wrote so
/// far stays, the rest of the page is served, and `scrapeport_collector_errors_total` counts it.
pub trait Collect: Sync {
    /// Writes the samples: see [`Page::family`].
    ///
    /// # Errors
    /// What could not be read; the error is logged with the collector's name.
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError>;
}

/// A collector with its name and the families it writes.
///
/// ```
/// use scrapeport::text::{Kind, Page};
/// use scrapeport::{Collect, CollectError, Collector, Registry};
///
/// struct Disks;
///
/// impl Collect for Disks {
///     fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
///         let mut free = page.family(Kind::Gauge, "app_disk_free_bytes", "Free space.");
///         free.sample(&[("disk", "mmcblk0")], 1_000_000_u64);
///         Ok(())
///     }
/// }
///
/// static DISKS: Collector<Disks> = Collector::new("disks", &["app_disk_free_bytes"], Disks);
/// static REGISTRY: Registry = Registry::new(&[]).collecting(&[&DISKS]);
/// ```
#[derive(Debug)]
pub struct Collector<C: ?Sized> {
    name: &'static str,
    pub(crate) families: &'static [&'static str],
    errors: Cell64,
    skipped: Cell64,
    source: C,
}

impl<C> Collector<C> {
    /// A collector called `name`, which writes the named families.
    ///
    /// A scrape that asks for other names only (`name[]`) does not run it. With no names declared it always runs.
    pub const fn new(name: &'static str, families: &'static [&'static str], source: C) -> Self {
        Self { name, families, errors: Cell64::new(0), skipped: Cell64::new(0), source }
    }
}

impl<C: ?Sized> Collector<C> {
    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What finds the samples.
    #[must_use]
    pub const fn source(&self) -> &C {
        &self.source
    }

    /// How often it failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load()
    }

    /// How often it was skipped because the time for the page was over.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load()
    }
}

impl<C: Collect + ?Sized> Collector<C> {
    /// Writes what it finds, unless the filter wants nothing of it or the time is over.
    pub(crate) fn run(&self, page: &mut Page<'_>) {
        let filter = *page.filter();
        let known = !self.families.is_empty();
        if page.is_stopped() || (known && !self.families.iter().any(|name| filter.may_want_family(name))) {
            return;
        }
        if page.is_expired() {
            self.skipped.add(1);
            page.report(self.name, &"skipped: the time for this scrape is over");
            return;
        }
        match guarded(|| self.source.collect(page)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.errors.add(1);
                page.report(self.name, &error);
            }
            Err(panicked) => {
                self.errors.add(1);
                page.report(self.name, &panicked);
            }
        }
    }
}

/// Why a collector could not read something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectError {
    what: &'static str,
    code: Option<i32>,
}

impl CollectError {
    /// An error that says what failed: `cannot read /proc/loadavg`.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, code: None }
    }

    /// The same with the system's error number.
    #[must_use]
    pub const fn with_code(mut self, code: i32) -> Self {
        self.code = Some(code);
        self
    }
}

impl fmt::Display for CollectError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.what)?;
        match self.code {
            #[cfg(feature = "std")]
            Some(code) => write!(out, ": {}", std::io::Error::from_raw_os_error(code)),
            #[cfg(not(feature = "std"))]
            Some(code) => write!(out, ": error {code}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for CollectError {}

#[cfg(feature = "std")]
impl From<std::io::Error> for CollectError {
    fn from(error: std::io::Error) -> Self {
        Self { what: "input or output failed", code: error.raw_os_error() }
    }
}

impl Sealed for Samples<'_, '_, '_> {}

impl<'a> Page<'a> {
    /// Begins a family of samples, for use in a [`Collect`].
    ///
    /// The name is what the Prometheus text formats show: a counter's ends in `_total` (if it does not, OpenMetrics
    /// shows it with that suffix), an info's in `_info`. Each family must be written once and in one piece.
    #[inline(never)]
    pub fn family<'p, 'n>(&'p mut self, kind: Kind, name: &'n str, help: &'n str) -> Samples<'p, 'a, 'n> {
        self.begin_family();
        self.tell_family(name);
        Samples {
            page: self,
            name: Name::found(name, kind),
            kind,
            help,
            unit: "",
            begun: false,
            gauges_begun: false,
            plain_bounds: false,
        }
    }
}

/// The samples of one family under way. The header is written with the first sample that the filter wants.
#[derive(Debug)]
pub struct Samples<'p, 'a, 'n> {
    page: &'p mut Page<'a>,
    name: Name<'n>,
    kind: Kind,
    help: &'n str,
    unit: &'n str,
    begun: bool,
    /// Whether the families of a gauge histogram's count and sum have begun: the text formats know no such kind.
    gauges_begun: bool,
    /// Whether whole bounds and quantiles lose their `.0` in the text formats.
    plain_bounds: bool,
}

impl<'a, 'n> Samples<'_, 'a, 'n> {
    /// Declares the unit, which OpenMetrics shows. The name must already end in it.
    #[must_use]
    pub fn unit(mut self, unit: &'n str) -> Self {
        self.unit = unit;
        self
    }

    /// Bounds and quantiles in the text formats as the Go client writes them, `1` instead of `1.0`: for what an exporter
    /// in Go served before.
    #[cfg(feature = "exporter")]
    pub(crate) const fn with_plain_bounds(mut self) -> Self {
        self.plain_bounds = true;
        self
    }

    /// Writes one sample. Label names are written as they are where they are classic, else escaped.
    #[inline]
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) {
        self.sample_number(labels, value.into());
    }

    // One piece of code for all kinds of numbers: collectors write samples in hundreds of places.
    #[inline(never)]
    fn sample_number(&mut self, labels: &[(&str, &str)], value: Number) {
        let suffix = self.page.main_suffix(&self.name, self.kind);
        if let Some(line) = self.line(suffix, labels) {
            line.value(value);
        }
    }

    /// Writes one sample with the time it was taken, in milliseconds since the epoch.
    ///
    /// Prometheus takes a sample without time to be of now, which is nearly always what is wanted.
    pub fn sample_at(&mut self, labels: &[(&str, &str)], value: impl Into<Number>, milliseconds: i64) {
        let suffix = self.page.main_suffix(&self.name, self.kind);
        if let Some(line) = self.line(suffix, labels) {
            line.value_at(value.into(), milliseconds);
        }
    }

    /// Writes one bucket of a histogram: the observations up to and including `bound`. The last must be infinite.
    pub fn bucket(&mut self, labels: &[(&str, &str)], bound: f64, count: u64) {
        let mut room = [0; LONGEST];
        let text = self.bound(bound, &mut room);
        if let Some(mut line) = self.line("_bucket", labels) {
            line.bound(text.as_bytes());
            line.value(Number::Unsigned(count));
        }
    }

    /// Writes one quantile of a summary.
    pub fn quantile(&mut self, labels: &[(&str, &str)], quantile: f64, value: impl Into<Number>) {
        let mut room = [0; LONGEST];
        let text = self.bound(quantile, &mut room);
        if let Some(mut line) = self.line("", labels) {
            line.label("quantile", text);
            line.value(value.into());
        }
    }

    fn bound<'r>(&self, bound: f64, room: &'r mut [u8; LONGEST]) -> &'r str {
        let length = write_bound(bound, room);
        let text = room.get(..length).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default();
        let plain = self.plain_bounds && !self.page.format().is_openmetrics();
        if plain { text.strip_suffix(".0").unwrap_or(text) } else { text }
    }

    /// Writes the count and the sum of a histogram or summary, after its buckets or quantiles.
    pub fn count_and_sum(&mut self, labels: &[(&str, &str)], count: u64, sum: impl Into<Number>) {
        let (count_suffix, sum_suffix) = match self.kind {
            Kind::GaugeHistogram => ("_gcount", "_gsum"),
            _ => ("_count", "_sum"),
        };
        let with_headers = self.kind == Kind::GaugeHistogram && !self.gauges_begun;
        for (suffix, value) in [(count_suffix, Number::Unsigned(count)), (sum_suffix, sum.into())] {
            if with_headers && self.wants(suffix) && !self.page.format().is_openmetrics() {
                self.page.gauge_header(&self.name, suffix, self.help);
                self.gauges_begun = true;
                self.begun = true;
            }
            if let Some(line) = self.line(suffix, labels) {
                line.value(value);
            }
        }
    }

    /// Whether the syntax of the page is OpenMetrics.
    #[cfg(feature = "capi")]
    pub(crate) const fn is_openmetrics(&self) -> bool {
        self.page.format().is_openmetrics()
    }

    /// Whether a [`sample`](Self::sample) would be written: else it need not be found.
    #[cfg(feature = "capi")]
    pub(crate) fn is_wanted(&mut self) -> bool {
        let suffix = self.page.main_suffix(&self.name, self.kind);
        !self.page.is_stopped() && self.wants(suffix)
    }

    fn wants(&mut self, suffix: &'static str) -> bool {
        !self.name.base.is_empty() && self.page.wants(self.name.base, suffix)
    }

    fn line(&mut self, suffix: &'static str, labels: &[(&str, &str)]) -> Option<Line<'_, 'a>> {
        if !self.wants(suffix) {
            return None;
        }
        if !self.begun {
            self.page.header(&self.name, self.kind, Help::unchecked(self.help), self.unit);
            self.begun = true;
        }
        let mut line = self.page.line(&self.name, suffix);
        for (name, value) in labels {
            line.label(name, value);
        }
        Some(line)
    }
}
