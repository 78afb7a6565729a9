//! The families that the collectors have written since the program started: what others bring along may not have
//! their names.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::text::name::{HASH_START, hash};

/// Those of this program.
pub(crate) static FAMILIES: Families = Families::new();

/// A set of names, by their hashes; it takes no lock and only grows. Two names in four thousand million share a hash.
pub(crate) struct Families {
    places: [AtomicU32; PLACES],
    wanted: AtomicBool,
}

/// Twice as many as all collectors together can write, and a power of two.
const PLACES: usize = 4096;

/// How far from its own place a name is looked for.
const STEPS: usize = 64;

impl Families {
    pub(crate) const fn new() -> Self {
        Self { places: [const { AtomicU32::new(0) }; PLACES], wanted: AtomicBool::new(false) }
    }

    /// From now on somebody asks. Before, none need be added, and none of this memory is touched.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Adds a name, unless the set is full.
    pub(crate) fn add(&self, name: &str) {
        let mark = mark(name, "");
        for place in self.places_of(mark) {
            let found = place.load(Ordering::Relaxed);
            if found == mark {
                return;
            }
            if found == 0 {
                match place.compare_exchange(0, mark, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return,
                    Err(other) if other == mark => return,
                    Err(_) => {}
                }
            }
        }
    }

    /// Whether a name has been added.
    pub(crate) fn has(&self, name: &str, suffix: &str) -> bool {
        let mark = mark(name, suffix);
        let found = self.places_of(mark).map(|place| place.load(Ordering::Relaxed));
        found.take_while(|found| *found != 0).any(|found| found == mark)
    }

    fn places_of(&self, mark: u32) -> impl Iterator<Item = &AtomicU32> {
        // The lowest bit is the same in all of them.
        let first = (mark >> 1) as usize % PLACES;
        (0..STEPS).filter_map(move |step| self.places.get((first + step) % PLACES))
    }
}

/// Never 0, which is an empty place.
fn mark(name: &str, suffix: &str) -> u32 {
    let hash = hash(hash(HASH_START, name, false), suffix, true);
    ((hash >> 32) ^ hash) as u32 | 1
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn names_are_remembered() {
        let families = Families::new();
        assert!(!families.has("node_load1", ""));
        for number in 0..PLACES / 2 {
            families.add(&format!("node_{number}"));
            families.add(&format!("node_{number}"));
        }
        assert!((0..PLACES / 2).all(|number| families.has("node_", &format!("{number}"))));
        assert!(!families.has("node_", "x") && !families.has("", ""));
        let used = families.places.iter().filter(|place| place.load(Ordering::Relaxed) != 0);
        assert!(used.count() <= PLACES / 2);
    }
}
