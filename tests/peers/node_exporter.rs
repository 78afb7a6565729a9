//! The node exporter of Debian (1.5.0): on the same frozen machines, and side by side on this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::client::{exchange, get};
use crate::exporter::{EVERYTHING, Exporter};
use crate::page::{Families, Series, shown};
use crate::pages::promtool;
use crate::process::{Running, Served, free_address, tool};
use crate::tree::Tree;

/// The collectors that both have. `uname`, `time` and `timex` look at no tree.
const SHARED: &[&str] = &[
    "arp",
    "bonding",
    "conntrack",
    "cpu",
    "cpufreq",
    "diskstats",
    "dmi",
    "edac",
    "entropy",
    "filefd",
    "filesystem",
    "hwmon",
    "interrupts",
    "loadavg",
    "mdadm",
    "meminfo",
    "netclass",
    "netdev",
    "netstat",
    "os",
    "powersupplyclass",
    "pressure",
    "processes",
    "rapl",
    "schedstat",
    "selinux",
    "sockstat",
    "softnet",
    "stat",
    "textfile",
    "thermal_zone",
    "udp_queues",
    "vmstat",
];

/// Those that ask the kernel and not its files.
const OF_THE_KERNEL: &[&str] = &["tcpstat", "time", "timex", "uname"];

/// What Debian or time has changed in it is undone.
const AS_UPSTREAM: &[&str] = &[
    "--collector.netdev.device-exclude=",
    // The default of today: 1.5.0 shows zram.
    r"--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
    "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
];

