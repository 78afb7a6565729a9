//! What a kept scrape costs in system calls, as strace counts them: one read and one write.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

mod support;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use scrapeport::{Counter, Registry, start_http_server};
use support::{connect, get};

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

const SCRAPES: usize = 100;

#[test]
fn one_read_and_one_write_per_kept_scrape() {
    let log = env::temp_dir().join(format!("scrapeport-{}.strace", std::process::id()));
    let mut traced = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&log)
        .arg(env::current_exe().expect("this test"))
        .args(["traced", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs strace: apt-get install strace");
    let mut lines = BufReader::new(traced.stdout.take().expect("piped")).lines();
    let address: SocketAddr = lines
        .find_map(|line| {
            line.expect("a pipe").split_once("address: ").map(|(_, text)| text.parse().expect("an address"))
        })
        .expect("strace must be allowed to trace");
    let mut client = connect(address);
    for _ in 0..SCRAPES {
        assert_eq!(get(&mut client).expect("kept").status, 200);
    }
    drop(client);
    drop(traced.stdin.take());
    lines.for_each(drop);
    assert!(traced.wait().expect("our child").success());

    let log_text = fs::read_to_string(&log).expect("strace wrote it");
    fs::remove_file(&log).expect("ours");
    // The worker is the thread that sends. Its calls between the first response and the last:
    let calls: Vec<(&str, &str)> = log_text
        .lines()
        .filter(|line| !line.contains("resumed>"))
        .filter_map(|line| line.split_once(' ').map(|(thread, call)| (thread, call.trim_start())))
        .collect();
    let (worker, _) = calls.iter().find(|(_, call)| call.starts_with("sendto(")).expect("a response");
    let names: Vec<&str> = calls
        .iter()
        .filter(|(thread, _)| thread == worker)
        .filter_map(|(_, call)| call.split_once('(').map(|(name, _)| name))
        // With debug assertions the standard library looks at each descriptor that it closes.
        .filter(|name| *name != "fcntl")
        .skip_while(|name| *name != "sendto")
        .collect();
    let last = names.iter().rposition(|name| *name == "sendto").expect("a response");
    let (kept, rest) = names.split_at(last + 1);
    let expected: Vec<&str> = ["sendto", "recvfrom"].into_iter().cycle().take(2 * SCRAPES - 1).collect();
    assert_eq!(kept, expected);
    // The client's end, and its descriptor.
    assert!(rest.starts_with(&["recvfrom", "close"]), "{rest:?}");
    // A fresh connection is no dearer: accept, read, write.
    let all: Vec<&str> = calls
        .iter()
        .filter(|(thread, _)| thread == worker)
        .filter_map(|(_, call)| call.split_once('(').map(|(name, _)| name))
        .collect();
    let first = all.iter().position(|name| *name == "sendto").expect("a response");
    assert_eq!(all[first - 2..first], ["accept4", "recvfrom"]);
}

#[test]
#[ignore = "run by one_read_and_one_write_per_kept_scrape under strace"]
fn traced() {
    let (server, thread) = start_http_server("127.0.0.1:0", &REGISTRY).expect("loopback");
    println!("address: {}", server.local_addr().expect("a TCP address"));
    std::io::stdin().lines().for_each(drop);
    server.shutdown();
    thread.join().expect("no panic");
}
