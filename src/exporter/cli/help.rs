//! The help texts, for standard output. A test makes them of the flags, whose explanations are not in the program.

use std::string::String;

use crate::exporter::packed;

/// What there is a help text about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Program,
    #[cfg(feature = "web-config")]
    Check,
    #[cfg(feature = "web-config")]
    HashPassword,
}

/// The text about a topic.
pub(crate) fn help(topic: Topic) -> String {
    match topic {
        Topic::Program => packed::unpack(&PACKED, PROGRAM.len()),
        #[cfg(feature = "web-config")]
        Topic::Check => String::from(CHECK),
        #[cfg(feature = "web-config")]
        Topic::HashPassword => String::from(HASH_PASSWORD),
    }
}

const PROGRAM: &[u8; include_bytes!("help/program.txt").len()] = include_bytes!("help/program.txt");
#[cfg(feature = "web-config")]
const CHECK: &str = include_str!("help/check.txt");
#[cfg(feature = "web-config")]
const HASH_PASSWORD: &str = include_str!("help/hash_password.txt");

static PACKED: [u8; PACK.length] = packed::bytes(&PACK);
#[allow(long_running_const_eval)]
const PACK: packed::Packed<{ PROGRAM.len() }> = packed::pack(PROGRAM);

#[cfg(test)]
mod tests {
    use core::fmt::Write;
    use std::format;
    use std::path::Path;

    use super::super::flags::{Flag, Groups, Kind, SERVE};
    use super::*;
    use crate::exporter::collectors;

    /// `WRITE_HELP=1` writes the texts anew.
    #[test]
    fn the_texts_are_what_the_flags_say() {
        let texts = [
            (Topic::Program, "program", page(BEGIN, SERVE, END)),
            #[cfg(feature = "web-config")]
            (Topic::Check, "check", page(CHECK_BEGIN, super::super::flags::CHECK, CHECK_END)),
            #[cfg(feature = "web-config")]
            (
                Topic::HashPassword,
                "hash_password",
                page(HASH_PASSWORD_BEGIN, super::super::flags::HASH_PASSWORD, HASH_PASSWORD_END),
            ),
        ];
        for (topic, name, text) in texts {
            if std::env::var_os("WRITE_HELP").is_some() {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/exporter/cli/help");
                std::fs::write(folder.join(name).with_extension("txt"), text).unwrap();
            } else {
                assert_eq!(help(topic), text, "WRITE_HELP=1 writes it anew");
            }
        }
    }

    const BEGIN: &str = "\
Serves the metrics of this machine to Prometheus over HTTP.

Usage: scrapeport [FLAG]...
       scrapeport check web-config FILE...    Check web configuration files.
       scrapeport hash-password [FLAG]...     Make a password hash for such a file.
       scrapeport help [COMMAND]              Print the help of a command.
";
    const END: &str = "
A switch has a form with --no- that turns it off. @FILE stands for the lines of the file, one argument each.

SIGTERM or SIGINT: running responses are finished, then the exit status is 0. A second one: exit at once,
status 1. SIGHUP: the web configuration file is read again. The status is also 1 if a flag is wrong or an
address cannot be listened on.
";

    #[cfg(feature = "web-config")]
    const CHECK_BEGIN: &str = "\
Checks web configuration files as the program would read them, without opening a port.

Usage: scrapeport check web-config FILE...
";
    #[cfg(feature = "web-config")]
    const CHECK_END: &str = "
Standard error gets FILE SUCCESS or FILE FAILED with the reasons for each file. The exit status is 0 if all
are good, otherwise 1.
";

    #[cfg(feature = "web-config")]
    const HASH_PASSWORD_BEGIN: &str = "\
Makes the hash of a password for basic_auth_users of a web configuration file.

Usage: scrapeport hash-password [FLAG]...
";
    #[cfg(feature = "web-config")]
    const HASH_PASSWORD_END: &str = "
The password is asked for twice on a terminal; otherwise it is the first line of standard input. It is never
an argument, which every user of the machine could see.
";

    fn page(begin: &str, groups: Groups, end: &str) -> String {
        let mut out = String::from(begin);
        for (heading, flags) in groups.own {
            let _ = write!(out, "\n{heading}:\n");
            flags.iter().for_each(|flag| describe(&mut out, flag, ""));
        }
        for (heading, entries) in collectors::GROUPS.into_iter().filter(|_| groups.collectors) {
            let _ = write!(out, "\n{heading}:\n");
            for entry in entries {
                describe(&mut out, &entry.switch, if entry.default { "" } else { " Off by default." });
                entry.flags.iter().for_each(|flag| describe(&mut out, flag, ""));
            }
        }
        out.push_str(end);
        out
    }

    fn describe(out: &mut String, flag: &Flag, end: &str) {
        let short = flag.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let (no, value) = match flag.kind {
            Kind::Value(what) | Kind::Values(what) => ("", format!("={what}")),
            Kind::Switch => ("[no-]", String::new()),
            Kind::Question => ("", String::new()),
        };
        let _ = writeln!(out, "  {short}--{no}{}{value}", flag.long);
        for (at, line) in flag.help.iter().enumerate() {
            let end = if at + 1 == flag.help.len() { end } else { "" };
            let _ = writeln!(out, "        {line}{end}");
        }
    }
}
