//! Passwords are guessed at, and whoever knows one does not notice.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

mod support;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use scrapeport::server::ServerBuilder;
use scrapeport::{Counter, Registry, Server};
use support::*;

static HITS: Counter = Counter::new("app_hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

/// Of "secret", with 2^4 rounds.
const HASH: &str = "$2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK";
const ROUNDS: &str = "scrapeport_web_config_bcrypt_rounds_total";

struct Guarded {
    server: Server,
    thread: JoinHandle<()>,
    file: PathBuf,
}

impl Guarded {
    fn start(users: &[(&str, &str)]) -> Self {
        Self::start_with(users, |builder| builder)
    }

    fn start_with(users: &[(&str, &str)], set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let file = temporary("guessing.yml");
        let users: String = users.iter().map(|(name, hash)| format!("  {name}: {hash}\n")).collect();
        fs::write(&file, format!("basic_auth_users:\n{users}")).unwrap();
        let builder = set(Server::builder(&REGISTRY).web_config_file(&file));
        let (server, thread) = builder.start_on("127.0.0.1:0").expect("a good file");
        Self { server, thread, file }
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addr().expect("a TCP address")
    }

    fn end(self) {
        self.server.shutdown();
        self.thread.join().expect("no panic");
        fs::remove_file(self.file).unwrap();
    }
}

fn request(user: &str, password: &str) -> String {
    let code = base64(format!("{user}:{password}").as_bytes());
    format!("GET /metrics HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {code}\r\n\r\n")
}

/// A scrape by somebody who has logged in before, on a connection of its own; so often it was pushed out.
fn known_scrape(address: SocketAddr) -> usize {
    for pushed_out in 0..200 {
        match ask(&mut connect(address), &request("alice", "secret")) {
            Ok(reply) => {
                assert_eq!(reply.status, 200, "{}", reply.head);
                return pushed_out;
            }
            Err(_) => thread::yield_now(),
        }
    }
    panic!("a scraper that has logged in is kept out");
}

#[test]
fn a_thousand_guesses_do_not_keep_a_scraper_out() {
    const GUESSERS: usize = 50;
    const GUESSES: usize = 20;
    let _alone = alone();
    let guarded = Guarded::start(&[("alice", HASH)]);
    let address = guarded.address();
    let mut kept = connect(address);
    let scrape = |kept: &mut TcpStream| ask(kept, &request("alice", "secret")).expect("it is never given up");
    let before = scrape(&mut kept).sample(ROUNDS);

    let done = AtomicBool::new(false);
    let (denied, busy, sent) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let guesser = |number: usize| {
        let mut stream = connect(address);
        let mut left = GUESSES;
        while left > 0 {
            let user = if left % 2 == 0 { "alice" } else { "mallory" };
            sent.fetch_add(1, SeqCst);
            match ask(&mut stream, &request(user, &format!("guess {number} {left}"))) {
                Ok(reply) => {
                    left -= 1;
                    match reply.status {
                        401 => denied.fetch_add(1, SeqCst),
                        503 => busy.fetch_add(1, SeqCst),
                        other => panic!("{other} to a guess"),
                    };
                    if reply.has("Connection: close") {
                        stream = connect(address);
                    }
                }
                // Given up for somebody else.
                Err(_) => stream = connect(address),
            }
        }
    };
    let (kept_scrapes, fresh_scrapes) = thread::scope(|scope| {
        let fresh = scope.spawn(|| {
            let mut scrapes = 0;
            while !done.load(SeqCst) {
                known_scrape(address);
                scrapes += 1;
            }
            scrapes
        });
        let kept_scrapes = scope.spawn(|| {
            let mut scrapes = 0;
            while !done.load(SeqCst) {
                assert_eq!(scrape(&mut kept).status, 200);
                scrapes += 1;
            }
            scrapes
        });
        let guessers: Vec<_> = (0..GUESSERS)
            .map(|number| {
                scope.spawn({
                    let guesser = &guesser;
                    move || guesser(number)
                })
            })
            .collect();
        let results: Vec<_> = guessers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, SeqCst);
        assert!(results.iter().all(Result::is_ok), "no surprise");
        (kept_scrapes.join().expect("never kept out"), fresh.join().expect("never kept out"))
    });
    let (denied, busy, sent) = (denied.into_inner(), busy.into_inner(), sent.into_inner());
    assert_eq!(denied + busy, GUESSERS * GUESSES);
    assert!(kept_scrapes > 0 && fresh_scrapes > 0, "{kept_scrapes} kept, {fresh_scrapes} fresh");
    // Every denial cost a password, nothing else did, and no scrape of those who are known.
    let spent = (scrape(&mut kept).sample(ROUNDS) - before) as usize;
    assert!((16 * denied..=16 * sent).contains(&spent), "{spent} rounds, {denied} denied of {sent}");
    guarded.end();
}

