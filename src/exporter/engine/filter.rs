//! Which names a collector shows: include and exclude patterns with the meaning they have in the node exporter.
//!
//! A pattern is searched for anywhere in the name. The dialect is that of `regex-lite`, which for everything without
//! Unicode classes is the one of Go's `regexp`; what it does not know is refused when the program starts.

use std::format;
use std::string::String;

use regex_lite::Regex;

use super::choices::Choices;
use crate::exporter::cli::flags::Flag;
use crate::exporter::cli::unquoted;

/// What is shown.
#[derive(Debug)]
pub(crate) struct Filter {
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    All,
    /// The default, in code: the same as its pattern, a hundred times faster.
    Except(fn(&str) -> bool),
    Include(Regex),
    Exclude(Regex),
}

impl Filter {
    /// Reads the two flags of a filter. With neither, what `default` excludes is left out. An empty pattern means that
    /// the flag has not been given, but for `exclude`, where it also takes the default away.
    ///
    /// # Errors
    /// One line, if both are given or a pattern cannot be read.
    pub(crate) fn read(
        choices: &Choices,
        include: &Flag,
        exclude: &Flag,
        default: Option<fn(&str) -> bool>,
    ) -> Result<Self, String> {
        let (included, excluded) = (choices.value(include), choices.value(exclude));
        let rule = match (included.filter(|pattern| !pattern.is_empty()), excluded) {
            (Some(_), Some(pattern)) if !pattern.is_empty() => {
                return Err(format!("--{} and --{} exclude each other", include.long, exclude.long));
            }
            (Some(pattern), _) => Rule::Include(regex(include, pattern)?),
            (None, Some("")) => Rule::All,
            (None, Some(pattern)) => Rule::Exclude(regex(exclude, pattern)?),
            (None, None) => default.map_or(Rule::All, Rule::Except),
        };
        Ok(Self { rule })
    }

    /// Whether a name is shown.
    pub(crate) fn takes(&self, name: &str) -> bool {
        match &self.rule {
            Rule::All => true,
            Rule::Except(excluded) => !excluded(name),
            Rule::Include(pattern) => pattern.is_match(name),
            Rule::Exclude(pattern) => !pattern.is_match(name),
        }
    }
}

/// A pattern given by a flag.
///
/// # Errors
/// One line that names the flag and what is wrong.
pub(crate) fn regex(flag: &Flag, pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        format!("--{}={}: cannot be read as a regular expression: {error}", flag.long, unquoted(pattern))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static INCLUDE: Flag = Flag::new("x.include", crate::exporter::cli::flags::Kind::Value("REGEX"), &[]);
    static EXCLUDE: Flag = Flag::new("x.exclude", crate::exporter::cli::flags::Kind::Value("REGEX"), &[]);

    fn read(flags: &[(&'static str, &str)]) -> Result<Filter, String> {
        Filter::read(&Choices::of(flags), &INCLUDE, &EXCLUDE, Some(|name| name == "lo"))
    }

    #[test]
    fn patterns_are_searched_for() {
        let default = read(&[]).unwrap();
        assert!(default.takes("eth0") && !default.takes("lo"));
        let include = read(&[("x.include", "th")]).unwrap();
        assert!(include.takes("eth0") && !include.takes("lo"));
        let exclude = read(&[("x.exclude", "^eth[0-9]$")]).unwrap();
        assert!(!exclude.takes("eth0") && exclude.takes("eth10") && exclude.takes("lo"));
        assert!(read(&[("x.exclude", "")]).unwrap().takes("lo"));
        assert!(read(&[("x.exclude", ""), ("x.include", "l")]).unwrap().takes("lo"));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let both = read(&[("x.exclude", "a"), ("x.include", "b")]).unwrap_err();
        assert_eq!(both, "--x.include and --x.exclude exclude each other");
        for pattern in ["(", r"\pL", "(?<=a)b", "["] {
            let error = read(&[("x.include", pattern)]).unwrap_err();
            assert!(error.starts_with("--x.include="), "{error}");
        }
    }
}
