//! The stack of a thread, of which the depth that was once needed stays resident for ever unless it is given back.

use core::mem::MaybeUninit;
use core::ptr;
use std::process;

use rustix::thread::gettid;

use super::{give_back_pages, whole_pages};

/// What the call that gives the stack back may itself need below where it stands, and signal handlers above their own
/// alternative stack. Twice the red zone of any architecture, and a frame of the C library.
const MARGIN: usize = 1024;

/// The stack of the thread that made this; it stays there.
pub(crate) struct Stack {
    lowest: *const u8,
    end: *const u8,
}

impl Stack {
    /// That of this thread. `None` if the C library does not know where it is, and for the first thread, of which musl
    /// finds out by trying page after page: without end where the kernel is emulated (qemu-user).
    pub(crate) fn of_this_thread() -> Option<Self> {
        if gettid().as_raw_nonzero().get().unsigned_abs() == process::id() {
            return None;
        }
        let mut attributes = MaybeUninit::uninit();
        let (mut lowest, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the attributes are written by the first call; if it succeeds, they are read and destroyed by the
        // others; all of them are of this thread.
        let known = unsafe {
            if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                return None;
            }
            let got = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            got == 0
        };
        let lowest = lowest.cast_const().cast::<u8>();
        let stack = Self { lowest, end: lowest.wrapping_add(size) };
        (known && stack.holds(ptr::from_ref(&stack).cast())).then_some(stack)
    }

    fn holds(&self, place: *const u8) -> bool {
        (self.lowest.addr()..self.end.addr()).contains(&place.addr())
    }

    /// Gives back what lies below the calling function.
    #[inline(never)]
    pub(crate) fn give_back(&self) {
        let here = 0_u8;
        if !self.holds(&raw const here) {
            // A stack within the stack, of who knows whom.
            return;
        }
        let end = (&raw const here).wrapping_sub(MARGIN);
        // SAFETY: this value is neither `Send` nor `Sync`, so this is its thread, which stands above; what is below its
        // frame belongs to calls that have returned.
        unsafe { give_back_pages(whole_pages(self.lowest..end)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::hint::black_box;
    use std::thread;

    /// How many kilobytes of the mapping that holds the address are resident.
    fn resident(address: usize) -> usize {
        super::super::zeroed::tests::mapping(address).1
    }

    #[inline(never)]
    fn deep() -> u8 {
        let mut much = [1_u8; 200 << 10];
        black_box(&mut much)[7]
    }

    #[test]
    fn the_depth_that_was_needed_once_is_given_back() {
        let on_a_thread = thread::Builder::new().stack_size(1 << 20).spawn(|| {
            let stack = Stack::of_this_thread().expect("known");
            let above = black_box([5_u8; 100]);
            let address = above.as_ptr().addr();
            let before = resident(address);
            assert_eq!(deep(), 1);
            let meanwhile = resident(address);
            stack.give_back();
            let after = resident(address);
            assert!(meanwhile >= before + 150 && after <= before + 50, "{before} {meanwhile} {after}");
            assert_eq!((black_box(above), deep()), ([5; 100], 1));
        });
        on_a_thread.unwrap().join().unwrap();
    }
}
