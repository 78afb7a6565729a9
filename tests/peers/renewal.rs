//! What becomes of those inside and of those at the door when the web configuration file, or a file that it names,
//! changes while the program runs. Inside is an openssl that keeps its connection, at the door is curl.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::pki::{Client, P256, Pair, Pki, RSA, read};
use crate::process::{PATIENCE, Running, tool};
use crate::secured::{CLIENTS, Key, LOGIN, Program, TLS, USERS, curl, pki};

/// `scraper:open sesame` in base64.
const CREDENTIALS: &str = "c2NyYXBlcjpvcGVuIHNlc2FtZQ==";

/// A connection that stays: openssl, for a minute at most.
struct Kept {
    running: Running,
    output: BufReader<ChildStdout>,
}

impl Kept {
    fn open(program: &Program, key: &Key) -> Self {
        let mut command = Command::new(tool("timeout"));
        command.arg("60").arg(tool("openssl")).args(["s_client", "-quiet", "-verify_quiet"]);
        command.args(["-connect", &program.served.address.to_string(), "-servername", "localhost"]);
        command.args(["-CAfile", &key.ca, "-verify_return_error"]);
        command.args(["-cert", key.pair.cert(), "-key", key.pair.key()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        let output = BufReader::new(running.child.stdout.take().expect("standard output is a pipe"));
        let mut kept = Self { running, output };
        assert_eq!(kept.status(), "200");
        kept
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("openssl prints text");
        assert!(line.ends_with('\n'), "the connection has ended: {line:?}");
        line.trim_end().to_owned()
    }

    /// The status of one request more.
    fn status(&mut self) -> String {
        let input = self.running.child.stdin.as_mut().expect("standard input is a pipe");
        // One family, so that the response has a length.
        let target = "/metrics?name[]=scrapeport_build_info";
        write!(
            input,
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {CREDENTIALS}\r\n\r\n"
        )
        .expect("openssl reads");
        let status = self.line();
        let mut length = 0;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.parse().expect("a length is a number");
            }
        }
        std::io::copy(&mut std::io::Read::take(&mut self.output, length), &mut std::io::sink())
            .expect("the body follows");
        status.split(' ').nth(1).expect("a status line has a status").to_owned()
    }
}

/// The certificate that the program shows now, as PEM.
fn shown(program: &Program, key: &Key) -> String {
    let output = Command::new(tool("timeout"))
        .arg("20")
        .arg(tool("openssl"))
        .args(["s_client", "-connect", &program.served.address.to_string(), "-CAfile", &key.ca])
        .args(["-cert", key.pair.cert(), "-key", key.pair.key()])
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    pem(&String::from_utf8_lossy(&output.stdout)).to_owned()
}

/// The first certificate in a text.
fn pem(text: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----\n";
    let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("none in {text}"));
    let end = text.find(END).expect("a certificate has an end") + END.len();
    &text[begin..end]
}

/// A sample of the page.
fn sample(key: &Key, program: &Program, name: &str) -> u64 {
    let page = key.page(&program.url());
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {page}"))
}

/// Puts a text in the place of a file in one step.
fn replace(pki: &Pki, name: &str, text: &str) {
    let new = pki.scratch().write("new", text);
    fs::rename(new, pki.path(name)).expect("a file can be renamed");
}

const RELOADS: &str = "scrapeport_tls_reloads_total";
const RELOAD_FAILURES: &str = "scrapeport_tls_reload_failures_total";
const CONFIGURATION: &str = "scrapeport_tls_handshake_failures_total{reason=\"configuration\"}";

/// curl's "cannot shake hands".
const HANDSHAKE: i32 = 35;

