//! What the kernel says of itself: processors, memory, time, identity.

mod assignments;
mod cpu;
mod date;
mod decimal;
mod distinct;
mod kept;
mod loadavg;

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[&cpu::ENTRY, &loadavg::ENTRY];
