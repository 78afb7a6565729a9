//! A collector: samples that are found when the page is asked for, here in `/proc/loadavg`. Nothing is stored.

use std::fs;
use std::thread;

use scrapeport::text::{Kind, Page};
use scrapeport::{Collect, CollectError, Collector, Registry, start_http_server};

struct LoadAverage;

impl Collect for LoadAverage {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        // An error leaves this collector out of the page; the rest of it is served.
        let text = fs::read_to_string("/proc/loadavg")?;
        let mut fields = text.split_ascii_whitespace();
        for (name, help) in FAMILIES {
            let value = fields.next().and_then(|field| field.parse::<f64>().ok());
            let value = value.ok_or(CollectError::new("/proc/loadavg does not start with three numbers"))?;
            page.family(Kind::Gauge, name, help).sample(&[], value);
        }
        Ok(())
    }
}

const FAMILIES: [(&str, &str); 3] = [
    ("node_load1", "Processes that wait to run, on average over 1 minute."),
    ("node_load5", "Processes that wait to run, on average over 5 minutes."),
    ("node_load15", "Processes that wait to run, on average over 15 minutes."),
];

/// The names are declared, so that a second metric of the same name does not compile.
static LOAD: Collector<LoadAverage> =
    Collector::new("loadavg", &["node_load1", "node_load5", "node_load15"], LoadAverage);
static REGISTRY: Registry = Registry::new(&[]).collecting(&[&LOAD]);

fn main() -> Result<(), scrapeport::Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let (server, _thread) = start_http_server(address, &REGISTRY)?;
    server.addresses().for_each(|address| println!("listening on {address}"));
    loop {
        thread::park();
    }
}
