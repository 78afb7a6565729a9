//! All collectors together: one collector of the registry, whose parts are chosen when the program starts and by each
//! scrape.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use std::string::String;
use std::sync::OnceLock;
use std::time::Instant;
use std::vec::Vec;

use super::families::FAMILIES;
use super::machine::Machine;
use super::problem::Problem;
use super::scratch::Pool;
use super::seen::mark;
use super::selection::{Known, MOST, Selection};
use super::source::{Entry, Source};
use crate::collector::{Collect, CollectError, Collector};
use crate::guard::guarded;
use crate::text::{Kind, Page};

/// The collectors of the program. Shows nothing before [`Node::install`].
pub(crate) static NODE: Collector<Node> = Collector::new("node", &[], Node { engine: OnceLock::new() });

/// The source behind [`NODE`].
#[derive(Debug)]
pub(crate) struct Node {
    engine: OnceLock<Engine>,
}

/// The machine, and the collectors that look at it.
pub(crate) struct Engine {
    machine: Machine,
    enabled: Vec<Enabled>,
    disabled: Vec<&'static str>,
    pool: Pool,
}

struct Enabled {
    name: &'static str,
    source: &'static dyn Source,
    /// The mark of the last problem that was logged, so that a lasting one is told once; 0 for none.
    told: AtomicU32,
}

impl Engine {
    /// The collectors that run: those of `sources`; the names of all others are known as disabled.
    pub(crate) fn new(
        machine: Machine,
        sources: Vec<(&'static Entry, &'static dyn Source)>,
        all: impl Iterator<Item = &'static Entry>,
    ) -> Self {
        let enabled: Vec<_> = sources
            .into_iter()
            .map(|(entry, source)| Enabled { name: entry.name(), source, told: AtomicU32::new(0) })
            .collect();
        let is_off = |name: &&str| enabled.iter().all(|enabled| enabled.name != *name);
        let disabled = all.map(Entry::name).filter(is_off).collect();
        Self { machine, enabled, disabled, pool: Pool::for_processors() }
    }

    /// Which collectors a query string asks for.
    ///
    /// # Errors
    /// One line for the client.
    pub(crate) fn selection(&self, query: &[u8]) -> Result<Selection, String> {
        Selection::read(query, |name| {
            let is = |known: &str| known.as_bytes() == name;
            match self.enabled.iter().position(|enabled| is(enabled.name)) {
                Some(place) => Known::Enabled(place),
                None if self.disabled.iter().any(|name| is(name)) => Known::Disabled,
                None => Known::No,
            }
        })
    }

    /// Nobody has scraped for a while.
    pub(crate) fn rest(&self) {
        self.pool.for_each_used(|scratch| scratch.rest());
    }

    fn collect(&self, page: &mut Page<'_>) {
        // A query that cannot be followed has been refused before.
        let selection = self.selection(page.filter().query()).unwrap_or(Selection::ALL);
        let mut outcomes = [Outcome::default(); MOST];
        page.listen(if FAMILIES.is_wanted() { Some(|name| FAMILIES.add(name)) } else { None });
        self.pool.with(|scratch| {
            scratch.begin();
            let mut before = Instant::now();
            for (place, (enabled, outcome)) in self.enabled.iter().zip(&mut outcomes).enumerate() {
                if !selection.wants(place) || page.is_stopped() {
                    continue;
                }
                outcome.ran = true;
                if page.is_expired() {
                    enabled.tell(&Problem::Failed("skipped: the time for this scrape is over"));
                    continue;
                }
                let result = guarded(|| enabled.source.collect(&self.machine, scratch, page));
                let now = Instant::now();
                outcome.seconds = now.duration_since(before).as_secs_f64();
                before = now;
                match result.unwrap_or(Err(Problem::Failed("it panicked"))) {
                    Ok(()) => {
                        outcome.success = true;
                        enabled.told.store(0, Ordering::Relaxed);
                    }
                    Err(problem) => enabled.tell(&problem),
                }
            }
        });
        page.listen(None);
        self.write_outcomes(&outcomes, page);
    }

    fn write_outcomes(&self, outcomes: &[Outcome; MOST], page: &mut Page<'_>) {
        let ran = || self.enabled.iter().zip(outcomes).filter(|(_, outcome)| outcome.ran);
        let name = "node_scrape_collector_duration_seconds";
        let mut durations = page.family(Kind::Gauge, name, "How long a collector took, in seconds.");
        for (enabled, outcome) in ran() {
            durations.sample(&[("collector", enabled.name)], outcome.seconds);
        }
        let name = "node_scrape_collector_success";
        let mut successes = page.family(Kind::Gauge, name, "Whether a collector found what it looks for.");
        for (enabled, outcome) in ran() {
            successes.sample(&[("collector", enabled.name)], u64::from(outcome.success));
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Outcome {
    ran: bool,
    success: bool,
    seconds: f64,
}

impl Enabled {
    /// Logs a problem unless it was the last one too.
    fn tell(&self, problem: &Problem) {
        let (text, number) = match problem {
            Problem::NoData(what) | Problem::Failed(what) => (*what, 0),
            Problem::Unreadable(place, errno) => (place.as_str(), errno.raw_os_error()),
            Problem::Malformed(place) => (place.as_str(), -1),
        };
        let mark = mark(&[text.as_bytes(), &number.to_ne_bytes()]) as u32 | 1;
        if self.told.swap(mark, Ordering::Relaxed) == mark {
            return;
        }
        if problem.is_no_data() {
            log::debug!("collector {}: no data: {problem}", self.name);
        } else {
            log::error!("collector {}: {problem}", self.name);
        }
    }
}

impl Node {
    /// Sets the collectors to work; once.
    pub(crate) fn install(&self, engine: Engine) -> &Engine {
        engine.machine.patience.prepare();
        self.engine.get_or_init(|| engine)
    }
}

impl Collect for Node {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        if let Some(engine) = self.engine.get() {
            engine.collect(page);
        }
        Ok(())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.enabled.iter().map(|enabled| enabled.name);
        out.debug_struct("Engine").field("enabled", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
