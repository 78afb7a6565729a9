//! The one system call that no safe crate of ours offers: adjtimex(2), which tells how well the clock is kept. The layout is
//! that of the kernel's `include/uapi/linux/timex.h`, not that of a C library, which differ in the size of time.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_long, c_uint};

use rustix::io::Errno;

/// What the kernel says of its clock.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timex {
    /// What to change: nothing.
    pub(super) modes: c_uint,
    pub(super) offset: c_long,
    pub(super) freq: c_long,
    pub(super) maxerror: c_long,
    pub(super) esterror: c_long,
    pub(super) status: c_int,
    pub(super) constant: c_long,
    pub(super) precision: c_long,
    pub(super) tolerance: c_long,
    pub(super) time: [c_long; 2],
    pub(super) tick: c_long,
    pub(super) ppsfreq: c_long,
    pub(super) jitter: c_long,
    pub(super) shift: c_int,
    pub(super) stabil: c_long,
    pub(super) jitcnt: c_long,
    pub(super) calcnt: c_long,
    pub(super) errcnt: c_long,
    pub(super) stbcnt: c_long,
    pub(super) tai: c_int,
    pub(super) reserved: [c_int; 11],
}

/// Asks for the clock's state, `TIME_OK` to `TIME_ERROR`, and what belongs to it, without changing anything.
///
/// # Errors
/// EPERM in a sandbox; ENOSYS where the kernel has this call for 64-bit time only.
#[cfg(not(any(target_arch = "riscv32", all(target_arch = "x86_64", target_pointer_width = "32"))))]
pub(super) fn adjtimex() -> Result<(i64, Timex), Errno> {
    let mut timex = Timex::default();
    // SAFETY: the call takes one pointer, to a structure that is laid out and sized as the kernel's and lives during the call.
    let state = unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut timex) };
    if state < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
    }
    Ok((i64::from(state as i32), timex))
}

/// Where the layout is another one.
#[cfg(any(target_arch = "riscv32", all(target_arch = "x86_64", target_pointer_width = "32")))]
pub(super) fn adjtimex() -> Result<(i64, Timex), Errno> {
    Err(Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(size_of::<Timex>(), if size_of::<c_long>() == 8 { 208 } else { 128 });
        assert_eq!(core::mem::offset_of!(Timex, tai), if size_of::<c_long>() == 8 { 160 } else { 80 });
    }
}