/// A difference that is meant: the tree or `*`, a series in which `*` stands for anything, the reason.
type Known = (&'static str, &'static str, &'static str);

/// Series of theirs that ours has not, or with another value or type.
const DIFFERENCES: &[Known] = &[
    ("*", "node_disk_info{*", "has the label rotational since 1.9"),
    ("*", "node_network_info{*", "has the label adminstate since 1.6"),
    (
        "server",
        "node_disk_written_bytes_total{device=\"md1\"}",
        "more sectors than bytes can be counted in 64 bits: the last number",
    ),
    ("server", "node_filesystem_*{device=\"filer:/export\"*", "has the label device_error since 1.8"),
    (
        "server",
        "node_hwmon_sensor_label{chip=\"platform_nct6775_2592\",label=\"sclk\"*",
        "1.5.0 knows no sensor of this type",
    ),
    (
        "router",
        "node_scrape_collector_success{collector=\"cpu\"}",
        "1.5.0 cannot read cpuinfo of MIPS, and shows nothing",
    ),
    (
        "router",
        "node_filesystem_*{device=\"overlayfs:/overlay\"*",
        "the root of a router is shown, though an overlay",
    ),
];

/// Families that 1.5.0 does not have.
const ONLY_OURS: &[(&str, &str)] = &[
    ("node_cpu_online", "since 1.9"),
    ("node_cpu_seconds_total", "1.5.0 shows nothing of processors if it cannot read cpuinfo"),
    ("node_cpu_guest_seconds_total", "1.5.0 shows nothing of processors if it cannot read cpuinfo"),
    ("node_cpu_info", "1.5.0 shows nothing of processors if it cannot read cpuinfo"),
    ("node_cpu_scaling_governor", "since 1.6"),
    ("node_edac_channel_*", "since 1.12"),
    ("node_filesystem_mount_info", "since 1.9"),
    ("node_hwmon_freq_freq_mhz", "1.5.0 knows no sensor of this type"),
    ("node_kernel_hung_tasks_total", "since 1.11"),
    ("node_md_degraded", "since 1.10"),
    ("node_md_raid_disks", "since 1.10"),
    ("node_netstat_TcpExt_TCPOFOQueue", "since 1.6"),
    ("node_netstat_TcpExt_TCPRcvQDrop", "since 1.6"),
    ("node_network_receive_nohandler_total", "1.5.0 reads it by netlink only"),
    ("node_os_support_end_timestamp_seconds", "since 1.6"),
    ("node_pressure_irq_stalled_seconds_total", "since 1.6"),
    ("node_softirqs_functions_total", "since 1.6"),
    ("node_softnet_*", "since 1.6, but for the first three"),
    ("node_swap_*", "since 1.8"),
    ("node_watchdog_*", "since 1.8; the reason of the last start is ours"),
    ("node_devicetree_info", "ours: boards without firmware tables"),
    ("node_mmc_*", "ours: wear of flash memory"),
    ("node_mtd_*", "ours: wear of flash memory"),
    ("node_ubi_*", "ours: wear of flash memory"),
    ("node_openwrt_info", "ours, as the exporters of OpenWrt have it"),
    ("node_raspberrypi_*", "ours: voltage and temperature of the board"),
    ("node_reset_reason_info", "ours: why the machine started"),
];

struct NodeExporter {
    _running: Running,
    address: SocketAddr,
}

impl NodeExporter {
    fn start(folder: &Path, collectors: &[&[&str]], arguments: &[&str]) -> Self {
        let address = free_address();
        let mut command = Command::new(tool("prometheus-node-exporter"));
        command.arg(format!("--web.listen-address={address}")).arg("--collector.disable-defaults");
        command.args(collectors.iter().copied().flatten().map(|name| format!("--collector.{name}")));
        command.args(AS_UPSTREAM).args(arguments).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        running.await_port(address);
        Self { _running: running, address }
    }

    /// What it shows of the machine.
    fn scrape(&self) -> Families {
        of_the_machine(&exchange(self.address, &get("/metrics", "Connection: close\r\n")).text())
    }
}

fn of_the_machine(page: &str) -> Families {
    let mut families = Families::read(page);
    families.0.retain(|name, _| name.starts_with("node_") && name != "node_exporter_build_info");
    families
}

/// Series of a collector that is told apart by its label.
fn is_about_another(series: &Series) -> bool {
    series.0.starts_with("node_scrape_collector_")
}

/// A star stands for anything: one in the pattern, and one that may end it.
fn fits(pattern: &str, series: &str) -> bool {
    let (pattern, open) = pattern.strip_suffix('*').map_or((pattern, false), |begin| (begin, true));
    let Some((begin, middle)) = pattern.split_once('*') else {
        return if open { series.starts_with(pattern) } else { pattern == series };
    };
    series
        .strip_prefix(begin)
        .is_some_and(|rest| if open { rest.contains(middle) } else { rest.ends_with(middle) })
}

#[test]
fn the_server_is_seen_alike() {
    compare("server");
}

#[test]
fn the_raspberry_is_seen_alike() {
    compare("raspberry");
}

#[test]
fn the_router_is_seen_alike() {
    compare("router");
}

#[test]
fn the_old_machine_is_seen_alike() {
    compare("old32");
}

fn compare(name: &str) {
    let (ours, theirs) = both(name);
    let differences = differences(&ours, &theirs);
    let mut unexplained = Vec::new();
    for (series, difference) in differences {
        let known =
            DIFFERENCES.iter().any(|(tree, pattern, _)| [name, "*"].contains(tree) && fits(pattern, &series));
        if !known {
            unexplained.push(format!("{series}: {difference}"));
        }
    }
    assert!(unexplained.is_empty(), "{} differences:\n{}", unexplained.len(), unexplained.join("\n"));
}

/// What ours and theirs say of a tree.
fn both(name: &str) -> (Families, Families) {
    let tree = Tree::unpack(name);
    let flags = [
        "--path.procfs=proc",
        "--path.sysfs=sys",
        "--path.rootfs=root",
        "--path.udev.data=udev",
        "--collector.textfile.directory=root/textfile",
        "--collector.cpu.info",
        "--collector.stat.softirq",
        "--no-collector.netdev.netlink",
    ];
    let theirs = NodeExporter::start(&tree.path(""), &[SHARED], &flags).scrape();
    let ours = of_the_machine(&Exporter::start(&tree, EVERYTHING).scrape(""));
    (ours, theirs)
}

/// What one shows and the other does not, or not so.
fn differences(ours: &Families, theirs: &Families) -> BTreeMap<String, String> {
    let index = |families: &Families| -> BTreeMap<Series, (String, f64)> {
        families.series().map(|(series, kind, value)| (series.clone(), (kind.to_owned(), value))).collect()
    };
    let (ours_by, theirs_by) = (index(ours), index(theirs));
    let mut found = BTreeMap::new();
    for (series, (kind, value)) in &theirs_by {
        // Free space is that of the machine of the test, and others write to it.
        let moves = [
            "node_filesystem_avail_bytes",
            "node_filesystem_files_free",
            "node_filesystem_free_bytes",
            "node_scrape_collector_duration_seconds",
            "node_textfile_mtime_seconds",
        ];
        let problem = match ours_by.get(series) {
            None => format!("only theirs, {value}"),
            Some((our_kind, _)) if our_kind != kind => format!("a {our_kind}, theirs a {kind}"),
            Some((_, our_value)) if !same(*our_value, *value) && !moves.contains(&series.0.as_str()) => {
                format!("{our_value}, theirs {value}")
            }
            Some(_) => continue,
        };
        found.insert(shown(series), problem);
    }
    for (series, (_, value)) in &ours_by {
        let theirs_too = theirs_by.contains_key(series) || is_about_another(series);
        let new = || ONLY_OURS.iter().any(|(pattern, _)| fits(pattern, &series.0));
        if !theirs_too && (theirs.0.contains_key(&series.0) || !new()) {
            found.insert(shown(series), format!("only ours, {value}"));
        }
    }
    found
}

/// Equal but for the last places: ticks and milliseconds are divided in another order.
fn same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()) || (a.is_nan() && b.is_nan())
}

