//! Neither updates nor scrapes touch the heap, however large the page.
//!
//! Without the usual harness, whose own threads would be counted as well.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

mod support;
#[cfg(feature = "exporter")]
#[path = "support/tree.rs"]
mod tree;

use std::alloc::{GlobalAlloc, Layout, System};
#[cfg(feature = "tls")]
use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use scrapeport::text::{Kind, Page};
use scrapeport::{
    Collect, CollectError, Collector, Counter, CounterFamily, Gauge, Histogram, HistogramFamily, InfoFamily,
    Registry, Server, SlotCounter, StateSet, Summary,
};
use support::{connect, resident};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[cfg(feature = "tls")]
thread_local! {
    /// A client with TLS cannot do without a heap; what its thread takes is not counted.
    static UNCOUNTED: Cell<bool> = const { Cell::new(false) };
}

fn counts() -> bool {
    #[cfg(feature = "tls")]
    if UNCOUNTED.get() {
        return false;
    }
    true
}

// SAFETY: everything is passed on to the system's allocator.
#[allow(unsafe_code, reason = "an allocator cannot be written otherwise")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if counts() {
            ALLOCATIONS.fetch_add(1, Relaxed);
        }
        // SAFETY: as asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as asked for.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

static FEW: CounterFamily<1, 20> = CounterFamily::new("app_few_total", "Twenty.", ["row"]);
static MANY: CounterFamily<1, 10_000> = CounterFamily::new("app_many_total", "Ten thousand.", ["row"]);

/// As many samples, found at each scrape.
struct Found(u32);

impl Collect for Found {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut family = page.family(Kind::Gauge, "app_found", "Found.");
        for row in 0..self.0 {
            let digits = [b'0' + (row % 10) as u8];
            family
                .sample(&[("row", core::str::from_utf8(&digits).unwrap_or_default())], f64::from(row) + 0.5);
        }
        Ok(())
    }
}

static FOUND_FEW: Collector<Found> = Collector::new("few", &["app_found"], Found(20));
static FOUND_MANY: Collector<Found> = Collector::new("many", &["app_found"], Found(10_000));

static SMALL_STATIC: Registry = Registry::new(&[&FEW]);
static LARGE_STATIC: Registry = Registry::new(&[&MANY]);
static SMALL_FOUND: Registry = Registry::new(&[]).collecting(&[&FOUND_FEW]);
static LARGE_FOUND: Registry = Registry::new(&[]).collecting(&[&FOUND_MANY]);

/// A scrape that allocates nothing on this side either: reads until the page's last line or chunk. Gives its size.
fn scrape(client: &mut (impl Read + Write), buffer: &mut [u8], chunked: bool) -> usize {
    let request = b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text\r\n\r\n";
    exchange(client, request, buffer, chunked)
}

fn exchange(client: &mut (impl Read + Write), request: &[u8], buffer: &mut [u8], chunked: bool) -> usize {
    client.write_all(request).expect("open");
    let end: &[u8] = if chunked { b"# EOF\n\r\n0\r\n\r\n" } else { b"# EOF\n" };
    let mut length = 0;
    while !buffer[..length].ends_with(end) {
        let read = client.read(&mut buffer[length..]).expect("open");
        assert_ne!(read, 0, "closed");
        length += read;
    }
    length
}

fn a_kept_scrape_allocates_nothing() {
    for row in 0..10_000 {
        let name = row.to_string();
        MANY.with([name.as_str()]).inc();
        if row < 20 {
            FEW.with([name.as_str()]).inc();
        }
    }
    let mut buffer = vec![0; 1 << 20];
    for (registry, series) in
        [(&SMALL_STATIC, 20), (&LARGE_STATIC, 10_000), (&SMALL_FOUND, 20), (&LARGE_FOUND, 10_000)]
    {
        let (server, thread) = Server::builder(registry).start_on("127.0.0.1:0").expect("loopback");
        let mut client = connect(server.local_addr().expect("a TCP address"));
        let chunked = series > 1000;
        // The very first one is measured too.
        let before = ALLOCATIONS.load(Relaxed);
        for _ in 0..100 {
            let length = scrape(&mut client, &mut buffer, chunked);
            assert!(length > series * 10);
        }
        assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0, "{series} series");
        drop(server);
        thread.join().expect("no panic");
    }
}

