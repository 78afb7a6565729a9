//! What the kernel says of the network: devices, protocols, sockets.

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[];
