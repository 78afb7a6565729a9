//! The registry: the list of all metrics of a program, checked when it is compiled.

use crate::collector::{Collect, Collector};
use crate::metric::{Desc, Metric, Value};
use crate::text::name::{HASH_START, hash, reject};
use crate::text::{Kind, Page};

/// A list of metrics, of other registries, and of collectors.
///
/// It is a constant list: nothing registers at run time, and the compiler refuses two metrics whose names, or the
/// names of whose samples, are the same. A library offers one registry, the program includes it. A metric that no
/// list names is served nowhere.
///
/// A registry can name some 700 histograms or 1,000 counters, itself and all it includes taken together.
///
/// ```
/// use scrapeport::{Counter, Gauge, Registry};
///
/// static REQUESTS: Counter = Counter::new("app_requests_total", "Requests served.");
/// static TEMPERATURE: Gauge = Gauge::new("app_temperature_celsius", "Board temperature.");
/// static REGISTRY: Registry = Registry::new(&[&REQUESTS, &TEMPERATURE]);
///
/// REQUESTS.inc();
/// // A page of REGISTRY now says: app_requests_total 1
/// ```
#[derive(Clone, Copy)]
pub struct Registry {
    metrics: &'static [&'static Metric<dyn Value>],
    included: &'static [&'static Self],
    collectors: &'static [&'static Collector<dyn Collect>],
}