fn a_fresh_connection_allocates_nothing_either() {
    let (server, _thread) = Server::builder(&SMALL_FOUND).start_on("127.0.0.1:0").expect("loopback");
    let mut buffer = vec![0; 1 << 16];
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..100 {
        let mut client = connect(server.local_addr().expect("a TCP address"));
        scrape(&mut client, &mut buffer, false);
    }
    assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0);
}

/// All collectors of the program, and a machine that gives each something to read: after the first scrape their buffers
/// have the size they need, in the threads that ask what may hang too.
#[cfg(feature = "exporter")]
fn a_kept_scrape_of_the_exporter_allocates_nothing() {
    let tree = tree::Tree::unpack("server");
    let flag = |name: &str, path: &str| format!("--{name}={}", tree.path(path).display()).into();
    let paths = [
        flag("path.procfs", "proc"),
        flag("path.sysfs", "sys"),
        flag("path.rootfs", "root"),
        flag("path.udev.data", "udev"),
    ];
    let further = ["processes", "interrupts", "softirqs", "swap", "tcpstat", "cpu.info", "stat.softirq"];
    let switches = further.map(|name| std::ffi::OsString::from(format!("--collector.{name}")));
    scrapeport::exporter::install(paths.into_iter().chain(switches)).expect("flags of the program");
    let (server, _thread) =
        Server::builder(&scrapeport::exporter::METRICS).start_on("127.0.0.1:0").expect("loopback");
    let mut client = connect(server.local_addr().expect("a TCP address"));
    let mut buffer = vec![0; 1 << 22];
    let first = scrape(&mut client, &mut buffer, true);
    assert!(first > 50_000, "only {first} bytes: the collectors found nothing");
    // A number may have one digit more in the second one.
    scrape(&mut client, &mut buffer, true);
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..100 {
        scrape(&mut client, &mut buffer, true);
    }
    assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0);
}

fn ten_thousand_scrapes_do_not_grow() {
    let (server, _thread) = Server::builder(&SMALL_FOUND).start_on("127.0.0.1:0").expect("loopback");
    let mut client = connect(server.local_addr().expect("a TCP address"));
    let mut buffer = vec![0; 1 << 16];
    for _ in 0..100 {
        scrape(&mut client, &mut buffer, false);
    }
    let before = resident();
    for _ in 0..10_000 {
        scrape(&mut client, &mut buffer, false);
    }
    let grown = resident().saturating_sub(before);
    // Pages that other threads of the test happen to touch; a leak of seven bytes per scrape would show.
    assert!(grown <= 64 * 1024, "{grown} bytes");
}

/// The file is looked at for each request, and the login is remembered. In the seconds after a change its content is
/// read and compared as well, which takes memory: so it is given times of long ago.
#[cfg(feature = "web-config")]
fn a_kept_scrape_behind_a_login_allocates_nothing() {
    use std::fs::{self, File};
    use std::net::TcpStream;
    use std::time::{Duration, SystemTime};
    // Of "secret"; the request has "alice:secret".
    const FILE: &str = "basic_auth_users:\n  alice: $2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK\n\
        http_server_config:\n  headers:\n    X-Frame-Options: deny\n\
        rate_limit:\n  interval: 1ns\n  burst: 1000\n";
    const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text\r\n\
        Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n";
    let path = support::temporary("allocations.yml");
    fs::write(&path, FILE).expect("a folder for temporary files");
    let (server, _thread) =
        Server::builder(&SMALL_FOUND).web_config_file(&path).start_on("127.0.0.1:0").expect("a good file");
    let mut client = connect(server.local_addr().expect("a TCP address"));
    let mut buffer = vec![0; 1 << 16];
    let mut scrape = |client: &mut TcpStream| {
        let length = exchange(client, REQUEST, &mut buffer, false);
        assert!(buffer.starts_with(b"HTTP/1.1 200 "));
        let mut lines = buffer[..length].split(|byte| *byte == b'\n');
        assert!(lines.any(|line| line == b"X-Frame-Options: deny\r"));
    };
    scrape(&mut client);
    // The time of the last change cannot be set: it has to become old.
    let old = SystemTime::now() - Duration::from_secs(1_000);
    File::options().write(true).open(&path).expect("it is there").set_modified(old).expect("ours");
    let start = std::time::Instant::now();
    loop {
        let before = ALLOCATIONS.load(Relaxed);
        for _ in 0..100 {
            scrape(&mut client);
        }
        if ALLOCATIONS.load(Relaxed) == before {
            break;
        }
        assert!(start.elapsed() < support::PATIENCE, "it never settles");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Once it has settled it stays so, for fresh connections too.
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..1_000 {
        scrape(&mut client);
    }
    for _ in 0..20 {
        client = connect(server.local_addr().expect("a TCP address"));
        scrape(&mut client);
    }
    assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0);
    fs::remove_file(path).expect("ours");
}

