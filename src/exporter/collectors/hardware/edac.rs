//! `edac`: errors of memory, corrected or not. Source: `/sys/devices/system/edac/mc`,
//! Documentation/admin-guide/RAS/main.

use std::boxed::Box;
use std::vec::Vec;

use rustix::io::Errno;

use super::number_after;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::names::Names;
use crate::exporter::engine::parse::{NO_TEXT, lossy, unsigned};
use crate::exporter::engine::path::pieces;
use crate::exporter::engine::patience::Batch;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::{Pool, Scratch};
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.edac", FlagKind::Switch, &["Errors of memory, corrected or not."]),
    default: true,
    flags: &[],
    build: Build::By(|_| Ok(Box::new(Edac::default()))),
};

#[derive(Default)]
struct Edac {
    plans: Pool<Plan>,
}

const DIRECTORY: &[u8] = b"devices/system/edac/mc/";

/// So many counters are read. A server with 32 modules has some 200.
const MOST_COUNTS: usize = 16_384;

/// What is counted, and where: corrected and uncorrected errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Controller,
    Row,
    Channel,
}

/// The last part of the file's name, the families, and their help.
const SORTS: [(&str, [(&str, &str); 3]); 2] = [
    (
        "ce",
        [
            ("node_edac_correctable_errors_total", "Errors of memory that were corrected, of a controller."),
            ("node_edac_csrow_correctable_errors_total", "Errors of memory that were corrected, of a row."),
            (
                "node_edac_channel_correctable_errors_total",
                "Errors of memory that were corrected, of a channel.",
            ),
        ],
    ),
    (
        "ue",
        [
            (
                "node_edac_uncorrectable_errors_total",
                "Errors of memory that were not corrected, of a controller.",
            ),
            (
                "node_edac_csrow_uncorrectable_errors_total",
                "Errors of memory that were not corrected, of a row.",
            ),
            (
                "node_edac_channel_uncorrectable_errors_total",
                "Errors of memory that were not corrected, of a channel.",
            ),
        ],
    ),
];

/// A row without number, for errors that cannot be told to come from one.
const UNKNOWN: &str = "unknown";

/// Buffers for one scrape.
#[derive(Default)]
struct Plan {
    controllers: Names,
    rows: Names,
    files: Names,
    /// Numbers of controllers, rows, channels, as text.
    texts: Names,
    counts: Vec<Count>,
    label: Vec<u8>,
}

/// A counter; its texts are places in [`Plan::texts`].
#[derive(Clone, Copy)]
struct Count {
    sort: usize,
    of: Of,
    controller: usize,
    row: usize,
    channel: usize,
    question: usize,
    /// The question about what the module is called.
    label: Option<usize>,
}

impl Source for Edac {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { rows, batch, .. } = scratch;
        batch.clear();
        rows.clear();
        self.plans.with(|plan| {
            match machine.sysfs.list(DIRECTORY, &mut plan.controllers) {
                // No memory that tells its errors is no failure, as the node exporter has it.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(Problem::unreadable(DIRECTORY, errno)),
            }
            plan.ask(machine, batch);
            machine.patience.ask(batch, &|| page.is_expired());
            plan.add(batch, rows);
            Ok(())
        })?;
        rows.write(page);
        Ok(())
    }
}

