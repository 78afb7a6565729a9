//! Starting and stopping.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use scrapeport::{Counter, Registry, Server, start_http_server};

use crate::client::{Connection, exchange, get};
use crate::reference::Reference;

static HITS: Counter = Counter::new("demo_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

fn accepts(address: impl Into<SocketAddr>) -> bool {
    TcpStream::connect_timeout(&address.into(), Duration::from_secs(2)).is_ok()
}

fn port(server: &Server) -> u16 {
    server.local_addr().expect("a TCP address").port()
}

/// Why an address is refused, in one line.
fn refusal(address: &str) -> String {
    match start_http_server(address, &REGISTRY) {
        Ok(_) => panic!("{address:?} was taken"),
        Err(error) => error.to_string(),
    }
}

fn has_ipv6() -> bool {
    fs::read_to_string("/proc/net/if_inet6")
        .is_ok_and(|list| list.contains("00000000000000000000000000000001"))
}

#[test]
fn the_reference_starts_and_stops_as_written() {
    let outcomes = Reference::start_outcomes();
    let expected = [
        ("default address", "0.0.0.0 daemon=True"),
        ("port 0", "127.0.0.1 daemon=True"),
        ("empty address", "gaierror -2"),
        ("foreign address", "OSError EADDRNOTAVAIL"),
        ("port 65536", "OverflowError"),
        ("busy", "OSError EADDRINUSE"),
        ("busy wildcard", "OSError EADDRINUSE"),
        ("IPv4 wildcard", "IPv4=True IPv6=False"),
        ("stop", "bound_after_shutdown=True bound_after_close=False again=127.0.0.1 daemon=True"),
        ("descriptor", "inheritable=False reuseaddr=True reuseport=False"),
        ("idle", "threads=50 or more others_served=True"),
    ];
    let with_ipv6 = [("IPv6 wildcard", "IPv4=True IPv6=True"), ("IPv6 loopback", "IPv4=False IPv6=True")];
    let with_ipv6 = if has_ipv6() { &with_ipv6[..] } else { &[] };
    for (name, expected) in expected.iter().chain(with_ipv6) {
        let outcome = outcomes.iter().find(|(key, _)| key == name).map(|(_, outcome)| outcome.as_str());
        assert_eq!(outcome, Some(*expected), "{name}");
    }
    // Which error it is depends on whether there is a resolver.
    let unknown = outcomes.iter().find(|(key, _)| key == "unknown name").expect("it was tried");
    assert!(unknown.1.starts_with("gaierror"), "{unknown:?}");
}

#[test]
fn the_start_returns_when_the_socket_listens_and_tells_the_port() {
    for _ in 0..20 {
        let (server, thread) = start_http_server("127.0.0.1:0", &REGISTRY).expect("a free port");
        assert_ne!(port(&server), 0);
        assert!(accepts(([127, 0, 0, 1], port(&server))));
        server.shutdown();
        thread.join().expect("the thread ends");
    }
}

#[test]
fn each_family_of_addresses() {
    let (server, _) = start_http_server("0.0.0.0:0", &REGISTRY).expect("a free port");
    let number = port(&server);
    assert!(accepts(([127, 0, 0, 1], number)));
    assert!(!accepts(([0, 0, 0, 0, 0, 0, 0, 1], number)), "an IPv4 address is IPv4 only");
    if !has_ipv6() {
        return assert!(refusal("[::1]:0").contains("[::1]:0"));
    }
    let (server, _) = start_http_server("[::]:0", &REGISTRY).expect("a free port");
    let number = port(&server);
    assert!(
        accepts(([127, 0, 0, 1], number)) && accepts(([0, 0, 0, 0, 0, 0, 0, 1], number)),
        "[::] is dual-stack"
    );
    let (server, _) = start_http_server("[::1]:0", &REGISTRY).expect("a free port");
    let number = port(&server);
    assert!(
        !accepts(([127, 0, 0, 1], number)) && accepts(([0, 0, 0, 0, 0, 0, 0, 1], number)),
        "[::1] is IPv6 only"
    );
}

#[test]
fn a_host_name_is_resolved() {
    let (server, _) = start_http_server("localhost:0", &REGISTRY).expect("a free port");
    assert_eq!(exchange(server.local_addr().expect("a TCP address"), &get("/", "")).status, Some(200));
}

#[test]
fn addresses_that_cannot_be_are_errors_of_one_line() {
    for address in
        ["", "no-such-host.invalid:0", "192.0.2.1:0", "127.0.0.1:65536", "127.0.0.1", "127.0.0.1:http"]
    {
        let refusal = refusal(address);
        assert!(!refusal.contains('\n') && refusal.contains(address), "{address:?}: {refusal}");
    }
}

#[test]
fn a_busy_port_is_an_error_and_stays_with_its_owner() {
    for (first, second) in [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")] {
        let (server, _) = start_http_server(format!("{first}:0"), &REGISTRY).expect("a free port");
        let refusal = refusal(&format!("{second}:{}", port(&server)));
        assert!(refusal.contains("in use"), "{refusal}");
        assert!(accepts(([127, 0, 0, 1], port(&server))));
    }
}

#[test]
fn after_shutdown_the_port_is_free_and_nobody_hangs() {
    let (server, thread) = start_http_server("127.0.0.1:0", &REGISTRY).expect("a free port");
    let address = server.local_addr().expect("a TCP address");
    let mut idle = Connection::open(address);
    idle.send(&get("/", ""));
    assert_eq!(idle.receive("GET").status, Some(200));
    let mut silent = Connection::open(address);
    server.shutdown();
    server.shutdown();
    assert!(!accepts(address), "the port is still bound");
    assert!(idle.is_closed(), "a client is left hanging");
    // This one may still be with the kernel, which tells it when it speaks.
    silent.send(&get("/", ""));
    assert!(silent.is_closed(), "a client is left hanging");
    thread.join().expect("the thread ends");
    // At once, though connections to the address were open a moment ago.
    let (again, _) = start_http_server(address, &REGISTRY).expect("the port is free");
    drop(again);
    assert!(!accepts(address), "dropping is shutting down");
}

/// The thread never keeps a program alive: `main` may end without a word to the server.
#[test]
fn the_thread_does_not_keep_the_program_alive() {
    let output = std::process::Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "start::ends_with_a_server_running", "--ignored", "--nocapture"])
        .output()
        .expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "run by the test above"]
fn ends_with_a_server_running() {
    let started = start_http_server("127.0.0.1:0", &REGISTRY).expect("a free port");
    std::mem::forget(started);
}
