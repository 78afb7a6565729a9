//! `load ADDRESS kept|fresh REQUESTS`: scrapes one after another and tells how fast it went.

use std::time::Duration;

use scrapeport_benches::load::{Connections, run};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, how, requests] = arguments.as_slice() else {
        eprintln!("usage: load ADDRESS kept|fresh REQUESTS");
        std::process::exit(2);
    };
    let how = if how == "fresh" { Connections::Fresh } else { Connections::Kept };
    let (address, requests) = (address.parse().expect("ADDRESS"), requests.parse().expect("REQUESTS"));
    let done = run(address, how, requests, Duration::from_secs(60)).expect("every answer is 200");
    let each = done.took.as_secs_f64() / f64::from(done.requests);
    println!("{} requests, {:.1} µs each, bodies of {} bytes", done.requests, each * 1e6, done.body);
}
