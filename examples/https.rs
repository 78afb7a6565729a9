//! Metrics over HTTPS, for clients with a certificate or for everybody.
//!
//!     cargo run --example https --features tls -- 127.0.0.1:9100 cert.pem key.pem [client-ca.pem]

use std::env;

use scrapeport::{Counter, Registry, Server};

static REQUESTS: Counter = Counter::new("app_requests_total", "Requests served.");
static REGISTRY: Registry = Registry::new(&[&REQUESTS]);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, certificate, key, ca @ ..] = &arguments[..] else {
        return Err("usage: https ADDRESS CERTIFICATE KEY [CLIENT-CA]".into());
    };
    // Renewed files are noticed: no restart.
    let mut builder = Server::builder(&REGISTRY).certfile(certificate).keyfile(key);
    if let [ca] = ca {
        builder = builder.client_cafile(ca).client_auth_required(true);
    }
    let (server, thread) = builder.start_on(address)?;
    REQUESTS.inc();
    println!("https://{}/metrics", server.local_addr().expect("a TCP address"));
    thread.join().expect("the server does not panic");
    Ok(())
}
