//! Paths put together on the stack.

/// A path below a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    Whole(&'a [u8]),
    /// To be put together.
    Pieces(&'a [&'a [u8]]),
}

/// A path made of pieces: `pieces(&[b"class/net/", name, b"/mtu"])`.
pub(crate) const fn pieces<'a>(pieces: &'a [&'a [u8]]) -> Path<'a> {
    Path::Pieces(pieces)
}

impl<'a> Path<'a> {
    /// In one piece, which may take the room.
    pub(super) fn whole<'r>(self, room: &'r mut Option<Joined>) -> &'r [u8]
    where
        'a: 'r,
    {
        match self {
            Self::Whole(path) => path,
            Self::Pieces(pieces) => {
                let path: &'r Joined = room.insert(joined(pieces));
                path.as_ref()
            }
        }
    }
}

impl<'a, P: AsRef<[u8]> + ?Sized> From<&'a P> for Path<'a> {
    fn from(path: &'a P) -> Self {
        Self::Whole(path.as_ref())
    }
}

/// The pieces as one text on the stack.
///
/// What is longer than [`LONGEST`] becomes a path that no file has (ENAMETOOLONG).
#[inline(never)]
pub(crate) fn joined(pieces: &[&[u8]]) -> Joined {
    let mut path = Joined { bytes: [b'x'; LONGEST], length: 0 };
    for piece in pieces {
        let end = path.length + piece.len();
        match path.bytes.get_mut(path.length..end) {
            Some(room) => room.copy_from_slice(piece),
            None => {
                path = Joined { bytes: [b'x'; LONGEST], length: LONGEST };
                break;
            }
        }
        path.length = end;
    }
    path
}

/// The longest path that can be put together. Longer than a file name can be, so what does not fit cannot be opened.
pub(crate) const LONGEST: usize = 512;

/// A path on the stack.
#[derive(Clone, Copy)]
pub(crate) struct Joined {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AsRef<[u8]> for Joined {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl core::fmt::Debug for Joined {
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
