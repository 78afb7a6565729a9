//! What a device needs to run the program as a service, and what Prometheus needs to use it: units, packages, options,
//! alerts. Scripts beside this file (`services/`) run in throw-away copies of this machine's file system, one of them under
//! a systemd of its own; so these tests need root or sudo, and are Linux with overlayfs and cgroup2.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::client::{exchange, get};
use crate::guides::{blocks, page};
use crate::process::{Running, Scratch, free_address, target, tool};

/// The worst that `systemd-analyze security` may say of a unit, in tenths.
const EXPOSURE: &str = "--threshold=25";
/// Seconds for a script in a copy; each takes a few on a machine that is not busy.
const PATIENCE: &str = "240";
const UNITS: [&str; 3] = ["scrapeport.service", "scrapeport.socket", "scrapeport-socket.service"];

/// A file of the project.
fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(ours(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a peer to its end; what it said.
fn run(name: &str, set_up: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(tool(name));
    set_up(&mut command);
    command.output().unwrap_or_else(|error| panic!("{name} does not run: {error}"))
}

fn assert_good(output: &Output) {
    assert!(output.status.success(), "{}\n{}", output.status, said(output));
}

/// The program without what only a debugger reads, which would be most of a package.
pub(crate) fn stripped() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = target().join("peers");
        fs::create_dir_all(&directory).expect("the target directory can be written");
        let path = directory.join("scrapeport-stripped");
        let stripped = run("strip", |strip| {
            strip.arg("-o").arg(&path).arg(env!("CARGO_BIN_EXE_scrapeport"));
        });
        assert_good(&stripped);
        path
    })
}

/// Makes the Debian package in a directory.
fn package(directory: &Path, arguments: &[&str]) -> Output {
    let mut build = Command::new(ours("packaging/deb/build"));
    build.arg("--output").arg(directory).arg("--binary").arg(stripped()).args(arguments);
    build.env("SOURCE_DATE_EPOCH", "1700000000").output().expect("the script runs")
}

fn built(directory: &Path) -> PathBuf {
    let output = package(directory, &[]);
    assert_good(&output);
    PathBuf::from(said(&output).trim_end())
}

/// Runs a script of `services/` in a copy of this machine, where the directory is `/mnt`.
fn in_copy(directory: &Path, script: &str, argument: &str) -> Output {
    let own = directory.join(script);
    fs::copy(ours("tests/peers/services").join(script), &own).expect("the target directory can be written");
    let mut command = Command::new(ours("tests/peers/services/in-copy"));
    command.arg(PATIENCE).arg(directory).arg(format!("/mnt/{script}")).arg(argument);
    command.output().expect("the script runs")
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

/// A file system with the units, and what they and systemd ask for.
fn with_units() -> Scratch {
    let root = Scratch::new("units");
    let own = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a file")).expect("the target directory can be written");
        path
    };
    for unit in UNITS {
        let from = ours("packaging/systemd").join(unit);
        fs::copy(from, own(&format!("usr/lib/systemd/system/{unit}"))).expect("each unit is there");
    }
    for entry in fs::read_dir("/usr/lib/systemd/system").expect("systemd is installed; run tests/peers/setup")
    {
        let path = entry.expect("units are listed").path();
        if path.extension().is_some_and(|extension| extension == "target") {
            fs::copy(&path, own(&format!("usr/lib/systemd/system/{}", name_of(&path)))).expect("a target");
        }
    }
    fs::copy(stripped(), own("usr/bin/scrapeport")).expect("the program");
    fs::copy(tool("true"), own("bin/kill")).expect("any program");
    root
}

fn analyze(root: &Scratch, arguments: &[&str]) -> Output {
    run("systemd-analyze", |command| {
        command.args(arguments).arg(format!("--root={}", root.path().display()));
    })
}

#[test]
fn systemd_takes_the_units_without_a_word() {
    let root = with_units();
    let verify = |unit| analyze(&root, &["verify", "--man=no", unit]);
    for unit in UNITS {
        let output = verify(unit);
        assert!(output.status.success() && said(&output).is_empty(), "{unit}: {}", said(&output));
    }
    // And it would say a word.
    let path = root.path().join("usr/lib/systemd/system/scrapeport.service");
    let unit = fs::read_to_string(&path).expect("a unit").replace("ProtectSystem=", "ProtectSystems=");
    fs::write(&path, unit).expect("the target directory can be written");
    assert!(said(&verify("scrapeport.service")).contains("ProtectSystems"));
}