impl Plan {
    fn ask(&mut self, machine: &Machine, batch: &mut Batch) {
        let Self { controllers, rows, files, texts, counts, .. } = self;
        texts.clear();
        counts.clear();
        let unknown = keep(texts, UNKNOWN);
        for name in controllers.iter() {
            let Some(controller) = number_after(name, "mc").map(|text| keep(texts, text)) else { continue };
            let none = Count {
                sort: 0,
                of: Of::Controller,
                controller,
                row: unknown,
                channel: 0,
                question: 0,
                label: None,
            };
            for (sort, (letters, _)) in SORTS.iter().enumerate() {
                let path = [DIRECTORY, name, b"/", letters.as_bytes(), b"_count"];
                ask(&path, Count { sort, ..none }, counts, batch);
                // Errors of a row that is not known.
                let path = [DIRECTORY, name, b"/", letters.as_bytes(), b"_noinfo_count"];
                ask(&path, Count { sort, of: Of::Row, ..none }, counts, batch);
            }
            let _ = machine.sysfs.list(pieces(&[DIRECTORY, name]), rows);
            for row_name in rows.iter() {
                let Some(row) = number_after(row_name, "csrow").map(|text| keep(texts, text)) else {
                    continue;
                };
                for (sort, (letters, _)) in SORTS.iter().enumerate() {
                    let path = [DIRECTORY, name, b"/", row_name, b"/", letters.as_bytes(), b"_count"];
                    ask(&path, Count { sort, of: Of::Row, row, ..none }, counts, batch);
                }
                let _ = machine.sysfs.list(pieces(&[DIRECTORY, name, b"/", row_name]), files);
                for channel_name in files.iter() {
                    let start = channel_name.strip_suffix(b"_ce_count");
                    let Some((start, number)) =
                        start.and_then(|start| Some((start, number_after(start, "ch")?)))
                    else {
                        continue;
                    };
                    let path = [DIRECTORY, name, b"/", row_name, b"/", start, b"_dimm_label"];
                    let label = Some(batch.ask_attribute(&path));
                    let channel = keep(texts, number);
                    for (sort, (letters, _)) in SORTS.iter().enumerate() {
                        let letters = letters.as_bytes();
                        let path = [DIRECTORY, name, b"/", row_name, b"/", start, b"_", letters, b"_count"];
                        ask(
                            &path,
                            Count { sort, of: Of::Channel, row, channel, label, ..none },
                            counts,
                            batch,
                        );
                    }
                }
            }
        }
    }

    fn add(&mut self, batch: &Batch, rows: &mut Rows) {
        let Self { texts, counts, label, .. } = self;
        let text =
            |at: usize| texts.get(at).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default();
        for count in counts.iter() {
            let Some(number) = batch.text(count.question).and_then(unsigned) else { continue };
            let Some((_, families)) = SORTS.get(count.sort) else { continue };
            let mut labels = [
                ("controller", text(count.controller)),
                ("csrow", text(count.row)),
                ("channel", text(count.channel)),
                ("", ""),
            ];
            let (labels, (name, help)) = match count.of {
                Of::Controller => (labels.get(..1), families[0]),
                Of::Row => (labels.get(..2), families[1]),
                Of::Channel => {
                    label_of(count.label.and_then(|question| batch.text(question)), label);
                    labels[3] = ("dimm_label", core::str::from_utf8(label).unwrap_or_default());
                    (labels.get(..), families[2])
                }
            };
            rows.add(Kind::Counter, &[name], help, labels.unwrap_or_default(), number);
        }
    }
}

fn keep(texts: &mut Names, text: &str) -> usize {
    texts.push(text.as_bytes());
    texts.len() - 1
}

/// Asks for a counter.
fn ask(path: &[&[u8]], count: Count, counts: &mut Vec<Count>, batch: &mut Batch) {
    let question = batch.ask_attribute(path);
    if counts.len() < MOST_COUNTS {
        counts.push(Count { question, ..count });
    }
}

