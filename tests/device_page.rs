//! The device page as the program serves it: who gets it, with which header fields, behind a prefix and a login.

#[path = "support/program.rs"]
mod program;
mod support;

use program::Running;
use support::{Reply, ask, connect};

/// What browsers send.
const HTML: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n";

/// The program on a free port.
struct Program(Running);

impl Program {
    fn start(arguments: &[&str]) -> Self {
        Self(Running::start(&[&["--web.listen-address=127.0.0.1:0"], arguments].concat()))
    }

    fn send(&self, request: &str) -> Reply {
        ask(&mut connect(self.0.addresses[0]), request).unwrap()
    }

    fn get(&self, target: &str, fields: &str) -> Reply {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: device\r\n{fields}\r\n"))
    }
}

/// The values of all fields of this name.
fn values<'a>(reply: &'a Reply, name: &str) -> Vec<&'a str> {
    let fields = reply.head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

fn is_page(reply: &Reply) -> bool {
    reply.status == 200
        && values(reply, "Content-Type") == ["text/html; charset=utf-8"]
        && reply.body.starts_with("<!doctype html>")
        && reply.body.ends_with("</script>\n")
}

fn is_metrics(reply: &Reply) -> bool {
    reply.status == 200
        && values(reply, "Vary") == ["Accept, Accept-Encoding"]
        && reply.body.contains("\nscrapeport_build_info{")
}

#[test]
fn a_browser_gets_the_page_and_everyone_else_metrics() {
    let program = Program::start(&[]);
    assert!(is_page(&program.get("/", HTML)));
    for other in [
        "",
        "Accept: */*\r\n",
        "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n",
        "Accept: text/html, text/plain\r\n",
        "Accept: text/plain;version=0.0.4\r\n",
    ] {
        let reply = program.get("/", other);
        assert!(is_metrics(&reply), "{other}: {}", reply.head);
    }
    for target in ["/metrics", "/index.html", "/?name[]=scrapeport_build_info", "//", "/x"] {
        let reply = program.get(target, HTML);
        assert!(is_metrics(&reply), "{target}: {}", reply.head);
    }
    let post = program.send(&format!("POST / HTTP/1.1\r\n{HTML}\r\n"));
    assert_eq!(post.status, 405);
}

#[test]
fn the_page_has_its_fields_once_and_head_gives_them_alone() {
    let program = Program::start(&[]);
    let page = program.get("/", HTML);
    for (name, value) in [
        ("Vary", "Accept"),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Length", &page.body.len().to_string()),
    ] {
        assert_eq!(values(&page, name), [value], "{name}");
    }
    let policy = values(&page, "Content-Security-Policy");
    assert_eq!(policy.len(), 1);
    for part in [
        "default-src 'none'; ",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self'; ",
        "img-src data:; ",
        "base-uri 'none'; ",
        "form-action 'none'; ",
        "frame-ancestors 'none'",
    ] {
        assert!(policy[0].contains(part), "{policy:?}");
    }
    assert!(!policy[0].contains("unsafe"));
    // A body after HEAD would be taken for the answer to the second request.
    let mut stream = connect(program.0.addresses[0]);
    std::io::Write::write_all(&mut stream, format!("HEAD / HTTP/1.1\r\n{HTML}\r\n").as_bytes()).unwrap();
    let head = support::read_head(&mut stream).unwrap();
    let without_date = |head: &str| {
        head.lines().filter(|line| !line.starts_with("Date: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_date(&head), without_date(&page.head));
    assert!(is_metrics(&ask(&mut stream, support::GET).unwrap()));
}

#[test]
fn the_page_stands_at_the_prefix_with_a_slash_behind_it() {
    let program = Program::start(&["--web.external-url=http://proxy.example/device1"]);
    assert!(is_page(&program.get("/device1/", HTML)));
    let moved = program.get("/device1", HTML);
    assert_eq!((moved.status, values(&moved, "Location")), (302, vec!["/device1/"]));
    assert_eq!(values(&moved, "Vary"), ["Accept"]);
    let moved = program.get("/", HTML);
    assert_eq!((moved.status, values(&moved, "Location")), (302, vec!["/device1"]));
    for target in ["/device1", "/device1/", "/device1/metrics"] {
        assert!(is_metrics(&program.get(target, "")), "{target}");
    }
    assert_eq!(program.get("/other", HTML).status, 404);
}

#[test]
fn the_page_asks_at_the_path_of_the_metrics() {
    let program = Program::start(&["--web.telemetry-path=/of/this"]);
    let page = program.get("/", HTML);
    assert!(is_page(&page) && page.body.contains("<a href=\"of/this\">"));
    assert_eq!(program.get("/", "").status, 404);
    assert!(is_metrics(&program.get("/of/this", HTML)));
    let all = Program::start(&["--web.telemetry-path=/"]);
    assert!(is_page(&all.get("/", HTML)) && is_metrics(&all.get("/", "Accept: text/plain\r\n")));
}

#[test]
fn the_page_can_be_switched_off() {
    let program = Program::start(&["--no-web.page", "--web.route-prefix=/x"]);
    for target in ["/x", "/x/", "/x/metrics"] {
        assert!(is_metrics(&program.get(target, HTML)), "{target}");
    }
}

#[cfg(feature = "web-config")]
fn configured(name: &str, text: &str) -> (std::path::PathBuf, Program) {
    let path = support::temporary(name);
    std::fs::write(&path, text).unwrap();
    let program = Program::start(&[&format!("--web.config.file={}", path.display())]);
    (path, program)
}

#[cfg(feature = "web-config")]
#[test]
fn the_page_is_behind_the_login() {
    let hash = "$2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK";
    let (path, program) = configured("page-login.yml", &format!("basic_auth_users:\n  alice: {hash}\n"));
    let refused = program.get("/", HTML);
    assert_eq!((refused.status, refused.body.as_str()), (401, "Unauthorized\n"));
    let wrong = program.get("/", &format!("{HTML}Authorization: Basic YWxpY2U6d3Jvbmc=\r\n"));
    assert_eq!((wrong.status, wrong.body.as_str()), (401, "Unauthorized\n"));
    assert!(is_page(&program.get("/", &format!("{HTML}Authorization: Basic YWxpY2U6c2VjcmV0\r\n"))));
    std::fs::remove_file(path).unwrap();
}

#[cfg(feature = "web-config")]
#[test]
fn fields_of_the_configuration_stand_instead_of_the_page_s_own() {
    let (path, program) = configured(
        "page-fields.yml",
        "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n    \
         X-Content-Type-Options: nosniff\n    X-Frame-Options: deny\n",
    );
    let page = program.get("/", HTML);
    assert!(is_page(&page));
    for (name, value) in [
        ("Content-Security-Policy", "default-src 'self'"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "deny"),
        ("Referrer-Policy", "no-referrer"),
    ] {
        assert_eq!(values(&page, name), [value], "{name}");
    }
    std::fs::remove_file(path).unwrap();
}
