//! Connections, pages of any length, collectors that fail or take long.

use std::fs;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use scrapeport::text::{Kind, Page};
use scrapeport::{Collect, CollectError, Collector, Gauge, Registry, Server};

use crate::client::{Answer, Connection, exchange, find, get};
use crate::process::{Running, Scratch, Served, every_kind, python, tool};
use crate::reference::{Oracle, Reference};

static TEMPERATURE: Gauge = Gauge::new("demo_temperature_celsius", "Board temperature.");

fn serve(registry: &'static Registry) -> (Server, SocketAddr) {
    let (server, _) =
        Server::builder(registry).server_metrics(false).start_on("127.0.0.1:0").expect("a free port");
    let address = server.local_addr().expect("a TCP address");
    (server, address)
}

#[test]
fn connections_are_kept() {
    let (reference, ours) = (Reference::serve(&[]), Served::every_kind(&[]));
    for (request, kept) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: x, CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", true),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n", true),
    ] {
        let answer = exchange(reference.address, request.as_bytes());
        assert!(answer.closed, "the reference keeps connections now: {answer}");
        assert_eq!((answer.version.as_str(), answer.chunked), ("HTTP/1.0", false), "{answer}");
        let mut connection = Connection::open(ours.address);
        let times = if kept { 3 } else { 1 };
        for _ in 0..times {
            connection.send(request.as_bytes());
            let answer = connection.receive(request.split(' ').next().unwrap_or(""));
            assert_eq!(answer.version, "HTTP/1.1", "{request:?} {answer}");
            assert!(matches!(answer.status, Some(200 | 405)), "{request:?} {answer}");
            assert!(answer.rest.is_empty(), "{request:?} {answer}");
        }
        assert_eq!(connection.is_closed(), !kept, "{request:?}");
    }
}

#[test]
fn pipelined_requests_are_all_answered() {
    let requests = "GET /favicon.ico HTTP/1.1\r\n\r\nPOST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /?name[]=demo_help HTTP/1.1\r\n\r\n\
                    HEAD / HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let reference = Reference::serve(&[]);
    let theirs = exchange(reference.address, requests.as_bytes());
    assert!(
        theirs.closed && theirs.rest.is_empty(),
        "the reference answers pipelined requests now: {theirs}"
    );
    let ours = Served::every_kind(&[]);
    // All at once, and byte by byte.
    for size in [usize::MAX, 1] {
        let mut connection = Connection::open(ours.address);
        for piece in requests.as_bytes().chunks(size) {
            connection.send(piece);
        }
        let answers: Vec<_> = ["GET", "POST", "GET", "GET", "OPTIONS"]
            .iter()
            .enumerate()
            .map(|(at, method)| {
                // A HEAD with more behind it cannot wait for silence: its answer has no body to read.
                if at == 3 { connection.receive_head() } else { connection.receive(method) }
            })
            .collect();
        let codes: Vec<_> = answers.iter().map(|answer| answer.status.unwrap_or(0)).collect();
        assert_eq!(codes, [200, 405, 200, 405, 200], "{answers:?}");
        assert!(answers[2].text().ends_with("\ndemo_help 1\n"), "{}", answers[2]);
        // What follows a `close` is dropped.
        assert!(answers[4].closed && answers[4].rest.is_empty(), "{}", answers[4]);
    }
}

/// Many rows, written as they are found.
struct Large;

impl Collect for Large {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut rows = page.family(Kind::Gauge, "demo_large", "Many rows.");
        for row in 0..5_000_u32 {
            rows.sample(&[("row", &row.to_string())], row);
        }
        Ok(())
    }
}

static LARGE: Collector<Large> = Collector::new("large", &["demo_large"], Large);
static LARGE_REGISTRY: Registry = Registry::new(&[&TEMPERATURE]).collecting(&[&LARGE]);

