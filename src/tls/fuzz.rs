//! What the fuzz targets run, and what they hold to be true. The corpus is replayed by every `cargo test`.
