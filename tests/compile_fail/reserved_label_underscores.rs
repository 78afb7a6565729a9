// error: this label is reserved for Prometheus (le, quantile, and all that begin with __): "__name__"
use scrapeport::GaugeFamily;
static G: GaugeFamily<1, 2> = GaugeFamily::utf8("g", "G.", ["__name__"]);
fn main() {
    G.with(["1"]).inc();
}
