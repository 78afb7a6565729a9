//! Names of families that the kernel's own names become part of.

/// The longest name of a family.
const LONGEST: usize = 128;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_a_page() {
        assert_eq!(name(&[b"node_", b"a-b\xff", b"_total"]).unwrap().as_str(), "node_a_b__total");
        assert!(name(&[&[b'x'; LONGEST]]).is_some() && name(&[&[b'x'; LONGEST], b"y"]).is_none());
    }
}