/// rustls hands over each record in memory of its own, in and out: one allocation for a record that is read, one for
/// each that is written. Nothing else is taken.
#[cfg(feature = "tls")]
fn a_kept_scrape_over_tls_allocates_once_per_record() {
    let certs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs");
    let mut buffer = vec![0; 1 << 20];
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (registry, series) in [(&SMALL_STATIC, 20), (&SMALL_FOUND, 20), (&LARGE_FOUND, 10_000)] {
            let builder = Server::builder(registry)
                .certfile(certs.join("server.pem"))
                .keyfile(certs.join("server.key"))
                .client_cafile(certs.join("ca.pem"));
            let (server, thread) = builder.start_on("127.0.0.1:0").expect("loopback");
            UNCOUNTED.set(true);
            let stream = connect(server.local_addr().expect("a TCP address"));
            let mut client = tls::connect(stream, &certs.join("ca.pem"), version);
            let chunked = series > 1000;
            // The first one allocates for the connection.
            scrape(&mut client, &mut buffer, chunked);
            let before = (ALLOCATIONS.load(Relaxed), client.sock.records);
            for _ in 0..100 {
                let length = scrape(&mut client, &mut buffer, chunked);
                assert!(length > series * 10);
            }
            UNCOUNTED.set(false);
            let (read, written) = (100, client.sock.records - before.1);
            assert_eq!(ALLOCATIONS.load(Relaxed) - before.0, read + written, "{series} series, {version:?}");
            assert!(chunked || written == 100, "a short page is one record");
            drop(client);
            drop(server);
            thread.join().expect("no panic");
        }
    }
}

/// A client with TLS that counts records.
#[cfg(feature = "tls")]
mod tls {
    use std::io::{self, Read, Write};
    use std::net::TcpStream;
    use std::path::Path;
    use std::sync::Arc;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

    pub(super) fn connect(
        stream: TcpStream,
        ca: &Path,
        version: &'static SupportedProtocolVersion,
    ) -> StreamOwned<ClientConnection, Records> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a CA");
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().expect("a name");
        let client = ClientConnection::new(Arc::new(config), name).expect("a client");
        StreamOwned::new(client, Records { stream, records: 0, header: Vec::new(), left: 0 })
    }

    /// Counts the records that come (RFC 8446 §5.1: five bytes, of which the last two are the length of the rest).
    pub(super) struct Records {
        stream: TcpStream,
        pub(super) records: usize,
        header: Vec<u8>,
        left: usize,
    }

    impl Read for Records {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.stream.read(into)?;
            let mut bytes = &into[..length];
            while !bytes.is_empty() {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                let [first, rest @ ..] = bytes else { break };
                bytes = rest;
                self.header.push(*first);
                if let [.., high, low] = self.header[..] {
                    if self.header.len() == 5 {
                        self.left = usize::from(high) << 8 | usize::from(low);
                        self.records += 1;
                        self.header.clear();
                    }
                }
            }
            Ok(length)
        }
    }

    impl Write for Records {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.stream.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.stream.flush()
        }
    }
}

fn updates_allocate_nothing() {
    static COUNTER: Counter = Counter::new("app_total", "");
    static GAUGE: Gauge = Gauge::new("app", "");
    static HISTOGRAM: Histogram = Histogram::new("app_seconds", "");
    static SUMMARY: Summary = Summary::new("app_bytes", "");
    static STATES: StateSet<2> = StateSet::new("app_state", "", ["a", "b"]);
    static ROWS: CounterFamily<2, 4> = CounterFamily::new("app_rows_total", "", ["a", "b"]);
    static TIMES: HistogramFamily<1, 4, 1> = HistogramFamily::new("app_times", "", ["a"], [1.0]);
    static FACTS: InfoFamily<1> = InfoFamily::new("app_info", "", ["a"]);
    static SLOTS: SlotCounter<2> = SlotCounter::new("app_slots_total", "");
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..100 {
        COUNTER.inc();
        COUNTER.inc_by_f64(0.5);
        GAUGE.set_to_current_time();
        HISTOGRAM.start_timer().stop();
        SUMMARY.observe(1.0);
        STATES.set("b");
        // New rows, rows that are there, rows for which there is no room, rows that go.
        for value in ["1", "2", "3", "4", "5", "6"] {
            ROWS.with(["x", value]).inc();
            TIMES.with([value]).observe(1.0);
        }
        drop(ROWS.keep(["x", "1"]));
        ROWS.remove(["x", "1"]);
        ROWS.clear();
        FACTS.with(["x"]);
        SLOTS.claim().expect("one is free").inc();
    }
    assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0);
}

