//! `rate_limit`: how many requests are answered.

use std::format;
use std::vec::Vec;

use super::fault::{Fault, Warning};
use super::walk::{At, Section, Walk};
use super::yaml::Id;
use crate::web_config::rate_limit::Rate;

pub(super) const FIELD: &str = "rate_limit";
pub(super) const NAMES: &[&str] = &["interval", "burst"];

const INTERVAL: &str = "rate_limit.interval";
const BURST: &str = "rate_limit.burst";

#[derive(Debug, Default)]
pub(super) struct Limits {
    interval: Option<At<(i64, bool)>>,
    burst: Option<At<i64>>,
}

impl<'t> Section<'t> for Limits {
    fn path(&self) -> &'static str {
        FIELD
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn set(&mut self, walk: &mut Walk<'t>, name: &'static str, _: u32, value: Id) {
        if name == "interval" {
            self.interval = walk.duration(value, INTERVAL).unwrap_or_default();
        } else {
            self.burst = walk.integer(value, BURST).unwrap_or_default();
        }
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Limits {
    pub(super) fn settle(self, faults: &mut Vec<Fault>, warnings: &mut Vec<Warning>) -> Rate {
        let Some(At { value: (interval, bare), line }) = self.interval else { return Rate::OFF };
        if bare && interval != 0 {
            let problem =
                format!("a number without unit means nanoseconds; write {interval}ns, or another unit");
            warnings.push(Fault::new(line, INTERVAL, problem));
        }
        let At { value: burst, line } = self.burst.unwrap_or(At { value: 0, line });
        // What stands there may have been told already.
        let told = faults.iter().any(|fault| fault.field == BURST);
        if interval > 0 && burst < 1 && !told {
            // The reference starts, and then answers 429 to everything.
            let problem = "must be at least 1 when interval is set, else no request is ever answered";
            faults.push(Fault::new(line, BURST, problem));
        }
        Rate { interval_ns: interval, burst }
    }
}
