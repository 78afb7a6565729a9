//! `scrapeport check web-config` on a corpus of files: `tests/data/web/NAME.VERDICT.yml`.
//!
//! A `good` file is good and a `bad` one bad wherever such files are read; a `refused` one is good elsewhere and
//! refused here, because it asks for what this program lacks or lets nobody in; `newer` files have fields that old
//! tools do not know. What is said of each file is in `verdicts.txt` beside them; `WRITE_VERDICTS=1` writes it anew.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scrapeport");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/web")
}

fn corpus() -> Vec<String> {
    let entries =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.ends_with(".yml")).collect();
    names.sort();
    assert!(names.len() >= 250, "{} files", names.len());
    names
}

fn is_good(name: &str) -> bool {
    match name.trim_end_matches(".yml").rsplit('.').next() {
        Some("good") => true,
        Some("bad" | "refused") => false,
        _ => panic!("{name} names no verdict"),
    }
}

fn check<S: AsRef<OsStr>>(files: &[S]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder()).args(["check", "web-config"]).args(files).stdin(Stdio::null());
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "standard output is for nothing");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_file_gets_its_verdict() {
    for name in corpus() {
        let output = check(&[&name]);
        let told = told(&output);
        let verdict = if is_good(&name) { format!("{name} SUCCESS\n") } else { format!("{name} FAILED: ") };
        assert_eq!(output.status.code(), Some(i32::from(!is_good(&name))), "{told}");
        assert!(told.contains(&verdict), "{told}");
        assert!(!told.contains("X0h1gDsPszWURQax"), "a hash is shown: {told}");
    }
}

#[test]
fn every_fault_has_its_line_and_its_words() {
    let names = corpus();
    let output = check(&names);
    assert_eq!(output.status.code(), Some(1), "one is bad, so all of it is");
    let now = told(&output);
    let path = folder().join("verdicts.txt");
    if std::env::var_os("WRITE_VERDICTS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (now, expected) in now.lines().zip(expected.lines()) {
        assert_eq!(now, expected);
    }
    assert_eq!(now.len(), expected.len());
    // The order is that of the command line, and every fault has its line.
    let verdicts: Vec<_> = now
        .lines()
        .filter_map(|line| line.split_once(" SUCCESS").or(line.split_once(" FAILED")))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(verdicts, names);
    for line in now.lines().filter(|line| !line.ends_with(" SUCCESS")) {
        assert!(line.contains("line "), "{line}");
    }
}

#[test]
fn good_files_together_succeed() {
    let good: Vec<_> = corpus().into_iter().filter(|name| is_good(name)).collect();
    assert!(good.len() > 100);
    assert_eq!(check(&good).status.code(), Some(0));
}

/// A file from nowhere good, checked with little memory, little stack and little time.
fn hostile(name: &str, content: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("scrapeport-hostile-{}-{name}", std::process::id()));
    fs::write(&path, content).unwrap();
    let script = "ulimit -v 120000 && ulimit -t 5 && exec \"$0\" check web-config \"$1\"";
    let output = Command::new("sh").args(["-c", script, PROGRAM]).arg(&path).stdin(Stdio::null()).output();
    fs::remove_file(&path).unwrap();
    let output = output.unwrap();
    assert_eq!(output.status.signal(), None, "{name}");
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{name}: {told}");
    assert!(told.contains(" FAILED: ") && !told.contains("panicked"), "{name}: {told}");
    assert!(told.len() < 64 << 10, "{name}: {} bytes are told", told.len());
    told
}

#[test]
fn deep_nesting_is_refused() {
    for (name, text) in [
        ("lists", "[".repeat(20_000)),
        ("closed-lists", "[".repeat(20_000) + &"]".repeat(20_000)),
        ("maps", "{a: ".repeat(20_000)),
        ("block-lists", "- ".repeat(20_000) + "a\n"),
        ("explicit-keys", "? ".repeat(20_000) + "a\n"),
        ("block-maps", (0..2_000).map(|depth| " ".repeat(depth) + "a:\n").collect()),
        ("in-place", format!("basic_auth_users: {}{}\n", "[".repeat(20_000), "]".repeat(20_000))),
        ("tags", "!!str ".repeat(20_000)),
    ] {
        hostile(name, text.as_bytes());
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = String::from("basic_auth_users:\n  a: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..30 {
        let lower = format!("*a{}", level - 1);
        bomb += &format!("  b{level}: &a{level} [{}]\n", [lower.as_str(); 10].join(","));
    }
    hostile("bomb", bomb.as_bytes());
    let mut merges = String::from("basic_auth_users:\n  <<: &a0 {x: y}\n");
    for level in 1..30 {
        let lower = format!("*a{}", level - 1);
        merges += &format!("  k{level}: &a{level} {{<<: [{}]}}\n", [lower.as_str(); 10].join(","));
    }
    hostile("merges", (merges + "  <<: *a29\n").as_bytes());
    let wide = format!(
        "basic_auth_users:\n  a: &a x\n{}",
        (0..30_000).map(|n| format!("  b{n}: *a\n")).collect::<String>()
    );
    hostile("wide", wide.as_bytes());
}

#[test]
fn large_files_are_refused() {
    let told = hostile("ten-megabytes", &b"# nothing here\n".repeat(700_000));
    assert!(told.contains("larger than 4 MiB"), "{told}");
    let told = hostile("two-megabytes", &b"# nothing here\n".repeat(140_000));
    assert!(told.contains("longer than 1 MiB"), "{told}");
    hostile("one-line", &[b"a".repeat(1_000_000), b": b\n".to_vec()].concat());
    let many: String = (0..40_000).map(|number| format!("k{number}: v\n")).collect();
    hostile("forty-thousand-fields", many.as_bytes());
    let many: String = (0..20_000).map(|number| format!("  u{number}: v\n")).collect();
    hostile("twenty-thousand-users", format!("basic_auth_users:\n{many}").as_bytes());
}

#[test]
fn what_is_no_text_is_refused() {
    let mut state = 1_u32;
    let random: Vec<u8> = (0..100_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    hostile("random", &random);
    hostile("nul", &[0; 10_000]);
    hostile(
        "utf-16",
        "basic_auth_users: {a: b}\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice(),
    );
    hostile("latin-1", b"basic_auth_users:\n  J\xfcrgen: x\n");
    hostile("program", &fs::read(PROGRAM).unwrap()[..200_000]);
    hostile("surrogate", b"a: \"\xed\xa0\x80\"\n");
    hostile("escapes", b"\x1b[31m: \"\x1b]0;x\x07\"\n");
}

/// What is shown of a file must not steer the terminal.
#[test]
fn what_is_told_is_harmless() {
    let told = hostile("names", "\"\\e[31m\\r\\n\\u202e\": x\nbasic_auth_users: {\"a\\eb\": x}\n".as_bytes());
    assert!(told.chars().all(|character| character == '\n' || !character.is_control()), "{told:?}");
}
