// error: two metrics of one registry have the same name, or samples of the same name: "app_time"
use scrapeport::{Gauge, Histogram, Registry};
static A: Gauge = Gauge::new("app_time_count", "A.");
static B: Histogram = Histogram::new("app_time", "B.");
static REGISTRY: Registry = Registry::new(&[&A, &B]);
fn main() {
    let _ = &REGISTRY;
}
