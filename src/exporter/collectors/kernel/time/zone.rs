//! The time zone: TZ, `/etc/localtime`, OpenWrt's `/etc/TZ`. Source: tzset(3); tzfile(5), RFC 9636.

use std::vec::Vec;

use super::super::kept::{Kept, text};
use super::rule;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::trim;
use crate::exporter::engine::patience::Batch;
use crate::resident::Bytes;

/// How far local time is ahead of UTC, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset<'a> {
    pub(super) name: &'a [u8],
    pub(super) seconds: i64,
}

pub(super) const UTC: Offset<'static> = Offset { name: b"UTC", seconds: 0 };

/// Where the time zone is described.
#[derive(Debug)]
pub(super) struct Zone {
    /// The value of TZ.
    tz: Option<Vec<u8>>,
    /// A file below the root.
    file: Vec<u8>,
    files: Kept<2>,
}

/// Without TZ and without `/etc/localtime`: a rule as TZ has it.
const RULE: &[u8] = b"etc/TZ";

impl Zone {
    /// With the value of TZ, if it is set. Empty, it means UTC; else it is a path, a name, or a rule.
    pub(super) fn new(tz: Option<Vec<u8>>) -> Self {
        let value = tz.as_deref().map(|tz| tz.strip_prefix(b":").unwrap_or(tz));
        let file = match value {
            None => b"etc/localtime".to_vec(),
            Some([b'/', path @ ..]) => path.to_vec(),
            Some(name) => [b"usr/share/zoneinfo/", name].concat(),
        };
        Self { tz, file, files: Kept::new() }
    }

    /// What holds at a time; UTC if nothing tells.
    pub(super) fn offset<'b>(
        &'b self,
        machine: &Machine,
        batch: &mut Batch,
        expired: &dyn Fn() -> bool,
        room: &'b mut Bytes,
        now: i64,
    ) -> Offset<'b> {
        if self.tz.as_ref().is_some_and(Vec::is_empty) {
            return UTC;
        }
        let [file, rule] = self.files.copy(machine, batch, expired, [&self.file, RULE], room);
        let from_file = text(room, &file).and_then(|file| in_file(file, now));
        let rule = match &self.tz {
            Some(tz) => Some(tz.as_slice()),
            None => text(room, &rule),
        };
        from_file.or_else(|| rule::offset(trim(rule?), now)).unwrap_or(UTC)
    }
}

/// What a file of tzfile(5) says of a time.
fn in_file(file: &[u8], now: i64) -> Option<Offset<'_>> {
    let (header, rest) = file.split_at_checked(HEADER)?;
    let counts = Counts::parse(header)?;
    if header.get(4) == Some(&0) {
        return Block::split(rest, &counts, 4)?.0.offset(now, b"");
    }
    // The first block is for those who know nothing else; the same follows with times of 64 bits.
    let (header, rest) = rest.get(counts.length(4)?..)?.split_at_checked(HEADER)?;
    let (block, rest) = Block::split(rest, &Counts::parse(header)?, 8)?;
    let footer = rest.strip_prefix(b"\n").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    block.offset(now, footer.unwrap_or_default())
}

const HEADER: usize = 44;

/// A type: 4 bytes of offset, whether it is summer time, where its name begins.
const TYPE: usize = 6;

struct Counts {
    /// isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
    counts: [usize; 6],
}

impl Counts {
    fn parse(header: &[u8]) -> Option<Self> {
        let numbers = header.strip_prefix(b"TZif")?.get(16..)?;
        let mut counts = [0; 6];
        for (count, bytes) in counts.iter_mut().zip(numbers.chunks_exact(4)) {
            *count = usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()?;
        }
        // Far more than any zone has: sums cannot overflow.
        counts.iter().all(|count| *count <= 1 << 20).then_some(Self { counts })
    }

    fn length(&self, time: usize) -> Option<usize> {
        let [utc, standard, leaps, times, types, characters] = self.counts;
        Some(times * (time + 1) + types * TYPE + characters + leaps * (time + 4) + standard + utc)
    }
}

struct Block<'a> {
    times: &'a [u8],
    time: usize,
    kinds: &'a [u8],
    types: &'a [u8],
    names: &'a [u8],
}

impl<'a> Block<'a> {
    fn split(text: &'a [u8], counts: &Counts, time: usize) -> Option<(Self, &'a [u8])> {
        let (block, rest) = text.split_at_checked(counts.length(time)?)?;
        let [_, _, _, times, types, names] = counts.counts;
        let (times, block) = block.split_at_checked(times * time)?;
        let (kinds, block) = block.split_at_checked(times.len() / time)?;
        let (types, block) = block.split_at_checked(types * TYPE)?;
        Some((Self { times, time, kinds, types, names: block.get(..names)? }, rest))
    }

