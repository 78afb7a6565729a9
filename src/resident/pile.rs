//! Things that are taken and put back, the last put back first: those at the bottom are not touched as long as a few are
//! enough.

use std::vec::Vec;

/// A pile of things, and how many at its bottom have not been taken lately.
#[derive(Debug)]
pub(crate) struct Pile<T> {
    things: Vec<T>,
    untouched: usize,
}

impl<T> Pile<T> {
    /// Without any.
    #[cfg(feature = "exporter")]
    pub(crate) const fn new() -> Self {
        Self { things: Vec::new(), untouched: 0 }
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        let taken = self.things.pop();
        self.untouched = self.untouched.min(self.things.len());
        taken
    }

    pub(crate) fn put_back(&mut self, thing: T) {
        self.things.push(thing);
    }

    /// Those that lie here and have been taken since this was last asked.
    pub(crate) fn used(&mut self) -> &mut [T] {
        let from = core::mem::replace(&mut self.untouched, self.things.len());
        &mut self.things[from..]
    }

    #[cfg(feature = "exporter")]
    pub(crate) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }
}

impl<T> FromIterator<T> for Pile<T> {
    fn from_iter<I: IntoIterator<Item = T>>(things: I) -> Self {
        let things = Vec::from_iter(things);
        Self { untouched: things.len(), things }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_put_back_is_the_next_taken_and_only_the_used_are_told_of() {
        let mut pile: Pile<_> = [1, 2, 3, 4].into_iter().collect();
        assert_eq!(pile.used(), []);
        let (four, three) = (pile.take().unwrap(), pile.take().unwrap());
        assert_eq!((four, three, pile.len()), (4, 3, 2));
        pile.put_back(four);
        // What is still out is not told of before it is back.
        assert_eq!(pile.used(), [4]);
        pile.put_back(three);
        assert_eq!(pile.used(), [3]);
        assert_eq!(pile.used(), []);
        assert_eq!(pile.take(), Some(3));
        pile.put_back(3);
        assert_eq!(pile.used(), [3]);
        let all: Vec<_> = core::iter::from_fn(|| pile.take()).collect();
        assert_eq!((all, pile.used()), (std::vec![3, 4, 2, 1], &mut [][..]));
    }
}
