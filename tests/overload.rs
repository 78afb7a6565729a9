//! What a server does under clients that mean no good, and when the system runs short: somebody who asks properly
//! is always answered, and nothing grows.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

mod support;

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use scrapeport::server::{DEFAULT_CONNECTIONS, SERVER_METRICS};
use scrapeport::text::{Format, Kind, Page};
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
        eventually("the threads are gone", || server_threads() == 0);
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
        Server::builder(&LARGE_REGISTRY).max_connections(3).start_on("127.0.0.1:0").expect("loopback");
    let address = server.local_addr().expect("a TCP address");
    // Without a connection, which would be one of those counted.
    let wait_for = |state: &str, number: u64| {
        let line = format!("scrapeport_http_connections{{state=\"{state}\"}} {number}\n");
        eventually(&line, || SERVER_METRICS.to_text(Format::default()).contains(&line));
        // Further apart than the clock is coarse.
        thread::sleep(Duration::from_millis(20));
    };
    let come = |request: &str| {
        let mut client = connect(address);
        client.write_all(request.as_bytes()).expect("open");
        client
    };
    let unfinished = "GET / HT";
    // The oldest of all writes and gets no further.
    let mut stalled = come(GET);
    wait_for("writing", 1);
    let mut second = come(unfinished);
    wait_for("reading", 1);
    let mut idle = come("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for("idle", 1);
    // All are taken. The one between requests goes first, though it is the youngest.
    assert_eq!(read_reply(&mut idle).expect("a response").status, 200);
    let mut third = come(unfinished);
    assert!(is_closed(&mut idle));
    wait_for("reading", 2);
    assert!(is_open(&second));
    // Then those with half a request, the older first.
    let fourth = come(unfinished);
    assert!(is_closed(&mut second));
    wait_for("reading", 2);
    assert!(is_open(&third));
    let mut fifth = come(GET);
    assert!(is_closed(&mut third));
    wait_for("writing", 2);
    drop(fourth);
    wait_for("reading", 0);
    // Only writers are left, one of them younger.
    let _sixth = come(GET);
    wait_for("writing", 3);
    let mut last = come("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(read_reply(&mut last).expect("a response").status, 200);
    // Its connection is reset, rather than left to the kernel until it has taken everything.
    assert_eq!(stalled.read_to_end(&mut Vec::new()).expect_err("cut off").kind(), ErrorKind::ConnectionReset);
    assert_eq!(read_reply(&mut fifth).expect("not its turn").status, 200);
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
        // Clients that never finish their request do not keep what is left to themselves.
        let dripping = crowd(10, address, |client| client.write_all(b"GET / HT").expect("open"));
        let began = Instant::now();
        assert_eq!(scrape(address).status, 200);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        drop(dripping);
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

/// The descriptors of this process, less the one that finds them.
fn numbers() -> Vec<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("Linux").flatten();
    let entries =
        entries.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| !to.starts_with("/proc")));
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[test]
#[ignore = "run by out_of_descriptors_and_back"]
fn short_of_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit =
        |number| setrlimit(Resource::Nofile, Rlimit { current: Some(number), maximum }).expect("lower");
    let inherited = numbers();
    let mut builder = Server::builder(&REGISTRY);
    if env::var("ADDRESS").expect("set") == "several" {
        builder = builder.listen("[::1]:0");
    }
    let (server, thread) = builder.start_on("127.0.0.1:0").expect("loopback");
    let answer = |word: &dyn std::fmt::Display| println!("answer: {word}");
    answer(&server.addresses().last().expect("one"));
    let highest = numbers().into_iter().filter(|number| !inherited.contains(number)).max().expect("sockets");
    let mut files = Vec::new();
    for line in std::io::stdin().lines() {
        match line.expect("a pipe").as_str() {
            "fill" => {
                // No number above what the server holds: workers that wait in accept(2) have reserved theirs, and
                // would otherwise go on with those.
                limit(highest + 1);
                files.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                answer(&"full");
            }
            "empty" => {
                files.clear();
                limit(64);
                answer(&"done");
            }
            "count" => answer(&format!("{} {}", numbers().len(), server_threads())),
            _ => break,
        }
    }
    server.shutdown();
    thread.join().expect("no panic");
    eventually("the threads are gone", || server_threads() == 0);
    answer(&"ended");
}

