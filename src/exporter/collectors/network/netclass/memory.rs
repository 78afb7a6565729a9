//! What the files of network devices held when they were read last. It is believed as long as rtnetlink tells the same
//! of the device: then hardly anything can have happened to it, and its files need not be opened again. So that nothing is
//! believed for ever, each look reads one file all the same, another one each time.

use std::vec::Vec;

use rustix::io::Errno;

use super::attributes::{FILES, FLAGS, NUMBERS, QUESTIONS, SPEED, among_files, only_in_file};
use crate::exporter::collectors::network::link::Link;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::patience::Answer;
use crate::exporter::engine::seen::mark;

/// The devices in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Memory {
    devices: Vec<Device>,
    /// Counts the looks: which file is read although it is remembered.
    turn: usize,
}

#[derive(Clone, Copy, Debug)]
struct Device {
    /// A mark of its name.
    name: u64,
    /// A mark of what rtnetlink told.
    link: u64,
    files: [File; FILES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Unknown,
    /// The device has no such attribute, or not now.
    Unreadable,
    Text([u8; LONGEST], u8),
}

/// The longest text that is remembered. They are short numbers.
const LONGEST: usize = 16;

impl Memory {
    /// A scrape begins, of so many devices: forgets who is one of them no more.
    pub(super) fn turn(&mut self, names: &Names) {
        self.turn = self.turn.wrapping_add(1);
        let new = |name| Device { name, link: 0, files: [File::Unknown; FILES] };
        self.devices.resize(names.len(), new(0));
        for (device, name) in self.devices.iter_mut().zip(names.iter()) {
            let name = mark(&[name]);
            if device.name != name {
                *device = new(name);
            }
        }
    }

    /// Whether this scrape need not read a file unless rtnetlink tells something new.
    pub(super) fn has(&self, device: usize, place: usize) -> bool {
        let place = among_files(place);
        let is_due = self.turn % (self.devices.len() * FILES).max(1) == device * FILES + place;
        let file = self.devices.get(device).and_then(|device| device.files.get(place));
        !is_due && file.is_some_and(|file| *file != File::Unknown)
    }

    /// What a file holds that was not read in this scrape, for a device of which rtnetlink tells this ([`mark_of`]);
    /// nothing if it cannot be read. `None` if that is not known.
    pub(super) fn recall(&self, device: usize, place: usize, link: u64) -> Option<Option<&[u8]>> {
        let device = self.devices.get(device).filter(|device| device.link == link)?;
        match device.files.get(among_files(place))? {
            File::Unknown => None,
            File::Unreadable => Some(None),
            File::Text(text, length) => text.get(..usize::from(*length)).map(Some),
        }
    }

    /// What the files of a device hold, and what rtnetlink tells of it, with its mark.
    pub(super) fn learn<'a>(
        &mut self,
        device: usize,
        link: Link<'_>,
        mark: u64,
        answer: impl Fn(usize) -> Option<Answer<'a>>,
    ) {
        let Some(device) = self.devices.get_mut(device) else { return };
        device.link = mark;
        for (place, file) in (0..QUESTIONS).filter(|place| only_in_file(*place)).zip(&mut device.files) {
            *file = match answer(place) {
                // Others, as a want of descriptors, say nothing of the device.
                Some(Answer::Failed(Errno::INVAL | Errno::NOENT | Errno::OPNOTSUPP))
                    if stays_unreadable(place, link) =>
                {
                    File::Unreadable
                }
                Some(Answer::Text(text)) if lasts(place, link) => File::of(text),
                _ => File::Unknown,
            };
        }
    }
}

impl File {
    fn of(text: &[u8]) -> Self {
        let mut room = [0; LONGEST];
        let Some(begin) = room.get_mut(..text.len()) else { return Self::Unknown };
        begin.copy_from_slice(text);
        Self::Text(room, text.len() as u8)
    }
}

/// Whether a driver tells it of the link: speed and duplex, of what is in files alone.
fn is_of_link(place: usize) -> bool {
    NUMBERS.get(place).is_none_or(|attribute| attribute.file == SPEED)
}

/// Whether a file holds the same as long as rtnetlink tells the same. What a driver tells of the link does not; and of
/// the flags rtnetlink tells all only since Linux 6.0.
fn lasts(place: usize, link: Link<'_>) -> bool {
    let is_flags = NUMBERS.get(place).is_some_and(|attribute| attribute.file == FLAGS);
    !is_of_link(place) && (!is_flags || link.attribute(ALL_MULTICAST).is_some())
}

/// Whether a file that cannot be read stays so as long as rtnetlink tells the same. What a driver tells of the link cannot
/// be read of a device that is down, nor of the loopback, which has no such driver; but neither while a driver starts its
/// device anew, and that may be over soon.
fn stays_unreadable(place: usize, link: Link<'_>) -> bool {
    !is_of_link(place) || !link.is_up() || link.is_loopback()
}

/// A mark of what rtnetlink tells of the device, but for counters of traffic.
pub(super) fn mark_of(link: Link<'_>) -> u64 {
    let told = STANDING.map(|kind| link.attribute(kind).unwrap_or_default());
    mark(&[link.head(), &mark(&told).to_ne_bytes()])
}

