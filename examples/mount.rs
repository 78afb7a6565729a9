//! Metrics in a server that is there already: `MetricsHandler` does no input or output of its own.
//!
//! The server here is as small as can be: one request at a time, and no limits. `start_http_server` has them.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use scrapeport::http::{MetricsHandler, Request};
use scrapeport::{Counter, Registry};

static VISITS: Counter = Counter::new("mount_visits_total", "Visits of the front page.");
static REGISTRY: Registry = Registry::new(&[&VISITS]);
static METRICS: MetricsHandler = MetricsHandler::new(&REGISTRY);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        if let Err(error) = stream.and_then(answer) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();

    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if target != "/metrics" && !target.starts_with("/metrics?") {
        VISITS.inc();
        return stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nThe front page.\n");
    }

    let mut request = Request::new(method, target);
    for (name, value) in headers.iter().filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "accept" => request = request.accept(value.trim()),
            "accept-encoding" => request = request.accept_encoding(value.trim()),
            _ => {}
        }
    }
    let response = METRICS.answer(&request);
    write!(stream, "HTTP/1.0 {} {}\r\n", response.status(), response.reason())?;
    for (name, value) in response.headers() {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "Connection: close\r\n\r\n")?;
    response.write_body(&mut stream)
}
