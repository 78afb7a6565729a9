// error: a histogram's bounds must rise
use scrapeport::Histogram;
static H: Histogram<2> = Histogram::with_bounds("h", "H.", [1.0, 1.0]);
fn main() {
    H.observe(1.0);
}
