//! What the program serves at which path: health and lifecycle beside the metrics, all of it below one prefix.
//!
//! The paths and the sentences are those of Prometheus. Nothing but reload, quit and the device page
//! takes memory, as long as they are answered.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::boxed::Box;
use std::format;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::engine::node::Engine;
use super::page::{self, DevicePage};
use super::prefix::{Place, Prefix};
use super::reload::Reload;
use crate::escaped::write_visible;
use crate::http::answer::{decoded, query};
use crate::http::route::{Asked, Document, Route, Routes, TEXT, Turn, error_body};

/// The paths of the program.
pub(super) struct Paths {
    prefix: Prefix,
    with_slash: String,
    lifecycle: Option<Lifecycle>,
    /// The device page, if browsers get it.
    page: Option<DevicePage>,
    /// Where the metrics are below the prefix, without slash, if nowhere else.
    telemetry: Option<Vec<u8>>,
    /// What knows which collectors a query may name.
    engine: Option<&'static Engine>,
    running: AtomicUsize,
    most: usize,
    bodies: Bodies,
}

/// What `/-/reload` and `/-/quit` do.
pub(super) struct Lifecycle {
    reload: Arc<Reload>,
    quit: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    quitting: AtomicBool,
}

impl Lifecycle {
    /// `quit` makes the program end once the responses under way are finished; it is called once.
    pub(super) fn new(
        reload: Arc<Reload>,
        quit: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { reload, quit: Box::new(quit), quitting: AtomicBool::new(false) }
    }
}

/// The errors that do not depend on the request.
struct Bodies {
    /// Below no prefix.
    outside: Vec<u8>,
    redirect: Vec<u8>,
    /// To the device page, whose links are relative.
    slash: Vec<u8>,
    disabled: Vec<u8>,
    only_post: Vec<u8>,
    only_get: Vec<u8>,
    /// At a path where the metrics are not.
    elsewhere: Vec<u8>,
    busy: Vec<u8>,
}

/// What is below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Metrics,
    Favicon,
    Healthy,
    Ready,
    Reload,
    Quit,
}

impl Page {
    fn at(rest: Option<&[u8]>) -> Self {
        const PAGES: [(&[u8], Page); 5] = [
            (b"favicon.ico", Page::Favicon),
            (b"-/healthy", Page::Healthy),
            (b"-/ready", Page::Ready),
            (b"-/reload", Page::Reload),
            (b"-/quit", Page::Quit),
        ];
        let Some(rest) = rest else { return Self::Metrics };
        let page = PAGES.iter().find(|(path, _)| decoded(rest).eq(path.iter().copied()));
        page.map_or(Self::Metrics, |(_, page)| *page)
    }
}

const HEALTHY: &[u8] = b"scrapeport is healthy.\n";
const READY: &[u8] = b"scrapeport is ready.\n";
const GOODBYE: &[u8] = b"Requesting termination... Goodbye!";
const ALREADY: &[u8] = b"Termination already in progress.";

impl Paths {
    /// Without a lifecycle `/-/reload` and `/-/quit` are forbidden.
    pub(super) fn new(prefix: Prefix, lifecycle: Option<Lifecycle>) -> Self {
        let path = prefix.path();
        let with_slash = below(path, "");
        let bodies = Bodies {
            outside: error_body(
                404,
                "nothing is served at this path",
                &format!("everything is below {path}, metrics at {}", below(path, "metrics")),
            ),
            redirect: error_body(302, &format!("everything is below {path}"), &format!("go to {path}")),
            slash: error_body(
                302,
                &format!("the page of this device is at {with_slash}"),
                &format!("go to {with_slash}"),
            ),
            disabled: error_body(
                403,
                "Lifecycle API is not enabled.",
                "start the program with --web.enable-lifecycle",
            ),
            only_post: error_body(405, "Only POST or PUT requests allowed", "use POST or PUT"),
            only_get: error_body(405, "Only GET or HEAD requests allowed", "use GET or HEAD"),
            elsewhere: Vec::new(),
            busy: Vec::new(),
        };
        let (telemetry, running) = (None, AtomicUsize::new(0));
        Self {
            prefix,
            with_slash,
            lifecycle,
            page: None,
            telemetry,
            engine: None,
            running,
            most: usize::MAX,
            bodies,
        }
    }

