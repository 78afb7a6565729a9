//! `scrapeport hash-password`, by pipes and on a terminal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scrapeport");

/// Only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(30);

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("hash-password")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have refused the input before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn hash_of(arguments: &[&str], input: &[u8]) -> String {
    let output = piped(arguments, input);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    text(&output.stdout).to_owned()
}

fn assert_refused(output: &Output, expected: &str) {
    assert_eq!(text(&output.stderr), format!("scrapeport: error: {expected}\n"));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// Whether a password belongs to a hash, by another implementation.
fn matches(hash: &str, password: &[u8]) -> bool {
    let salt: [u8; 22] = hash.as_bytes()[7..29].try_into().unwrap();
    let cost = hash[4..6].parse().unwrap();
    let mut raw = Vec::new();
    let alphabet = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let (mut bits, mut count) = (0_u32, 0);
    for letter in salt {
        bits = bits << 6 | alphabet.iter().position(|known| *known == letter).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            raw.push((bits >> count) as u8);
        }
    }
    let key = [password, b"\0"].concat();
    let digest = bcrypt::bcrypt(cost, raw.try_into().unwrap(), &key[..key.len().min(72)]);
    let (mut bits, mut count, mut out) = (0_u32, 0, String::new());
    for byte in digest[..23].iter().chain(&[0]) {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 6 {
            count -= 6;
            out.push(alphabet[(bits >> count & 63) as usize].into());
        }
    }
    hash[29..] == out[..31]
}

#[test]
fn one_line_of_a_pipe_is_the_password() {
    for (input, password) in [
        (&b"secret\n"[..], &b"secret"[..]),
        (b"secret", b"secret"),
        (b"secret\r\n", b"secret"),
        (b"secret\nanother line\0", b"secret"),
        (b" with blanks \t\n", b" with blanks \t"),
        (b"\xc3\xa4\xff\n", b"\xc3\xa4\xff"),
        (&[b'x'; 72], &[b'x'; 72]),
        (&[&[b'y'; 72][..], b"\r\n"].concat(), &[b'y'; 72]),
    ] {
        let output = hash_of(&["--cost=4"], input);
        let hash = output.strip_suffix('\n').unwrap();
        assert!(hash.starts_with("$2y$04$") && hash.len() == 60, "{hash}");
        assert!(matches(hash, password) && !matches(hash, b"other"), "{input:?}");
    }
}

#[test]
fn the_rest_of_the_input_is_left_alone() {
    let output = Command::new("sh")
        .args(["-c", "printf 'first\\nsecond\\n' | { \"$0\" hash-password --cost 4; cat; }", PROGRAM])
        .output()
        .unwrap();
    let (hash, rest) = text(&output.stdout).split_once('\n').unwrap();
    assert!(matches(hash, b"first"));
    assert_eq!(rest, "second\n");
}

#[test]
fn cost_and_salt() {
    assert!(hash_of(&[], b"secret").starts_with("$2y$10$"), "the default");
    assert!(hash_of(&["--cost", "5"], b"secret").starts_with("$2y$05$"));
    assert_ne!(hash_of(&["--cost=4"], b"secret"), hash_of(&["--cost=4"], b"secret"));
}