/// Explanations that explain nothing any more must go.
#[test]
fn every_exception_is_of_use() {
    let mut used = BTreeSet::new();
    let mut new = BTreeSet::new();
    for name in ["server", "raspberry", "router", "old32"] {
        let (ours, theirs) = both(name);
        for series in differences(&ours, &theirs).keys() {
            let known = DIFFERENCES.iter().enumerate();
            used.extend(
                known
                    .filter(|(_, (tree, pattern, _))| [name, "*"].contains(tree) && fits(pattern, series))
                    .map(|(at, _)| at),
            );
        }
        for family in ours.0.keys().filter(|family| !theirs.0.contains_key(*family)) {
            new.extend((0..ONLY_OURS.len()).filter(|at| fits(ONLY_OURS[*at].0, family)));
        }
    }
    let idle: Vec<_> =
        (0..DIFFERENCES.len()).filter(|at| !used.contains(at)).map(|at| DIFFERENCES[at]).collect();
    assert!(idle.is_empty(), "{idle:#?}");
    let idle: Vec<_> = (0..ONLY_OURS.len()).filter(|at| !new.contains(at)).map(|at| ONLY_OURS[at]).collect();
    assert!(idle.is_empty(), "{idle:#?}");
}

/// promtool reads what is served of every tree, the broken one too.
#[test]
fn promtool_reads_the_pages_of_trees() {
    for name in ["server", "raspberry", "router", "old32", "broken"] {
        let tree = Tree::unpack(name);
        promtool(&Exporter::start(&tree, EVERYTHING).scrape(""), name);
    }
}

/// Both on this machine.
struct Pair {
    theirs: NodeExporter,
    ours: Served,
}

impl Pair {
    fn start() -> Self {
        let further = ["--collector.stat.softirq", "--collector.textfile.directory="];
        let theirs = NodeExporter::start(Path::new("/"), &[SHARED, OF_THE_KERNEL], &further);
        let arguments: Vec<String> =
            [SHARED, OF_THE_KERNEL].concat().iter().map(|name| format!("--collector.{name}")).collect();
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--collector.disable-defaults", "--collector.stat.softirq"]);
        Self { theirs, ours: Served::program(&arguments) }
    }

    fn ours(&self) -> Families {
        of_the_machine(&exchange(self.ours.address, &get("/metrics", "Connection: close\r\n")).text())
    }
}

