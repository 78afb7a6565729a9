//! The shape of `gzip.rs` without the feature: there is never a compressor to lend.

use core::convert::Infallible;
use core::ops::Range;

use crate::text::{Output, Stopped};

pub(crate) struct Compressors;

impl Compressors {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn allocate(&self) {}

    pub(crate) fn rest(&self) {}

    pub(crate) fn lend(&self) -> Option<Lent<'_>> {
        None
    }
}

pub(crate) struct Lent<'a>(Infallible, core::marker::PhantomData<&'a ()>);

impl Lent<'_> {
    pub(crate) fn page<'b>(&'b mut self, _: &mut [u8], _: usize, _: usize, _: &mut dyn Output) -> Gzip<'b> {
        match self.0 {}
    }
}

pub(crate) struct Gzip<'a>(Infallible, core::marker::PhantomData<&'a ()>);

impl Gzip<'_> {
    pub(crate) fn finish_in_place(self) -> Result<(Range<usize>, bool), Stopped> {
        match self.0 {}
    }
}

impl Output for Gzip<'_> {
    fn flush(&mut self, _: &mut [u8], _: Range<usize>) -> Result<(), Stopped> {
        match self.0 {}
    }
}
