//! Servers in processes of their own: started, asked, counted, ended.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::data::{Shape, page};
use crate::instructions;
use crate::process::{children, stop};

/// What a server runs under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Under {
    Nothing,
    Callgrind,
    Strace,
}

/// What is started.
pub enum Program {
    /// This program with other arguments. It tells its port in its first line.
    Own(Vec<String>),
    Nginx(Nginx),
    /// Another program with its arguments, in which `PORT` is the port that it shall take.
    Other(Vec<String>),
}

/// nginx with a page as a file.
pub struct Nginx {
    pub page: Shape,
    /// With what it has for speed.
    pub tuned: bool,
    /// Certificate and key, for HTTPS.
    pub pair: Option<(PathBuf, PathBuf)>,
}

/// A server in a process of its own.
pub struct Running {
    child: Child,
    /// The process that answers.
    pub pid: u32,
    pub address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// None if what it takes is not installed.
    pub fn start(program: &Program, under: Under) -> Option<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("scrapeport-benches-{}-{}", std::process::id(), STARTED.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut line: Vec<String> = match under {
            Under::Nothing => Vec::new(),
            Under::Callgrind => vec!["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"],
            Under::Strace => vec!["strace", "-f", "-qq", "-e", "signal=none"],
        }
        .into_iter()
        .map(str::to_owned)
        .collect();
        let mut port = 0;
        match program {
            Program::Nginx(nginx) => {
                port = free_port();
                let file = nginx.files(&folder, port, under);
                line.extend(["nginx", "-e", "stderr", "-c"].map(str::to_owned));
                line.push(file.to_str().unwrap().to_owned());
            }
            Program::Other(arguments) => {
                port = free_port();
                line.extend(arguments.iter().map(|argument| argument.replace("PORT", &port.to_string())));
            }
            Program::Own(arguments) => {
                let program = match (under, std::env::var_os("COUNTING")) {
                    (Under::Callgrind, Some(folder)) => {
                        Path::new(&folder).join(std::env::current_exe().unwrap().file_name().unwrap())
                    }
                    _ => std::env::current_exe().unwrap(),
                };
                line.push(program.to_str().unwrap().to_owned());
                line.extend(arguments.iter().cloned());
            }
        }
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .ok()?;
        if port == 0 {
            let mut first = String::new();
            BufReader::new(child.stdout.as_mut()?).read_line(&mut first).ok()?;
            port = first.trim().parse().ok()?;
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        for _ in 0..400 {
            if TcpStream::connect(address).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        // nginx answers from a worker, strace has its program as a child.
        let below = children(child.id());
        let pid = below.first().copied().unwrap_or_else(|| child.id());
        Some(Self { child, pid, address, folder })
    }

    pub fn stop(&mut self) {
        let below = children(self.child.id());
        // nginx's first process ends its worker; strace ends when what it watches has ended.
        let strace = below.len() == 1
            && std::fs::read_to_string(format!("/proc/{}/comm", self.child.id()))
                .is_ok_and(|name| name.trim() == "strace");
        let pid = if strace { below[0] } else { self.child.id() };
        stop(&mut self.child, pid);
    }

    /// What it, and what it ran under, wrote to standard error.
    fn stop_and_read(&mut self) -> String {
        self.stop();
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Nginx {
    /// One worker, no access log, a kept connection for ever.
    fn files(&self, folder: &Path, port: u16, under: Under) -> PathBuf {
        std::fs::write(folder.join("metrics"), page(self.page)).unwrap();
        let file = folder.join("nginx.conf");
        let at = folder.display();
        let (mut extra, mut listen) = (String::new(), String::new());
        if self.tuned {
            extra += "tcp_nopush on; open_file_cache max=10; open_file_cache_valid 60s;";
            listen += " deferred";
        }
        if let Some((certificate, key)) = &self.pair {
            listen += " ssl";
            extra += &format!(
                "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;",
                certificate.display(),
                key.display()
            );
            if self.tuned {
                // The cheap suites first, as ours does, and the whole page in one piece.
                extra += "ssl_prefer_server_ciphers on; ssl_buffer_size 16k; output_buffers 1 128k; \
                    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384;";
            }
        }
        // The tools that count follow one process best.
        let master = if under == Under::Nothing { "" } else { "master_process off;" };
        let text = format!(
            "worker_processes 1; daemon off; {master} pid {at}/pid; error_log stderr crit;
            events {{ worker_connections 256; }}
            http {{
                access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; {extra}
                client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;
                uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;
                default_type text/plain;
                server {{ listen 127.0.0.1:{port}{listen}; root {at}; }}
            }}"
        );
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Asks so many times.
pub type Load<'a> = &'a dyn Fn(SocketAddr, u32) -> io::Result<()>;

/// User instructions for each request, beyond what starting takes.
pub fn instructions_per_request(program: &Program, [few, many]: [u32; 2], load: Load<'_>) -> Option<f64> {
    let run = |requests: u32| -> Option<u64> {
        let mut server = Running::start(program, Under::Callgrind)?;
        load(server.address, requests).ok()?;
        // The server may still be closing the last connection.
        std::thread::sleep(Duration::from_millis(50));
        instructions::collected(&server.stop_and_read())
    };
    let (low, high) = (run(few)?, run(many)?);
    Some((high as f64 - low as f64) / f64::from(many - few))
}

/// How often each system call is made, beyond what starting takes: `read 1, write 1`.
pub fn calls_per_request(program: &Program, [few, many]: [u32; 2], load: Load<'_>) -> String {
    let run = |requests: u32| -> Option<Vec<(String, u32)>> {
        let mut server = Running::start(program, Under::Strace)?;
        load(server.address, requests).ok()?;
        std::thread::sleep(Duration::from_millis(50));
        let mut counts: Vec<(String, u32)> = Vec::new();
        for line in server.stop_and_read().lines() {
            // `[pid 12] read(5, …) = 12`; the end of an interrupted call has been counted at its beginning.
            let line = line
                .strip_prefix("[pid")
                .and_then(|line| line.split_once("] "))
                .map_or(line, |(_, call)| call);
            let call = line.split_once('(').map(|(call, _)| call);
            let Some(call) = call.filter(|call| call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            else {
                continue;
            };
            match counts.iter_mut().find(|(name, _)| name == call) {
                Some((_, count)) => *count += 1,
                None => counts.push((call.to_owned(), 1)),
            }
        }
        Some(counts)
    };
    let (Some(low), Some(high)) = (run(few), run(many)) else { return "–".into() };
    let mut parts = Vec::new();
    let mut total = 0.0;
    for (name, count) in high {
        let before = low.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
        let each = (f64::from(count) - f64::from(before)) / f64::from(many - few);
        if each >= 0.05 {
            total += each;
            let each = format!("{each:.1}");
            parts.push(format!("{name} {}", each.trim_end_matches(".0")));
        }
    }
    let total = format!("{total:.1}");
    format!("{}: {}", total.trim_end_matches(".0"), parts.join(", "))
}
