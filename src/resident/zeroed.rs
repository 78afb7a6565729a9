//! Memory of zeros, of which no page is resident before somebody writes to it.
//!
//! Allocators give such memory only in large pieces, and begin each with a page of their own notes: four kilobytes for
//! each connection that nobody has opened yet.

use core::alloc::Layout;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::slice;
use std::alloc::handle_alloc_error;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::give_back_pages;

/// Bytes of its own, mmap(2). Given back when dropped.
pub(crate) struct Zeroed {
    start: NonNull<u8>,
    length: usize,
}

impl Zeroed {
    /// So many bytes, in whole pages of the system. None at all takes nothing.
    ///
    /// Without memory the program ends, as with any allocation.
    pub(crate) fn new(length: usize) -> Self {
        if length == 0 {
            return Self { start: NonNull::dangling(), length };
        }
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: the kernel chooses a place where nothing is.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), length, access, flags) };
        match mapped.ok().and_then(|start| NonNull::new(start.cast())) {
            Some(start) => Self { start, length },
            None => handle_alloc_error(Layout::array::<u8>(length).unwrap_or(Layout::new::<u8>())),
        }
    }

    /// Gives all pages back: it holds zeros again, or, where memory is locked, what it held.
    pub(crate) fn give_back(&mut self) {
        // SAFETY: they are this value's, to the end of the last page, and may have any value.
        unsafe { give_back_pages(self.as_ptr_range()) }
    }
}

impl Drop for Zeroed {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the mapping was made with this length, is nobody else's, and nothing borrows from it any more.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}

impl Deref for Zeroed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped and initialized, and belong to this value, which is borrowed.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Zeroed {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the value is borrowed by nobody else.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

// SAFETY: it owns its bytes as a vector does.
unsafe impl Send for Zeroed {}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The kilobytes of the mapping at `address`, and how many of them are resident; neighbours may be part of it.
    pub(in super::super) fn mapping(address: usize) -> (usize, usize) {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = text.lines().skip_while(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bounds = range.and_then(|(from, to)| {
                Some((usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?))
            });
            !bounds.is_some_and(|(from, to)| (from..to).contains(&address))
        });
        let mut value = |name: &str| {
            let line = lines.find(|line| line.starts_with(name));
            line.map_or(0, |line| line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap())
        };
        (value("Size:"), value("Rss:"))
    }

    /// More than anybody else in this process has.
    const LENGTH: usize = 256 << 20;
    const MUCH: usize = LENGTH / 1024 / 2;

    #[test]
    fn what_is_not_written_to_is_not_resident_and_all_is_given_back() {
        let mut memory = Zeroed::new(LENGTH);
        let address = memory.as_ptr().addr();
        memory[LENGTH - 1] = 1;
        memory[LENGTH / 2] = 2;
        let (size, resident) = mapping(address);
        assert!(size >= 2 * MUCH && resident < MUCH, "{size} {resident}");
        let at = |part: usize| memory[LENGTH / 4 * part];
        assert_eq!(([at(0), at(1), at(2), at(3)], memory[LENGTH - 1]), ([0, 0, 2, 0], 1));
        memory.give_back();
        assert_eq!((memory[LENGTH / 2], memory[LENGTH - 1]), (0, 0));
        drop(memory);
        assert!(mapping(address).0 < MUCH);
    }

    #[test]
    fn nothing_is_possible_too() {
        let mut nothing = Zeroed::new(0);
        nothing.give_back();
        assert!(nothing.is_empty());
    }
}
