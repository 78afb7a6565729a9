//! What the kernel says of boards and sensors.

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[];
