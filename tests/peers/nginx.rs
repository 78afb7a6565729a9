//! nginx in front: the way most devices with a web interface will show their metrics.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::client::{Connection, exchange, get};
use crate::process::{Running, Scratch, Served, free_address, tool};
use crate::reference::Oracle;

/// An nginx with the given `location` blocks and upstreams.
pub(crate) struct Nginx {
    _running: Running,
    scratch: Scratch,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    pub(crate) fn start(upstreams: &str, locations: &str) -> Self {
        let scratch = Scratch::new("nginx");
        let address = free_address();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .collect();
        // Started as root, its workers would otherwise become a user who may not enter the directory.
        let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
        let configuration = format!(
            "{user}daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log errors.log warn;\n\
             events {{ worker_connections 64; }}\n\
             http {{\n{temporary}access_log off;\nproxy_buffering on;\n{upstreams}\n\
             server {{\nlisten {address};\n{locations}\n}}\n}}\n"
        );
        scratch.write("nginx.conf", &configuration);
        let mut command = Command::new(tool("nginx"));
        command.arg("-p").arg(scratch.path()).args(["-c", "nginx.conf", "-e", "errors.log"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut running = Running::start(&mut command);
        running.await_port(address);
        Self { _running: running, scratch, address }
    }

    /// What nginx found wrong with us.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.scratch.path().join("errors.log")).unwrap_or_default()
    }
}

/// A location that passes on to `upstream` in the way that most manuals show: HTTP/1.0.
fn plain_location(path: &str, upstream: SocketAddr) -> String {
    format!("location {path} {{ proxy_pass http://{upstream}/; }}\n")
}

/// A location that keeps its connections to the upstream `kept`.
fn kept_location(path: &str) -> String {
    format!(
        "location {path} {{ proxy_pass http://kept/; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n"
    )
}

fn kept_upstream(address: SocketAddr) -> String {
    format!("upstream kept {{ server {address}; keepalive 2; }}\n")
}

const FORMATS: &[&str] = &[
    "",
    "Accept: application/openmetrics-text;version=1.0.0\r\n",
    "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8\r\nAccept-Encoding: gzip\r\n",
    "Accept-Encoding: gzip\r\n",
];

#[test]
fn a_page_through_nginx_is_the_same_page() {
    let ours = Served::every_kind(&[]);
    let nginx = Nginx::start(
        &kept_upstream(ours.address),
        &(plain_location("/prometheus/", ours.address) + &kept_location("/kept/")),
    );
    let mut oracle = Oracle::start();
    for headers in FORMATS {
        let direct = exchange(ours.address, &get("/metrics", headers));
        for target in ["/prometheus/metrics", "/kept/metrics", "/prometheus/", "/kept/"] {
            let through = exchange(nginx.address, &get(target, headers));
            assert_eq!(through.status, Some(200), "{target} {through}");
            for header in ["Content-Type", "Content-Encoding"] {
                assert_eq!(through.header(header), direct.header(header), "{target} {headers:?}");
            }
            assert_eq!(oracle.plain(&through), oracle.plain(&direct), "{target} {headers:?}");
        }
    }
    let filtered = exchange(nginx.address, &get("/prometheus/metrics?name[]=demo_requests_total", ""));
    assert!(filtered.text().ends_with("\ndemo_requests_total 3\n"), "{filtered}");
    assert_eq!(nginx.errors(), "");
}

#[test]
fn nginx_passes_on_what_is_not_allowed() {
    let ours = Served::every_kind(&[]);
    let nginx = Nginx::start(
        &kept_upstream(ours.address),
        &(plain_location("/prometheus/", ours.address) + &kept_location("/kept/")),
    );
    for path in ["/prometheus/", "/kept/"] {
        let mut connection = Connection::open(nginx.address);
        for _ in 0..2 {
            let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
            connection.send(request.as_bytes());
            let answer = connection.receive("POST");
            assert_eq!(answer.status, Some(405), "{answer}");
            assert_eq!(answer.header("Allow"), Some("OPTIONS, GET"), "{answer}");
            assert_eq!(answer.text(), "# HTTP 405 Method Not Allowed: POST; use OPTIONS or GET\n");
            connection.send(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
            let answer = connection.receive("HEAD");
            assert_eq!(answer.status, Some(405), "{answer}");
            assert!(answer.body.is_empty(), "{answer}");
            connection.send(format!("OPTIONS {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
            let answer = connection.receive("OPTIONS");
            assert_eq!(
                (answer.status, answer.header("Allow")),
                (Some(200), Some("OPTIONS, GET")),
                "{answer}"
            );
        }
    }
    assert_eq!(nginx.errors(), "");
}

#[test]
fn nginx_keeps_its_connection_to_us() {
    let ours = Served::every_kind(&[]);
    let nginx = Nginx::start(&kept_upstream(ours.address), &kept_location("/kept/"));
    let mut used = Vec::new();
    for _ in 0..20 {
        let answer = exchange(nginx.address, &get("/kept/metrics", ""));
        assert_eq!(answer.status, Some(200), "{answer}");
        used.extend(crate::process::clients_of(ours.address));
    }
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 1, "nginx used several connections: {used:?}");
    assert_eq!(nginx.errors(), "");
}
