//! What must not compile does not, each for the reason that its first line tells.
//!
//! Every file of `tests/compile_fail/` becomes a program of one throw-away package, which is then checked; beside
//! them one correct program, so that a broken package cannot look like success.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const CORRECT: &str = r#"
use scrapeport::{Counter, Gauge, Registry};
static A: Counter = Counter::new("app_requests_total", "A.");
static B: Gauge = Gauge::new("app_requests_totals", "B.");
static REGISTRY: Registry = Registry::new(&[&A, &B]);
fn main() {
    let _ = &REGISTRY;
}
"#;

#[test]
fn wrong_declarations_do_not_compile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let programs = package.join("src/bin");
    let _ = fs::remove_dir_all(&programs);
    fs::create_dir_all(&programs).unwrap();
    fs::write(
        package.join("Cargo.toml"),
        format!(
            "[package]\nname = \"compile_fail\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies.scrapeport]\npath = {root:?}\ndefault-features = false\nfeatures = [\"std\"]\n"
        ),
    )
    .unwrap();
    fs::write(programs.join("correct.rs"), CORRECT).unwrap();
    let mut expected = BTreeMap::new();
    for entry in fs::read_dir(root.join("tests/compile_fail")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let reason = text.lines().next().and_then(|line| line.strip_prefix("// error: "));
        let reason = reason.unwrap_or_else(|| panic!("{path:?} does not begin with its reason"));
        expected.insert(path.file_stem().unwrap().to_str().unwrap().to_string(), reason.to_string());
        fs::copy(&path, programs.join(path.file_name().unwrap())).unwrap();
    }
    assert!(expected.len() > 20);

    // A post-mono error, such as a bad `static`, needs `build`; no linking happens for those that fail.
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--keep-going", "--bins", "--message-format=json", "--quiet"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&output.stdout);
    let of = |program: &str| {
        let program = format!("\"name\":\"{program}\"");
        messages
            .lines()
            .filter(|line| line.contains("\"reason\":\"compiler-message\"") && line.contains(&program))
            .collect::<String>()
    };
    assert!(of("correct").is_empty(), "{}", of("correct"));
    assert!(
        messages
            .lines()
            .any(|line| line.contains("compiler-artifact") && line.contains("\"name\":\"correct\"")),
        "the correct program was not built: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (program, reason) in expected {
        let reason = reason.replace('"', "\\\"");
        let said = of(&program);
        // The message may stand in a JSON string within: escaped once or twice.
        let found = said.contains(&reason) || said.contains(&reason.replace("\\\"", "\\\\\\\""));
        assert!(found, "{program}: expected {reason}\n{said}");
    }
}
