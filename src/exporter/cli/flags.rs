//! The table of flags: to add one is to add a line here, and its effect where its command is read.

use std::vec::Vec;

use crate::exporter::collectors;

/// A flag of the command line, without its dashes.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    /// Elsewhere it is in the help texts alone, which are packed.
    #[cfg(test)]
    pub(super) help: &'static [&'static str],
}

/// What stands behind a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value, described by a word.
    Value(&'static str),
    /// The same, and the flag may be given several times.
    Values(&'static str),
    /// Nothing; `--no-…` switches it off.
    Switch,
    /// Nothing, and nothing else counts: the program answers and ends.
    Question,
}

impl PartialEq for Flag {
    /// Each flag is one of the statics.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for Flag {}

impl Flag {
    pub(crate) const fn new(long: &'static str, kind: Kind, help: &'static [&'static str]) -> Self {
        #[cfg(not(test))]
        let _ = help;
        Self {
            long,
            short: None,
            kind,
            #[cfg(test)]
            help,
        }
    }

    /// Whether it is about one collector, or about which of them run.
    pub(super) fn is_of_collector(&self) -> bool {
        self.long.starts_with("collector.")
    }

    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }
}

/// Flags under their headings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    /// Those of the command itself.
    pub(super) own: &'static [(&'static str, &'static [&'static Flag])],
    /// Whether those of the collectors belong to them.
    pub(super) collectors: bool,
}

/// Where the program listens unless told otherwise.
pub(super) const DEFAULT_ADDRESS: &str = ":9100";

pub(super) static LISTEN: Flag = Flag::new(
    "web.listen-address",
    Kind::Values("ADDRESS"),
    &[
        "Where to serve; may be given several times. Default \":9100\".",
        "  :9100             every address of this machine",
        "  127.0.0.1:9100    one IPv4 address; [::1]:9100 one IPv6 address",
        "  unix:/run/x.sock  a Unix socket",
        "Port 0 takes a free port, which the log tells.",
    ],
);
pub(super) static CONFIG_FILE: Flag = Flag::new(
    "web.config.file",
    Kind::Value("FILE"),
    &["TLS, passwords, headers and a rate limit, in the format of all Prometheus exporters. Default none."],
);
pub(super) static TELEMETRY_PATH: Flag = Flag::new(
    "web.telemetry-path",
    Kind::Value("PATH"),
    &["Where the metrics are. Default every path that is nothing else; if given, other paths are not found."],
);
/// How many scrapes run at once unless told otherwise.
pub(super) const DEFAULT_MAX_REQUESTS: usize = 40;
pub(super) static MAX_REQUESTS: Flag = Flag::new(
    "web.max-requests",
    Kind::Value("N"),
    &["How many scrapes may run at once; others get 503. 0 for no limit. Default 40."],
);
pub(super) static DISABLE_EXPORTER_METRICS: Flag = Flag::new(
    "web.disable-exporter-metrics",
    Kind::Switch,
    &["Leaves out what the program tells of itself: process_* and the metrics of its server."],
);
pub(super) static SYSTEMD_SOCKET: Flag = Flag::new(
    "web.systemd-socket",
    Kind::Switch,
    &["Serves on the sockets that systemd has opened, instead of opening any."],
);
pub(super) static EXTERNAL_URL: Flag = Flag::new(
    "web.external-url",
    Kind::Value("URL"),
    &[
        "Where the world reaches this program, if a proxy stands in front: http://example.org/device1/.",
        "Its path is the prefix of all paths unless --web.route-prefix says otherwise.",
    ],
);
pub(super) static ROUTE_PREFIX: Flag = Flag::new(
    "web.route-prefix",
    Kind::Value("PATH"),
    &["The prefix of all paths. Default the path of --web.external-url; \"/\" if the proxy takes it off."],
);
pub(super) static ENABLE_LIFECYCLE: Flag = Flag::new(
    "web.enable-lifecycle",
    Kind::Switch,
    &["Lets clients reload and end the program by POST to /-/reload and /-/quit."],
);
pub(super) static PAGE: Flag = Flag::new(
    "web.page",
    Kind::Switch,
    &["Shows browsers a page about this device at \"/\"; everyone else gets metrics. Default on."],
);
pub(super) static PROCFS: Flag =
    Flag::new("path.procfs", Kind::Value("DIR"), &["Where procfs is mounted. Default \"/proc\"."]);
