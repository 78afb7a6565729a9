//! Every example starts, and serves what it promises.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Where cargo has put an example: it builds them all before the tests run.
fn program(name: &str) -> PathBuf {
    // target/PROFILE/deps/THIS-TEST
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: `cargo build --examples`, with the same features",
        path.display()
    );
    path
}

/// An example at work; killed at the end of its test.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(name: &str) -> Self {
        let mut child =
            Command::new(program(name)).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, address: String::new() };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{name} does not start"));
        running.address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).into();
        running
    }

    fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.into(), body.into())
    }

    fn page(&self) -> String {
        let (head, body) = self.get("/metrics");
        assert!(head.contains(" 200 OK\r\n") && head.contains("text/plain; version=0.0.4"), "{head}");
        body
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is not in {page}")).parse().unwrap()
}

#[test]
fn hello() {
    let page = Running::start("hello").page();
    assert!(
        page.contains("# HELP hello_greetings_total Greetings said.\n# TYPE hello_greetings_total counter\n")
    );
    assert!(value(&page, "hello_greetings_total") <= 30.0);
}

#[test]
fn labels() {
    let page = Running::start("labels").page();
    assert!(value(&page, "labels_replies_total{method=\"GET\",code=\"200\"}") >= 2.0);
    assert_eq!(value(&page, "labels_replies_total{method=\"GET\",code=\"404\"}"), 1.0);
    assert_eq!(value(&page, "labels_peer_bytes{peer=\"young\"}"), 1024.0);
    assert!(!page.contains("peer=\"old\""));
}

#[test]
fn timers() {
    let page = Running::start("timers").page();
    assert_eq!(value(&page, "timers_work_seconds_bucket{le=\"0.01\"}"), 0.0);
    assert!(value(&page, "timers_work_seconds_bucket{le=\"+Inf\"}") >= 1.0);
    assert!(value(&page, "timers_work_seconds_sum") >= 0.02);
    assert!(value(&page, "timers_pause_seconds_count") >= 0.0);
    assert!([0.0, 1.0].contains(&value(&page, "timers_running")));
    assert!(value(&page, "timers_last_work_seconds") > 1.6e9);
}

#[test]
fn collector() {
    let page = Running::start("collector").page();
    for name in ["node_load1", "node_load5", "node_load15"] {
        assert!(value(&page, name) >= 0.0);
    }
}

#[test]
fn mount() {
    let running = Running::start("mount");
    assert_eq!(running.get("/").1, "The front page.\n");
    assert_eq!(value(&running.page(), "mount_visits_total"), 1.0);
    assert_eq!(running.get("/elsewhere").1, "The front page.\n");
    assert_eq!(value(&running.get("/metrics?name[]=mount_visits_total").1, "mount_visits_total"), 2.0);
}

#[test]
#[cfg(feature = "tiny_http")]
fn tiny_http() {
    let running = Running::start("tiny_http");
    assert!(running.get("/").1.contains("/metrics"));
    assert!(value(&running.page(), "tiny_http_visits_total") >= 1.0);
}

#[test]
fn textfile() {
    let path = std::env::temp_dir().join(format!("scrapeport-example-{}.prom", std::process::id()));
    let output = Command::new(program("textfile")).arg(&path).output().unwrap();
    assert!(output.status.success());
    let page = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(value(&page, "backup_files_total"), 1234.0);
    assert!(value(&page, "backup_ended_seconds") > 1.6e9);
}

#[test]
fn link_monitor() {
    let page = Running::start("link_monitor").page();
    assert!(value(&page, "link_devices") >= 1.0);
    assert_eq!(value(&page, "link_read_failures_total"), 0.0);
    for name in ["link_received_bytes_total", "link_sent_bytes_total"] {
        assert!(value(&page, &format!("{name}{{device=\"lo\"}}")) >= 0.0);
    }
    assert!(value(&page, "process_threads") >= 1.0);
}
