//! The metrics of the process itself, under the names that every Prometheus client library uses.
//!
//! Source: proc(5). Everything is read into small buffers on the stack: a scrape allocates nothing, and a process
//! that is out of memory can still be watched. What cannot be read is left out; the rest is served.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::time::Duration;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::process::{Resource, getrlimit};

use crate::collector::{Collect, CollectError, Collector};
use crate::kernel_time::{self, ClockId};
use crate::text::number::unsigned;
use crate::text::{Kind, Number, Page};

const CPU: &str = "process_cpu_seconds_total";
const RESIDENT: &str = "process_resident_memory_bytes";
const VIRTUAL: &str = "process_virtual_memory_bytes";
const VIRTUAL_MAX: &str = "process_virtual_memory_max_bytes";
const START: &str = "process_start_time_seconds";
const THREADS: &str = "process_threads";
const OPEN_FDS: &str = "process_open_fds";
const MAX_FDS: &str = "process_max_fds";

/// The metrics of this process: CPU time, memory, start time, threads, file descriptors.
///
/// List it in the program's registry, once:
///
/// ```
/// use scrapeport::{Registry, process::PROCESS};
///
/// static REGISTRY: Registry = Registry::new(&[]).collecting(&[&PROCESS]);
/// # assert!(REGISTRY.to_text(scrapeport::text::Format::TEXT).contains("process_open_fds "));
/// ```
///
/// A limit that is not set (`ulimit -n unlimited`) is shown as `+Inf`.
pub static PROCESS: Collector<Process> = of(Descriptors::Listed);

/// The same for a program none of whose threads waits in accept(2).
#[cfg(feature = "exporter")]
pub(crate) static WITHOUT_ACCEPT: Collector<Process> = of(Descriptors::Counted);

const fn of(descriptors: Descriptors) -> Collector<Process> {
    let families = &[CPU, RESIDENT, VIRTUAL, VIRTUAL_MAX, START, THREADS, OPEN_FDS, MAX_FDS];
    Collector::new("process", families, Process { descriptors })
}

/// The source behind [`PROCESS`].
#[derive(Debug)]
pub struct Process {
    descriptors: Descriptors,
}

/// How open file descriptors are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descriptors {
    /// One by one, in their directory.
    Listed,
    /// By the kernel, which tells their number as the size of the directory since Linux 6.2. It includes numbers that
    /// are only reserved, one for each thread that waits in accept(2), and is had for a tenth of the price.
    #[cfg(feature = "exporter")]
    Counted,
}

impl Collect for Process {
    fn collect(&self, page: &mut Page<'_>) -> Result<(), CollectError> {
        let mut first_problem = Ok(());
        let mut note = |problem: CollectError| {
            if first_problem.is_ok() {
                first_problem = Err(problem);
            }
        };

        match read_stat() {
            Ok(stat) => {
                write_stat(page, &stat);
                match boot_time() {
                    Ok(boot) => one(
                        page,
                        Kind::Gauge,
                        START,
                        "When the process started, in seconds since the Unix epoch.",
                        boot as f64 + seconds(stat.start_ticks),
                    ),
                    Err(problem) => note(problem),
                }
            }
            Err(problem) => note(problem),
        }
        one(
            page,
            Kind::Gauge,
            VIRTUAL_MAX,
            "Largest amount of virtual memory that the process may have, in bytes.",
            limit(getrlimit(Resource::As).current),
        );
        match self.descriptors.count() {
            Ok(count) => one(page, Kind::Gauge, OPEN_FDS, "File descriptors that are open.", count),
            Err(error) => note(failed("cannot count /proc/self/fd", &error)),
        }
        one(
            page,
            Kind::Gauge,
            MAX_FDS,
            "Largest number of file descriptors that may be open at once.",
            limit(getrlimit(Resource::Nofile).current),
        );
        first_problem
    }
}

fn write_stat(page: &mut Page<'_>, stat: &Stat) {
    one(
        page,
        Kind::Counter,
        CPU,
        "CPU time that the process has used, in user and kernel mode together, in seconds.",
        seconds(stat.cpu_ticks),
    );
    let page_size = rustix::param::page_size() as u64;
    one(
        page,
        Kind::Gauge,
        RESIDENT,
        "Physical memory that the process occupies, in bytes.",
        stat.resident_pages.saturating_mul(page_size),
    );
    one(
        page,
        Kind::Gauge,
        VIRTUAL,
        "Virtual memory that the process has mapped, in bytes.",
        stat.virtual_bytes,
    );
    one(page, Kind::Gauge, THREADS, "Threads of the process.", stat.threads);
}

fn one(page: &mut Page<'_>, kind: Kind, name: &str, help: &str, value: impl Into<Number>) {
    page.family(kind, name, help).sample(&[], value);
}

