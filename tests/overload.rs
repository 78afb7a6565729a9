//! What a server does under clients that mean no good, and when the system runs short: somebody who asks properly
//! is always answered, and nothing grows.

mod support;

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use scrapeport::http::DEFAULT_CONNECTIONS;
use scrapeport::text::{Kind, Page};
use scrapeport::{Collect, CollectError, Collector, Counter, Registry, Server};
use support::*;

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

const EVICTED: &str = "scrapeport_http_connections_ended_total{outcome=\"evicted\"}";

/// A server, and what it held when nothing had happened yet.
struct Calm {
    server: Server,
    thread: thread::JoinHandle<()>,
    descriptors: usize,
}

impl Calm {
    fn start(registry: &'static Registry) -> Self {
        let server = Server::builder(registry).shutdown_grace(Duration::from_millis(100));
        let (server, thread) = server.start_on("127.0.0.1:0").expect("loopback");
        assert_eq!(server_threads(), DEFAULT_CONNECTIONS + 1);
        let calm = Self { server, thread, descriptors: descriptors() };
        // Whatever a first request allocates is there.
        scrape(calm.address());
        calm
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addr().expect("a TCP address")
    }

    /// With these clients there: a scrape is answered, and the server holds no more than its constants.
    fn withstands(self, clients: Vec<TcpStream>) {
        assert_eq!(scrape(self.address()).status, 200);
        assert_eq!(server_threads(), DEFAULT_CONNECTIONS + 1);
        assert!(descriptors() <= self.descriptors + clients.len() + DEFAULT_CONNECTIONS);
        // Their sockets go; ours must follow.
        drop(clients);
        eventually("descriptors are back", || descriptors() == self.descriptors);
        assert_eq!(scrape(self.address()).status, 200);
        self.end();
    }

    fn end(self) {
        self.server.shutdown();
        self.thread.join().expect("no panic");
        assert_eq!(server_threads(), 0);
    }
}

fn crowd(number: usize, address: SocketAddr, each: impl Fn(&mut TcpStream)) -> Vec<TcpStream> {
    (0..number)
        .map(|_| {
            let mut client = connect(address);
            each(&mut client);
            client
        })
        .collect()
}

#[test]
fn five_hundred_silent_clients() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    let clients = crowd(500, calm.address(), |_| ());
    calm.withstands(clients);
}

#[test]
fn five_hundred_idle_clients() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    let before = scrape(calm.address()).sample(EVICTED);
    // Each is served once and stays: all but the last sixteen had to give way.
    let clients = crowd(500, calm.address(), |client| assert_eq!(get(client).expect("served").status, 200));
    let evicted = scrape(calm.address()).sample(EVICTED) - before;
    assert_eq!(evicted, (500 + 1 - DEFAULT_CONNECTIONS) as f64, "one for each that came too many");
    assert_eq!(clients.iter().filter(|client| is_open(client)).count(), DEFAULT_CONNECTIONS - 1);
    calm.withstands(clients);
}

#[test]
fn five_hundred_dripping_clients() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    let mut clients = crowd(500, calm.address(), |client| client.write_all(b"G").expect("open"));
    for byte in b"ET / HTTP/1.1\r\nX: " {
        for client in &mut clients {
            // Those given up do not take it.
            let _ = client.write(&[*byte]);
        }
        assert_eq!(scrape(calm.address()).status, 200);
    }
    calm.withstands(clients);
}

#[test]
fn dripping_clients_renewed_for_ever() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    let address = calm.address();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut clients: [Option<TcpStream>; 8] = Default::default();
                while !over.load(SeqCst) {
                    for client in &mut clients {
                        let alive = client
                            .as_mut()
                            .is_some_and(|client| is_open(client) && client.write(b"x").is_ok());
                        if !alive {
                            let mut fresh = connect(address);
                            let _ = fresh.write(b"GET / HTTP/1.1\r\nX: ");
                            *client = Some(fresh);
                        }
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        for _ in 0..50 {
            // On one attempt: no connection that has asked is given up.
            assert_eq!(get(&mut connect(address)).expect("answered").status, 200);
        }
        over.store(true, SeqCst);
    });
    calm.withstands(Vec::new());
}