impl Registry {
    /// A registry of the given metrics.
    ///
    /// # Panics
    /// When compiled, if two names collide.
    #[track_caller]
    #[must_use]
    pub const fn new(metrics: &'static [&'static Metric<dyn Value>]) -> Self {
        Self { metrics, included: &[], collectors: &[] }.checked()
    }

    /// The same with the metrics and collectors of others.
    ///
    /// # Panics
    /// When compiled, if two names collide.
    #[track_caller]
    #[must_use]
    pub const fn including(mut self, registries: &'static [&'static Self]) -> Self {
        self.included = registries;
        self.checked()
    }

    /// The same with the given collectors.
    ///
    /// # Panics
    /// When compiled, if two declared names collide.
    #[track_caller]
    #[must_use]
    pub const fn collecting(mut self, collectors: &'static [&'static Collector<dyn Collect>]) -> Self {
        self.collectors = collectors;
        self.checked()
    }

    #[track_caller]
    const fn checked(self) -> Self {
        let mut claims = Claims { hashes: [0; SLOTS], taken: 0 };
        claims.registry(&self);
        self
    }

    /// Writes everything, with the end mark of the format.
    ///
    /// A collector that fails is left out, counted and told to the page's output. Allocates nothing.
    pub fn encode(&self, page: &mut Page<'_>) {
        self.encode_with(&[], page);
    }

    /// As [`encode`](Self::encode), with further registries on the same page.
    ///
    /// Collisions between them are not checked.
    pub fn encode_with(&self, others: &[&'static Self], page: &mut Page<'_>) {
        self.encode_body(page);
        others.iter().for_each(|other| other.encode_body(page));
        self.encode_own(others, page);
        page.end_mark();
    }

    fn encode_body(&self, page: &mut Page<'_>) {
        for metric in self.metrics {
            metric.value.encode(&metric.desc, page);
        }
        self.included.iter().for_each(|included| included.encode_body(page));
        self.collectors.iter().for_each(|collector| collector.run(page));
    }

    /// Writes what the registry has to say of itself.
    fn encode_own(&self, others: &[&'static Self], page: &mut Page<'_>) {
        let each = |visit: &mut dyn FnMut(&Self)| {
            self.visit(visit);
            others.iter().for_each(|other| other.visit(visit));
        };
        let (mut dropped, mut collectors) = (false, false);
        each(&mut |registry| {
            dropped |= registry.metrics.iter().any(|metric| metric.value.dropped() > 0);
            collectors |= !registry.collectors.is_empty();
        });
        if dropped {
            let mut family = page.family(
                Kind::Counter,
                "scrapeport_dropped_series_total",
                "Updates that a full family counted into its overflow row.",
            );
            each(&mut |registry| {
                for metric in registry.metrics.iter().filter(|metric| metric.value.dropped() > 0) {
                    family.sample(&[("family", metric.desc.declared)], metric.value.dropped());
                }
            });
        }
        type Tally = fn(&Collector<dyn Collect>) -> u64;
        let tallies: [(&str, &str, Tally); 2] = [
            ("scrapeport_collector_errors_total", "Scrapes at which a collector failed.", Collector::errors),
            (
                "scrapeport_collector_skipped_total",
                "Scrapes whose time was over before a collector began.",
                Collector::skipped,
            ),
        ];
        for (name, help, tally) in tallies.into_iter().filter(|_| collectors) {
            let mut family = page.family(Kind::Counter, name, help);
            each(&mut |registry| {
                for collector in registry.collectors {
                    family.sample(&[("collector", collector.name())], tally(collector));
                }
            });
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        self.included.iter().for_each(|included| included.visit(visit));
    }

    /// The whole page as text, for tests and for programs that need it in one piece.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn to_text(&self, format: crate::text::Format) -> std::string::String {
        use core::ops::Range;
        use std::string::String;
        use std::vec::Vec;

        use crate::text::{Output, Stopped};

        struct Bytes(Vec<u8>);

        impl Output for Bytes {
            fn flush(&mut self, buffer: &mut [u8], content: Range<usize>) -> Result<(), Stopped> {
                self.0.extend_from_slice(&buffer[content]);
                Ok(())
            }
        }

        let mut bytes = Bytes(Vec::new());
        let mut buffer = [0; 4096];
        let mut page = Page::new(&mut buffer, format, &mut bytes);
        self.encode(&mut page);
        // This output never stops.
        let _ = page.finish();
        String::from_utf8(bytes.0)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_list()
            .entries(self.metrics.iter().map(|metric| metric.desc.declared))
            .finish_non_exhaustive()
    }
}

/// Hash slots for claimed names. A table rather than comparisons in pairs: a thousand metrics must not take the
/// compiler a million steps.
const SLOTS: usize = 4096;

/// The names that metrics have claimed, as hashes of 64 bits.
struct Claims {
    hashes: [u64; SLOTS],
    taken: usize,
}

impl Claims {
    #[track_caller]
    const fn registry(&mut self, registry: &Registry) {
        let mut at = 0;
        while at < registry.metrics.len() {
            self.metric(&registry.metrics[at].desc);
            at += 1;
        }
        let mut at = 0;
        while at < registry.included.len() {
            self.registry(registry.included[at]);
            at += 1;
        }
        let mut at = 0;
        while at < registry.collectors.len() {
            let families = registry.collectors[at].families;
            let mut family = 0;
            while family < families.len() {
                self.claim(hash(HASH_START, families[family], false), families[family]);
                family += 1;
            }
            at += 1;
        }
    }

    #[track_caller]
    const fn metric(&mut self, desc: &Desc) {
        let suffixes = desc.kind.claims();
        let mut at = 0;
        while at < suffixes.len() {
            self.claim(hash(desc.hash, suffixes[at], true), desc.declared);
            at += 1;
        }
    }

    #[track_caller]
    const fn claim(&mut self, hash: u64, name: &'static str) {
        // Zero marks a free slot.
        let hash = hash | 1;
        let mut slot = (hash >> 1) as usize % SLOTS;
        while self.hashes[slot] != 0 {
            if self.hashes[slot] == hash {
                reject("two metrics of one registry have the same name, or samples of the same name", name);
            }
            slot = (slot + 1) % SLOTS;
        }
        assert!(
            self.taken < SLOTS - SLOTS / 8,
            "too many metrics in one registry: some 700 histograms or 1,000 counters"
        );
        self.hashes[slot] = hash;
        self.taken += 1;
    }
}
