// error: a metric needs a name
use scrapeport::Gauge;
static G: Gauge = Gauge::utf8("", "Nothing.");
fn main() {
    G.inc();
}
