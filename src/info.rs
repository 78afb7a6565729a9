//! Infos: facts told by labels.

use crate::metric::{Charset, Desc, Metric, Sealed, Series, SeriesWriter, Value, begin, check_labels};
use crate::text::{Kind, Line, Number, Page};

/// A fact told by labels that are known when the program is compiled; its value is always 1.
///
/// For labels that are found at run time see [`InfoFamily`](crate::InfoFamily).
///
/// ```
/// use scrapeport::Info;
///
/// static BUILD: Info<1> = Info::new("app_build_info", "What this is.", [("version", env!("CARGO_PKG_VERSION"))]);
/// ```
pub type Info<const L: usize> = Metric<Facts<L>>;

/// The labels of an [`Info`].
#[derive(Debug)]
pub struct Facts<const L: usize>([(&'static str, &'static str); L]);

impl<const L: usize> Metric<Facts<L>> {
    /// An info with the given labels.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic metric name that ends in `_info`, or a label is not valid.
    #[track_caller]
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        facts: [(&'static str, &'static str); L],
    ) -> Self {
        let mut names = [""; L];
        let mut at = 0;
        while at < L {
            names[at] = facts[at].0;
            at += 1;
        }
        check_labels(&names, Charset::Classic);
        Self { desc: Desc::checked(name, help, Kind::Info, Charset::Classic), value: Facts(facts) }
    }
}

impl<const L: usize> Sealed for Facts<L> {}

impl<const L: usize> Value for Facts<L> {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        if begin(desc, page) {
            let labels =
                |line: &mut Line<'_, '_>| self.0.iter().for_each(|(name, value)| line.label(name, value));
            let mut samples = SeriesWriter { page, desc, labels: b"", raw: Some(&labels) };
            let suffix = samples.main_suffix();
            samples.sample(suffix, Number::Unsigned(1));
        }
    }
}

/// The value of one row of an [`InfoFamily`](crate::InfoFamily): always 1.
#[derive(Debug)]
pub struct One;

impl Sealed for One {}

impl Series for One {
    const KIND: Kind = Kind::Info;
    const PLAIN: bool = true;
    const NEW: Self = Self;
    type Shared = ();
    type Handle<'a> = &'a Self;
    type Reading = Number;

    fn handle<'a>(&'a self, (): &'a ()) -> &'a Self {
        self
    }

    fn reset(&self) {}

    fn read(&self) -> Number {
        Number::Unsigned(1)
    }

    fn number(reading: &Number) -> Option<Number> {
        Some(*reading)
    }

    fn write(&self, (): &(), reading: &Number, samples: &mut SeriesWriter<'_, '_>) {
        let suffix = samples.main_suffix();
        samples.sample(suffix, *reading);
    }
}
