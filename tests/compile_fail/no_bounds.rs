// error: a histogram needs at least one finite bound
use scrapeport::Histogram;
static H: Histogram<0> = Histogram::with_bounds("h", "H.", []);
fn main() {
    H.observe(1.0);
}