    fn offset(&self, now: i64, footer: &'a [u8]) -> Option<Offset<'a>> {
        let passed = self.passed(now);
        if passed == self.kinds.len() && !footer.is_empty() {
            if let Some(offset) = rule::offset(footer, now) {
                return Some(offset);
            }
        }
        // Before the first change the first type holds.
        let kind = passed.checked_sub(1).map_or(Some(0), |last| self.kinds.get(last).copied())?;
        let begin = usize::from(kind) * TYPE;
        let &[a, b, c, d, _, name] = self.types.get(begin..begin + TYPE)? else { return None };
        let name = self.names.get(name.into()..)?.split(|byte| *byte == 0).next()?;
        Some(Offset { name, seconds: i32::from_be_bytes([a, b, c, d]).into() })
    }

    /// How many changes have passed: they are in ascending order.
    fn passed(&self, now: i64) -> usize {
        let (mut low, mut high) = (0, self.kinds.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.change(middle).is_some_and(|change| change <= now) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn change(&self, number: usize) -> Option<i64> {
        let bytes = self.times.get(number * self.time..(number + 1) * self.time)?;
        match self.time {
            4 => Some(i32::from_be_bytes(bytes.try_into().ok()?).into()),
            _ => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    /// A block with two types, and changes to summer at 1000 and back at 2000.
    fn block(version: u8, times: &[i64], wide: bool) -> Vec<u8> {
        let mut file = b"TZif".to_vec();
        file.push(version);
        file.extend([0; 15]);
        for count in [0, 0, 0, times.len() as u32, 2, 8] {
            file.extend(count.to_be_bytes());
        }
        for time in times {
            let bytes = time.to_be_bytes();
            file.extend(if wide { &bytes[..] } else { &bytes[4..] });
        }
        file.extend((0..times.len()).map(|number| 1 - (number % 2) as u8));
        for (seconds, name) in [(3600_i32, 0), (7200, 4)] {
            file.extend(seconds.to_be_bytes());
            file.extend([u8::from(name > 0), name]);
        }
        file.extend(b"CET\0CEST");
        file
    }

    fn shown(file: &[u8], now: i64) -> Option<(&str, i64)> {
        in_file(file, now).map(|offset| (core::str::from_utf8(offset.name).unwrap(), offset.seconds))
    }

    #[test]
    fn changes_of_both_widths() {
        let old = block(0, &[1000, 2000], false);
        let new = [block(b'2', &[], false), block(b'2', &[1000, 2000], true), b"\n\n".to_vec()].concat();
        for file in [old, new] {
            assert_eq!(shown(&file, 999), Some(("CET", 3600)));
            assert_eq!(shown(&file, 1000), Some(("CEST", 7200)));
            assert_eq!(shown(&file, 1999), Some(("CEST", 7200)));
            assert_eq!(shown(&file, i64::MAX), Some(("CET", 3600)));
            for length in 0..file.len() - 2 {
                shown(&file[..length], 1000);
            }
        }
    }

    #[test]
    fn after_the_last_change_the_footer_holds() {
        let file =
            [block(b'3', &[], false), block(b'3', &[1000, 2000], true), b"\nABC-4\n".to_vec()].concat();
        assert_eq!(shown(&file, 1500), Some(("CEST", 7200)));
        assert_eq!(shown(&file, 2000), Some(("ABC", 14_400)));
    }

    fn offset(tree: &Tree, tz: Option<&str>, now: i64) -> (Vec<u8>, i64) {
        let zone = Zone::new(tz.map(|tz| tz.as_bytes().to_vec()));
        let (mut batch, mut room) = (Batch::default(), Bytes::default());
        let offset = zone.offset(&tree.machine(), &mut batch, &|| false, &mut room, now);
        (offset.name.to_vec(), offset.seconds)
    }

    #[test]
    fn where_zones_are_found() {
        let tree = Tree::new(&[("root/etc/TZ", "XYZ-1\n")]);
        tree.write("root/usr/share/zoneinfo/A/B", block(0, &[1000, 2000], false));
        let cest = (b"CEST".to_vec(), 7200);
        for tz in ["A/B", ":A/B", "/usr/share/zoneinfo/A/B"] {
            assert_eq!(offset(&tree, Some(tz), 1000), cest, "{tz}");
        }
        assert_eq!(offset(&tree, Some("EST5"), 0), (b"EST".to_vec(), -18_000));
        for tz in ["", "No/Zone"] {
            assert_eq!(offset(&tree, Some(tz), 0), (b"UTC".to_vec(), 0), "{tz}");
        }
        assert_eq!(offset(&tree, None, 0), (b"XYZ".to_vec(), 3600));
        tree.write("root/etc/localtime", block(0, &[1000, 2000], false));
        assert_eq!(offset(&tree, None, 1000), cest);
    }

    proptest! {
        #[test]
        fn any_file_is_survived(
            version in 0_u8..4,
            counts: [u8; 6],
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            now: i64,
        ) {
            let header = |file: &mut Vec<u8>| {
                file.extend(b"TZif");
                file.push(version);
                file.extend([0; 15]);
                counts.iter().for_each(|count| file.extend([0, 0, 0, count % 8]));
            };
            let mut file = Vec::new();
            header(&mut file);
            let first = Counts::parse(&file).unwrap().length(4).unwrap();
            file.extend(bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { first }));
            header(&mut file);
            file.extend(&bytes);
            in_file(&file, now);
            in_file(&bytes, now);
        }
    }
}
