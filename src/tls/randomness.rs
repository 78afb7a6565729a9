//! Waiting for the kernel's random numbers, which a device has some time after power-on: getrandom(2), random(7).

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Set once the kernel has them: it then has them until it ends.
static READY: AtomicBool = AtomicBool::new(false);

/// Returns when the kernel has random numbers. The log says if that has to be waited for.
///
/// Whoever needs them would wait anyway, but in silence, and in a handshake, which no deadline could end.
pub(crate) fn wait_for_random_numbers() {
    if READY.load(Relaxed) {
        return;
    }
    let ask = |flags| getrandom(&mut [0; 1], flags).map(|_| ());
    let first = ask(GetRandomFlags::NONBLOCK);
    if has_to_wait(first) {
        log::warn!(
            "the kernel has no random numbers yet, as after power-on; TLS and passwords wait for them"
        );
        let started = Instant::now();
        // Only a signal that this program handles ends it early.
        while ask(GetRandomFlags::empty()) == Err(Errno::INTR) {}
        log::info!("the kernel's random numbers are ready after {:.1?}", started.elapsed());
    }
    READY.store(true, Relaxed);
}

/// What the answer to the question that does not wait means. A kernel without the question (before 3.17) never waits.
fn has_to_wait(answer: Result<(), Errno>) -> bool {
    answer == Err(Errno::AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pool_that_is_not_ready_is_waited_for() {
        assert!(has_to_wait(Err(Errno::AGAIN)));
        for answer in [Ok(()), Err(Errno::NOSYS), Err(Errno::INTR), Err(Errno::PERM)] {
            assert!(!has_to_wait(answer), "{answer:?}");
        }
        // Here they are ready, and that is kept.
        wait_for_random_numbers();
        assert!(READY.load(Relaxed));
    }
}
