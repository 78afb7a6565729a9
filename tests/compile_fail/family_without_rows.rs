// error: a family needs room for at least one row
use scrapeport::CounterFamily;
static R: CounterFamily<1, 0> = CounterFamily::new("r_total", "R.", ["a"]);
fn main() {
    R.with(["1"]).inc();
}
