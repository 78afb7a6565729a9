//! The whole way: a Prometheus and the program behind the same web configuration file, or behind nginx.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::nginx::Nginx;
use crate::pki::Pair;
use crate::process::{PATIENCE, Served, free_address, tool};
use crate::secured::{Key, LOGIN, Program, Prometheus, curl, pki};

/// A scrape configuration of one target.
pub(crate) fn job(name: &str, port: u16, path: &str, more: &str) -> String {
    format!(
        "- job_name: {name}\n  metrics_path: {path}\n{more}  static_configs:\n  - targets: ['localhost:{port}']\n"
    )
}

const HTTPS: &str = "  scheme: https\n";
const BASIC_AUTH: &str = "  basic_auth: { username: scraper, password: open sesame }\n";

pub(crate) fn tls_config(ca: &str, client: Option<&Pair>, more: &str) -> String {
    let client = client.map(|pair| format!(", cert_file: {}, key_file: {}", pair.cert(), pair.key()));
    format!("  tls_config: {{ ca_file: {ca}{}{more} }}\n", client.unwrap_or_default())
}

/// When a certificate expires, in seconds since 1970, by openssl and date.
fn not_after(pair: &Pair) -> String {
    let text = |command: &mut Command| {
        let output = command.output().expect("it is installed");
        String::from_utf8(output.stdout).expect("a date is ASCII").trim_end().to_owned()
    };
    let date = text(Command::new(tool("openssl")).args(["x509", "-noout", "-enddate", "-in", pair.cert()]));
    text(Command::new(tool("date")).args(["+%s", "--date", date.trim_start_matches("notAfter=")]))
}

/// The jobs that Prometheus knows, as its API lists them.
fn jobs_listed(names: &[&str]) -> String {
    format!("{{\"status\":\"success\",\"data\":[\"{}\"]}}", names.join("\",\""))
}

#[test]
fn one_file_for_both() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let program = Program::start(&pki, "web.yml", &[]);
    let port = free_address().port();
    let way = format!("{HTTPS}{BASIC_AUTH}{}", tls_config(&pki.ca(), Some(&client), ""));
    let jobs = job("prometheus", port, "/metrics", &way)
        + &job("scrapeport", program.served.address.port(), "/metrics", &way);
    let file = format!("--web.config.file={}", pki.path("web.yml").display());
    let url = format!("https://localhost:{port}");
    let prometheus = Prometheus::start(&pki, port, &url, &key, &jobs, &[&file]);
    prometheus.await_up(&["prometheus", "scrapeport"]);
    assert_eq!(prometheus.ask("label/job/values"), jobs_listed(&["prometheus", "scrapeport"]));
    let targets = prometheus.ask("targets?state=active");
    assert_eq!(targets.matches("\"health\":\"up\"").count(), 2, "{targets}");
    assert!(prometheus.errors().iter().all(|(_, error)| error.is_empty()), "{targets}");

    // Three scrapes over one connection, and one bcrypt.
    let ours = |name: &str| prometheus.query(&format!("{name},job=\"scrapeport\"}}"));
    let deadline = Instant::now() + PATIENCE;
    let scrapes = || ours("scrapeport_http_requests_total{code=\"200\"").concat().parse::<u32>();
    while !scrapes().is_ok_and(|scrapes| scrapes >= 3) {
        assert!(Instant::now() < deadline, "{:?}", prometheus.errors());
        std::thread::sleep(Duration::from_millis(100));
    }
    for (series, value) in [
        ("scrapeport_build_info{os=\"linux\"", "1"),
        ("scrapeport_tls_handshakes_total{a=\"\"", "1"),
        ("scrapeport_tls_handshake_failures_total{reason=\"unknown_ca\"", "0"),
        ("scrapeport_tls_reload_failures_total{a=\"\"", "0"),
        ("scrapeport_web_config_last_read_successful{a=\"\"", "1"),
        ("scrapeport_web_config_bcrypt_rounds_total{a=\"\"", "32"),
    ] {
        assert_eq!(ours(series), [value], "{series}");
    }
    let server = Pair { cert: pki.path("server.pem"), key: pki.path("server.key") };
    assert_eq!(ours("scrapeport_tls_certificate_not_after_seconds{a=\"\""), [not_after(&server)]);
    assert_eq!(prometheus.query("process_open_fds{job=\"scrapeport\"} > 0").len(), 1);

    // Nobody else gets in, here or there.
    for url in [program.url(), format!("{url}/metrics")] {
        let files = ["--cacert", &pki.ca(), "--cert", client.cert(), "--key", client.key()];
        let without_login = curl(&[&files[..], &["--include", &url]].concat());
        assert!(without_login.output.starts_with("HTTP/"), "{without_login:?}");
        assert!(without_login.output.ends_with("\r\n\r\nUnauthorized\n"), "{without_login:?}");
        let without_certificate = curl(&["--cacert", &pki.ca(), "--user", LOGIN, &url]);
        // Prometheus may reset the connection before its alert is read.
        let refused = if url == program.url() { &[56][..] } else { &[55, 56] };
        assert!(refused.contains(&without_certificate.status), "{url}: {without_certificate:?}");
        assert_eq!(key.curl(&["--cacert", client.cert(), &url]).status, 60);
    }
    let said = key.curl(&["--verbose", "--user", "scraper:wrong", &program.url()]).errors;
    for line in ["< HTTP/1.1 401 Unauthorized", "< WWW-Authenticate: Basic realm=\"metrics\"", "http/1.1"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("ALPN: server accepted http/1.1"), "{said}");
}

