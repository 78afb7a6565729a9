//! Basic authentication (RFC 7617): credentials against the users of the file.
//!
//! A login that succeeded before is recognised at once. Any other costs one bcrypt, one at a time; the others wait in
//! a short queue. A failed login costs the same number of rounds whoever the user is, also if there is none: a guess
//! does not tell names. (The reference has one fixed cost for unknown users, which tells those of another cost.)
//!
//! A request without credentials, or with malformed ones, is denied without work, as in the reference: the answer
//! depends on no user, so there is nothing to hide.

use core::time::Duration;
use std::boxed::Box;

use ring::error::Unspecified;

use super::authorization::Credentials;
use super::bcrypt_hash::{BcryptHash, LONGEST_PASSWORD, waste};
use super::memory::{Login, Memory};
use super::turns::Turns;
use super::users::Users;
use crate::web_config::metrics::BCRYPT_ROUNDS;

/// Whoever has waited so long for a bcrypt is told to come again: as long as a response may take. The client has most
/// likely given up by then, and a bcrypt for nobody would only make those behind it wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is said to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allowed,
    /// No credentials, or wrong ones.
    Denied,
    /// Too many passwords wait to be verified, or this one has waited too long, or the server is shutting down.
    Busy,
}

/// Verifies credentials. Shared by all threads of a server; it outlives changes of the file.
pub(crate) struct Verifier {
    /// Four kilobytes: not on anybody's stack.
    memory: Box<Memory>,
    turns: Turns,
    /// Of this one alone; tests run side by side.
    #[cfg(test)]
    rounds: crate::cell::Cell64,
}

