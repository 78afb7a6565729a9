//! What a kept scrape costs in system calls, as strace counts them: one read and one write.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

#[cfg(feature = "exporter")]
#[path = "support/exporter.rs"]
mod exporter;
mod support;
#[cfg(feature = "exporter")]
#[path = "support/tree.rs"]
mod tree;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use scrapeport::{Counter, Registry, start_http_server};
use support::{ask, connect, get, is_closed};

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

const SCRAPES: usize = 100;

const PAUSES: usize = 3;

/// Longer than the server waits before it gives memory back.
const PAUSE: Duration = Duration::from_millis(400);

/// The system calls of a server in a process of its own, with the threads that made them, while the client does something.
fn calls_of(name: &str, work: impl FnOnce(&mut TcpStream)) -> Vec<(String, String)> {
    let log = env::temp_dir().join(format!("scrapeport-{}-{name}.strace", std::process::id()));
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
    work(&mut client);
    // The server sees the client's end before its own.
    client.shutdown(Shutdown::Write).expect("open");
    assert!(is_closed(&mut client));
    drop(traced.stdin.take());
    lines.for_each(drop);
    assert!(traced.wait().expect("our child").success());

    let log_text = fs::read_to_string(&log).expect("strace wrote it");
    fs::remove_file(&log).expect("ours");
    log_text
        .lines()
        .filter(|line| !line.contains("resumed>"))
        .filter_map(|line| line.split_once(' '))
        .map(|(thread, call)| (thread.to_owned(), call.trim_start().to_owned()))
        .collect()
}

#[test]
fn one_read_and_one_write_per_kept_scrape() {
    let calls = calls_of("kept", |client| {
        for _ in 0..SCRAPES {
            assert_eq!(get(client).expect("kept").status, 200);
        }
        for _ in 0..PAUSES {
            thread::sleep(PAUSE);
            assert_eq!(get(client).expect("kept").status, 200);
        }
    });
    // The worker is the thread that sends. Its calls between the first response and the last:
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
    let (at_once, after_pauses) = kept.split_at(2 * SCRAPES - 1);
    let expected: Vec<&str> = ["sendto", "recvfrom"].into_iter().cycle().take(2 * SCRAPES - 1).collect();
    assert_eq!(at_once, expected);
    // A pause costs one vain read, what gives the memory back, and a wait without end of its own.
    let pauses: Vec<&[&str]> = after_pauses.split_inclusive(|name| *name == "sendto").collect();
    assert_eq!(pauses.len(), PAUSES);
    for calls in pauses {
        assert_eq!(calls.first(), Some(&"recvfrom"), "{calls:?}");
        let (given_back, last) = calls[1..].split_at(calls.len() - 4);
        assert!(matches!(last, ["poll" | "ppoll", "recvfrom", "sendto"]), "{calls:?}");
        assert!((1..=6).contains(&given_back.len()), "{calls:?}");
        assert!(given_back.iter().all(|name| *name == "madvise"), "{calls:?}");
    }
    // The client's end, and its descriptor.
    assert!(rest.starts_with(&["recvfrom", "close"]), "{rest:?}");
    // A fresh connection costs what it takes to be accepted by the worker that came last.
    let all: Vec<&str> = calls
        .iter()
        .filter(|(thread, _)| thread == worker)
        .filter_map(|(_, call)| call.split_once('(').map(|(name, _)| name))
        .collect();
    let first = all.iter().position(|name| *name == "sendto").expect("a response");
    assert_eq!(all[first - 4..first], ["epoll_pwait", "accept4", "epoll_ctl", "recvfrom"]);
}

/// Whoever sends a little again and again is not silent.
#[test]
fn dripping_clients_make_nobody_give_memory_back() {
    const BYTES: usize = 60;
    let calls = calls_of("drips", |client| {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: {BYTES}\r\n\r\n");
        assert_eq!(ask(client, &head).expect("kept").status, 200);
        for _ in 0..BYTES {
            thread::sleep(Duration::from_millis(5));
            client.write_all(b"x").expect("open");
        }
    });
    let (worker, _) = calls.iter().find(|(_, call)| call.starts_with("sendto(")).expect("a response");
    let of_worker = calls.iter().filter(|(thread, _)| thread == worker);
    let after: Vec<_> = of_worker.skip_while(|(_, call)| !call.starts_with("sendto(")).collect();
    let reads = after.iter().filter(|(_, call)| call.starts_with("recvfrom(")).count();
    let given_back = after.iter().filter(|(_, call)| call.starts_with("madvise(")).count();
    // One that was held up is a silence too.
    assert!(reads >= BYTES / 2 && given_back <= reads / 4, "{reads} reads, {given_back} times");
}

