//! Copying short texts, which is most of what writing a page is.

/// Copies a text into room of the same length.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    // What musl has for this processor (its src/string/x86_64/memcpy.s) takes longer to begin than to copy a name.
    if cfg!(all(target_arch = "x86_64", target_env = "musl")) && from.len() == to.len() {
        short(from, to);
    } else {
        to.copy_from_slice(from);
    }
}

/// Two words, one from each end; they may overlap.
#[inline(never)]
fn short(from: &[u8], to: &mut [u8]) {
    match from.len() {
        65.. => to.copy_from_slice(from),
        32.. => ends::<32>(from, to),
        16.. => ends::<16>(from, to),
        8.. => ends::<8>(from, to),
        4.. => ends::<4>(from, to),
        2.. => ends::<2>(from, to),
        _ => ends::<1>(from, to),
    }
}

#[inline(always)]
fn ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return };
    if let Some(room) = to.first_chunk_mut::<N>() {
        *room = *first;
    }
    if let Some(room) = to.last_chunk_mut::<N>() {
        *room = *last;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_length_is_copied() {
        let text: Vec<u8> = (0..100).collect();
        for length in 0..text.len() {
            for copied in [copy, short] {
                let mut room = vec![0xff; length];
                copied(&text[..length], &mut room);
                assert_eq!(room, text[..length]);
            }
        }
    }
}
