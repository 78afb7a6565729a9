//! The price of a scrape: a server's processor time and instructions per request, against nginx, hyper, tiny_http
//! and bare loops that serve the same bytes ready-made. Ours encodes its page anew each time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use scrapeport_benches::data::{LARGE, SMALL, Shape, page};
use scrapeport_benches::load::{Connections, run};
use scrapeport_benches::ours;
use scrapeport_benches::process::{cpu_time, pin};
use scrapeport_benches::rounds::Rounds;
use scrapeport_benches::running::{
    Nginx, Program, Running, Under, calls_per_request, instructions_per_request,
};
use scrapeport_benches::table::{Table, maybe, ratio, short};

const KINDS: [&str; 9] = [
    "scrapeport",
    "scrapeport, its own metrics too",
    "bare loop",
    "bare loop, deferred accept",
    "thread per connection",
    "nginx",
    "nginx, tuned",
    "hyper",
    "tiny_http",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value_of = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    if let (Some(kind), Some(size)) = (value_of("--server"), value_of("--page")) {
        return serve(&kind, shape(&size));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let processor: usize = value_of("--processor").map_or(1, |at| at.parse().unwrap());
    let only = value_of("--scenario");
    // Server and scraper take turns on one processor: what wakes whom where is then no matter of luck.
    pin(processor);
    for (name, size, how, requests) in [
        ("kept small", "small", Connections::Kept, 2_000),
        ("fresh small", "small", Connections::Fresh, 600),
        ("kept large", "large", Connections::Kept, 500),
        ("fresh large", "large", Connections::Fresh, 300),
    ] {
        if only.as_ref().is_none_or(|only| only == name) {
            compare(size, how, requests, quick);
        }
    }
}

fn shape(size: &str) -> Shape {
    if size == "large" { LARGE } else { SMALL }
}

fn compare(size: &str, how: Connections, requests: u32, quick: bool) {
    let rounds = if quick { 5 } else { 15 };
    let limit = Duration::from_secs(2);
    let mut running: Vec<(&str, Running)> = KINDS
        .iter()
        .filter_map(|kind| Some((*kind, Running::start(&program(kind, size), Under::Nothing)?)))
        .collect();
    let mut times = vec![Rounds::default(); running.len()];
    let mut rates = vec![Rounds::default(); running.len()];
    let mut bodies = vec![0; running.len()];
    for (_, server) in &running {
        run(server.address, how, 20, limit).expect("the first requests");
    }
    for round in 0..rounds {
        for place in 0..running.len() {
            let at = (place + round) % running.len();
            let (kind, server) = &running[at];
            // A kept connection of tiny_http waits 44 ms for each answer.
            let requests = if *kind == "tiny_http" && how == Connections::Kept { 12 } else { requests };
            let before = cpu_time(server.pid).unwrap();
            let done =
                run(server.address, how, requests, limit).unwrap_or_else(|error| panic!("{kind}: {error}"));
            let used = cpu_time(server.pid).unwrap() - before;
            times[at].0.push(used.as_secs_f64() * 1e6 / f64::from(done.requests));
            rates[at].0.push(f64::from(done.requests) / done.took.as_secs_f64());
            bodies[at] = done.body;
        }
    }
    let names: Vec<&str> = running.iter().map(|(kind, _)| *kind).collect();
    running.iter_mut().for_each(|(_, server)| server.stop());

    let connections =
        if how == Connections::Kept { "one kept connection" } else { "a fresh connection each" };
    println!("### Page of {} kB, {connections}\n", (bodies[0] + 500) / 1000);
    let mut table = Table::new(&[
        "",
        "CPU µs per request, median",
        "least",
        "to scrapeport",
        "requests per second",
        "user instructions per request",
        "system calls per request",
        "bytes",
    ]);
    for (at, kind) in names.iter().enumerate() {
        let counted = !(quick && (size == "large" || how == Connections::Fresh));
        let program = program(kind, size);
        let load = |address, requests| run(address, how, requests, Duration::from_secs(30)).map(drop);
        let slow = *kind == "tiny_http" && how == Connections::Kept;
        table.row(vec![
            (*kind).to_owned(),
            short(times[at].median()),
            short(times[at].least()),
            ratio(times[at].ratio_to(&times[0])),
            short(rates[at].median()),
            maybe(if counted {
                instructions_per_request(&program, if slow { [4, 14] } else { [50, 250] }, &load)
            } else {
                None
            }),
            if counted {
                calls_per_request(&program, if slow { [4, 14] } else { [20, 120] }, &load)
            } else {
                "–".into()
            },
            bodies[at].to_string(),
        ]);
    }
    table.print();
}

/// nginx, or this program again.
fn program(kind: &str, size: &str) -> Program {
    if kind.starts_with("nginx") {
        return Program::Nginx(Nginx { page: shape(size), tuned: kind == "nginx, tuned", pair: None });
    }
    Program::Own(["--server", kind, "--page", size].map(str::to_owned).into())
}

// ---- the servers, each in a process of its own

/// Serves until it is ended; tells its port in the first line.
fn serve(kind: &str, shape: Shape) {
    let announce = |address: SocketAddr| {
        println!("{}", address.port());
        std::io::stdout().flush().unwrap();
    };
    match kind {
        "scrapeport" => ours::serve(shape, false, announce),
        "scrapeport, its own metrics too" => ours::serve(shape, true, announce),
        "bare loop" | "bare loop, deferred accept" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            if kind != "bare loop" {
                defer_accept(&listener);
            }
            announce(listener.local_addr().unwrap());
            let page = answer(shape);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        loop {
                            let (stream, _) = listener.accept().unwrap();
                            converse(stream, &page);
                        }
                    });
                }
            });
        }
        "thread per connection" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            announce(listener.local_addr().unwrap());
            let page: &'static [u8] = answer(shape).leak();
            loop {
                let (stream, _) = listener.accept().unwrap();
                std::thread::spawn(move || converse(stream, page));
            }
        }
        "hyper" => hyper(shape, announce),
        "tiny_http" => {
            let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
            announce(server.server_addr().to_ip().unwrap());
            let page = page(shape);
            for request in server.incoming_requests() {
                let _ = request.respond(tiny_http::Response::from_data(page.as_slice()));
            }
        }
        _ => panic!("no server {kind}"),
    }
}

