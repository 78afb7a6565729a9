//! Exemplars: one observed example beside a counter or a bucket, in fixed storage.
//!
//! Source: OpenMetrics 1.0.0, Exemplars. Only that format shows them.

use core::fmt::{self, Write};
use core::sync::atomic::Ordering::Relaxed;

use crate::cell::{AtomicUsize, Cell64};
use crate::clock;
use crate::metric::Sealed;
use crate::text::name::is_classic_label;
use crate::text::{Line, Number};
use crate::words::{CHUNK, Sequence, Words};

const CHUNKS: usize = 6;

/// The longest exemplar: 128 characters of label names and values together, as OpenMetrics limits them.
pub const EXEMPLAR_LIMIT: usize = 128;

/// Whether a counter or histogram keeps exemplars: [`NoExemplar`] (nothing stored) or [`Exemplar`].
pub trait ExemplarStore: Sync + Sealed + 'static {
    #[doc(hidden)]
    const KEEPS: bool;
    #[doc(hidden)]
    const NEW: Self;

    #[doc(hidden)]
    fn write(&self, line: Line<'_, '_>, value: Number);

    #[doc(hidden)]
    fn clear(&self);
}

/// Keeps no exemplar and takes no space.
#[derive(Debug)]
pub struct NoExemplar;

impl Sealed for NoExemplar {}

impl ExemplarStore for NoExemplar {
    const KEEPS: bool = false;
    const NEW: Self = Self;

    #[inline]
    fn write(&self, line: Line<'_, '_>, value: Number) {
        line.value(value);
    }

    #[inline]
    fn clear(&self) {}
}

/// Keeps the newest exemplar.
#[derive(Debug)]
pub struct Exemplar {
    sequence: Sequence,
    length: AtomicUsize,
    labels: Words<CHUNKS>,
    observed: Cell64,
    seconds: Cell64,
}

impl Sealed for Exemplar {}

impl Exemplar {
    pub(crate) const fn new() -> Self {
        Self {
            sequence: Sequence::new(),
            length: AtomicUsize::new(0),
            labels: Words::new(),
            observed: Cell64::new(0),
            seconds: Cell64::new(0),
        }
    }

    /// Keeps an exemplar; false if its labels are too long or no labels, or another thread is storing one just now.
    pub(crate) fn store(&self, labels: &[(&str, &str)], observed: f64) -> bool {
        let characters: usize =
            labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if characters > EXEMPLAR_LIMIT || !labels.iter().all(|(name, _)| is_classic_label(name)) {
            return false;
        }
        let mut text = Text { bytes: [0; CHUNKS * CHUNK], length: 0 };
        if text.labels(labels).is_err() || !self.sequence.try_begin_write() {
            return false;
        }
        self.labels.store(&text.bytes[..text.length]);
        self.length.store(text.length, Relaxed);
        self.observed.store_f64(observed);
        self.seconds.store_f64(clock::now());
        self.sequence.end_write();
        true
    }
}

impl ExemplarStore for Exemplar {
    const KEEPS: bool = true;
    const NEW: Self = Self::new();

    fn write(&self, line: Line<'_, '_>, value: Number) {
        let mut text = [0; CHUNKS * CHUNK];
        if let Some(begun) = self.sequence.begin() {
            let length = self.length.load(Relaxed).min(text.len());
            self.labels.load(length, &mut text);
            let (observed, seconds) = (self.observed.load_f64(), self.seconds.load_f64());
            if self.sequence.unchanged(begun) {
                return line.value_with_exemplar(value, &text[..length], observed, seconds);
            }
        }
        line.value(value);
    }

    fn clear(&self) {
        if self.sequence.try_begin_write() {
            self.sequence.end_write_empty();
        }
    }
}

/// Exposition text of labels, in fixed storage.
struct Text {
    bytes: [u8; CHUNKS * CHUNK],
    length: usize,
}

impl Text {
    fn labels(&mut self, labels: &[(&str, &str)]) -> fmt::Result {
        for (at, (name, value)) in labels.iter().enumerate() {
            write!(self, "{}{name}=\"", if at == 0 { "" } else { "," })?;
            for character in value.chars() {
                match character {
                    '\n' => self.write_str("\\n")?,
                    '"' => self.write_str("\\\"")?,
                    '\\' => self.write_str("\\\\")?,
                    _ => self.write_char(character)?,
                }
            }
            self.write_str("\"")?;
        }
        Ok(())
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
