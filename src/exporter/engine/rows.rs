//! Samples that are found device by device and shown family by family.

use core::cmp::Ordering;
use std::vec::Vec;

use crate::resident::{Bytes, clear};
use crate::text::{Kind, Number, Page};

/// The most labels of one sample.
pub(crate) const MOST_LABELS: usize = 20;

/// Samples in the order they were found. [`Rows::write`] shows them grouped by family, families by name, the samples
/// of a family as they were found.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    text: Bytes,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    name: (u32, u32),
    /// Names and values in turn, each with its length in front.
    labels: (u32, u32),
    kind: Kind,
    help: &'static str,
    value: Number,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    /// Clears them and gives their memory back to the system, until it is written to again.
    pub(crate) fn rest(&mut self) {
        self.text.rest();
        clear(&mut self.rows);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a sample. Those of one family must agree in kind and help; the name is put together of its pieces.
    #[inline]
    pub(crate) fn add(
        &mut self,
        kind: Kind,
        name: &[&str],
        help: &'static str,
        labels: &[(&str, &str)],
        value: impl Into<Number>,
    ) {
        self.add_number(kind, name, help, labels, value.into());
    }

    // One piece of code for all kinds of numbers.
    #[inline(never)]
    fn add_number(
        &mut self,
        kind: Kind,
        name: &[&str],
        help: &'static str,
        labels: &[(&str, &str)],
        value: Number,
    ) {
        let Ok(begin) = u32::try_from(self.text.len()) else { return };
        name.iter().for_each(|piece| self.text.extend_from_slice(piece.as_bytes()));
        let middle = self.text.len() as u32;
        for text in labels.iter().take(MOST_LABELS).flat_map(|(name, value)| [name, value]) {
            let length = u16::try_from(text.len()).unwrap_or(0);
            self.text.extend_from_slice(&length.to_ne_bytes());
            self.text.extend_from_slice(text.as_bytes().get(..length.into()).unwrap_or_default());
        }
        if let Ok(end) = u32::try_from(self.text.len()) {
            let (name, labels) = ((begin, middle), (middle, end));
            self.rows.push(Row { name, labels, kind, help, value });
        }
    }

    /// Writes all families. Of several samples with the same name and labels the first is shown.
    pub(crate) fn write(&mut self, page: &mut Page<'_>) {
        let Self { text, rows } = self;
        let text: &[u8] = text;
        // First by their labels too, then within a family as they were found.
        for with_labels in [true, false] {
            rows.sort_unstable_by(|a, b| order(text, a, b, with_labels).then(a.name.cmp(&b.name)));
            if with_labels {
                rows.dedup_by(|b, a| order(text, a, b, true).is_eq());
            }
        }
        for family in rows.chunk_by(|a, b| slice(text, a.name) == slice(text, b.name)) {
            let Some(first) = family.first() else { continue };
            let name = core::str::from_utf8(slice(text, first.name)).unwrap_or_default();
            let mut samples = page.family(first.kind, name, first.help);
            for row in family {
                let mut labels = [("", ""); MOST_LABELS];
                let count = labels_of(slice(text, row.labels), &mut labels);
                samples.sample(labels.get(..count).unwrap_or_default(), row.value);
            }
        }
    }
}

/// By the name, and by the labels.
#[inline(never)]
fn order(text: &[u8], a: &Row, b: &Row, with_labels: bool) -> Ordering {
    let names = slice(text, a.name).cmp(slice(text, b.name));
    if with_labels { names.then_with(|| slice(text, a.labels).cmp(slice(text, b.labels))) } else { names }
}

fn slice(text: &[u8], (begin, end): (u32, u32)) -> &[u8] {
    text.get(begin as usize..end as usize).unwrap_or_default()
}

fn labels_of<'a>(mut text: &'a [u8], into: &mut [(&'a str, &'a str)]) -> usize {
    let mut next = || {
        let (length, rest) = text.split_first_chunk()?;
        let (string, rest) = rest.split_at_checked(u16::from_ne_bytes(*length).into())?;
        text = rest;
        core::str::from_utf8(string).ok()
    };
    let mut count = 0;
    for place in into {
        let (Some(name), Some(value)) = (next(), next()) else { break };
        *place = (name, value);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::engine::testing::page_of;

    #[test]
    fn rows_are_grouped_and_none_is_shown_twice() {
        let mut rows = Rows::default();
        for (family, device, value) in
            [("b", "2", 1_u64), ("a", "9", 2), ("b", "10", 3), ("b", "2", 4), ("a", "", 5), ("b", "1", 6)]
        {
            rows.add(Kind::Gauge, &["x_", family], "Help.", &[("device", device)], value);
        }
        let expected = "# HELP x_a Help.\n# TYPE x_a gauge\nx_a{device=\"9\"} 2\nx_a{device=\"\"} 5\n\
                        # HELP x_b Help.\n# TYPE x_b gauge\nx_b{device=\"2\"} 1\nx_b{device=\"10\"} 3\n\
                        x_b{device=\"1\"} 6\n";
        assert_eq!(page_of(|page| rows.write(page)), expected);
    }
}