#[test]
fn a_page_longer_than_the_buffer_comes_in_chunks() {
    let reference = Reference::serve(&["large"]);
    let (server, address) = serve(&LARGE_REGISTRY);
    let mut oracle = Oracle::start();
    let rows = |oracle: &mut Oracle, answer: &Answer| {
        let page = oracle.plain(answer);
        let lines =
            oracle.parse(answer.header("Content-Type").unwrap_or(""), &page).expect("the page parses");
        let mut rows: Vec<_> = lines.into_iter().filter(|line| line.contains("\"demo_large\"")).collect();
        rows.sort();
        rows
    };
    for headers in ["", "Accept-Encoding: gzip\r\n", "Accept: application/openmetrics-text\r\n"] {
        let theirs = exchange(reference.address, &get("/", headers));
        assert!(theirs.header("Content-Length").is_some(), "{theirs}");
        let kept = exchange(address, &get("/", headers));
        assert!(kept.chunked && !kept.closed, "{kept}");
        assert_eq!(kept.header("Content-Length"), None, "{kept}");
        let old = exchange(address, format!("GET / HTTP/1.0\r\n{headers}\r\n").as_bytes());
        assert!(!old.chunked && old.closed, "{old}");
        assert_eq!(old.header("Transfer-Encoding"), None, "{old}");
        let expected = rows(&mut oracle, &theirs);
        assert_eq!(expected.len(), 5_001);
        for answer in [&kept, &old] {
            assert!(rows(&mut oracle, answer) == expected, "{headers:?}: the rows differ");
        }
    }
    // A page that fits has a length.
    let small = exchange(address, &get("/?name[]=demo_temperature_celsius", ""));
    assert!(!small.chunked && small.header("Content-Length").is_some(), "{small}");
    server.shutdown();
}

#[test]
fn a_client_that_leaves_in_the_middle_harms_nobody() {
    let (server, address) = serve(&LARGE_REGISTRY);
    for _ in 0..40 {
        let mut connection = Connection::open(address);
        connection.send(&get("/", ""));
        let _ = connection.stream.shutdown(Shutdown::Both);
        // Closing with unread bytes resets the connection.
        let mut connection = Connection::open(address);
        connection.send(&get("/", ""));
        thread::sleep(Duration::from_millis(2));
        drop(connection);
        let mut connection = Connection::open(address);
        connection.send(b"GET / HT");
    }
    assert_eq!(exchange(address, &get("/?name[]=demo_temperature_celsius", "")).status, Some(200));
    server.shutdown();
}

#[test]
fn silent_and_slow_clients_are_sent_away() {
    let (reference, ours) = (Reference::serve(&[]), Served::every_kind(&[]));
    let mut patient = Connection::open(reference.address);
    let (mut silent, mut slow) = (Connection::open(ours.address), Connection::open(ours.address));
    let begun = Instant::now();
    slow.send(b"GET / HTTP/1.1\r\nX: ");
    // A byte now and then does not make a head: it may take 5 s.
    while begun.elapsed() < Duration::from_secs(4) {
        slow.send(b"x");
        thread::sleep(Duration::from_millis(250));
    }
    let answer = slow.receive("GET");
    assert_eq!((answer.status, answer.closed), (Some(408), true), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    // Who says nothing at all waits in the kernel, where it costs next to nothing, and only then for a head.
    while !silent.is_closed() {
        assert!(begun.elapsed() < Duration::from_secs(25), "a silent client may stay");
    }
    assert!(!patient.is_closed(), "the reference has a time-out now");
}

#[test]
fn idle_clients_cost_no_threads_and_keep_nobody_out() {
    let ours = Served::every_kind(&[]);
    let threads =
        || fs::read_dir(format!("/proc/{}/task", ours.running.id())).expect("a process has threads").count();
    let before = threads();
    let idle: Vec<_> =
        (0..50).map(|_| TcpStream::connect(ours.address).expect("the server accepts")).collect();
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(exchange(ours.address, &get("/", "")).status, Some(200));
        assert!(begun.elapsed() < Duration::from_secs(1), "a scraper had to wait");
    }
    assert_eq!(threads(), before);
    drop(idle);
}