pub(super) static SYSFS: Flag =
    Flag::new("path.sysfs", Kind::Value("DIR"), &["Where sysfs is mounted. Default \"/sys\"."]);
pub(super) static ROOTFS: Flag = Flag::new(
    "path.rootfs",
    Kind::Value("DIR"),
    &["Where the root of the machine is, if the program runs in a container. Default \"/\"."],
);
pub(super) static UDEV_DATA: Flag = Flag::new(
    "path.udev.data",
    Kind::Value("DIR"),
    &["Where udev keeps what it knows of devices. Default \"/run/udev/data\"."],
);
pub(super) static DISABLE_DEFAULTS: Flag = Flag::new(
    "collector.disable-defaults",
    Kind::Switch,
    &["Only the collectors that are switched on by a flag run."],
);
pub(super) static LOG_LEVEL: Flag = Flag::new(
    "log.level",
    Kind::Value("LEVEL"),
    &["What to log on standard error: debug, info, warn or error. Default \"info\"."],
);
pub(super) static LOG_FORMAT: Flag = Flag::new(
    "log.format",
    Kind::Value("FORMAT"),
    &["How the log is written: logfmt or json. Default \"logfmt\"."],
);
pub(super) static HELP: Flag = Flag::new("help", Kind::Question, &["Print this help and exit."]).short('h');
pub(super) static VERSION: Flag =
    Flag::new("version", Kind::Question, &["Print the version and exit."]).short('V');
#[cfg(feature = "web-config")]
pub(super) static COST: Flag = Flag::new(
    "cost",
    Kind::Value("N"),
    &["How much work a login is, 4 to 31; one more is twice the work. Default 10."],
);
#[cfg(feature = "web-config")]
pub(super) static USER: Flag = Flag::new(
    "user",
    Kind::Value("NAME"),
    &["Print a section basic_auth_users with this name instead of the bare hash."],
);

/// The flags of the program without a command.
pub(super) const SERVE: Groups = Groups { own: PROGRAM, collectors: true };
const PROGRAM: &[(&str, &[&Flag])] = &[
    (
        "Serving",
        &[
            &LISTEN,
            &SYSTEMD_SOCKET,
            &CONFIG_FILE,
            &TELEMETRY_PATH,
            &MAX_REQUESTS,
            &DISABLE_EXPORTER_METRICS,
            &PAGE,
        ],
    ),
    ("Behind a proxy", &[&EXTERNAL_URL, &ROUTE_PREFIX]),
    ("Lifecycle", &[&ENABLE_LIFECYCLE]),
    ("Logging", &[&LOG_LEVEL, &LOG_FORMAT]),
    OTHER,
    ("The machine", &[&PROCFS, &SYSFS, &ROOTFS, &UDEV_DATA]),
    ("Collectors", &[&DISABLE_DEFAULTS]),
];
/// The flags of `check web-config`.
#[cfg(feature = "web-config")]
pub(super) const CHECK: Groups = Groups { own: &[OTHER], collectors: false };
/// The flags of `hash-password`.
#[cfg(feature = "web-config")]
pub(super) const HASH_PASSWORD: Groups =
    Groups { own: &[("Hashing", &[&COST, &USER]), OTHER], collectors: false };

const OTHER: (&str, &[&Flag]) = ("Other", &[&HELP, &VERSION]);

/// All flags of a table.
pub(super) fn all(groups: Groups) -> Vec<&'static Flag> {
    let mut flags = Vec::new();
    groups.own.iter().for_each(|(_, own)| flags.extend_from_slice(own));
    for entry in collectors::all().filter(|_| groups.collectors) {
        flags.push(&entry.switch);
        flags.extend_from_slice(entry.flags);
    }
    flags
}
