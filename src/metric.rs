//! What every metric is: a description checked by the compiler, and a value.

use core::ops::Deref;

use crate::clock;
use crate::text::name::{self, reject};
use crate::text::number::LONGEST;
use crate::text::{Help, Kind, Line, Name, Number, Page};

/// A metric: its description and its value `V`. The kinds are aliases: [`Counter`](crate::Counter),
/// [`Gauge`](crate::Gauge), [`Histogram`](crate::Histogram) and so on.
///
/// A metric is meant to be a `static`. It dereferences to its value, whose methods update it.
#[derive(Debug)]
pub struct Metric<V: ?Sized> {
    pub(crate) desc: Desc,
    pub(crate) value: V,
}

impl<V: ?Sized> Metric<V> {
    /// The name as it was declared.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.desc.declared
    }

    /// The help text.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.desc.help.text
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.desc.kind
    }
}

impl<V> Metric<V> {
    /// Declares the unit, which OpenMetrics shows: `seconds`, `bytes`, `celsius`. The name must already end in it.
    ///
    /// # Panics
    /// When compiled, if the name does not end in `_` and the unit.
    #[track_caller]
    #[must_use]
    pub const fn unit(mut self, unit: &'static str) -> Self {
        let base = self.desc.name.base;
        let stem = base.len().wrapping_sub(unit.len() + 1);
        if !name::ends_with(base, unit) || base.as_bytes()[stem] != b'_' {
            reject("a metric with a unit must have that unit at the end of its name", self.desc.declared);
        }
        self.desc.unit = unit;
        self
    }
}

impl<V: ?Sized> Deref for Metric<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        &self.value
    }
}

/// Which names a constructor accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Classic,
    Utf8,
}

/// The description of a metric.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Desc {
    pub(crate) declared: &'static str,
    pub(crate) name: Name<'static>,
    pub(crate) help: Help<'static>,
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
    /// Of the base name, from which the registry finds collisions.
    pub(crate) hash: u64,
}

impl Desc {
    /// Checks a name for its kind.
    #[track_caller]
    pub(crate) const fn checked(
        declared: &'static str,
        help: &'static str,
        kind: Kind,
        charset: Charset,
    ) -> Self {
        if declared.is_empty() {
            panic!("a metric needs a name");
        }
        let name = Name::parse(declared, kind);
        if !name.classic && matches!(charset, Charset::Classic) {
            reject("a metric name must match [a-zA-Z_:][a-zA-Z0-9_:]* (use `utf8` for any other)", declared);
        }
        if name.suffix.len() != kind.suffix().len() {
            match kind {
                Kind::Counter => reject("a counter's name must end in _total", declared),
                _ => reject("an info's name must end in _info", declared),
            }
        }
        let hash = name::hash(name::HASH_START, name.base, false);
        Self { declared, name, help: Help::checked(help), unit: "", kind, hash }
    }
}

/// Checks the label names of a family.
#[track_caller]
pub(crate) const fn check_labels(labels: &[&'static str], charset: Charset) {
    let mut at = 0;
    while at < labels.len() {
        let label = labels[at];
        if name::is_reserved_label(label) {
            reject("this label is reserved for Prometheus (le, quantile, and all that begin with __)", label);
        }
        if label.is_empty() {
            panic!("a label needs a name");
        }
        if !name::is_classic_label(label) && matches!(charset, Charset::Classic) {
            reject("a label name must match [a-zA-Z_][a-zA-Z0-9_]* (use `utf8` for any other)", label);
        }
        let mut other = 0;
        while other < at {
            if name::same_escaped(labels[other], label) {
                reject("two labels of one metric have the same name", label);
            }
            other += 1;
        }
        at += 1;
    }
}

mod sealed {
    pub trait Sealed {}
}
pub(crate) use sealed::Sealed;

/// What a registry can hold: the value of any kind of metric, single or labelled.
pub trait Value: Sync + Sealed {
    #[doc(hidden)]
    fn encode(&self, desc: &Desc, page: &mut Page<'_>);

    /// How many updates went to the overflow row of a full family.
    #[doc(hidden)]
    fn dropped(&self) -> u64 {
        0
    }
}

/// The value of one series: what stands behind one set of labels.
pub trait Series: Sized + Sync + Sealed + 'static {
    /// What a page calls it.
    #[doc(hidden)]
    const KIND: Kind;
    /// Whether its main sample is all there is to write.
    #[doc(hidden)]
    const PLAIN: bool;
    /// Nothing counted yet.
    #[doc(hidden)]
    const NEW: Self;
    /// What all rows of a family have in common: a histogram's bounds.
    #[doc(hidden)]
    type Shared: Sync;
    /// What a look-up in a family gives.
    type Handle<'a>: Copy;
    /// A reading of all its numbers.
    #[doc(hidden)]
    type Reading;

    #[doc(hidden)]
    fn handle<'a>(&'a self, shared: &'a Self::Shared) -> Self::Handle<'a>;
    #[doc(hidden)]
    fn reset(&self);
    #[doc(hidden)]
    fn read(&self) -> Self::Reading;
    /// The number of a reading that is one number alone.
    #[doc(hidden)]
    fn number(reading: &Self::Reading) -> Option<Number>;
    /// Writes all samples.
    #[doc(hidden)]
    fn write(&self, shared: &Self::Shared, reading: &Self::Reading, samples: &mut SeriesWriter<'_, '_>);
}

/// A series without labels, the value of a plain metric.
#[derive(Debug)]
pub struct Single<S: Series> {
    pub(crate) shared: S::Shared,
    pub(crate) series: S,
}

impl<S: Series<Shared = ()>> Metric<Single<S>> {
    /// A metric of this kind with nothing counted yet.
    #[track_caller]
    pub(crate) const fn declare(name: &'static str, help: &'static str, charset: Charset) -> Self {
        Self {
            desc: Desc::checked(name, help, S::KIND, charset),
            value: Single { shared: (), series: S::NEW },
        }
    }
}

impl<S: Series<Shared = ()>> Deref for Single<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.series
    }
}

