//! Timers: how long something took, how much of it is going on, and when it last happened.

use std::thread;
use std::time::Duration;

use scrapeport::{Gauge, Histogram, Registry, Summary, start_http_server};

static WORK: Histogram<4> =
    Histogram::with_bounds("timers_work_seconds", "Time for one piece of work.", [0.001, 0.01, 0.1, 1.0]);
static PAUSE: Summary = Summary::new("timers_pause_seconds", "Time between two pieces of work.");
static RUNNING: Gauge = Gauge::new("timers_running", "Pieces of work under way.");
static LAST: Gauge = Gauge::new("timers_last_work_seconds", "When the last piece of work ended.");
static REGISTRY: Registry = Registry::new(&[&WORK, &PAUSE, &RUNNING, &LAST]);

fn work() {
    // Both guards act when they go out of scope, on every way out of the function.
    let _running = RUNNING.track_in_progress();
    let _timer = WORK.start_timer();
    thread::sleep(Duration::from_millis(20));
    LAST.set_to_current_time();
}

fn main() -> Result<(), scrapeport::Error> {
    work();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let (server, _thread) = start_http_server(address, &REGISTRY)?;
    server.addresses().for_each(|address| println!("listening on {address}"));
    loop {
        let pause = PAUSE.start_timer();
        thread::sleep(Duration::from_millis(200));
        pause.stop();
        work();
    }
}
