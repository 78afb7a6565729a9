//! What Prometheus and curl say when they do not get in: the words of the guide about errors.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::pki::{Client, Pair, Pki};
use crate::process::{PATIENCE, Running, Served, free_address, tool};
use crate::secured::{CLIENTS, Key, Program, Prometheus, TLS, USERS, curl, pki};
use crate::walk::{job, tls_config};

/// A way to a target that does not end there.
struct Case {
    /// What the first column of the guide's table has.
    says: &'static str,
    port: u16,
    scheme: &'static str,
    ca: String,
    client: Option<Pair>,
    password: Option<&'static str>,
    server_name: Option<&'static str>,
}

impl Case {
    fn configuration(&self, name: &str) -> String {
        let Self { ca, client, .. } = self;
        let server_name = self.server_name.map(|name| format!(", server_name: {name}")).unwrap_or_default();
        let login =
            self.password.map(|word| format!("  basic_auth: {{ username: scraper, password: {word} }}\n"));
        let tls = tls_config(ca, client.as_ref(), &server_name);
        let more = format!("  scheme: {}\n{tls}{}", self.scheme, login.unwrap_or_default());
        job(name, self.port, "/metrics", &more)
    }

    /// The status of a curl that goes the same way.
    fn curl(&self) -> i32 {
        let host = self.server_name.unwrap_or("localhost");
        let url = format!("{}://{host}:{}/metrics", self.scheme, self.port);
        let connect = format!("{host}:{0}:127.0.0.1:{0}", self.port);
        let login = self.password.map(|word| format!("scraper:{word}")).unwrap_or_default();
        let mut arguments =
            vec!["--fail", "--max-time", "2", "--connect-to", &connect, "--cacert", &self.ca, &url];
        if let Some(pair) = &self.client {
            arguments.extend(["--cert", pair.cert(), "--key", pair.key()]);
        }
        if !login.is_empty() {
            arguments.extend(["--user", &login]);
        }
        curl(&arguments).status
    }
}

/// The cells of the guide's first table: what Prometheus says, what curl says.
fn guide() -> Vec<(String, String)> {
    let page = include_str!("../../docs/errors.md");
    let (_, table) = page.split_once("| Prometheus (*Status").expect("the table is there");
    let (table, _) = table.split_once("\n\n").expect("the table has an end");
    let cells = table.lines().skip(2).map(|line| {
        let mut cells = line.trim_start_matches("| ").split(" | ");
        let mut next = || cells.next().expect("a row has four cells").to_owned();
        (next(), next())
    });
    cells.collect()
}

