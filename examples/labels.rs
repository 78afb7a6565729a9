//! Families: rows told apart by labels, in storage of a fixed size.

use std::thread;
use std::time::Duration;

use scrapeport::{CounterFamily, GaugeFamily, Registry, start_http_server};

/// Two labels, room for 8 rows. What comes when they are taken is counted in one row whose labels read `other`.
static REPLIES: CounterFamily<2, 8> =
    CounterFamily::new("labels_replies_total", "Replies sent.", ["method", "code"]);

/// Rows that come and go.
static PEER_BYTES: GaugeFamily<1, 4> =
    GaugeFamily::new("labels_peer_bytes", "Memory held for a peer.", ["peer"]);

static REGISTRY: Registry = Registry::new(&[&REPLIES, &PEER_BYTES]);

fn main() -> Result<(), scrapeport::Error> {
    // Label values need not be known at compile time: they are copied into the family.
    for code in [200, 200, 404] {
        REPLIES.with(["GET", &code.to_string()]).inc();
    }

    // A row that is removed is no longer on the page, and its place is free.
    PEER_BYTES.with(["old"]).set(4096.0);
    PEER_BYTES.with(["young"]).set(1024.0);
    PEER_BYTES.remove(["old"]);

    // In a hot loop: look the row up once, and keep it.
    let ok = REPLIES.with(["GET", "200"]);

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let (server, _thread) = start_http_server(address, &REGISTRY)?;
    server.addresses().for_each(|address| println!("listening on {address}"));
    loop {
        ok.inc();
        thread::sleep(Duration::from_millis(100));
    }
}