#[test]
fn the_service_is_locked() {
    let root = with_units();
    for unit in ["scrapeport.service", "scrapeport-socket.service"] {
        let output = analyze(&root, &["security", "--offline=true", "--no-pager", EXPOSURE, unit]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let output =
        analyze(&root, &["security", "--offline=true", "--no-pager", "--threshold=5", "scrapeport.service"]);
    assert!(!output.status.success(), "the threshold is of no effect");
}

#[test]
fn both_services_are_locked_alike() {
    let service = |unit: &str| {
        let text = read(&format!("packaging/systemd/{unit}"));
        let (_, service) = text.split_once("[Service]\n").expect("a section");
        let service = service.split("\n[Install]").next().unwrap_or_default();
        service.trim_end().replace(" --web.systemd-socket", "")
    };
    assert_eq!(service("scrapeport.service"), service("scrapeport-socket.service"));
}

/// Started, compared with the program outside, reloaded, killed, stopped: see the script.
#[test]
fn the_service_runs_under_systemd_and_sees_the_machine() {
    let directory = Scratch::new("booted");
    let package = built(directory.path());
    fs::copy(ours("tests/peers/services/booted"), directory.path().join("booted")).expect("a script");
    let output = in_copy(directory.path(), "boot", &format!("/mnt/{}", name_of(&package)));
    let result = fs::read_to_string(directory.path().join("result")).unwrap_or_default();
    assert!(output.status.success() && result.ends_with("good\n"), "{}\n{result}", said(&output));
}

/// The blocks of a guide for one kind of machine.
fn guide(name: &str, language: &str) -> String {
    let blocks = blocks(&page(name));
    let text: String =
        blocks.into_iter().filter(|block| block.language == language).map(|block| block.text).collect();
    assert!(!text.is_empty(), "docs/{name}.md has no block for {language}");
    text
}

/// Follows the blocks for root of a guide, in their order, under systemd.
fn follow_on_debian(name: &str, script: &str) {
    let directory = Scratch::new(script);
    let package = built(directory.path());
    directory.write("blocks", &guide(name, "debian"));
    fs::copy(ours("tests/peers/services").join(script), directory.path().join("booted")).expect("a script");
    let copied = run("cp", |cp| {
        cp.arg("-r").arg(ours("packaging")).arg(directory.path());
    });
    assert_good(&copied);
    let output = in_copy(directory.path(), "boot", &format!("/mnt/{}", name_of(&package)));
    let result = fs::read_to_string(directory.path().join("result")).unwrap_or_default();
    assert!(output.status.success() && result.ends_with("good\n"), "{}\n{result}", said(&output));
}

#[test]
fn the_guide_leads_to_a_service_on_debian() {
    follow_on_debian("services", "debian-guide");
}

/// Started, locked, removed.
#[test]
fn the_quick_start_runs_on_debian() {
    follow_on_debian("boards", "boards-guide");
}

/// With the files beside it that it names.
#[test]
fn prometheus_takes_the_quick_start() {
    let blocks = blocks(&page("boards"));
    let mut count = 0;
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let directory = Scratch::new("boards");
        let file = directory.write("prometheus.yml", &block.text);
        directory.write("server.pem", "");
        directory.write("password", "");
        let checked = run("promtool", |promtool| {
            promtool.args(["check", "config", "--lint=all", "--lint-fatal"]).arg(&file);
        });
        assert_good(&checked);
        count += 1;
    }
    assert_eq!(count, 2);
}

/// Handed over as systemd does it: two addresses and a Unix socket, in one go.
#[test]
fn all_sockets_of_systemd_are_served() {
    let directory = Scratch::new("sockets");
    let addresses = [free_address(), free_address()];
    let path = directory.path().join("socket");
    let mut command = Command::new(tool("systemd-socket-activate"));
    for address in addresses {
        command.arg(format!("--listen={address}"));
    }
    command.arg(format!("--listen={}", path.display()));
    command.arg(env!("CARGO_BIN_EXE_scrapeport")).arg("--web.systemd-socket");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running::start(&mut command);
    // It starts the program when somebody knocks.
    running.await_port(addresses[1]);
    for address in addresses {
        let answer = exchange(address, &get("/metrics", "Connection: close\r\n"));
        assert!(answer.text().contains("scrapeport_build_info{"), "{address}: {answer}");
    }
    let fetched = run("curl", |curl| {
        curl.args(["--silent", "--show-error", "--fail", "--unix-socket"]).arg(&path);
        curl.arg("http://localhost/metrics");
    });
    assert_good(&fetched);
    assert!(said(&fetched).contains("scrapeport_build_info{"));
}

#[test]
fn the_package_has_what_debian_wants() {
    let directory = Scratch::new("deb");
    let package = built(directory.path());
    let of = |option: &str| {
        let output = run("dpkg-deb", |dpkg| {
            dpkg.arg(option).arg(&package);
        });
        assert_good(&output);
        said(&output)
    };
    let content = of("--contents");
    for (line, mode) in [
        ("./usr/bin/scrapeport", "-rwxr-xr-x root/root"),
        ("./usr/lib/systemd/system/scrapeport.service", "-rw-r--r-- root/root"),
        ("./usr/lib/systemd/system/scrapeport.socket", "-rw-r--r-- root/root"),
        ("./usr/lib/systemd/system/scrapeport-socket.service", "-rw-r--r-- root/root"),
        ("./etc/default/scrapeport", "-rw-r--r-- root/root"),
        ("./usr/share/man/man8/scrapeport.8.gz", "-rw-r--r-- root/root"),
        ("./usr/share/doc/scrapeport/copyright", "-rw-r--r-- root/root"),
        ("./usr/share/doc/scrapeport/changelog.gz", "-rw-r--r-- root/root"),
        ("./usr/share/doc/scrapeport/examples/scrapeport.rules.yml", "-rw-r--r-- root/root"),
    ] {
        let found = content.lines().find(|found| found.ends_with(&format!(" {line}")));
        assert!(found.is_some_and(|found| found.starts_with(mode)), "{line}: {found:?}");
    }
    let about = of("--info");
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(about.contains(&version) && about.contains("libc6 (>= 2."), "{about}");

    // Whoever publishes the package says who maintains it.
    let output = run("lintian", |lintian| {
        lintian.args(["--allow-root", "--fail-on=error,warning", "--suppress-tags"]);
        lintian.arg("bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact");
        lintian.arg(&package);
    });
    assert_good(&output);
}

#[test]
fn the_package_is_the_same_each_time() {
    let (one, two) = (Scratch::new("deb"), Scratch::new("deb"));
    let bytes = |directory: &Scratch| fs::read(built(directory.path())).expect("a package");
    assert!(bytes(&one) == bytes(&two), "two packages of one program differ");
}

#[test]
fn a_package_of_something_else_is_refused_in_one_line() {
    let directory = Scratch::new("deb");
    let wrong = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };
    let script = ours("packaging/deb/build");
    let script = script.to_str().expect("the path is text");
    for (arguments, words) in [
        (["--architecture", wrong], "not for"),
        (["--binary", "/no/such/program"], "there is no program"),
        (["--binary", script], "not a program for Linux"),
        (["--binaries", script], "unknown flag"),
    ] {
        let output = package(directory.path(), &arguments);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0, "something was made");
}

