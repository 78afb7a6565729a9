//! Which of the enabled collectors a scrape wants: `collect[]=NAME` keeps only these, `exclude[]=NAME` drops these.

use std::format;
use std::string::String;

use crate::text::{form_decoded, pairs};

/// A set of collectors, by their place in the list of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selection(u64);

/// The most collectors that the program can have.
pub(crate) const MOST: usize = 64;

/// No collector has a longer name.
const LONGEST_NAME: usize = 512;

/// What a name in a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Enabled(usize),
    Disabled,
    No,
}

impl Selection {
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// Whether the collector at this place is wanted.
    pub(crate) const fn wants(self, place: usize) -> bool {
        place < MOST && self.0 >> place & 1 == 1
    }

    /// Reads a query string. Brackets may be percent-encoded, or left out after `collect`, as some clients of routers do.
    ///
    /// # Errors
    /// One line for the client.
    pub(crate) fn read(query: &[u8], known: impl Fn(&[u8]) -> Known) -> Result<Self, String> {
        let (mut collected, mut excluded) = (None, None);
        for (key, value) in pairs(query) {
            let is = |name: &[u8]| form_decoded(key).eq(name.iter().copied());
            let set = if is(b"collect[]") || is(b"collect") {
                &mut collected
            } else if is(b"exclude[]") {
                &mut excluded
            } else {
                continue;
            };
            let mut name = [0; LONGEST_NAME];
            let mut length = 0;
            for (place, byte) in name.iter_mut().zip(form_decoded(value)) {
                *place = byte;
                length += 1;
            }
            let name = name.get(..length).unwrap_or_default();
            match known(name) {
                Known::Enabled(place) => *set = Some(set.unwrap_or(0) | 1 << place.min(MOST - 1)),
                Known::Disabled => return Err(format!("disabled collector: {}", shown(name))),
                Known::No => return Err(format!("missing collector: {}", shown(name))),
            }
        }
        match (collected, excluded) {
            (Some(_), Some(_)) => Err(String::from("collect[] and exclude[] exclude each other")),
            (Some(places), None) => Ok(Self(places)),
            (None, Some(places)) => Ok(Self(!places)),
            (None, None) => Ok(Self::ALL),
        }
    }
}

/// A name of a request, fit for one line of text.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.chars().take(64).map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Result<Selection, String> {
        Selection::read(query.as_bytes(), |name| match name {
            b"cpu" => Known::Enabled(0),
            b"meminfo" => Known::Enabled(63),
            b"wifi" => Known::Disabled,
            _ => Known::No,
        })
    }

    #[test]
    fn queries_select() {
        assert_eq!(read("").unwrap(), Selection::ALL);
        for query in ["collect[]=cpu", "collect%5B%5D=cpu&x=y", "collect=%63pu", "name[]=a&collect%5b]=cpu"] {
            let set = read(query).unwrap();
            assert!(set.wants(0) && !set.wants(63), "{query}");
        }
        let set = read("exclude[]=cpu").unwrap();
        assert!(!set.wants(0) && set.wants(1) && set.wants(63) && !set.wants(64));
        let set = read("collect[]=cpu&collect[]=meminfo").unwrap();
        assert!(set.wants(0) && set.wants(63) && !set.wants(1));
    }

    #[test]
    fn wrong_queries_are_told() {
        for (query, line) in [
            ("collect[]=cpu&exclude[]=meminfo", "collect[] and exclude[] exclude each other"),
            ("collect[]=nope", "missing collector: nope"),
            ("exclude[]=wifi", "disabled collector: wifi"),
            ("collect[]=a%0d%0ab", "missing collector: a??b"),
        ] {
            assert_eq!(read(query).unwrap_err(), line);
        }
    }

    proptest! {
        #[test]
        fn any_query_is_survived(query in proptest::collection::vec(any::<u8>(), 0..200)) {
            let query: Vec<u8> = [b"collect[]=", &query[..]].concat();
            let _ = Selection::read(&query, |_| Known::No);
        }
    }
}
