//! The collectors, a file for each, in folders by what they look at.

mod hardware;
mod kernel;
mod network;
mod storage;

use super::engine::source::Entry;

/// All collectors under the headings of the help text.
pub(super) const GROUPS: [(&str, &[&Entry]); 5] = [
    ("Collectors: kernel and system", kernel::ALL),
    ("Collectors: network", network::ALL),
    ("Collectors: storage", storage::ALL),
    ("Collectors: hardware", hardware::ALL),
    ("Collectors: what others write", storage::LAST),
];

/// All collectors.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    GROUPS.iter().flat_map(|(_, entries)| entries.iter().copied())
}