/// Installed, upgraded, changed, removed, purged; with systemd, with its helpers, without: see the script.
#[test]
fn the_package_lives_and_leaves_nothing() {
    let directory = Scratch::new("package");
    let package = built(directory.path());
    let output = in_copy(directory.path(), "package", &format!("/mnt/{}", name_of(&package)));
    assert!(output.status.success() && said(&output).ends_with("good\n"), "{}", said(&output));
}

/// Goes through the steps of the OpenWrt recipe with a build system of a few lines.
fn recipe(directory: &Path, arguments: &[String]) -> String {
    let output = run("make", |make| {
        make.args(["-s", "all", "-C"]).arg(ours("packaging/openwrt/scrapeport"));
        make.arg(format!("TOPDIR={}", ours("tests/peers/services/openwrt").display()));
        make.arg(format!("OUTPUT={}", directory.display())).args(arguments);
    });
    assert_good(&output);
    let conffiles = fs::read_to_string(directory.join("conffiles")).expect("written by the recipe");
    assert_eq!(conffiles.trim(), "/etc/config/scrapeport");
    fs::read_to_string(directory.join("package")).expect("written by the recipe")
}

/// Started as a router starts it, with many kinds of options: see the script.
#[test]
fn openwrt_turns_options_into_flags() {
    let directory = Scratch::new("openwrt");
    let version = env!("CARGO_PKG_VERSION");
    let about = recipe(directory.path(), &[format!("SCRAPEPORT_BINARY={}", stripped().display())]);
    assert!(about.starts_with(&format!("scrapeport|{version}|")), "{about}");
    assert!(about.ends_with("||scrapeport:scrapeport|\n"), "a ready program needs nothing: {about}");

    let common = directory.path().join("openwrt");
    fs::create_dir(&common).expect("the target directory can be written");
    fs::copy(ours("tests/peers/services/openwrt/rc.common"), common.join("rc.common")).expect("a script");
    directory.write("blocks", &guide("services", "openwrt"));
    directory.write("start", &guide("boards", "openwrt"));
    let output = in_copy(directory.path(), "router", "/mnt/root");
    assert!(output.status.success() && said(&output).ends_with("good\n"), "{}", said(&output));
}

