// error: two metrics of one registry have the same name, or samples of the same name: "app_queue_total"
use scrapeport::{Counter, Gauge, Registry};
static A: Counter = Counter::new("app_queue_total", "A.");
static B: Gauge = Gauge::new("app_queue_total", "B.");
static REGISTRY: Registry = Registry::new(&[&A, &B]);
fn main() {
    let _ = &REGISTRY;
}
