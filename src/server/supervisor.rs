//! The supervisor: the thread that `start` returns. It sleeps until every worker is taken, then sees to it that
//! nobody is kept out; at shutdown it sees the workers off.

use core::time::Duration;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use super::clock::coarse_ms;
use super::door::Queue;
use super::slot::{Doing, SHAKE_MS, Victims, evict_one};
use super::worker::Shared;

/// How soon to look again when every connection is being served and somebody waits.
const RETRY: Duration = Duration::from_millis(20);

/// So long those who are known keep their places while strangers are being served, in milliseconds.
const KNOWN_STAY_MS: u64 = 1_000;

/// For threads to notice that their sockets have been cut off.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Runs until the server is over.
pub(super) fn run(shared: &Shared, workers: Vec<JoinHandle<()>>) {
    while !shared.door.is_closed() {
        if shared.seats.all_taken() {
            relieve(shared);
        } else {
            // The worker that takes the last place wakes us.
            thread::park();
        }
    }
    see_off(shared, workers);
}

/// Waits until somebody waits in vain, then makes room.
fn relieve(shared: &Shared) {
    if shared.door.queue() == Queue::Closed || !shared.seats.all_taken() {
        return;
    }
    let came = coarse_ms();
    // Without TLS, who means it has said everything at once.
    let patience = if shared.encryption.is_some() { SHAKE_MS } else { 0 };
    while shared.seats.all_taken() && shared.door.somebody_waits() {
        let now = coarse_ms();
        let stay = now.saturating_sub(came) < KNOWN_STAY_MS;
        let victims = if stay { Victims::Strangers } else { Victims::Waiting };
        let Some(slot) = evict_one(&shared.slots, victims, patience, now) else {
            thread::park_timeout(RETRY);
            continue;
        };
        // One at a time: until this one is gone, the same visitor would cost a second one its place.
        while slot.doing() == Doing::Evicted && !shared.door.is_closed() {
            thread::park_timeout(RETRY);
        }
        return;
    }
}

/// Ends every worker: connections that wait for a request, or for the rest of one, at once; others within the grace
/// time.
fn see_off(shared: &Shared, workers: Vec<JoinHandle<()>>) {
    for slot in shared.slots.iter() {
        slot.evict_if_waiting();
    }
    if !shared.roll.wait_ended(workers.len(), shared.limits.shutdown_grace) {
        for slot in shared.slots.iter() {
            slot.force();
        }
        shared.roll.wait_ended(workers.len(), CUT_OFF);
    }
    for (worker, slot) in workers.into_iter().zip(shared.slots.iter()) {
        if slot.doing() == Doing::Gone {
            // It may be a few instructions from its end. Its panic has been reported by itself.
            let _ = worker.join();
        } else {
            log::error!("a collector does not return; the server ends without its thread");
        }
    }
    shared.roll.close();
}