/// The sources are handed to OpenWrt's Rust compiler, which is left out here.
#[test]
fn openwrt_can_build_from_these_sources() {
    let directory = Scratch::new("openwrt");
    // Not from the project itself, whose target directory is large and changes while tests run.
    let about = recipe(directory.path(), &[format!("COMPILED={}", stripped().display())]);
    assert!(about.ends_with("|rust/host\n"), "{about}");
    let installed = directory.path().join("root/usr/bin/scrapeport");
    assert!(fs::read(installed).is_ok_and(|bytes| bytes == fs::read(stripped()).expect("the program")));
}

#[test]
fn every_shell_can_read_the_scripts() {
    let scripts = [
        "packaging/deb/build",
        "packaging/deb/postinst",
        "packaging/deb/prerm",
        "packaging/deb/postrm",
        "packaging/deb/static",
        "packaging/openwrt/scrapeport/files/scrapeport.init",
        "packaging/sysv/scrapeport",
        "packaging/yocto/update-crates",
        "tests/packages/deb",
        "tests/packages/foreign",
        "tests/packages/in-tree",
        "tests/packages/installed",
        "tests/packages/recipes",
        "tests/packages/run",
        "tests/packages/started",
        "tests/packages/tree",
        "tests/peers/services/boards-guide",
        "tests/peers/services/in-copy",
        "tests/peers/services/boot",
        "tests/peers/services/booted",
        "tests/peers/services/debian-guide",
        "tests/peers/services/package",
        "tests/peers/services/router",
        "tests/peers/services/openwrt/rc.common",
    ];
    for script in scripts {
        let parsed = run("busybox", |busybox| {
            busybox.args(["ash", "-n"]).arg(ours(script));
        });
        assert!(parsed.status.success() && said(&parsed).is_empty(), "{script}: {}", said(&parsed));
    }
    let checked = run("shellcheck", |shellcheck| {
        shellcheck
            .args(scripts.iter().filter(|script| !script.contains("openwrt")).map(|script| ours(script)));
    });
    assert_good(&checked);
    // OpenWrt's shell has `local`, and its library is not here.
    let checked = run("shellcheck", |shellcheck| {
        shellcheck.args(["--shell=dash", "--exclude=SC3043,SC1091"]);
        shellcheck.arg(ours("packaging/openwrt/scrapeport/files/scrapeport.init"));
    });
    assert_good(&checked);
}

#[test]
fn the_manual_page_is_clean_and_knows_every_flag() {
    let page = ours("docs/scrapeport.8");
    let linted = run("mandoc", |mandoc| {
        mandoc.args(["-Tlint", "-Wwarning"]).arg(&page);
    });
    assert!(linted.status.success() && said(&linted).is_empty(), "{}", said(&linted));
    let shown = run("man", |man| {
        man.args(["--warnings", "--local-file"]).arg(&page).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "200");
    });
    assert_good(&shown);
    assert!(shown.stderr.is_empty(), "{}", String::from_utf8_lossy(&shown.stderr));
    let page = String::from_utf8_lossy(&shown.stdout).replace(['\u{2010}', '\u{2212}'], "-");

    let help =
        Command::new(env!("CARGO_BIN_EXE_scrapeport")).arg("--help").output().expect("the program runs");
    let help = said(&help);
    // Those of collectors are described together.
    let flags: Vec<_> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  -")?.split_once('-'))
        .map(|(_, flag)| flag.trim_start_matches('-'))
        .map(|flag| flag.trim_start_matches("[no-]"))
        .map(|flag| flag.split(['=', ' ']).next().unwrap_or_default())
        .filter(|flag| !flag.is_empty() && !flag.starts_with("collector."))
        .collect();
    assert!(flags.contains(&"web.listen-address") && flags.contains(&"help"), "{flags:?}");
    for flag in flags {
        assert!(page.contains(&format!("--{flag}")), "docs/scrapeport.8 does not know --{flag}");
    }
}

fn rules() -> String {
    read("packaging/prometheus/scrapeport.rules.yml")
}

/// The alerts, in the order of the file.
fn alerts(rules: &str) -> Vec<&str> {
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect()
}

