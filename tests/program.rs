//! The program as a user meets it: its flags, its log, its signals.

#[path = "support/program.rs"]
mod support;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, PROGRAM, Running, get, run, text, value};

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("scrapeport-program-{}-{name}", std::process::id()))
}

#[test]
fn help_and_version_go_to_standard_output() {
    for flag in ["--help", "-h"] {
        let output = run(&[flag]);
        assert!(output.status.success() && output.stderr.is_empty());
        let help = text(&output.stdout);
        for part in [
            "Usage: scrapeport",
            "--web.listen-address=ADDRESS",
            "--log.level=LEVEL",
            "--web.config.file=FILE",
            "--web.external-url=URL",
            "--web.route-prefix=PATH",
            "--[no-]web.enable-lifecycle",
            "scrapeport check web-config FILE...",
            "scrapeport hash-password",
            "-V, --version",
            ":9100",
        ] {
            assert!(help.contains(part), "{part} is not in {help}");
        }
    }
    for flag in ["--version", "-V"] {
        let output = run(&[flag]);
        assert!(output.status.success() && output.stderr.is_empty());
        let wanted = format!("scrapeport {} (", env!("CARGO_PKG_VERSION"));
        assert!(text(&output.stdout).starts_with(&wanted) && text(&output.stdout).ends_with(")\n"));
    }
}

