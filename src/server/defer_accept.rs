//! The one socket option that no safe crate offers.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};

const IPPROTO_TCP: c_int = 6;
const TCP_DEFER_ACCEPT: c_int = 9;

/// Lets accept(2) return a connection only when its first bytes have come, or after about `seconds` (tcp(7)).
///
/// A fresh connection then costs its worker one wake-up instead of two, and one that sends nothing costs none.
/// Without it everything works as well, so a refusal is not an error.
pub(super) fn defer_accept(listener: BorrowedFd<'_>, seconds: c_int) {
    unsafe extern "C" {
        fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: u32) -> c_int;
    }
    // SAFETY: the descriptor is borrowed, hence open; the value points to `length` bytes that live during the call;
    // the declaration is the one of setsockopt(2), where socklen_t has 32 bits on Linux.
    unsafe {
        setsockopt(
            listener.as_raw_fd(),
            IPPROTO_TCP,
            TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of::<c_int>() as u32,
        );
    }
}