/// Whether an error has the parts of a cell in their order.
fn has(error: &str, cell: &str) -> bool {
    let first = cell.split('`').nth(1).expect("the words are set as code");
    let mut rest = error;
    first.split('…').all(|part| match rest.split_once(part.trim()) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

/// A program of ours on a file of its own.
fn other_program(pki: &Pki, name: &str, text: &str) -> Program {
    let file = format!("{name}.yml");
    pki.scratch().write(&file, text);
    Program::start(pki, &file, &[])
}

#[test]
fn prometheus_says_what_the_guide_says() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    pki.scratch().write(
        "named.yml",
        &format!("{TLS}{CLIENTS}  client_allowed_sans: [prometheus.example.org]\n{USERS}"),
    );
    let main = Program::start(&pki, "named.yml", &[]);
    let prefixed = Served::program(&["--web.external-url=http://localhost/prefix"]);
    let as_server = |name: &str, pair: Pair| {
        let files = format!("  cert_file: {}\n  key_file: {}\n", pair.cert(), pair.key());
        other_program(&pki, name, &format!("tls_server_config:\n{files}"))
    };
    let nameless = as_server("nameless", pki.client(Client::Version1).expect("it has a certificate"));
    let expired = as_server("expired", pki.client(Client::Expired).expect("it has a certificate"));
    let copy = Pair { cert: pki.path("server.pem"), key: pki.path("copy.key") };
    fs::copy(pki.path("server.key"), &copy.key).expect("a file can be copied");
    let keyless = as_server("keyless", copy);
    pki.scratch().write("copy.key", "");
    let suites = "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n";
    let suiteless = other_program(&pki, "suiteless", &format!("{TLS}{suites}"));
    let limited = other_program(&pki, "limited", "rate_limit: { interval: 1h, burst: 1 }\n");
    let broken = other_program(&pki, "broken", "{}\n");
    pki.scratch().write("broken.yml", "{");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    let port_of = |program: &Program| program.served.address.port();

    let good = Case {
        says: "",
        port: port_of(&main),
        scheme: "https",
        ca: pki.ca(),
        client: Some(client.clone()),
        password: Some("open sesame"),
        server_name: None,
    };
    let to = |says, port| Case { says, port, ca: good.ca.clone(), client: good.client.clone(), ..good };
    let with = |says, kind| Case { client: pki.client(kind), ..to(says, good.port) };
    let over_http = |says, port| Case { scheme: "http", ..to(says, port) };
    let silent_port = silent.local_addr().expect("a listener has an address").port();
    let cases = [
        to("connection refused", free_address().port()),
        to("context deadline exceeded", silent_port),
        to("server gave HTTP response to HTTPS client", prefixed.address.port()),
        over_http("server returned HTTP status 400 Bad Request", good.port),
        Case {
            ca: pki.authority("strangers").cert().to_owned(),
            ..to("x509: certificate signed by unknown authority", good.port)
        },
        Case { server_name: Some("other.example"), ..to("x509: certificate is valid for", good.port) },
        Case {
            // Its common name.
            server_name: Some("version1"),
            ..to("x509: certificate relies on legacy Common Name field", port_of(&nameless))
        },
        to("x509: certificate is not valid for any names", port_of(&nameless)),
        Case {
            server_name: Some("prometheus.example.org"),
            ..to("x509: certificate has expired or is not yet valid", port_of(&expired))
        },
        with("remote error: tls: certificate required", Client::Nothing),
        with("remote error: tls: unknown certificate authority", Client::OtherCa),
        with("remote error: tls: expired certificate", Client::Expired),
        with("remote error: tls: unsupported certificate", Client::ServerOnly),
        with("remote error: tls: access denied", Client::OtherName),
        to("remote error: tls: internal error", port_of(&keyless)),
        to("remote error: tls: handshake failure", port_of(&suiteless)),
        Case { password: Some("wrong"), ..to("server returned HTTP status 401 Unauthorized", good.port) },
        Case { password: None, ..to("server returned HTTP status 401 Unauthorized", good.port) },
        over_http("server returned HTTP status 404 Not Found", prefixed.address.port()),
        over_http("server returned HTTP status 429 Too Many Requests", port_of(&limited)),
        over_http("server returned HTTP status 500 Internal Server Error", port_of(&broken)),
    ];
    let rows = guide();
    // Prometheus speaks newer versions than that; and what guessing leads to has a test of its own.
    let elsewhere = ["protocol version not supported", "503 Service Unavailable"];
    for (row, _) in &rows {
        let covered = cases.iter().any(|case| row.starts_with(&format!("`{}", case.says)));
        assert!(covered || elsewhere.iter().any(|text| row.contains(text)), "no case for {row}");
    }

    let mut jobs = good.configuration("good");
    for (number, case) in cases.iter().enumerate() {
        jobs += &case.configuration(&format!("case{number}"));
    }
    let port = free_address().port();
    let url = format!("http://localhost:{port}");
    let prometheus = Prometheus::start(&pki, port, &url, &key, &jobs, &[]);
    let deadline = Instant::now() + PATIENCE;
    let faults = || {
        let errors = prometheus.errors();
        let error = |job: &str| {
            errors.iter().find(|(name, _)| name == job).map(|(_, error)| &**error).unwrap_or_default()
        };
        let row = |case: &Case| rows.iter().find(|(row, _)| row.starts_with(&format!("`{}", case.says)));
        let mut faults: Vec<_> = cases
            .iter()
            .enumerate()
            .filter_map(|(number, case)| {
                let name = format!("case{number}");
                let (row, _) = row(case).unwrap_or_else(|| panic!("the guide lacks {}", case.says));
                let down = prometheus.query(&format!("up{{job=\"{name}\"}}")) == ["0"];
                (!down || !has(error(&name), row)).then(|| format!("{row}: down: {down}, {}", error(&name)))
            })
            .collect();
        if prometheus.query("up{job=\"good\"}") != ["1"] {
            faults.push(format!("the good one is not up: {}", error("good")));
        }
        faults
    };
    loop {
        let faults = faults();
        if faults.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{faults:#?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut faults = Vec::new();
    for case in &cases {
        let (_, cell) =
            rows.iter().find(|(row, _)| row.starts_with(&format!("`{}", case.says))).expect("found before");
        let listed = cell.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<i32>().ok());
        let status = case.curl();
        if !listed.clone().any(|number| number == status) {
            faults.push(format!("{}: curl has {status}, the guide {cell}", case.says));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A guess that is never done, and all who may wait behind it: known scrapers go on, others are told to come again.
#[test]
fn guessing_ends_in_a_503() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let slow = "  slow: $2y$31$AS6U17xTStykkx8kKu3PYu72OvrP7WaSl.DJF5c4LR2HLzJ30UF5a\n";
    pki.scratch().write("slow.yml", &format!("{TLS}{USERS}"));
    let mut program = Program::start(&pki, "slow.yml", &[]);
    key.page(&program.url());
    pki.scratch().write("slow.yml.new", &format!("{TLS}{USERS}{slow}"));
    fs::rename(pki.path("slow.yml.new"), pki.path("slow.yml")).expect("a file can be renamed");
    let guess = |word: String| {
        let mut command = Command::new(tool("curl"));
        command.args(["--silent", "--max-time", "60", "--noproxy", "*", "--cacert", &pki.ca()]);
        command.args(["--output", "/dev/null", "--user", &word, &program.url()]);
        Running::start(&mut command)
    };
    // One at work and seven behind it, of the sixteen connections.
    let guesses: Vec<_> = (0..8).map(|number| guess(format!("slow:{number}"))).collect();
    let deadline = Instant::now() + PATIENCE;
    let turned_away = loop {
        let page = key.page(&program.url());
        if page.contains("\nscrapeport_http_connections{state=\"serving\"} 9\n") {
            break key.curl(&["--include", "--user", "slow:last", &program.url()]).output;
        }
        assert!(Instant::now() < deadline, "not all wait: {page}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(turned_away.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{turned_away}");
    assert!(turned_away.contains("\r\nRetry-After: 1\r\n"), "{turned_away}");
    assert!(turned_away.contains("\r\n\r\n# HTTP 503 Service Unavailable: "), "{turned_away}");
    key.page(&program.url());
    // Not waiting for a bcrypt of days.
    program.served.running.child.kill().expect("it runs");
    drop(guesses);
}

#[test]
fn what_this_tls_lacks_is_refused_before_the_start() {
    let (pki, _) = pki();
    for (name, field, more) in [
        ("old", "min_version", "  min_version: TLS10\n"),
        ("older", "max_version", "  max_version: TLS11\n"),
        ("cbc", "cipher_suites", "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n"),
        ("curve", "curve_preferences", "  curve_preferences: [CurveP521]\n"),
        ("everybody", "client_auth_type", "  client_auth_type: RequireAndVerifyClientCert\n"),
    ] {
        let file = pki.scratch().write(&format!("{name}.yml"), &format!("{TLS}{more}"));
        let path = file.to_str().expect("a path in UTF-8");
        let flag = format!("--web.config.file={path}");
        let address = free_address();
        let listen = format!("--web.listen-address={address}");
        for arguments in [&["check", "web-config", path][..], &[&flag, &listen]] {
            let output = Command::new(tool("timeout"))
                .args(["20", env!("CARGO_BIN_EXE_scrapeport")])
                .args(arguments)
                .output()
                .expect("the program runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            assert!(said.contains(&format!("tls_server_config.{field}: ")), "{name}: {said}");
            assert!(!said.contains("listening"), "{name}: {said}");
        }
    }
}
