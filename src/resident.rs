//! Memory that is resident while it is in use, and no longer: pages that nobody has written to yet, and pages that are
//! given back to the system (madvise(2), `MADV_DONTNEED`) by who does not need what is in them.
//!
//! Addresses are kept, so nothing is allocated to use it again; the kernel brings zeros when it is next touched.

#![allow(unsafe_code)]

#[cfg(feature = "exporter")]
mod bytes;
mod pile;
mod stack;
pub(crate) mod stock;
mod zeroed;

#[cfg(feature = "exporter")]
pub(crate) use bytes::Bytes;
pub(crate) use pile::Pile;
pub(crate) use stack::Stack;
pub(crate) use zeroed::Zeroed;

use core::ops::Range;
use core::time::Duration;
#[cfg(feature = "exporter")]
use std::vec::Vec;

use rustix::mm::{Advice, madvise};

/// So long a thread that has nothing to do waits before it gives back what it needed. Whoever asks again sooner, scrape
/// upon scrape, costs no system call for it.
pub(crate) const QUIET: Duration = Duration::from_millis(100);

/// Gives back the whole pages among these bytes, which hold something else afterwards, mostly zeros.
pub(crate) fn give_back(bytes: &mut [u8]) {
    let pages = whole_pages(bytes.as_ptr_range());
    // SAFETY: the bytes are the caller's alone, and of a type that may have any value.
    unsafe { give_back_pages(pages) }
}

/// Empties a vector, which keeps its memory, and gives back the whole pages in it.
#[cfg(feature = "exporter")]
pub(crate) fn clear<T>(things: &mut Vec<T>) {
    things.clear();
    let spare = things.spare_capacity_mut().as_ptr_range();
    // SAFETY: nothing is in them.
    unsafe { give_back_pages(whole_pages(spare.start.cast()..spare.end.cast())) }
}

/// The pages that lie in this range as a whole.
fn whole_pages(range: Range<*const u8>) -> Range<*const u8> {
    let page = page_size();
    let up = range.start.addr().wrapping_neg() % page;
    let down = range.end.addr() % page;
    range.start.wrapping_add(up)..range.end.wrapping_sub(down)
}

/// The kernel may refuse, where memory is locked for instance (mlock(2)): then everything stays as it is. It takes the last
/// page as a whole.
///
/// # Safety
/// Nobody may rely on what is in these pages.
unsafe fn give_back_pages(pages: Range<*const u8>) {
    let length = pages.end.addr().saturating_sub(pages.start.addr());
    if length > 0 {
        // SAFETY: as the caller has promised.
        let _ = unsafe { madvise(pages.start.cast_mut().cast(), length, Advice::LinuxDontNeed) };
    }
}

fn page_size() -> usize {
    // SAFETY: it has no conditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn whole_pages_are_given_back_and_no_byte_beside_them() {
        let page = page_size();
        let mut memory = Zeroed::new(4 * page);
        memory.fill(7);
        let from = page / 2;
        give_back(&mut memory[from..3 * page + 1]);
        let is = |range: Range<usize>, value| memory[range].iter().all(|byte| *byte == value);
        assert!(is(0..page, 7) && is(page..3 * page, 0) && is(3 * page..4 * page, 7));
    }

    #[cfg(feature = "exporter")]
    #[test]
    fn a_vector_keeps_its_memory_and_no_pages() {
        let mut words = vec![0x0505_0505_u32; 64 << 20];
        let (capacity, middle) = (words.capacity(), words[32 << 20..].as_ptr());
        let resident = || zeroed::tests::mapping(middle.addr()).1;
        assert!(resident() > 200 << 10);
        clear(&mut words);
        assert!(resident() < 100 << 10);
        assert_eq!((words.len(), words.capacity()), (0, capacity));
        words.resize(capacity, 3);
        assert!(words.iter().all(|word| *word == 3));
    }

    #[test]
    fn what_is_shorter_than_a_page_stays() {
        for length in [0, 1, page_size() - 1] {
            let mut bytes = vec![7; length];
            give_back(&mut bytes);
            assert!(bytes.iter().all(|byte| *byte == 7));
        }
    }
}