#[test]
fn a_hundred_half_closed_clients() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    let mut clients = crowd(100, calm.address(), |client| {
        client.write_all(b"GET / HTTP/1.1\r\nHost:").expect("open");
        client.shutdown(Shutdown::Write).expect("open");
    });
    for client in &mut clients {
        // The end of the input ends the connection, politely or not.
        assert!(is_closed(client));
    }
    clients.extend(crowd(100, calm.address(), |client| client.shutdown(Shutdown::Write).expect("open")));
    // And those who half-close after a whole request get their page.
    for mut client in crowd(100, calm.address(), |client| {
        client.write_all(GET.as_bytes()).expect("open");
        client.shutdown(Shutdown::Write).expect("open");
    }) {
        assert_eq!(read_reply(&mut client).expect("a page").status, 200);
        assert!(is_closed(&mut client));
    }
    calm.withstands(clients);
}

/// More than the kernel buffers for a connection.
struct Large;

impl Collect for Large {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut family = page.family(Kind::Gauge, "app_large", "Many samples.");
        let filler = "x".repeat(1000);
        for _ in 0..20_000 {
            family.sample(&[("filler", &filler)], 1_u64);
        }
        Ok(())
    }
}

static LARGE: Collector<Large> = Collector::new("large", &["app_large"], Large);
static LARGE_REGISTRY: Registry = Registry::new(&[&HITS]).collecting(&[&LARGE]);

#[test]
fn clients_that_never_read() {
    let _alone = alone();
    let calm = Calm::start(&LARGE_REGISTRY);
    let clients = crowd(2 * DEFAULT_CONNECTIONS, calm.address(), |client| {
        client.write_all(GET.as_bytes()).expect("open")
    });
    assert_eq!(
        scrape(calm.address()).body.lines().filter(|line| line.starts_with("app_large")).count(),
        20_000
    );
    calm.withstands(clients);
}

#[test]
fn a_gigabyte_of_header() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    for piece in ["X-Filler: 0123456789abcdef\r\n", "0123456789abcdef"] {
        let start = b"GET / HTTP/1.1\r\nX: ";
        let mut client = connect(calm.address());
        client.write_all(start).expect("open");
        let before = resident();
        let piece = piece.repeat(1000);
        let mut sent = 0;
        while sent < 1 << 30 && client.write_all(piece.as_bytes()).is_ok() {
            sent += piece.len();
        }
        assert!(sent < 1 << 26, "refused long before: {sent}");
        assert!(resident() < before + (2 << 20), "memory is flat");
    }
    // Who stops sending is told.
    let mut client = connect(calm.address());
    client.write_all(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(16 * 1024)).as_bytes()).expect("open");
    assert_eq!(read_reply(&mut client).expect("a refusal").status, 431);
    calm.withstands(vec![client]);
}

#[test]
fn a_thousand_pipelined_requests() {
    let _alone = alone();
    let calm = Calm::start(&REGISTRY);
    let mut client = connect(calm.address());
    let mut writer = client.try_clone().expect("a descriptor");
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(GET.repeat(1000).as_bytes()).expect("open"));
        for _ in 0..1000 {
            assert_eq!(read_reply(&mut client).expect("each is answered").status, 200);
        }
    });
    assert_eq!(get(&mut client).expect("and the connection is kept").status, 200);
    calm.withstands(vec![client]);
}

#[test]
fn idle_first_then_unfinished_then_stalled() {
    let _alone = alone();
    let (server, _thread) =
        Server::builder(&LARGE_REGISTRY).max_connections(4).start_on("127.0.0.1:0").expect("loopback");
    let address = server.local_addr().expect("a TCP address");
    let state = |client: &mut TcpStream, state: &str| {
        let request = "GET /?name[]=scrapeport_http_connections HTTP/1.1\r\nHost: h\r\n\r\n";
        ask(client, request)
            .expect("kept")
            .sample(&format!("scrapeport_http_connections{{state=\"{state}\"}}"))
    };
    // The oldest of all writes and gets no further.
    let mut stalled = connect(address);
    stalled.write_all(GET.as_bytes()).expect("open");
    let mut watcher = connect(address);
    eventually("one is stalled", || state(&mut watcher, "writing") == 1.0);
    let mut unfinished = connect(address);
    unfinished.write_all(b"GET / HT").expect("open");
    eventually("one is unfinished", || state(&mut watcher, "reading") == 1.0);
    let mut idle = connect(address);
    state(&mut idle, "idle");
    state(&mut watcher, "idle");
    // All four are taken. The two idle ones go first, the one that has waited longer before the other.
    let next = |closed: &mut TcpStream, open: &[&TcpStream]| {
        let mut visitor = connect(address);
        visitor.write_all(b"GET / HT").expect("open");
        assert!(is_closed(closed));
        assert!(open.iter().all(|client| is_open(client)));
        visitor
    };
    let _first = next(&mut idle, &[&watcher, &unfinished]);
    let _second = next(&mut watcher, &[&unfinished, &_first]);
    let third = next(&mut unfinished, &[&_first, &_second]);
    let mut clients = [_first, _second, third];
    // Then the unfinished visitors, oldest first.
    let [first, second, third] = &mut clients;
    let mut fourth = next(first, &[second, third]);
    let mut fifth = next(second, &[third, &fourth]);
    // They finish and are served, so only the writer is left to give way.
    for client in [third, &mut fourth, &mut fifth] {
        let rest = "TP/1.1\r\nHost: h\r\n\r\n";
        client.write_all(rest.as_bytes()).expect("open");
    }
    let mut last = connect(address);
    last.write_all(GET.as_bytes()).expect("open");
    let mut received = Vec::new();
    // Its connection is reset rather than left to the kernel for minutes.
    assert!(stalled.read_to_end(&mut received).is_err() || received.len() < 20_000_000);
    assert_eq!(read_reply(&mut last).expect("a page").status, 200);
}