/// Over TLS one handshake needs several round trips, in which a flood of others must not push it out.
#[cfg(feature = "tls")]
mod handshakes {
    use std::io;

    use super::*;

    fn start(policy: bool) -> (Server, thread::JoinHandle<()>) {
        let server = Server::builder(&REGISTRY)
            .certfile(tls::certs("server.pem"))
            .keyfile(tls::certs("server.key"))
            .client_cafile(tls::certs("ca.pem"))
            .client_auth_required(policy);
        server.start_on("127.0.0.1:0").expect("loopback")
    }

    /// How many connections were given up, without a connection of our own.
    fn evicted() -> f64 {
        let page = SERVER_METRICS.to_text(Format::default());
        let line = page.lines().find_map(|line| line.strip_prefix(EVICTED)?.trim().parse().ok());
        line.expect("a sample")
    }

    /// The beginning of a record with a handshake.
    const BEGUN: &[u8] = &[22, 3, 1];

    /// A connection on which everything that comes takes its time.
    struct Far(TcpStream);

    impl Read for Far {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(20));
            self.0.read(into)
        }
    }

    impl Write for Far {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    #[test]
    fn a_flood_of_handshakes_does_not_push_one_out_at_once() {
        const ATTEMPTS: usize = 6;
        let _alone = alone();
        let (server, thread) = start(false);
        let address = server.local_addr().expect("a TCP address");
        let over = AtomicBool::new(false);
        let served = thread::scope(|scope| {
            scope.spawn(|| {
                let mut clients: [Option<TcpStream>; 3 * DEFAULT_CONNECTIONS] =
                    [const { None }; 3 * DEFAULT_CONNECTIONS];
                while !over.load(SeqCst) {
                    for client in &mut clients {
                        if !client.as_ref().is_some_and(is_open) {
                            let mut fresh = connect(address);
                            let _ = fresh.write(BEGUN);
                            *client = Some(fresh);
                        }
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let before = evicted();
            eventually("the flood is there", || evicted() > before);
            // Each has one attempt.
            let attempt = || get(&mut tls::client(Far(connect(address)), None)).map(|reply| reply.status);
            let attempts: Vec<_> = (0..ATTEMPTS).map(|_| attempt()).collect();
            over.store(true, SeqCst);
            attempts
        });
        // More than half: a machine that stands still for a moment counts as a far one.
        let number = served.iter().filter(|status| matches!(status, Ok(200))).count();
        assert!(number > ATTEMPTS / 2, "{served:?}");
        server.shutdown();
        thread.join().expect("no panic");
    }

    #[test]
    fn who_has_shown_a_certificate_keeps_the_connection() {
        let _alone = alone();
        for required in [false, true] {
            let (server, thread) = start(required);
            let address = server.local_addr().expect("a TCP address");
            let mut known = tls::client(connect(address), Some("client.pem"));
            assert_eq!(get(&mut known).expect("served").status, 200);
            let mut stranger = (!required).then(|| tls::client(connect(address), None));
            if let Some(stranger) = &mut stranger {
                assert_eq!(get(stranger).expect("served").status, 200);
            }
            let before = evicted();
            let crowd =
                crowd(3 * DEFAULT_CONNECTIONS, address, |client| client.write_all(BEGUN).expect("open"));
            let enough = (2 * DEFAULT_CONNECTIONS) as f64;
            eventually("the crowd has come in", || evicted() - before >= enough);
            assert_eq!(get(&mut known).expect("it was never given up").status, 200);
            if let Some(stranger) = &mut stranger {
                assert!(get(stranger).is_err(), "idle as well, and nobody knows who it is");
            }
            drop(crowd);
            server.shutdown();
            thread.join().expect("no panic");
        }
    }
}
