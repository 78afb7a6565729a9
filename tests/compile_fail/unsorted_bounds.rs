// error: a histogram's bounds must rise
use scrapeport::Histogram;
static H: Histogram<3> = Histogram::with_bounds("h", "H.", [1.0, 3.0, 2.0]);
fn main() {
    H.observe(1.0);
}
