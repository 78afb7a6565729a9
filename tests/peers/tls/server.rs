//! A server with TLS in a process of its own, the client that talks to it, and what it counts meanwhile.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::pki::Pair;
use crate::process::{Running, example, target};

/// How long a counter may lag behind what a client has already seen.
const LAG: Duration = Duration::from_secs(5);

/// A program that answers each line with one line.
struct Talker {
    _running: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talker {
    fn start(command: &mut Command) -> Self {
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let input = running.child.stdin.take().expect("standard input is a pipe");
        let output = BufReader::new(running.child.stdout.take().expect("standard output is a pipe"));
        Self { _running: running, input, output }
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("standard output can be read");
        assert!(line.ends_with('\n'), "the program ended: {line:?}");
        line.trim_end_matches('\n').to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("the program reads");
        self.read()
    }
}

/// The server of `served.rs`.
pub(crate) struct Served {
    talker: Talker,
    pub(crate) address: SocketAddr,
    /// One that lets everybody in, if that was asked for.
    pub(crate) beside: Option<SocketAddr>,
}

impl Served {
    pub(crate) fn start(identity: &Pair, settings: &[&str]) -> Self {
        let [cert, key] = [format!("certfile={}", identity.cert()), format!("keyfile={}", identity.key())];
        Self::told(&[&[&cert[..], &key], settings].concat())
    }

    /// One that knows nothing but these settings.
    pub(crate) fn told(settings: &[&str]) -> Self {
        static PATH: OnceLock<PathBuf> = OnceLock::new();
        let mut command = Command::new(PATH.get_or_init(|| example("tls_served")));
        let mut talker = Talker::start(command.args(settings));
        let line = talker.read();
        let mut addresses = line.split(' ').map(|word| word.parse().expect("the program prints addresses"));
        let address = addresses.next().expect("the program prints an address");
        let beside = addresses.next();
        Self { talker, address, beside }
    }

    /// Has the files read again; what is wrong with them.
    pub(crate) fn reload(&mut self) -> Result<(), String> {
        match &*self.talker.ask("reload") {
            "read" => Ok(()),
            problem => Err(problem.to_owned()),
        }
    }

    /// The URL by which its certificate knows it.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/metrics", self.address.port())
    }
}

/// How a client goes to a server.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    pub(crate) ca: String,
    pub(crate) client: Option<Pair>,
    /// "1.2", "1.3" or "" for any.
    pub(crate) version: &'static str,
}

impl Way {
    pub(crate) fn new(address: SocketAddr, ca: &str) -> Self {
        Self { address, ca: ca.to_owned(), client: None, version: "" }
    }

    pub(crate) fn with(&self, client: Option<&Pair>) -> Self {
        Self { client: client.cloned(), ..self.clone() }
    }

    pub(crate) fn speaking(&self, version: &'static str) -> Self {
        Self { version, ..self.clone() }
    }
}

/// Python's ssl module: `client.py`.
pub(crate) struct Python(Talker);

impl Python {
    pub(crate) fn start() -> Self {
        Self(Talker::start(&mut interpreter("client.py")))
    }

    pub(crate) fn ask(&mut self, command: &str, way: &Way, words: &[&str]) -> String {
        let port = way.address.port().to_string();
        let (cert, key) = way.client.as_ref().map_or(("", ""), |pair| (pair.cert(), pair.key()));
        let begin = [command, &port, &way.ca, cert, key, way.version];
        self.0.ask(&[&begin[..], words].concat().join("\t"))
    }
}

/// The Python of `tests/peers/setup` with a script of this directory.
pub(crate) fn interpreter(script: &str) -> Command {
    let python = target().join("peers/venv/bin/python");
    assert!(python.exists(), "{} is missing; run tests/peers/setup", python.display());
    let mut command = Command::new(python);
    command.arg("-I").arg(format!("{}/tests/peers/tls/{script}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// What a server counts, read over a connection that stays open. By reason for the failures; besides them
/// `handshakes`, `reloads` and `reload_failures`.
pub(crate) struct Counters {
    python: Python,
    way: Way,
    expected: BTreeMap<String, u64>,
}

impl Counters {
    /// From here on. The server must let this client in.
    pub(crate) fn open(way: &Way) -> Self {
        let mut counters = Self { python: Python::start(), way: way.clone(), expected: BTreeMap::new() };
        counters.expected = counters.read();
        assert!(counters.expected.len() > 3, "the page lacks its counters: {:?}", counters.expected);
        counters
    }

    pub(crate) fn read(&mut self) -> BTreeMap<String, u64> {
        self.samples().into_iter().filter(|(name, _)| name != "certificate_not_after_seconds").collect()
    }

    /// When the certificate expires, as the page has it.
    pub(crate) fn not_after(&mut self) -> u64 {
        let samples = self.samples();
        let (_, value) = samples
            .into_iter()
            .find(|(name, _)| name == "certificate_not_after_seconds")
            .expect("the page tells when the certificate expires");
        value
    }

    fn samples(&mut self) -> Vec<(String, u64)> {
        let lines = self.python.ask("counters", &self.way, &[]);
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            let name = name.trim_start_matches("scrapeport_tls_");
            let reason =
                name.strip_prefix("handshake_failures_total{reason=\"").and_then(|n| n.strip_suffix("\"}"));
            let name = reason.unwrap_or_else(|| name.trim_end_matches("_total"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line:?} has a whole number")))
        };
        lines.split('|').map(sample).collect()
    }

    /// So much was counted since the last time, and nothing else.
    pub(crate) fn expect(&mut self, what: &str, more: &[(&str, u64)]) {
        if let Err(wrong) = self.compare(more) {
            panic!("{what}: {wrong}");
        }
    }

    /// Waits until so much has been counted; otherwise says what was, and goes on from there.
    pub(crate) fn compare(&mut self, more: &[(&str, u64)]) -> Result<(), String> {
        let before = self.expected.clone();
        for (name, count) in more {
            *self.expected.get_mut(*name).unwrap_or_else(|| panic!("{name} is not counted")) += count;
        }
        let deadline = Instant::now() + LAG;
        loop {
            let counted = self.read();
            if counted == self.expected {
                return Ok(());
            }
            if Instant::now() > deadline {
                let difference: Vec<_> = counted
                    .iter()
                    .map(|(name, count)| (name, *count as i128 - i128::from(before[name])))
                    .filter(|(_, difference)| *difference != 0)
                    .collect();
                let message = format!("counted {difference:?}, not {more:?}");
                self.expected = counted;
                return Err(message);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
