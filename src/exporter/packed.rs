//! The device page and the help take less than half of their room in the program: the compiler packs them, and they are
//! unpacked for whoever wants to see them. A library that unpacks is as large as what is won.
//!
//! Bits, the lowest of a byte first. A text is a row of pieces, until its length is reached: 0 and the seven bits of an
//! ASCII character; or 1, a distance and a length, for bytes that stand so far back already (J. Ziv and A. Lempel, 1977).
//! A distance less 1 is its part above seven bits and those; that part plus 1, and the length less 2, are numbers from 1
//! up in Elias' gamma code: so many zeros as there are bits behind the highest, that bit, and those.

use std::string::String;
use std::vec::Vec;

/// What [`pack`] makes of a text: the first `length` bytes.
pub(super) struct Packed<const N: usize> {
    bytes: [u8; N],
    pub(super) length: usize,
}

/// Packs ASCII text. It does not come out longer.
pub(super) const fn pack<const N: usize>(text: &[u8; N]) -> Packed<N> {
    let mut out = Bits { bytes: [0; N], at: 0 };
    let mut seen = Seen { last: [NONE; PLACES], before: [NONE; N] };
    let mut at = 0;
    while at < N {
        let found = seen.longest(text, at);
        // What begins one byte later may be longer.
        let later = if found.length > 0 { seen.longest(text, at + 1).length } else { 0 };
        let mut length = 1;
        if found.length < LEAST || later > found.length {
            assert!(text[at] < 0x80, "the text is ASCII");
            out.put(text[at] as usize, 1, 7);
        } else {
            length = found.length;
            let distance = found.distance - 1;
            out.put(1, 0, 1);
            out.put_gamma(1 + (distance >> 7));
            out.put(distance & 0x7f, 0, 7);
            out.put_gamma(length - 2);
        }
        let end = at + length;
        while at < end {
            seen.add(text, at);
            at += 1;
        }
    }
    Packed { bytes: out.bytes, length: out.at.div_ceil(8) }
}

/// The bytes themselves, whose number is `packed.length`.
pub(super) const fn bytes<const N: usize, const M: usize>(packed: &Packed<N>) -> [u8; M] {
    let mut out = [0; M];
    let mut at = 0;
    while at < M {
        out[at] = packed.bytes[at];
        at += 1;
    }
    out
}

/// The text of this length that was packed.
pub(super) fn unpack(packed: &[u8], length: usize) -> String {
    let mut bits = Reader { bytes: packed, at: 0 };
    let mut out = Vec::with_capacity(length);
    while out.len() < length && bits.at < packed.len() * 8 {
        if bits.take(1) == 0 {
            out.push(bits.take(7) as u8);
            continue;
        }
        let distance = 1 + ((bits.gamma() - 1) << 7 | bits.take(7));
        for _ in 0..(bits.gamma() + 2).min(length - out.len()) {
            let Some(byte) = out.len().checked_sub(distance).and_then(|place| out.get(place)) else { break };
            out.push(*byte);
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

/// The shortest piece that is taken from before.
const LEAST: usize = 3;

/// The longest, so that long runs take no time without end.
const MOST: usize = 256;

/// How many of the last places with the same beginning are looked at.
const TRIES: usize = 24;

const PLACES: usize = 1 << 12;

const NONE: usize = usize::MAX;

/// Where beginnings have been seen: the last place of each, and to each place the one before.
struct Seen<const N: usize> {
    last: [usize; PLACES],
    before: [usize; N],
}

struct Found {
    length: usize,
    distance: usize,
}

impl<const N: usize> Seen<N> {
    const fn place(text: &[u8; N], at: usize) -> usize {
        (text[at] as usize * 961 + text[at + 1] as usize * 31 + text[at + 2] as usize) % PLACES
    }

    const fn add(&mut self, text: &[u8; N], at: usize) {
        if at + LEAST <= N {
            let place = Self::place(text, at);
            self.before[at] = self.last[place];
            self.last[place] = at;
        }
    }

    const fn longest(&self, text: &[u8; N], at: usize) -> Found {
        let mut found = Found { length: 0, distance: 0 };
        if at + LEAST > N {
            return found;
        }
        let mut from = self.last[Self::place(text, at)];
        let mut tries = 0;
        while from != NONE && tries < TRIES {
            let mut length = 0;
            while length < MOST && at + length < N && text[from + length] == text[at + length] {
                length += 1;
            }
            if length > found.length {
                found = Found { length, distance: at - from };
            }
            from = self.before[from];
            tries += 1;
        }
        found
    }
}

struct Bits<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Bits<N> {
    /// Adds so many zeros, then so many bits of a value.
    const fn put(&mut self, value: usize, zeros: usize, bits: usize) {
        self.at += zeros;
        let mut bit = 0;
        while bit < bits {
            self.bytes[self.at / 8] |= ((value >> bit & 1) as u8) << (self.at % 8);
            self.at += 1;
            bit += 1;
        }
    }

    const fn put_gamma(&mut self, value: usize) {
        let behind = value.ilog2() as usize;
        self.put(1, behind, 1);
        self.put(value, 0, behind);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// So many bits; past the end they are ones, so that no number of zeros is endless.
    fn take(&mut self, bits: usize) -> usize {
        (0..bits).fold(0, |value, bit| {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0xff);
            let next = usize::from(byte >> (self.at % 8) & 1);
            self.at += 1;
            value | next << bit
        })
    }

    fn gamma(&mut self) -> usize {
        let mut behind = 0;
        while behind < 16 && self.take(1) == 0 {
            behind += 1;
        }
        self.take(behind) | 1 << behind
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::ToOwned;

    use proptest::prelude::*;

    use super::*;

    /// The text again, and how many bytes it took.
    fn there_and_back<const N: usize>(text: &[u8; N]) -> (String, usize) {
        let packed = pack(text);
        (unpack(&packed.bytes[..packed.length], N), packed.length)
    }

    #[test]
    fn texts_come_back() {
        assert_eq!(there_and_back(b""), (String::new(), 0));
        assert_eq!(there_and_back(b"a"), ("a".to_owned(), 1));
        assert_eq!(there_and_back(b"abcabc\0\x7fabcabcabcab").0, "abcabc\0\x7fabcabcabcab");
        let (text, length) = there_and_back(&[b'x'; 5000]);
        assert!(text.len() == 5000 && text.bytes().all(|byte| byte == b'x') && length < 80, "{length}");
        // A piece from as far back as a text of this length has it.
        let mut far = [b'.'; 30_000];
        far[..6].copy_from_slice(b"abcdef");
        far[29_994..].copy_from_slice(b"abcdef");
        assert_eq!(there_and_back(&far).0.as_bytes(), far);
    }

    proptest! {
        #[test]
        fn any_ascii_text_comes_back(text in prop::array::uniform32("[ab]"), other: [u8; 100]) {
            let text: Vec<u8> = text.iter().flat_map(|letter| letter.bytes()).collect();
            let text: &[u8; 32] = text.as_slice().try_into().unwrap();
            let (back, _) = there_and_back(text);
            prop_assert_eq!(back.as_bytes(), text);
            let other = other.map(|byte| byte & 0x7f);
            let (back, length) = there_and_back(&other);
            prop_assert_eq!(back.as_bytes(), other);
            prop_assert!(length <= 100);
        }

        #[test]
        fn any_bytes_are_unpacked_to_no_more_than_asked(bytes: Vec<u8>, length in 0_usize..500) {
            prop_assert!(unpack(&bytes, length).len() <= length);
        }
    }
}