/// One line on standard error, status 1, nothing else.
fn assert_usage(arguments: &[&str], expected: &str) {
    let output = run(arguments);
    assert_eq!(text(&output.stderr), format!("scrapeport: error: {expected}, try --help\n"));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_wrong_flag_is_one_line_and_status_1() {
    for (arguments, expected) in [
        (
            &["--web.listen-adress=:1"][..],
            "unknown flag --web.listen-adress (did you mean --web.listen-address?)",
        ),
        (&["--nonsense"], "unknown flag --nonsense"),
        (&["--log.level=loud"], "--log.level=loud: must be debug, info, warn or error"),
        (&["--web.listen-address"], "--web.listen-address needs a value: --web.listen-address=ADDRESS"),
        (&["serve"], "unknown command 'serve'"),
        (&["--log.level=info", "serve"], "unexpected argument 'serve': there are only flags"),
        (&["--web.config.file=", "--web.config.file", ""], "flag 'web.config.file' cannot be repeated"),
        (&["--web.external-url=http:///x"], "--web.external-url=http:///x: names no host"),
        (&["--web.route-prefix=\"/x\""], "--web.route-prefix=\"/x\": must not begin or end with quotes"),
        (&["--web.enable-lifecycle=no"], "--web.enable-lifecycle takes no value, but got 'no'"),
        (
            &["@/no/such/file"],
            "cannot read the file of arguments '/no/such/file': No such file or directory (os error 2)",
        ),
    ] {
        assert_usage(arguments, expected);
    }
}

#[test]
fn an_address_that_cannot_be_is_one_line_and_status_1() {
    for address in [":99999", "9100", ":", "http://x:1", "unix:"] {
        let output = run(&[&format!("--web.listen-address={address}")]);
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(
            line.starts_with("scrapeport: error: ")
                && line.ends_with(", try --help\n")
                && line.contains(address),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[cfg(feature = "web-config")]
#[test]
fn check_names_what_it_cannot_check_and_exits_with_1() {
    let file = scratch("good.yml");
    std::fs::write(&file, "").unwrap();
    let good = file.to_str().unwrap();
    for (arguments, expected) in [
        (&["check"][..], "check needs to know what: check web-config FILE..."),
        (&["check", "web-config"], "check web-config needs at least one FILE"),
        (&["check", "web-config", good, "/no/such"], "path '/no/such' does not exist"),
        (&["check", "web-config", good, "/"], "path '/' is a directory"),
        (&["check", "web-config", ""], "path '' does not exist"),
        (&["check", "web-config", "a\nb"], "path 'a\\nb' does not exist"),
        (&["check", "web-config", "--nonsense", good], "unknown flag --nonsense"),
        (&["check", "config", good], "cannot check 'config' (did you mean web-config?)"),
    ] {
        assert_usage(arguments, expected);
    }
    std::fs::remove_file(file).unwrap();
}

#[cfg(feature = "web-config")]
#[test]
fn commands_have_help() {
    for (arguments, part) in [
        (&["check", "--help"][..], "scrapeport check web-config FILE..."),
        (&["check", "web-config", "-h"], "scrapeport check web-config FILE..."),
        (&["help", "check"], "scrapeport check web-config FILE..."),
        (&["hash-password", "--help"], "--cost=N"),
        (&["help", "hash-password"], "--user=NAME"),
        (&["help"], "--web.listen-address=ADDRESS"),
    ] {
        let output = run(arguments);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(text(&output.stdout).contains(part), "{output:?}");
    }
    for (arguments, expected) in [
        (&["hash-password", "--cost=3"][..], "--cost=3: must be a number from 4 to 31"),
        (
            &["hash-password", "secret"],
            "unexpected argument: the password is asked for or read from standard input",
        ),
    ] {
        assert_usage(arguments, expected);
    }
}

#[cfg(not(feature = "web-config"))]
#[test]
fn a_program_without_web_configuration_says_so() {
    for arguments in
        [&["check", "web-config", "/"][..], &["hash-password"], &["--web.config.file=/etc/web.yml"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1));
        let line = text(&output.stderr);
        assert!(line.starts_with("scrapeport: error: ") && line.contains("was built without"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_stops_the_start_before_anything_listens() {
    let missing = run(&["--web.listen-address=127.0.0.1:0", "--web.config.file=/no/such/web.yml"]);
    assert_eq!(missing.status.code(), Some(1));
    let log = text(&missing.stderr);
    assert!(log.contains("/no/such/web.yml") && log.lines().count() == 1, "{log}");
    // Empty is none.
    let running = Running::start(&["--web.listen-address=127.0.0.1:0", "--web.config.file="]);
    get(TcpStream::connect(running.addresses[0]).unwrap());
}

#[test]
fn arguments_may_stand_in_a_file() {
    let path = scratch("arguments");
    std::fs::write(&path, "# where\n--web.route-prefix=/from/file\r\n\n--log.level\ndebug\n").unwrap();
    let at = format!("@{}", path.display());
    let running = Running::start(&["--web.listen-address=127.0.0.1:0", &at]);
    let answer = ask(running.addresses[0], "GET /from/file/-/ready HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    std::fs::remove_file(path).unwrap();
}

/// Everything that comes back for these bytes until the server has no more to say.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    text(&answer).to_string()
}

fn without_date(answer: &str) -> String {
    answer.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

#[test]
fn everything_is_below_the_prefix() {
    let served = [
        "/prometheus",
        "/prometheus/",
        "/prometheus/metrics",
        "/prometheus/anything/else",
        "//prometheus",
        "//prometheus//metrics",
        "/prometheus/./metrics",
        "/x/../prometheus/metrics",
        "/%70rometheus/metrics",
        "/prometheus?x",
        "http://h/prometheus/metrics",
        "http://h:9100/prometheus",
    ];
    let not_found = [
        "/metrics",
        "/prometheusx",
        "/prometheusx/metrics",
        "/prometheus/../x",
        "/prometheus/%2e%2e/x",
        "/prometheus%2Fmetrics",
        "/Prometheus/metrics",
        "/x/prometheus",
        "/x?/prometheus",
        "/favicon.ico",
        "/-/healthy",
        "http://h/metrics",
        "*",
        "prometheus",
    ];
    for flags in [
        &["--web.external-url=https://example.org/prometheus/"][..],
        &["--web.route-prefix=prometheus/"],
        &["--web.external-url=http://h/other", "--web.route-prefix=/prometheus"],
    ] {
        let running = Running::start(&[&["--web.listen-address=127.0.0.1:0"], flags].concat());
        running.log_until("everything is below /prometheus");
        let address = running.addresses[0];
        let get = |target: &str| ask(address, &format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        for target in served {
            let answer = get(target);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{target}: {answer}");
            assert!(answer.contains("\nscrapeport_build_info{"), "{target}: {answer}");
        }
        for target in not_found {
            assert_eq!(
                without_date(&get(target)),
                "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 118\r\n\r\n\
                 # HTTP 404 Not Found: nothing is served at this path; everything is below /prometheus, \
                 metrics at /prometheus/metrics\n",
                "{target}"
            );
        }
        for target in ["/", "//", "/?next=//evil.example%0d%0aX:y", "http://evil.example/", "/prometheus/.."]
        {
            assert_eq!(
                without_date(&get(target)),
                "HTTP/1.1 302 Found\r\nContent-Type: text/plain; charset=utf-8\r\nLocation: /prometheus\r\n\
                 Content-Length: 69\r\n\r\n\
                 # HTTP 302 Found: everything is below /prometheus; go to /prometheus\n",
                "{target}"
            );
        }
        let filtered = get("/prometheus/metrics?name[]=scrapeport_build_info");
        assert!(filtered.contains("scrapeport_build_info{") && !filtered.contains("process_"), "{filtered}");
        assert_eq!(
            without_date(&get("/prometheus/favicon.ico")),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        );
        for (request, expected) in [
            ("OPTIONS * HTTP/1.1", "HTTP/1.1 200 OK\r\nAllow: OPTIONS, GET\r\n"),
            ("OPTIONS /prometheus HTTP/1.1", "HTTP/1.1 200 OK\r\nAllow: OPTIONS, GET\r\n"),
            ("POST /prometheus/metrics HTTP/1.1", "HTTP/1.1 405 Method Not Allowed\r\n"),
            ("HEAD /prometheus/metrics HTTP/1.1", "HTTP/1.1 405 Method Not Allowed\r\n"),
            ("POST /metrics HTTP/1.1", "HTTP/1.1 404 Not Found\r\n"),
            ("POST / HTTP/1.1", "HTTP/1.1 404 Not Found\r\n"),
        ] {
            let answer = without_date(&ask(address, &format!("{request}\r\nHost: h\r\n\r\n")));
            assert!(answer.starts_with(expected), "{request}: {answer}");
        }
        let head = ask(address, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(!head.contains('#') && head.contains("Content-Length: 69") && head.contains("404"), "{head}");
    }
}

#[test]
fn health_is_told_without_any_flag_and_below_the_prefix() {
    for (flags, prefix) in [(&[][..], ""), (&["--web.route-prefix=/a/b"], "/a/b")] {
        let running = Running::start(&[&["--web.listen-address=127.0.0.1:0"], flags].concat());
        let address = running.addresses[0];
        for (page, body) in [("healthy", "scrapeport is healthy.\n"), ("ready", "scrapeport is ready.\n")] {
            let request = |method: &str| {
                without_date(&ask(
                    address,
                    &format!("{method} {prefix}/-/{page} HTTP/1.1\r\nHost: h\r\n\r\n"),
                ))
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            assert_eq!(request("GET"), format!("{head}{body}"));
            assert_eq!(request("HEAD"), head);
            for method in ["POST", "OPTIONS"] {
                let answer = request(method);
                assert!(
                    answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nAllow: GET, HEAD\r\n"),
                    "{answer}"
                );
            }
        }
    }
}

#[test]
fn the_lifecycle_is_forbidden_without_its_flag() {
    for flags in [&[][..], &["--no-web.enable-lifecycle"]] {
        let mut running = Running::start(&[&["--web.listen-address=127.0.0.1:0"], flags].concat());
        let address = running.addresses[0];
        for page in ["reload", "quit"] {
            for method in ["POST", "PUT"] {
                let answer =
                    ask(address, &format!("{method} /-/{page} HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
                assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
                assert!(answer.ends_with(
                    "\r\n\r\n# HTTP 403 Forbidden: Lifecycle API is not enabled.; \
                     start the program with --web.enable-lifecycle\n"
                ));
            }
            let answer = ask(address, &format!("GET /-/{page} HTTP/1.1\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
            assert!(answer.contains("\r\nAllow: POST, PUT\r\n"), "{answer}");
            assert!(answer.contains("Only POST or PUT requests allowed"), "{answer}");
        }
        assert!(running.child.try_wait().unwrap().is_none());
    }
}

#[test]
fn reload_is_answered_and_logged() {
    let running = Running::start(&["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"]);
    for method in ["POST", "PUT"] {
        let answer = ask(running.addresses[0], &format!("{method} /-/reload HTTP/1.1\r\n\r\n"));
        assert_eq!(without_date(&answer), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        running.log_until("POST /-/reload: reloaded");
    }
    get(TcpStream::connect(running.addresses[0]).unwrap());
}

/// The whole program is behind the login, and everything carries the file's fields.
#[cfg(feature = "web-config")]
#[test]
fn a_login_stands_before_health_lifecycle_and_what_is_not_there() {
    let file = scratch("login.yml");
    // Of "secret"; the request has "alice:secret".
    let users = "basic_auth_users:\n  alice: $2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK\n\
         http_server_config:\n  headers:\n    X-Frame-Options: deny\n";
    std::fs::write(&file, users).unwrap();
    let flag = format!("--web.config.file={}", file.display());
    let mut running = Running::start(&[
        "--web.listen-address=127.0.0.1:0",
        "--web.enable-lifecycle",
        "--web.route-prefix=/p",
        &flag,
    ]);
    let address = running.addresses[0];
    for (line, status) in [
        ("GET /p/metrics", "200"),
        ("GET /p/-/healthy", "200"),
        ("HEAD /p/-/ready", "200"),
        ("OPTIONS *", "200"),
        ("GET /p/favicon.ico", "200"),
        ("GET /", "302"),
        ("GET /nowhere", "404"),
        ("POST /p/metrics", "405"),
        ("GET /p/-/reload", "405"),
        ("POST /p/-/reload", "200"),
        ("POST /p/-/quit", "200"),
    ] {
        for (login, expected) in [("", "401"), ("Authorization: Basic YWxpY2U6c2VjcmV0\r\n", status)] {
            let answer = ask(address, &format!("{line} HTTP/1.1\r\nHost: h\r\n{login}\r\n"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{line}: {answer}");
            assert_eq!(answer.matches("\r\nX-Frame-Options: deny\r\n").count(), 1, "{line}: {answer}");
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            let denied = if line.starts_with("HEAD") { "" } else { "Unauthorized\n" };
            assert!(expected != "401" || body == denied, "{line}: {answer}");
        }
    }
    assert_eq!(running.end().code(), Some(0));
    std::fs::remove_file(file).unwrap();
}

/// By HTTP a file that has broken cannot be asked about, as nobody is let in; a bad hash concerns one user only.
#[cfg(feature = "web-config")]
#[test]
fn a_reload_says_what_is_wrong() {
    let file = scratch("reload.yml");
    std::fs::write(&file, "").unwrap();
    let flag = format!("--web.config.file={}", file.display());
    let running = Running::start(&["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle", &flag]);
    let post = || ask(running.addresses[0], "POST /-/reload HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(post().starts_with("HTTP/1.1 200 "));
    std::fs::write(&file, "basic_auth_user: {}\n").unwrap();
    running.signal(Signal::HUP);
    let line = running.log_until("SIGHUP: failed to reload config: ");
    assert!(line.contains("reload.yml") && line.contains("basic_auth_user"), "{line}");
    let answer = post();
    assert!(
        answer.starts_with("HTTP/1.1 500 ") && answer.ends_with("\r\n\r\nInternal Server Error\n"),
        "{answer}"
    );
    std::fs::remove_file(&file).unwrap();
    running.signal(Signal::HUP);
    let line = running.log_until("SIGHUP: failed to reload config: ");
    assert!(line.contains("No such file or directory"), "{line}");
    std::fs::write(&file, "# good\n").unwrap();
    running.signal(Signal::HUP);
    running.log_until("SIGHUP: reloaded");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn quit_is_answered_and_ends_the_program_with_status_0() {
    for (method, body) in [("POST", ""), ("PUT", "x=y")] {
        let mut running = Running::start(&["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"]);
        let idle = TcpStream::connect(running.addresses[0]).unwrap();
        // The client does not close its side first, so the answer must come through before the end.
        let mut stream = TcpStream::connect(running.addresses[0]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(stream, "{method} /-/quit HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(
            without_date(&answer),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
             Content-Length: 34\r\n\r\nRequesting termination... Goodbye!"
        );
        assert_eq!(running.end().code(), Some(0));
        running.log_until("POST /-/quit");
        running.log_until("stopped");
        drop(idle);
    }
}

#[test]
fn a_busy_port_is_one_line_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // The free address before it must not keep the program alive.
    let output = run(&["--web.listen-address=127.0.0.1:0", &format!("--web.listen-address={address}")]);
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(line.starts_with(&format!("level=error msg=\"cannot listen on {address}: ")), "{line}");
    assert!(line.contains("stop the other program") && line.lines().count() == 1, "{line}");
}

#[test]
fn the_page_holds_the_process_the_build_and_the_server() {
    let running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
    let page = get(TcpStream::connect(running.addresses[0]).unwrap());
    for sample in ["process_resident_memory_bytes", "process_threads", "process_open_fds", "process_max_fds"]
    {
        assert!(value(&page, sample) >= 1.0, "{sample}");
    }
    let build = page.lines().find(|line| line.starts_with("scrapeport_build_info{")).unwrap();
    assert!(build.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))), "{build}");
    assert!(
        build.contains(&format!("arch=\"{}\"", std::env::consts::ARCH)) && build.ends_with("} 1"),
        "{build}"
    );
    assert!(page.contains("# TYPE process_cpu_seconds_total counter\n"));
    assert!(page.contains("# TYPE scrapeport_"), "the server's own metrics");
}

#[test]
fn the_process_is_described_as_the_kernel_does() {
    let mut running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
    let page = get(TcpStream::connect(running.addresses[0]).unwrap());
    let proc = PathBuf::from(format!("/proc/{}", running.child.id()));
    let status = std::fs::read_to_string(proc.join("status")).unwrap();
    let field = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    };
    assert_eq!(value(&page, "process_threads"), field("Threads:"));
    assert_eq!(value(&page, "process_virtual_memory_bytes"), field("VmSize:") * 1024.0);
    let resident = value(&page, "process_resident_memory_bytes") / (field("VmRSS:") * 1024.0);
    assert!((0.5..2.0).contains(&resident), "{resident}");
    // While the page was made, its own connection was open.
    let descriptors = std::fs::read_dir(proc.join("fd")).unwrap().count() as f64;
    let told = value(&page, "process_open_fds");
    assert!(told == descriptors || told == descriptors + 1.0, "{told} {descriptors}");
    let limits = std::fs::read_to_string(proc.join("limits")).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(value(&page, "process_max_fds"), limit.split_whitespace().nth(3).unwrap().parse().unwrap());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - value(&page, "process_start_time_seconds");
    assert!((-1.1..60.0).contains(&age), "{age}");
    running.signal(Signal::TERM);
    assert!(running.end().success());
}

#[test]
fn several_addresses_are_served_and_told() {
    let path = scratch("several.sock");
    let unix = format!("--web.listen-address=unix:{}", path.display());
    let running =
        Running::start(&["--web.listen-address=127.0.0.1:0", "--web.listen-address", "127.0.0.1:0", &unix]);
    assert_eq!(running.addresses.len(), 2);
    for address in &running.addresses {
        assert_ne!(address.port(), 0);
        get(TcpStream::connect(address).unwrap());
    }
    get(UnixStream::connect(path).unwrap());
}

#[test]
fn the_log_level_is_obeyed() {
    let path = scratch("level.sock");
    let mut child = Command::new(PROGRAM)
        .arg(format!("--web.listen-address=unix:{}", path.display()))
        .arg("--log.level=error")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    get(connect_when_ready(&path));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(log, "");
}

fn connect_when_ready(path: &PathBuf) -> UnixStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn sigterm_and_sigint_end_it_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
        // Idle connections do not hold it up.
        let idle = TcpStream::connect(running.addresses[0]).unwrap();
        let begun = Instant::now();
        running.signal(signal);
        assert_eq!(running.end().code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        running.log_until("stopped");
        drop(idle);
    }
}

#[test]
fn sighup_is_survived() {
    let running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
    for _ in 0..3 {
        running.signal(Signal::HUP);
        running.log_until("SIGHUP: reloaded");
    }
    get(TcpStream::connect(running.addresses[0]).unwrap());
}

/// A client that asks for more pages than fit into all buffers and reads none: the server is in the middle of one.
fn clogged(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(4_000)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while value(&get(TcpStream::connect(address).unwrap()), "scrapeport_http_connections{state=\"writing\"}")
        < 1.0
    {
        assert!(Instant::now() < deadline, "the server writes on");
        thread::sleep(Duration::from_millis(20));
    }
    stream
}

#[test]
fn a_running_response_is_finished() {
    // Without collectors pages are short, so that each says its length.
    let mut running = Running::start(&["--web.listen-address=127.0.0.1:0", "--collector.disable-defaults"]);
    let mut stream = clogged(running.addresses[0]);
    running.signal(Signal::TERM);
    running.log_until("stopping");
    let noted = Instant::now();
    while TcpStream::connect(running.addresses[0]).is_ok() {
        assert!(noted.elapsed() < Duration::from_secs(1), "the port is free at once");
    }
    assert!(running.child.try_wait().unwrap().is_none());

    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    drop(stream);
    assert_eq!(running.end().code(), Some(0));
    let mut rest = text(&bytes);
    let mut count = 0;
    while !rest.is_empty() {
        let (head, body) = rest.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        let length =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        assert!(body.len() >= length, "response {count} is cut off");
        rest = &body[length..];
        count += 1;
    }
    assert!(count > 1);
}

#[test]
fn a_second_signal_ends_it_at_once_with_status_1() {
    let mut running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
    let stream = clogged(running.addresses[0]);
    running.signal(Signal::TERM);
    running.log_until("stopping");
    thread::sleep(Duration::from_millis(100));
    assert!(running.child.try_wait().unwrap().is_none(), "the response is still running");
    running.signal(Signal::INT);
    assert_eq!(running.end().code(), Some(1));
    drop(stream);
}

#[test]
fn closed_outputs_are_no_reason_to_panic() {
    let shell = |script: &str, argument: &OsStr| {
        Command::new("sh").args(["-c", script, PROGRAM]).arg(argument).output().unwrap()
    };
    // Standard output closed; closed by a reader that has seen enough; a full disk.
    for (script, status) in [
        ("\"$0\" --help >&-; exit $?", 0),
        ("\"$0\" --help 2>&1 | true", 0),
        ("\"$0\" --version >/dev/full; exit $?", 1),
        ("\"$0\" --nonsense 2>&-; exit $?", 1),
        ("\"$0\" --nonsense 2>/dev/full; exit $?", 1),
    ] {
        let output = shell(script, OsStr::new(""));
        assert_eq!(output.status.code(), Some(status), "{script}: {output:?}");
        assert!(!text(&output.stderr).contains("panicked"), "{script}: {output:?}");
    }
    for (name, redirection) in [("closed", "2>&-"), ("full", "2>/dev/full")] {
        let path = scratch(&format!("{name}.sock"));
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec \"$0\" --log.level=debug \"$1\" {redirection}"), PROGRAM])
            .arg(format!("--web.listen-address=unix:{}", path.display()))
            .spawn()
            .unwrap();
        get(connect_when_ready(&path));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
    }
}

#[test]
fn scrapes_do_not_leak_descriptors_or_memory() {
    let running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
    let scrape = || get(TcpStream::connect(running.addresses[0]).unwrap());
    for _ in 0..50 {
        scrape();
    }
    let before = scrape();
    let kept = settled(&running);
    for _ in 0..500 {
        scrape();
    }
    let after = scrape();
    for sample in ["process_threads", "process_virtual_memory_bytes", "process_start_time_seconds"] {
        assert_eq!(value(&before, sample), value(&after, sample), "{sample}");
    }
    // A connection that is being closed may still be open.
    assert!((value(&before, "process_open_fds") - value(&after, "process_open_fds")).abs() <= 2.0);
    let grown = settled(&running).saturating_sub(kept);
    assert!(grown < 64, "{grown} kB");
}

/// What is left of it when it has given back what it does not need.
fn settled(running: &Running) -> usize {
    let begin = Instant::now();
    let mut last = anonymous(running);
    loop {
        assert!(begin.elapsed() < PATIENCE, "{last} kB, and still changing");
        thread::sleep(Duration::from_millis(400));
        let now = anonymous(running);
        if now == last {
            return now;
        }
        last = now;
    }
}

/// Kilobytes of its memory that are resident and no file's.
fn anonymous(running: &Running) -> usize {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", running.child.id())).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_only_a_scrape_needs_is_given_back_between_scrapes() {
    let running = Running::start(&["--web.listen-address=127.0.0.1:0"]);
    let scrape = || {
        let mut client = TcpStream::connect(running.addresses[0]).unwrap();
        client
            .write_all(
                b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
            )
            .unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    };
    // The compressor alone has more than this; without one it is stacks and buffers.
    const MUCH: usize = if cfg!(feature = "gzip") { 150 } else { 50 };
    let mut most = 0;
    for round in 0..3 {
        let busy = AtomicBool::new(true);
        thread::scope(|scope| {
            let scraper = scope.spawn(|| {
                while busy.load(Ordering::SeqCst) {
                    scrape();
                }
            });
            for _ in 0..20 {
                most = most.max(anonymous(&running));
                thread::sleep(Duration::from_millis(5));
            }
            busy.store(false, Ordering::SeqCst);
            scraper.join().unwrap();
        });
        let begin = Instant::now();
        while anonymous(&running) + MUCH > most {
            assert!(begin.elapsed() < PATIENCE, "round {round}: {most} kB, and now {}", anonymous(&running));
            thread::sleep(Duration::from_millis(5));
        }
    }
}
