// error: a metric name must match [a-zA-Z_:][a-zA-Z0-9_:]* (use `utf8` for any other): "app-requests_total"
use scrapeport::Counter;
static REQUESTS: Counter = Counter::new("app-requests_total", "Requests.");
fn main() {
    REQUESTS.inc();
}
