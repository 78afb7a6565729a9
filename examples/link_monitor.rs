//! A small daemon in the intended style: it watches the network interfaces and serves what it sees.
//!
//! Each second it reads `/proc/net/dev`, keeps the counters of every interface in a family, and drops the rows of
//! interfaces that are gone. A page is served from memory, whatever the kernel is busy with.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use scrapeport::process::PROCESS;
use scrapeport::{Counter, CounterFamily, Gauge, Registry, start_http_server};

/// Interfaces that can be told apart; further ones are counted together.
const LINKS: usize = 16;
/// The longest `/proc/net/dev` that is understood: about 120 bytes for each interface.
const FILE_BYTES: usize = 8 * 1024;
const PERIOD: Duration = Duration::from_secs(1);

static RECEIVED: CounterFamily<1, LINKS> =
    CounterFamily::new("link_received_bytes_total", "Bytes received by an interface.", ["device"]);
static SENT: CounterFamily<1, LINKS> =
    CounterFamily::new("link_sent_bytes_total", "Bytes sent by an interface.", ["device"]);
static DEVICES: Gauge = Gauge::new("link_devices", "Interfaces seen in the last round.");
static FAILURES: Counter =
    Counter::new("link_read_failures_total", "Rounds in which /proc/net/dev was unreadable.");

static REGISTRY: Registry = Registry::new(&[&RECEIVED, &SENT, &DEVICES, &FAILURES]).collecting(&[&PROCESS]);

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
    known: Vec<Known>,
}

/// What an interface had counted in the last round.
struct Known {
    device: String,
    received: u64,
    sent: u64,
}

impl Monitor {
    fn round(&mut self) {
        let Ok(text) = read("/proc/net/dev", &mut self.file) else {
            FAILURES.inc();
            return;
        };
        let links = || text.lines().filter_map(Link::parse);
        self.known.retain(|known| {
            let here = links().any(|link| link.device == known.device);
            if !here {
                RECEIVED.remove([known.device.as_str()]);
                SENT.remove([known.device.as_str()]);
            }
            here
        });
        for link in links() {
            let at = self.known.iter().position(|known| known.device == link.device).unwrap_or_else(|| {
                self.known.push(Known { device: link.device.into(), received: 0, sent: 0 });
                self.known.len() - 1
            });
            let known = &mut self.known[at];
            RECEIVED.with([link.device]).inc_by(growth(&mut known.received, link.received));
            SENT.with([link.device]).inc_by(growth(&mut known.sent, link.sent));
        }
        DEVICES.set(self.known.len() as f64);
    }
}

/// What has been added since the last round. A smaller number is that of a driver that was loaded anew.
fn growth(last: &mut u64, now: u64) -> u64 {
    let growth = now.checked_sub(*last).unwrap_or(now);
    *last = now;
    growth
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
    std::str::from_utf8(&buffer[..filled]).map_err(|_| io::ErrorKind::InvalidData.into())
}