fn failed(what: &'static str, error: &io::Error) -> CollectError {
    let failed = CollectError::new(what);
    error.raw_os_error().map_or(failed, |code| failed.with_code(code))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn limit(current: Option<u64>) -> Number {
    current.map_or(Number::Float(f64::INFINITY), Number::Unsigned)
}

/// What is taken from `/proc/self/stat`. All wide: a 32-bit process can map close to 4 GiB, and a 64-bit kernel
/// counts in 64 bits whatever the program was compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// Holds the command and the first 24 fields at their longest, 20 digits each; what follows is not needed.
const STAT_BYTES: usize = 1024;

fn read_stat() -> Result<Stat, CollectError> {
    let mut buffer = [0; STAT_BYTES];
    let line = read_start(c"/proc/self/stat", &mut buffer)
        .map_err(|error| failed("cannot read /proc/self/stat", &error))?;
    parse_stat(line).ok_or(CollectError::new("/proc/self/stat is not as in proc(5)"))
}

/// Fills the buffer from the beginning of a file.
fn read_start<'b>(path: &CStr, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let mut file = File::from(open(path, OFlags::empty())?);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&buffer[..filled])
}

fn open(path: &CStr, more: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | more, Mode::empty())
}

/// Reads the line of `/proc/PID/stat`: `PID (COMMAND) STATE PPID …`. A command may hold blanks and parentheses, what
/// follows it does not, so the last closing parenthesis ends it.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let command_end = line.iter().rposition(|byte| *byte == b')')?;
    let mut fields = line[command_end + 1..].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    // proc(5) counts the state, the first after the command, as field 3.
    let user = unsigned(fields.nth(14 - 3)?)?;
    let system = unsigned(fields.next()?)?;
    let threads = unsigned(fields.nth(20 - 16)?)?;
    let start_ticks = unsigned(fields.nth(22 - 21)?)?;
    let virtual_bytes = unsigned(fields.next()?)?;
    let resident_pages = unsigned(fields.next()?)?;
    Some(Stat { cpu_ticks: user.checked_add(system)?, threads, start_ticks, virtual_bytes, resident_pages })
}

/// When the machine started, in seconds since the epoch, as the kernel tells it.
///
/// A device without a battery-backed clock learns the time long after its programs have started, and the boot time
/// moves with it. Reading `/proc/stat` for that at each scrape would make the kernel sum up every interrupt, so the
/// kernel is only asked again when the clock has been set.
fn boot_time() -> Result<u64, CollectError> {
    static KNOWN: Mutex<Option<Boot>> = Mutex::new(None);

    let now = rough_boot_time().ok_or(CollectError::new("the clock is set to a time before 1970"))?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(boot) = known.as_ref().filter(|boot| now.abs_diff(boot.rough) < CLOCK_WAS_SET) {
        return Ok(boot.told);
    }
    let file = open(c"/proc/stat", OFlags::empty())
        .map_err(|error| failed("cannot read /proc/stat", &error.into()))?;
    let told = find_boot_time(File::from(file))
        .ok_or(CollectError::new("/proc/stat does not tell the boot time"))?;
    *known = Some(Boot { told, rough: now });
    Ok(told)
}

struct Boot {
    /// By the kernel, in whole seconds: does not wander.
    told: u64,
    /// By the difference of two clocks.
    rough: Duration,
}

/// The two clocks are not read at the same moment; on a busy device some milliseconds lie between.
const CLOCK_WAS_SET: Duration = Duration::from_millis(250);

fn rough_boot_time() -> Option<Duration> {
    let running = kernel_time::read(ClockId::Boottime);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.saturating_sub(running))
}

/// Finds the line `btime SECONDS` in `/proc/stat`. It comes after lines of any length, so the file passes through a
/// small buffer.
fn find_boot_time(mut file: impl Read) -> Option<u64> {
    const KEY: &[u8] = b"btime ";
    let mut buffer = [0; 512];
    // How many bytes of KEY the current line has matched; more than all of them: it is another line.
    let mut matched = 0;
    let mut digits: Option<u64> = None;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return digits,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        for byte in &buffer[..count] {
            if *byte == b'\n' {
                if digits.is_some() {
                    return digits;
                }
                matched = 0;
            } else if matched == KEY.len() {
                let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
                digits = Some(digits.unwrap_or(0).checked_mul(10)?.checked_add(digit.into())?);
            } else if matched < KEY.len() && KEY[matched] == *byte {
                matched += 1;
            } else {
                matched = KEY.len() + 1;
            }
        }
    }
}

impl Descriptors {
    fn count(self) -> io::Result<u64> {
        #[cfg(feature = "exporter")]
        if self == Self::Counted {
            let size = rustix::fs::stat(c"/proc/self/fd")?.st_size;
            if size > 0 {
                return Ok(size as u64);
            }
        }
        open_descriptors()
    }
}

