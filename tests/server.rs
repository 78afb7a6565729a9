//! The server from outside: addresses, starting, stopping, and what stays behind.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

mod support;

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, ThreadId};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use scrapeport::server::{DEFAULT_CONNECTIONS, DEFAULT_THREAD_STACK, SERVER_METRICS, listen_fds};
use scrapeport::text::{Format, Kind, Page};
use scrapeport::{
    Collect, CollectError, Collector, Counter, Error, Listen, Registry, Server, start_http_server,
};
use support::*;

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

const LOOPBACK: &str = "127.0.0.1:0";

fn local(server: &Server) -> SocketAddr {
    server.local_addr().expect("a TCP address")
}

fn start(address: impl Into<Listen>) -> (Server, thread::JoinHandle<()>) {
    start_http_server(address, &REGISTRY).expect("an address of this machine")
}

fn refusal(address: impl Into<Listen>) -> String {
    match start_http_server(address, &REGISTRY) {
        Ok(_) => panic!("started"),
        Err(error) => error.to_string(),
    }
}

fn assert_serves(stream: &mut (impl Read + Write)) {
    for _ in 0..3 {
        let reply = get(stream).expect("kept");
        assert_eq!(reply.status, 200);
        assert!(reply.body.contains("app_hits_total"), "{}", reply.body);
    }
}

#[test]
fn the_first_example() {
    let _alone = alone();
    let (server, thread) = start(LOOPBACK);
    let address = local(&server);
    assert_ne!(address.port(), 0);
    assert_eq!(server.addresses().collect::<Vec<_>>(), [address.to_string()]);
    assert_serves(&mut connect(address));
    server.shutdown();
    thread.join().expect("no panic");
}

#[test]
fn every_kind_of_address() {
    let _alone = alone();
    for (address, clients) in [
        ("0.0.0.0:0", &["127.0.0.1"][..]),
        ("[::1]:0", &["::1"]),
        ("[::]:0", &["::1", "127.0.0.1"]),
        (":0", &["::1", "127.0.0.1"]),
        ("localhost:0", &["localhost"]),
    ] {
        let (server, _thread) = start(address);
        for client in clients {
            assert_serves(&mut TcpStream::connect((*client, local(&server).port())).expect(address));
        }
    }
    for listen in [
        Listen::from(SocketAddr::from(([127, 0, 0, 1], 0))),
        Listen::from((IpAddr::from([127, 0, 0, 1]), 0)),
        Listen::from(("127.0.0.1", 0)),
        Listen::from(("::1", 0)),
        Listen::from(String::from(LOOPBACK)),
        Listen::from(TcpListener::bind(LOOPBACK).expect("loopback")),
    ] {
        let (server, _thread) = start(listen);
        assert_serves(&mut connect(local(&server)));
    }
}

