//! What a worker gives back to the system when nothing has come for a while: its stack below where it stands, which a
//! handshake or a scrape went down, and the memory that nobody is lent.

use super::kits::Kits;
use crate::http::handler::MetricsHandler;
use crate::http::route::Routes;
use crate::resident::Stack;

/// Of one worker, in its own thread.
pub(super) struct Rest<'a> {
    stack: Option<Stack>,
    kits: &'a Kits,
    handler: &'a MetricsHandler,
    routes: Option<&'a dyn Routes>,
}

impl<'a> Rest<'a> {
    /// For the worker on this thread.
    pub(super) fn on_this_thread(
        kits: &'a Kits,
        handler: &'a MetricsHandler,
        routes: Option<&'a dyn Routes>,
    ) -> Self {
        Self { stack: Stack::of_this_thread(), kits, handler, routes }
    }

    pub(super) fn give_back(&self) {
        self.kits.give_back();
        self.handler.rest();
        if let Some(routes) = self.routes {
            routes.rest();
        }
        if let Some(stack) = &self.stack {
            stack.give_back();
        }
    }
}

impl core::fmt::Debug for Rest<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Rest")
    }
}