    /// The same with metrics at one path only.
    pub(super) fn metrics_at(mut self, path: Option<&str>) -> Self {
        if let Some(path) = path {
            let name = path.trim_start_matches('/');
            let hint = format!("metrics are at {}", below(self.prefix.path(), name));
            self.bodies.elsewhere = error_body(404, "nothing is served at this path", &hint);
            self.telemetry = Some(name.into());
        }
        self
    }

    /// The same for the collectors of an engine, with so many scrapes at once.
    pub(super) fn of_engine(mut self, engine: &'static Engine, most: usize) -> Self {
        let detail = format!("limit of concurrent requests reached ({most})");
        self.bodies.busy = error_body(503, &detail, "try again later, or raise --web.max-requests");
        (self.engine, self.most) = (Some(engine), most);
        self
    }

    /// The same with the device page for browsers at the top.
    pub(super) fn with_page(mut self, wanted: bool) -> Self {
        self.page = wanted.then(|| DevicePage::new(self.telemetry.as_deref()));
        self
    }

    /// What is served at the prefix itself.
    fn top(&self, asked: &Asked<'_>, slash: bool) -> Route<'_> {
        // Whoever asks for some of the metrics, wants metrics.
        let wants = asked.prefers_html && query(asked.target).is_empty();
        match &self.page {
            Some(page) if wants && matches!(asked.method, b"GET" | b"HEAD") => Route::Document(if slash {
                page.document()
            } else {
                Document::error(302, &self.bodies.slash[..]).at(&self.with_slash).with_fields(page::VARIES)
            }),
            _ => self.metrics(asked.method, asked.target, None),
        }
    }

    /// The metrics, if they are at this path and its query can be followed.
    fn metrics(&self, method: &[u8], target: &[u8], rest: Option<&[u8]>) -> Route<'_> {
        if let Some(path) = &self.telemetry {
            if !decoded(rest.unwrap_or_default()).eq(path.iter().copied()) {
                return Route::Document(Document::error(404, &self.bodies.elsewhere[..]));
            }
        }
        let Some(engine) = self.engine.filter(|_| method == b"GET") else { return Route::Metrics };
        match engine.selection(query(target)) {
            Ok(_) => Route::Metrics,
            Err(problem) => {
                let hint = "see the list of collectors in --help";
                Route::Document(Document::error(400, error_body(400, &problem, hint)))
            }
        }
    }

    fn page(&self, method: &[u8], page: Page) -> Route<'_> {
        let reads = matches!(method, b"GET" | b"HEAD");
        let writes = matches!(method, b"POST" | b"PUT");
        Route::Document(match page {
            // Without a prefix the method table knows the favicon, in more spellings.
            Page::Favicon if method == b"GET" && !self.prefix.is_root() => Document::new(200, "", &b""[..]),
            Page::Metrics | Page::Favicon => return Route::Metrics,
            Page::Healthy if reads => Document::new(200, TEXT, HEALTHY),
            Page::Ready if reads => Document::new(200, TEXT, READY),
            Page::Healthy | Page::Ready => {
                Document::error(405, &self.bodies.only_get[..]).allowing("GET, HEAD")
            }
            Page::Reload | Page::Quit if !writes => {
                Document::error(405, &self.bodies.only_post[..]).allowing("POST, PUT")
            }
            Page::Reload | Page::Quit => match &self.lifecycle {
                None => Document::error(403, &self.bodies.disabled[..]),
                Some(lifecycle) if page == Page::Reload => lifecycle.reload(),
                Some(lifecycle) => lifecycle.quit(),
            },
        })
    }
}

