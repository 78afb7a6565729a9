// error: two metrics of one registry have the same name, or samples of the same name: "app_queue"
use scrapeport::text::Page;
use scrapeport::{Collect, CollectError, Collector, Gauge, Registry};
struct Nothing;
impl Collect for Nothing {
    fn collect(&self, _: &mut Page<'_>) -> Result<(), CollectError> {
        Ok(())
    }
}
static A: Gauge = Gauge::new("app_queue", "A.");
static B: Collector<Nothing> = Collector::new("nothing", &["app_queue"], Nothing);
static REGISTRY: Registry = Registry::new(&[&A]).collecting(&[&B]);
fn main() {
    let _ = &REGISTRY;
}