const ALL_MULTICAST: u16 = 61;

/// Address, broadcast address, name, operational state, promiscuity, carrier, and how often that has changed.
const STANDING: [u16; 8] = [1, 2, 3, 16, 30, 33, 35, ALL_MULTICAST];

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::exporter::collectors::network::link::tests::answer;

    const ALL: (u16, &[u8]) = (ALL_MULTICAST, &[0; 4]);

    fn names(all: &[&[u8]]) -> Names {
        let mut names = Names::default();
        all.iter().for_each(|name| names.push(name));
        names
    }

    fn places() -> impl Iterator<Item = usize> {
        (0..QUESTIONS).filter(|place| only_in_file(*place))
    }

    /// What of a device is known after it has been learned with an answer to each question.
    fn known(
        memory: &mut Memory,
        answer: Answer<'static>,
        flags: u32,
        attributes: &[(u16, &[u8])],
    ) -> Vec<bool> {
        let told = self::answer(&[(b"a\0", flags, attributes)]);
        let link = Link::all(&told).next().unwrap();
        memory.learn(0, link, mark_of(link), |_| Some(answer));
        places().map(|place| memory.recall(0, place, mark_of(link)).is_some()).collect()
    }

    #[test]
    fn what_lasts_is_remembered() {
        let mut memory = Memory::default();
        memory.turn(&names(&[b"a"]));
        // The type of the address, the device's number, flags, the type of the name, speed, duplex.
        let text = Answer::Text(b"0x1003");
        assert_eq!(known(&mut memory, text, 1, &[]), [true, true, false, true, false, false]);
        assert_eq!(known(&mut memory, text, 1, &[ALL]), [true, true, true, true, false, false]);
        assert_eq!(known(&mut memory, Answer::Text(&[b'1'; LONGEST + 1]), 1, &[ALL]), [false; FILES]);
        assert_eq!(known(&mut memory, Answer::TimedOut, 1, &[ALL]), [false; FILES]);
        let none = Answer::Failed(Errno::INVAL);
        assert_eq!(known(&mut memory, none, 1, &[]), [true, true, true, true, false, false]);
        // Down, and the loopback.
        for flags in [0, 9] {
            assert_eq!(known(&mut memory, none, flags, &[]), [true; FILES]);
        }
        for passing in [Errno::MFILE, Errno::NOMEM] {
            assert_eq!(known(&mut memory, Answer::Failed(passing), 0, &[]), [false; FILES]);
        }
        known(&mut memory, none, 1, &[]);
        let told = answer(&[(b"a\0", 1, &[])]);
        let link = mark_of(Link::all(&told).next().unwrap());
        assert_eq!(memory.recall(0, 0, link), Some(None));
        known(&mut memory, text, 1, &[]);
        assert_eq!(memory.recall(0, 0, link), Some(Some(&b"0x1003"[..])));
        assert_eq!(memory.recall(1, 0, link), None);
        // Another device in its place.
        memory.turn(&names(&[b"b", b"a"]));
        assert_eq!((memory.recall(0, 0, link), memory.recall(1, 0, link)), (None, None));
    }

    #[test]
    fn what_rtnetlink_tells_anew_is_read_anew() {
        let mut memory = Memory::default();
        memory.turn(&names(&[b"a"]));
        known(&mut memory, Answer::Text(b"1"), 1, &[ALL, (23, b"counters"), (4, &[0; 4])]);
        for (flags, attributes, expected) in [
            (1, &[ALL, (23, &b"others"[..]), (4, &[1; 4])][..], true),
            (2, &[ALL], false),
            (1, &[(ALL_MULTICAST, &[1; 4])], false),
            (1, &[ALL, (1, b"address")], false),
            (1, &[ALL, (16, b"6")], false),
            (1, &[ALL, (35, b"5")], false),
        ] {
            let told = answer(&[(b"a\0", flags, attributes)]);
            let link = mark_of(Link::all(&told).next().unwrap());
            assert_eq!(memory.recall(0, 0, link).is_some(), expected, "{attributes:?}");
        }
    }

    #[test]
    fn each_file_has_its_turn() {
        let mut memory = Memory::default();
        let all = names(&[b"a", b"b", b"c"]);
        memory.turn(&all);
        for (device, name) in [&b"a\0"[..], b"b\0", b"c\0"].into_iter().enumerate() {
            let told = answer(&[(name, 0, &[])]);
            let link = Link::all(&told).next().unwrap();
            memory.learn(device, link, mark_of(link), |_| Some(Answer::Failed(Errno::INVAL)));
        }
        let mut due = Vec::new();
        for _ in 0..3 * FILES {
            memory.turn(&all);
            let before = due.len();
            due.extend(
                (0..3)
                    .flat_map(|device| places().map(move |place| (device, place)))
                    .filter(|(device, place)| !memory.has(*device, *place)),
            );
            assert_eq!(due.len(), before + 1);
        }
        due.sort_unstable();
        due.dedup();
        assert_eq!(due.len(), 3 * FILES);
    }
}
