//! A buffer of fixed size for a password: it is overwritten when it goes.

use core::hint::black_box;

/// Up to `N` bytes that do not stay in memory.
pub(crate) struct Secret<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

/// There is no room for another byte.
#[cfg(any(feature = "exporter", test))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<const N: usize> Secret<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    #[cfg(any(feature = "exporter", test))]
    pub(crate) fn push(&mut self, byte: u8) -> Result<(), Full> {
        *self.bytes.get_mut(self.length).ok_or(Full)? = byte;
        self.length += 1;
        Ok(())
    }

    #[cfg(any(feature = "exporter", test))]
    pub(crate) fn pop(&mut self) -> Option<u8> {
        self.length = self.length.checked_sub(1)?;
        Some(core::mem::take(&mut self.bytes[self.length]))
    }

    /// Lets `fill` write into the whole buffer and tell how much of it counts.
    pub(crate) fn fill(&mut self, fill: impl FnOnce(&mut [u8; N]) -> usize) {
        self.length = fill(&mut self.bytes).min(N);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.fill(0);
        // As far as safe code can keep the compiler from leaving the writing out.
        black_box(&mut self.bytes);
        self.length = 0;
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_no_more_than_its_size() {
        let mut secret = Secret::<2>::new();
        assert_eq!((secret.push(1), secret.push(2), secret.push(3)), (Ok(()), Ok(()), Err(Full)));
        assert_eq!(secret.as_slice(), [1, 2]);
        assert_eq!(secret.pop(), Some(2));
        assert_eq!(secret.as_slice(), [1]);
        secret.fill(|_| 9);
        assert_eq!(secret.as_slice(), [1, 0]);
        secret.clear();
        assert_eq!(secret.pop(), None);
        assert_eq!(secret.bytes, [0; 2]);
    }
}