#[test]
fn what_no_login_could_use_is_refused() {
    let empty = "the password is empty";
    let long = "the password has more than 72 bytes, and bcrypt would ignore the rest";
    let nul = "the password contains a NUL byte, where bcrypt programs end it";
    for (input, expected) in [
        (&b""[..], empty),
        (b"\n", empty),
        (b"\r\n", empty),
        (b"\nsecret\n", empty),
        (&[b'x'; 73], long),
        (&[&[b'x'; 73][..], b"\r\n"].concat(), long),
        (&[b'x'; 100_000], long),
        (b"a\0b\n", nul),
        (b"\0", nul),
    ] {
        assert_refused(&piped(&["--cost=4"], input), expected);
    }
    // Never waited for, or hashed, if there is something wrong with the arguments.
    let long = "x".repeat(256);
    for (arguments, expected) in [
        (["--user", "a:b"], "--user=a:b: a name with a colon can never log in, try --help"),
        (["--user", "a\nb"], "--user=a\\nb: must not contain control characters, try --help"),
        (["--user", ""], "--user needs a value that is not empty, try --help"),
        (["--cost", "32"], "--cost=32: must be a number from 4 to 31, try --help"),
        (["--user", &long], &format!("--user={long}: has more than 255 bytes, try --help")),
    ] {
        assert_refused(&piped(&arguments, b"secret\n"), expected);
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    let script = "\"$0\" hash-password --user \"$(printf 'a\\377')\" </dev/null";
    let output = Command::new("sh").args(["-c", script, PROGRAM]).output().unwrap();
    assert_refused(&output, "--user: 'a\u{fffd}' is not UTF-8, try --help");
}

#[test]
fn an_input_that_cannot_be_read_is_one_line() {
    let output = Command::new(PROGRAM).arg("hash-password").stdin(File::open("/").unwrap()).output().unwrap();
    assert_refused(&output, "cannot read the password: Is a directory (os error 21)");
}

/// Whatever the name, the entry is a file that passes the check, and its user is that name.
#[test]
fn an_entry_for_any_name() {
    let file = scratch("entry.yml");
    let longest = "\"".repeat(255);
    for name in [
        "prometheus",
        "yes",
        "null",
        "~",
        "7",
        "1.5",
        "- a",
        "? a",
        "# no comment",
        "a #b",
        "'",
        "\"",
        "\\",
        "\\n",
        "{a}",
        "[a]",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        " a ",
        "Älice",
        "\u{2028}",
        "\u{feff}",
        "\u{ffff}",
        "\u{1f511}",
        "<<",
        "a, b",
        "---",
        "...",
        &longest,
    ] {
        let entry = hash_of(&["--cost=4", &format!("--user={name}")], b"secret\n");
        assert_eq!(entry.lines().count(), 2, "{entry}");
        fs::write(&file, &entry).unwrap();
        let path = file.to_str().unwrap();
        let output = Command::new(PROGRAM).args(["check", "web-config", path]).output().unwrap();
        assert!(output.status.success(), "{name:?}: {output:?}");
        // The same name again, escaped all over: the reader must find it twice.
        let escape = |c: char| {
            if c.is_ascii() { format!("\\x{:02x}", c as u32) } else { format!("\\U{:08x}", c as u32) }
        };
        let escaped: String = name.chars().map(escape).collect();
        fs::write(&file, format!("{entry}  \"{escaped}\": x\n")).unwrap();
        let output = Command::new(PROGRAM).args(["check", "web-config", path]).output().unwrap();
        let line = text(&output.stderr);
        assert!(
            !output.status.success() && (line.contains("twice") || line.contains("already")),
            "{name:?}: {line}"
        );
    }
    fs::remove_file(file).unwrap();
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("scrapeport-hash-password-{}-{name}", std::process::id()))
}

// ---- on a terminal ----

/// The program on a terminal of its own.
struct Session {
    child: Child,
    master: File,
    /// The program's end, which tells how it is set.
    terminal: File,
    /// Everything that has been shown.
    shown: String,
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
        // Its own session, so that the terminal's keys send signals.
        let child = Command::new("setsid")
            .args(["--ctty", PROGRAM, "hash-password"])
            .args(arguments)
            .stdin(terminal.try_clone().unwrap())
            .stdout(Stdio::piped())
            .stderr(terminal.try_clone().unwrap())
            .spawn()
            .unwrap();
        Self { child, master: master.into(), terminal, shown: String::new() }
    }

    fn read(&mut self, patience: Duration) -> bool {
        let limit = Timespec::try_from(patience).unwrap();
        let mut polled = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut polled, Some(&limit)).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        let length = self.master.read(&mut bytes).unwrap();
        self.shown += text(&bytes[..length]);
        true
    }

    /// Waits until all of this, and nothing else, has been shown.
    fn shows(&mut self, expected: &str) {
        while self.shown != expected {
            assert!(expected.starts_with(&self.shown), "{:?} instead of {expected:?}", self.shown);
            assert!(self.read(PATIENCE), "{:?} instead of {expected:?}", self.shown);
        }
    }

    fn types(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, at which the terminal must be as it was.
    fn end(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(self.echoes(), "the terminal does not show what is typed");
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        while self.read(Duration::ZERO) {}
        (status, out)
    }

    fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const FIRST: &str = "Password: ";
const BOTH: &str = "Password: \r\nThe same again: ";

#[test]
fn a_terminal_is_asked_twice_and_shows_nothing() {
    let mut session = Session::start(&["--cost=4", "--user=joe"]);
    session.shows(FIRST);
    assert!(!session.echoes());
    // With a mistake that is wiped out, as in any other line.
    session.types(b"secreT\x7ft\r");
    session.shows(BOTH);
    assert!(!session.echoes());
    session.types(b"secret\r");
    let (status, out) = session.end();
    assert!(status.success());
    assert_eq!(session.shown, format!("{BOTH}\r\n"));
    let hash = out.strip_prefix("basic_auth_users:\n  \"joe\": ").unwrap().trim_end();
    assert!(matches(hash, b"secret"));
}

#[test]
fn refusals_on_a_terminal() {
    for (first, second, expected) in [
        ("secret\r", "Secret\r", "the passwords differ"),
        ("secret\r", "\r", "the passwords differ"),
        ("secret\r", "\x04", "the passwords differ"),
        ("\r", "", "the password is empty"),
        ("\x04", "", "the password is empty"),
    ] {
        let mut session = Session::start(&["--cost=4"]);
        session.shows(FIRST);
        session.types(first.as_bytes());
        if !second.is_empty() {
            session.shows(BOTH);
            session.types(second.as_bytes());
        }
        let (status, out) = session.end();
        assert_eq!((status.code(), out.as_str()), (Some(1), ""));
        let line = format!("scrapeport: error: {expected}\r\n");
        assert!(session.shown.ends_with(&line) && !session.shown.contains("ecret"), "{:?}", session.shown);
    }
}

#[test]
fn what_is_too_long_does_not_become_the_shells_command() {
    let mut session = Session::start(&["--cost=4"]);
    session.shows(FIRST);
    session.types(&[&[b'x'; 200][..], b"\r"].concat());
    let (status, _) = session.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        session.shown.contains("more than 72 bytes") && !session.shown.contains("xx"),
        "{:?}",
        session.shown
    );
    let mut polled = [PollFd::new(&session.terminal, PollFlags::IN)];
    assert_eq!(poll(&mut polled, Some(&Timespec::default())).unwrap(), 0, "something is left");
}

