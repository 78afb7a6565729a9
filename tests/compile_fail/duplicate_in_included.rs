// error: two metrics of one registry have the same name, or samples of the same name: "app_queue"
use scrapeport::{Gauge, Registry};
static A: Gauge = Gauge::new("app_queue", "A.");
static B: Gauge = Gauge::new("app_queue", "B.");
static INNER: Registry = Registry::new(&[&B]);
static REGISTRY: Registry = Registry::new(&[&A]).including(&[&INNER]);
fn main() {
    let _ = &REGISTRY;
}