/// The server of the next test, in a process whose descriptors are its own.
struct Short {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Short {
    fn tell(&mut self, word: &str) -> String {
        writeln!(self.input, "{word}").expect("a pipe");
        self.line()
    }

    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).expect("a pipe"), 0, "the child is gone");
            if let Some((_, answer)) = line.split_once("answer: ") {
                return answer.trim().to_owned();
            }
        }
    }
}

#[test]
fn out_of_descriptors_and_back() {
    let _alone = alone();
    for address in ["127.0.0.1:0", "several"] {
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args(["short_of_descriptors", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env("ADDRESS", address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut short = Short { input, output };
        let address: SocketAddr = short.line().parse().expect("an address");
        let constant = short.tell("count");
        let mut kept = connect(address);
        assert_eq!(get(&mut kept).expect("kept").status, 200);
        assert_eq!(short.tell("fill"), "full");
        for _ in 0..50 {
            let reply = scrape(address);
            assert_eq!(reply.status, 200);
        }
        // More at once than there are descriptors: one after the other, all are answered.
        let mut crowd = crowd(40, address, |client| client.write_all(GET.as_bytes()).expect("open"));
        for client in &mut crowd {
            assert_eq!(read_reply(client).expect("a page").status, 200);
        }
        drop(crowd);
        let errors = "scrapeport_http_accept_errors_total";
        let before = scrape(address).sample(errors);
        assert!(before > 0.0);
        // A second at the limit: attempts are few, though somebody may always be waiting.
        thread::sleep(Duration::from_secs(1));
        let attempts = scrape(address).sample(errors) - before;
        assert!(attempts < 200.0, "{attempts} failed attempts in a second");
        assert_eq!(short.tell("empty"), "done");
        drop(kept);
        let mut client = connect(address);
        // The shortage is over: connections are kept again.
        eventually("kept", || {
            let kept = get(&mut client).is_ok_and(|reply| !reply.has("Connection: close"));
            if !kept {
                client = connect(address);
            }
            kept
        });
        assert_eq!(get(&mut client).expect("kept").status, 200);
        drop(client);
        eventually("descriptors are back", || short.tell("count") == constant);
        assert_eq!(short.tell("end"), "ended");
        assert!(child.wait().expect("our child").success());
    }
}

#[test]
#[ignore = "run by out_of_descriptors_and_back"]
fn short_of_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: limit.maximum }).expect("lower");
    let mut builder = Server::builder(&REGISTRY);
    if env::var("ADDRESS").expect("set") == "several" {
        builder = builder.listen("[::1]:0");
    }
    let (server, thread) = builder.start_on("127.0.0.1:0").expect("loopback");
    let answer = |word: &dyn std::fmt::Display| println!("answer: {word}");
    answer(&server.addresses().last().expect("one"));
    let mut files = Vec::new();
    for line in std::io::stdin().lines() {
        match line.expect("a pipe").as_str() {
            "fill" => {
                files.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                answer(&"full");
            }
            "empty" => {
                files.clear();
                answer(&"done");
            }
            "count" => answer(&format!("{} {}", descriptors(), server_threads())),
            _ => break,
        }
    }
    server.shutdown();
    thread.join().expect("no panic");
    assert_eq!(server_threads(), 0);
    answer(&"ended");
}
