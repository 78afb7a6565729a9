//! What the benchmarks share: rounds and medians, instruction counts, the data of the pages, tables.

pub mod data;
pub mod instructions;
pub mod load;
pub mod ours;
pub mod process;
pub mod rounds;
pub mod running;
pub mod table;
pub mod tls;