/// The work is what a clock could tell, so it is what must not differ.
#[test]
fn a_guess_costs_the_same_whoever_is_named() {
    let _alone = alone();
    let hash_5 = HASH.replace("$04$", "$05$");
    let guarded = Guarded::start(&[("alice", HASH), ("bob", &hash_5), ("carol", HASH)]);
    let mut stream = connect(guarded.address());
    let rounds =
        |stream: &mut TcpStream| ask(stream, &request("alice", "secret")).expect("kept").sample(ROUNDS);
    rounds(&mut stream);
    for user in ["alice", "bob", "carol", "mallory", "", "Alice", "alice "] {
        let before = rounds(&mut stream);
        let reply = ask(&mut stream, &request(user, "wrong")).expect("kept");
        assert_eq!(reply.status, 401);
        assert_eq!(rounds(&mut stream) - before, 32.0, "{user:?}");
    }
    let before = rounds(&mut stream);
    assert_eq!(get(&mut stream).expect("kept").status, 401);
    assert_eq!(rounds(&mut stream) - before, 0.0, "nobody was named");
    guarded.end();
}

/// Who waits longer for a password than a response may take still gets the answer.
#[test]
fn a_slow_password_takes_no_time_from_the_response() {
    let _alone = alone();
    let costly = HASH.replace("$04$", "$13$");
    let limit = Duration::from_millis(300);
    let guarded = Guarded::start_with(&[("bob", &costly)], |builder| builder.response_timeout(limit));
    let address = guarded.address();
    let before = Instant::now();
    thread::scope(|scope| {
        let guess = |number: usize| ask(&mut connect(address), &request("bob", &number.to_string()));
        let guessers: Vec<_> = (0..3).map(|number| scope.spawn(move || guess(number))).collect();
        for guesser in guessers {
            let reply = guesser.join().expect("no surprise").expect("an answer");
            assert_eq!(reply.status, 401);
        }
    });
    assert!(before.elapsed() > limit, "this machine needs a dearer hash");
    guarded.end();
}

#[test]
fn a_shutdown_waits_for_one_password_at_most() {
    let _alone = alone();
    let costly = HASH.replace("$04$", "$11$");
    let guarded = Guarded::start(&[("alice", HASH), ("bob", &costly)]);
    let address = guarded.address();
    let mut stream = connect(address);
    let before = ask(&mut stream, &request("alice", "secret")).expect("kept").sample(ROUNDS);
    thread::scope(|scope| {
        let streams: Vec<_> = (0..6).map(|_| connect(address)).collect();
        let guess =
            |(number, mut stream): (usize, TcpStream)| ask(&mut stream, &request("bob", &number.to_string()));
        let guessers: Vec<_> =
            streams.into_iter().enumerate().map(|guesser| scope.spawn(move || guess(guesser))).collect();
        eventually("a password is being verified", || {
            ask(&mut stream, &request("alice", "secret")).expect("kept").sample(ROUNDS) > before
        });
        guarded.end();
        for guesser in guessers {
            // Too late for an answer is an answer too.
            if let Ok(reply) = guesser.join().expect("no surprise") {
                assert!([401, 503].contains(&reply.status), "{}", reply.head);
            }
        }
    });
}
