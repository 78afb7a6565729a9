//! Frozen machines: the program looks at a tree of files and has to serve the page that lies beside it.
//!
//! The trees are `tests/data/trees/NAME.tree`, the pages `NAME.prom`. `WRITE_GOLDEN=1` writes the pages anew; they are then
//! read by eye against the documentation of the node exporter before they are kept. Values that are those of the
//! machine that runs the test are shown as `*`.
#![allow(clippy::std_instead_of_core, reason = "tests are programs with std")]

#[path = "support/exporter.rs"]
mod exporter;
#[path = "support/page.rs"]
mod page;
#[path = "support/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use exporter::{EVERYTHING, Exporter};
use page::Families;
use tree::Tree;

/// The trees that have a page.
const TREES: [&str; 5] = ["server", "raspberry", "router", "old32", "broken"];

#[test]
fn the_server() {
    golden("server");
}

#[test]
fn the_raspberry() {
    golden("raspberry");
}

#[test]
fn the_router() {
    golden("router");
}

#[test]
fn the_old_machine() {
    golden("old32");
}

#[test]
fn the_broken_machine() {
    golden("broken");
}

fn golden(name: &str) {
    let tree = Tree::unpack(name);
    let exporter = Exporter::start(&tree, EVERYTHING);
    let first = exporter.scrape("");
    Families::read(&first);
    let page = frozen(&first);
    // The same again, from buffers that have been used.
    let again = frozen(&exporter.scrape(""));
    assert!(page == again, "the second page differs:\n{}", difference(&page, &again));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trees").join(format!("{name}.prom"));
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(page == wanted, "{name}: not as in {}:\n{}", path.display(), difference(&wanted, &page));
}

/// What of a page does not depend on the machine of the test.
fn frozen(page: &str) -> String {
    let mut text = String::new();
    for line in page.lines() {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        if name.starts_with("scrapeport_") || name.starts_with("process_") {
            continue;
        }
        let moves = [
            "node_scrape_collector_duration_seconds{",
            "node_filesystem_size_bytes{",
            "node_filesystem_free_bytes{",
            "node_filesystem_avail_bytes{",
            "node_filesystem_files{",
            "node_filesystem_files_free{",
            "node_textfile_mtime_seconds{",
        ];
        match line.rsplit_once(' ') {
            Some((series, _)) if moves.iter().any(|name| line.starts_with(name)) => {
                text.extend([series, " *\n"]);
            }
            _ => text.extend([line, "\n"]),
        }
    }
    text
}

/// Lines that only one of two texts has, at most forty.
fn difference(old: &str, new: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (old, new) = (lines(old), lines(new));
    let gone = old.difference(&new).map(|line| format!("- {line}\n"));
    let come = new.difference(&old).map(|line| format!("+ {line}\n"));
    gone.chain(come).take(40).collect()
}

/// Whatever happens to one file, the page is a page, and at most the collectors that read it suffer.
#[test]
fn any_file_may_break() {
    let tree = Tree::unpack("server");
    let exporter = Exporter::start(&tree, EVERYTHING);
    let good = successes(&Families::read(&exporter.scrape("")));
    assert!(good.len() > 1, "{good:?}");
    let mut scrapes = 0;
    for file in tree.files() {
        let path = tree.path(&file);
        // The processors from the third on are as the second.
        let text = file.to_str().unwrap();
        if ["2", "3", "4", "5", "6", "7"].iter().any(|number| {
            text.contains(&format!("/cpu{number}/")) || text.contains(&format!("/policy{number}/"))
        }) || text.starts_with("root/")
        {
            continue;
        }
        let content = fs::read(&path).unwrap();
        for fault in FAULTS {
            fs::remove_file(&path).unwrap();
            fault.put(&path, &content);
            let text =
                exporter.ask("").unwrap_or_else(|problem| panic!("{} {fault:?}: {problem}", file.display()));
            let families = std::panic::catch_unwind(|| Families::read(&text))
                .unwrap_or_else(|_| panic!("{} {fault:?}: the page above is none", file.display()));
            let lost: Vec<_> = good.difference(&successes(&families)).cloned().collect();
            // `proc/stat` is read by two of them.
            assert!(lost.len() <= 2, "{} {fault:?}: failed are {lost:?}", file.display());
            scrapes += 1;
            if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                fs::remove_dir(&path).unwrap();
            } else if fault != &Fault::Missing {
                fs::remove_file(&path).unwrap();
            }
            fs::write(&path, &content).unwrap();
        }
    }
    assert!(scrapes > 1_000, "only {scrapes}");
    let after = successes(&Families::read(&exporter.scrape("")));
    assert_eq!(good, after, "not all have recovered");
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Missing,
    Content(&'static [u8]),
    Half,
    Twice,
    Fifo,
    Directory,
    Dangling,
}

const FAULTS: &[Fault] = &[
    Fault::Missing,
    Fault::Content(b""),
    Fault::Content(b"\0\0\0\0\0\0\0\0\n"),
    Fault::Content(b"\xff\xfe\x80 \xc3(\n\"\\\x7f\n"),
    Fault::Content(b"-1\n"),
    Fault::Content(b"99999999999999999999999999\n"),
    Fault::Half,
    Fault::Twice,
    Fault::Fifo,
    Fault::Directory,
    Fault::Dangling,
];

impl Fault {
    fn put(&self, path: &Path, content: &[u8]) {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        match self {
            Self::Missing => {}
            Self::Content(other) => fs::write(path, other).unwrap(),
            Self::Half => fs::write(path, &content[..content.len() / 2]).unwrap(),
            Self::Twice => fs::write(path, content.repeat(2)).unwrap(),
            Self::Fifo => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            Self::Directory => fs::create_dir(path).unwrap(),
            Self::Dangling => symlink("nowhere", path).unwrap(),
        }
    }
}

/// The names of the collectors that succeeded.
fn successes(families: &Families) -> BTreeSet<String> {
    let family = &families.0["node_scrape_collector_success"];
    let good = family.samples.iter().filter(|(_, value)| **value == 1.0);
    good.map(|((_, labels), _)| labels["collector"].clone()).collect()
}

/// 4,096 processors, 1,000 interfaces, 1,000 disks: nothing is left out.
#[test]
fn the_largest_machine() {
    let tree = Tree::unpack("huge");
    let exporter = Exporter::start(&tree, EVERYTHING);
    let families = Families::read(&exporter.scrape(""));
    for (name, count) in [
        ("node_cpu_seconds_total", 4_096 * 8),
        ("node_schedstat_running_seconds_total", 4_096),
        ("node_softnet_processed_total", 4_096),
        ("node_network_receive_bytes_total", 1_000),
        ("node_network_mtu_bytes", 1_000),
        ("node_disk_reads_completed_total", 1_000),
    ] {
        assert_eq!(families.0.get(name).map_or(0, |family| family.samples.len()), count, "{name}");
    }
    assert_eq!(families.value("node_cpu_seconds_total{cpu=\"4095\",mode=\"steal\"}"), Some(0.08));
    assert_eq!(families.value("node_memory_MemTotal_bytes"), Some(17_592_186_044_416.0 * 1024.0));
}

/// Each tree has a page, and there are no others.
#[test]
fn trees_and_pages_belong_together() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trees");
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.collect();
    let wanted = TREES.iter().flat_map(|name| [format!("{name}.tree"), format!("{name}.prom")]);
    assert_eq!(found, wanted.chain(["huge.tree".to_owned()]).collect());
}
