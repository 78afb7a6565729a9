//! The web configuration file while a server follows it.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

mod support;

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};
use scrapeport::{Counter, CounterFamily, Registry, Server};
use support::*;

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

/// Of "secret".
const HASH: &str = "$2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK";

/// Keeps what is logged; each test looks for its own file's name.
struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

/// A server that follows `web.yml` in a folder of its own.
struct Following {
    server: Server,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
}

impl Following {
    fn start(name: &str, content: &str) -> Self {
        let folder = temporary(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("web.yml"), content).unwrap();
        Self::start_in(folder, "web.yml")
    }

    fn start_in(folder: PathBuf, file: &str) -> Self {
        if log::set_logger(&LINES).is_ok() {
            log::set_max_level(LevelFilter::Info);
        }
        let builder = Server::builder(&REGISTRY).web_config_file(folder.join(file));
        let (server, thread) = builder.start_on("127.0.0.1:0").expect("a good file");
        Self { server, thread: Some(thread), folder }
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addr().expect("a TCP address")
    }

    fn file(&self) -> PathBuf {
        self.folder.join("web.yml")
    }

    /// As editors do it: the new file takes the place of the old one.
    fn replace(&self, content: &str) {
        let new = self.folder.join("web.yml.new");
        fs::write(&new, content).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn logged(&self, level: Level) -> usize {
        let folder = self.folder.to_str().unwrap();
        let lines = LINES.0.lock().unwrap();
        lines.iter().filter(|(of, line)| *of == level && line.contains(folder)).count()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.server.shutdown();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn users(names: &[&str]) -> String {
    let users: String = names.iter().map(|name| format!("  {name}: {HASH}\n")).collect();
    format!("basic_auth_users:\n{users}")
}

fn login(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64(format!("{user}:{password}").as_bytes()))
}

fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn status(stream: &mut TcpStream, fields: &str) -> u16 {
    ask(stream, &request("GET /metrics", fields)).expect("kept").status
}

#[test]
fn users_and_fields_hold_from_the_next_request_on() {
    let following = Following::start("live-users", &users(&["alice"]));
    let mut stream = connect(following.address());
    assert_eq!(status(&mut stream, ""), 401);
    assert_eq!(status(&mut stream, &login("alice", "secret")), 200);
    assert_eq!(status(&mut stream, &login("bob", "secret")), 401);
    following.replace(&(users(&["bob"]) + "http_server_config: {headers: {X-Frame-Options: deny}}\n"));
    assert_eq!(status(&mut stream, &login("alice", "secret")), 401);
    let reply = ask(&mut stream, &request("GET /", &login("bob", "secret"))).expect("kept");
    assert!(reply.status == 200 && reply.has("X-Frame-Options: deny"), "{}", reply.head);
    following.replace(&users(&["alice"]));
    let reply = ask(&mut stream, &request("GET /", &login("alice", "secret"))).expect("kept");
    assert!(reply.status == 200 && !reply.has("X-Frame-Options: deny"), "{}", reply.head);
}

#[test]
fn a_change_that_hides_is_seen() {
    let following = Following::start("live-hidden", &users(&["alice"]));
    let mut stream = connect(following.address());
    let modified = fs::metadata(following.file()).unwrap().modified().unwrap();
    // In place, of the same size, with the old time.
    for (name, other) in [("marge", "alice"), ("alice", "marge"), ("homer", "alice")] {
        let mut file = File::options().write(true).open(following.file()).unwrap();
        file.write_all(users(&[name]).as_bytes()).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
        drop(file);
        assert_eq!(status(&mut stream, &login(name, "secret")), 200, "{name}");
        assert_eq!(status(&mut stream, &login(other, "secret")), 401, "{other}");
    }
}

#[test]
fn links_lead_to_what_they_name_now() {
    let folder = temporary("live-links");
    for name in ["alice", "marge"] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("web.yml"), users(&[name])).unwrap();
    }
    symlink("alice", folder.join("now")).unwrap();
    symlink("now/web.yml", folder.join("web.yml")).unwrap();
    let following = Following::start_in(folder, "web.yml");
    let mut stream = connect(following.address());
    let swap = |link: &str, target: &str| {
        symlink(target, following.folder.join("next")).unwrap();
        fs::rename(following.folder.join("next"), following.folder.join(link)).unwrap();
    };
    assert_eq!(status(&mut stream, &login("alice", "secret")), 200);
    swap("now", "marge");
    assert_eq!(status(&mut stream, &login("marge", "secret")), 200);
    assert_eq!(status(&mut stream, &login("alice", "secret")), 401);
    swap("web.yml", "alice/web.yml");
    assert_eq!(status(&mut stream, &login("alice", "secret")), 200);
    assert_eq!(status(&mut stream, &login("marge", "secret")), 401);
}

