//! What the kernel says of itself: processors, memory, time, identity.

mod loadavg;

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[&loadavg::ENTRY];
