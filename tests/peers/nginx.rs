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

/// The program below `/prometheus/` of an nginx, in the two ways that manuals show.
fn below_prometheus() -> [(Served, Nginx); 2] {
    let url = "--web.external-url=http://proxy.example/prometheus/";
    // Passed on as it is.
    let whole = Served::program(&[url, "--web.enable-lifecycle"]);
    let whole_nginx = Nginx::start(
        &kept_upstream(whole.address),
        "location /prometheus/ { proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection \"\"; }\n",
    );
    // Taken off: the address has a path of its own.
    let stripped = Served::program(&[url, "--web.route-prefix=/", "--web.enable-lifecycle"]);
    let stripped_nginx =
        Nginx::start(&kept_upstream(stripped.address), &plain_location("/prometheus/", stripped.address));
    [(whole, whole_nginx), (stripped, stripped_nginx)]
}

#[test]
fn the_program_is_reached_below_a_path_whether_or_not_nginx_takes_it_off() {
    for (_program, nginx) in &below_prometheus() {
        for target in [
            "/prometheus/",
            "/prometheus/metrics",
            "/prometheus/metrics?name[]=scrapeport_build_info",
            // nginx finds its location by the path that these mean, and sends on what was sent.
            "//prometheus/metrics",
            "/%70rometheus/metrics",
            "/x/../prometheus/metrics",
            "/prometheus/./metrics",
        ] {
            let page = exchange(nginx.address, &get(target, ""));
            assert_eq!(page.status, Some(200), "{target} {page}");
            assert!(page.text().contains("\nscrapeport_build_info{"), "{target} {page}");
            assert_eq!(page.text().contains("process_"), !target.contains("name[]"), "{target}");
        }
        let healthy = exchange(nginx.address, &get("/prometheus/-/healthy", ""));
        assert_eq!((healthy.status, healthy.text().as_str()), (Some(200), "scrapeport is healthy.\n"));
        for target in ["/metrics", "/prometheusx", "/prometheus/../metrics", "/prometheus/%2e%2e/metrics"] {
            assert_eq!(exchange(nginx.address, &get(target, "")).status, Some(404), "{target}");
        }
        let moved = exchange(nginx.address, &get("/prometheus", ""));
        assert_eq!(moved.status, Some(301), "{moved}");
        assert!(moved.header("Location").is_some_and(|place| place.ends_with("/prometheus/")), "{moved}");
    }
}

#[test]
fn a_redirect_of_ours_leads_through_nginx_to_the_metrics() {
    let program = Served::program(&["--web.external-url=http://proxy.example/prometheus/"]);
    let nginx = Nginx::start(
        &kept_upstream(program.address),
        &format!("location / {{ proxy_pass http://{}; }}\n", program.address),
    );
    let moved = exchange(nginx.address, &get("/", ""));
    assert_eq!((moved.status, moved.header("Location")), (Some(302), Some("/prometheus")), "{moved}");
    let page = exchange(nginx.address, &get("/prometheus", ""));
    assert!(page.status == Some(200) && page.text().contains("scrapeport_build_info{"), "{page}");
    let lost = exchange(nginx.address, &get("/other", ""));
    assert_eq!(lost.status, Some(404));
    assert!(
        lost.text().starts_with("# HTTP 404 Not Found: ") && lost.text().contains(" /prometheus,"),
        "{lost}"
    );
    assert_eq!(nginx.errors(), "");
}

#[test]
fn the_lifecycle_works_through_nginx() {
    let patience = std::time::Duration::from_secs(10);
    for (mut program, nginx) in below_prometheus() {
        let ask = |method: &str, page: &str| {
            let mut connection = Connection::open(nginx.address);
            let request =
                format!("{method} /prometheus/-/{page} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            connection.send(request.as_bytes());
            connection.receive(method)
        };
        let wrong = ask("GET", "quit");
        assert_eq!((wrong.status, wrong.header("Allow")), (Some(405), Some("POST, PUT")), "{wrong}");
        assert!(wrong.text().contains("Only POST or PUT requests allowed"), "{wrong}");
        for method in ["POST", "PUT"] {
            let reloaded = ask(method, "reload");
            assert_eq!((reloaded.status, reloaded.text().as_str()), (Some(200), ""), "{reloaded}");
        }
        let quit = ask("POST", "quit");
        assert_eq!((quit.status, quit.text().as_str()), (Some(200), "Requesting termination... Goodbye!"));
        let status = program.running.wait(patience).expect("the program ends");
        assert_eq!(status.code(), Some(0));
        assert_eq!(nginx.errors(), "");
    }
}
