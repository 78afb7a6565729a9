//! What the kernel says of disks, file systems and flash memory, and what others have left in files.

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[];