fn defer_accept(listener: &TcpListener) {
    let seconds: libc::c_int = 5;
    // SAFETY: the option is a plain integer that lives through the call.
    unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

/// Head and body in one piece.
fn answer(shape: Shape) -> Vec<u8> {
    let body = page(shape);
    let mut whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    whole.extend_from_slice(&body);
    whole
}

/// The least that a blocking server can do: parse the head, write the fixed answer.
fn converse(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; 8192];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]) {
            Ok(got) if got > 0 => filled += got,
            _ => return,
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(status) = request.parse(&buffer[..filled]) else { return };
        if status.is_partial() {
            continue;
        }
        let close = request
            .headers
            .iter()
            .any(|header| header.name.eq_ignore_ascii_case("connection") && header.value == b"close");
        if stream.write_all(answer).is_err() || close {
            return;
        }
        filled = 0;
    }
}

fn hyper(shape: Shape, announce: impl Fn(SocketAddr)) {
    use http_body_util::Full;
    use hyper::body::{Bytes, Incoming};
    use hyper::service::service_fn;
    use hyper::{Request, Response};

    let page = Bytes::from(page(shape));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        announce(listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = stream.set_nodelay(true);
            let page = page.clone();
            tokio::task::spawn_local(async move {
                let service = service_fn(move |_: Request<Incoming>| {
                    let page = page.clone();
                    async move {
                        Response::builder()
                            .header("content-type", "text/plain; version=0.0.4; charset=utf-8")
                            .body(Full::new(page))
                    }
                });
                let io = hyper_util::rt::TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
}
