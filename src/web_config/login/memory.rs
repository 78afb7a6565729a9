//! The logins that have succeeded, so that a scraper does not cost a bcrypt each time.
//!
//! Only successes: somebody who guesses cannot push out those who know. What is kept is a keyed digest, from which
//! nobody reads a password, and whose key is nowhere else. It covers the hash too: a changed one is another login.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::error::Unspecified;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::SystemRandom;

use crate::tls::wait_for_random_numbers;

/// Logins that are remembered, as in the reference.
pub(super) const LOGINS: usize = 100;

const DIGEST: usize = 32;

/// A login: user, hash and password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Login([u8; DIGEST]);

/// The logins that succeeded.
pub(super) struct Memory {
    key: hmac::Key,
    /// Held for a look at the table, never while a password is verified.
    table: Mutex<Table>,
}

struct Table {
    entries: [Entry; LOGINS],
    /// Counts the uses, so that the oldest is known.
    uses: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    login: Login,
    /// Zero: the entry is free.
    used: u64,
}

impl Memory {
    pub(super) fn new() -> Result<Self, Unspecified> {
        wait_for_random_numbers();
        let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new())?;
        let free = Entry { login: Login([0; DIGEST]), used: 0 };
        Ok(Self { key, table: Mutex::new(Table { entries: [free; LOGINS], uses: 0 }) })
    }

    /// Joins the three with the lengths of the first two, so that no others give the same (CVE-2022-46146).
    pub(super) fn login(&self, user: &[u8], hash: &[u8], password: &[u8]) -> Login {
        let mut digest = hmac::Context::with_key(&self.key);
        for part in [user, hash] {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update(password);
        let mut login = Login([0; DIGEST]);
        let tag = digest.sign();
        let length = tag.as_ref().len().min(DIGEST);
        login.0[..length].copy_from_slice(&tag.as_ref()[..length]);
        login
    }

    /// Whether this login has succeeded before. Takes no heap.
    pub(super) fn knows(&self, login: &Login) -> bool {
        self.table().find(login).is_some()
    }

    /// Keeps a login; the one that has not been used for longest gives way.
    pub(super) fn keep(&self, login: &Login) {
        let mut table = self.table();
        if table.find(login).is_some() {
            return;
        }
        let used = table.next();
        if let Some(oldest) = table.entries.iter_mut().min_by_key(|entry| entry.used) {
            *oldest = Entry { login: *login, used };
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Finds a login, and marks it as used. The digests' key is secret: how long a comparison takes tells nothing.
    fn find(&mut self, login: &Login) -> Option<()> {
        let used = self.next();
        let found = self.entries.iter_mut().find(|entry| entry.used != 0 && entry.login == *login)?;
        found.used = used;
        Some(())
    }

    fn next(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way() {
        let memory = Memory::new().unwrap();
        let login = |number: usize| memory.login(b"user", b"hash", &number.to_le_bytes());
        for number in 0..LOGINS {
            memory.keep(&login(number));
        }
        assert!((0..LOGINS).all(|number| memory.knows(&login(number))));
        assert!(memory.knows(&login(0)), "used again");
        memory.keep(&login(2));
        memory.keep(&login(LOGINS));
        memory.keep(&login(LOGINS + 1));
        for number in [0, 2, 4, LOGINS, LOGINS + 1] {
            assert!(memory.knows(&login(number)), "{number}");
        }
        assert!(!memory.knows(&login(1)) && !memory.knows(&login(3)));
    }

    #[test]
    fn no_other_parts_make_the_same_login() {
        let memory = Memory::new().unwrap();
        let parts: [[&[u8]; 3]; 9] = [
            [b"user", b"hash", b"password"],
            [b"userh", b"ash", b"password"],
            [b"user", b"hashp", b"assword"],
            [b"use", b"rhash", b"password"],
            [b"", b"userhash", b"password"],
            [b"", b"", b"userhashpassword"],
            [b"userhashpassword", b"", b""],
            [b"user", b"", b"hashpassword"],
            [b"user", b"password", b"hash"],
        ];
        memory.keep(&memory.login(parts[0][0], parts[0][1], parts[0][2]));
        let known = parts.map(|[user, hash, password]| memory.knows(&memory.login(user, hash, password)));
        assert_eq!(known, [true, false, false, false, false, false, false, false, false]);
    }

    #[test]
    fn nothing_is_known_at_first_and_each_memory_has_its_key() {
        let (one, other) = (Memory::new().unwrap(), Memory::new().unwrap());
        assert!(!one.knows(&Login([0; DIGEST])));
        assert!(one.login(b"a", b"b", b"c") != other.login(b"a", b"b", b"c"));
    }
}
