//! Names that the kernel gives things: the metric they become, and whether they came before.

use std::vec::Vec;

/// The longest name of a family.
const LONGEST: usize = 128;

/// So many different names of one file are looked at: more than any machine has interrupts.
const MOST: usize = 8192;

/// A family's name, put together on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    bytes: [u8; LONGEST],
    length: usize,
}

/// A family's name of these pieces; bytes that no name may have become `_`. None if it is too long.
pub(super) fn name(pieces: &[&[u8]]) -> Option<Name> {
    let mut name = Name { bytes: [0; LONGEST], length: 0 };
    for byte in pieces.iter().copied().flatten() {
        *name.bytes.get_mut(name.length)? =
            if byte.is_ascii_alphanumeric() || *byte == b':' { *byte } else { b'_' };
        name.length += 1;
    }
    Some(name)
}

impl Name {
    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

/// Whether a text has not been seen yet, by its hash. From now on it has. When too many have been, none is new.
pub(super) fn is_new(seen: &mut Vec<u64>, text: &[&[u8]]) -> bool {
    // FNV-1a, with a mark between the pieces.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let whole = |hash, piece: &&[u8]| step(piece.iter().copied().fold(hash, step), 0xff);
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, whole);
    match seen.binary_search(&hash) {
        Err(place) if seen.len() < MOST => {
            seen.insert(place, hash);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_a_page_and_told_once() {
        assert_eq!(name(&[b"node_", b"a-b\xff", b"_total"]).unwrap().as_str(), "node_a_b__total");
        assert!(name(&[&[b'x'; LONGEST]]).is_some() && name(&[&[b'x'; LONGEST], b"y"]).is_none());
        let mut seen = Vec::new();
        assert!(
            is_new(&mut seen, &[b"a", b"b"])
                && is_new(&mut seen, &[b"ab"])
                && is_new(&mut seen, &[b"", b"ab"])
        );
        assert!(!is_new(&mut seen, &[b"a", b"b"]));
        let new = (0_u64..10_000).filter(|number| is_new(&mut seen, &[&number.to_ne_bytes()]));
        assert_eq!(new.count(), MOST - 3);
    }
}