/// Registering, announcing, updating, and the page of all that.
#[cfg(feature = "capi")]
#[allow(unsafe_code, reason = "the functions are those of C")]
fn metrics_of_c_take_no_heap() {
    use scrapeport::capi::*;
    use std::ffi::{c_char, c_int, c_void};
    use std::ptr::{null, null_mut};

    unsafe extern "C" fn measure(length: *mut c_void, _: *const c_char, piece: usize) -> c_int {
        // SAFETY: the number below.
        unsafe { *length.cast::<usize>() += piece };
        0
    }

    unsafe extern "C" fn ask(_: *mut c_void) -> f64 {
        1.0
    }

    let gauge = Gauge {
        metric: Head::new(2, c"c_level".as_ptr(), c"".as_ptr(), null(), 0),
        value: scrapeport::capi::Cell::new(0),
    };
    let gauge = Box::into_raw(Box::new(gauge));
    let before = ALLOCATIONS.load(Relaxed);
    let mut length = 0_usize;
    // SAFETY: literals, and what is never freed.
    unsafe {
        assert_eq!(scrapeport_add(gauge.cast()), 0);
        let labels = [Label { name: c"a".as_ptr(), value: c"1".as_ptr() }];
        let (mut counter, mut histogram, mut asks) = (null_mut(), null_mut(), null_mut());
        let (help, one) = (c"".as_ptr(), labels.as_ptr());
        assert_eq!(scrapeport_counter_register(c"c_total".as_ptr(), help, one, 1, &raw mut counter), 0);
        let name = c"c_seconds".as_ptr();
        assert_eq!(scrapeport_histogram_register(name, help, &1.0, 1, one, 1, &raw mut histogram), 0);
        let (name, user) = (c"c_asked".as_ptr(), null_mut());
        assert_eq!(scrapeport_gauge_function_register(name, help, Some(ask), user, one, 1, &raw mut asks), 0);
        for _ in 0..100 {
            scrapeport_counter_inc(counter);
            scrapeport_gauge_add(gauge, 1.0);
            scrapeport_histogram_observe(histogram, 1.0);
            assert_eq!(scrapeport_write(Some(measure), (&raw mut length).cast()), 0);
        }
    }
    assert!(length > 100 * 200);
    assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0);
}

fn main() {
    let checks: &[(&str, fn())] = &[
        ("updates_allocate_nothing", updates_allocate_nothing),
        ("a_kept_scrape_allocates_nothing", a_kept_scrape_allocates_nothing),
        ("a_fresh_connection_allocates_nothing_either", a_fresh_connection_allocates_nothing_either),
        ("ten_thousand_scrapes_do_not_grow", ten_thousand_scrapes_do_not_grow),
        #[cfg(feature = "capi")]
        ("metrics_of_c_take_no_heap", metrics_of_c_take_no_heap),
        #[cfg(feature = "exporter")]
        ("a_kept_scrape_of_the_exporter_allocates_nothing", a_kept_scrape_of_the_exporter_allocates_nothing),
        #[cfg(feature = "web-config")]
        ("a_kept_scrape_behind_a_login_allocates_nothing", a_kept_scrape_behind_a_login_allocates_nothing),
        #[cfg(feature = "tls")]
        (
            "a_kept_scrape_over_tls_allocates_once_per_record",
            a_kept_scrape_over_tls_allocates_once_per_record,
        ),
    ];
    let mut failed = 0;
    for (name, check) in checks {
        let passed = std::panic::catch_unwind(check).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    let (verdict, passed) = (if failed == 0 { "ok" } else { "FAILED" }, checks.len() - failed);
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n"
    );
    std::process::exit(i32::from(failed > 0));
}
