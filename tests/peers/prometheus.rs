//! A real Prometheus scrapes us, and its API tells what it understood.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{exchange, get};
use crate::nginx::Nginx;
use crate::process::{PATIENCE, Running, Scratch, Served, clients_of, free_address, tool};

struct Prometheus {
    _running: Running,
    _scratch: Scratch,
    address: SocketAddr,
}

impl Prometheus {
    /// Scrapes each job every second.
    fn start(jobs: &[(&str, SocketAddr, &str)]) -> Self {
        let scratch = Scratch::new("prometheus");
        let address = free_address();
        let mut configuration =
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n".to_owned();
        for (job, target, path) in jobs {
            configuration += &format!(
                "- job_name: {job}\n  metrics_path: {path}\n  static_configs:\n  - targets: ['{target}']\n"
            );
        }
        let file = scratch.write("prometheus.yml", &configuration);
        let mut command = Command::new(tool("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", scratch.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        command.args(["--enable-feature=exemplar-storage", "--log.level=error"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut running = Running::start(&mut command);
        running.await_port(address);
        Self { _running: running, _scratch: scratch, address }
    }

    /// What its API answers to a GET.
    fn ask(&self, path: &str) -> String {
        let answer = exchange(self.address, &get(path, "Connection: close\r\n"));
        assert!(matches!(answer.status, Some(200 | 503)), "{path}: {answer}");
        answer.text()
    }

    /// The values of an instant query, sorted: `labels value`, where the labels are those that tell series apart.
    fn query(&self, query: &str) -> Vec<String> {
        let answer = self.ask(&format!("/api/v1/query?query={}", percent_encoded(query)));
        let mut values = Vec::new();
        for series in answer.split("{\"metric\":").skip(1) {
            let (labels, rest) = series.split_once(",\"value\":[").expect("a sample has a value");
            let value = rest.split('"').nth(1).expect("a value is text");
            values.push(format!("{} {value}", without_target(labels)));
        }
        values.sort();
        values
    }

    /// Waits until each job was scraped so many times.
    fn await_scrapes(&self, jobs: &[&str], count: u32) {
        let deadline = Instant::now() + PATIENCE;
        let query = |job: &str| self.query(&format!("count_over_time(up{{job=\"{job}\"}}[5m])"));
        for job in jobs {
            loop {
                let values = query(job);
                let scrapes = values.first().and_then(|value| value.rsplit(' ').next()?.parse::<u32>().ok());
                if scrapes.is_some_and(|scrapes| scrapes >= count) {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{job} was scraped {scrapes:?} times\n{}",
                    self.ask("/api/v1/targets")
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Every scrape was good.
    fn assert_healthy(&self, jobs: usize) {
        assert_eq!(self.query("min_over_time(up[5m])"), vec!["{} 1"; jobs]);
        let targets = self.ask("/api/v1/targets?state=active");
        assert_eq!(targets.matches("\"health\":\"up\"").count(), jobs, "{targets}");
        assert_eq!(targets.matches("\"lastError\":\"\"").count(), jobs, "{targets}");
        // Nothing was dropped on the way in, but for the sample that is years old on purpose.
        for fault in ["out_of_order", "duplicate_timestamp"] {
            let metric = format!("prometheus_target_scrapes_sample_{fault}_total");
            let own = self.ask("/metrics");
            assert!(own.contains(&format!("\n{metric} 0\n")), "{fault}");
        }
    }
}

/// The labels of a series as JSON, without those that name the target.
fn without_target(labels: &str) -> String {
    let kept: Vec<_> = labels
        .trim_matches(['{', '}'])
        .split(",\"")
        .map(|label| label.trim_start_matches('"'))
        .filter(|label| {
            !["instance", "job", "__name__"].iter().any(|name| label.starts_with(&format!("{name}\"")))
        })
        .filter(|label| !label.is_empty())
        .collect();
    format!("{{{}}}", kept.join(","))
}

pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// What Prometheus has to know after scraping `examples/every_kind.rs`.
fn assert_samples(prometheus: &Prometheus, job: &str) {
    let of = |name: &str| prometheus.query(&format!("{name}{{job=\"{job}\"}}"));
    assert_eq!(of("demo_requests_total"), ["{} 3"]);
    assert_eq!(of("demo_temperature_celsius"), ["{} 41.5"]);
    assert_eq!(
        of("demo_replies_total"),
        ["{code\":\"200\",method\":\"GET\"} 1027", "{code\":\"404\",method\":\"POST\"} 3"]
    );
    assert_eq!(of("demo_latency_seconds_count"), ["{} 4"]);
    assert_eq!(of("demo_latency_seconds_sum"), ["{} 21.05"]);
    assert_eq!(of("demo_size_bytes_sum"), ["{} 300.5"]);
    assert_eq!(of("demo_build_info"), ["{revision\":\"abc\",version\":\"1.0\"} 1"]);
    assert_eq!(of("demo_state"), ["{demo_state\":\"busy\"} 1", "{demo_state\":\"idle\"} 0"]);
    assert_eq!(of("demo_board_requests_total"), ["{} 7"]);
    assert_eq!(of("demo_gr__e"), ["{f_hler_name\":\"a b\"} 2.5"]);
    assert_eq!(of("demo:ratio"), ["{} 0.5"]);
    assert_eq!(of("demo_label_values").len(), 5);
    assert_eq!(of("demo_numbers").len(), 11);
    assert_eq!(
        prometheus.query(&format!("histogram_quantile(0.5, demo_latency_seconds_bucket{{job=\"{job}\"}})")),
        ["{} 0.55"]
    );
}

#[test]
fn prometheus_scrapes_us_in_both_formats() {
    let example = Served::every_kind(&[]);
    let program = Served::program(&[]);
    // This Prometheus asks for OpenMetrics and cannot be told otherwise, so nginx asks for text in its place.
    let locations = format!(
        "location / {{ proxy_pass http://{}/; proxy_set_header Accept \"text/plain;version=0.0.4\"; }}\n",
        example.address
    );
    let nginx = Nginx::start("", &locations);
    let jobs = [
        ("example", example.address, "/metrics"),
        ("program", program.address, "/metrics"),
        ("text", nginx.address, "/metrics"),
    ];
    let names = jobs.map(|(name, ..)| name);
    let prometheus = Prometheus::start(&jobs);
    prometheus.await_scrapes(&names, 2);
    let connections = [clients_of(example.address), clients_of(program.address)];
    assert!(connections.iter().all(|ports| ports.len() == 1), "one connection each: {connections:?}");
    prometheus.await_scrapes(&names, 6);
    prometheus.assert_healthy(jobs.len());
    // The same connections as four scrapes ago.
    assert_eq!([clients_of(example.address), clients_of(program.address)], connections);
    assert_samples(&prometheus, "example");
    assert_samples(&prometheus, "text");
    assert_eq!(prometheus.query("process_open_fds{job=\"program\"} > 0").len(), 1);
    assert_eq!(nginx.errors(), "");

    // Only OpenMetrics has exemplars and units.
    let exemplars = prometheus.ask("/api/v1/query_exemplars?query=%7Bjob%3D~%22.%2B%22%7D");
    assert!(exemplars.contains("\"trace_id\":\"abc\""), "{exemplars}");
    assert!(exemplars.contains("\"trace_id\":\"def\""), "{exemplars}");
    assert!(!exemplars.contains("\"job\":\"text\""), "{exemplars}");
    let metadata = prometheus.ask("/api/v1/targets/metadata?metric=demo_temperature_celsius");
    assert_eq!(metadata.matches("\"unit\":\"celsius\"").count(), 1, "{metadata}");
    let kinds = prometheus.ask("/api/v1/targets/metadata?match_target=%7Bjob%3D%22example%22%7D");
    for kind in ["counter", "gauge", "histogram", "summary", "info", "stateset", "gaugehistogram", "unknown"]
    {
        assert!(kinds.contains(&format!("\"type\":\"{kind}\"")), "{kind}: {kinds}");
    }
}

#[test]
fn prometheus_follows_the_ends_and_starts_of_the_program() {
    let mut program = Served::program(&[]);
    let address = program.address;
    let prometheus = Prometheus::start(&[("program", address, "/metrics")]);
    prometheus.await_scrapes(&["program"], 1);
    program.running.signal(rustix::process::Signal::TERM);
    // A kept connection does not hold the program up.
    let status = program.running.wait(Duration::from_secs(5)).expect("the program ends when told");
    assert!(status.success(), "{status}");
    let deadline = Instant::now() + PATIENCE;
    while prometheus.query("up") != ["{} 0"] {
        assert!(Instant::now() < deadline, "the end went unnoticed");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The address is free at once, though connections to it were open.
    let again = Served::program_on(address, &[]);
    while prometheus.query("up") != ["{} 1"] {
        assert!(Instant::now() < deadline, "the new start went unnoticed");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(again);
}
