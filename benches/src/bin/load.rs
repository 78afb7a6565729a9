//! `load ADDRESS kept|fresh REQUESTS [CERTIFICATE]`: scrapes one after another and tells how fast it went. With the
//! server's certificate over TLS 1.3.

use std::net::SocketAddr;
use std::time::Duration;

use scrapeport_benches::load::{Connections, run, run_over};
use scrapeport_benches::tls::Client;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, how, requests, certificate @ ..] = arguments.as_slice() else {
        eprintln!("usage: load ADDRESS kept|fresh REQUESTS [CERTIFICATE]");
        std::process::exit(2);
    };
    let how = if how == "fresh" { Connections::Fresh } else { Connections::Kept };
    let (address, requests) =
        (address.parse::<SocketAddr>().expect("ADDRESS"), requests.parse().expect("REQUESTS"));
    let limit = Duration::from_secs(60);
    let done = match certificate {
        [] => run(address, how, requests, limit),
        [certificate, ..] => {
            let client = Client::new(certificate.as_ref(), false);
            run_over(|| client.connect(address), how, requests, limit)
        }
    }
    .expect("every answer is 200");
    let each = done.took.as_secs_f64() / f64::from(done.requests);
    println!("{} requests, {:.1} µs each, bodies of {} bytes", done.requests, each * 1e6, done.body);
}
