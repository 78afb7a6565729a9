//! Process metrics.
