//! Children: their processor time, and their end.

use std::io;
use std::process::Child;
use std::time::{Duration, Instant};

/// The processor time that a process has used in all its threads, user and system, to the nanosecond.
///
/// # Errors
/// If there is no such process.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls only write to the variables lent to them.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) != 0
            || libc::clock_gettime(clock, &raw mut time) != 0
    };
    if failed {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// The part of its processor time that a process has spent in the kernel, in all its threads: in whole ticks, so only
/// after seconds of work of use.
pub fn kernel_share(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The fields after the name in brackets; user and system time are the 14th and 15th of all (proc(5)).
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ticks.get(1).map_or(f64::NAN, |system| system / ticks.iter().sum::<f64>())
}

/// Resident and private memory of a process, in kB.
pub fn memory(pid: u32) -> [u64; 2] {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let sum = |name: &str| {
        text.lines()
            .filter(|line| line.starts_with(name))
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
            .sum()
    };
    [sum("Rss:"), sum("Private_")]
}

/// Keeps this process and its future children on one processor.
pub fn pin(processor: usize) {
    // SAFETY: the set is a plain bit field that lives through the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Asks a child to end, waits, and ends it if it does not.
pub fn stop(child: &mut Child, pid: u32) {
    // SAFETY: sends a signal, touches no memory.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}