static SLOW_RUNS: AtomicUsize = AtomicUsize::new(0);

/// Counts its runs and takes its time.
struct Slow;

impl Collect for Slow {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        SLOW_RUNS.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(500));
        page.family(Kind::Gauge, "demo_slow", "Collected.").sample(&[], 1);
        Ok(())
    }
}

/// Its families are not known before it runs.
struct Undeclared;

impl Collect for Undeclared {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Gauge, "demo_undeclared", "Collected.").sample(&[], 1);
        Ok(())
    }
}

/// Fails after its first sample.
struct Failing;

impl Collect for Failing {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        page.family(Kind::Gauge, "demo_before", "Collected before the failure.").sample(&[], 1);
        Err(CollectError::new("cannot read the sensor"))
    }
}

struct Panicking;

impl Collect for Panicking {
    fn collect(&self, _: &mut Page<'_>) -> Result<(), CollectError> {
        std::panic::resume_unwind(Box::new("no message on standard error"))
    }
}

static SLOW: Collector<Slow> = Collector::new("slow", &["demo_slow"], Slow);
static SLOW_REGISTRY: Registry = Registry::new(&[&TEMPERATURE]).collecting(&[&SLOW]);
static UNDECLARED: Collector<Undeclared> = Collector::new("undeclared", &[], Undeclared);
static UNDECLARED_REGISTRY: Registry = Registry::new(&[&TEMPERATURE]).collecting(&[&UNDECLARED]);
static FAILING: Collector<Failing> = Collector::new("failing", &["demo_failing", "demo_before"], Failing);
static PANICKING: Collector<Panicking> = Collector::new("panicking", &["demo_panicking"], Panicking);
static FAILING_REGISTRY: Registry = Registry::new(&[&TEMPERATURE]).collecting(&[&FAILING, &PANICKING]);

#[test]
fn scrapes_at_the_same_time_collect_at_the_same_time() {
    let reference = Reference::serve(&["slow"]);
    let (server, address) = serve(&SLOW_REGISTRY);
    for (name, address) in [("the reference", reference.address), ("ours", address)] {
        let begun = Instant::now();
        let scrapes: Vec<_> =
            (0..4).map(|_| thread::spawn(move || exchange(address, &get("/", "")))).collect();
        for scrape in scrapes {
            let page = scrape.join().expect("the scrape ends").text();
            assert!(page.contains("\ndemo_slow 1"), "{name}: {page}");
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1_200), "{name}: one after the other, {took:?}");
    }
    // A collector of which nothing was asked does not run; by its own name it does.
    for (target, runs) in [("/?name[]=demo_temperature_celsius", 0), ("/?name[]=demo_slow", 1)] {
        let begun = Instant::now();
        exchange(reference.address, &get(target, ""));
        assert_eq!(begun.elapsed() > Duration::from_millis(450), runs == 1, "the reference at {target}");
        let before = SLOW_RUNS.load(Ordering::SeqCst);
        exchange(address, &get(target, ""));
        assert_eq!(SLOW_RUNS.load(Ordering::SeqCst) - before, runs, "{target}");
    }
    server.shutdown();
}

#[test]
fn collectors_without_declared_names_run_under_a_filter() {
    let reference = Reference::serve(&["undeclared"]);
    let (server, address) = serve(&UNDECLARED_REGISTRY);
    let target = "/?name[]=demo_undeclared";
    assert_eq!(exchange(reference.address, &get(target, "")).text(), "", "the reference runs them now");
    assert!(exchange(address, &get(target, "")).text().ends_with("\ndemo_undeclared 1\n"));
    assert_eq!(exchange(address, &get("/?name[]=demo_nothing", "")).text(), "");
    server.shutdown();
}

