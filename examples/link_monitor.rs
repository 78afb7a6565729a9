//! A small daemon in the intended style: it watches the network interfaces and serves what it sees.
//!
//! Each second it reads `/proc/net/dev`, keeps the counters of every interface in a family, and drops the rows of
//! interfaces that are gone. A page is served from memory, whatever the kernel is busy with.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use scrapeport::process::PROCESS;
use scrapeport::{Counter, Gauge, GaugeFamily, Registry, start_http_server};

/// Interfaces that can be told apart; further ones are counted together.
const LINKS: usize = 16;
/// The longest `/proc/net/dev` that is understood: about 120 bytes for each interface.
const FILE_BYTES: usize = 8 * 1024;
const PERIOD: Duration = Duration::from_secs(1);

static RECEIVED: GaugeFamily<1, LINKS> =
    GaugeFamily::new("link_received_bytes", "Bytes received, as the kernel counts them.", ["device"]);
static SENT: GaugeFamily<1, LINKS> =
    GaugeFamily::new("link_sent_bytes", "Bytes sent, as the kernel counts them.", ["device"]);
static UNDERSTOOD: Gauge = Gauge::new("link_devices", "Interfaces seen in the last round.");
static FAILURES: Counter = Counter::new("link_read_failures_total", "Rounds in which /proc/net/dev was unreadable.");

static REGISTRY: Registry = Registry::new(&[&RECEIVED, &SENT, &UNDERSTOOD, &FAILURES]).collecting(&[&PROCESS]);

fn main() -> Result<(), scrapeport::Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".into());
    let mut monitor = Monitor { file: [0; FILE_BYTES], known: Vec::with_capacity(LINKS) };
    monitor.round();
    let (server, _thread) = start_http_server(address, &REGISTRY)?;
    server.addresses().for_each(|address| println!("listening on {address}"));
    loop {
        thread::sleep(PERIOD);
        monitor.round();
    }
}

struct Monitor {
    file: [u8; FILE_BYTES],
    known: Vec<String>,
}

impl Monitor {
    fn round(&mut self) {
        let Ok(text) = read("/proc/net/dev", &mut self.file) else {
            FAILURES.inc();
            return;
        };
        let links = || text.lines().filter_map(Link::parse);
        self.known.retain(|known| {
            let here = links().any(|link| link.device == *known);
            if !here {
                RECEIVED.remove([known]);
                SENT.remove([known]);
            }
            here
        });
        for link in links() {
            RECEIVED.with([link.device]).set(link.received as f64);
            SENT.with([link.device]).set(link.sent as f64);
            if !self.known.iter().any(|known| known == link.device) {
                self.known.push(link.device.into());
            }
        }
        UNDERSTOOD.set(self.known.len() as f64);
    }
}

struct Link<'a> {
    device: &'a str,
    received: u64,
    sent: u64,
}

impl<'a> Link<'a> {
    /// One line: the device, a colon, eight columns of what was received, eight of what was sent; bytes come first.
    fn parse(line: &'a str) -> Option<Self> {
        let (device, columns) = line.rsplit_once(':')?;
        let mut columns = columns.split_ascii_whitespace();
        let received = columns.next()?.parse().ok()?;
        let sent = columns.nth(7)?.parse().ok()?;
        Some(Self { device: device.trim(), received, sent })
    }
}

fn read<'b>(path: &str, buffer: &'b mut [u8]) -> io::Result<&'b str> {
    let mut file = File::open(path)?;
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    str::from_utf8(&buffer[..filled]).map_err(|_| io::ErrorKind::InvalidData.into())
}
