//! Paths put together on the stack.

/// A path made of pieces: `joined(&[b"class/net/", name, b"/mtu"])`.
///
/// What is longer than [`LONGEST`] becomes a path that no file has (ENAMETOOLONG).
pub(crate) fn joined(pieces: &[&[u8]]) -> Path {
    let mut path = Path { bytes: [b'x'; LONGEST], length: 0 };
    for piece in pieces {
        let end = path.length + piece.len();
        match path.bytes.get_mut(path.length..end) {
            Some(room) => room.copy_from_slice(piece),
            None => return Path { bytes: [b'x'; LONGEST], length: LONGEST },
        }
        path.length = end;
    }
    path
}

/// The longest path that can be put together. Longer than a file name can be, so what does not fit cannot be opened.
pub(crate) const LONGEST: usize = 512;

/// A path on the stack.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AsRef<[u8]> for Path {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl core::fmt::Debug for Path {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        std::string::String::from_utf8_lossy(self.as_ref()).fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_and_too_many_lead_nowhere() {
        assert_eq!(joined(&[b"a/", b"b", b""]).as_ref(), b"a/b");
        assert_eq!(joined(&[&[b'y'; 500], &[b'y'; 20]]).as_ref(), [b'x'; LONGEST]);
    }
}
