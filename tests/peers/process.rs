//! Programs that run for the length of a test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a peer may take for what it does in a fraction of this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program that is ended with the value, however the test ends.
pub(crate) struct Running {
    pub(crate) child: Child,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        match command.spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("cannot run {:?}: {error}; run tests/peers/setup", command.get_program()),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line of its standard output, which must be a pipe. The rest is not read.
    pub(crate) fn first_line(&mut self) -> String {
        let output = self.child.stdout.take().expect("standard output is a pipe");
        let mut reader = BufReader::new(output);
        let mut line = String::new();
        reader.read_line(&mut line).expect("standard output can be read");
        assert!(line.ends_with('\n'), "the program ended before it was ready: {line:?}");
        self.child.stdout = Some(reader.into_inner());
        line.trim_end().to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }

    /// Waits for the end, not for ever.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if Instant::now() > deadline => return None,
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.signal(Signal::TERM);
        if self.wait(Duration::from_secs(5)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A directory that goes with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = target().join("peers").join(format!("{name}-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).expect("the target directory can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("the target directory can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The directory of this build's profile: `debug` or `release`.
fn profile() -> PathBuf {
    let here = std::env::current_exe().expect("this program has a path");
    here.ancestors().nth(2).expect("tests run from deps/ of the profile's directory").to_owned()
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    profile().parent().expect("the profile has a directory in the target directory").to_owned()
}

/// The Python interpreter that has the reference package.
pub(crate) fn python() -> Command {
    let python = target().join("peers/venv/bin/python");
    assert!(python.exists(), "{} is missing; run tests/peers/setup", python.display());
    let mut command = Command::new(python);
    command.arg("-I").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/reference.py"));
    command
}

/// The path of a peer that is installed with the system.
pub(crate) fn tool(name: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is missing; run tests/peers/setup"))
}

/// The path of `examples/every_kind.rs`, built.
pub(crate) fn every_kind() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example("every_kind"))
}

/// The path of an example, built.
pub(crate) fn example(name: &str) -> PathBuf {
    let profile = profile();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--example", name, "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.arg("--target-dir").arg(target());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "the example {name} does not build");
    profile.join("examples").join(name)
}

/// A server program of ours, and the address that it printed.
pub(crate) struct Served {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts `examples/every_kind.rs` on a free port.
    pub(crate) fn every_kind(arguments: &[&str]) -> Self {
        let mut command = Command::new(every_kind());
        command.arg("127.0.0.1:0").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        let line = running.first_line();
        let address = line.parse().unwrap_or_else(|_| panic!("every_kind printed {line:?}"));
        Self { running, address }
    }

    /// Starts the `scrapeport` program on a free port.
    pub(crate) fn program(arguments: &[&str]) -> Self {
        Self::program_on(free_address(), arguments)
    }

    pub(crate) fn program_on(address: SocketAddr, arguments: &[&str]) -> Self {
        Self::program_with(address, arguments, Stdio::null())
    }

    /// The same, with its log somewhere.
    pub(crate) fn program_with(address: SocketAddr, arguments: &[&str], log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scrapeport"));
        command.arg(format!("--web.listen-address={address}")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut served = Self { running: Running::start(&mut command), address };
        served.running.await_port(address);
        served
    }
}

impl Running {
    /// Waits until the address can be connected to.
    pub(crate) fn await_port(&mut self, address: SocketAddr) {
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the program ended instead of listening on {address}: {status}");
            }
            assert!(Instant::now() < deadline, "nothing listens on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A loopback address whose port was free a moment ago, for programs that cannot choose one by themselves.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
    listener.local_addr().expect("a listener has an address")
}

/// The ports of the clients that are connected to an IPv4 address, as the kernel lists them.
pub(crate) fn clients_of(server: SocketAddr) -> Vec<u16> {
    const ESTABLISHED: &str = "01";
    let wanted = format!(":{:04X}", server.port());
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel lists connections");
    let mut ports = Vec::new();
    for line in table.lines().skip(1) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, local, remote, state, ..] = fields[..] else { continue };
        if state == ESTABLISHED && remote.ends_with(&wanted) {
            let port = local.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
            ports.extend(port);
        }
    }
    ports
}