impl Verifier {
    /// Lets so many requests wait for the one bcrypt that runs. Each holds its thread: with fewer than the server has
    /// threads, less one, known clients are always served.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(crate) fn new(waiting: usize) -> Result<Self, Unspecified> {
        Ok(Self {
            memory: Box::new(Memory::new()?),
            turns: Turns::new(waiting, LONGEST_WAIT),
            #[cfg(test)]
            rounds: crate::cell::Cell64::new(0),
        })
    }

    /// Decides on the value of an `Authorization` field. Blocks for a bcrypt, and for those of others who came before;
    /// takes no heap. A remembered login waits for nobody.
    pub(crate) fn verify(&self, users: &Users, authorization: Option<&[u8]>) -> Outcome {
        let Some(credentials) = authorization.and_then(Credentials::parse) else { return Outcome::Denied };
        let (name, password) = (credentials.user(), credentials.password());
        // What does not count must not make another login of it: a single user could fill the memory.
        let password = &password[..password.len().min(LONGEST_PASSWORD)];
        let user = users.find(name);
        // For unknown users as well, so that they take the same time; they never get into the memory.
        let text = user.map(|user| user.text.as_bytes()).unwrap_or_default();
        let login = self.memory.login(name, text, password);
        if self.memory.knows(&login) {
            return Outcome::Allowed;
        }
        let hash = user.and_then(|user| user.hash.as_ref());
        let Some(_turn) = self.turns.wait() else { return Outcome::Busy };
        // Perhaps the same credentials were waiting in front.
        if self.memory.knows(&login) {
            return Outcome::Allowed;
        }
        self.work(hash, users.cost(), password, &login)
    }

    /// From now on nobody waits: whoever does gets [`Outcome::Busy`] at once, and so does everybody who would need a
    /// bcrypt. For the shutdown of the server.
    ///
    /// A bcrypt that runs cannot be interrupted: at cost 14 it takes a second or several on a device, at 31 days. The
    /// supervisor of the server gives up on a thread that is still busy when its grace time is over.
    pub(crate) fn close(&self) {
        self.turns.close();
    }

    #[cfg(test)]
    fn rounds(&self) -> u64 {
        self.rounds.load()
    }

    /// Verifies, and fills up with idle work what a failure costs less than the highest cost: 2^c + 2^c + 2^(c+1) +
    /// … + 2^(m-1) = 2^m rounds.
    fn work(&self, hash: Option<&BcryptHash>, highest: u32, password: &[u8], login: &Login) -> Outcome {
        let Some(hash) = hash else {
            self.count(highest);
            waste(highest, password);
            return Outcome::Denied;
        };
        self.count(hash.cost());
        if hash.verify(password) {
            self.memory.keep(login);
            return Outcome::Allowed;
        }
        for cost in hash.cost()..highest {
            if self.turns.is_closed() {
                return Outcome::Busy;
            }
            self.count(cost);
            waste(cost, password);
        }
        Outcome::Denied
    }

    fn count(&self, cost: u32) {
        #[cfg(test)]
        self.rounds.add(1 << cost);
        BCRYPT_ROUNDS.inc_by(1 << cost);
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::thread;
    use std::vec::Vec;

    use base64::Engine;

    use super::super::bcrypt_hash::generate;
    use super::super::memory::LOGINS;
    use super::*;

    fn hash(cost: u32, password: &str) -> String {
        String::from_utf8(generate(cost, [9; 16], password.as_bytes()).into()).unwrap()
    }

    fn basic(user: &str, password: &str) -> Vec<u8> {
        let text = [user, ":", password].concat();
        let mut value = std::vec![0; 6 + text.len() * 2 + 4];
        value[..6].copy_from_slice(b"Basic ");
        let engine = base64::engine::general_purpose::STANDARD;
        let length = engine.encode_slice(text, &mut value[6..]).unwrap();
        value.truncate(6 + length);
        value
    }

    fn users(entries: &[(&str, u32, &str)]) -> Users {
        Users::new(entries.iter().map(|&(name, cost, password)| (name, hash(cost, password))))
    }

    struct Door {
        verifier: Verifier,
        users: Users,
    }

    impl Door {
        fn new(waiting: usize, users: Users) -> Self {
            Self { verifier: Verifier::new(waiting).unwrap(), users }
        }

        fn ask(&self, user: &str, password: &str) -> Outcome {
            self.verifier.verify(&self.users, Some(&basic(user, password)))
        }

        /// What it costs to ask.
        fn rounds(&self, user: &str, password: &str, expected: Outcome) -> u64 {
            let before = self.verifier.rounds();
            assert_eq!(self.ask(user, password), expected, "{user}:{password}");
            self.verifier.rounds() - before
        }
    }

    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            thread::yield_now();
        }
    }

    #[test]
    fn only_the_first_login_costs_anything() {
        let door = Door::new(0, users(&[("alice", 4, "secret"), ("bob", 5, "other")]));
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 16);
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 0);
        assert_eq!(door.rounds("bob", "other", Outcome::Allowed), 32);
        assert_eq!(door.rounds("bob", "other", Outcome::Allowed), 0);
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 0);
    }

    #[test]
    fn every_failure_costs_the_same() {
        let hopeless = hash(4, "x").replacen("$04$", "$20$", 1)[..59].into();
        let entries = [
            ("four", hash(4, "a")),
            ("five", hash(5, "a")),
            ("seven", hash(7, "a")),
            ("bad", String::from("no hash")),
            ("hopeless", hopeless),
            ("with:colon", hash(4, "a")),
        ];
        let door = Door::new(0, Users::new(entries));
        for name in ["four", "five", "seven", "bad", "hopeless", "with:colon", "with", "nobody", "", "FOUR"] {
            for _ in 0..2 {
                assert_eq!(door.rounds(name, "wrong", Outcome::Denied), 128, "{name}");
            }
        }
        assert_eq!(door.rounds("with", "colon:a", Outcome::Denied), 128);
        assert_eq!(door.rounds("four", "a", Outcome::Allowed), 16);
        assert_eq!(door.rounds("four", "b", Outcome::Denied), 128);
        assert_eq!(Door::new(0, Users::new([("a", "no hash")])).rounds("b", "c", Outcome::Denied), 1 << 10);
    }

    #[test]
    fn without_credentials_there_is_no_work() {
        let door = Door::new(0, users(&[("alice", 4, "secret")]));
        for value in [None, Some(&b""[..]), Some(b"Basic"), Some(b"Bearer x"), Some(b"Basic YWxpY2U=")] {
            assert_eq!(door.verifier.verify(&door.users, value), Outcome::Denied);
        }
        assert_eq!(door.verifier.rounds(), 0);
    }

    #[test]
    fn user_and_password_are_not_simply_joined() {
        let door = Door::new(0, users(&[("alice", 4, "secret"), ("alices", 4, "other"), ("alic", 4, "x")]));
        assert_eq!(door.ask("alice", "secret"), Outcome::Allowed);
        for (user, password) in
            [("alices", "ecret"), ("alic", "esecret"), ("alic", "e:secret"), ("", "alicesecret")]
        {
            assert_eq!(door.ask(user, password), Outcome::Denied);
        }
        // As in CVE-2022-46146: a password that continues as the joined key would.
        let text = hash(4, "secret");
        assert_eq!(door.ask("alice", &[&text, "secret"].concat()), Outcome::Denied);
        assert_eq!(door.ask("alices", &text), Outcome::Denied);
    }

    #[test]
    fn a_changed_hash_is_another_login() {
        let mut door = Door::new(0, users(&[("alice", 4, "secret")]));
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 16);
        door.users = users(&[("alice", 4, "new")]);
        assert_eq!(door.rounds("alice", "secret", Outcome::Denied), 16);
        assert_eq!(door.rounds("alice", "new", Outcome::Allowed), 16);
        door.users = users(&[("alice", 5, "secret")]);
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 32);
        door.users = users(&[("bob", 5, "secret")]);
        assert_eq!(door.rounds("alice", "secret", Outcome::Denied), 32, "the user has gone");
        door.users = users(&[("alice", 4, "secret")]);
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 0, "and is back");
    }

    #[test]
    fn what_stands_behind_72_bytes_makes_no_other_login() {
        let long = "x".repeat(72);
        let door = Door::new(0, users(&[("alice", 4, &long)]));
        assert_eq!(door.rounds("alice", &long, Outcome::Allowed), 16);
        assert_eq!(door.rounds("alice", &[&long, "y"].concat(), Outcome::Allowed), 0);
        assert_eq!(door.rounds("alice", &long[1..], Outcome::Denied), 16);
    }

    #[test]
    fn guesses_do_not_push_out_a_login() {
        let door = Door::new(0, users(&[("alice", 4, "secret")]));
        assert_eq!(door.ask("alice", "secret"), Outcome::Allowed);
        for number in 0..2 * LOGINS {
            assert_eq!(door.ask("alice", std::format!("{number}").as_str()), Outcome::Denied);
        }
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 0);
    }

    #[test]
    fn a_known_login_does_not_wait_for_guesses() {
        let door = Door::new(10, users(&[("alice", 4, "secret")]));
        assert_eq!(door.ask("alice", "secret"), Outcome::Allowed);
        // Somebody else's bcrypt, for as long as we like.
        let turn = door.verifier.turns.wait();
        let outcomes = thread::scope(|scope| {
            let guesses: Vec<_> = (0..50)
                .map(|number| {
                    let door = &door;
                    scope.spawn(move || door.ask("alice", std::format!("{number}").as_str()))
                })
                .collect();
            until(|| door.verifier.turns.queued() == 11);
            until(|| guesses.iter().filter(|guess| guess.is_finished()).count() == 40);
            for _ in 0..1_000 {
                assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 0);
            }
            assert_eq!(door.ask("alice", "another guess"), Outcome::Busy);
            drop(turn);
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect::<Vec<_>>()
        });
        let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        assert_eq!((count(Outcome::Busy), count(Outcome::Denied)), (40, 10));
        assert_eq!(door.verifier.rounds(), 16 + 10 * 16);
    }

    #[test]
    fn those_who_wait_with_the_same_credentials_cost_one_bcrypt() {
        let door = Door::new(20, users(&[("alice", 4, "secret")]));
        let turn = door.verifier.turns.wait();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..20).map(|_| scope.spawn(|| door.ask("alice", "secret"))).collect();
            until(|| door.verifier.turns.queued() == 21);
            drop(turn);
            assert!(clients.into_iter().all(|client| client.join().unwrap() == Outcome::Allowed));
        });
        assert_eq!(door.verifier.rounds(), 16);
    }

    #[test]
    fn closing_frees_those_who_wait_but_not_the_known() {
        let door = Door::new(20, users(&[("alice", 4, "secret"), ("bob", 6, "other")]));
        assert_eq!(door.ask("alice", "secret"), Outcome::Allowed);
        let _turn = door.verifier.turns.wait();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..5).map(|_| scope.spawn(|| door.ask("bob", "other"))).collect();
            until(|| door.verifier.turns.queued() == 6);
            door.verifier.close();
            assert!(clients.into_iter().all(|client| client.join().unwrap() == Outcome::Busy));
        });
        assert_eq!(door.ask("bob", "other"), Outcome::Busy);
        assert_eq!(door.rounds("alice", "secret", Outcome::Allowed), 0);
        assert_eq!(door.verifier.rounds(), 16);
        let known = door.users.find(b"alice").and_then(|user| user.hash.as_ref());
        let login = door.verifier.memory.login(b"alice", b"", b"");
        assert_eq!(door.verifier.work(known, 20, b"wrong", &login), Outcome::Busy, "no idle work any more");
        assert_eq!(door.verifier.rounds(), 32);
    }
}
