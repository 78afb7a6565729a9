//! What the command line says about collectors.

use std::string::String;
use std::vec::Vec;

use crate::exporter::cli::flags::Flag;

/// The flags of collectors that were given, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    given: Vec<(&'static str, Given)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Value(String),
    Switch(bool),
}

impl Choices {
    pub(crate) fn give(&mut self, flag: &Flag, value: String) {
        self.given.push((flag.long, Given::Value(value)));
    }

    pub(crate) fn switch(&mut self, flag: &Flag, on: bool) {
        self.given.push((flag.long, Given::Switch(on)));
    }

    /// The value of a flag, if it was given.
    pub(crate) fn value(&self, flag: &Flag) -> Option<&str> {
        self.values(flag).next()
    }

    /// All values of a flag.
    pub(crate) fn values<'a>(&'a self, flag: &Flag) -> impl Iterator<Item = &'a str> + use<'a> {
        let long = flag.long;
        self.given.iter().filter_map(move |(name, given)| match given {
            Given::Value(value) if *name == long => Some(value.as_str()),
            _ => None,
        })
    }

    /// How a switch stands, if it was given.
    pub(crate) fn is_on(&self, flag: &Flag) -> Option<bool> {
        self.given.iter().find_map(|(name, given)| match given {
            Given::Switch(on) if *name == flag.long => Some(*on),
            _ => None,
        })
    }

    /// For tests: `true` and `false` are those of switches.
    #[cfg(test)]
    pub(crate) fn of(flags: &[(&'static str, &str)]) -> Self {
        let given = flags.iter().map(|(name, value)| match *value {
            "true" => (*name, Given::Switch(true)),
            "false" => (*name, Given::Switch(false)),
            value => (*name, Given::Value(String::from(value))),
        });
        Self { given: given.collect() }
    }
}
