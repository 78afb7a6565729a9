//! Metrics in a server of the crate `tiny_http` that a program has already.

use scrapeport::http::{MetricsHandler, tiny_http::respond};
use scrapeport::{Counter, Registry};
use tiny_http::{Response, Server};

static VISITS: Counter = Counter::new("tiny_http_visits_total", "Visits of the front page.");
static REGISTRY: Registry = Registry::new(&[&VISITS]);
static METRICS: MetricsHandler = MetricsHandler::new(&REGISTRY);

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let server = Server::http(address)?;
    println!("listening on {}", server.server_addr());
    for request in server.incoming_requests() {
        let answered = if request.url().split('?').next() == Some("/metrics") {
            respond(request, &METRICS)
        } else {
            VISITS.inc();
            request.respond(Response::from_string("The front page. Metrics are at /metrics.\n"))
        };
        if let Err(error) = answered {
            eprintln!("a client has gone: {error}");
        }
    }
    Ok(())
}
