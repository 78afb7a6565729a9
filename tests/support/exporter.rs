//! The program, looking at a tree of files.
#![allow(dead_code, reason = "each user has its part")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::tree::Tree;

/// Far longer than anything here takes; it only turns a hang into a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// All collectors that look at the tree, and nothing of those that ask the kernel itself.
pub(crate) const EVERYTHING: &[&str] = &[
    "--no-collector.time",
    "--no-collector.timex",
    "--no-collector.uname",
    "--collector.cpu.info",
    "--collector.interrupts",
    "--collector.processes",
    "--collector.softirqs",
    "--collector.stat.softirq",
    "--collector.swap",
    "--collector.textfile.directory=root/textfile",
];

/// The program at work; ended with the value.
pub(crate) struct Exporter {
    pub(crate) child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Exporter {
    /// Starts it in the directory of the tree, so that no path in its answers depends on where that is.
    pub(crate) fn start(tree: &Tree, arguments: &[&str]) -> Self {
        Self::start_under(tree, arguments, &[])
    }

    /// The same under another program, which is given with its arguments.
    pub(crate) fn start_under(tree: &Tree, arguments: &[&str], under: &[&str]) -> Self {
        let paths = ["--path.procfs=proc", "--path.sysfs=sys", "--path.rootfs=root", "--path.udev.data=udev"];
        Self::start_at(tree, &[&paths, arguments].concat(), under)
    }

    /// The same looking elsewhere, as its arguments say.
    pub(crate) fn start_at(tree: &Tree, arguments: &[&str], under: &[&str]) -> Self {
        let (socket, log) = (tree.path("socket"), tree.path("log"));
        let _ = fs::remove_file(&socket);
        let line = [under, &[env!("CARGO_BIN_EXE_scrapeport")]].concat();
        let child = Command::new(line[0])
            .args(&line[1..])
            .args(["--web.listen-address=unix:socket", "--log.level=debug"])
            .args(arguments)
            .current_dir(tree.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut exporter = Self { child, socket, log };
        let start = Instant::now();
        while UnixStream::connect(&exporter.socket).is_err() {
            let ended = exporter.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "{ended:?}: {}", exporter.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        exporter
    }

    /// A page, with a query string or without: `collect[]=cpu`.
    pub(crate) fn scrape(&self, query: &str) -> String {
        self.ask(query).unwrap_or_else(|problem| panic!("{problem}\n{}", self.log()))
    }

    /// The same, or the head of what else came.
    pub(crate) fn ask(&self, query: &str) -> Result<String, String> {
        let stream = UnixStream::connect(&self.socket).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let request = format!("GET /metrics?{query} HTTP/1.0\r\n\r\n");
        (&stream).write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let mut reader = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let length = reader.read_line(&mut head).map_err(|error| error.to_string())?;
            if length == 0 {
                return Err(format!("no end of {head:?}"));
            }
        }
        let mut body = Vec::new();
        reader.read_to_end(&mut body).map_err(|error| error.to_string())?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        String::from_utf8(body).map_err(|error| error.to_string())
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // What it runs under, as strace, ends with it, but would leave it behind.
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        for child in children.filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(child, Signal::TERM);
        }
        // A thread that hangs ends for nothing less than SIGKILL.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), Signal::TERM);
        let start = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none())
            && start.elapsed() < Duration::from_secs(2)
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