/// The parts of an nginx that does the TLS on a port of its own, and a Prometheus and programs of ours behind it.
fn behind_nginx(strip: bool) {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let [door, inner] = [free_address(), free_address()];
    let url = format!("https://localhost:{}", door.port());
    let passed_on = Served::program(&[&format!("--web.external-url={url}/scrapeport")]);
    let taken_off = Served::program(&[&format!("--web.external-url={url}/stripped"), "--web.route-prefix=/"]);
    // Encrypted a second time, with a certificate for nginx.
    let locked = Program::start(&pki, "web.yml", &[&format!("--web.external-url={url}/locked")]);
    let locations = format!(
        "listen {door} ssl;\nssl_certificate {certificate};\nssl_certificate_key {private};\n\
         location /prometheus/ {{ proxy_pass http://{inner}{stripped}; }}\n\
         location /scrapeport/ {{ proxy_pass http://{passed_on}; }}\n\
         location /stripped/ {{ proxy_pass http://{taken_off}/; }}\n\
         location /locked/ {{ proxy_pass https://{locked}; proxy_ssl_name localhost;\n\
         proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca};\n\
         proxy_ssl_certificate {cert}; proxy_ssl_certificate_key {key}; }}\n",
        certificate = pki.path("server.pem").display(),
        private = pki.path("server.key").display(),
        stripped = if strip { "/" } else { "" },
        passed_on = passed_on.address,
        taken_off = taken_off.address,
        locked = locked.served.address,
        ca = pki.ca(),
        cert = client.cert(),
        key = client.key(),
    );
    let nginx = Nginx::start("", &locations);
    let way = format!("{HTTPS}{}", tls_config(&pki.ca(), None, ""));
    let jobs = [("prometheus", ""), ("scrapeport", ""), ("stripped", ""), ("locked", BASIC_AUTH)]
        .map(|(name, login)| job(name, door.port(), &format!("/{name}/metrics"), &(way.clone() + login)))
        .concat();
    let external = format!("--web.external-url={url}/prometheus");
    let flags = [&external[..], "--web.route-prefix=/"];
    let flags = if strip { &flags[..] } else { &flags[..1] };
    let home = format!("{url}/prometheus");
    let prometheus = Prometheus::start(&pki, inner.port(), &home, &key, &jobs, flags);
    prometheus.await_up(&["prometheus", "scrapeport", "stripped", "locked"]);
    let listed = jobs_listed(&["locked", "prometheus", "scrapeport", "stripped"]);
    assert_eq!(prometheus.ask("label/job/values"), listed);
    assert!(prometheus.errors().iter().all(|(_, error)| error.is_empty()), "{:?}", prometheus.errors());
    for name in ["scrapeport", "stripped", "locked"] {
        assert_eq!(prometheus.query(&format!("scrapeport_build_info{{job=\"{name}\"}}")), ["1"]);
        // What Prometheus says of itself it says in the same place.
        let healthy = key.page(&format!("{url}/{name}/-/healthy"));
        assert_eq!(healthy, "scrapeport is healthy.\n");
    }
    assert_eq!(key.page(&format!("{home}/-/healthy")), "Prometheus Server is Healthy.\n");
    // nginx hands a password on, and does not let anybody in without.
    let said = curl(&["--cacert", &pki.ca(), "--user", "scraper:wrong", &format!("{url}/locked/metrics")]);
    assert_eq!(said.output, "Unauthorized\n");
    assert!(!nginx.errors().contains("[error]"), "{}", nginx.errors());
}

#[test]
fn nginx_does_the_tls_and_passes_the_path_on_to_prometheus() {
    behind_nginx(false);
}

#[test]
fn nginx_does_the_tls_and_takes_the_path_off_for_prometheus() {
    behind_nginx(true);
}
