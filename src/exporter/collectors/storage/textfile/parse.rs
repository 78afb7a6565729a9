//! The text format 0.0.4 as it stands in files. Source: Prometheus documentation, "Exposition formats", text-based format.
//!
//! It is read strictly: what is wrong in one line makes the whole file worth nothing, because a file that is half
//! written looks like that.

use super::store::{Family, NO_FAMILY, Role, Sample, Store, Text};
use super::value::{count, float, kind, number};
use crate::exporter::engine::parse::signed;
use crate::exporter::engine::seen::mark;
use crate::text::name::{is_classic_label, is_classic_metric};
use crate::text::{Kind, Number};

/// The longest line that is read, in bytes.
pub(crate) const LONGEST_LINE: usize = 64 << 10;

/// So many labels can a sample have.
pub(crate) const MOST_LABELS: usize = 64;

/// What is wrong with a file, and in which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) what: &'static str,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "line {}: {}", self.line, self.what)
    }
}

/// Adds the samples of a file to a store, or nothing if something is wrong with it. A series that stands there twice is
/// no reason for that: the first of its lines counts, and the first that does not is given. `keys` is a buffer.
pub(super) fn parse(
    bytes: &[u8],
    file: u32,
    store: &mut Store,
    keys: &mut std::vec::Vec<(u64, u32)>,
) -> Result<Option<Fault>, Fault> {
    let before = store.mark();
    store.index.clear();
    let mut reader = Reader { store, file, current: None, line: 0 };
    match reader.read(bytes) {
        Ok(()) => Ok(leave_out_doubles(store.samples_since(before), keys)),
        Err(fault) => {
            store.back_to(before);
            Err(fault)
        }
    }
}

fn leave_out_doubles(samples: &mut [Sample], keys: &mut std::vec::Vec<(u64, u32)>) -> Option<Fault> {
    keys.clear();
    keys.extend((0..).zip(&*samples).map(|(at, sample)| (sample.key(), at)));
    keys.sort_unstable();
    let mut lines = None;
    for pair in keys.windows(2) {
        let &[(before, _), (key, at)] = pair else { continue };
        if let Some(sample) = samples.get_mut(at as usize).filter(|_| before == key) {
            sample.family = NO_FAMILY;
            lines = Some(lines.unwrap_or(sample.line).min(sample.line));
        }
    }
    lines.map(|line| Fault { line: line as usize, what: "it is left out: its series stands above" })
}

