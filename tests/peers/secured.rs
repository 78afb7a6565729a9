//! Programs that a web configuration file protects: ours and Prometheus, and the curl that gets in.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::pki::{Client, P256, Pair, Pki};
use crate::process::{PATIENCE, Running, Served, free_address, tool};
use crate::prometheus::percent_encoded;

/// User and password of [`USERS`].
pub(crate) const LOGIN: &str = "scraper:open sesame";

/// The bcrypt hash has the cost 5, so that a login is 32 rounds.
pub(crate) const USERS: &str =
    "basic_auth_users:\n  scraper: $2y$05$AS6U17xTStykkx8kKu3PYu72OvrP7WaSl.DJF5c4LR2HLzJ30UF5a\n";

/// TLS with the certificate `server` of a [`Pki`].
pub(crate) const TLS: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

/// What follows [`TLS`] for clients with a certificate.
pub(crate) const CLIENTS: &str = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";

/// A server's certificate, a client's, and a file that asks for everything: `web.yml`.
pub(crate) fn pki() -> (Pki, Pair) {
    let pki = Pki::new();
    pki.server("server", P256);
    let client = pki.client(Client::Good).expect("it has a certificate");
    pki.scratch().write("web.yml", &format!("{TLS}{CLIENTS}{USERS}"));
    (pki, client)
}

/// The `scrapeport` program with its log.
pub(crate) struct Program {
    pub(crate) served: Served,
    log: PathBuf,
}

impl Program {
    /// With a web configuration file of the directory, and more flags.
    pub(crate) fn start(pki: &Pki, file: &str, arguments: &[&str]) -> Self {
        let address = free_address();
        let log = pki.path(&format!("{}.log", address.port()));
        let output = File::create(&log).expect("the directory can be written");
        let file = format!("--web.config.file={}", pki.path(file).display());
        let served = Served::program_with(address, &[&[&file[..]], arguments].concat(), Stdio::from(output));
        Self { served, log }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/metrics", self.served.address.port())
    }

    /// The lines of its log that have this in them.
    pub(crate) fn logged(&self, text: &str) -> Vec<String> {
        let log = fs::read_to_string(&self.log).expect("the log is UTF-8");
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// Waits until so many lines have this in them.
    pub(crate) fn await_logged(&self, text: &str, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.logged(text).len() < count {
            assert!(Instant::now() < deadline, "not logged {count} times: {text}\n{:#?}", self.logged(""));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// What curl says: its status, and what it printed.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// curl with these arguments and nothing that would let it in.
pub(crate) fn curl(arguments: &[&str]) -> Said {
    let output = crate::curl::curl(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status.code().expect("curl is not killed");
    Said { status, output: text(&output.stdout), errors: text(&output.stderr) }
}

/// Everything that lets curl in, for the CA and a client's certificate.
pub(crate) struct Key {
    pub(crate) ca: String,
    pub(crate) pair: Pair,
}

impl Key {
    pub(crate) fn new(pki: &Pki, pair: &Pair) -> Self {
        Self { ca: pki.ca(), pair: pair.clone() }
    }

    pub(crate) fn curl(&self, arguments: &[&str]) -> Said {
        let files = ["--cacert", &self.ca, "--cert", self.pair.cert(), "--key", self.pair.key()];
        curl(&[&files[..], &["--user", LOGIN], arguments].concat())
    }

    /// The page, which must come.
    pub(crate) fn page(&self, url: &str) -> String {
        let said = self.curl(&["--fail", url]);
        assert_eq!(said.status, 0, "{url}: {said:?}");
        said.output
    }
}

/// A Prometheus that is asked with curl, because it has to be got into.
pub(crate) struct Prometheus<'a> {
    _running: Running,
    url: String,
    key: &'a Key,
}

impl<'a> Prometheus<'a> {
    /// Every second it scrapes as `jobs` says, the list below `scrape_configs:`.
    pub(crate) fn start(pki: &Pki, port: u16, url: &str, key: &'a Key, jobs: &str, flags: &[&str]) -> Self {
        let text = format!("global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n{jobs}");
        let file = pki.scratch().write(&format!("prometheus-{port}.yml"), &text);
        let mut command = Command::new(tool("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", pki.path(&format!("data-{port}")).display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--log.level=error").args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        running.await_port(([127, 0, 0, 1], port).into());
        let prometheus = Self { _running: running, url: url.to_owned(), key };
        let deadline = Instant::now() + PATIENCE;
        while key.curl(&["--fail", &format!("{url}/-/ready")]).status != 0 {
            assert!(Instant::now() < deadline, "Prometheus does not get ready");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        prometheus
    }

    pub(crate) fn ask(&self, path: &str) -> String {
        self.key.page(&format!("{}/api/v1/{path}", self.url))
    }

    /// The values of an instant query.
    pub(crate) fn query(&self, query: &str) -> Vec<String> {
        let answer = self.ask(&format!("query?query={}", percent_encoded(query)));
        let values = answer.split("\"value\":[").skip(1);
        values.map(|rest| rest.split('"').nth(1).expect("a value is text").to_owned()).collect()
    }

    /// The last error of each target by its job, as JSON has it.
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        let answer = self.ask("targets?state=active");
        let errors = answer.split("\"scrapePool\":\"").skip(1).map(|target| {
            let (job, rest) = target.split_once('"').expect("a name is text");
            let (_, error) = rest.split_once("\"lastError\":\"").expect("a target has a last error");
            let (error, _) = error.split_once("\",\"lastScrape\"").expect("the time of the scrape follows");
            (job.to_owned(), error.to_owned())
        });
        errors.collect()
    }

    /// Waits until the target of each job is up.
    pub(crate) fn await_up(&self, jobs: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        for job in jobs {
            while self.query(&format!("up{{job=\"{job}\"}}")) != ["1"] {
                assert!(Instant::now() < deadline, "{job} is not up: {:#?}", self.errors());
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        }
        assert_eq!(self.query("up").len(), jobs.len());
    }
}
