//! What the fuzz targets run, and what they hold to be true. The corpus is replayed by every `cargo test`.

use std::vec::Vec;

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
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_corpus_holds() {
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 1] = [("authorization", super::authorization)];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
            let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
            let inputs: std::vec::Vec<_> = files.map(|file| fs::read(file).unwrap()).collect();
            assert!(!inputs.is_empty());
            inputs.iter().for_each(|input| target(input));
        }
    }
}