struct Reader<'s> {
    store: &'s mut Store,
    file: u32,
    /// The family of the line before, which is most likely that of the next.
    current: Option<usize>,
    line: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let text = match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
                return Err(Fault { line, what: "it is not UTF-8" });
            }
        };
        let mut rest = text;
        while !rest.is_empty() {
            self.line += 1;
            let result = match rest.split_once('\n') {
                None => Err("it ends within the line: perhaps it is being written"),
                Some((line, _)) if line.len() > LONGEST_LINE => Err("it is too long"),
                Some((line, left)) => {
                    rest = left;
                    self.line(line)
                }
            };
            result.map_err(|what| Fault { line: self.line, what })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Read<()> {
        let line = skip_blanks(line);
        match line.strip_prefix('#') {
            Some(comment) => self.comment(skip_blanks(comment)),
            None if line.is_empty() => Ok(()),
            None => self.sample(line),
        }
    }

    /// `HELP name text`, `TYPE name kind`, or anything else.
    fn comment(&mut self, comment: &str) -> Read<()> {
        let (keyword, rest) = word(comment);
        let is_help = match keyword {
            "HELP" => true,
            "TYPE" => false,
            _ => return Ok(()),
        };
        let (name, rest) = word(skip_blanks(rest));
        if name.is_empty() {
            return Ok(());
        }
        if !is_classic_metric(name) {
            return Err("there is no name after HELP or TYPE");
        }
        let rest = skip_blanks(rest);
        if rest.is_empty() {
            return Ok(());
        }
        let at = self.family(name);
        if is_help {
            let help = self.unescaped(rest, false)?;
            let Some(family) = self.store.families.get_mut(at) else { return Ok(()) };
            if family.help.is_some() {
                return Err("a second HELP for the same name");
            }
            family.help = Some(help);
        } else {
            let kind =
                kind(rest).ok_or("an unknown TYPE: there are counter, gauge, histogram, summary, untyped")?;
            let Some(family) = self.store.families.get_mut(at) else { return Ok(()) };
            if family.kind.is_some() {
                return Err("a second TYPE for the same name, or one after its samples");
            }
            family.kind = Some(kind);
        }
        Ok(())
    }

    /// `name{label="value"} 1.5`
    fn sample(&mut self, line: &str) -> Read<()> {
        let end =
            line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        if !is_classic_metric(name) {
            return Err("it begins with no name of a metric");
        }
        let (at, suffix) = self.family_of_sample(name);
        let kind = match self.store.families.get_mut(at) {
            Some(family) => {
                family.samples += 1;
                *family.kind.get_or_insert(Kind::Unknown)
            }
            None => Kind::Unknown,
        };
        let first = self.store.labels.len();
        let mut bound = None;
        let after_name = skip_blanks(rest);
        let value = match after_name.strip_prefix('{') {
            Some(labels) => {
                let bound_name = match kind {
                    Kind::Histogram => "le",
                    Kind::Summary => "quantile",
                    _ => "",
                };
                self.labels(labels, first, bound_name, &mut bound)?
            }
            None if after_name.len() == rest.len() => {
                return Err("there is no blank or brace after the name");
            }
            None => after_name,
        };
        let (value, rest) = word(skip_blanks(value));
        let mut value = number(value).ok_or("the value is not a number")?;
        let rest = skip_blanks(rest);
        if !rest.is_empty() {
            return Err(if signed(rest.as_bytes()).is_some() {
                "there is a time after the value, which files may not have"
            } else {
                "something follows the value"
            });
        }
        let role = match (kind, suffix, bound) {
            (Kind::Histogram, "_bucket", Some(bound)) => Role::Bucket(bound),
            (Kind::Summary, "", Some(bound)) => Role::Quantile(bound),
            (Kind::Histogram | Kind::Summary, "_sum", None) => Role::Sum,
            (Kind::Histogram | Kind::Summary, "_count", None) => Role::Count,
            (Kind::Histogram, ..) => {
                return Err("a histogram has buckets with le, and _sum and _count without");
            }
            (Kind::Summary, ..) => {
                return Err("a summary has values with quantile, and _sum and _count without");
            }
            _ => Role::Value,
        };
        if matches!(role, Role::Bucket(_) | Role::Count) {
            value = Number::Unsigned(count(value).ok_or("a count is a whole number from 0 up")?);
        }
        self.push(at, role, first, value)
    }

    fn push(&mut self, at: usize, role: Role, first: usize, value: Number) -> Read<()> {
        let Store { text, labels, families, samples, .. } = &mut *self.store;
        let text = text.as_slice();
        let slice = |range: &Text| text.get(range.start as usize..range.end as usize).unwrap_or_default();
        let own = labels.get_mut(first..).unwrap_or_default();
        own.sort_unstable_by(|a, b| slice(&a.0).cmp(slice(&b.0)));
        if own.windows(2).any(|pair| matches!(pair, [a, b] if slice(&a.0) == slice(&b.0))) {
            return Err("a label stands in the line twice");
        }
        // An empty label is none.
        let mut kept = first;
        for at in first..labels.len() {
            if let Some(label) = labels.get(at).filter(|label| !label.1.is_empty()).cloned() {
                if let Some(place) = labels.get_mut(kept) {
                    *place = label;
                    kept += 1;
                }
            }
        }
        labels.truncate(kept);
        let name = families.get(at).map(|family| slice(&family.name)).unwrap_or_default();
        let mut texts = [&b""[..]; 2 * MOST_LABELS + 1];
        texts[0] = name;
        let mut length = 1;
        for (pair, label) in texts[1..].chunks_exact_mut(2).zip(labels.get(first..).unwrap_or_default()) {
            pair.copy_from_slice(&[slice(&label.0), slice(&label.1)]);
            length += 2;
        }
        let series = mark(texts.get(..length).unwrap_or_default());
        let labels = first as u32..kept as u32;
        samples.push(Sample { family: at as u32, line: self.line as u32, role, labels, value, series });
        Ok(())
    }

    /// Reads labels up to the closing brace; what follows it.
    fn labels<'t>(
        &mut self,
        text: &'t str,
        first: usize,
        bound_name: &str,
        bound: &mut Option<f64>,
    ) -> Read<&'t str> {
        let mut rest = skip_blanks(text);
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                return Ok(after);
            }
            let (name, after) = rest.split_once('=').ok_or("there is no = after the name of a label")?;
            let name = name.trim_end_matches(BLANKS);
            if !is_classic_label(name) {
                return Err("that is no name of a label");
            }
            if name == "__name__" {
                return Err("the label __name__ cannot be given");
            }
            let after = skip_blanks(after)
                .strip_prefix('"')
                .ok_or("the value of a label begins with a quotation mark")?;
            let end = closing(after).ok_or("the value of a label has no end")?;
            let value = after.get(..end).unwrap_or_default();
            if name == bound_name {
                let read =
                    float(value).filter(|value| !value.is_nan()).ok_or("le or quantile is not a number")?;
                if bound.replace(read).is_some() {
                    return Err("a label stands in the line twice");
                }
            } else {
                if self.store.labels.len() - first == MOST_LABELS {
                    return Err("there are too many labels");
                }
                let name = self.store.keep(name);
                let value = self.unescaped(value, true)?;
                self.store.labels.push((name, value));
            }
            rest = skip_blanks(after.get(end + 1..).unwrap_or_default());
            match rest.strip_prefix(',') {
                Some(after) => rest = skip_blanks(after),
                None if rest.starts_with('}') => {}
                None => return Err("there is neither a comma nor a brace after a label"),
            }
        }
    }

    /// The family with just this name, made if the file has none yet.
    fn family(&mut self, name: &str) -> usize {
        if let Some(at) = self.find(name) {
            return at;
        }
        self.store.index.insert(mark(&[name.as_bytes()]), self.store.families.len());
        let name = self.store.keep(name);
        self.store.families.push(Family { name, help: None, kind: None, file: self.file, samples: 0 });
        let at = self.store.families.len() - 1;
        self.current = Some(at);
        at
    }

    /// The family that a sample belongs to, and what its name adds to that of the family.
    fn family_of_sample<'n>(&mut self, name: &'n str) -> (usize, &'n str) {
        if let Some(at) = self.find(name) {
            return (at, "");
        }
        for suffix in ["_bucket", "_sum", "_count"] {
            let Some(base) = name.strip_suffix(suffix) else { continue };
            let Some(at) = self.find(base) else { continue };
            let kind = self.store.families.get(at).and_then(|family| family.kind);
            if kind == Some(Kind::Histogram) || (kind == Some(Kind::Summary) && suffix != "_bucket") {
                return (at, name.get(base.len()..).unwrap_or_default());
            }
        }
        (self.family(name), "")
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        let at = match self.current.filter(|at| self.is(*at, name)) {
            Some(at) => at,
            None => self.store.index.get(mark(&[name.as_bytes()]))?,
        };
        self.current = Some(at);
        Some(at)
    }

    fn is(&self, at: usize, name: &str) -> bool {
        self.store.families.get(at).is_some_and(|family| self.store.get(&family.name) == name)
    }

    /// Text without its escapes: `\\`, `\n`, and in labels `\"`.
    fn unescaped(&mut self, text: &str, in_label: bool) -> Read<Text> {
        let begin = self.store.text.len() as u32;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\\') {
            self.store.keep(before);
            let (character, left) = match after.as_bytes().first() {
                Some(b'\\') => ("\\", 1),
                Some(b'n') => ("\n", 1),
                Some(b'"') if in_label => ("\"", 1),
                _ => return Err("a backslash with something else than \\, n or, in labels, \" after it"),
            };
            self.store.keep(character);
            rest = after.get(left..).unwrap_or_default();
        }
        self.store.keep(rest);
        Ok(begin..self.store.text.len() as u32)
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(BLANKS)
}

/// Splits before the first blank.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(BLANKS).unwrap_or(text.len()))
}

/// Where the quotation mark stands that ends a label's value.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests;
