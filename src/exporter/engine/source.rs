//! What a collector is, and how the program knows it.

use std::boxed::Box;
use std::string::String;

use super::choices::Choices;
use super::machine::Machine;
use super::problem::Problem;
use super::scratch::Scratch;
use crate::exporter::cli::flags::Flag;
use crate::text::Page;

/// A collector: reads something of the machine and writes its families, each in one piece.
///
/// It may run on several threads at once. It takes no heap after its first run, and does not wait for anything that
/// may hang but through [`Machine::patience`](super::patience::Patience).
pub(crate) trait Source: Send + Sync {
    /// Writes what it finds. What was written before an error stays on the page.
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem>;
}

/// A collector as the command line knows it.
pub(crate) struct Entry {
    /// `--collector.NAME`, which switches it on and off; its help says what it shows.
    pub(crate) switch: Flag,
    /// Whether it runs unless told otherwise.
    pub(crate) default: bool,
    /// Its further flags.
    pub(crate) flags: &'static [&'static Flag],
    pub(crate) build: Build,
}

/// Where a collector comes from.
pub(crate) enum Build {
    /// It keeps nothing and follows no flags.
    Ready(&'static dyn Source),
    /// Makes it, or says in one line which flag it cannot follow.
    By(fn(&Choices) -> Result<Box<dyn Source>, String>),
}

impl Entry {
    /// The collector, which stays as long as the program.
    ///
    /// # Errors
    /// One line that says which flag it cannot follow.
    pub(crate) fn source(&self, choices: &Choices) -> Result<&'static dyn Source, String> {
        match self.build {
            Build::Ready(source) => Ok(source),
            Build::By(build) => build(choices).map(|source| &*Box::leak(source)),
        }
    }

    /// What it is called in `collect[]` and in `node_scrape_collector_success`.
    pub(crate) fn name(&self) -> &'static str {
        self.switch.long.strip_prefix("collector.").unwrap_or(self.switch.long)
    }
}

impl core::fmt::Debug for Entry {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Entry").field("switch", &self.switch).finish_non_exhaustive()
    }
}