/// What the collectors cost: each file is opened, read and closed once a scrape, nothing is looked at with stat(2) that is
/// read anyway, and nobody asks for memory.
#[cfg(feature = "exporter")]
#[test]
fn each_file_is_read_once_a_scrape() {
    let tree = tree::Tree::unpack("server");
    let exporter = exporter::Exporter::start_under(&tree, &[], STRACE);
    // Buffers grow in the first one.
    traced_scrape(&exporter, &tree);
    let log = traced_scrape(&exporter, &tree);
    let mut calls = std::collections::BTreeMap::<&str, usize>::new();
    let mut opened = std::collections::BTreeMap::<String, usize>::new();
    let mut directories = std::collections::BTreeMap::<String, String>::new();
    let whole = whole_calls(&log);
    for call in &whole {
        let Some((name, arguments)) = call.split_once('(') else { continue };
        *calls.entry(name).or_default() += 1;
        if name == "openat" && !arguments.contains("ENOENT") {
            // The directory is part of the place.
            let (at, name) =
                arguments.split(", O_").next().and_then(|place| place.split_once(", ")).expect("a place");
            let place = format!("{} {name}", directories.get(at).map_or(at, String::as_str));
            match arguments.rsplit_once(" = ") {
                // O_PATH only leads there.
                Some((flags, descriptor)) if flags.contains("O_PATH") => {
                    directories.insert(descriptor.trim().to_owned(), place);
                }
                _ => *opened.entry(place).or_default() += 1,
            }
        }
    }
    println!("system calls of one scrape of the default set: {} {calls:?}", calls.values().sum::<usize>());
    let twice: Vec<_> = opened.iter().filter(|(_, count)| **count > 1).collect();
    let explained = |place: &str| TWICE.iter().any(|(part, _)| place.contains(part));
    let twice: Vec<_> = twice.into_iter().filter(|(place, _)| !explained(place)).collect();
    assert!(twice.is_empty(), "{twice:#?}");
    for name in ["stat", "lstat", "fstat", "access", "brk", "mmap", "clone3"] {
        assert_eq!(calls.get(name).copied().unwrap_or(0), 0, "{name}: {calls:?}");
    }
    // The number of its own descriptors.
    let looks = ["statx", "newfstatat", "fstatat64"].iter().filter_map(|name| calls.get(name)).sum::<usize>();
    assert_eq!(looks, 1, "{calls:?}");
    // What may hang is looked for before it is asked for on another thread: the bonds' masters and the Raspberry Pi's
    // firmware, which few machines have.
    assert_eq!(calls.get("faccessat").copied().unwrap_or(0), 2, "{calls:?}");
    let reads = calls["read"];
    assert!(opened.len() > 50, "{opened:?}");
    // The end of a file of procfs is found by reading on.
    assert!(reads <= 2 * opened.len(), "{reads} reads of {} files", opened.len());
}

#[cfg(feature = "exporter")]
const STRACE: &[&str] = &["strace", "-f", "-qq", "-o", "strace"];

/// What strace tells of one scrape.
#[cfg(feature = "exporter")]
fn traced_scrape(exporter: &exporter::Exporter, tree: &tree::Tree) -> String {
    let begin = fs::read_to_string(tree.path("strace")).expect("strace writes").len();
    exporter.scrape("");
    // strace may still be writing the end of it.
    let mut text = String::new();
    support::eventually("the scrape is traced", || {
        let all = fs::read_to_string(tree.path("strace")).expect("strace writes");
        text = all[begin..].to_owned();
        text.contains("shutdown(") || text.contains("sendto(") && text.trim_end().ends_with("= 0")
    });
    text
}

/// What each scrape reads of the kernel's own procfs and sysfs is opened in the first one, and read from its beginning in
/// all.
#[cfg(feature = "exporter")]
#[test]
fn files_of_the_kernel_stay_open() {
    const HELD: &[&str] =
        &["stat", "meminfo", "loadavg", "vmstat", "net/dev", "net/netstat", "net/snmp", "diskstats"];
    let tree = tree::Tree::unpack("server");
    let exporter = exporter::Exporter::start_at(&tree, &[], STRACE);
    let opened = |log: &str, file: &str| {
        log.lines().filter(|line| line.contains("openat(") && line.contains(&format!("\"{file}\""))).count()
    };
    let first = traced_scrape(&exporter, &tree);
    for file in HELD {
        assert_eq!(opened(&first, file), 1, "{file}: {first}");
    }
    for _ in 0..2 {
        let log = traced_scrape(&exporter, &tree);
        for file in HELD {
            assert_eq!(opened(&log, file), 0, "{file}: {log}");
        }
        let from_the_beginning =
            log.lines().filter(|line| line.contains("pread64(") && line.contains(", 0) = "));
        assert!(from_the_beginning.count() >= HELD.len(), "{log}");
    }
}

/// The calls in the order in which they returned, without the numbers of threads. Where another thread comes in between,
/// strace tells of a call in two lines.
#[cfg(feature = "exporter")]
fn whole_calls(log: &str) -> Vec<String> {
    let mut begun = std::collections::BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, beginning);
        } else if let Some((_, end)) =
            call.strip_prefix("<... ").and_then(|call| call.split_once(" resumed>"))
        {
            calls.extend(begun.remove(thread).map(|beginning| format!("{beginning}{end}")));
        } else {
            calls.push(call.to_owned());
        }
    }
    // What is not over is a thread that waits, or the end of the log.
    calls.extend(begun.into_values().map(str::to_owned));
    calls
}

#[cfg(feature = "exporter")]
#[test]
fn calls_that_strace_tells_in_two_lines_are_put_together() {
    let log = "7 openat(3, \"a\", O_PATH <unfinished ...>\n8 futex(1, 2) = 0\n7 <... openat resumed>) = 4\n9 read(5 <unfinished ...>\n";
    assert_eq!(whole_calls(log), ["futex(1, 2) = 0", "openat(3, \"a\", O_PATH) = 4", "read(5"]);
}

/// What two collectors read, each in its own time: either may be asked for alone.
#[cfg(feature = "exporter")]
const TWICE: &[(&str, &str)] = &[
    ("\"devices/system/cpu/\"", "cpu and cpufreq"),
    ("\"class/watchdog/\"", "watchdog and reset_reason"),
    ("\"class/watchdog/watchdog0/bootstatus\"", "watchdog and reset_reason"),
];

#[test]
#[ignore = "run by one_read_and_one_write_per_kept_scrape under strace"]
fn traced() {
    let (server, thread) = start_http_server("127.0.0.1:0", &REGISTRY).expect("loopback");
    println!("address: {}", server.local_addr().expect("a TCP address"));
    std::io::stdin().lines().for_each(drop);
    server.shutdown();
    thread.join().expect("no panic");
}
