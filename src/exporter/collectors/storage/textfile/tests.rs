//! The collector: several files on one page.

use std::fs;
use std::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::exporter::collectors::storage::tests::check as check_page;
use crate::exporter::engine::families::FAMILIES;
use crate::exporter::engine::testing::{Outcome, Tree, run};

/// A tree with files, and the collector's page for directories below it. The tree's own path is taken out.
fn page_of(files: &[(&str, &str)], directories: &[&str]) -> String {
    let tree = Tree::new(files);
    page(&tree, directories)
}

fn page(tree: &Tree, directories: &[&str]) -> String {
    let outcome = outcome(&source(tree, directories), tree);
    outcome.page.replace(&base(tree), "")
}

fn base(tree: &Tree) -> String {
    tree.path("").into_os_string().into_string().unwrap()
}

fn source(tree: &Tree, directories: &[&str]) -> Textfile {
    let directories = directories.iter().map(|directory| format!("{}{directory}", base(tree)));
    Textfile { directories: directories.collect(), state: Mutex::default() }
}

fn outcome(source: &Textfile, tree: &Tree) -> Outcome {
    let outcome = run(source, &tree.machine());
    assert_eq!(outcome.result, Ok(()));
    check_page(&outcome);
    outcome
}

/// The page without the times of files.
fn content(page: &str) -> String {
    let lines = page
        .lines()
        .filter(|line| !line.contains(MTIME) && !line.contains("HELP node_textfile_scrape_error"));
    lines
        .filter(|line| *line != "# TYPE node_textfile_scrape_error gauge")
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn without_directories_there_is_no_error() {
    assert_eq!(content(&page_of(&[], &[])), "node_textfile_scrape_error 0\n");
}

#[test]
fn files_of_one_family_are_one_family() {
    let page = page_of(
        &[
            ("d/b.prom", "x 2\ny{a=\"1\"} 1\n"),
            (
                "d/a.prom",
                "# HELP b_total B.\n# TYPE b_total counter\nb_total{k=\"a\\\"\\\\\\n\"} 3\nx{f=\"a\"} 1\n",
            ),
            ("e/c.prom", "# TYPE b_total counter\nb_total{k=\"c\"} 4\nx{f=\"c\"} 3\n"),
        ],
        &["d", "e/"],
    );
    assert_eq!(
        content(&page),
        "\
# HELP b_total B.
# TYPE b_total counter
b_total{k=\"a\\\"\\\\\\n\"} 3
b_total{k=\"c\"} 4
# HELP x Metric read from d/a.prom, d/b.prom, e/c.prom
# TYPE x untyped
x{f=\"a\"} 1
x 2
x{f=\"c\"} 3
# HELP y Metric read from d/b.prom
# TYPE y untyped
y{a=\"1\"} 1
node_textfile_scrape_error 0
"
    );
    for file in ["d/a.prom", "d/b.prom", "e/c.prom"] {
        assert!(page.contains(&format!("node_textfile_mtime_seconds{{file=\"{file}\"}} 1")), "{page}");
    }
}

#[test]
fn a_file_may_be_of_a_time_after_2038() {
    use rustix::fs::{Timespec, Timestamps, futimens};
    let tree = Tree::new(&[("d/a.prom", "x 1\n")]);
    let time = Timespec { tv_sec: 4_102_444_800, tv_nsec: 0 };
    let file = fs::File::options().write(true).open(tree.path("d/a.prom")).unwrap();
    futimens(&file, &Timestamps { last_access: time, last_modification: time }).unwrap();
    let page = page(&tree, &["d"]);
    let line = "node_textfile_mtime_seconds{file=\"d/a.prom\"} 4102444800\n";
    assert!(page.contains(line), "{page}");
}

#[test]
fn histograms_and_summaries_are_put_in_order() {
    let text = "\
# TYPE h histogram
h_count{p=\"1\"} 3
h_bucket{p=\"1\",le=\"+Inf\"} 3
h_bucket{p=\"2\",le=\"1\"} 7
h_bucket{p=\"1\",le=\"2\"} 2
h_bucket{p=\"1\",le=\"0.5\"} 1
h_sum{p=\"1\"} 2.5
# TYPE s summary
s_sum 1
s_count 2
s{quantile=\"0.9\"} 4
s{quantile=\"0.5\"} 3
";
    let page = page_of(&[("d/a.prom", text)], &["d"]);
    let first = "h_bucket{p=\"1\",le=\"0.5\"} 1\nh_bucket{p=\"1\",le=\"2\"} 2\nh_bucket{p=\"1\",le=\"+Inf\"} 3\n\
                 h_count{p=\"1\"} 3\nh_sum{p=\"1\"} 2.5\n";
    let second = "h_bucket{p=\"2\",le=\"1\"} 7\nh_bucket{p=\"2\",le=\"+Inf\"} 7\nh_count{p=\"2\"} 7\nh_sum{p=\"2\"} 0\n";
    assert!(page.contains(first) && page.contains(second), "{page}");
    assert!(page.contains("s{quantile=\"0.5\"} 3\ns{quantile=\"0.9\"} 4\ns_count 2\ns_sum 1\n"), "{page}");
}

#[test]
fn bounds_and_quantiles_are_written_as_the_go_client_does() {
    let text = "\
# TYPE h histogram
h_bucket{le=\"0.0000001\"} 1
h_bucket{le=\"1.0\"} 2
h_bucket{le=\"1000000\"} 3
h_bucket{le=\"+Inf\"} 3
# TYPE s summary
s{quantile=\"1.0\"} 4
";
    let page = page_of(&[("d/a.prom", text)], &["d"]);
    for line in [
        "h_bucket{le=\"1e-07\"} 1",
        "h_bucket{le=\"1\"} 2",
        "h_bucket{le=\"1e+06\"} 3",
        "s{quantile=\"1\"} 4",
    ] {
        assert!(page.contains(&std::format!("{line}\n")), "{page}");
    }
}

#[test]
fn a_bad_file_is_left_out_alone() {
    let page = page_of(
        &[("d/a.prom", "x 1\nz 1 1600000000000\n"), ("d/b.prom", "y 1\n"), ("d/c.prom", "half 1")],
        &["d"],
    );
    assert!(
        !page.contains("x 1") && page.contains("y 1\n") && page.contains("node_textfile_scrape_error 1\n")
    );
    assert!(!page.contains("a.prom\"") && page.contains("b.prom\"") && !page.contains("c.prom\""));
}

#[test]
fn a_series_that_stands_twice_is_left_out_alone() {
    let page = page_of(&[("d/a.prom", "x 1\ny{a=\"1\"} 2\nx 3\ny{a=\"1\"} 4\nz 5\n")], &["d"]);
    for line in
        ["\nx 1\n", "\ny{a=\"1\"} 2\n", "\nz 5\n", "_mtime_seconds{file=\"d/a.prom\"} 1", "_error 1\n"]
    {
        assert!(page.contains(line), "{page}");
    }
    assert!(!page.contains("x 3") && !page.contains("} 4"), "{page}");
}

#[test]
fn a_missing_directory_is_an_error() {
    let page = page_of(&[("d/a.prom", "x 1\n")], &["none", "d"]);
    assert!(page.contains("x 1\n") && page.contains("node_textfile_scrape_error 1\n"));
}

#[test]
fn the_same_file_counts_once() {
    let page = page_of(&[("d/a.prom", "x 1\n")], &["d", "*", "d/"]);
    assert!(page.contains("x 1\n") && page.contains("node_textfile_scrape_error 0\n"), "{page}");
}

#[test]
fn what_contradicts_a_file_before_is_left_out() {
    for (second, shown) in [
        ("# TYPE x gauge\nx{b=\"2\"} 1\n", false),
        ("# HELP x Other.\n# TYPE x counter\nx{b=\"2\"} 1\n", false),
        ("# TYPE x counter\nx{b=\"2\"} 1\n", true),
        ("# TYPE x counter\n# HELP x One.\nx{b=\"2\"} 1\n", true),
        ("# TYPE x counter\nx{b=\"2\"} 1\nx{a=\"1\"} 9\n", true),
    ] {
        let first = "# HELP x One.\n# TYPE x counter\nx{a=\"1\"} 1\n";
        let page = page_of(&[("d/a.prom", first), ("d/b.prom", &format!("{second}y 1\n"))], &["d"]);
        let complete = shown && !second.contains("} 9");
        assert!(page.contains("x{a=\"1\"} 1\n") && page.contains("y 1\n") && !page.contains("} 9"), "{page}");
        assert_eq!(page.contains("x{b=\"2\"} 1\n"), shown, "{page}");
        assert!(page.contains(&format!("node_textfile_scrape_error {}\n", u8::from(!complete))), "{page}");
        // The file itself was good.
        assert!(page.contains("b.prom\"}"), "{page}");
    }
}

#[test]
fn names_that_are_taken_are_left_out() {
    FAMILIES.add("node_taken_by_a_test");
    for name in [
        "node_taken_by_a_test",
        "node_textfile_mtime_seconds",
        "node_textfile_scrape_error",
        "node_scrape_collector_success",
        "process_cpu_seconds_total",
        "scrapeport_x",
    ] {
        let page = page_of(&[("d/a.prom", &format!("{name}{{own=\"1\"}} 1\nnode_free_{name} 1\n"))], &["d"]);
        assert!(!page.contains("own="), "{page}");
        assert!(page.contains("\nnode_free_") && page.contains("\nnode_textfile_scrape_error 1\n"), "{page}");
    }
    let histogram = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\n";
    let page = page_of(&[("d/a.prom", histogram), ("d/b.prom", "h_count 5\n")], &["d"]);
    assert!(
        page.contains("h_count 1\n") && !page.contains("h_count 5\n") && page.contains("_error 1\n"),
        "{page}"
    );
}

#[test]
fn the_next_scrape_forgets() {
    let tree = Tree::new(&[("d/a.prom", "x 1\n"), ("d/b.prom", "bad\n")]);
    let source = source(&tree, &["d"]);
    let before = outcome(&source, &tree).page;
    assert_eq!(outcome(&source, &tree).page, before);
    fs::remove_file(tree.path("d/b.prom")).unwrap();
    tree.write("d/a.prom", "y 2\n");
    let after = outcome(&source, &tree).page;
    assert!(after.contains("y 2\n") && !after.contains("x 1") && after.contains("_error 0\n"), "{after}");
}

#[test]
fn flags_have_their_limits() {
    let long = DIRECTORY.long;
    assert!(Textfile::new(&Choices::of(&[(long, "/a"), (long, "/b")])).is_ok());
    assert!(Textfile::new(&Choices::of(&[(long, "")])).is_err());
    let many = [(long, "/a"); MOST_DIRECTORIES + 1];
    assert!(Textfile::new(&Choices::of(&many)).err().unwrap().contains(long));
}

#[test]
fn faults_name_the_line() {
    assert_eq!(check(b"a 1\n"), Ok(()));
    assert_eq!(
        check(b"a 1\nb\n").unwrap_err().to_string(),
        "line 2: there is no blank or brace after the name"
    );
}

proptest! {
    /// Whatever stands in two files: families are whole, no series is there twice.
    #[test]
    fn pages_are_well_formed(
        files in proptest::collection::vec(
            proptest::collection::vec("(# TYPE [ab](_sum)? (histogram|summary|gauge)|# HELP [ab] [xy]|[ab](_bucket\\{le=\"[12]\"\\}|_sum|_count|\\{quantile=\"1\"\\}|\\{x=\"[12]\"\\})? [0-3])", 0..6),
            2..4,
        )
    ) {
        let tree = Tree::new(&[]);
        for (number, lines) in files.iter().enumerate() {
            tree.write(&format!("d/{number}.prom"), lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        }
        let _ = outcome(&source(&tree, &["d"]), &tree);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let tree = Tree::new(&[]);
        tree.write("d/a.prom", bytes);
        let _ = outcome(&source(&tree, &["d"]), &tree);
    }
}
