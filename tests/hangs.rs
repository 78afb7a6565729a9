//! What hangs keeps nobody waiting: a file system that is gone, an attribute whose driver never answers, a device that
//! goes while it is looked at.
//!
//! Hung files are real ones: file systems in user space (FUSE) that nobody serves. They take root and `/dev/fuse`;
//! where those are missing the tests that need them fail and say so, unless `SCRAPEPORT_WITHOUT_FUSE` is set, which
//! leaves them out with a line on standard error.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

#[path = "support/exporter.rs"]
mod exporter;
#[path = "support/page.rs"]
mod page;
#[path = "support/tree.rs"]
mod tree;

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use exporter::{EVERYTHING, Exporter};
use page::Families;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tree::Tree;

/// A file or directory that hangs whoever opens it or asks for its file system. Let go when dropped.
struct Hung {
    place: PathBuf,
    _nobody: OwnedFd,
}

impl Hung {
    /// None, with a word about it, where the machine forbids it and the caller said that this is known.
    fn over(place: &Path) -> Option<Self> {
        let kind = if place.is_dir() { "40000" } else { "100444" };
        let mounted =
            rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).and_then(|nobody| {
                let options = format!("fd={},rootmode={kind},user_id=0,group_id=0", nobody.as_raw_fd());
                let options = CString::new(options).expect("no NUL");
                mount("nobody", place, "fuse", MountFlags::empty(), &*options)?;
                Ok(nobody)
            });
        match mounted {
            Ok(nobody) => Some(Self { place: place.to_owned(), _nobody: nobody }),
            Err(error) if std::env::var_os("SCRAPEPORT_WITHOUT_FUSE").is_some() => {
                eprintln!("NOT TESTED: what hangs for real; this machine forbids FUSE: {error}");
                None
            }
            Err(error) => panic!(
                "this machine forbids file systems in user space ({error}): run as root with /dev/fuse, \
                 or set SCRAPEPORT_WITHOUT_FUSE to leave out what needs them"
            ),
        }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // Whoever waits in it gets an error.
        let _ = unmount(&self.place, UnmountFlags::FORCE | UnmountFlags::DETACH);
    }
}

fn success(families: &Families, collector: &str) -> Option<f64> {
    families.value(&format!("node_scrape_collector_success{{collector={collector:?}}}"))
}

/// Collectors that have nothing to do with what hangs.
fn assert_others(families: &Families) {
    for name in ["cpu", "diskstats", "loadavg", "meminfo", "netdev", "stat"] {
        assert_eq!(success(families, name), Some(1.0), "{name}");
    }
    assert_eq!(families.value("node_load1"), Some(2.31));
}

#[test]
fn a_file_system_that_is_gone_is_reported() {
    let tree = Tree::unpack("server");
    let place = tree.path("root/srv/gone");
    fs::create_dir(&place).unwrap();
    let Some(hung) = Hung::over(&place) else { return };
    let exporter = Exporter::start(&tree, EVERYTHING);
    // The second scrape does not ask again; the third neither.
    for _ in 0..3 {
        let families = Families::read(&exporter.scrape(""));
        assert_others(&families);
        let labels = "device=\"filer:/export\",fstype=\"nfs4\",mountpoint=\"/srv/gone\"";
        let error = format!("node_filesystem_device_error{{{labels},device_error=\"mountpoint timeout\"}}");
        assert_eq!(families.value(&error), Some(1.0), "{}", exporter.log());
        let sizes = &families.0["node_filesystem_size_bytes"].samples;
        assert!(sizes.keys().all(|(_, labels)| labels["mountpoint"] != "/srv/gone"));
        // Those before and behind it in the list.
        for mountpoint in ["/", "/srv/data", "/srv/bind"] {
            assert!(sizes.keys().any(|(_, labels)| labels["mountpoint"] == mountpoint), "{mountpoint}");
        }
    }
    drop(hung);
    // It is there again, and asked again.
    let mut back = false;
    for _ in 0..200 {
        let families = Families::read(&exporter.scrape("collect[]=filesystem"));
        back = families.0["node_filesystem_size_bytes"]
            .samples
            .keys()
            .any(|(_, labels)| labels["mountpoint"] == "/srv/gone");
        if back {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(back, "never asked again");
}

/// The drivers behind these attributes never answer.
#[test]
fn attributes_that_hang_are_left_out() {
    for (attribute, lost, kept) in [
        (
            "sys/devices/platform/coretemp.0/hwmon/hwmon1/temp1_input",
            "node_hwmon_temp_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"}",
            "node_hwmon_temp_celsius{chip=\"platform_nct6775_2592\",sensor=\"temp7\"}",
        ),
        (
            "sys/devices/virtual/thermal/thermal_zone0/temp",
            "node_thermal_zone_temp{zone=\"0\",type=\"x86_pkg_temp\"}",
            "node_cooling_device_cur_state{name=\"0\",type=\"Processor\"}",
        ),
        (
            "sys/devices/system/cpu/cpufreq/policy3/scaling_cur_freq",
            "node_cpu_scaling_frequency_hertz{cpu=\"3\"}",
            "node_cpu_scaling_frequency_hertz{cpu=\"7\"}",
        ),
        (
            "sys/devices/pci0000:00/0000:00:1f.6/net/eno1/speed",
            "node_network_speed_bytes{device=\"eno1\"}",
            "node_network_speed_bytes{device=\"bond0\"}",
        ),
        (
            "sys/devices/platform/iTCO_wdt.1/watchdog/watchdog0/timeleft",
            "node_watchdog_timeleft_seconds{name=\"watchdog0\"}",
            "node_watchdog_timeout_seconds{name=\"watchdog0\"}",
        ),
    ] {
        let tree = Tree::unpack("server");
        let Some(_hung) = Hung::over(&tree.path(attribute)) else { return };
        let exporter = Exporter::start(&tree, EVERYTHING);
        for _ in 0..2 {
            let families = Families::read(&exporter.scrape(""));
            assert_others(&families);
            assert_eq!(families.value(lost), None, "{attribute}");
            assert!(families.value(kept).is_some(), "{attribute}: {kept} is lost: {}", exporter.log());
        }
    }
}

/// Many who ask at the same time; the first of them finds out.
#[test]
fn scrapes_at_the_same_time_are_not_held_up() {
    let mut before = false;
    // Whether the short one comes first is a matter of luck once, not ten times.
    for _ in 0..10 {
        let tree = Tree::unpack("server");
        fs::create_dir(tree.path("root/srv/gone")).unwrap();
        let Some(_hung) = Hung::over(&tree.path("root/srv/gone")) else { return };
        let exporter = Exporter::start(&tree, EVERYTHING);
        let finished = AtomicBool::new(false);
        thread::scope(|scope| {
            let long: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let page = exporter.scrape("");
                        finished.store(true, Ordering::Relaxed);
                        page
                    })
                })
                .collect();
            let short = Families::read(&exporter.scrape("collect[]=loadavg"));
            before |= !finished.load(Ordering::Relaxed);
            assert_eq!(short.value("node_load1"), Some(2.31));
            for page in long {
                assert_others(&Families::read(&page.join().unwrap()));
            }
        });
        if before {
            break;
        }
    }
    assert!(before, "nobody is answered until the one that hangs is");
}