#[test]
fn an_interrupt_shows_again_what_is_typed() {
    use std::os::unix::process::ExitStatusExt;
    let keys: [(&str, Signal); 2] = [("sec\x03", Signal::INT), ("\x1c", Signal::QUIT)];
    for second in [false, true] {
        for (key, signal) in keys {
            let mut session = Session::start(&["--cost=4"]);
            session.shows(FIRST);
            if second {
                session.types(b"secret\r");
                session.shows(BOTH);
            }
            session.types(key.as_bytes());
            let (status, out) = session.end();
            assert_eq!((status.signal(), out.as_str()), (Some(signal.as_raw()), ""), "{:?}", session.shown);
            assert!(!session.shown.contains("sec"), "{:?}", session.shown);
        }
    }
}

#[test]
fn a_signal_that_ends_it_shows_again_what_is_typed() {
    use std::os::unix::process::ExitStatusExt;
    let sent = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];
    // Of the kernel, when a time is over that somebody has set.
    let late = [Signal::ALARM, Signal::VTALARM, Signal::PROF, Signal::XCPU];
    for second in [false, true] {
        for signal in sent.into_iter().chain(late) {
            let mut session = Session::start(&["--cost=4"]);
            session.shows(FIRST);
            if second {
                session.types(b"secret\r");
                session.shows(BOTH);
            }
            session.signal(signal);
            let (status, out) = session.end();
            assert_eq!((status.signal(), out.as_str()), (Some(signal.as_raw()), ""), "{signal:?}");
        }
    }
}

#[test]
fn stopped_and_continued_it_asks_anew() {
    let mut session = Session::start(&["--cost=4"]);
    session.shows(FIRST);
    session.types(b"sec");
    session.signal(Signal::TSTP);
    let deadline = Instant::now() + PATIENCE;
    while session.state() != 'T' {
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(session.echoes(), "the shell's lines would not be seen");
    session.signal(Signal::CONT);
    session.shows(&format!("{FIRST}{FIRST}"));
    assert!(!session.echoes());
    session.types(b"secret\r");
    session.shows(&format!("{FIRST}{BOTH}"));
    session.types(b"secret\r");
    let (status, out) = session.end();
    assert!(status.success() && matches(out.trim_end(), b"secret"), "{:?}", session.shown);
}

/// The hashing itself, which may take days, can be interrupted as well.
#[test]
fn an_interrupt_ends_the_hashing() {
    use std::os::unix::process::ExitStatusExt;
    let mut session = Session::start(&["--cost=31"]);
    for shown in [FIRST, BOTH] {
        session.shows(shown);
        session.types(b"secret\r");
    }
    let deadline = Instant::now() + PATIENCE;
    while !session.echoes() {
        assert!(Instant::now() < deadline, "the terminal does not show what is typed");
        std::thread::sleep(Duration::from_millis(5));
    }
    session.types(b"\x03");
    let (status, out) = session.end();
    assert_eq!((status.signal(), out.as_str()), (Some(Signal::INT.as_raw()), ""));
}