#[test]
fn a_changed_certificate_holds_for_the_next_connection_however_it_is_changed() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    // Both in one file, so that there is no moment with one of them; below a directory that is a link.
    let whole = |pair: Pair| read(&pair.cert) + &read(&pair.key);
    let pairs = [pki.server("one", P256), pki.server("two", P256), pki.server("three", RSA)].map(whole);
    for directory in ["a", "b"] {
        fs::create_dir(pki.path(directory)).expect("a directory can be made");
    }
    let link = |to: &str| {
        std::os::unix::fs::symlink(to, pki.path("link.new")).expect("a link can be made");
        fs::rename(pki.path("link.new"), pki.path("link")).expect("a link can be renamed");
    };
    link("a");
    fs::write(pki.path("a/server.pem"), &pairs[0]).expect("a file can be written");
    let files = "tls_server_config:\n  cert_file: link/server.pem\n  key_file: link/server.pem\n";
    replace(&pki, "web.yml", &format!("{files}{CLIENTS}{USERS}"));
    let program = Program::start(&pki, "web.yml", &[]);
    let mut kept = Kept::open(&program, &key);
    assert_eq!(shown(&program, &key), pem(&pairs[0]));
    let mut reloads = 0;
    let mut expect = |what: &str, pair: &str| {
        reloads += 1;
        assert_eq!(shown(&program, &key), pem(pair), "{what}");
        assert_eq!(sample(&key, &program, RELOADS), reloads, "{what}");
        assert_eq!(kept.status(), "200", "{what}");
    };
    replace(&pki, "a/server.pem", &pairs[1]);
    expect("renamed", &pairs[1]);
    fs::write(pki.path("a/server.pem"), &pairs[2]).expect("a file can be written");
    expect("written over", &pairs[2]);
    fs::write(pki.path("b/server.pem"), &pairs[0]).expect("a file can be written");
    link("b");
    expect("another directory", &pairs[0]);
    // As old as before, and as long but for what openssl makes of it.
    let before =
        fs::metadata(pki.path("b/server.pem")).and_then(|data| data.modified()).expect("it has a time");
    fs::write(pki.path("b/server.pem"), &pairs[1]).expect("a file can be written");
    let file = fs::File::options().write(true).open(pki.path("b/server.pem")).expect("it can be opened");
    file.set_modified(before).expect("times can be set");
    drop(file);
    expect("with the old time", &pairs[1]);
    fs::remove_file(pki.path("b/server.pem")).expect("a file can be removed");
    std::os::unix::fs::symlink("../a/server.pem", pki.path("b/server.pem")).expect("a link can be made");
    expect("a link instead", &pairs[2]);
    assert_eq!(sample(&key, &program, RELOAD_FAILURES), 0);
}

#[test]
fn a_broken_key_costs_new_connections_only() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let program = Program::start(&pki, "web.yml", &[]);
    let mut kept = Kept::open(&program, &key);
    let good = read(&pki.path("server.key"));
    let other = read(&pki.server("other", P256).key);
    let faults = "handshakes fail until it is mended";
    let breaks =
        [("not a key", "hello\n"), ("nothing", ""), ("another key", &other), ("half a key", &good[..60])];
    for (round, (what, text)) in breaks.into_iter().enumerate() {
        let failed = sample(&key, &program, CONFIGURATION);
        replace(&pki, "server.key", text);
        for _ in 0..3 {
            let said = key.curl(&[&program.url()]);
            assert_eq!(said.status, HANDSHAKE, "{what}: {said:?}");
            assert!(said.errors.contains("alert internal error"), "{what}: {said:?}");
            assert_eq!(kept.status(), "200", "{what}");
        }
        // Once for the three, with the file, the setting, and no line of the key.
        let logged = program.logged(faults);
        assert_eq!(logged.len(), round + 1, "{what}: {logged:#?}");
        let last = &logged[round];
        assert!(last.starts_with("level=error") && last.contains("web.yml"), "{what}: {last}");
        assert!(last.contains("key_file") && last.contains("server.key"), "{what}: {last}");
        assert!(!last.contains(good.lines().nth(1).expect("a key has lines")), "{what}: {last}");
        replace(&pki, "server.key", &good);
        key.page(&program.url());
        assert_eq!(kept.status(), "200", "{what}");
        let round = u64::try_from(round).expect("a small number");
        assert_eq!(sample(&key, &program, CONFIGURATION), failed + 3, "{what}");
        assert_eq!(sample(&key, &program, RELOAD_FAILURES), round + 1, "{what}");
        assert_eq!(sample(&key, &program, RELOADS), round + 1, "{what}");
    }
    // No key at all, and no certificate.
    for name in ["server.key", "server.pem"] {
        fs::rename(pki.path(name), pki.path("away")).expect("a file can be renamed");
        assert_eq!(key.curl(&[&program.url()]).status, HANDSHAKE, "{name}");
        assert_eq!(kept.status(), "200", "{name}");
        fs::rename(pki.path("away"), pki.path(name)).expect("a file can be renamed");
        key.page(&program.url());
    }
    assert_eq!(program.logged(faults).len(), 6, "{:#?}", program.logged(""));
}