#[test]
fn a_broken_file_lets_nobody_in_until_it_is_mended() {
    let good = users(&["alice"]);
    let following = Following::start("live-broken", &good);
    let mut stream = connect(following.address());
    let known = login("alice", "secret");
    assert_eq!(status(&mut stream, &known), 200);
    let errors = || following.logged(Level::Error);
    let file = following.file();
    let ways: [(&str, &dyn Fn()); 5] = [
        ("no YAML", &|| following.replace("{")),
        ("an unknown field", &|| following.replace(&(good.clone() + "x: y\n"))),
        ("missing", &|| fs::remove_file(&file).unwrap()),
        ("a folder", &|| fs::create_dir(&file).unwrap()),
        ("an unknown curve", &|| {
            fs::remove_dir(&file).unwrap();
            following.replace("tls_server_config: {curve_preferences: [P9]}\n");
        }),
    ];
    for (number, (way, breaks)) in ways.iter().enumerate() {
        breaks();
        for _ in 0..3 {
            let reply = ask(&mut stream, &request("GET /", &known)).expect("kept");
            assert_eq!((reply.status, reply.body.as_str()), (500, "Internal Server Error\n"), "{way}");
        }
        assert_eq!(errors(), number + 1, "{way} is told once");
        let error = following.server.reload().expect_err(way).to_string();
        assert!(error.starts_with(&*file.to_string_lossy()), "{error}");
    }
    following.replace(&good);
    assert_eq!(status(&mut stream, &known), 200);
    assert_eq!(errors(), ways.len());
    assert_eq!(following.logged(Level::Info), 1, "it is told that the file is good again");
    following.server.reload().expect("mended");
}

