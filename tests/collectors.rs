//! Which collectors the program runs: by its flags, and by what a scrape asks for.
#[path = "support/program.rs"]
mod program;
mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::Instant;

use program::{PROGRAM, Running, run, text};
use support::{PATIENCE, Reply, ask, connect};

const LISTEN: &str = "--web.listen-address=127.0.0.1:0";

fn get(address: SocketAddr, target: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    ask(&mut connect(address), &request).unwrap()
}

fn page(flags: &[&str], target: &str) -> Reply {
    let running = Running::start(&[&[LISTEN], flags].concat());
    get(running.addresses[0], target)
}

fn success(reply: &Reply, collector: &str) -> Option<f64> {
    let sample = format!("node_scrape_collector_success{{collector=\"{collector}\"}}");
    reply.body.contains(&sample).then(|| reply.sample(&sample))
}

#[test]
fn collectors_are_switched_by_flags_in_any_order() {
    let reply = page(&[], "/metrics");
    assert_eq!(success(&reply, "loadavg"), Some(1.0));
    assert!(reply.body.contains("\nnode_load1 ") && reply.body.contains("\nprocess_open_fds "));
    let reply = page(&["--no-collector.loadavg"], "/metrics");
    assert_eq!(success(&reply, "loadavg"), None);
    assert!(!reply.body.contains("node_load1"));
    for flags in [
        ["--collector.disable-defaults", "--collector.loadavg"],
        ["--collector.loadavg", "--collector.disable-defaults"],
    ] {
        let reply = page(&flags, "/metrics");
        assert!(reply.body.contains("\nnode_load1 "));
        assert_eq!(reply.body.matches("node_scrape_collector_success{").count(), 1);
    }
}

#[test]
fn a_scrape_chooses_among_what_runs() {
    let running = Running::start(&[LISTEN]);
    let address = running.addresses[0];
    for query in ["collect[]=loadavg", "collect%5B%5D=loadavg&x=y"] {
        let reply = get(address, &format!("/metrics?{query}"));
        assert_eq!((reply.status, success(&reply, "loadavg")), (200, Some(1.0)), "{query}");
        assert_eq!(reply.body.matches("node_scrape_collector_success{").count(), 1);
        // What the program tells of itself stays.
        assert!(reply.body.contains("\nscrapeport_build_info{") && reply.body.contains("process_open_fds"));
    }
    let reply = get(address, "/metrics?exclude[]=loadavg");
    assert_eq!((reply.status, success(&reply, "loadavg")), (200, None));
    for (query, line) in [
        ("collect[]=nothing", "# HTTP 400 Bad Request: missing collector: nothing; "),
        ("exclude[]=nothing", "# HTTP 400 Bad Request: missing collector: nothing; "),
        ("collect[]=loadavg&exclude[]=loadavg", "# HTTP 400 Bad Request: collect[] and exclude[] "),
    ] {
        let reply = get(address, &format!("/metrics?{query}"));
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.body.starts_with(line), "{}", reply.body);
    }
    drop(running);
    let reply = page(&["--no-collector.loadavg"], "/?collect[]=loadavg");
    assert!(
        reply.body.starts_with("# HTTP 400 Bad Request: disabled collector: loadavg; "),
        "{}",
        reply.body
    );
}

#[test]
fn the_program_can_keep_silent_about_itself() {
    let reply = page(&["--web.disable-exporter-metrics"], "/metrics");
    assert!(reply.body.contains("\nnode_load1 "));
    assert!(!reply.body.contains("process_") && !reply.body.contains("scrapeport_http"), "{}", reply.body);
}

#[test]
fn metrics_may_be_at_one_path_only() {
    let running = Running::start(&[LISTEN, "--web.telemetry-path=/device"]);
    let address = running.addresses[0];
    assert!(get(address, "/device?collect[]=loadavg").body.contains("\nnode_load1 "));
    let reply = get(address, "/metrics");
    assert_eq!(reply.status, 404);
    assert!(reply.body.starts_with("# HTTP 404 Not Found: "), "{}", reply.body);
    assert_eq!(get(address, "/-/healthy").status, 200);
}

#[test]
fn the_log_can_be_json() {
    let output = run(&["--log.format=json", "--web.listen-address=unix:/nowhere/at-all"]);
    let log = text(&output.stderr);
    assert!(log.starts_with("{\"level\":\"error\",\"msg\":\"") && log.ends_with("\"}\n"), "{log}");
}

#[test]
fn a_tree_that_is_not_there_is_told() {
    let output = run(&[LISTEN, "--path.procfs=/nowhere"]);
    let line = text(&output.stderr);
    assert_eq!(
        line,
        "scrapeport: error: --path.procfs=/nowhere: No such file or directory (os error 2), try --help\n"
    );
}

#[test]
fn sockets_of_systemd_are_served() {
    let manager = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = manager.local_addr().unwrap();
    // What a service manager does: descriptor 3, LISTEN_FDS, and LISTEN_PID, which only the child knows.
    let script = format!("exec 3<&{}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"", manager.as_raw_fd());
    rustix::io::fcntl_setfd(&manager, rustix::io::FdFlags::empty()).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &script, PROGRAM, "--web.systemd-socket"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reply = get(address, "/metrics");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(reply.body.contains("\nnode_load1 "));

    let output = run(&["--web.systemd-socket"]);
    let expected = "scrapeport: error: --web.systemd-socket: there is no socket: LISTEN_FDS is not set for this process, try --help\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn scrapes_beyond_the_limit_are_told_to_come_back() {
    let running = Running::start(&[LISTEN, "--web.max-requests=1"]);
    let address = running.addresses[0];
    // A client that asks for more pages than fit into all buffers and reads none: its scrape goes on and on.
    let mut clogged = connect(address);
    clogged.write_all(&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(4_000)).unwrap();
    let until = |status: u16| {
        let start = Instant::now();
        loop {
            let reply = get(address, "/metrics");
            assert!(matches!(reply.status, 200 | 503), "{}", reply.head);
            if reply.status == status {
                return reply;
            }
            assert!(start.elapsed() < PATIENCE, "never {status}");
        }
    };
    let line = "# HTTP 503 Service Unavailable: limit of concurrent requests reached (1); try again later";
    assert!(until(503).body.starts_with(line));
    // What is no scrape is answered in any case.
    assert_eq!(get(address, "/-/healthy").status, 200);
    drop(clogged);
    until(200);
}
