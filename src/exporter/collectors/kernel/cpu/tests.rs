//! Processors of several kernels and architectures.

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::exporter::engine::testing::{Tree, run};

const STAT: &str =
    "cpu  6 6 6 6 6 6 6 6 6 6\ncpu0 101 2 3 4 5 6 7 8 50 1\ncpu2 1 0 0 1234567 0 0 0 0 0 0\nintr 7 0\n";

fn lines(page: &str, prefix: &str) -> Vec<String> {
    page.lines().filter(|line| line.starts_with(prefix)).map(String::from).collect()
}

#[test]
fn times_by_mode() {
    let outcome = Tree::new(&[("proc/stat", STAT)]).run(&ENTRY, &[]);
    assert_eq!(outcome.result, Ok(()));
    outcome.assert_sound();
    let samples = outcome.samples();
    for line in [
        "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1.01\n",
        "node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"} 0.08\n",
        "node_cpu_seconds_total{cpu=\"2\",mode=\"idle\"} 12345.67\n",
        "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"user\"} 0.5\n",
        "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"} 0.01\n",
    ] {
        assert!(samples.contains(line), "{line}");
    }
    assert_eq!(samples.lines().count(), 20);
    let without = Tree::new(&[("proc/stat", STAT)]).run(&ENTRY, &[("collector.cpu.guest", "false")]);
    assert_eq!(without.samples().lines().count(), 16);
}