/// Series that one machine can show differently for a reason.
const HERE: &[(&str, &str)] = &[
    (
        "node_tcp_connection_states{state=\"tx_queued_bytes\"}",
        "1.5.0 adds the backlog of listening sockets, which is a number of connections",
    ),
    ("node_disk_info{*", "has the label rotational since 1.9"),
    ("node_network_info{*", "has the label adminstate since 1.6"),
    (
        "node_scrape_collector_success{*",
        "a machine without the hardware has no data; 1.5.0 calls some of that a success",
    ),
];

/// Every series of theirs is one of ours, with the same type; and its value lies between what theirs says before and
/// after, in one of a hundred scrapes at least: a clock or a counter always, a gauge as soon as it stands still.
#[test]
fn both_say_the_same_of_this_machine() {
    let pair = Pair::start();
    let mut open = BTreeSet::new();
    // A state that a socket had in one scrape of theirs and none has since is not asked for.
    let mut stayed = BTreeSet::new();
    let mut last = BTreeMap::new();
    for round in 0..100 {
        let before = pair.theirs.scrape();
        let ours = pair.ours();
        let after = pair.theirs.scrape();
        let index = |families: &Families| -> BTreeMap<Series, (String, f64)> {
            families
                .series()
                .map(|(series, kind, value)| (series.clone(), (kind.to_owned(), value)))
                .collect()
        };
        let (before, ours, after) = (index(&before), index(&ours), index(&after));
        let mut good = BTreeSet::new();
        for (series, (kind, low)) in &before {
            if series.0 == "node_scrape_collector_duration_seconds"
                || HERE.iter().any(|(pattern, _)| fits(pattern, &shown(series)))
            {
                continue;
            }
            if round == 0 {
                open.insert(series.clone());
            }
            // A process or a socket that has ended in the meantime.
            let Some((_, high)) = after.get(series) else { continue };
            stayed.insert(series.clone());
            let Some((our_kind, value)) = ours.get(series) else { continue };
            assert_eq!(our_kind, kind, "{}", shown(series));
            if same(*value, *low) || same(*value, *high) || (low.min(*high)..=low.max(*high)).contains(value)
            {
                good.insert(series.clone());
            } else {
                last.insert(series.clone(), format!("{low} {value} {high}"));
            }
        }
        open.retain(|series| !good.contains(series));
        if open.is_empty() {
            break;
        }
    }
    let open: Vec<_> = open
        .intersection(&stayed)
        .map(|series| format!("{}: theirs, ours, theirs {:?}", shown(series), last.get(series)))
        .collect();
    assert!(open.is_empty(), "missing, or never the same:\n{}", open.join("\n"));
}

/// Names of the dashboard that ours does not serve on any or on this machine, and why.
const NOT_SERVED: &[(&str, &str)] = &[
    (
        "node_kernel_hung_tasks",
        "no exporter has this name: it is node_kernel_hung_task_detect_count or …_total",
    ),
    ("node_netstat_Tcp_MaxConn", "outside of the default of --collector.netstat.fields"),
    ("node_systemd_*", "asks the service manager over D-Bus"),
];

/// The names of the dashboard "Node Exporter Full" (1860): ours serves each that theirs serves, on the same machine, with
/// the collectors that both have.
#[test]
fn the_dashboard_finds_its_names() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dashboard-names.txt");
    let names = fs::read_to_string(path).expect("a file of the project");
    let pair = Pair::start();
    let theirs = exchange(pair.theirs.address, &get("/metrics", "Connection: close\r\n")).text();
    let ours = exchange(pair.ours.address, &get("/metrics", "Connection: close\r\n")).text();
    let has = |page: &str, name: &str| page.lines().any(|line| line.starts_with(&format!("# TYPE {name} ")));
    let (mut we, mut they, mut lost) = (0, 0, Vec::new());
    for name in names.lines() {
        let (ours, theirs) = (has(&ours, name), has(&theirs, name));
        we += usize::from(ours);
        they += usize::from(theirs);
        if theirs && !ours && !NOT_SERVED.iter().any(|(pattern, _)| fits(pattern, name)) {
            lost.push(name);
        }
    }
    println!("of {} names of the dashboard ours serves {we}, theirs {they}", names.lines().count());
    assert!(lost.is_empty(), "{lost:?}");
    assert!(we >= they, "{we} {they}");
}
