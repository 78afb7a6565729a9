//! The price of a scrape: a server's processor time and instructions per request, against nginx, hyper, tiny_http
//! and bare loops that serve the same bytes ready-made. Ours encodes its page anew each time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use scrapeport_benches::data::{LARGE, SMALL, Shape, page};
use scrapeport_benches::load::{Connections, run};
use scrapeport_benches::process::{children, cpu_time, pin, stop};
use scrapeport_benches::rounds::Rounds;
use scrapeport_benches::table::{Table, maybe, ratio, short};
use scrapeport_benches::{instructions, ours};

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
    let mut running: Vec<(&str, Running)> =
        KINDS.iter().filter_map(|kind| Some((*kind, Running::start(kind, size, Under::Nothing)?))).collect();
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
        table.row(vec![
            (*kind).to_owned(),
            short(times[at].median()),
            short(times[at].least()),
            ratio(times[at].ratio_to(&times[0])),
            short(rates[at].median()),
            maybe(if counted { instructions_per_request(kind, size, how) } else { None }),
            if counted { calls_per_request(kind, size, how) } else { "–".into() },
            bodies[at].to_string(),
        ]);
    }
    table.print();
}

fn instructions_per_request(kind: &str, size: &str, how: Connections) -> Option<f64> {
    let (few, many) = if kind == "tiny_http" && how == Connections::Kept { (4, 14) } else { (50, 250) };
    let run = |requests: u32| -> Option<u64> {
        let mut server = Running::start(kind, size, Under::Callgrind)?;
        run(server.address, how, requests, Duration::from_secs(30)).ok()?;
        // The server may still be closing the last connection.
        std::thread::sleep(Duration::from_millis(50));
        instructions::collected(&server.stop_and_read())
    };
    let (low, high) = (run(few)?, run(many)?);
    Some((high as f64 - low as f64) / f64::from(many - few))
}

/// How often each system call is made, beyond what starting takes: `read 1, write 1`.
fn calls_per_request(kind: &str, size: &str, how: Connections) -> String {
    let (few, many) = if kind == "tiny_http" && how == Connections::Kept { (4, 14) } else { (20, 120) };
    let run = |requests: u32| -> Option<Vec<(String, u32)>> {
        let mut server = Running::start(kind, size, Under::Strace)?;
        run(server.address, how, requests, Duration::from_secs(30)).ok()?;
        std::thread::sleep(Duration::from_millis(50));
        let mut counts: Vec<(String, u32)> = Vec::new();
        for line in server.stop_and_read().lines() {
            // `[pid 12] read(5, …) = 12`; the end of an interrupted call has been counted at its beginning.
            let line = line
                .strip_prefix("[pid")
                .and_then(|line| line.split_once("] "))
                .map_or(line, |(_, call)| call);
            let call = line.split_once('(').map(|(call, _)| call);
            let Some(call) = call.filter(|call| call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            else {
                continue;
            };
            match counts.iter_mut().find(|(name, _)| name == call) {
                Some((_, count)) => *count += 1,
                None => counts.push((call.to_owned(), 1)),
            }
        }
        Some(counts)
    };
    let (Some(low), Some(high)) = (run(few), run(many)) else { return "–".into() };
    let mut parts = Vec::new();
    let mut total = 0.0;
    for (name, count) in high {
        let before = low.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
        let each = (f64::from(count) - f64::from(before)) / f64::from(many - few);
        if each >= 0.05 {
            total += each;
            let each = format!("{each:.1}");
            parts.push(format!("{name} {}", each.trim_end_matches(".0")));
        }
    }
    let total = format!("{total:.1}");
    format!("{}: {}", total.trim_end_matches(".0"), parts.join(", "))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Nothing,
    Callgrind,
    Strace,
}

/// A server in a process of its own.
struct Running {
    child: Child,
    /// The process that answers.
    pid: u32,
    address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// None if what it takes is not installed.
    fn start(kind: &str, size: &str, under: Under) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("scrapeport-benches-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = match (under, std::env::var_os("COUNTING")) {
            (Under::Callgrind, Some(program)) => PathBuf::from(program),
            _ => std::env::current_exe().unwrap(),
        };
        let mut line: Vec<String> = match under {
            Under::Nothing => Vec::new(),
            Under::Callgrind => vec!["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"],
            Under::Strace => vec!["strace", "-f", "-qq", "-e", "signal=none"],
        }
        .into_iter()
        .map(str::to_owned)
        .collect();
        let nginx = kind.starts_with("nginx");
        let mut port = 0;
        if nginx {
            port = free_port();
            let file = nginx_files(&folder, size, port, kind == "nginx, tuned", under);
            line.extend(["nginx", "-e", "stderr", "-c"].map(str::to_owned));
            line.push(file.to_str().unwrap().to_owned());
        } else {
            line.push(program.to_str().unwrap().to_owned());
            line.extend(["--server", kind, "--page", size].map(str::to_owned));
        }
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .ok()?;
        if !nginx {
            let mut first = String::new();
            BufReader::new(child.stdout.as_mut()?).read_line(&mut first).ok()?;
            port = first.trim().parse().ok()?;
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        for _ in 0..400 {
            if TcpStream::connect(address).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        // nginx answers from a worker, strace has its program as a child.
        let below = children(child.id());
        let pid = below.first().copied().unwrap_or_else(|| child.id());
        Some(Self { child, pid, address, folder })
    }

    fn stop(&mut self) {
        let below = children(self.child.id());
        // nginx's first process ends its worker; strace ends when what it watches has ended.
        let strace = below.len() == 1
            && std::fs::read_to_string(format!("/proc/{}/comm", self.child.id()))
                .is_ok_and(|name| name.trim() == "strace");
        let pid = if strace { below[0] } else { self.child.id() };
        stop(&mut self.child, pid);
    }

    fn stop_and_read(&mut self) -> String {
        self.stop();
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One worker, no access log, a kept connection for ever; "tuned" adds what nginx has for speed.
fn nginx_files(folder: &std::path::Path, size: &str, port: u16, tuned: bool, under: Under) -> PathBuf {
    let name = if tuned { "tuned" } else { "plain" };
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("metrics"), page(shape(size))).unwrap();
    let file = folder.join("nginx.conf");
    let at = folder.display();
    let extra = if tuned { "tcp_nopush on; open_file_cache max=10; open_file_cache_valid 60s;" } else { "" };
    let listen = if tuned { " deferred" } else { "" };
    // The tools that count follow one process best.
    let master = if under == Under::Nothing { "" } else { "master_process off;" };
    let text = format!(
        "worker_processes 1; daemon off; {master} pid {at}/pid; error_log stderr crit;
        events {{ worker_connections 64; }}
        http {{
            access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; {extra}
            client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;
            uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;
            default_type text/plain;
            server {{ listen 127.0.0.1:{port}{listen}; root {at}; }}
        }}"
    );
    std::fs::write(&file, text).unwrap();
    file
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
