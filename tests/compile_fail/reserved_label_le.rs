// error: this label is reserved for Prometheus (le, quantile, and all that begin with __): "le"
use scrapeport::HistogramFamily;
static H: HistogramFamily<1, 2, 1> = HistogramFamily::new("h", "H.", ["le"], [1.0]);
fn main() {
    H.with(["1"]).observe(1.0);
}
