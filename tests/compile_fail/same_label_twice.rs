// error: two labels of one metric have the same name: "a_b"
use scrapeport::GaugeFamily;
static G: GaugeFamily<2, 2> = GaugeFamily::utf8("g", "G.", ["a.b", "a_b"]);
fn main() {
    G.with(["1", "2"]).inc();
}