#[test]
fn prometheus_takes_the_alerts() {
    let checked = run("promtool", |promtool| {
        promtool.args(["check", "rules", "--lint=all", "--lint-fatal"]);
        promtool.arg(ours("packaging/prometheus/scrapeport.rules.yml"));
    });
    assert_good(&checked);
    let rules = rules();
    let names = alerts(&rules);
    assert!(names.len() > 30, "{names:?}");
    for rule in rules.split("- alert: ").skip(1) {
        for part in ["severity: ", "summary: ", "description: ", "expr: "] {
            assert!(rule.contains(part), "no {part} in {rule}");
        }
        let severity = rule.split_once("severity: ").and_then(|(_, rest)| rest.lines().next());
        assert!(matches!(severity, Some("info" | "warning" | "critical")), "{rule}");
    }
}

#[test]
fn every_alert_fires_and_is_silent() {
    let test = || {
        run("promtool", |promtool| {
            promtool.args(["test", "rules"]).arg(ours("packaging/prometheus/scrapeport.rules.test.yml"));
        })
    };
    assert_good(&test());
    let tests = read("packaging/prometheus/scrapeport.rules.test.yml");
    let rules = rules();
    for name in alerts(&rules) {
        let silent = tests
            .lines()
            .any(|line| line.contains(&format!("alertname: {name},")) && line.contains("exp_alerts: []"));
        let fires = tests.split_once(&format!("alertname: {name}\n")).is_some_and(|(_, rest)| {
            let own = rest.split("alertname:").next().unwrap_or_default();
            own.contains("exp_labels:") && own.contains("instance: \"bad:9100\"")
        });
        assert!(silent && fires, "{name}: silent {silent}, fires {fires}");
    }
    assert!(!tests.split("exp_labels:").skip(1).any(|alert| alert.starts_with(" { instance: \"good")));
}

/// The rules use names that the program has: those of the server and the endpoint, at least, are in the manual.
#[test]
fn alerts_name_metrics_of_the_manual() {
    let manual = read("docs/operating.md");
    let rules = rules();
    let mut names: Vec<_> = rules
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("scrapeport_"))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        assert!(manual.contains(&format!("`{name}`")), "{name} is not in docs/operating.md");
    }
}

/// The example with its files, in a directory of its own.
fn fleet() -> Scratch {
    let directory = Scratch::new("fleet");
    let examples = ours("packaging/prometheus");
    let keys = directory.path().join("keys");
    fs::create_dir_all(directory.path().join("targets")).expect("the target directory can be written");
    fs::create_dir(&keys).expect("the target directory can be written");
    for name in ["ca.pem", "client.pem", "client.key", "password"] {
        fs::write(keys.join(name), "").expect("the target directory can be written");
    }
    let text = read("packaging/prometheus/prometheus.yml");
    let text = text.replace("/etc/prometheus/scrapeport", keys.to_str().expect("the path is text"));
    directory.write("prometheus.yml", &text);
    fs::copy(examples.join("scrapeport.rules.yml"), directory.path().join("scrapeport.rules.yml"))
        .expect("rules");
    for entry in fs::read_dir(examples.join("targets")).expect("targets") {
        let path = entry.expect("targets are listed").path();
        fs::copy(&path, directory.path().join("targets").join(name_of(&path))).expect("targets");
    }
    directory
}

#[test]
fn the_fleet_is_found_and_named() {
    let directory = fleet();
    let checked = run("promtool", |promtool| {
        promtool.args(["check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"]);
        promtool.current_dir(directory.path());
    });
    assert_good(&checked);
    assert!(said(&checked).contains("rules found"), "{}", said(&checked));
    for (job, instance, site) in [
        ("scrapeport", "bench-1", "lab"),
        ("scrapeport", "192.168.1.23:9100", "lab"),
        ("scrapeport-password", "gateway-17", "north"),
        ("scrapeport-certificate", "pump-3", "south"),
    ] {
        let found = run("promtool", |promtool| {
            promtool.args(["check", "service-discovery", "--timeout=2s", "prometheus.yml", job]);
            promtool.current_dir(directory.path());
        });
        assert_good(&found);
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let labels: Vec<_> = found.split("\"labels\": {").skip(1).collect();
        let own = labels.iter().find(|labels| labels.contains(&format!("\"instance\": \"{instance}\"")));
        let own = own.unwrap_or_else(|| panic!("{job} does not find {instance}: {found}"));
        let own = own.split('}').next().unwrap_or_default();
        // The rules ask for this job.
        assert!(own.contains("\"job\": \"scrapeport\""), "{own}");
        assert!(own.contains(&format!("\"site\": \"{site}\"")) && !own.contains("\"name\""), "{own}");
    }
}
