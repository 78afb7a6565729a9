//! The function that a gauge asks at each scrape. It is code of C: it must return, and nothing here can see to that.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr;

use super::layout::{Ask, GaugeFunction};
use super::outcome::Outcome;

/// A function with what it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    function: Ask,
    user: *mut c_void,
}

impl Asked {
    pub(super) fn new(function: Option<Ask>, user: *mut c_void) -> Result<Self, Outcome> {
        function.map(|function| Self { function, user }).ok_or(Outcome::InvalidArgument)
    }

    pub(super) fn of(gauge: &GaugeFunction) -> Result<Self, Outcome> {
        Self::new(gauge.ask, gauge.user)
    }

    /// The number now.
    ///
    /// # Safety
    /// The function can be called with its `user` on this thread, whatever the others do.
    pub(super) unsafe fn number(&self) -> f64 {
        // SAFETY: the caller's promise.
        unsafe { (self.function)(self.user) }
    }
}

/// By address: a function that has two of them, in two libraries, is taken for two.
impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        ptr::fn_addr_eq(self.function, other.function) && ptr::eq(self.user, other.user)
    }
}