#[test]
fn times_of_an_old_kernel() {
    let outcome = Tree::new(&[("proc/stat", "cpu  1 2 3 4\ncpu0 1 2 3 4\n")]).run(&ENTRY, &[]);
    assert!(outcome.samples().contains("node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 0.04\n"));
    assert!(outcome.samples().contains("node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"} 0\n"));
}

#[test]
fn times_never_go_back_between_scrapes() {
    let tree = Tree::new(&[("proc/stat", "cpu0 100 0 0 1000\n")]);
    let (source, machine) = (ENTRY.source(&Default::default()).unwrap(), tree.machine());
    run(source, &machine);
    tree.write("proc/stat", "cpu0 90 0 0 999\n");
    let samples = run(source, &machine).samples();
    assert!(samples.contains("mode=\"user\"} 1\n") && samples.contains("mode=\"idle\"} 10\n"), "{samples}");
    tree.write("proc/stat", "cpu0 90 0 0 700\n");
    let samples = run(source, &machine).samples();
    assert!(samples.contains("mode=\"user\"} 0.9\n") && samples.contains("mode=\"idle\"} 7\n"), "{samples}");
}

#[test]
fn no_times_are_a_problem_but_not_for_the_rest() {
    for text in ["", "intr 5\n", "cpu 1 2 3 4\n", "\u{0}"] {
        let tree = Tree::new(&[("proc/stat", text), ("sys/devices/system/cpu/isolated", "2-3\n")]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(outcome.result, Err(Problem::malformed("stat")));
        assert_eq!(outcome.samples(), "node_cpu_isolated{cpu=\"2\"} 1\nnode_cpu_isolated{cpu=\"3\"} 1\n");
    }
    assert!(Tree::new(&[]).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
}

#[test]
fn online_and_offline() {
    let tree = Tree::new(&[("proc/stat", STAT), ("sys/devices/system/cpu/online", "0,2-3\n")]);
    assert!(!tree.run(&ENTRY, &[]).page.contains("online"));
    for cpu in [0, 1, 2, 10] {
        tree.write(&format!("sys/devices/system/cpu/cpu{cpu}/online"), "?");
    }
    tree.write("sys/devices/system/cpu/cpufreq/x", "");
    let outcome = tree.run(&ENTRY, &[]);
    outcome.assert_sound();
    let expected = ["{cpu=\"0\"} 1", "{cpu=\"1\"} 0", "{cpu=\"2\"} 1", "{cpu=\"10\"} 0"];
    let expected: Vec<_> = expected.iter().map(|rest| format!("node_cpu_online{rest}")).collect();
    assert_eq!(lines(&outcome.page, "node_cpu_online"), expected);
    // A list that cannot be read does not say that all are off.
    for list in ["", "?\n"] {
        tree.write("sys/devices/system/cpu/online", list);
        assert_eq!(lines(&tree.run(&ENTRY, &[]).page, "node_cpu_online"), [""; 0]);
    }
}

#[test]
fn throttles_once_for_each_core() {
    let tree = Tree::new(&[("proc/stat", STAT), ("sys/devices/system/cpu/online", "0-3\n")]);
    // Two threads of one core, another core, another package; one file is broken.
    for (cpu, package, core) in [(0, 0, 0), (1, 0, 0), (2, 0, 4), (3, 1, 0)] {
        let write = |file: &str, text: String| {
            tree.write(&format!("sys/devices/system/cpu/cpu{cpu}/{file}"), text);
        };
        write("topology/physical_package_id", format!("{package}\n"));
        write("topology/core_id", format!("{core}\n"));
        write("thermal_throttle/core_throttle_count", format!("{}\n", 10 + cpu));
        write(
            "thermal_throttle/package_throttle_count",
            if cpu == 0 { "x".into() } else { format!("{cpu}\n") },
        );
    }
    let outcome = tree.run(&ENTRY, &[]);
    outcome.assert_sound();
    assert_eq!(
        lines(&outcome.page, "node_cpu_core_throttles"),
        [
            "node_cpu_core_throttles_total{core=\"0\",package=\"0\"} 10",
            "node_cpu_core_throttles_total{core=\"4\",package=\"0\"} 12",
            "node_cpu_core_throttles_total{core=\"0\",package=\"1\"} 13",
        ]
    );
    let packages = [
        "node_cpu_package_throttles_total{package=\"0\"} 1",
        "node_cpu_package_throttles_total{package=\"1\"} 3",
    ];
    assert_eq!(lines(&outcome.page, "node_cpu_package_throttles"), packages);
    // Nor does a list of what is online that says nothing matter.
    for list in ["", "?\n"] {
        tree.write("sys/devices/system/cpu/online", list);
        assert_eq!(lines(&tree.run(&ENTRY, &[]).page, "node_cpu_package_throttles"), packages);
    }
    std::fs::remove_file(tree.path("sys/devices/system/cpu/online")).unwrap();
    assert_eq!(lines(&tree.run(&ENTRY, &[]).page, "node_cpu_package_throttles"), packages);
}

#[test]
fn throttles_of_the_first_that_can_be_read() {
    let tree = Tree::new(&[("proc/stat", STAT), ("sys/devices/system/cpu/cpu0/topology/core_id", "0\n")]);
    for cpu in [1, 2] {
        let root = format!("sys/devices/system/cpu/cpu{cpu}");
        tree.write(&format!("{root}/topology/physical_package_id"), "0\n");
        tree.write(&format!("{root}/topology/core_id"), "7\n");
        tree.write(&format!("{root}/thermal_throttle/core_throttle_count"), ["x", "5"][cpu - 1]);
    }
    let throttles = "node_cpu_core_throttles_total{core=\"7\",package=\"0\"} 5";
    assert_eq!(lines(&tree.run(&ENTRY, &[]).page, "node_cpu_core_throttles"), [throttles]);
}

const X86: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 142\n\
    model name\t: Intel(R) Core(TM)\nstepping\t: 10\nmicrocode\t: 0xb4\ncache size\t: 8192 KB\nphysical id\t: 0\n\
    core id\t\t: 1\nflags\t\t: fpu aes fpu\nbugs\t\t: spectre_v1 mds\n\nprocessor\t: 1\nflags\t\t: other\n";

fn info(cpuinfo: &str, flags: &[(&'static str, &str)]) -> Vec<String> {
    let outcome = Tree::new(&[("proc/stat", STAT), ("proc/cpuinfo", cpuinfo)]).run(&ENTRY, flags);
    assert_eq!(outcome.result, Ok(()));
    outcome.assert_sound();
    outcome.samples().lines().filter(|line| line.contains("_info")).map(String::from).collect()
}

#[test]
fn kinds_of_processors() {
    let first = "node_cpu_info{cpu=\"0\",package=\"0\",core=\"1\",vendor=\"GenuineIntel\",family=\"6\",model=\"142\",\
        model_name=\"Intel(R) Core(TM)\",microcode=\"0xb4\",stepping=\"10\",cachesize=\"8192 KB\"} 1";
    let shown = info(X86, &[("collector.cpu.info", "true")]);
    assert_eq!((shown.len(), shown[0].as_str()), (2, first));
    assert!(info(X86, &[]).is_empty());
    let shown =
        info(X86, &[("collector.cpu.info.flags-include", "."), ("collector.cpu.info.bugs-include", "^m")]);
    assert_eq!(
        shown[2..],
        [
            "node_cpu_flag_info{flag=\"fpu\"} 1",
            "node_cpu_flag_info{flag=\"aes\"} 1",
            "node_cpu_bug_info{bug=\"mds\"} 1"
        ]
    );
}

#[test]
fn kinds_of_arm() {
    let on = [("collector.cpu.info", "true"), ("collector.cpu.info.flags-include", "")];
    let old =
        "Processor\t: ARM926EJ-S rev 5 (v5l)\nBogoMIPS\t: 226.09\nFeatures\t: swp half\n\nHardware\t: x\n";
    assert!(
        info(old, &on)[0].contains("cpu=\"0\",") && info(old, &on)[0].contains("\"ARM926EJ-S rev 5 (v5l)\"")
    );
    let many =
        "Processor\t: ARMv7 (v7l)\nprocessor\t: 0\nBogoMIPS\t: 1\n\nprocessor\t: 1\n\nFeatures\t: swp\n";
    assert_eq!(info(many, &on).len(), 2);
    assert!(info(many, &on)[1].contains("cpu=\"1\",") && info(many, &on)[1].contains("\"ARMv7 (v7l)\""));
    let arm64 = "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd03\n\nprocessor\t: 1\nFeatures\t: fp\n";
    let shown = info(arm64, &[("collector.cpu.info.flags-include", "^fp$")]);
    assert_eq!((shown.len(), shown[2].as_str()), (3, "node_cpu_flag_info{flag=\"fp\"} 1"));
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused() {
    let choices = crate::exporter::engine::choices::Choices::of(&[("collector.cpu.info.bugs-include", "(")]);
    assert!(ENTRY.source(&choices).err().unwrap().starts_with("--collector.cpu.info.bugs-include=("));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_survived(
        stat: Vec<u8>,
        lines in "(cpu[0-2]?( [0-9]{1,3}){3,5}\n|(processor|flags): ?[01a ]{0,3}\n){0,8}",
        list: Vec<u8>,
    ) {
        let tree = Tree::new(&[("sys/devices/system/cpu/cpu0/online", "1"), ("proc/stat", &lines), ("proc/cpuinfo", &lines)]);
        tree.write("sys/devices/system/cpu/online", &list);
        tree.write("sys/devices/system/cpu/isolated", &list);
        let flags = [("collector.cpu.info.flags-include", ".*")];
        tree.run(&ENTRY, &flags).assert_sound();
        tree.write("proc/stat", &stat);
        tree.write("proc/cpuinfo", &stat);
        tree.run(&ENTRY, &flags).assert_sound();
    }
}
