//! Which chips and files there are: found at every scrape, because drivers come and go.

use core::ops::Range;
use std::io::Write;
use std::vec::Vec;

use rustix::io::Errno;

use super::place::{Clean, NOTHING, Place, cleaned};
use super::sensor::FileName;
use crate::exporter::engine::dir::ATTRIBUTE;
use crate::exporter::engine::filter::Filter;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::path::{joined, pieces};
use crate::exporter::engine::patience::Batch;

pub(super) const CLASS: &[u8] = b"class/hwmon/";

/// So many chips are looked at. Large servers have some dozens.
const MOST_CHIPS: usize = 1024;

/// So many files of all chips are read. A chip with many has some hundreds.
const MOST_FILES: usize = 65_536;

/// Buffers for one scrape.
#[derive(Debug, Default)]
pub(super) struct Plan {
    texts: Names,
    pub(super) chips: Vec<Chip>,
    files: Vec<File>,
    /// `CHIP;SENSOR`.
    filtered: Vec<u8>,
}

/// A chip. Its texts are numbers into [`Plan::texts`].
#[derive(Debug)]
pub(super) struct Chip {
    directory: usize,
    /// What it is called after its place, and what its driver calls it.
    base: usize,
    said: usize,
    label: usize,
    has_device: bool,
    files: Range<usize>,
}

/// A file, and the question about it.
#[derive(Debug)]
pub(super) struct File {
    name: usize,
    in_device: bool,
    question: usize,
}

impl Plan {
    /// Finds the chips and how they are called.
    pub(super) fn find_chips(&mut self, machine: &Machine, directories: &Names) {
        self.texts.clear();
        self.chips.clear();
        self.files.clear();
        for directory in directories.iter().take(MOST_CHIPS) {
            self.find_chip(machine, directory);
        }
        for at in 0..self.chips.len() {
            let label = self.label_of(at);
            if let Some(chip) = self.chips.get_mut(at) {
                chip.label = label;
            }
        }
    }

    fn find_chip(&mut self, machine: &Machine, directory: &[u8]) {
        let mut room = [0; 512];
        let mut place = Place::new(CLASS);
        match machine.sysfs.link(pieces(&[CLASS, directory]), &mut room) {
            Ok(target) => place.go(target),
            // Not a link: a directory.
            Err(Errno::INVAL) => place.go(directory),
            Err(_) => return,
        }
        let mut text = NOTHING;
        let own = cleaned(place.last_two().1, &mut text);
        let own = keep(&mut self.texts, own.as_bytes());
        let has_device = match machine.sysfs.link(pieces(&[CLASS, directory, b"/device"]), &mut room) {
            Ok(target) => {
                place.go(target);
                true
            }
            Err(Errno::INVAL) => {
                place.go(b"device");
                true
            }
            Err(_) => false,
        };
        // The kernel answers this itself, without its driver: it is read in place.
        let mut said = [0; ATTRIBUTE];
        let said =
            machine.sysfs.attribute(pieces(&[CLASS, directory, b"/name"]), &mut said).unwrap_or_default();
        let mut text = NOTHING;
        let said = cleaned(said, &mut text);
        let (above, device) = place.last_two();
        let (mut above_room, mut device_room) = (NOTHING, NOTHING);
        let above = cleaned(above, &mut above_room);
        let device = cleaned(device, &mut device_room);
        let said_at = keep(&mut self.texts, said.as_bytes());
        let base = if has_device && !device.is_empty() {
            let underscore: &[u8] = if above.is_empty() { b"" } else { b"_" };
            let base = joined(&[above.as_bytes(), underscore, device.as_bytes()]);
            keep(&mut self.texts, base.as_ref())
        } else if said.is_empty() {
            own
        } else {
            said_at
        };
        let directory = keep(&mut self.texts, directory);
        let files = 0..0;
        self.chips.push(Chip { directory, base, said: said_at, label: base, has_device, files });
    }

