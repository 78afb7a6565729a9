//! Tables of the kernel with a column for each processor: `/proc/interrupts`, `/proc/softirqs`.

use std::vec::Vec;

use crate::exporter::engine::parse::{fields, split_once, trim, unsigned};

/// The processors that have columns, from the header `CPU0 CPU2`. Columns of any other name, and of processors out of
/// order, get none.
pub(super) fn processors(header: &[u8], into: &mut Vec<u64>) {
    into.clear();
    let mut next = 0;
    into.extend(fields(header).map(|field| {
        let number = field.strip_prefix(b"CPU").and_then(unsigned).filter(|number| *number >= next);
        match number {
            Some(number) if number < NO_PROCESSOR => {
                next = number + 1;
                number
            }
            _ => NO_PROCESSOR,
        }
    }));
}

/// Stands for a column without a processor.
pub(super) const NO_PROCESSOR: u64 = u64::MAX;

/// A line of such a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) name: &'a [u8],
    /// What follows the colon.
    rest: &'a [u8],
}

impl<'a> Row<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let (name, rest) = split_once(line, b':')?;
        let name = trim(name);
        (!name.is_empty()).then_some(Self { name, rest })
    }

    /// The counts of processors; what is no number is left out.
    pub(super) fn counts<'c>(&self, processors: &'c [u64]) -> impl Iterator<Item = (u64, u64)> + use<'a, 'c> {
        let known = processors.iter().zip(fields(self.rest)).filter(|(cpu, _)| **cpu != NO_PROCESSOR);
        known.filter_map(|(cpu, count)| Some((*cpu, unsigned(count)?)))
    }

    /// Whether each column holds a count, and words follow.
    pub(super) fn is_described(&self, processors: &[u64]) -> bool {
        let mut fields = fields(self.rest);
        processors.iter().all(|_| fields.next().and_then(unsigned).is_some()) && fields.next().is_some()
    }

    /// The words after the counts.
    pub(super) fn words(&self, processors: &[u64]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        fields(self.rest).skip(processors.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_header() {
        let mut cpus = Vec::new();
        processors(b"   CPU0  CPU2 x CPU1 CPU18446744073709551615 CPU3", &mut cpus);
        assert_eq!(cpus, [0, 2, NO_PROCESSOR, NO_PROCESSOR, NO_PROCESSOR, 3]);
        let row = Row::parse(b" 7:  1 2 3 4 5 6 a  b").unwrap();
        assert_eq!(row.name, b"7");
        assert!(row.counts(&cpus).eq([(0, 1), (2, 2), (3, 6)]));
        assert!(row.words(&cpus).eq([b"a", b"b"]));
        assert!(Row::parse(b"ERR: 0").unwrap().counts(&cpus).eq([(0, 0)]));
        assert_eq!((Row::parse(b"x"), Row::parse(b" : 1")), (None, None));
    }
}
