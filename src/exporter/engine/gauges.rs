//! Files of procfs with one number in each, which a gauge shows.

use super::dir::{ATTRIBUTE, Dir};
use super::parse::unsigned;
use super::problem::Problem;
use crate::text::{Kind, Page};

/// A file, and the name and the help of its gauge.
pub(crate) type Gauge = (&'static str, &'static str, &'static str);

/// Shows them. One that cannot be read is left out alone; the first problem is told.
pub(crate) fn show(procfs: &Dir, gauges: &[Gauge], page: &mut Page<'_>) -> Result<(), Problem> {
    let mut result = Ok(());
    for (file, name, help) in gauges {
        let mut text = [0; ATTRIBUTE];
        let number = procfs
            .held_told(file, &mut text)
            .and_then(|text| unsigned(text).ok_or_else(|| Problem::malformed(*file)));
        match number {
            Ok(number) => page.family(Kind::Gauge, name, help).sample(&[], number),
            Err(problem) => result = result.and(Err(problem)),
        }
    }
    result
}
