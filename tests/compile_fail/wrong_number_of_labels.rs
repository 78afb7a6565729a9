// error: mismatched types
use scrapeport::CounterFamily;
static R: CounterFamily<2, 2> = CounterFamily::new("r_total", "R.", ["method"]);
fn main() {
    R.with(["GET", "200"]).inc();
}
