//! The kinds of metric family, and what each syntax calls them.

/// The kind of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows, or restarts from zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
    /// Count and sum of observations.
    Summary,
    /// A fact, told by labels.
    Info,
    /// One of several states.
    StateSet,
    /// Anything.
    Unknown,
    /// A histogram whose buckets can shrink.
    GaugeHistogram,
}

impl Kind {
    /// The word in a `# TYPE` line.
    pub(crate) const fn word(self, openmetrics: bool) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Info if openmetrics => "info",
            Self::StateSet if openmetrics => "stateset",
            Self::Info | Self::StateSet => "gauge",
            Self::Unknown if openmetrics => "unknown",
            Self::Unknown => "untyped",
            Self::GaugeHistogram if openmetrics => "gaugehistogram",
            Self::GaugeHistogram => "histogram",
        }
    }

    /// What OpenMetrics demands at the end of the main sample's name.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            _ => "",
        }
    }

    /// What follows the family's name in the names that this kind may put on a page: none of them may belong to
    /// another family.
    pub(crate) const fn claims(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
            Self::Summary => &["", "_count", "_sum", "_created"],
            Self::Info => &["", "_info"],
            Self::GaugeHistogram => &["", "_bucket", "_gcount", "_gsum"],
            Self::Gauge | Self::StateSet | Self::Unknown => &[""],
        }
    }
}
