//! What a chip is called: after the place of its device, which does not change between boots, as the node exporter
//! has it.

use core::str;

/// The longest path that is followed.
const LONGEST: usize = 1024;

/// A path below sysfs, followed through the targets of symbolic links.
///
/// Links of sysfs lead to directories that hold no further links on the way, so `..` is what stands before it.
pub(super) struct Place {
    path: [u8; LONGEST],
    length: usize,
}

impl Place {
    pub(super) fn new(path: &[u8]) -> Self {
        let mut place = Self { path: [0; LONGEST], length: 0 };
        place.go(path);
        place
    }

    /// Goes on from here. What is too long leads nowhere.
    pub(super) fn go(&mut self, path: &[u8]) {
        if path.first() == Some(&b'/') {
            self.length = 0;
        }
        for part in path.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => self.length = self.so_far().iter().rposition(|byte| *byte == b'/').unwrap_or(0),
                part => {
                    let end = self.length + 1 + part.len();
                    match self.path.get_mut(self.length..end).and_then(<[u8]>::split_first_mut) {
                        Some((slash, room)) => {
                            *slash = b'/';
                            room.copy_from_slice(part);
                            self.length = end;
                        }
                        None => self.length = 0,
                    }
                }
            }
        }
    }

    /// The last directory of the path, and the one that it is in.
    pub(super) fn last_two(&self) -> (&[u8], &[u8]) {
        let mut parts = self.so_far().rsplit(|byte| *byte == b'/');
        let last = parts.next().unwrap_or_default();
        (parts.next().unwrap_or_default(), last)
    }

    fn so_far(&self) -> &[u8] {
        self.path.get(..self.length).unwrap_or_default()
    }
}

/// Adds text fit for a label or a part of a name: small letters, digits, colons and underscores.
pub(super) fn clean(text: &[u8], into: &mut Clean) -> usize {
    let mut length = 0;
    let mut put = |byte| {
        // None at the beginning.
        if byte != b'_' || length > 0 {
            if let Some(place) = into.get_mut(length) {
                *place = byte;
                length += 1;
            }
        }
    };
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.to_ascii_lowercase() {
                character @ ('a'..='z' | '0'..='9' | ':') => put(character as u8),
                _ => put(b'_'),
            }
        }
        chunk.invalid().iter().for_each(|_| put(b'_'));
    }
    let text = into.get(..length).unwrap_or_default();
    text.iter().rposition(|byte| *byte != b'_').map_or(0, |last| last + 1)
}

/// Room for clean text; what does not fit is cut off.
pub(super) type Clean = [u8; CLEAN];

/// Empty room.
pub(super) const NOTHING: Clean = [0; CLEAN];

/// The longest name of a file.
const CLEAN: usize = 256;

/// Clean text as a string.
pub(super) fn cleaned<'a>(text: &[u8], into: &'a mut Clean) -> &'a str {
    let length = clean(text, into);
    into.get(..length).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::String;

    use super::*;

    fn is(text: &str) -> String {
        String::from(cleaned(text.as_bytes(), &mut NOTHING.clone()))
    }

    #[test]
    fn text_is_cleaned() {
        for (text, clean) in [
            ("coretemp.0", "coretemp_0"),
            ("0000:00:18.3", "0000:00:18_3"),
            ("NVMe-Pci", "nvme_pci"),
            ("__a__b__", "a__b"),
            ("\u{fc}a\u{fc}b", "a_b"),
            ("", ""),
            ("-._", ""),
            ("acpitz\n", "acpitz"),
        ] {
            assert_eq!(is(text), clean, "{text}");
        }
        let mut room = NOTHING;
        assert_eq!(cleaned(b"a\xff\xfeb", &mut room), "a__b");
        assert_eq!(cleaned(&[b'x'; 300], &mut room).len(), CLEAN);
    }

    #[test]
    fn links_are_followed() {
        let mut place = Place::new(b"class/hwmon");
        place.go(b"../../devices/platform/coretemp.0/hwmon/hwmon1");
        assert_eq!(place.last_two(), (&b"hwmon"[..], &b"hwmon1"[..]));
        place.go(b"../../../coretemp.0");
        assert_eq!(place.last_two(), (&b"platform"[..], &b"coretemp.0"[..]));
        place.go(b"/sys/devices/x/./y//");
        assert_eq!(place.last_two(), (&b"x"[..], &b"y"[..]));
        place.go(b"../../../../../../..");
        assert_eq!(place.last_two(), (&b""[..], &b""[..]));
        place.go(b"top");
        assert_eq!(place.last_two(), (&b""[..], &b"top"[..]));
        place.go(&[b'x'; 2000]);
        assert_eq!(place.last_two(), (&b""[..], &b""[..]));
    }

    proptest! {
        #[test]
        fn any_path_is_survived(paths in proptest::collection::vec("[./a-c]{0,40}", 0..8), text: std::vec::Vec<u8>) {
            let mut place = Place::new(b"");
            for path in &paths {
                place.go(path.as_bytes());
                let (above, last) = place.last_two();
                prop_assert!(!above.contains(&b'/') && !last.contains(&b'/') && last != b"..");
            }
            let mut room = NOTHING;
            let clean = cleaned(&text, &mut room);
            prop_assert!(!clean.starts_with('_') && !clean.ends_with('_'));
            prop_assert!(clean.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | ':' | '_')));
        }
    }
}