#[test]
fn what_the_file_says_of_clients_holds_for_the_next_connection() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let other = Key::new(&pki, &pki.client(Client::OtherCa).expect("it has a certificate"));
    let renamed = Key::new(&pki, &pki.client(Client::OtherName).expect("it has a certificate"));
    let program = Program::start(&pki, "web.yml", &[]);
    let mut kept = Kept::open(&program, &key);
    let enters = |key: &Key| key.curl(&["--fail", &program.url()]).status == 0;
    let nobody = || curl(&["--fail", "--cacert", &pki.ca(), "--user", LOGIN, &program.url()]).status == 0;
    assert_eq!([enters(&key), enters(&other), enters(&renamed), nobody()], [true, false, true, false]);
    let names = "  client_allowed_sans: [prometheus.example.org]\n";
    replace(&pki, "web.yml", &format!("{TLS}{CLIENTS}{names}{USERS}"));
    assert_eq!([enters(&key), enters(&other), enters(&renamed), nobody()], [true, false, false, false]);
    let elsewhere = CLIENTS.replace("ca.pem", "other-ca.pem");
    replace(&pki, "web.yml", &format!("{TLS}{elsewhere}{names}{USERS}"));
    assert_eq!([enters(&key), enters(&other), enters(&renamed), nobody()], [false, true, false, false]);
    // What asks for less is doubted first, and nobody comes in.
    let doubted = |text: &str, who: &Key| {
        replace(&pki, "web.yml", text);
        assert!(!enters(who) && !nobody(), "{text}");
        let deadline = Instant::now() + PATIENCE;
        while !enters(who) {
            assert!(Instant::now() < deadline, "never believed: {text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    doubted(&format!("{TLS}{elsewhere}{USERS}"), &other);
    assert_eq!([enters(&key), enters(&other), enters(&renamed), nobody()], [false, true, false, false]);
    let if_given = CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven");
    doubted(&format!("{TLS}{if_given}{USERS}"), &key);
    assert_eq!([enters(&key), enters(&other), enters(&renamed), nobody()], [true, false, true, true]);
    doubted(&format!("{TLS}{USERS}"), &key);
    assert_eq!([enters(&key), enters(&other), enters(&renamed), nobody()], [true; 4]);
    assert_eq!(program.logged("asks for less of clients than before, which is believed").len(), 3);
    assert_eq!(program.logged("level=warn").iter().filter(|line| line.contains("asks for less")).count(), 3);
    assert_eq!(kept.status(), "200");
    // Without TLS it would be another server: nobody comes in until it is one again.
    replace(&pki, "web.yml", USERS);
    let said = key.curl(&[&program.url()]);
    assert!(said.status == HANDSHAKE && said.errors.contains("alert internal error"), "{said:?}");
    let plain = curl(&["--include", &program.url().replace("https", "http")]);
    assert!(plain.output.contains("Client sent an HTTP request to an HTTPS server."), "{plain:?}");
    assert_eq!(kept.status(), "200");
    replace(&pki, "web.yml", &format!("{TLS}{CLIENTS}{USERS}"));
    assert_eq!([enters(&key), nobody()], [true, false]);
}

#[test]
fn a_file_that_cannot_be_read_lets_nobody_in_until_it_can() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let good = read(&pki.path("web.yml"));
    let program = Program::start(&pki, "web.yml", &[]);
    let mut kept = Kept::open(&program, &key);
    let lines = "nobody is let in until it is mended";
    for (round, text) in ["{", "unknown: 1\n", "tls_server_config: []\n"].into_iter().enumerate() {
        replace(&pki, "web.yml", text);
        for _ in 0..3 {
            assert_eq!(kept.status(), "500", "{text}");
            assert_eq!(key.curl(&[&program.url()]).status, HANDSHAKE, "{text}");
        }
        assert_eq!(program.logged(lines).len(), round + 1, "{text}: {:#?}", program.logged(""));
        replace(&pki, "web.yml", &good);
        assert_eq!(kept.status(), "200", "{text}");
        key.page(&program.url());
    }
    fs::remove_file(pki.path("web.yml")).expect("a file can be removed");
    assert_eq!(kept.status(), "500");
    replace(&pki, "web.yml", &good);
    assert_eq!(kept.status(), "200");
    assert_eq!(sample(&key, &program, "scrapeport_web_config_read_failures_total"), 4);
    assert_eq!(sample(&key, &program, "scrapeport_web_config_last_read_successful"), 1);
    assert_eq!(program.logged("can be used again").len(), 4);
}

#[test]
fn an_empty_file_is_not_believed_at_once() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    pki.scratch().write("users.yml", USERS);
    let program = Program::start(&pki, "users.yml", &[]);
    let url = program.url().replace("https", "http");
    let status = |login: &str| {
        let said = curl(&["--output", "/dev/null", "--write-out", "%{http_code}", "--user", login, &url]);
        said.output
    };
    assert_eq!([status(LOGIN), status("scraper:wrong")], ["200", "401"]);
    pki.scratch().write("users.yml", "");
    assert_eq!(status("scraper:wrong"), "500");
    pki.scratch().write("users.yml", USERS);
    assert_eq!([status(LOGIN), status("scraper:wrong")], ["200", "401"]);
    pki.scratch().write("users.yml", "");
    assert_eq!(status("scraper:wrong"), "500");
    let deadline = Instant::now() + PATIENCE;
    while status("scraper:wrong") != "200" {
        assert!(Instant::now() < deadline, "an empty file is never believed");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(key.curl(&[&url]).status, 0);
}

#[test]
fn the_rate_limit_is_followed() {
    let (pki, _) = pki();
    let limit = |burst| {
        pki.scratch().write("limit.yml", &format!("rate_limit: {{ interval: 1h, burst: {burst} }}\n"))
    };
    limit(2);
    let program = Program::start(&pki, "limit.yml", &[]);
    let url = program.url().replace("https", "http");
    let statuses =
        || [(); 4].map(|()| curl(&["--output", "/dev/null", "--write-out", "%{http_code}", &url]).output);
    assert_eq!(statuses(), ["200", "200", "429", "429"]);
    assert_eq!(curl(&[&url]).output, "Too Many Requests\n");
    limit(3);
    assert_eq!(statuses(), ["200", "200", "200", "429"]);
    replace(&pki, "limit.yml", "rate_limit: {}\n");
    assert_eq!(statuses(), ["200"; 4]);
}

#[test]
fn sighup_says_whether_the_files_can_be_used() {
    let (pki, client) = pki();
    let key = Key::new(&pki, &client);
    let program = Program::start(&pki, "web.yml", &["--web.enable-lifecycle"]);
    let good = read(&pki.path("server.key"));
    let reload = program.url().replace("metrics", "-/reload");
    let ask = || key.curl(&["--write-out", "%{http_code}", "--request", "POST", &reload]).output;
    program.served.running.signal(Signal::HUP);
    program.await_logged("SIGHUP: reloaded", 1);
    assert_eq!(ask(), "200");
    // Over a connection of its own, which could not be opened any more.
    let mut kept = Kept::open(&program, &key);
    replace(&pki, "server.key", "");
    program.served.running.signal(Signal::HUP);
    program.await_logged("SIGHUP: failed to reload config: ", 1);
    let told = program.logged("SIGHUP: failed").concat();
    assert!(told.contains("key_file") && told.contains("server.key"), "{told}");
    assert_eq!(kept.status(), "200");
    replace(&pki, "server.key", &good);
    program.served.running.signal(Signal::HUP);
    program.await_logged("SIGHUP: reloaded", 2);
    assert_eq!(ask(), "200");
    replace(&pki, "web.yml", "{");
    program.served.running.signal(Signal::HUP);
    program.await_logged("SIGHUP: failed to reload config: ", 2);
    assert_eq!(kept.status(), "500");
}
