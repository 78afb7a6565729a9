// error: the trait bound `[&str; 2]: From<[&str; 1]>` is not satisfied
use scrapeport::CounterFamily;
static R: CounterFamily<2, 2> = CounterFamily::new("r_total", "R.", ["method", "code"]);
fn main() {
    R.with(["GET"]).inc();
}
