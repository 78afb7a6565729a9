//! The samples of all files, in buffers that are kept.

use core::ops::Range;
use std::vec::Vec;

use crate::exporter::engine::seen::Index;
use crate::text::{Kind, Number};

/// A piece of text in the store.
pub(super) type Text = Range<u32>;

/// What the files hold together.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) text: Vec<u8>,
    pub(super) families: Vec<Family>,
    pub(super) samples: Vec<Sample>,
    pub(super) labels: Vec<(Text, Text)>,
    /// The families of the file that is being read, by the marks of their names.
    pub(super) index: Index,
}

/// A family as one file has it.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) name: Text,
    pub(super) help: Option<Text>,
    /// None as long as neither a TYPE line nor a sample has decided it.
    pub(super) kind: Option<Kind>,
    /// The file, by its number.
    pub(super) file: u32,
    pub(super) samples: u32,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Its place among the families, or [`NO_FAMILY`].
    pub(super) family: u32,
    pub(super) line: u32,
    pub(super) role: Role,
    /// Its labels, by their places; sorted by name, without those that are empty, `le` and `quantile`.
    pub(super) labels: Range<u32>,
    pub(super) value: Number,
    /// Tells the series of different families and labels apart.
    pub(super) series: u64,
}

/// In the place of the family of a sample that is left out.
pub(super) const NO_FAMILY: u32 = u32::MAX;

/// What a line says of its family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    Value,
    Bucket(f64),
    Quantile(f64),
    Sum,
    Count,
}

/// How far a store was filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    text: usize,
    families: usize,
    samples: usize,
    labels: usize,
}

impl Store {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.families.clear();
        self.samples.clear();
        self.labels.clear();
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            text: self.text.len(),
            families: self.families.len(),
            samples: self.samples.len(),
            labels: self.labels.len(),
        }
    }

    /// Forgets what came after a mark.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.text.truncate(mark.text);
        self.families.truncate(mark.families);
        self.samples.truncate(mark.samples);
        self.labels.truncate(mark.labels);
    }

    pub(super) fn samples_since(&mut self, mark: Mark) -> &mut [Sample] {
        self.samples.get_mut(mark.samples..).unwrap_or_default()
    }

    pub(super) fn keep(&mut self, text: &str) -> Text {
        let begin = self.text.len();
        self.text.extend_from_slice(text.as_bytes());
        begin as u32..self.text.len() as u32
    }

    pub(super) fn get(&self, text: &Text) -> &str {
        let bytes = self.text.get(text.start as usize..text.end as usize).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    pub(super) fn labels_of(&self, sample: &Sample) -> &[(Text, Text)] {
        self.labels.get(sample.labels.start as usize..sample.labels.end as usize).unwrap_or_default()
    }
}

impl Sample {
    /// Tells the lines of all series apart. Equal keys are equal ones: they have 64 bits.
    pub(super) fn key(&self) -> u64 {
        let (role, bound) = self.role.order();
        // An odd factor: two bounds of one series never become the same.
        self.series ^ (bound ^ u64::from(role)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Role {
    /// A number for sorting: buckets and quantiles by their bounds, then sum and count.
    pub(super) fn order(self) -> (u8, u64) {
        // Bits of floats sort as the floats do if negative ones are turned over.
        let bits = |bound: f64| {
            let bits = (bound + 0.0).to_bits();
            if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
        };
        match self {
            Self::Value => (0, 0),
            Self::Bucket(bound) | Self::Quantile(bound) => (1, bits(bound)),
            Self::Sum => (2, 0),
            Self::Count => (3, 0),
        }
    }
}
