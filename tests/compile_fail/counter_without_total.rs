// error: a counter's name must end in _total: "app_requests"
use scrapeport::Counter;
static REQUESTS: Counter = Counter::new("app_requests", "Requests.");
fn main() {
    REQUESTS.inc();
}
