//! `vmstat`: what the memory management has done. Source: `/proc/vmstat`, proc_vmstat(5).

use std::boxed::Box;
use std::string::String;

use regex_lite::Regex;

use super::names::name;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::choices::Choices;
use crate::exporter::engine::filter::regex;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, lines, signed, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Number, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.vmstat", FlagKind::Switch, &["Paging, swapping, page faults, kills."]),
    default: true,
    flags: &[&FIELDS],
    build: Build::By(|choices| Ok(Box::new(Vmstat { fields: pattern(choices)? }))),
};

static FIELDS: Flag = Flag::new(
    "collector.vmstat.fields",
    FlagKind::Value("REGEX"),
    &["Which lines of /proc/vmstat to show. Default \"^(oom_kill|pgpg|pswp|pg.*fault).*\"."],
);

fn pattern(choices: &Choices) -> Result<Option<Regex>, String> {
    choices.value(&FIELDS).map(|pattern| regex(&FIELDS, pattern)).transpose()
}

struct Vmstat {
    /// None for [`is_default`].
    fields: Option<Regex>,
}

const FILE: &str = "vmstat";

impl Source for Vmstat {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let text = machine.procfs.held_short(FILE, &mut scratch.file)?;
        scratch.seen.clear();
        let mut any = false;
        for line in lines(text) {
            let mut fields = fields(line);
            let Some(field) = fields.next() else { continue };
            let is_taken = self.takes(field);
            // Of the others, one number tells that the file is what it should be.
            if !is_taken && any {
                continue;
            }
            let Some(number) = fields.next() else { continue };
            let Some(number) =
                unsigned(number).map(Number::from).or_else(|| signed(number).map(Number::from))
            else {
                continue;
            };
            any = true;
            if !is_taken {
                continue;
            }
            let Some(name) = name(&[b"node_vmstat_", field]) else { continue };
            if scratch.seen.is_new(name.as_str().as_bytes()) {
                page.family(Kind::Unknown, name.as_str(), "A number of /proc/vmstat.").sample(&[], number);
            }
        }
        if any { Ok(()) } else { Err(Problem::malformed(FILE)) }
    }
}

impl Vmstat {
    fn takes(&self, field: &[u8]) -> bool {
        match &self.fields {
            None => is_default(field),
            Some(pattern) => core::str::from_utf8(field).is_ok_and(|field| pattern.is_match(field)),
        }
    }
}

/// The same as the pattern in the help text.
fn is_default(field: &[u8]) -> bool {
    let starts = |prefix: &[u8]| field.starts_with(prefix);
    starts(b"oom_kill")
        || starts(b"pgpg")
        || starts(b"pswp")
        || field.strip_prefix(b"pg").is_some_and(|rest| rest.windows(5).any(|part| part == b"fault"))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree};

    fn read(text: &str, flags: &[(&'static str, &str)]) -> Outcome {
        let outcome = Tree::new(&[("proc/vmstat", text)]).run(&ENTRY, flags);
        outcome.assert_sound();
        outcome
    }

    const TEXT: &str = "nr_free_pages 4183263\npgpgin 5\npgpgout 18446744073709551615\npswpin 1\npswpout 2\npgfault 3\n\
        pgmajfault 4\noom_kill 0\nthp_fault_alloc 9\nnr_dirty -3\npgpgin 6\n";

    #[test]
    fn the_default_is_seven_fields() {
        let outcome = read(TEXT, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples(),
            "node_vmstat_pgpgin 5\nnode_vmstat_pgpgout 18446744073709551615\nnode_vmstat_pswpin 1\n\
             node_vmstat_pswpout 2\nnode_vmstat_pgfault 3\nnode_vmstat_pgmajfault 4\nnode_vmstat_oom_kill 0\n"
        );
        assert!(outcome.page.contains("# TYPE node_vmstat_pgfault untyped\n"));
    }

    #[test]
    fn a_pattern_chooses() {
        let chosen = read(TEXT, &[("collector.vmstat.fields", "^nr_")]);
        assert_eq!(chosen.samples(), "node_vmstat_nr_free_pages 4183263\nnode_vmstat_nr_dirty -3\n");
        assert_eq!(read(TEXT, &[("collector.vmstat.fields", "")]).samples().lines().count(), 10);
        assert!(pattern(&Choices::of(&[("collector.vmstat.fields", "(")])).is_err());
    }

    #[test]
    fn no_number_at_all_is_a_problem() {
        for text in ["", "pgfault x\n", "pgfault\n", "\u{0}"] {
            assert_eq!(read(text, &[]).result, Err(Problem::malformed("vmstat")));
        }
        assert_eq!(read("pgfault x\nnr_x 1\n", &[]).result, Ok(()));
    }

    proptest! {
        #[test]
        fn the_default_is_its_pattern(field in "(oom_kill|pgpg|pswp|pg|fault|[a-z_]){0,4}") {
            let pattern = Regex::new("^(oom_kill|pgpg|pswp|pg.*fault).*").unwrap();
            prop_assert_eq!(is_default(field.as_bytes()), pattern.is_match(&field));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, text in "([ -~]{0,3} -?[0-9]{0,3}\n){0,9}") {
            read(&text, &[("collector.vmstat.fields", "")]);
            let tree = Tree::new(&[]);
            tree.write("proc/vmstat", bytes);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
