//! What `scrapeport hash-password` prints is understood by promtool, by htpasswd and by ourselves; and what htpasswd
//! makes, by us.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::client::{exchange, get};
use crate::process::{Scratch, Served, tool};

fn fed(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that refuses its input does not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn hashed(arguments: &[&str], password: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrapeport"));
    let output = fed(command.args(["hash-password", "--cost=4"]).args(arguments), &format!("{password}\n"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn passes_promtool(file: &Path) -> bool {
    Command::new(tool("promtool")).args(["check", "web-config"]).arg(file).output().unwrap().status.success()
}

fn verifies(file: &Path, user: &str, password: &str) -> bool {
    let mut command = Command::new(tool("htpasswd"));
    fed(command.arg("-vi").arg(file).arg(user), password).status.success()
}

fn logs_in(served: &Served, user: &str, password: &str) -> bool {
    let code = base64(format!("{user}:{password}").as_bytes());
    let answer = exchange(served.address, &get("/metrics", &format!("Authorization: Basic {code}\r\n")));
    match answer.status {
        Some(200) => true,
        Some(401) => false,
        other => panic!("{other:?}"),
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut command = Command::new(tool("base64"));
    let mut child = command.arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

const PASSWORDS: [&str; 5] = ["secret", "a:b c", "p\u{e4}ss \"'\\$`", " ", "x"];

#[test]
fn our_hashes_serve_everywhere() {
    let scratch = Scratch::new("passwords");
    let longest = "x".repeat(72);
    for password in PASSWORDS.iter().copied().chain([longest.as_str()]) {
        let file = scratch.write("htpasswd", &format!("joe:{}", hashed(&[], password)));
        assert!(verifies(&file, "joe", password), "{password:?}");
        assert!(!verifies(&file, "joe", "other"), "{password:?}");
        let file = scratch.write("web.yml", &hashed(&["--user=joe"], password));
        assert!(passes_promtool(&file), "{password:?}");
        let served = Served::program(&[&format!("--web.config.file={}", file.display())]);
        assert!(logs_in(&served, "joe", password) && !logs_in(&served, "joe", "other"), "{password:?}");
    }
}

#[test]
fn entries_for_odd_names_serve_everywhere() {
    let scratch = Scratch::new("names");
    for name in ["yes", "7", "# a", "\"q\" \\n '", "- x", "\u{c4}lice", "{a}", "a b", "~"] {
        let file = scratch.write("web.yml", &hashed(&[&format!("--user={name}")], "secret"));
        assert!(passes_promtool(&file), "{name:?}");
        let served = Served::program(&[&format!("--web.config.file={}", file.display())]);
        assert!(logs_in(&served, name, "secret") && !logs_in(&served, "x", "secret"), "{name:?}");
    }
}

#[test]
fn the_hashes_of_htpasswd_serve_here() {
    let scratch = Scratch::new("htpasswd");
    for password in PASSWORDS {
        let output = fed(Command::new(tool("htpasswd")).args(["-niBC", "4", "joe"]), password);
        let line = String::from_utf8(output.stdout).unwrap();
        let hash = line.trim_end().strip_prefix("joe:").unwrap();
        let file = scratch.write("web.yml", &format!("basic_auth_users:\n  joe: {hash}\n"));
        let served = Served::program(&[&format!("--web.config.file={}", file.display())]);
        assert!(logs_in(&served, "joe", password) && !logs_in(&served, "joe", "other"), "{password:?}");
    }
}
