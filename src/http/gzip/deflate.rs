//! A compressor in memory of its own, which is resident only while it is in use. Source: zlib.h, whose functions
//! `libz-rs-sys` has in Rust; the safe interface of `zlib-rs` chooses the memory itself and keeps it.

#![allow(unsafe_code)]

use core::ffi::{c_int, c_uint, c_void};
use core::mem::size_of;
use core::ptr;
use std::boxed::Box;

use libz_rs_sys::{
    Z_BUF_ERROR, Z_DEFAULT_STRATEGY, Z_DEFLATED, Z_FINISH, Z_NO_FLUSH, Z_OK, Z_STREAM_END, deflate,
    deflateInit2_, deflateReset, z_stream, zlibVersion,
};

use super::{LEVEL, MEMORY_LEVEL, WINDOW_BITS};
use crate::resident::Zeroed;
use crate::text::Stopped;

/// What begins at a multiple of this may be of any type.
const ALIGNMENT: usize = 64;

/// Bytes that it may ask for; with these parameters it asks for some 165 kB, at once.
const ROOM: usize = 192 * 1024;

/// What a step did.
pub(super) struct Step {
    /// So many bytes of input were taken.
    pub(super) taken: usize,
    /// So many bytes of output were made.
    pub(super) made: usize,
    /// The stream is complete.
    pub(super) ended: bool,
}

/// A compressor. It stays where it is, because its parts know each other's places.
pub(super) struct Deflate(Box<Parts>);

struct Parts {
    stream: z_stream,
    memory: Zeroed,
    /// How much of the memory is taken. Nothing is, before it is first used and after a rest.
    taken: usize,
}

// SAFETY: all its pointers lead into itself, and it is used through exclusive references only.
unsafe impl Send for Deflate {}

impl Deflate {
    /// Takes addresses for its memory, and none of it.
    pub(super) fn new() -> Self {
        Self(Box::new(Parts { stream: idle(), memory: Zeroed::new(ROOM), taken: 0 }))
    }

    /// Begins a new stream; whether that is possible.
    pub(super) fn begin(&mut self) -> bool {
        let parts = &mut *self.0;
        // SAFETY: if anything of the memory is taken, it is by this stream, which has not been ended.
        if parts.taken > 0 && unsafe { deflateReset(&raw mut parts.stream) } == Z_OK {
            return true;
        }
        parts.taken = 0;
        let whole = ptr::from_mut(parts);
        // SAFETY: `whole` comes from an exclusive reference that nothing else is used besides from here on. The functions
        // are those of zlib.h's contract, and what they are given lives as long as the stream.
        unsafe {
            (*whole).stream =
                z_stream { zalloc: Some(take), zfree: Some(leave), opaque: whole.cast(), ..idle() };
            let (stream, size) = (&raw mut (*whole).stream, size_of::<z_stream>() as c_int);
            deflateInit2_(
                stream,
                LEVEL,
                Z_DEFLATED,
                WINDOW_BITS,
                MEMORY_LEVEL,
                Z_DEFAULT_STRATEGY,
                zlibVersion(),
                size,
            ) == Z_OK
        }
    }

    /// Compresses as much as there is input for, and room for what comes of it.
    ///
    /// # Errors
    /// It was used otherwise than between a beginning and an end.
    pub(super) fn step(&mut self, input: &[u8], room: &mut [u8], finish: bool) -> Result<Step, Stopped> {
        let stream = &mut self.0.stream;
        let length = |bytes: usize| c_uint::try_from(bytes).unwrap_or(c_uint::MAX);
        let (given, free) = (length(input.len()), length(room.len()));
        (stream.next_in, stream.avail_in) = (input.as_ptr(), given);
        (stream.next_out, stream.avail_out) = (room.as_mut_ptr(), free);
        // SAFETY: so many bytes may be read and written there. A stream that has not begun has no state, which is an
        // error like others.
        let result = unsafe { deflate(stream, if finish { Z_FINISH } else { Z_NO_FLUSH }) };
        let step = Step {
            taken: (given - stream.avail_in) as usize,
            made: (free - stream.avail_out) as usize,
            ended: result == Z_STREAM_END,
        };
        (stream.next_in, stream.avail_in) = (ptr::null(), 0);
        (stream.next_out, stream.avail_out) = (ptr::null_mut(), 0);
        // Without input, or without room, there is nothing to do: no fault.
        if matches!(result, Z_OK | Z_STREAM_END | Z_BUF_ERROR) { Ok(step) } else { Err(Stopped) }
    }

    /// Gives its memory back to the system, until the next beginning.
    pub(super) fn rest(&mut self) {
        let parts = &mut *self.0;
        if parts.taken > 0 {
            // Nothing of a stream is anywhere else, so it need not be ended.
            parts.stream = idle();
            parts.taken = 0;
            parts.memory.give_back();
        }
    }
}

/// A stream that has not begun.
fn idle() -> z_stream {
    z_stream { zalloc: None, zfree: None, ..z_stream::default() }
}

/// Gives memory to a stream that begins, as zlib.h's `alloc_func` does.
///
/// # Safety
/// `owner` is that of [`Deflate::begin`].
unsafe extern "C" fn take(owner: *mut c_void, items: c_uint, size: c_uint) -> *mut c_void {
    let parts = owner.cast::<Parts>();
    // SAFETY: as promised; of the parts only the memory is used here, and only the stream by the caller.
    let (memory, taken) = unsafe { (&mut (*parts).memory, &mut (*parts).taken) };
    let wanted = (items as usize).saturating_mul(size as usize).max(1);
    match memory.get_mut(*taken..).and_then(|rest| rest.get_mut(..wanted)) {
        Some(place) => {
            *taken += wanted.next_multiple_of(ALIGNMENT);
            place.as_mut_ptr().cast()
        }
        None => ptr::null_mut(),
    }
}

/// The memory stays.
unsafe extern "C" fn leave(_: *mut c_void, _: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_what_the_table_says_and_rests() {
        let mut deflate = Deflate::new();
        let mut room = [0; 100];
        assert!(deflate.step(b"a", &mut room, true).is_err(), "it has not begun");
        let mut first = 0;
        for round in 0..3 {
            assert!(deflate.begin());
            let taken = deflate.0.taken;
            assert!((150_000..175_000).contains(&taken), "{taken}");
            let step = deflate.step(&[b'a'; 1_000], &mut room, true).unwrap();
            assert!(step.ended && step.taken == 1_000 && (20..50).contains(&step.made));
            first = if round == 0 { step.made } else { first };
            assert_eq!(step.made, first);
            if round == 0 {
                deflate.rest();
                assert!(deflate.0.memory.iter().all(|byte| *byte == 0));
                assert!(deflate.step(b"a", &mut room, true).is_err(), "it rests");
            }
        }
    }
}