impl<S: Series> Sealed for Single<S> {}

impl<S: Series> Value for Single<S> {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        if !begin(desc, page) {
            return;
        }
        let mut samples = SeriesWriter { page, desc, labels: b"", raw: None };
        let reading = self.series.read();
        self.series.write(&self.shared, &reading, &mut samples);
        if samples.page.format().is_openmetrics() {
            samples.created(clock::started());
        }
        if created_family(desc, page) {
            SeriesWriter { page, desc, labels: b"", raw: None }.created(clock::started());
        }
    }
}

/// Writes a family's header, unless the filter wants none of its samples; tells whether samples shall follow.
pub(crate) fn begin(desc: &Desc, page: &mut Page<'_>) -> bool {
    if page.is_stopped() {
        return false;
    }
    page.begin_family();
    let wants = |suffix: &&str| page.filter().wants(desc.name.base, desc.name.base, suffix);
    if page.filter().is_active() && !desc.kind.claims().iter().any(wants) {
        return false;
    }
    page.header(&desc.name, desc.kind, desc.help, desc.unit);
    true
}

/// Begins the `_created` family of the Prometheus text formats; tells whether samples shall follow.
pub(crate) fn created_family(desc: &Desc, page: &mut Page<'_>) -> bool {
    let base = desc.name.base;
    let due = page.format().created
        && !page.format().is_openmetrics()
        && clock::started() > 0.0
        && desc.kind.claims().contains(&"_created")
        && page.filter().wants(base, base, "_created");
    if due {
        page.gauge_header(&desc.name, "_created", desc.help.text);
    }
    due
}

/// Writes the samples of one series.
pub struct SeriesWriter<'p, 'a> {
    pub(crate) page: &'p mut Page<'a>,
    pub(crate) desc: &'p Desc,
    /// The labels as exposition text.
    pub(crate) labels: &'p [u8],
    /// The labels as names and values, where the text does not fit the escaping of the page.
    pub(crate) raw: Option<&'p dyn Fn(&mut Line<'_, '_>)>,
}

impl core::fmt::Debug for SeriesWriter<'_, '_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("SeriesWriter").field("desc", self.desc).finish_non_exhaustive()
    }
}

impl<'a> SeriesWriter<'_, 'a> {
    /// Begins a sample with all labels; none if the filter does not want it.
    pub(crate) fn line(&mut self, suffix: &'static str) -> Option<Line<'_, 'a>> {
        if !self.page.wants(self.desc.name.base, suffix) {
            return None;
        }
        let mut line = self.page.line(&self.desc.name, suffix);
        match self.raw {
            Some(labels) => labels(&mut line),
            None => line.rendered(self.labels),
        }
        Some(line)
    }

    /// What stands after the base in the name of the main sample.
    pub(crate) fn main_suffix(&self) -> &'static str {
        self.page.main_suffix(&self.desc.name, self.desc.kind)
    }

    /// Writes one sample.
    pub(crate) fn sample(&mut self, suffix: &'static str, value: Number) {
        if let Some(line) = self.line(suffix) {
            line.value(value);
        }
    }

    /// Writes one bucket; `write_bound` writes the text of its bound.
    pub(crate) fn bucket(
        &mut self,
        write_bound: impl FnOnce(&mut [u8; LONGEST]) -> usize,
    ) -> Option<Line<'_, 'a>> {
        let mut line = self.line("_bucket")?;
        let mut bound = [0; LONGEST];
        let length = write_bound(&mut bound);
        line.bound(&bound[..length]);
        Some(line)
    }

    /// Writes when the series began, where the page wants to know and somebody does.
    pub(crate) fn created(&mut self, seconds: f64) {
        if self.page.format().created && seconds > 0.0 && self.desc.kind.claims().contains(&"_created") {
            self.sample("_created", Number::Float(seconds));
        }
    }
}