#[cfg(not(feature = "names"))]
#[test]
fn what_needs_no_resolver_has_none() {
    let _alone = alone();
    for address in ["[::1%lo]:0", "[::1%1]:0", "LocalHost:0"] {
        let (server, _thread) = start(address);
        assert_serves(&mut connect(local(&server)));
    }
    for (address, words) in [
        ("example.org:9100", "write an address, or build it with the feature `names`"),
        ("[fe80::1%no-such-link]:9100", "No such device"),
        ("[fe80::x%lo]:9100", "write an address"),
    ] {
        let line = refusal(address);
        assert!(line.contains(words) && line.contains(address) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn several_addresses_at_once() {
    let _alone = alone();
    let path = temporary("several");
    let unix = format!("unix:{}", path.display());
    let before = descriptors();
    let (server, thread) = Server::builder(&REGISTRY)
        .listen(LOOPBACK)
        .listen("[::1]:0")
        .listen(&unix)
        .start()
        .expect("three addresses");
    let addresses: Vec<String> = server.addresses().map(str::to_owned).collect();
    assert_eq!(addresses[2], unix);
    for address in &addresses[..2] {
        assert_serves(&mut connect(address.parse().expect("an address")));
    }
    assert_serves(&mut UnixStream::connect(&path).expect("it listens"));
    // A connection that is open now does not hinder.
    let mut kept = connect(addresses[0].parse().expect("an address"));
    assert_serves(&mut kept);
    server.shutdown();
    assert!(is_closed(&mut kept));
    drop(kept);
    thread.join().expect("no panic");
    assert!(!path.exists());
    assert_eq!(descriptors(), before);
    for address in &addresses[..2] {
        TcpListener::bind(address).expect("the port is free");
    }
}

#[test]
fn unix_sockets() {
    let _alone = alone();
    let path = temporary("unix");
    let address = format!("unix:{}", path.display());
    let (server, thread) = start(&address);
    assert_eq!(server.local_addr(), None);
    assert_serves(&mut UnixStream::connect(&path).expect("it listens"));
    let line = refusal(&address);
    assert!(line.contains("in use") && line.contains(&address), "{line}");
    assert_serves(&mut UnixStream::connect(&path).expect("the first one still listens"));
    server.shutdown();
    thread.join().expect("no panic");
    assert!(!path.exists(), "removed");

    // What a killed server leaves behind is replaced.
    drop(UnixListener::bind(&path).expect("a path"));
    assert!(path.exists());
    let (server, _thread) = start(&address);
    assert_serves(&mut UnixStream::connect(&path).expect("it listens"));

    // A file that another server has put there meanwhile is not ours to remove.
    fs::remove_file(&path).expect("it is there");
    let other = UnixListener::bind(&path).expect("a path");
    drop(server);
    assert!(path.exists());
    drop(other);
    fs::remove_file(&path).expect("it is there");

    // Another kind of file is never replaced.
    fs::write(&path, "precious").expect("a path");
    assert!(refusal(&address).contains("another kind"));
    assert_eq!(fs::read_to_string(&path).expect("untouched"), "precious");
    fs::remove_file(&path).expect("it is there");
}

#[test]
fn failed_starts_leave_nothing() {
    let _alone = alone();
    let holder = TcpListener::bind(LOOPBACK).expect("loopback");
    let busy = holder.local_addr().expect("bound").to_string();
    let path = temporary("failed");
    let unix = format!("unix:{}", path.display());
    // A joined thread of the test before may stay in /proc for a moment.
    eventually("the threads are gone", || server_threads() == 0);
    let before = descriptors();
    for (address, words) in [
        (busy.as_str(), "choose another port"),
        ("203.0.113.1:0", "must belong to this machine"),
        ("127.0.0.1:65536", "highest is 65535"),
        ("127.0.0.1", "port is missing"),
        ("no-such-host.invalid:9100", "no-such-host.invalid"),
        ("unix:/no/such/directory/x.sock", "/no/such/directory"),
    ] {
        let line = refusal(address);
        assert!(line.contains(words) && line.contains(address) && !line.contains('\n'), "{line}");
        // Nor what was opened before the one that failed.
        let builder = Server::builder(&REGISTRY).listen(LOOPBACK).listen(&unix);
        assert!(builder.start_on(address).is_err());
        assert!(!path.exists());
        assert_eq!((server_threads(), descriptors()), (0, before), "{address}");
    }
    let socket = std::net::UdpSocket::bind(LOOPBACK).expect("loopback");
    let mute = TcpListener::from(std::os::fd::OwnedFd::from(socket));
    assert!(refusal(mute).contains("not a stream socket"));
    assert_eq!((server_threads(), descriptors()), (0, before));
}

#[test]
fn without_memory_for_all_threads_there_are_none() {
    let _alone = alone();
    // The limit is the process's own, hence a child.
    let output = process("short_of_memory").output().expect("this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "run by without_memory_for_all_threads_there_are_none"]
fn short_of_memory() {
    let before = descriptors();
    let limit = Rlimit { current: Some(1 << 30), maximum: Some(1 << 30) };
    setrlimit(Resource::As, limit).expect("lower");
    let builder = Server::builder(&REGISTRY).thread_stack(128 << 20);
    match builder.start_on(LOOPBACK) {
        Err(error @ Error::Thread { .. }) => assert!(error.to_string().contains("threads")),
        other => panic!("{other:?}"),
    }
    eventually("the threads are gone", || server_threads() == 0);
    assert_eq!(descriptors(), before);
    let (server, _thread) = start(LOOPBACK);
    assert_serves(&mut connect(local(&server)));
}

#[test]
fn settings_that_cannot_work() {
    type Change = fn(scrapeport::ServerBuilder) -> scrapeport::ServerBuilder;
    let cases: [(&str, Change); 9] = [
        ("max_connections", |builder| builder.max_connections(0)),
        ("max_connections", |builder| builder.max_connections(1_000_000)),
        ("head_limit", |builder| builder.head_limit(255)),
        ("buffer", |builder| builder.buffer(100)),
        ("thread_stack", |builder| builder.thread_stack(1)),
        ("head_timeout", |builder| builder.head_timeout(Duration::ZERO)),
        ("response_timeout", |builder| builder.response_timeout(Duration::ZERO)),
        ("idle_timeout", |builder| builder.idle_timeout(Duration::MAX)),
        ("shutdown_grace", |builder| builder.shutdown_grace(Duration::MAX)),
    ];
    for (name, change) in cases {
        match change(Server::builder(&REGISTRY)).start_on(LOOPBACK) {
            Err(Error::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(matches!(Server::builder(&REGISTRY).start(), Err(Error::Setting { setting: "listen", .. })));
}

#[test]
fn two_hundred_starts_on_one_port() {
    let _alone = alone();
    let (server, thread) = start(LOOPBACK);
    let address = local(&server);
    drop(server);
    thread.join().expect("no panic");
    eventually("the threads are gone", || server_threads() == 0);
    let before = descriptors();
    for round in 0..200 {
        let (server, thread) = start(address);
        assert_eq!(server_threads(), DEFAULT_CONNECTIONS + 1);
        let mut client = connect(address);
        assert_serves(&mut client);
        if round % 2 == 0 {
            server.shutdown();
            // Free, also for one that does not ask for SO_REUSEADDR: nothing listens there.
            assert!(TcpStream::connect(address).is_err());
            server.shutdown();
        }
        drop(server);
        assert!(is_closed(&mut client));
        thread.join().expect("no panic");
        drop(client);
        // A joined thread may stay in /proc for a moment.
        eventually("the threads are gone", || server_threads() == 0);
        assert_eq!(descriptors(), before, "round {round}");
    }
}

/// A collector that runs until it is let go.
struct Gate {
    running: AtomicUsize,
    open: AtomicBool,
}

impl Gate {
    const fn new() -> Self {
        Self { running: AtomicUsize::new(0), open: AtomicBool::new(false) }
    }
}

impl Collect for &'static Gate {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        self.running.fetch_add(1, SeqCst);
        while !self.open.load(SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        page.family(Kind::Gauge, "app_gate", "Let go.").sample(&[], 1.0);
        Ok(())
    }
}

#[test]
fn responses_under_way_are_finished() {
    static STATE: Gate = Gate::new();
    static GATE: Collector<&Gate> = Collector::new("gate", &["app_gate"], &STATE);
    static SLOW: Registry = Registry::new(&[]).collecting(&[&GATE]);
    let gate = &STATE;
    let _alone = alone();
    let builder = Server::builder(&SLOW).shutdown_grace(PATIENCE);
    let (server, thread) = builder.start_on(LOOPBACK).expect("loopback");
    let address = local(&server);
    let mut idle = connect(address);
    assert_eq!(ask(&mut idle, "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n").expect("kept").status, 200);
    let mut busy = connect(address);
    busy.write_all(GET.as_bytes()).expect("open");
    eventually("the collector runs", || gate.running.load(SeqCst) == 1);
    thread::scope(|scope| {
        let stopping: Vec<_> = (0..3).map(|_| scope.spawn(|| server.shutdown())).collect();
        // At once: no new connections, no idle ones.
        eventually("refused", || TcpStream::connect(address).is_err());
        assert!(is_closed(&mut idle));
        assert!(stopping.iter().all(|stop| !stop.is_finished()), "they wait for the response");
        gate.open.store(true, SeqCst);
        let reply = read_reply(&mut busy).expect("a whole response");
        assert!(reply.body.contains("app_gate 1"));
        assert!(reply.status == 200 && is_closed(&mut busy));
    });
    thread.join().expect("no panic");
}

#[test]
fn a_collector_that_never_returns_does_not_hold_up_the_end() {
    static STATE: Gate = Gate::new();
    static GATE: Collector<&Gate> = Collector::new("gate", &["app_gate"], &STATE);
    static STUCK: Registry = Registry::new(&[]).collecting(&[&GATE]);
    let gate = &STATE;
    let _alone = alone();
    let builder = Server::builder(&STUCK).shutdown_grace(Duration::from_millis(50));
    let (server, thread) = builder.start_on(LOOPBACK).expect("loopback");
    let address = local(&server);
    let mut client = connect(address);
    client.write_all(GET.as_bytes()).expect("open");
    eventually("the collector runs", || gate.running.load(SeqCst) == 1);
    server.shutdown();
    thread.join().expect("no panic");
    eventually("only the stuck thread is left", || server_threads() == 1);
    assert!(is_closed(&mut client), "its client was cut off");
    TcpListener::bind(address).expect("the port is free");
    gate.open.store(true, SeqCst);
    eventually("the thread ends too", || server_threads() == 0);
}

#[test]
fn shutdown_from_a_collector_is_bounded() {
    struct Quit;
    static SERVER: std::sync::Mutex<Option<Server>> = std::sync::Mutex::new(None);
    impl Collect for Quit {
        fn collect(&self, _: &mut Page<'_>) -> Result<(), CollectError> {
            SERVER.lock().expect("not poisoned").as_ref().expect("running").shutdown();
            Ok(())
        }
    }
    static QUIT: Collector<Quit> = Collector::new("quit", &[], Quit);
    static QUITS: Registry = Registry::new(&[]).collecting(&[&QUIT]);
    let _alone = alone();
    let builder = Server::builder(&QUITS).shutdown_grace(Duration::from_millis(50));
    let mut shared = SERVER.lock().expect("not poisoned");
    let (server, thread) = builder.start_on(LOOPBACK).expect("loopback");
    let mut client = connect(local(&server));
    *shared = Some(server);
    drop(shared);
    client.write_all(GET.as_bytes()).expect("open");
    thread.join().expect("no panic");
    eventually("the thread ends too", || server_threads() == 0);
}

#[test]
fn a_panicking_collector_costs_nothing_but_itself() {
    struct Bad;
    impl Collect for Bad {
        fn collect(&self, _: &mut Page<'_>) -> Result<(), CollectError> {
            panic!("on purpose");
        }
    }
    static BAD: Collector<Bad> = Collector::new("bad", &[], Bad);
    static PANICS: Registry = Registry::new(&[&HITS]).collecting(&[&BAD]);
    let _alone = alone();
    let (server, _thread) = Server::builder(&PANICS).max_connections(2).start_on(LOOPBACK).expect("loopback");
    for _ in 0..5 {
        assert_serves(&mut connect(local(&server)));
    }
}

/// Where a worker's stack is.
static STACK: AtomicUsize = AtomicUsize::new(0);

/// What the stack has to hold besides the server: a collector that opens a file, or one that panics.
struct Deep(bool);

impl Collect for Deep {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        STACK.store(&raw const page as usize, SeqCst);
        let mut text = [0; 4096];
        let length = fs::File::open("/proc/self/stat")?.read(&mut text)?;
        assert!(!self.0, "on purpose");
        page.family(Kind::Gauge, "app_deep", "Bytes read.").sample(&[], length as u64);
        Ok(())
    }
}

/// Resident bytes of the mapping that holds this address.
fn resident_at(address: usize) -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").expect("Linux");
    let mut here = false;
    for line in maps.lines() {
        let (first, rest) = line.split_once(' ').expect("two words");
        if let Some((low, high)) = first.split_once('-') {
            let bound = |text| usize::from_str_radix(text, 16).expect("an address");
            here = (bound(low)..bound(high)).contains(&address);
        } else if here && first == "Rss:" {
            return 1024 * rest.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
        }
    }
    panic!("no such mapping");
}

/// Needs half of a stack, and nothing of it afterwards.
struct Dive;

const DEPTH: usize = 64 * 1024;

impl Collect for Dive {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut water = [1_u8; DEPTH];
        STACK.store(core::hint::black_box(&mut water).as_ptr().addr(), SeqCst);
        page.family(Kind::Gauge, "app_depth", "Bytes.").sample(&[], water.len() as u64);
        Ok(())
    }
}

#[test]
fn the_stack_of_a_quiet_worker_is_given_back() {
    static DIVE: Collector<Dive> = Collector::new("dive", &[], Dive);
    static DIVES: Registry = Registry::new(&[&HITS]).collecting(&[&DIVE]);
    let _alone = alone();
    let (server, _thread) = Server::builder(&DIVES).max_connections(1).start_on(LOOPBACK).expect("loopback");
    let is_given_back = |what| {
        eventually(what, || resident_at(STACK.load(SeqCst)) < DEPTH / 2);
    };
    let mut client = connect(local(&server));
    for _ in 0..3 {
        assert_serves(&mut client);
        is_given_back("while the connection is kept");
    }
    // The rest of a head may be long in coming, too; what has come of it stays.
    let (begun, rest) = GET.as_bytes().split_at(9);
    client.write_all(&[GET.as_bytes(), begun].concat()).expect("open");
    assert!(read_reply(&mut client).expect("kept").body.contains("app_depth 65536\n"));
    is_given_back("while a head is not whole");
    client.write_all(rest).expect("open");
    assert!(read_reply(&mut client).expect("kept").body.contains("app_depth 65536\n"));
    drop(client);
    is_given_back("after the connection");
    assert_serves(&mut connect(local(&server)));
    is_given_back("after another one");
}

#[test]
fn the_default_stack_is_large_enough_twice() {
    static DEEP: Collector<Deep> = Collector::new("deep", &[], Deep(false));
    static PANICS: Collector<Deep> = Collector::new("panics", &[], Deep(true));
    static CALM: Registry = Registry::new(&[&HITS]).collecting(&[&DEEP]);
    static WILD: Registry = Registry::new(&[&HITS]).collecting(&[&PANICS]);
    let _alone = alone();
    for (registry, name) in [(&CALM, "calm"), (&WILD, "with a panic and its backtrace")] {
        let (server, _thread) =
            Server::builder(registry).max_connections(1).start_on(LOOPBACK).expect("loopback");
        let mut client = connect(local(&server));
        for request in [
            GET,
            "GET /?name[]=app_deep HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n",
            "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
        ] {
            let _ = ask(&mut client, request);
        }
        let used = resident_at(STACK.load(SeqCst));
        eprintln!("stack used, {name}: {used}");
        assert!(used * 2 <= DEFAULT_THREAD_STACK, "{name}: {used}");
    }
}

fn outcome(name: &str) -> u64 {
    let series = format!("scrapeport_http_connections_ended_total{{outcome=\"{name}\"}} ");
    let page = SERVER_METRICS.to_text(Format::default());
    page.lines()
        .find_map(|line| line.strip_prefix(&series))
        .and_then(|count| count.parse().ok())
        .expect("there")
}

#[test]
fn every_wait_has_its_limit() {
    let _alone = alone();
    let short = Duration::from_millis(50);
    // Between requests.
    let (server, _thread) =
        Server::builder(&REGISTRY).idle_timeout(short).start_on(LOOPBACK).expect("loopback");
    let before = outcome("idle");
    let mut client = connect(local(&server));
    assert_serves(&mut client);
    assert!(is_closed(&mut client));
    eventually("counted", || outcome("idle") == before + 1);

    // For a head: the whole of it, however steadily it drips.
    let (server, _thread) =
        Server::builder(&REGISTRY).head_timeout(short).start_on(LOOPBACK).expect("loopback");
    let before = outcome("timed_out");
    let mut client = connect(local(&server));
    let mut dripping = client.try_clone().expect("a descriptor");
    thread::spawn(move || {
        let head = b"GET / HTTP/1.1\r\nX: ";
        let mut drops = head.iter().chain(std::iter::repeat(&b'x'));
        while dripping.write_all(&[*drops.next().expect("endless")]).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(read_reply(&mut client).expect("told why").status, 408);
    eventually("counted", || outcome("timed_out") == before + 1);

    // For a response that the client does not take.
    struct Endless;
    impl Collect for Endless {
        fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
            while !page.is_stopped() {
                page.family(Kind::Gauge, "app_endless", "Never over.").sample(&[], 1.0);
            }
            Ok(())
        }
    }
    static ENDLESS: Collector<Endless> = Collector::new("endless", &[], Endless);
    static UNENDING: Registry = Registry::new(&[]).collecting(&[&ENDLESS]);
    let (server, _thread) =
        Server::builder(&UNENDING).response_timeout(short).start_on(LOOPBACK).expect("loopback");
    let mut client = connect(local(&server));
    client.write_all(GET.as_bytes()).expect("open");
    eventually("counted", || outcome("timed_out") == before + 2);
    assert!(is_closed(&mut client));
}

#[test]
fn one_connection_at_once_is_enough() {
    let _alone = alone();
    let (server, _thread) =
        Server::builder(&REGISTRY).max_connections(1).start_on(LOOPBACK).expect("loopback");
    // Each one is kept open, and gives way to the next.
    let mut kept: Vec<TcpStream> = Vec::new();
    for _ in 0..20 {
        let mut client = connect(local(&server));
        assert_serves(&mut client);
        kept.push(client);
    }
    let last = kept.pop().expect("twenty");
    assert!(kept.iter_mut().all(is_closed));
    assert!(is_open(&last));
}

/// Memory that a thread has touched once stays resident, so those that have worked before are to work again.
#[test]
fn few_threads_do_all_the_work_while_a_few_are_enough() {
    static WORKED: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
    struct Who;
    impl Collect for Who {
        fn collect(&self, _: &mut Page<'_>) -> Result<(), CollectError> {
            let (this, mut worked) = (thread::current().id(), WORKED.lock().expect("no panic"));
            if !worked.contains(&this) {
                worked.push(this);
            }
            Ok(())
        }
    }
    static WHO: Collector<Who> = Collector::new("who", &[], Who);
    static WATCHED: Registry = Registry::new(&[&HITS]).collecting(&[&WHO]);
    let _alone = alone();
    let (server, _thread) = start_http_server(LOOPBACK, &WATCHED).expect("loopback");
    for _ in 0..10 * DEFAULT_CONNECTIONS {
        // A thread may still be busy with the end of its connection.
        while workers().any(|state| state != 'S') {
            thread::yield_now();
        }
        assert_eq!(scrape(local(&server)).status, 200);
    }
    assert_eq!(workers().count(), DEFAULT_CONNECTIONS);
    let worked = WORKED.lock().expect("no panic").len();
    assert!((1..=DEFAULT_CONNECTIONS / 4).contains(&worked), "{worked}");
}

/// What the threads that serve are doing: `S` is waiting (proc_pid_stat(5)).
fn workers() -> impl Iterator<Item = char> {
    let tasks = fs::read_dir("/proc/self/task").expect("proc");
    tasks.filter_map(|task| {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        stat.split_once("(scrape-worker) ")?.1.chars().next()
    })
}

#[test]
fn the_server_tells_about_itself() {
    let _alone = alone();
    let (server, _thread) = start(LOOPBACK);
    let mut client = connect(local(&server));
    let before = get(&mut client).expect("kept");
    let after = get(&mut client).expect("kept");
    for (series, more) in [
        ("scrapeport_http_requests_total{code=\"200\"}", 1.0),
        ("scrapeport_http_scrape_duration_seconds_count", 1.0),
        ("scrapeport_http_connections_accepted_total", 0.0),
        ("scrapeport_http_response_bytes_total", (before.head.len() + before.body.len()) as f64),
    ] {
        assert_eq!(after.sample(series) - before.sample(series), more, "{series}");
    }
    assert_eq!(after.sample("scrapeport_http_connections{state=\"serving\"}"), 1.0);
    let quiet = Server::builder(&REGISTRY).server_metrics(false);
    let (server, _thread) = quiet.start_on(LOOPBACK).expect("loopback");
    assert!(!scrape(local(&server)).body.contains("scrapeport_http"));
}

#[test]
fn no_descriptor_outlives_an_exec() {
    let _alone = alone();
    let inherited: Vec<_> = numbers("/proc/self/fd");
    let (server, _thread) = Server::builder(&REGISTRY)
        .listen(LOOPBACK)
        .listen(format!("unix:{}", temporary("exec").display()))
        .start()
        .expect("two addresses");
    let (alone, _other_thread) = start(LOOPBACK);
    let mut clients = [connect(local(&server)), connect(local(&alone))];
    clients.iter_mut().for_each(assert_serves);
    let new: Vec<_> =
        numbers("/proc/self/fd").into_iter().filter(|number| !inherited.contains(number)).collect();
    assert!(new.len() >= 9, "listeners, reserves, an epoll, a wake-up, connections: {new:?}");
    for number in new {
        // One may be that of the list itself.
        let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags");
        let flags = u32::from_str_radix(flags.trim(), 8).expect("octal");
        assert!(flags & 0o2_000_000 != 0, "descriptor {number} is not close-on-exec");
    }
}

fn numbers(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("Linux");
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Runs one of the ignored tests below in a process of its own.
fn process(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

#[test]
fn an_inherited_listener() {
    let _alone = alone();
    let manager = TcpListener::bind(LOOPBACK).expect("loopback");
    let address = manager.local_addr().expect("bound");
    for _ in 0..2 {
        // What a service manager does: descriptor 3, LISTEN_FDS, and LISTEN_PID, which only the child knows.
        let mut shell = Command::new("sh");
        let inner = process("inherits");
        let script =
            format!("exec 3<&{}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"", manager.as_raw_fd());
        shell.arg("-c").arg(script).arg(inner.get_program()).args(inner.get_args());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).arg0("sh");
        rustix::io::fcntl_setfd(&manager, rustix::io::FdFlags::empty()).expect("open");
        let mut child = shell.spawn().expect("sh");
        rustix::io::fcntl_setfd(&manager, rustix::io::FdFlags::CLOEXEC).expect("open");
        let mut client = connect(address);
        assert_serves(&mut client);
        drop(child.stdin.take());
        assert!(child.wait().expect("our child").success());
        assert!(is_closed(&mut client));
        // The listener was not shut down: the next child serves on it, and so could we.
    }
    manager.set_nonblocking(false).expect("open");
    let mut waiting = connect(address);
    waiting.write_all(b"x").expect("open");
    drop(manager.accept().expect("it still listens"));
}

#[test]
#[ignore = "run by an_inherited_listener with a descriptor to inherit"]
fn inherits() {
    let mut listeners = listen_fds().expect("by the protocol");
    assert_eq!(listeners.len(), 1);
    assert!(listen_fds().expect("by the protocol").is_empty(), "taken");
    let (server, thread) = start(listeners.remove(0));
    let mut end = Vec::new();
    std::io::stdin().read_to_end(&mut end).expect("a pipe");
    server.shutdown();
    thread.join().expect("no panic");
}