/// How many file descriptors are open, not counting the one that is opened to find out.
fn open_descriptors() -> io::Result<u64> {
    let directory = open(c"/proc/self/fd", OFlags::DIRECTORY)?;
    let mut buffer = [const { MaybeUninit::uninit() }; 1024];
    let mut entries = RawDir::new(&directory, &mut buffer);
    let mut count = 0_u64;
    while let Some(entry) = entries.next() {
        // Neither "." nor "..".
        count += u64::from(entry?.file_name().to_bytes().first() != Some(&b'.'));
    }
    // The directory was open too.
    Ok(count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const LINE: &str =
        "7 (x) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 8 9 20 0 3 0 12345 5368709120 260 18446744073709551615 1";
    const STAT: Stat = Stat {
        cpu_ticks: 200,
        threads: 3,
        start_ticks: 12_345,
        virtual_bytes: 5_368_709_120,
        resident_pages: 260,
    };

    #[test]
    fn the_command_may_hold_blanks_and_parentheses() {
        for command in ["x", "", "a b", "a) S 9 9", ") (", "((", "))", "a\nb", "\u{e4}"] {
            let line = LINE.replace("(x)", &format!("({command})"));
            assert_eq!(parse_stat(line.as_bytes()), Some(STAT), "{command:?}");
        }
    }

    #[test]
    fn a_damaged_line_is_refused() {
        for line in [
            "",
            ")",
            "7 (x",
            "7 (x) S 1",
            &LINE[..60],
            &LINE.replace("150", "1x0"),
            &LINE.replace("150", "-1"),
        ] {
            assert_eq!(parse_stat(line.as_bytes()), None, "{line:?}");
        }
        let overflow = LINE.replace(" 50 ", " 18446744073709551615 ");
        assert_eq!(parse_stat(overflow.as_bytes()), None);
    }

    #[test]
    fn numbers_are_digits_alone() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1 ", None),
            ("0x1", None),
        ] {
            assert_eq!(unsigned(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn the_boot_time_is_found_after_long_lines() {
        let long = String::from("intr 1") + &" 0".repeat(10_000);
        for (text, expected) in [
            (format!("cpu 1 2\n{long}\nctxt 5\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_000)),
            ("btime 17".into(), Some(17)),
            ("btime 4102444800\n".into(), Some(4_102_444_800)),
            ("xbtime 17\nbtime 18\n".into(), Some(18)),
            ("btimebtime 17\n".into(), None),
            ("btime \n".into(), None),
            ("btime 1 2\n".into(), None),
            ("btime -1\n".into(), None),
            ("btime 99999999999999999999\n".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(find_boot_time(text.as_bytes()), expected, "{:.40}", text);
        }
    }

    #[test]
    fn descriptors_are_counted_as_they_are_listed() {
        use std::net::{TcpListener, TcpStream};
        // Waiting, it has reserved a number that is not a descriptor yet.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = std::thread::spawn(move || listener.accept().map(drop));
        // More than fit into the buffer.
        let files: Vec<File> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        // Other tests open and close files meanwhile.
        let agree = (0..1_000).any(|_| {
            let listed = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
            listed > 200 && open_descriptors().unwrap() == listed
        });
        assert!(agree);
        drop(files);
        TcpStream::connect(address).unwrap();
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn this_process_is_described() {
        let stat = read_stat().unwrap();
        assert!(stat.threads >= 2 && stat.virtual_bytes > stat.resident_pages, "{stat:?}");
        let started = boot_time().unwrap() as f64 + seconds(stat.start_ticks);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(now - started > -1.5 && now - started < 24.0 * 3_600.0, "{started} {now}");
        assert_eq!(boot_time(), boot_time());
    }

    #[test]
    fn an_unset_limit_is_infinite() {
        assert_eq!(limit(None), Number::Float(f64::INFINITY));
        assert_eq!(limit(Some(u64::MAX)), Number::Unsigned(u64::MAX));
    }

    /// Hands out a few bytes at a time, with interruptions.
    struct Dribble<'a>(&'a [u8], usize, bool);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = self.1.min(into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = parse_stat(&bytes);
            let _ = unsigned(&bytes);
            let _ = find_boot_time(&*bytes);
        }

        #[test]
        fn any_damage_to_a_line_is_survived(at in 0..LINE.len(), byte in any::<u8>(), end in 0..LINE.len()) {
            let mut line = Vec::from(LINE);
            line[at] = byte;
            let _ = parse_stat(&line);
            let _ = parse_stat(&line[..end]);
        }

        #[test]
        fn pieces_of_any_size_give_the_same(
            before in "([a-z]{0,6} ?[0-9]{0,4}\n){0,5}",
            time in any::<u64>(),
            size in 1_usize..20,
        ) {
            let text = format!("{before}btime {time}\nbtime 1\n");
            let plain = text.lines().find_map(|line| line.strip_prefix("btime ")).map(|rest| rest.parse().ok());
            prop_assert_eq!(find_boot_time(Dribble(text.as_bytes(), size, false)), plain.unwrap());
        }
    }
}