/// What a module is called: `mc#0csrow#2channel#1` becomes `mc0_csrow2_channel1`, as the node exporter has it.
fn label_of(text: Option<&[u8]>, into: &mut Vec<u8>) {
    into.clear();
    let mut spare = NO_TEXT;
    let Some(text) = text.map(|text| lossy(text, &mut spare)) else {
        into.extend_from_slice(UNKNOWN.as_bytes());
        return;
    };
    // The number signs go first: what stands between them may make up one of the words.
    into.extend(text.bytes().filter(|byte| *byte != b'#'));
    for word in [&b"csrow"[..], b"channel"] {
        let mut from = 0;
        while let Some(at) =
            into.get(from..).and_then(|rest| rest.windows(word.len()).position(|part| part == word))
        {
            into.insert(from + at, b'_');
            from += at + 1 + word.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn controllers_rows_and_channels_are_counted() {
        let tree = Tree::new(&[]);
        for (file, text) in [
            ("mc0/ce_count", "1\n"),
            ("mc0/ce_noinfo_count", "2\n"),
            ("mc0/ue_count", "5\n"),
            ("mc0/ue_noinfo_count", "6\n"),
            ("mc0/mc_name", "some\n"),
            ("mc0/csrow0/ce_count", "3\n"),
            ("mc0/csrow0/ue_count", "4\n"),
            ("mc0/csrow0/ch0_ce_count", "7\n"),
            ("mc0/csrow0/ch0_ue_count", "8\n"),
            ("mc0/csrow0/ch0_dimm_label", "mc#0csrow#0channel#0\n"),
            ("mc0/csrow0/ch1_ce_count", "18446744073709551615\n"),
        ] {
            tree.write(&format!("sys/devices/system/edac/mc/{file}"), text);
        }
        let outcome = tree.run(&ENTRY, &[]);
        let channel = "controller=\"0\",csrow=\"0\",channel";
        assert_eq!(
            outcome.samples(),
            format!(
                "node_edac_channel_correctable_errors_total{{{channel}=\"0\",dimm_label=\"mc0_csrow0_channel0\"}} 7\n\
                 node_edac_channel_correctable_errors_total{{{channel}=\"1\",dimm_label=\"unknown\"}} 18446744073709551615\n\
                 node_edac_channel_uncorrectable_errors_total{{{channel}=\"0\",dimm_label=\"mc0_csrow0_channel0\"}} 8\n\
                 node_edac_correctable_errors_total{{controller=\"0\"}} 1\n\
                 node_edac_csrow_correctable_errors_total{{controller=\"0\",csrow=\"unknown\"}} 2\n\
                 node_edac_csrow_correctable_errors_total{{controller=\"0\",csrow=\"0\"}} 3\n\
                 node_edac_csrow_uncorrectable_errors_total{{controller=\"0\",csrow=\"unknown\"}} 6\n\
                 node_edac_csrow_uncorrectable_errors_total{{controller=\"0\",csrow=\"0\"}} 4\n\
                 node_edac_uncorrectable_errors_total{{controller=\"0\"}} 5\n"
            )
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn what_cannot_be_read_is_left_out_alone() {
        let tree = Tree::new(&[
            ("sys/devices/system/edac/mc/mc0/ce_count", "x\n"),
            ("sys/devices/system/edac/mc/mc0/ue_count", "-1\n"),
            ("sys/devices/system/edac/mc/mc10/ce_count", "1\n"),
            ("sys/devices/system/edac/mc/mcx/ce_count", "1\n"),
            ("sys/devices/system/edac/mc/power/control", "auto\n"),
        ]);
        let outcome = tree.run(&ENTRY, &[]);
        assert_eq!(outcome.samples(), "node_edac_correctable_errors_total{controller=\"10\"} 1\n");
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert_eq!((outcome.page.as_str(), outcome.result), ("", Ok(())));
    }

    #[test]
    fn labels_of_modules_are_spelled_as_elsewhere() {
        let label = |text: &str| {
            let mut label = Vec::new();
            label_of(Some(text.as_bytes()), &mut label);
            String::from_utf8(label).unwrap()
        };
        for text in ["mc#0csrow#2channel#1", "DIMM_A1", "", "cs#rowcsrowchannelcsrow", "#"] {
            let expected = text.replace('#', "").replace("csrow", "_csrow").replace("channel", "_channel");
            assert_eq!(label(text), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_bytes_are_survived(files in proptest::collection::vec((
            "mc[01]/((csrow[01]/)?[cu]e_(noinfo_)?count|csrow0/ch0?[01]_([cu]e_count|dimm_label))",
            prop_oneof![Just(Vec::from(*b"7")), any::<Vec<u8>>()],
        ), 0..16)) {
            let tree = Tree::new(&[]);
            for (file, bytes) in files {
                tree.write(&format!("sys/devices/system/edac/mc/{file}"), bytes);
            }
            tree.run(&ENTRY, &[]).assert_sound();
        }
    }
}
