// error: a histogram's bounds must be finite: the +Inf bucket is always there
use scrapeport::Histogram;
static H: Histogram<2> = Histogram::with_bounds("h", "H.", [1.0, f64::INFINITY]);
fn main() {
    H.observe(1.0);
}
