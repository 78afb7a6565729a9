//! What the fuzz targets run, and what they hold to be true. The corpus is replayed by every `cargo test`.

use std::path::Path;
use std::vec::Vec;

use super::file::{Scope, read};

// ---- web_config ----

/// A file is read alike each time; faults are few and one line each; one that is good may be followed.
pub fn web_config(input: &[u8]) {
    let reading = read(input, Path::new("/etc/scrapeport"));
    let again = read(input, Path::new("/etc/scrapeport"));
    assert_eq!((&reading.config, &reading.faults), (&again.config, &again.faults));
    assert!(reading.faults.len() <= 100);
    let lines =
        1 + input.iter().filter(|byte| matches!(byte, b'\n' | b'\r' | 0x85 | 0xA8 | 0xA9)).count() as u32;
    for fault in reading.faults.iter().chain(&reading.warnings) {
        let text = std::string::ToString::to_string(fault);
        assert!(text.chars().all(|character| !character.is_control()), "{text:?}");
        // Whoever writes UTF-16 has line ends of another look.
        let wide = input.starts_with(b"\xFE\xFF") || input.starts_with(b"\xFF\xFE");
        assert!(wide || fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{text}");
    }
    // Header fields must not break the response.
    let mut fields = reading.config.headers.split(|byte| *byte == b'\n');
    assert!(fields.next_back().is_some_and(<[u8]>::is_empty));
    assert!(fields.all(|field| field.last() == Some(&b'\r') && !field[..field.len() - 1].contains(&b'\r')));
    if reading.faults.iter().all(|fault| fault.scope == Scope::User) {
        for user in &reading.config.users {
            assert!(!user.hash.is_empty() || !reading.faults.is_empty(), "{}", user.name);
        }
    }
}

// ---- authorization ----

use super::login::{Credentials, LONGEST};

/// The value of an `Authorization` field is read as the naive reader reads it.
pub fn authorization(input: &[u8]) {
    let credentials = Credentials::parse(input);
    let read = credentials.as_ref().map(|read| (read.user().to_vec(), read.password().to_vec()));
    assert_eq!(read, naive(input));
}

/// Reads bit by bit what [`Credentials`] reads with a table.
pub(super) fn naive(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if value.len() < 6 || !value[..6].eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let code = &value[6..];
    let padding = code.iter().rev().take_while(|byte| **byte == b'=').count();
    if code.len() % 4 != 0 || padding > 2 || code.len() > LONGEST {
        return None;
    }
    let mut bits = Vec::new();
    for byte in &code[..code.len() - padding] {
        let number = ALPHABET.iter().position(|letter| letter == byte)?;
        bits.extend((0..6).rev().map(|bit| (number >> bit) & 1));
    }
    let text: Vec<u8> =
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum * 2 + *bit as u8)).collect();
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some((text[..colon].to_vec(), text[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::http::fuzz::{inputs, replay};

    #[test]
    fn the_corpus_holds() {
        replay("fuzz/corpus/authorization", super::authorization);
        replay("tests/data/web", super::web_config);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn files_with_changes_are_survived(
            which: prop::sample::Index,
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, "[-:{}\\[\\],&*!|>'\"%#? \n\ta-c0~<]{1,3}"), 1..5),
        ) {
            let files = inputs("tests/data/web");
            let mut text = files[which.index(files.len())].clone();
            for (at, kind, new) in changes {
                let at = at.index(text.len() + 1);
                match kind {
                    0 => text.truncate(at),
                    1 if at < text.len() => { text.remove(at); }
                    _ => { text.splice(at..at, new.bytes()); }
                }
            }
            super::web_config(&text);
        }

        #[test]
        fn any_bytes_are_survived(bytes: std::vec::Vec<u8>) {
            super::web_config(&bytes);
        }
    }
}
