//! SHA-256 (FIPS 180-4) and base64 (RFC 4648 §4) for the compiler: the page's policy names its parts by their digests,
//! also in a build without cryptography. Nothing here runs in the program.

/// The fractional parts of the cube roots of the first 64 primes.
const K: [u32; 64] = roots::<64>(true);
/// Those of the square roots of the first eight.
const START: [u32; 8] = roots::<8>(false);

/// The sum of words, modulo 2^32. Without calls, which the compiler counts when it evaluates: it refuses to make many.
macro_rules! sum {
    ($($word:expr),+) => {
        ($($word as u64 +)+ 0) as u32
    };
}

/// The digest of a text.
pub(super) const fn sha256(text: &[u8]) -> [u8; 32] {
    let mut state = START;
    let blocks = (text.len() + 8) / 64 + 1;
    let mut block = 0;
    while block < blocks {
        state = compress(state, schedule(text, block, block + 1 == blocks));
        block += 1;
    }
    let mut out = [0; 32];
    let mut at = 0;
    while at < 32 {
        out[at] = (state[at / 4] >> (24 - 8 * (at % 4))) as u8;
        at += 1;
    }
    out
}

/// The words of a block, padded behind the end of the text.
const fn schedule(text: &[u8], block: usize, last: bool) -> [u32; 64] {
    let mut words = [0_u32; 64];
    let mut at = 0;
    while at < 64 {
        let place = 64 * block + at;
        let byte = if place < text.len() {
            text[place]
        } else if place == text.len() {
            0x80
        } else {
            0
        };
        words[at / 4] = words[at / 4] << 8 | byte as u32;
        at += 1;
    }
    if last {
        let bits = 8 * text.len() as u64;
        words[14] = (bits >> 32) as u32;
        words[15] = bits as u32;
    }
    let mut at = 16;
    while at < 64 {
        let (a, b) = (words[at - 15], words[at - 2]);
        let low = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
        let high = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
        words[at] = sum!(words[at - 16], low, words[at - 7], high);
        at += 1;
    }
    words
}

const fn compress(state: [u32; 8], words: [u32; 64]) -> [u32; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    let mut at = 0;
    while at < 64 {
        let high = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = e & f ^ !e & g;
        let first = sum!(h, high, choice, K[at], words[at]);
        let low = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = a & b ^ a & c ^ b & c;
        (h, g, f, e) = (g, f, e, sum!(d, first));
        (d, c, b, a) = (c, b, a, sum!(first, low, majority));
        at += 1;
    }
    let new = [a, b, c, d, e, f, g, h];
    let mut sum = state;
    let mut at = 0;
    while at < 8 {
        sum[at] = sum!(sum[at], new[at]);
        at += 1;
    }
    sum
}

/// The first 32 bits behind the point of the cube or square roots of the primes.
const fn roots<const N: usize>(cube: bool) -> [u32; N] {
    let mut out = [0; N];
    let (mut found, mut number) = (0, 2_u128);
    while found < N {
        if is_prime(number) {
            // The root of a number times 2^96 or 2^64 has 32 bits more.
            let wanted = if cube { number << 96 } else { number << 64 };
            let (mut root, mut bit) = (0_u128, 1 << 36);
            while bit > 0 {
                let more = root | bit;
                let power = if cube { more * more * more } else { more * more };
                if power <= wanted {
                    root = more;
                }
                bit >>= 1;
            }
            out[found] = root as u32;
            found += 1;
        }
        number += 1;
    }
    out
}

const fn is_prime(number: u128) -> bool {
    let mut divisor = 2;
    while divisor * divisor <= number {
        if number % divisor == 0 {
            return false;
        }
        divisor += 1;
    }
    true
}

/// A digest in base64, padded.
pub(super) const fn base64(digest: &[u8; 32]) -> [u8; 44] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = [b'='; 44];
    let mut at = 0;
    while at < 43 {
        let bit = 6 * at;
        let low = if bit / 8 + 1 < 32 { digest[bit / 8 + 1] } else { 0 };
        let two = (digest[bit / 8] as usize) << 8 | low as usize;
        out[at] = ALPHABET[two >> (10 - bit % 8) & 63];
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn told(text: &[u8]) -> String {
        String::from_utf8(base64(&sha256(text)).into()).unwrap()
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-4's own examples, and every length around the end of a block.
        assert_eq!(told(b"abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(told(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn digests_of_every_length_are_as_those_of_the_library() {
        let text = [b'x'; 200];
        for length in 0..text.len() {
            let expected = ring::digest::digest(&ring::digest::SHA256, &text[..length]);
            assert_eq!(sha256(&text[..length]), expected.as_ref(), "{length}");
        }
    }
}
