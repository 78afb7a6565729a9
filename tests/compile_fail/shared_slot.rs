// error: cannot be shared between threads safely
use scrapeport::SlotCounter;
static C: SlotCounter<2> = SlotCounter::new("c_total", "C.");
fn main() {
    let slot = C.claim().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = &slot;
        });
    });
}
