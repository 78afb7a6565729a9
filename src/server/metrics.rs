//! What the servers of this process say of themselves. Updates are one atomic instruction each.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::vec::Vec;

use super::slot::{Doing, Slot};
use crate::cell::Cell64;
use crate::http::transport::{Answered, Observer};
use crate::text::{Kind, Page};
use crate::{Collect, CollectError, Collector, Counter, Histogram, Registry};

/// The metrics of all servers in this process together, `scrapeport_http_*`.
///
/// A server puts them on its page by itself unless it was built with
/// [`server_metrics(false)`](super::ServerBuilder::server_metrics).
pub static SERVER_METRICS: Registry =
    Registry::new(&[&ACCEPTED, &ACCEPT_ERRORS, &BYTES, &SCRAPES]).collecting(&[&TABLES]);

pub(super) static ACCEPTED: Counter =
    Counter::new("scrapeport_http_connections_accepted_total", "Connections accepted.");

pub(super) static ACCEPT_ERRORS: Counter = Counter::new(
    "scrapeport_http_accept_errors_total",
    "Attempts to accept a connection that failed for want of descriptors or memory, or for an unknown reason.",
);

static BYTES: Counter =
    Counter::new("scrapeport_http_response_bytes_total", "Bytes of responses handed to connections.");

static SCRAPES: Histogram<10> = Histogram::with_bounds(
    "scrapeport_http_scrape_duration_seconds",
    "From the end of a request's head to the last byte of its page of metrics.",
    [0.0001, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0],
);

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// In order, by either side.
    Closed = 0,
    /// No further request came within the idle time.
    Idle = 1,
    /// The client took longer than it may for a request, or for taking its response.
    TimedOut = 2,
    /// Given up for another connection.
    Evicted = 3,
    /// Reset by the client, or lost.
    Reset = 4,
    /// Cut off by the shutdown of the server.
    Shutdown = 5,
    /// The thread panicked while serving it.
    Panicked = 6,
}

const ENDINGS: [&str; 7] = ["closed", "idle", "timed_out", "evicted", "reset", "shutdown", "panicked"];
static ENDED: [Cell64; ENDINGS.len()] = [const { Cell64::new(0) }; ENDINGS.len()];

pub(super) fn ended(ending: Ending) {
    ENDED[ending as usize].add(1);
}

/// The codes that a server sends; anything else would be counted as the last.
const CODES: [(u16, &str); 18] = [
    (200, "200"),
    (302, "302"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (408, "408"),
    (411, "411"),
    (413, "413"),
    (414, "414"),
    (417, "417"),
    (429, "429"),
    (431, "431"),
    (501, "501"),
    (503, "503"),
    (505, "505"),
    (500, "500"),
];
static ANSWERED: [Cell64; CODES.len()] = [const { Cell64::new(0) }; CODES.len()];

static TABLES: Collector<Tables> = Collector::new(
    "http",
    &[
        "scrapeport_http_connections",
        "scrapeport_http_connections_ended_total",
        "scrapeport_http_requests_total",
    ],
    Tables,
);

struct Tables;

impl Collect for Tables {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let states = ["idle", "reading", "writing", "serving"];
        let mut counts = [0_u64; 4];
        for slots in lock().iter().filter_map(Weak::upgrade) {
            for slot in slots.iter() {
                match slot.doing() {
                    Doing::Idle => counts[0] += 1,
                    Doing::Partial => counts[1] += 1,
                    Doing::Stalled => counts[2] += 1,
                    Doing::Working | Doing::Evicted => counts[3] += 1,
                    Doing::Free | Doing::Gone => {}
                }
            }
        }
        let mut family = page.family(
            Kind::Gauge,
            "scrapeport_http_connections",
            "Connections now, by what they wait for.",
        );
        for (state, count) in states.iter().zip(counts) {
            family.sample(&[("state", state)], count);
        }
        let mut family = page.family(
            Kind::Counter,
            "scrapeport_http_connections_ended_total",
            "Connections over, by how they ended.",
        );
        for (outcome, count) in ENDINGS.iter().zip(&ENDED) {
            family.sample(&[("outcome", outcome)], count.load());
        }
        let mut family = page.family(
            Kind::Counter,
            "scrapeport_http_requests_total",
            "Requests answered, by status code.",
        );
        for ((_, code), count) in CODES.iter().zip(&ANSWERED) {
            // A code never sent is no series; 200 is always there, so that the family has a sample.
            if count.load() > 0 || *code == "200" {
                family.sample(&[("code", code)], count.load());
            }
        }
        Ok(())
    }
}

/// The slots of the servers that run.
static SERVERS: Mutex<Vec<Weak<[Slot]>>> = Mutex::new(Vec::new());

fn lock() -> std::sync::MutexGuard<'static, Vec<Weak<[Slot]>>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the connections of these slots from now on, until the slots are gone.
pub(super) fn watch(slots: &Arc<[Slot]>) {
    let mut servers = lock();
    servers.retain(|slots| slots.strong_count() > 0);
    servers.push(Arc::downgrade(slots));
}

/// Keeps the books of a server.
#[derive(Debug)]
pub(super) struct Books {
    /// Collectors fail at every scrape or not at all; the log need not repeat it.
    complained: AtomicBool,
}

impl Books {
    pub(super) const fn new() -> Self {
        Self { complained: AtomicBool::new(false) }
    }
}

impl Observer for Books {
    fn answered(&self, answered: &Answered) {
        let at = CODES.iter().position(|(code, _)| *code == answered.status).unwrap_or(CODES.len() - 1);
        ANSWERED[at].add(1);
        BYTES.inc_by(answered.bytes);
        if answered.scrape && answered.complete {
            SCRAPES.observe(answered.took.as_secs_f64());
        }
    }

    fn collector_failed(&self, collector: &'static str, why: &dyn fmt::Display) {
        if self.complained.swap(true, Relaxed) {
            log::debug!("collector {collector}: {why}");
        } else {
            log::warn!("collector {collector}: {why}; further failures are counted and logged as debug");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::http::reason;

    #[test]
    fn every_code_that_is_sent_is_counted_as_itself() {
        let known = |status: u16| CODES.iter().any(|(code, _)| *code == status);
        for status in (100..600).filter(|status| reason(*status) != reason(500)) {
            assert!(known(status), "{status}");
        }
        assert!(known(500));
        assert!(CODES.iter().all(|(code, text)| code.to_string() == *text));
    }
}
