//! What the kernel says of disks, file systems and flash memory, and what others have left in files.

mod diskstats;
mod filesystem;
mod lines;
mod mdadm;
mod mmc;
mod mtd;
mod textfile;
mod ubi;

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] =
    &[&diskstats::ENTRY, &filesystem::ENTRY, &mdadm::ENTRY, &mmc::ENTRY, &mtd::ENTRY, &ubi::ENTRY];

/// What comes after all other collectors.
pub(super) const LAST: &[&Entry] = &[&textfile::ENTRY];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use crate::exporter::engine::testing::Outcome;

    /// Any bytes, or a good text with a few of its bytes changed and some lines doubled.
    pub(super) fn bytes(good: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
        let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
        let changed = (changes, 1..3_usize).prop_map(move |(changes, times)| {
            let mut text = good.repeat(times);
            for (at, byte) in changes {
                let at = at.index(text.len());
                text[at] = byte;
            }
            text
        });
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), changed]
    }

    /// No series and no family stands on a page twice, and every line is one.
    pub(super) fn check(outcome: &Outcome) {
        let mut series = BTreeSet::new();
        let mut families = BTreeSet::new();
        let mut last = "";
        for line in outcome.page.lines() {
            if let Some(header) = line.strip_prefix("# TYPE ") {
                last = header.split(' ').next().unwrap();
                assert!(families.insert(last), "{line}");
            } else if !line.starts_with("# HELP ") {
                let (labels, value) = line.rsplit_once(' ').unwrap();
                assert!(labels.starts_with(last) && series.insert(labels), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
    }
}
