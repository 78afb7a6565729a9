//! The table of flags: to add one is to add a line here, and its effect where its command is read.

/// A flag of the command line, without its dashes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    pub(super) help: &'static [&'static str],
}

/// What stands behind a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value, described by a word.
    Value(&'static str),
    /// The same, and the flag may be given several times.
    Values(&'static str),
    /// Nothing; `--no-…` switches it off.
    Switch,
    /// Nothing, and nothing else counts: the program answers and ends.
    Question,
}

impl Flag {
    const fn new(long: &'static str, kind: Kind, help: &'static [&'static str]) -> Self {
        Self { long, short: None, kind, help }
    }

    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }
}

/// Flags under their headings.
pub(super) type Groups = &'static [(&'static str, &'static [&'static Flag])];

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
pub(super) static LOG_LEVEL: Flag = Flag::new(
    "log.level",
    Kind::Value("LEVEL"),
    &["What to log on standard error: debug, info, warn or error. Default \"info\"."],
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
pub(super) const SERVE: Groups = &[
    ("Serving", &[&LISTEN, &CONFIG_FILE, &PAGE]),
    ("Behind a proxy", &[&EXTERNAL_URL, &ROUTE_PREFIX]),
    ("Lifecycle", &[&ENABLE_LIFECYCLE]),
    ("Logging", &[&LOG_LEVEL]),
    OTHER,
];
/// The flags of `check web-config`.
#[cfg(feature = "web-config")]
pub(super) const CHECK: Groups = &[OTHER];
/// The flags of `hash-password`.
#[cfg(feature = "web-config")]
pub(super) const HASH_PASSWORD: Groups = &[("Hashing", &[&COST, &USER]), OTHER];

const OTHER: (&str, &[&Flag]) = ("Other", &[&HELP, &VERSION]);

/// All flags of a table.
pub(super) fn all(groups: Groups) -> impl Iterator<Item = &'static Flag> {
    groups.iter().flat_map(|(_, flags)| flags.iter().copied())
}