impl Routes for Paths {
    fn route(&self, asked: &Asked<'_>) -> Route<'_> {
        let Asked { method, target, .. } = *asked;
        match self.prefix.locate(target) {
            // It asks about the server, not about a path (RFC 9110 §9.3.7).
            _ if target == b"*" && method == b"OPTIONS" => Route::Metrics,
            Place::Top { slash } => self.top(asked, slash),
            Place::Below(rest) => match Page::at(rest) {
                Page::Metrics => self.metrics(method, target, rest),
                page => self.page(method, page),
            },
            Place::Root if matches!(method, b"GET" | b"HEAD") => {
                Route::Document(Document::error(302, &self.bodies.redirect[..]).at(self.prefix.path()))
            }
            Place::Root | Place::Outside => Route::Document(Document::error(404, &self.bodies.outside[..])),
        }
    }

    fn begin_scrape(&self) -> Result<Turn<'_>, Document<'_>> {
        let busy = || Document::error(503, &self.bodies.busy[..]);
        Turn::take(&self.running, self.most).ok_or_else(busy)
    }

    fn rest(&self) {
        if let Some(engine) = self.engine {
            engine.rest();
        }
    }
}

impl Lifecycle {
    fn reload(&self) -> Document<'static> {
        match self.reload.run("POST /-/reload") {
            Ok(()) => Document::new(200, "", &b""[..]),
            Err(error) => failure(&format!("failed to reload config: {error}"), "see the log"),
        }
    }

    fn quit(&self) -> Document<'static> {
        if self.quitting.swap(true, Ordering::SeqCst) {
            return Document::new(200, TEXT, ALREADY).closing();
        }
        log::info!("POST /-/quit: termination requested");
        match (self.quit)() {
            // The server waits for responses under way, and this is one.
            Ok(()) => Document::new(200, TEXT, GOODBYE).closing(),
            Err(error) => {
                self.quitting.store(false, Ordering::SeqCst);
                log::error!("POST /-/quit: {error}");
                failure(&error, "send SIGTERM")
            }
        }
    }
}

/// A 500. The reason may name anything, so it is kept to one line and a bounded length.
fn failure(detail: &str, hint: &str) -> Document<'static> {
    const LONGEST: usize = 1_000;
    let mut line = String::new();
    for character in detail.chars() {
        if line.len() >= LONGEST {
            line.push_str("...");
            break;
        }
        let _ = write_visible(&mut line, character);
    }
    Document::error(500, error_body(500, &line, hint))
}

