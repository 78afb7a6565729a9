//! What the TLS side of the servers of this process says of itself.

use super::failure::{Failure, REASONS};
use crate::cell::Cell64;
use crate::text::{Kind, Page};
use crate::{Collect, CollectError, Collector, Counter, Gauge, Registry};

/// The metrics of all TLS servers in this process together.
pub(crate) static TLS_METRICS: Registry =
    Registry::new(&[&HANDSHAKES, &RELOADS, &RELOAD_FAILURES, &NOT_AFTER]).collecting(&[&FAILURES]);

pub(super) static HANDSHAKES: Counter =
    Counter::new("scrapeport_tls_handshakes_total", "TLS handshakes that were completed.");

pub(super) static RELOADS: Counter = Counter::new(
    "scrapeport_tls_reloads_total",
    "Times that certificates or keys were read again because a file had changed.",
);

static RELOAD_FAILURES: Counter = Counter::new(
    "scrapeport_tls_reload_failures_total",
    "Times that certificates or keys had changed and could not be used.",
);

pub(super) static NOT_AFTER: Gauge = Gauge::new(
    "scrapeport_tls_certificate_not_after_seconds",
    "When the certificate in use expires, in seconds since 1970.",
);

static FAILED: [Cell64; REASONS.len()] = [const { Cell64::new(0) }; REASONS.len()];

static FAILURES: Collector<Failures> =
    Collector::new("tls", &["scrapeport_tls_handshake_failures_total"], Failures);

struct Failures;

impl Collect for Failures {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut family = page.family(
            Kind::Counter,
            "scrapeport_tls_handshake_failures_total",
            "TLS handshakes that failed, by reason.",
        );
        for (reason, count) in REASONS.iter().zip(&FAILED) {
            family.sample(&[("reason", reason)], count.load());
        }
        Ok(())
    }
}

/// Counts that what a file holds now cannot be used.
pub(crate) fn reload_failed() {
    RELOAD_FAILURES.inc();
}

/// Counts a failure, and logs it where that is of use. Strangers can fail at will, so it is no warning.
pub(super) fn handshake_failed(failure: Failure) {
    FAILED[failure as usize].add(1);
    log::debug!("a TLS handshake failed: {}", failure.reason());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_reason() {
        let page = || TLS_METRICS.to_text(crate::text::Format::default());
        let series = "scrapeport_tls_handshake_failures_total{reason=\"no_application_protocol\"} ";
        let count = |page: &str| -> u64 {
            let line = page.lines().find_map(|line| line.strip_prefix(series)).unwrap();
            line.parse().unwrap()
        };
        let before = count(&page());
        handshake_failed(Failure::NoApplicationProtocol);
        // Others may fail at the same time, in other tests.
        assert!(count(&page()) > before);
        for reason in REASONS {
            assert!(page().contains(&std::format!("failures_total{{reason=\"{reason}\"}} ")), "{reason}");
        }
    }
}
