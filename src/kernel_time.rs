//! The kernel's clocks, and poll(2) with a limit.
//!
//! `rustix` does both, except where it goes through musl's functions on a 32-bit target (MIPS and PowerPC): it has 64-bit
//! times there and the functions, under these names, two `long`s, so that every time read is another.

#[cfg(feature = "http")]
pub(crate) use imp::poll;
pub(crate) use imp::read;
pub(crate) use rustix::time::ClockId;

#[cfg(not(all(
    target_env = "musl",
    target_pointer_width = "32",
    any(target_arch = "mips", target_arch = "powerpc")
)))]
mod imp {
    use core::time::Duration;

    #[cfg(feature = "http")]
    use rustix::event::{PollFd, Timespec};
    use rustix::time::{ClockId, clock_gettime};

    /// What a clock shows, clock_gettime(2). One that is before its beginning, as a wall clock before 1970, shows 0.
    pub(crate) fn read(clock: ClockId) -> Duration {
        let now = clock_gettime(clock);
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    /// Waits so many milliseconds, or without end, until one of them is ready, ppoll(2). How many are.
    #[cfg(feature = "http")]
    pub(crate) fn poll(files: &mut [PollFd<'_>], limit_ms: Option<u64>) -> rustix::io::Result<usize> {
        let limit = limit_ms.map(|limit| Timespec {
            tv_sec: i64::try_from(limit / 1_000).unwrap_or(i64::MAX),
            tv_nsec: (limit % 1_000 * 1_000_000) as _,
        });
        rustix::event::poll(files, limit.as_ref())
    }
}

#[cfg(all(
    target_env = "musl",
    target_pointer_width = "32",
    any(target_arch = "mips", target_arch = "powerpc")
))]
mod imp {
    #![allow(unsafe_code)]

    use core::ffi::{c_int, c_long, c_ulong, c_void};
    use core::time::Duration;
    use std::io::Error;

    use rustix::event::PollFd;
    use rustix::io::Errno;
    use rustix::time::ClockId;

    /// The kernel's `struct old_timespec32`: what the names below have meant since before there were 64-bit times.
    #[repr(C)]
    struct Narrow {
        seconds: c_long,
        nanoseconds: c_long,
    }

    /// What a clock shows; 0 if it is before its beginning. The wall clock ends in 2038, as the standard library's does
    /// on these targets.
    pub(crate) fn read(clock: ClockId) -> Duration {
        unsafe extern "C" {
            fn clock_gettime(clock: c_int, now: *mut Narrow) -> c_int;
        }
        let mut now = Narrow { seconds: 0, nanoseconds: 0 };
        // SAFETY: the declaration is that of the C library, and it writes to `now` alone, which lives during the call.
        unsafe { clock_gettime(clock as c_int, &raw mut now) };
        Duration::new(u64::try_from(now.seconds).unwrap_or(0), u32::try_from(now.nanoseconds).unwrap_or(0))
    }

    /// Waits so many milliseconds, or without end, until one of them is ready, poll(2). How many are.
    #[cfg(feature = "http")]
    pub(crate) fn poll(files: &mut [PollFd<'_>], limit_ms: Option<u64>) -> rustix::io::Result<usize> {
        unsafe extern "C" {
            fn poll(files: *mut c_void, count: c_ulong, limit_ms: c_int) -> c_int;
        }
        let limit = limit_ms.map_or(-1, |limit| c_int::try_from(limit).unwrap_or(c_int::MAX));
        // SAFETY: the declaration is that of the C library; a `PollFd` is a `struct pollfd` and nothing else, and there are
        // so many of them.
        let ready = unsafe { poll(files.as_mut_ptr().cast(), files.len() as c_ulong, limit) };
        usize::try_from(ready)
            .map_err(|_| Errno::from_io_error(&Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}
