//! Command lines and what becomes of them.

use super::*;

fn parsed(line: &str) -> Result<Command, Usage> {
    parse(line.split_whitespace().map(OsString::from))
}

fn refused(line: &str) -> String {
    parsed(line).unwrap_err().0
}

fn options(line: &str) -> Options {
    match parsed(line) {
        Ok(Command::Serve(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

fn default_options() -> Options {
    Options { listen: Vec::from([String::from(":9100")]), ..Options::default() }
}

#[test]
fn no_flags_serve_the_default_address() {
    assert_eq!(options(""), default_options());
}

#[test]
fn addresses_add_up_and_values_may_stand_apart() {
    let line = "--web.listen-address=:1 --log.level debug --web.listen-address unix:/x=y";
    let expected = Options {
        listen: Vec::from([String::from(":1"), String::from("unix:/x=y")]),
        log_level: LevelFilter::Debug,
        ..default_options()
    };
    assert_eq!(options(line), expected);
}

#[test]
fn help_and_version_have_short_names() {
    for line in ["--help", "-h", "--log.level=warn -h", "-hV", "-h --nonsense", "help", "help help"] {
        assert_eq!(parsed(line), Ok(Command::Help(Topic::Program)), "{line}");
    }
    for line in ["--version", "-V"] {
        assert_eq!(parsed(line), Ok(Command::Version), "{line}");
    }
}

#[test]
fn the_prefix_comes_from_either_flag() {
    for (line, expected) in [
        ("--web.external-url=http://h/a/", "/a"),
        ("--web.external-url http://h", "/"),
        ("--web.external-url= --web.route-prefix=", "/"),
        ("--web.route-prefix=a/b", "/a/b"),
        ("--web.external-url=http://h/a --web.route-prefix=/", "/"),
        ("--web.route-prefix=/b --web.external-url=http://h/a", "/b"),
        ("--web.external-url=http://h/a --web.route-prefix=", "/a"),
    ] {
        assert_eq!(options(line).prefix.path(), expected, "{line}");
    }
}

#[test]
fn switches_have_a_negative() {
    for (line, expected) in
        [("", false), ("--web.enable-lifecycle", true), ("--no-web.enable-lifecycle", false)]
    {
        assert_eq!(options(line).lifecycle, expected, "{line}");
    }
    for (line, expected) in [("", true), ("--web.page", true), ("--no-web.page", false)] {
        assert_eq!(options(line).page, expected, "{line}");
    }
}

#[test]
fn an_empty_configuration_file_is_none() {
    for line in ["--web.config.file=", "--web.config.file= --log.level=info"] {
        assert_eq!(options(line), default_options(), "{line}");
    }
    let spaced = parse(["--web.config.file", ""].map(OsString::from));
    assert_eq!(spaced, Ok(Command::Serve(default_options())));
}

#[cfg(feature = "web-config")]
#[test]
fn a_configuration_file_may_have_any_name() {
    use std::os::unix::ffi::OsStringExt;
    let name = OsString::from_vec(b"/etc/\xff web.yml".into());
    let arguments = [OsString::from("--web.config.file"), name.clone()];
    let expected = Options { config_file: Some(PathBuf::from(name)), ..default_options() };
    assert_eq!(parse(arguments), Ok(Command::Serve(expected)));
}

#[cfg(feature = "web-config")]
#[test]
fn commands_have_their_own_flags() {
    use crate::exporter::hash_password::HashPassword;
    let files = Vec::from([PathBuf::from("a"), PathBuf::from("b")]);
    assert_eq!(parsed("check web-config a b"), Ok(Command::Check(files)));
    let dashed = Vec::from([PathBuf::from("-a")]);
    assert_eq!(parsed("check web-config -- -a"), Ok(Command::Check(dashed)));
    let hash = |cost, user: Option<&str>| {
        Ok(Command::HashPassword(HashPassword { cost, user: user.map(String::from) }))
    };
    assert_eq!(parsed("hash-password"), hash(10, None));
    assert_eq!(parsed("hash-password --cost 12 --user=joe"), hash(12, Some("joe")));
    for (line, topic) in [
        ("check --help", Topic::Check),
        ("check web-config -h", Topic::Check),
        ("check web-config a --help", Topic::Check),
        ("help check", Topic::Check),
        ("help check web-config", Topic::Check),
        ("hash-password --help", Topic::HashPassword),
        ("hash-password --cost=5 -h", Topic::HashPassword),
        ("help hash-password", Topic::HashPassword),
    ] {
        assert_eq!(parsed(line), Ok(Command::Help(topic)), "{line}");
    }
    for (line, expected) in [
        ("check", "check needs to know what: check web-config FILE..."),
        ("check web-config", "check web-config needs at least one FILE"),
        ("check webconfig x", "cannot check 'webconfig' (did you mean web-config?)"),
        ("check rules x", "cannot check 'rules'"),
        ("check web-config --log.level=info x", "unknown flag --log.level"),
        ("check web-config --hlep x", "unknown flag --hlep (did you mean --help?)"),
        ("hash-password --cost=3", "--cost=3: must be a number from 4 to 31"),
        ("hash-password --cost=32", "--cost=32: must be a number from 4 to 31"),
        ("hash-password --cost=+9", "--cost=+9: must be a number from 4 to 31"),
        ("hash-password --cost=", "--cost needs a value that is not empty"),
        ("hash-password --cost", "--cost needs a value: --cost=N"),
        ("hash-password --cost=9 --cost=9", "flag 'cost' cannot be repeated"),
        ("hash-password --user=", "--user needs a value that is not empty"),
        ("hash-password --user=a:b", "--user=a:b: a name with a colon can never log in"),
        (
            "hash-password secret",
            "unexpected argument: the password is asked for or read from standard input",
        ),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}

#[cfg(not(feature = "web-config"))]
#[test]
fn what_was_left_out_is_told() {
    for line in [
        "check web-config x",
        "check",
        "hash-password --help",
        "help check",
        "--web.config.file=x",
        "--web.config.file x",
    ] {
        let problem = refused(line);
        assert!(
            problem.contains("this program was built without") && problem.contains("web-config"),
            "{problem}"
        );
    }
}

#[test]
fn unknown_flags_are_named_with_the_nearest() {
    for (line, expected) in [
        ("--web.listen-adress=:1", "unknown flag --web.listen-adress (did you mean --web.listen-address?)"),
        ("--web.listen=:1", "unknown flag --web.listen (did you mean --web.listen-address?)"),
        ("-web.listen-address=:1", "unknown flag -web.listen-address (did you mean --web.listen-address?)"),
        ("-log.level=info", "unknown flag -log.level (did you mean --log.level?)"),
        ("--hlep", "unknown flag --hlep (did you mean --help?)"),
        ("--Version", "unknown flag --Version (did you mean --version?)"),
        (
            "--no-web.enable-lifecycl",
            "unknown flag --no-web.enable-lifecycl (did you mean --no-web.enable-lifecycle?)",
        ),
        ("--no-log.level", "unknown flag --no-log.level"),
        ("--collector.something", "unknown flag --collector.something"),
        ("--collector.loadavh", "unknown flag --collector.loadavh (did you mean --collector.loadavg?)"),
        (
            "--no-colector.loadavg",
            "unknown flag --no-colector.loadavg (did you mean --no-collector.loadavg?)",
        ),
        ("-x", "unknown flag -x"),
        ("-- x", "unexpected argument 'x': there are only flags"),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}

#[test]
fn wrong_values_are_explained() {
    for (line, expected) in [
        ("--log.level=loud", "--log.level=loud: must be debug, info, warn or error"),
        ("--log.level", "--log.level needs a value: --log.level=LEVEL"),
        ("--web.listen-address", "--web.listen-address needs a value: --web.listen-address=ADDRESS"),
        (
            "--web.listen-address --log.level=info",
            "--web.listen-address needs a value: --web.listen-address=ADDRESS",
        ),
        ("--web.listen-address=", "--web.listen-address needs a value that is not empty"),
        ("--help=yes", "--help takes no value, but got 'yes'"),
        ("--web.enable-lifecycle=true", "--web.enable-lifecycle takes no value, but got 'true'"),
        ("--web.enable-lifecycle false", "unexpected argument 'false': there are only flags"),
        ("--web.config.file= --web.config.file=", "flag 'web.config.file' cannot be repeated"),
        ("--log.level=info --log.level=info", "flag 'log.level' cannot be repeated"),
        (
            "--web.enable-lifecycle --no-web.enable-lifecycle",
            "flag 'web.enable-lifecycle' cannot be repeated",
        ),
        ("--web.external-url='http://h'", "--web.external-url='http://h': must not begin or end with quotes"),
        (
            "--web.external-url=/x",
            "--web.external-url=/x: must begin with http:// or https://; a path alone is for --web.route-prefix",
        ),
        ("--web.route-prefix=/a?b", "--web.route-prefix=/a?b: must end with the path, without ? and #"),
        ("serve", "unknown command 'serve'"),
        ("chek web-config x", "unknown command 'chek' (did you mean check?)"),
        ("--log.level=info check", "unexpected argument 'check': a command comes first"),
        ("help me", "no help about 'me': the commands are check, hash-password, help"),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}

#[test]
fn the_flags_of_the_node_exporter_have_their_effect() {
    let expected = Options {
        telemetry_path: Some(String::from("/m")),
        max_requests: 3,
        exporter_metrics: false,
        disable_defaults: true,
        log_format: LogFormat::Json,
        ..default_options()
    };
    let line = "--web.telemetry-path=/m --web.max-requests=3 --web.disable-exporter-metrics --log.format=json \
                --collector.disable-defaults";
    assert_eq!(options(line), expected);
    assert_eq!(options("--web.max-requests=0").max_requests, usize::MAX);
    let socket = options("--web.systemd-socket");
    assert!(socket.systemd_socket && socket.listen.is_empty());
    assert_eq!(options("--web.systemd-socket --web.listen-address=:1").listen, [":1"]);
    let paths = options("--path.procfs=/p --path.sysfs=/s --path.rootfs=/r --path.udev.data=/u").paths;
    assert_eq!([paths.procfs, paths.sysfs, paths.rootfs, paths.udev_data], ["/p", "/s", "/r", "/u"]);
    let options = options("--no-collector.loadavg");
    assert_eq!(
        options.collectors.is_on(&Flag::new("collector.loadavg", flags::Kind::Switch, &[])),
        Some(false)
    );
    for (line, expected) in [
        ("--log.format=xml", "--log.format=xml: must be logfmt or json"),
        ("--web.max-requests=-1", "--web.max-requests=-1: must be a number, 0 for no limit"),
        ("--web.telemetry-path=m", "--web.telemetry-path=m: must begin with /"),
        ("--web.telemetry-path=/m?x", "--web.telemetry-path=/m?x: must be a plain path, without ?, # and %"),
    ] {
        assert_eq!(refused(line), expected);
    }
}

#[test]
fn what_is_absent_can_be_switched_off() {
    assert_eq!(
        options("--no-collector.zfs --log.level=warn --no-collector.xfs").log_level,
        LevelFilter::Warn
    );
    for flag in ["--collector.systemd", "--collector.systemd.unit-include=x"] {
        let error = refused(flag);
        assert!(error.contains(": there is no collector systemd: docs/collectors.md"), "{error}");
    }
    assert!(refused("--no-collector.nothing").starts_with("unknown flag"));
}

#[test]
fn a_message_is_one_line_whatever_was_typed() {
    use std::os::unix::ffi::OsStringExt;
    for bytes in [
        &b"--a\nb"[..],
        b"-\x1b[1m",
        b"x\ny",
        b"--log.level=\n",
        b"--web.listen-address=\xff",
        b"--\xff",
        b"--web.external-url=\n",
        b"--web.external-url=\xff",
        b"--web.route-prefix=\x1b",
        b"--web.enable-lifecycle=\n",
        b"@\n",
    ] {
        let error = parse([OsString::from_vec(bytes.into())]).unwrap_err().0;
        assert!(!error.contains(char::is_control), "{error:?}");
    }
    let long = "x".repeat(1 << 20);
    for begin in ["", "-", "--", "--no-", "--log.level=", "--web.external-url=", "--help=", "@"] {
        let error = parse([OsString::from(format!("{begin}{long}"))]).unwrap_err().0;
        assert!(error.len() < 500, "{begin}");
    }
}

#[test]
fn every_flag_is_in_the_help() {
    let text = help(Topic::Program);
    for flag in flags::all(SERVE) {
        assert!(text.contains(flag.long), "{}", flag.long);
    }
    assert!(text.contains(DEFAULT_ADDRESS) && text.contains("--[no-]web.enable-lifecycle"));
    for command in COMMANDS {
        assert!(text.contains(&format!("scrapeport {command}")), "{command}");
    }
    assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    #[cfg(feature = "web-config")]
    for (topic, part) in [(Topic::Check, "check web-config FILE..."), (Topic::HashPassword, "--cost=N")] {
        let text = help(topic);
        assert!(text.contains(part) && text.lines().all(|line| line.len() <= 110), "{text}");
    }
}
