//! `devicetree`: which board this is. Source: `/sys/firmware/devicetree/base`, else `/proc/device-tree`: the
//! properties `model`, `serial-number` and `compatible` of the root, Devicetree Specification 2.3 and 3.2.
//!
//! They do not change while the machine runs, so they are read at the first scrape only.

use std::boxed::Box;
use std::string::String;
use std::sync::OnceLock;

use rustix::io::Errno;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{NO_TEXT, lossy};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::resident::Bytes;
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.devicetree",
        FlagKind::Switch,
        &["Which board this is: model, serial number, chip."],
    ),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Devicetree::default()))),
};

#[derive(Default)]
struct Devicetree {
    board: OnceLock<[String; 3]>,
}

const SYSFS: &str = "firmware/devicetree/base";
const PROCFS: &str = "device-tree";

/// The longest text that is shown. A board has some four compatible names of 31 characters at most.
const LONGEST: usize = 1024;

impl Source for Devicetree {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let [model, serial_number, compatible] = match self.board.get() {
            Some(board) => board,
            None => {
                let board = read(machine, &mut scratch.file)?;
                self.board.get_or_init(|| board)
            }
        };
        let mut labels = [("", ""); 3];
        let mut count = 0;
        for (name, value) in [("model", model), ("serial_number", serial_number), ("compatible", compatible)]
        {
            if let Some(place) = labels.get_mut(count).filter(|_| !value.is_empty()) {
                *place = (name, value);
                count += 1;
            }
        }
        let help = "Which board this is. The compatible names begin with that of the board, then its chip.";
        let labels = labels.get(..count).unwrap_or_default();
        page.family(Kind::Gauge, "node_devicetree_info", help).sample(labels, 1_u64);
        Ok(())
    }
}

fn read(machine: &Machine, buffer: &mut Bytes) -> Result<[String; 3], Problem> {
    let base = machine.sysfs.below_from_boot(SYSFS).or_else(|_| machine.procfs.below_from_boot(PROCFS));
    let base = base.map_err(|errno| Problem::unreadable(SYSFS, errno))?;
    let board = ["model", "serial-number", "compatible"].map(|property| match base.whole(property, buffer) {
        Ok(text) => shown(text),
        Err(_) => String::new(),
    });
    if board.iter().all(String::is_empty) {
        return Err(Problem::unreadable(SYSFS, Errno::NOENT));
    }
    Ok(board)
}

/// Strings end with NUL. Those of a list are shown with commas between them; each of them is `VENDOR,NAME`, so
/// `(^|,)brcm,bcm2711(,|$)` finds a chip.
fn shown(text: &[u8]) -> String {
    let mut shown = String::new();
    for string in text.split(|byte| *byte == 0) {
        let mut spare = NO_TEXT;
        let string = lossy(string, &mut spare).trim();
        if string.is_empty() || shown.len() + string.len() >= LONGEST {
            continue;
        }
        if !shown.is_empty() {
            shown.push(',');
        }
        shown.push_str(string);
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn a_board_says_what_it_is() {
        for base in ["sys/firmware/devicetree/base", "proc/device-tree"] {
            let tree = Tree::new(&[
                (&format!("{base}/model"), "Raspberry Pi 4 Model B Rev 1.4\0"),
                (&format!("{base}/serial-number"), "10000000abcdef01\0"),
                (&format!("{base}/compatible"), "raspberrypi,4-model-b\0brcm,bcm2711\0"),
            ]);
            let outcome = tree.run(&ENTRY, &[]);
            assert_eq!(
                outcome.samples(),
                "node_devicetree_info{model=\"Raspberry Pi 4 Model B Rev 1.4\",serial_number=\"10000000abcdef01\",\
                 compatible=\"raspberrypi,4-model-b,brcm,bcm2711\"} 1\n"
            );
            assert_eq!(outcome.result, Ok(()));
        }
    }

    #[test]
    fn what_a_board_does_not_say_is_no_label() {
        let tree = Tree::new(&[("sys/firmware/devicetree/base/compatible", "qemu,virt\0\0 \0")]);
        assert_eq!(tree.run(&ENTRY, &[]).samples(), "node_devicetree_info{compatible=\"qemu,virt\"} 1\n");
        for files in
            [&[][..], &[("sys/firmware/devicetree/base/name", "")], &[("proc/device-tree/model", "\0")]]
        {
            assert!(Tree::new(files).run(&ENTRY, &[]).result.unwrap_err().is_no_data());
        }
    }

    #[test]
    fn long_lists_are_cut_between_names() {
        let list = "a".repeat(100) + "\0";
        assert_eq!(shown(list.repeat(20).as_bytes()).len(), 10 * 100 + 9);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(model: Vec<u8>, compatible: Vec<u8>) {
            let tree = Tree::new(&[]);
            tree.write("proc/device-tree/model", model);
            tree.write("proc/device-tree/compatible", compatible);
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