#[test]
fn a_file_that_lost_its_users_is_believed_after_a_while() {
    for (name, opened) in [("live-emptied", ""), ("live-opened", "http_server_config: {http2: false}\n")] {
        let following = Following::start(name, &users(&["alice"]));
        let mut stream = connect(following.address());
        let closed = if opened.is_empty() { 500 } else { 401 };
        let start = Instant::now();
        fs::write(following.file(), opened).unwrap();
        let mut statuses = Vec::new();
        while statuses.last() != Some(&200) {
            assert!(start.elapsed() < PATIENCE, "{statuses:?}");
            statuses.push(status(&mut stream, ""));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(
            statuses.len() > 1 && statuses.iter().rev().skip(1).all(|status| *status == closed),
            "{statuses:?}"
        );
        // What is written whole is believed at once, as ever.
        following.replace(&users(&["alice"]));
        assert_eq!(status(&mut stream, ""), 401);
    }
}

#[test]
fn a_file_that_still_changes_is_doubted_longer() {
    let following = Following::start("live-slowly", &users(&["alice"]));
    let mut stream = connect(following.address());
    let start = Instant::now();
    let mut written = start;
    let mut content = "http_server_config: {http2: false}\n".to_owned();
    // Longer than it would be doubted if it stayed the same, shorter than anything is doubted.
    while start.elapsed() < Duration::from_secs(3) {
        content += "# a line more\n";
        fs::write(following.file(), &content).unwrap();
        let status = status(&mut stream, "");
        // Unless the machine stood still for so long.
        let steady = written.elapsed() < Duration::from_secs(1) && start.elapsed() < Duration::from_secs(4);
        assert!(status == 401 || !steady, "{status} after {:?}", start.elapsed());
        written = Instant::now();
        std::thread::sleep(Duration::from_millis(100));
    }
    eventually("it is believed", || status(&mut stream, "") == 200);
}

/// A server with TLS; what it asks of clients follows.
fn encrypted(clients: &str) -> String {
    let (cert, key) = (tls::certs("server.pem"), tls::certs("server.key"));
    format!("tls_server_config:\n  cert_file: {}\n  key_file: {}\n{clients}", cert.display(), key.display())
}

fn verified(policy: &str) -> String {
    format!("  client_auth_type: {policy}\n  client_ca_file: {}\n", tls::certs("ca.pem").display())
}

#[test]
fn a_file_that_asks_less_of_clients_is_believed_after_a_while() {
    let names = "  client_allowed_sans: [scraper.example.org]\n";
    let strict = encrypted(&(verified("RequireAndVerifyClientCert") + names));
    let no_ca = "  client_auth_type: VerifyClientCertIfGiven\n".to_owned() + names;
    let by_names = encrypted(&(verified("VerifyClientCertIfGiven") + names));
    for (name, before, lower, field) in [
        ("live-unasked", &strict, String::new(), "client_auth_type"),
        ("live-any", &strict, verified("RequireAnyClientCert") + names, "client_auth_type"),
        ("live-nameless", &strict, verified("RequireAndVerifyClientCert"), "client_allowed_sans"),
        ("live-distrust", &by_names, no_ca, "client_ca_file"),
    ] {
        let following = Following::start(name, before);
        let warned = following.logged(Level::Warn);
        let visit = || get(&mut tls::client(connect(following.address()), Some("client.pem")));
        let mut kept = tls::client(connect(following.address()), Some("client.pem"));
        assert_eq!(get(&mut kept).expect(name).status, 200);
        // Somebody writes it piece by piece, and is seen at it.
        fs::write(following.file(), encrypted(&lower)).unwrap();
        for _ in 0..3 {
            assert!(visit().is_err(), "{name}: what it says by now is not believed");
        }
        assert_eq!(get(&mut kept).expect("open connections go on").status, 200);
        assert_eq!(following.logged(Level::Error), 1, "{name}: told once");
        assert!(following.server.reload().unwrap_err().to_string().contains(field));
        fs::write(following.file(), before).unwrap();
        assert_eq!(visit().expect("whole again").status, 200, "{name}");
        assert_eq!(following.logged(Level::Warn), warned);
        // Now somebody means it.
        following.replace(&encrypted(&lower));
        let start = Instant::now();
        let mut failures = 0;
        while following.server.reload().is_err() {
            if visit().is_ok() {
                following.server.reload().expect("believed in between");
                break;
            }
            assert!(start.elapsed() < PATIENCE);
            failures += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(failures > 0, "{name}");
        assert_eq!(following.logged(Level::Warn), warned + 1, "{name}: told once");
        // Without a CA nobody can show a good certificate.
        assert_eq!(visit().is_ok(), field != "client_ca_file");
        let page = get(&mut kept).expect("still open");
        let failed = page.sample("scrapeport_tls_handshake_failures_total{reason=\"configuration\"}");
        assert!(failed >= f64::from(failures + 3), "{failed} counted of {failures}");
        // More is asked at once.
        following.replace(before);
        assert_eq!(visit().expect("as before").status, 200, "{name}");
        assert!(get(&mut tls::client(connect(following.address()), None)).is_err());
    }
}

#[test]
fn a_bad_hash_bars_one_user() {
    let following = Following::start("live-hash", &users(&["alice", "bob"]));
    let mut stream = connect(following.address());
    following.replace(&(users(&["alice"]) + "  bob: secret\n"));
    for _ in 0..3 {
        assert_eq!(status(&mut stream, &login("alice", "secret")), 200);
        assert_eq!(status(&mut stream, &login("bob", "secret")), 401);
    }
    assert_eq!(following.logged(Level::Error), 1, "told once");
    // Nor does it open the port if it is the only one.
    following.replace("basic_auth_users: {bob: secret}\n");
    assert_eq!(status(&mut stream, ""), 401);
    assert_eq!(status(&mut stream, &login("bob", "secret")), 401);
}

#[test]
fn a_login_stands_before_everything() {
    let headers =
        "http_server_config:\n  headers:\n    X-Content-Type-Options: nosniff\n    X-Frame-Options: deny\n";
    let following = Following::start("live-everything", &(users(&["alice"]) + headers));
    let address = following.address();
    let known = login("alice", "secret");
    for line in ["GET /", "GET /favicon.ico", "OPTIONS *", "OPTIONS /", "POST /", "DELETE /x", "BREW /pot"] {
        let mut stream = connect(address);
        let denied = ask(&mut stream, &request(line, "")).expect(line);
        assert_eq!((denied.status, denied.body.as_str()), (401, "Unauthorized\n"), "{line}");
        assert!(denied.has("WWW-Authenticate: Basic realm=\"metrics\""), "{}", denied.head);
        assert!(denied.has("Content-Type: text/plain; charset=utf-8"), "{}", denied.head);
        let served = ask(&mut connect(address), &request(line, &known)).expect(line);
        assert_ne!(served.status, 401, "{line}");
        for reply in [denied, served] {
            for field in ["X-Content-Type-Options: nosniff", "X-Frame-Options: deny"] {
                assert_eq!(reply.head.matches(field).count(), 1, "{line}: {}", reply.head);
            }
        }
    }
    // No body follows HEAD: the next response begins at once.
    let mut stream = connect(address);
    stream.write_all(request("HEAD /", "").as_bytes()).unwrap();
    let head = read_head(&mut stream).expect("a head");
    assert!(head.starts_with("HTTP/1.1 401 ") && head.contains("Content-Length: 13\r\n"), "{head}");
    assert_eq!(status(&mut stream, &known), 200);
}

#[test]
fn only_the_first_credentials_count() {
    let following = Following::start("live-first", &users(&["alice"]));
    let (right, wrong) = (login("alice", "secret"), login("alice", "wrong"));
    for (fields, expected) in [
        (format!("{wrong}{right}"), 401),
        (format!("Authorization: Bearer x\r\n{right}"), 401),
        (format!("{right}{wrong}"), 200),
        (right.replace("Basic ", "Basic  "), 401),
        (right.replace("Basic ", "bAsIc "), 200),
        (right.replace("Authorization: ", "AUTHORIZATION:   "), 200),
    ] {
        assert_eq!(status(&mut connect(following.address()), &fields), expected, "{fields}");
    }
}

#[test]
fn the_rate_limit_stands_before_the_login() {
    let limit = |burst: u32| {
        users(&["alice"])
            + &format!("rate_limit: {{interval: 24h, burst: {burst}}}\n")
            + "http_server_config: {headers: {X-Frame-Options: deny}}\n"
    };
    let following = Following::start("live-rate", &limit(3));
    let mut stream = connect(following.address());
    let known = login("alice", "secret");
    let mut next = || ask(&mut stream, &request("GET /", &known)).expect("kept");
    assert_eq!(next().status, 200);
    // A denied request takes a token too.
    assert_eq!(status(&mut connect(following.address()), ""), 401);
    assert_eq!(next().status, 200);
    let reply = next();
    assert_eq!((reply.status, reply.body.as_str()), (429, "Too Many Requests\n"));
    assert!(reply.has("X-Frame-Options: deny"), "{}", reply.head);
    // The bucket is kept as long as its values are, and is a new one, full, when they change.
    following.replace(&(limit(3) + "# changed\n"));
    assert_eq!(next().status, 429);
    following.replace(&limit(2));
    assert_eq!([next().status, next().status, next().status], [200, 200, 429]);
    following.replace(&users(&["alice"]));
    assert!((0..10).all(|_| next().status == 200));
}

#[test]
fn a_server_without_tls_stays_one() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs");
    let following = Following::start("live-plain", &users(&["alice"]));
    assert!(!following.server.uses_tls());
    let mut stream = connect(following.address());
    let pair = |key: &str| {
        let (cert, key) = (data.join("server.pem"), data.join(key));
        format!("tls_server_config:\n  cert_file: {}\n  key_file: {}\n", cert.display(), key.display())
    };
    for key in ["server.key", "nowhere.key"] {
        following.replace(&(users(&["marge"]) + &pair(key)));
        assert_eq!(status(&mut stream, &login("marge", "secret")), 200);
        assert_eq!(status(&mut connect(following.address()), &login("alice", "secret")), 401);
    }
}

/// Ten thousand lines: more than any buffer holds.
static ROWS: CounterFamily<1, 10_000> = CounterFamily::new("app_rows_total", "Rows.", ["row"]);
static LARGE: Registry = Registry::new(&[&ROWS]);

#[test]
fn fields_stand_on_every_kind_of_response() {
    for row in 0..10_000 {
        ROWS.with([row.to_string().as_str()]).inc();
    }
    let folder = temporary("live-kinds");
    fs::create_dir_all(&folder).unwrap();
    let policy = "default-src 'self'; ".repeat(400);
    for policy in ["default-src 'self'", policy.trim_end()] {
        // Short, and longer than a response's buffer.
        let fields = format!("http_server_config:\n  headers:\n    Content-Security-Policy: \"{policy}\"\n");
        fs::write(folder.join("web.yml"), fields).unwrap();
        let builder = Server::builder(&LARGE).web_config_file(folder.join("web.yml")).buffer(4096);
        let (server, thread) = builder.start_on("127.0.0.1:0").expect("a good file");
        let address = server.local_addr().expect("a TCP address");
        let mut stream = connect(address);
        for (line, more, kind) in [
            ("GET /", "", "Transfer-Encoding: chunked"),
            ("GET /", "Accept-Encoding: gzip\r\n", "Transfer-Encoding: chunked"),
            ("GET /?name[]=app_rows_total", "Accept-Encoding: gzip\r\n", "HTTP/1.1 200 OK"),
            ("GET /?name[]=none", "", "HTTP/1.1 200 OK"),
            ("GET /favicon.ico", "", "Content-Length: 0"),
            ("OPTIONS /", "", "Allow: OPTIONS, GET"),
            ("POST /", "", "HTTP/1.1 405 Method Not Allowed"),
        ] {
            let reply = ask(&mut stream, &request(line, more)).expect(line);
            assert!(reply.has(kind), "{line}: {}", reply.head);
            let gzip = reply.has("Content-Encoding: gzip");
            assert!(gzip == (cfg!(feature = "gzip") && more.contains("gzip")), "{line}: {}", reply.head);
            let wanted = format!("\r\nContent-Security-Policy: {policy}\r\n");
            assert_eq!(reply.head.matches(&wanted).count(), 1, "{line}: {}", reply.head);
        }
        server.shutdown();
        thread.join().expect("no panic");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// A hundred faults are as many as are shown: what stands behind them must not count as not there.
#[test]
fn a_hundred_faults_open_no_door() {
    let following = Following::start("live-faults", &users(&["alice"]));
    let mut stream = connect(following.address());
    let suites = "  - TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\n".repeat(100);
    following.replace(&(format!("tls_server_config:\n  cipher_suites:\n{suites}") + &users(&["alice"])));
    assert_eq!(status(&mut stream, ""), 500);
    let bad: String = (0..150).map(|number| format!("  u{number}: bad\n")).collect();
    following.replace(&(users(&["alice"]) + &bad + "unknown: x\n"));
    assert_eq!(status(&mut stream, &login("alice", "secret")), 500);
    // Without the unknown field they bar themselves alone.
    following.replace(&(users(&["alice"]) + &bad));
    assert_eq!(status(&mut stream, &login("alice", "secret")), 200);
    assert_eq!(status(&mut stream, &login("u149", "bad")), 401);
}
