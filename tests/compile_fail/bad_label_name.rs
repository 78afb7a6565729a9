// error: a label name must match [a-zA-Z_][a-zA-Z0-9_]* (use `utf8` for any other): "status:code"
use scrapeport::CounterFamily;
static R: CounterFamily<1, 2> = CounterFamily::new("r_total", "R.", ["status:code"]);
fn main() {
    R.with(["200"]).inc();
}