#[test]
fn a_registry_of_which_nothing_is_known_can_be_filtered() {
    let reference = Reference::serve(&["bare"]);
    let target = "/?name[]=demo_requests_total";
    let theirs = exchange(reference.address, &get(target, ""));
    assert_eq!(theirs.status, Some(500), "the reference filters it now: {theirs}");
    let ours = Served::every_kind(&[]);
    assert!(exchange(ours.address, &get(target, "")).text().ends_with("\ndemo_requests_total 3\n"));
}

#[test]
fn a_failing_collector_costs_only_its_own_samples() {
    let reference = Reference::serve(&["failing"]);
    let theirs = exchange(reference.address, &get("/", ""));
    assert_eq!((theirs.status, theirs.header("Content-Type")), (Some(500), Some("text/plain")), "{theirs}");
    assert!(find(&theirs.body, b"demo_requests").is_none(), "{theirs}");
    let (server, address) = serve(&FAILING_REGISTRY);
    let page = |headers: &str| {
        let answer = exchange(address, &get("/", headers));
        assert_eq!(answer.status, Some(200), "{answer}");
        answer.text()
    };
    page("");
    for headers in ["", "Accept: application/openmetrics-text\r\n"] {
        let page = page(headers);
        assert!(page.contains("\ndemo_temperature_celsius 0\n"), "{page}");
        assert!(page.contains("\ndemo_before 1\n"), "{page}");
        for name in ["failing", "panicking"] {
            let line = page.lines().find(|line| {
                line.starts_with(&format!("scrapeport_collector_errors_total{{collector=\"{name}\"}} "))
            });
            assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{name} is not counted: {page}");
        }
    }
    server.shutdown();
}

/// Runs a server under strace, scrapes it once, and returns the system calls of the network from its start to its end.
fn traced(name: &str, server: &mut Command) -> Vec<String> {
    let scratch = Scratch::new("strace");
    let log = scratch.path().join("log");
    let mut command = Command::new(tool("strace"));
    command.args(["-f", "-qq", "-s", "24", "-e", "trace=network,write,writev", "-o"]).arg(&log);
    command.arg(server.get_program()).args(server.get_args());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(&mut command);
    let line = running.first_line();
    let address = match line.parse::<u16>() {
        Ok(port) => SocketAddr::from(([127, 0, 0, 1], port)),
        Err(_) => line.parse().expect("the server prints where it listens"),
    };
    assert_eq!(exchange(address, &get("/metrics", "Connection: close\r\n")).status, Some(200));
    // strace does not pass a signal on: its child is to end, then it ends by itself.
    let strace = running.id();
    let children =
        fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).expect("children are listed");
    for child in children.split_whitespace().filter_map(|id| id.parse().ok()).filter_map(Pid::from_raw) {
        let _ = kill_process(child, Signal::KILL);
    }
    assert!(running.wait(Duration::from_secs(10)).is_some(), "{name} does not end");
    let log = fs::read_to_string(Path::new(&log)).expect("strace writes its log");
    log.lines().map(str::to_owned).collect()
}

#[test]
fn a_small_answer_leaves_in_one_piece_and_no_name_is_looked_up() {
    let sent = |calls: &[String]| {
        let ours = |call: &&String| {
            ["sendto(", "sendmsg(", "write(", "writev("].iter().any(|name| call.contains(name))
        };
        let listening = calls.iter().position(|call| call.contains("listen(")).expect("it listens");
        // The line with the address, on standard output, is not part of the answer.
        calls[listening..].iter().filter(ours).filter(|call| !call.contains("write(1,")).count()
    };
    let mut reference = python();
    reference.arg("serve");
    let theirs = traced("the reference", &mut reference);
    assert!(sent(&theirs) >= 5, "the reference sends in fewer pieces now: {theirs:#?}");
    let mut example = Command::new(every_kind());
    example.arg("127.0.0.1:0");
    let ours = traced("ours", &mut example);
    assert_eq!(sent(&ours), 1, "{ours:#?}");
    // A look-up would be a socket besides the listener.
    assert_eq!(ours.iter().filter(|call| call.contains("socket(")).count(), 1, "{ours:#?}");
}