/// More mounts that hang than there are threads to be left behind.
#[test]
fn a_dozen_that_hang_are_survived() {
    let tree = Tree::unpack("server");
    let mut mounts = fs::read_to_string(tree.path("proc/1/mountinfo")).unwrap();
    let mut hung = Vec::new();
    for number in 0..12 {
        let place = tree.path(format!("root/srv/gone{number}"));
        fs::create_dir(&place).unwrap();
        let Some(one) = Hung::over(&place) else { return };
        hung.push(one);
        mounts += &format!("{0} 28 0:{0} / /srv/gone{number} rw - nfs4 filer:/{number} rw\n", 60 + number);
    }
    tree.write("proc/1/mountinfo", mounts);
    let exporter = Exporter::start(&tree, EVERYTHING);
    for _ in 0..4 {
        let families = Families::read(&exporter.scrape(""));
        assert_others(&families);
        let errors = families.0["node_filesystem_device_error"].samples.iter();
        let stuck = errors
            .filter(|((_, labels), value)| **value == 1.0 && labels["mountpoint"].starts_with("/srv/gone"));
        assert!(stuck.count() >= 12, "{}", exporter.log());
    }
}

/// FIFOs in the place of files, with a writer that writes nothing.
#[test]
fn fifos_are_not_waited_for() {
    let tree = Tree::unpack("server");
    let places = [
        "proc/loadavg",
        "proc/pressure/cpu",
        "proc/net/dev",
        "sys/devices/platform/coretemp.0/hwmon/hwmon1/temp1_input",
        "sys/devices/pci0000:00/0000:00:1f.6/net/eno1/mtu",
        "root/textfile/pipe.prom",
    ];
    let mut writers = Vec::new();
    for place in places {
        let path = tree.path(place);
        let _ = fs::remove_file(&path);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        writers.push(fs::OpenOptions::new().read(true).write(true).open(&path).unwrap());
    }
    let exporter = Exporter::start(&tree, EVERYTHING);
    for _ in 0..3 {
        let families = Families::read(&exporter.scrape(""));
        assert_eq!(success(&families, "loadavg"), Some(0.0));
        for name in ["cpu", "diskstats", "meminfo", "stat", "hwmon", "netclass"] {
            assert_eq!(success(&families, name), Some(1.0), "{name}: {}", exporter.log());
        }
        assert_eq!(families.value("node_network_mtu_bytes{device=\"eno1\"}"), None);
        assert_eq!(families.value("node_network_mtu_bytes{device=\"bond0\"}"), Some(9000.0));
    }
}

/// Devices come and go while they are looked at.
#[test]
fn devices_that_vanish_are_left_out() {
    let tree = Tree::unpack("server");
    let exporter = Exporter::start(&tree, EVERYTHING);
    let over = AtomicBool::new(false);
    let directories = [
        "sys/class/net/eno1",
        "sys/devices/virtual/net/bond0",
        "sys/class/hwmon/hwmon1",
        "sys/devices/virtual/thermal/thermal_zone0",
        "sys/class/thermal/cooling_device0",
        "sys/devices/system/cpu/cpu3",
        "sys/class/watchdog/watchdog0",
        "sys/devices/system/edac/mc/mc0",
        "proc/811",
        "proc/net",
    ];
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
                let here = tree.path(directories[turn % directories.len()]);
                let away = tree.path("away");
                fs::rename(&here, &away).unwrap();
                thread::yield_now();
                fs::rename(&away, &here).unwrap();
            }
        });
        // The other thread has to end, whatever happens here.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..300 {
                let families = Families::read(&exporter.scrape(""));
                assert_eq!(success(&families, "loadavg"), Some(1.0));
                assert!(families.value("node_memory_MemTotal_bytes").is_some());
            }
        }));
        over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|problem| std::panic::resume_unwind(problem));
    });
    let families = Families::read(&exporter.scrape(""));
    assert_others(&families);
    assert_eq!(families.value("node_network_mtu_bytes{device=\"eno1\"}"), Some(9000.0));
}
