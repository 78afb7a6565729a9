//! What is to be known of the web configuration file while a server follows it.

use crate::server::SERVER_METRICS;
use crate::tls::TLS_METRICS;
use crate::{Counter, Gauge, Registry};

/// What a server with such a file shows of itself.
pub(super) static METRICS: Registry = Registry::new(&[&READ_FAILURES, &LAST_READ_SUCCESSFUL, &BCRYPT_ROUNDS])
    .including(&[&SERVER_METRICS, &TLS_METRICS]);

pub(super) static READ_FAILURES: Counter = Counter::new(
    "scrapeport_web_config_read_failures_total",
    "Times that the web configuration file had changed and could not be followed.",
);

pub(super) static LAST_READ_SUCCESSFUL: Gauge = Gauge::new(
    "scrapeport_web_config_last_read_successful",
    "Whether the web configuration file as it is can be followed.",
);

pub(super) static BCRYPT_ROUNDS: Counter = Counter::new(
    "scrapeport_web_config_bcrypt_rounds_total",
    "Work spent on passwords that were not remembered: two to the power of the cost for each.",
);
