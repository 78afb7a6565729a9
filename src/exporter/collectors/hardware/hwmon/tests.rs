//! Chips as several drivers show them.

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::exporter::engine::testing::{Outcome, Tree};

fn run(tree: &Tree, flags: &[(&'static str, &str)]) -> Outcome {
    tree.run(&ENTRY, flags)
}

/// Files of a chip on a device below `sys/devices`, linked as the kernel links them.
fn chip(tree: &Tree, number: u32, device: &str, files: &[(&str, &str)]) {
    let directory = format!("devices/{device}/hwmon/hwmon{number}");
    for (name, text) in files {
        tree.write(&format!("sys/{directory}/{name}"), text);
    }
    let last = device.rsplit('/').next().unwrap();
    tree.link(&format!("sys/{directory}/device"), format!("../../../{last}"));
    tree.link(&format!("sys/class/hwmon/hwmon{number}"), format!("../../{directory}"));
}

#[test]
fn a_chip_is_called_after_its_device() {
    let tree = Tree::new(&[]);
    chip(
        &tree,
        1,
        "platform/coretemp.0",
        &[
            ("name", "coretemp\n"),
            ("temp1_input", "45000\n"),
            ("temp1_label", "Package id 0\n"),
            ("temp1_crit", "100000\n"),
            ("temp1_crit_alarm", "0\n"),
            ("temp10_input", "-273150\n"),
            ("uevent", "\n"),
        ],
    );
    let outcome = run(&tree, &[]);
    assert_eq!(
        outcome.samples(),
        "node_hwmon_chip_names{chip=\"platform_coretemp_0\",chip_name=\"coretemp\"} 1\n\
         node_hwmon_sensor_label{chip=\"platform_coretemp_0\",sensor=\"temp1\",label=\"Package id 0\"} 1\n\
         node_hwmon_temp_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 45\n\
         node_hwmon_temp_celsius{chip=\"platform_coretemp_0\",sensor=\"temp10\"} -273.15000000000003\n\
         node_hwmon_temp_crit_alarm_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 0\n\
         node_hwmon_temp_crit_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 100\n"
    );
    assert_eq!(outcome.result, Ok(()));
}

#[test]
fn every_type_has_its_name_and_unit() {
    let tree = Tree::new(&[]);
    chip(
        &tree,
        0,
        "platform/x.1",
        &[
            ("beep_enable", "1\n"),
            ("cpu0_vid", "1300\n"),
            ("curr1_input", "1500\n"),
            ("energy1_input", "18446744073709551615\n"),
            ("fan1_input", "1200\n"),
            ("fan1_div", "2\n"),
            ("fan1_beep", "0\n"),
            ("freq1_input", "1500000000\n"),
            ("freq1_label", "sclk\n"),
            ("freq2_input", "1\n"),
            ("humidity1_input", "500000\n"),
            ("in0_input", "12000\n"),
            ("in0_alarm", "1\n"),
            ("intrusion0_alarm", "0\n"),
            ("power1_average", "15250000\n"),
            ("power1_average_interval", "300\n"),
            ("power1_accuracy", "1000000\n"),
            ("pwm1", "128\n"),
            ("pwm1_enable", "2\n"),
            ("pwm1_input", "7\n"),
            ("temp1_type", "4\n"),
            ("temp1_fault", "0\n"),
            ("update_interval", "1000\n"),
            ("vrm", "91\n"),
            ("power/control", "auto\n"),
        ],
    );
    let samples = run(&tree, &[]).samples();
    for (name, sensor, value) in [
        ("beep_enabled", "beep_enable0", "1"),
        ("cpu_vid_volts", "cpu0", "1.3"),
        ("curr_amps", "curr1", "1.5"),
        ("energy_joule_total", "energy1", "18446744073709.55"),
        ("fan_rpm", "fan1", "1200"),
        ("fan_div", "fan1", "2"),
        ("fan_beep_enabled", "fan1", "0"),
        ("freq_freq_mhz", "sclk", "1500"),
        ("humidity", "humidity1", "0.5"),
        ("in_volts", "in0", "12"),
        ("in_alarm", "in0", "1"),
        ("intrusion_alarm", "intrusion0", "0"),
        ("power_average_watt", "power1", "15.25"),
        ("power_average_interval_seconds", "power1", "0.3"),
        ("power_accuracy", "power1", "1"),
        ("pwm", "pwm1", "128"),
        ("pwm_enable", "pwm1", "2"),
        ("pwm_input", "pwm1", "7"),
        ("temp_type", "temp1", "4"),
        ("temp_fault", "temp1", "0"),
        ("update_interval_seconds", "update_interval0", "1"),
        ("voltage_regulator_version", "vrm0", "91"),
    ] {
        let line = format!("node_hwmon_{name}{{chip=\"platform_x_1\",sensor=\"{sensor}\"}} {value}\n");
        assert!(samples.contains(&line), "{line}{samples}");
    }
    // Twenty-two lines, and the label of freq1.
    assert_eq!(samples.lines().count(), 23, "{samples}");
}

#[test]
fn a_sensor_that_cannot_be_read_leaves_out_only_itself() {
    let tree = Tree::new(&[]);
    chip(
        &tree,
        0,
        "platform/x",
        &[
            ("temp1_input", "1000\n"),
            ("temp2_input", ""),
            ("temp3_input", "none\n"),
            ("temp4_input/below", "1\n"),
            ("temp5_input", "nan\n"),
            ("temp6_input", "6000\n"),
        ],
    );
    // Hangs for its reader, were it opened to wait.
    let fifo = tree.path("sys/devices/platform/x/hwmon/hwmon0/temp7_input");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let outcome = run(&tree, &[]);
    assert_eq!(
        outcome.samples(),
        "node_hwmon_temp_celsius{chip=\"platform_x\",sensor=\"temp1\"} 1\n\
         node_hwmon_temp_celsius{chip=\"platform_x\",sensor=\"temp6\"} 6\n"
    );
    assert_eq!(outcome.result, Ok(()));
}

#[test]
fn chips_on_one_device_are_told_apart() {
    let tree = Tree::new(&[]);
    for (number, name) in [(0, "asus_nb\n"), (1, "asus_wmi\n"), (2, "same\n"), (3, "same\n"), (4, "")] {
        chip(&tree, number, "platform/asus", &[("name", name), ("fan1_input", "1\n")]);
    }
    let samples = run(&tree, &[]).samples();
    for label in ["asus_nb", "asus_wmi", "hwmon2", "hwmon3", "hwmon4"] {
        let line = format!("node_hwmon_fan_rpm{{chip=\"platform_asus_{label}\",sensor=\"fan1\"}} 1\n");
        assert!(samples.contains(&line), "{line}{samples}");
    }
    assert_eq!(samples.lines().count(), 9);
}

#[test]
fn without_a_device_the_name_or_the_directory_counts() {
    let tree = Tree::new(&[
        ("sys/class/hwmon/hwmon0/name", "AcpiTZ-x\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "1000\n"),
        ("sys/class/hwmon/hwmon1/temp1_input", "2000\n"),
        ("sys/class/hwmon/note", "not a chip\n"),
        ("sys/devices/virtual/thermal/thermal_zone0/hwmon2/name", "cpu_thermal\n"),
        ("sys/devices/virtual/thermal/thermal_zone0/hwmon2/temp1_input", "3000\n"),
    ]);
    tree.link("sys/class/hwmon/hwmon2", "../../devices/virtual/thermal/thermal_zone0/hwmon2");
    tree.link("sys/devices/virtual/thermal/thermal_zone0/hwmon2/device", "../../thermal_zone0");
    let samples = run(&tree, &[]).samples();
    for (label, value) in [("acpitz_x", 1), ("hwmon1", 2), ("thermal_thermal_zone0", 3)] {
        let line = format!("node_hwmon_temp_celsius{{chip=\"{label}\",sensor=\"temp1\"}} {value}\n");
        assert!(samples.contains(&line), "{line}{samples}");
    }
    assert_eq!(samples.lines().count(), 5, "{samples}");
}

#[test]
fn old_drivers_keep_their_files_at_the_device() {
    let tree = Tree::new(&[
        ("sys/devices/i2c/0-0048/temp1_input", "7000\n"),
        ("sys/devices/i2c/0-0048/temp1_max", "9000\n"),
        ("sys/devices/i2c/0-0048/power/control", "auto\n"),
    ]);
    chip(&tree, 0, "i2c/0-0048", &[("temp1_input", "1000\n")]);
    assert_eq!(
        run(&tree, &[]).samples(),
        "node_hwmon_temp_celsius{chip=\"i2c_0_0048\",sensor=\"temp1\"} 7\n\
         node_hwmon_temp_max_celsius{chip=\"i2c_0_0048\",sensor=\"temp1\"} 9\n"
    );
}

#[test]
fn chips_and_sensors_are_filtered() {
    let tree = Tree::new(&[]);
    for (number, device) in [(0, "platform/a"), (1, "platform/b")] {
        chip(&tree, number, device, &[("name", "n\n"), ("temp1_input", "1000\n"), ("temp2_input", "2000\n")]);
    }
    let shown = |flags: &[(&'static str, &str)]| {
        let samples = run(&tree, flags).samples();
        ["a\",sensor=\"temp1", "a\",sensor=\"temp2", "b\",sensor=\"temp1", "b\",sensor=\"temp2"]
            .map(|sensor| samples.contains(&format!("platform_{sensor}")))
    };
    assert_eq!(shown(&[]), [true; 4]);
    assert_eq!(shown(&[("collector.hwmon.chip-include", "_a$")]), [true, true, false, false]);
    assert_eq!(shown(&[("collector.hwmon.chip-exclude", "_a$")]), [false, false, true, true]);
    assert_eq!(shown(&[("collector.hwmon.sensor-exclude", "^platform_b;temp2$")]), [true, true, true, false]);
    assert_eq!(shown(&[("collector.hwmon.sensor-include", ";temp1")]), [true, false, true, false]);
    let none = run(&tree, &[("collector.hwmon.chip-include", "x")]);
    assert_eq!((none.samples(), none.result), (String::new(), Ok(())));
    let both = crate::exporter::engine::choices::Choices::of(&[
        ("collector.hwmon.chip-include", "a"),
        ("collector.hwmon.chip-exclude", "b"),
    ]);
    assert!(ENTRY.source(&both).is_err());
}

#[test]
fn a_machine_without_sensors_has_no_data() {
    assert!(run(&Tree::new(&[]), &[]).result.unwrap_err().is_no_data());
    let tree = Tree::new(&[("sys/class/hwmon/x", "")]);
    assert_eq!(run(&tree, &[]).result, Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_tree_is_survived(
        files in proptest::collection::vec(
            ("hwmon[01]", "(device/)?(temp|in|freq|pwm|vrm|beep_enable)0?[0-2]?(_(input|label|max|alarm))?", any::<Vec<u8>>()),
            0..24,
        )
    ) {
        let tree = Tree::new(&[("sys/class/hwmon/hwmon0/name", "a\n")]);
        for (chip, name, bytes) in &files {
            tree.write(&format!("sys/class/hwmon/{chip}/{name}"), bytes);
        }
        run(&tree, &[]).assert_sound();
    }
}