/// A path below a prefix, which may be `/`.
fn below(prefix: &str, name: &str) -> String {
    format!("{}/{name}", prefix.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicUsize;

    use super::*;

    fn paths(prefix: &str) -> Paths {
        Paths::new(Prefix::of_path(prefix).unwrap(), None)
    }

    fn asked<'a>(method: &'a str, target: &'a str) -> Asked<'a> {
        Asked { method: method.as_bytes(), target: target.as_bytes(), prefers_html: false }
    }

    fn document<'a>(paths: &'a Paths, method: &str, target: &str) -> Document<'a> {
        paths.route(&asked(method, target)).document().unwrap()
    }

    fn body(document: &Document<'_>) -> String {
        String::from_utf8(document.body.to_vec()).unwrap()
    }

    fn is_metrics(paths: &Paths, method: &str, target: &str) -> bool {
        paths.route(&asked(method, target)) == Route::Metrics
    }

    #[test]
    fn without_a_prefix_every_other_path_is_metrics() {
        let paths = paths("/");
        for target in
            ["/", "/metrics", "/favicon.ico", "//-/quit", "/-/", "/-/x", "/-/healthy/", "*", "", "/\u{e4}"]
        {
            for method in ["GET", "POST", "OPTIONS", "HEAD"] {
                assert!(is_metrics(&paths, method, target), "{method} {target}");
            }
        }
    }

    #[test]
    fn below_the_prefix_are_the_metrics_and_a_favicon() {
        let paths = paths("/a/b");
        for target in ["/a/b", "/a/b/", "/a/b/metrics?name[]=x", "//a/b", "http://h/a/b/x", "/a/b/-/x"] {
            assert!(is_metrics(&paths, "GET", target), "{target}");
            assert!(is_metrics(&paths, "DELETE", target), "{target}");
        }
        assert_eq!(document(&paths, "GET", "/a/b/favicon.ico"), Document::new(200, "", &b""[..]));
        assert!(is_metrics(&paths, "POST", "/a/b/favicon.ico"));
        assert!(is_metrics(&paths, "OPTIONS", "*"));
    }

    #[test]
    fn a_browser_gets_the_page_at_the_top_and_nowhere_else() {
        let device_page = DevicePage::new(None);
        for prefix in ["/", "/a/b"] {
            let paths = paths(prefix).with_page(true);
            let top = below(prefix, "");
            for method in ["GET", "HEAD"] {
                let html = Asked { prefers_html: true, ..asked(method, &top) };
                assert_eq!(paths.route(&html).document(), Some(device_page.document()), "{method} {top}");
                assert!(is_metrics(&paths, method, &top), "{method} {top}");
            }
            for (method, target) in [
                ("POST", top.clone()),
                ("OPTIONS", top.clone()),
                ("GET", below(prefix, "metrics")),
                ("GET", below(prefix, "index.html")),
                ("GET", format!("{top}?name[]=up")),
                ("GET", format!("{top}/")),
                ("GET", format!("{top}./")),
            ] {
                let html = Asked { prefers_html: true, ..asked(method, &target) };
                assert_eq!(paths.route(&html), Route::Metrics, "{method} {target}");
            }
            let off = self::paths(prefix);
            assert_eq!(off.route(&Asked { prefers_html: true, ..asked("GET", &top) }), Route::Metrics);
        }
    }

    #[test]
    fn metrics_are_at_one_path_if_it_was_given() {
        for (prefix, path) in [("/", "/m/x"), ("/a", "/a/m/x")] {
            let paths = paths(prefix).metrics_at(Some("/m/x"));
            assert!(is_metrics(&paths, "GET", path) && is_metrics(&paths, "POST", &format!("{path}?a=b")));
            for other in ["metrics", "m", "m/x/"] {
                let document = document(&paths, "GET", &below(prefix, other));
                assert_eq!(document.status, 404, "{other}");
                assert!(body(&document).ends_with(&format!("metrics are at {path}\n")));
            }
            assert_eq!(document(&paths, "GET", &below(prefix, "-/healthy")).status, 200);
        }
    }

    #[test]
    fn a_browser_is_led_to_the_slash_behind_the_prefix() {
        let paths = paths("/a%20b").with_page(true);
        let html = |method| Asked { prefers_html: true, ..asked(method, "/a%20b") };
        for method in ["GET", "HEAD"] {
            let document = paths.route(&html(method)).document().unwrap();
            assert_eq!((document.status, document.location), (302, Some("/a%20b/")));
            assert_eq!(document.fields, b"Vary: Accept\r\n");
        }
        assert_eq!(paths.route(&html("DELETE")), Route::Metrics);
        assert!(is_metrics(&paths, "GET", "/a%20b"));
    }

    #[test]
    fn no_more_scrapes_run_than_allowed() {
        let mut paths = paths("/");
        paths.most = 2;
        let turns = [paths.begin_scrape().unwrap(), paths.begin_scrape().unwrap()];
        assert_eq!(paths.begin_scrape().unwrap_err().status, 503);
        drop(turns);
        assert!(paths.begin_scrape().is_ok());
    }

    #[test]
    fn the_root_leads_to_the_prefix() {
        let paths = paths("/a b/".replace(' ', "%20").as_str());
        for (method, target) in [("GET", "/"), ("HEAD", "/"), ("GET", "//?x=%0d%0a"), ("GET", "http://evil")]
        {
            let document = document(&paths, method, target);
            assert_eq!((document.status, document.location), (302, Some("/a%20b")), "{target}");
            assert_eq!(body(&document), "# HTTP 302 Found: everything is below /a%20b; go to /a%20b\n");
        }
        assert_eq!(document(&paths, "POST", "/").status, 404);
    }

    #[test]
    fn other_paths_are_not_found_and_say_where_to_go() {
        let paths = paths("/prom");
        for (method, target) in
            [("GET", "/metrics"), ("GET", "/promx"), ("OPTIONS", "/x"), ("GET", "*"), ("GET", "/favicon.ico")]
        {
            let document = document(&paths, method, target);
            assert_eq!((document.status, document.media), (404, TEXT), "{target}");
            assert_eq!(
                body(&document),
                "# HTTP 404 Not Found: nothing is served at this path; \
                 everything is below /prom, metrics at /prom/metrics\n"
            );
        }
    }

    #[test]
    fn health_is_told_to_get_and_head() {
        for prefix in ["/", "/x/y"] {
            let paths = paths(prefix);
            for (page, text) in
                [("-/healthy", "scrapeport is healthy.\n"), ("-/ready", "scrapeport is ready.\n")]
            {
                let target = below(prefix, page);
                for method in ["GET", "HEAD"] {
                    let document = document(&paths, method, &target);
                    assert_eq!(
                        (document.status, document.media, body(&document).as_str()),
                        (200, TEXT, text)
                    );
                }
                for method in ["POST", "OPTIONS", "DELETE", "get"] {
                    let document = document(&paths, method, &target);
                    assert_eq!((document.status, document.allow), (405, Some("GET, HEAD")), "{method}");
                }
                assert_eq!(document(&paths, "GET", &format!("{target}?x")).status, 200);
            }
        }
    }

    #[test]
    fn the_lifecycle_is_forbidden_unless_enabled() {
        let paths = paths("/x");
        for page in ["/x/-/reload", "/x/-/quit"] {
            for method in ["POST", "PUT"] {
                let document = document(&paths, method, page);
                assert_eq!(document.status, 403);
                let body = body(&document);
                assert!(body.starts_with("# HTTP 403 Forbidden: Lifecycle API is not enabled.; "), "{body}");
                assert!(body.contains("--web.enable-lifecycle"), "{body}");
            }
            for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
                let document = document(&paths, method, page);
                assert_eq!((document.status, document.allow), (405, Some("POST, PUT")));
                assert!(body(&document).contains("Only POST or PUT requests allowed"));
            }
        }
    }

    fn with_lifecycle(result: Result<(), String>) -> (Paths, Arc<AtomicUsize>) {
        let quits = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (Arc::clone(&quits), result.clone());
        let reload = Arc::new(Reload::new(move || result.clone()));
        let lifecycle = Lifecycle::new(reload, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            answer.clone()
        });
        (Paths::new(Prefix::of_path("").unwrap(), Some(lifecycle)), quits)
    }

    #[test]
    fn reload_answers_what_came_of_it() {
        let (paths, _) = with_lifecycle(Ok(()));
        for method in ["POST", "PUT"] {
            assert_eq!(document(&paths, method, "/-/reload"), Document::new(200, "", &b""[..]));
        }
        let (paths, _) = with_lifecycle(Err(String::from("a:1: b\r\n\u{1b}c")));
        let failed = document(&paths, "POST", "/-/reload");
        assert_eq!(failed.status, 500);
        assert_eq!(
            body(&failed),
            "# HTTP 500 Internal Server Error: failed to reload config: a:1: b\\r\\n\\u{1b}c; see the log\n"
        );
        let (paths, _) = with_lifecycle(Err("\n".repeat(1 << 16)));
        assert!(document(&paths, "PUT", "/-/reload").body.len() < 1_200);
    }

    #[test]
    fn quit_is_done_once_and_ends_the_connection() {
        let (paths, quits) = with_lifecycle(Ok(()));
        for text in [GOODBYE, ALREADY, ALREADY] {
            let document = document(&paths, "POST", "/-/quit");
            assert_eq!((document.status, &document.body[..], document.close), (200, text, true));
        }
        assert_eq!(quits.load(Ordering::SeqCst), 1);
        // Spelled so that a proxy in front may have taken it for something else.
        for target in ["//-/quit", "/-/quit/", "/a/../-/quit", "/-//quit"] {
            assert!(is_metrics(&paths, "POST", target), "{target}");
        }
        let (paths, quits) = with_lifecycle(Err(String::from("no")));
        for _ in 0..2 {
            assert_eq!(document(&paths, "PUT", "/-/quit").status, 500);
        }
        assert_eq!(quits.load(Ordering::SeqCst), 2);
    }
}
