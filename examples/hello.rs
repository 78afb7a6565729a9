//! The smallest useful program. `cargo run --example hello`, then `curl http://127.0.0.1:9100`.

use scrapeport::{Counter, Registry, start_http_server};

static GREETINGS: Counter = Counter::new("hello_greetings_total", "Greetings said.");
static REGISTRY: Registry = Registry::new(&[&GREETINGS]);

fn main() -> Result<(), scrapeport::Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let (server, _thread) = start_http_server(address, &REGISTRY)?;
    server.addresses().for_each(|address| println!("listening on {address}"));
    loop {
        GREETINGS.inc();
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