    /// What a chip is called on the page. Several on one device are told apart by what their drivers call them, else
    /// by their directories.
    fn label_of(&mut self, at: usize) -> usize {
        let Some(chip) = self.chips.get(at) else { return 0 };
        let (base, said) = (self.text(chip.base), self.text(chip.said));
        let of_base = || self.chips.iter().filter(|other| self.text(other.base) == base);
        if of_base().nth(1).is_none() {
            return chip.base;
        }
        let mut room: Clean = NOTHING;
        let by_name =
            !said.is_empty() && of_base().filter(|other| self.text(other.said) == said).nth(1).is_none();
        let suffix = if by_name { said } else { cleaned(self.text(chip.directory), &mut room).as_bytes() };
        let label = joined(&[base, b"_", suffix]);
        keep(&mut self.texts, label.as_ref())
    }

    /// Finds the files of the chips that are shown, and asks for those of the sensors that are shown.
    pub(super) fn ask(
        &mut self,
        machine: &Machine,
        (chips, sensors): (&Filter, &Filter),
        names: &mut Names,
        batch: &mut Batch,
    ) {
        for at in 0..self.chips.len() {
            let begin = self.files.len();
            let Some(chip) = self.chips.get(at) else { continue };
            if chips.takes(self.label(chip)) {
                let (directory, has_device) = (chip.directory, chip.has_device);
                self.find_files(machine, directory, false, names);
                if has_device {
                    self.find_files(machine, directory, true, names);
                }
                self.sort_and_ask(at, begin, sensors, batch);
            }
            let end = self.files.len();
            if let Some(chip) = self.chips.get_mut(at) {
                chip.files = begin..end;
            }
        }
    }

    fn find_files(&mut self, machine: &Machine, directory: usize, in_device: bool, names: &mut Names) {
        let path = [CLASS, self.text(directory), if in_device { b"/device" } else { b"" }];
        if machine.sysfs.list(pieces(&path), names).is_err() {
            return;
        }
        for name in names.iter().filter(|name| FileName::parse(name).is_some()) {
            if self.files.len() < MOST_FILES {
                let name = keep(&mut self.texts, name);
                self.files.push(File { name, in_device, question: NOT_ASKED });
            }
        }
    }

    /// Sorts the files of a chip from `begin` by sensor and property, those of the device last, and asks for them.
    fn sort_and_ask(&mut self, chip: usize, begin: usize, sensors: &Filter, batch: &mut Batch) {
        let Self { texts, chips, files, filtered } = self;
        let Some(files) = files.get_mut(begin..) else { return };
        let text = |at: usize| texts.get(at).unwrap_or_default();
        let parsed = |file: &File| FileName::parse(text(file.name));
        let order =
            |file: &File| parsed(file).map(|name| (name.kind, name.number, name.property, file.in_device));
        files.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let Some(chip) = chips.get(chip) else { return };
        let mut last = None;
        let mut shown = false;
        for file in files {
            let Some(name) = parsed(file) else { continue };
            if last != Some((name.kind, name.number)) {
                last = Some((name.kind, name.number));
                filtered.clear();
                filtered.extend_from_slice(text(chip.label));
                // Writing to a vector does not fail.
                let _ = write!(filtered, ";{}{}", name.kind, name.number);
                shown = sensors.takes(core::str::from_utf8(filtered).unwrap_or_default());
            }
            if shown {
                let below: &[u8] = if file.in_device { b"/device/" } else { b"/" };
                file.question = batch.ask_attribute(&[CLASS, text(chip.directory), below, text(file.name)]);
            }
        }
    }

    pub(super) fn files(&self, chip: &Chip) -> &[File] {
        self.files.get(chip.files.clone()).unwrap_or_default()
    }

    pub(super) fn label(&self, chip: &Chip) -> &str {
        core::str::from_utf8(self.text(chip.label)).unwrap_or_default()
    }

    /// What its driver calls it; empty if it does not say.
    pub(super) fn said(&self, chip: &Chip) -> &str {
        core::str::from_utf8(self.text(chip.said)).unwrap_or_default()
    }

    pub(super) fn name(&self, file: &File) -> Option<FileName<'_>> {
        FileName::parse(self.text(file.name))
    }

    fn text(&self, at: usize) -> &[u8] {
        self.texts.get(at).unwrap_or_default()
    }
}

/// A question that does not exist has no answer.
const NOT_ASKED: usize = usize::MAX;

impl File {
    /// The answer.
    pub(super) fn text<'b>(&self, batch: &'b Batch) -> Option<&'b [u8]> {
        batch.text(self.question)
    }
}

fn keep(texts: &mut Names, text: &[u8]) -> usize {
    texts.push(text);
    texts.len() - 1
}
