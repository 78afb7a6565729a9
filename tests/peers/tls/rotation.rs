//! Certificates that are replaced a hundred times while six clients scrape: nobody notices but by the certificate.

use std::fs;

use crate::pki::{P256, Pair, Pki, RSA};
use crate::tls::server::{Counters, Served, Way, interpreter};

/// What came of it, after a server was told of its files by `pair`.
struct Rotated {
    served: Served,
    counters: Counters,
    scrapes: u64,
}

impl Rotated {
    /// Rotates, and holds that no scrape failed and that each client got some.
    fn run(pki: &Pki, manner: &str, rounds: u64, pair: &Pair) -> Self {
        let served = Served::start(pair, &[]);
        let mut counters = Counters::open(&Way::new(served.address, &pki.ca()));
        let output = interpreter("rotation.py")
            .args([manner, &rounds.to_string(), &served.address.port().to_string(), &pki.ca()])
            .arg(pki.scratch().path())
            .args(["first", "second"])
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let value = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("no {name} in {said}")).to_owned()
        };
        assert_eq!(value("failure"), "None", "{manner}: {:?}", counters.read());
        let number = |name| value(name).parse::<u64>().expect("a number");
        assert!(number("least scrapes") > 0, "{said}");
        let counted = counters.read();
        let failed: Vec<_> = counted
            .iter()
            .filter(|(name, count)| {
                **count > 0 && !["handshakes", "reloads", "reload_failures"].contains(&&***name)
            })
            .collect();
        assert!(failed.is_empty(), "{manner}: {failed:?}");
        Self { served, counters, scrapes: number("scrapes") }
    }

    fn count(&mut self, name: &str) -> u64 {
        self.counters.read()[name]
    }
}

/// Two pairs, the first of them in place.
fn pairs(together: bool) -> (Pki, Pair) {
    let pki = Pki::new();
    let first = pki.server("first", P256);
    pki.server("second", RSA);
    let server = Pair { cert: pki.path("server.pem"), key: pki.path("server.key") };
    if together {
        let both = crate::pki::read(&first.cert) + &crate::pki::read(&first.key);
        pki.scratch().write("server.pem", &both);
        return (pki, Pair { key: server.cert.clone(), ..server });
    }
    fs::copy(&first.cert, &server.cert).expect("a file can be copied");
    fs::copy(&first.key, &server.key).expect("a file can be copied");
    (pki, server)
}

#[test]
fn one_file_that_is_replaced_in_one_step() {
    let (pki, pair) = pairs(true);
    let mut rotated = Rotated::run(&pki, "together", 100, &pair);
    assert_eq!(rotated.count("reloads"), 100);
    assert_eq!(rotated.count("reload_failures"), 0);
    assert!(rotated.scrapes > 100);
    assert_eq!(rotated.served.reload(), Ok(()));
}

#[test]
fn the_key_first_and_then_the_certificate() {
    let (pki, pair) = pairs(false);
    let mut rotated = Rotated::run(&pki, "key_first", 100, &pair);
    assert_eq!(rotated.count("reloads"), 100);
    assert_eq!(rotated.count("reload_failures"), 100);
    assert_eq!(rotated.served.reload(), Ok(()));
}

#[test]
fn files_that_are_written_over() {
    // A file may be seen when only part of it has been written; it counts as one that cannot be used. It may also be
    // read whole by a look that began before its last write: the next look finds it newer and takes it once more.
    let (pki, pair) = pairs(false);
    let mut rotated = Rotated::run(&pki, "in_place", 30, &pair);
    let reloads = rotated.count("reloads");
    assert!((30..=60).contains(&reloads), "{reloads}");
    assert!(rotated.count("reload_failures") >= 30);
    assert_eq!(rotated.served.reload(), Ok(()));
}

#[test]
fn a_broken_key_changes_nothing_but_the_count() {
    let (pki, pair) = pairs(false);
    let mut rotated = Rotated::run(&pki, "broken", 20, &pair);
    // In each round the key from before, and the new pair.
    assert_eq!(rotated.count("reloads"), 40);
    // The broken key, none at all, and perhaps the moment in which only the new key is there.
    let failures = rotated.count("reload_failures");
    assert!((40..=60).contains(&failures), "{failures}");
    let before = rotated.counters.not_after();
    fs::write(&pair.key, "").expect("a file can be written");
    let problem = rotated.served.reload().unwrap_err();
    assert!(problem.contains("keyfile") && problem.contains("there is no private key"), "{problem}");
    assert_eq!(rotated.served.reload().unwrap_err(), problem, "told each time, counted once");
    assert_eq!(rotated.count("reload_failures"), failures + 1);
    assert_eq!(rotated.counters.not_after(), before);
    fs::write(&pair.cert, "").expect("a file can be written");
    let problem = rotated.served.reload().unwrap_err();
    assert!(problem.contains("certfile"), "{problem}");
    assert_eq!(rotated.count("reload_failures"), failures + 2);
}
