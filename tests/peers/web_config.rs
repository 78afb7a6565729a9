//! Web configuration files get the verdict of promtool, wherever it knows their fields.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::tool;

fn is_accepted(program: &Path, file: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(["check", "web-config"]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

#[test]
fn web_configuration_files_get_the_verdict_of_promtool() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/web");
    let (ours, promtool) = (PathBuf::from(env!("CARGO_BIN_EXE_scrapeport")), tool("promtool"));
    let mut compared = 0;
    let mut refused = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        // The fields of newer files are unknown to a promtool of this age.
        if !name.ends_with(".yml") || name.contains(".newer.") {
            continue;
        }
        let theirs = is_accepted(promtool.as_ref(), &file);
        // Valid elsewhere, but not to be had here, or nobody could ever be served.
        let expected = theirs && !name.ends_with(".refused.yml");
        assert_eq!(is_accepted(&ours, &file), expected, "{name}: promtool says {theirs}");
        assert!(theirs || name.ends_with(".bad.yml"), "{name} is refused by promtool");
        refused += usize::from(theirs && !expected);
        compared += 1;
    }
    assert!(compared >= 200 && refused >= 10, "{compared} files compared, {refused} refused by us alone");
}
