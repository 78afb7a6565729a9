//! The order of the house: who may import whom, and what every file says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first; a file imports only from lower floors or from its own folder.
const FLOORS: &[&[&str]] = &[
    // core alone
    &["escaped"],
    &["cell", "error", "guard", "text"],
    &["clock", "words"],
    &["metric"],
    // one kind of metric each
    &["exemplar"],
    &["counter", "gauge", "histogram", "info", "rows", "state_set", "summary"],
    &["family", "collector", "slots", "timer"],
    &["registry"],
    // the kernel's clocks and pages
    &["kernel_time", "resident"],
    // bytes in, bytes out; files of this process
    &["http", "nearest", "process", "textfile", "watched"],
    // the only one that names rustls
    &["tls"],
    // sockets
    &["server"],
    &["web_config"],
    &["exporter"],
    &["bin", "capi"],
];

/// Floors up to this one build without `std` and without a heap.
const NO_STD: &str = "registry";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    assert!(found.len() > 40);
    found.retain(|path| !path.ends_with("tests.rs"));
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// The module right below the root that a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The code of a file without comments and without its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// What `lib.rs` exports at the root: name → module.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in code(lib).split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else { continue };
        let (module, names) = path.split_once("::").unwrap();
        for name in names.trim_matches(['{', '}']).split(',') {
            exports.insert(
                name.trim_matches(|c: char| c.is_whitespace() || c == '}').to_string(),
                module.to_string(),
            );
        }
    }
    exports
}

/// The names that follow `crate::`, also those in braces.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let word =
            |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            Some(list) => {
                names.extend(list.split('}').next().unwrap().split(',').map(|item| word(item.trim())))
            }
            None => names.push(word(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_go_down() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let exports = exports(&lib);
    assert_eq!(exports.get("Counter").map(String::as_str), Some("counter"));
    assert_eq!(exports.get("start_http_server").map(String::as_str), Some("server"));
    let mut edges = 0;
    for (path, text) in sources() {
        let module = module(&path);
        if module == "lib" {
            continue;
        }
        let own = floor(&module).unwrap_or_else(|| panic!("{}: which floor is it on?", path.display()));
        for name in imports(&code(&text)) {
            let target = exports.get(&name).unwrap_or(&name);
            let theirs = floor(target)
                .unwrap_or_else(|| panic!("{}: imports crate::{name}, which is on no floor", path.display()));
            assert!(
                theirs < own || *target == module,
                "{}: imports {target} (floor {theirs}) from floor {own}: imports go down only",
                path.display()
            );
            edges += 1;
        }
    }
    assert!(edges > 80, "only {edges} imports were found");
}

#[test]
fn an_upward_import_is_found() {
    assert_eq!(
        imports("use crate::server::Server;\nuse crate::{Counter, http::Request};"),
        ["server", "Counter", "http"]
    );
    assert!(floor("server") > floor("registry") && floor("unknown").is_none());
    assert_eq!(code("// use crate::server;\nx\n#[cfg(test)]\nmod tests { use crate::server; }"), "x\n");
}

#[test]
fn low_floors_name_std_only_behind_its_feature() {
    let top = floor(NO_STD).unwrap();
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (path, text) in sources() {
        let module = module(&path);
        let below = floor(&module).is_some_and(|floor| floor <= top);
        if !below || lib.contains(&format!("#[cfg(feature = \"std\")]\nmod {module};")) {
            continue;
        }
        let code = code(&text);
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            assert!(!line.contains("alloc::"), "{}: {line}", path.display());
            // Somewhere above, in the same item, stands the gate.
            let gated = || lines[..at].iter().rev().take(20).any(|line| line.contains("feature = \"std\""));
            let std = line.contains("std::") && !line.contains("no_std");
            assert!(!std || gated(), "{}: std without its gate: {line}", path.display());
        }
    }
}

#[test]
fn only_the_server_names_sockets() {
    for (path, text) in sources() {
        if ["server", "exporter", "bin", "lib"].contains(&module(&path).as_str()) {
            continue;
        }
        for word in ["TcpListener", "TcpStream", "UnixStream", "UnixListener", "rustix::net"] {
            assert!(!code(&text).contains(word), "{}: names {word}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_short() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{}: begins with no word about itself", path.display());
        let lines = code(&text).lines().count();
        assert!(lines <= 420, "{}: {lines} lines of code; one noun per file", path.display());
    }
}

#[test]
fn unsafe_code_stands_where_it_is_allowed() {
    for (path, text) in sources() {
        let inside = path.strip_prefix(root()).unwrap().display().to_string();
        let few = [
            "src/exporter/sys.rs",
            "src/http/gzip/deflate.rs",
            "src/kernel_time.rs",
            "src/server/defer_accept.rs",
            "src/server/inherit.rs",
            "src/resident.rs",
            "src/resident/stack.rs",
            "src/resident/zeroed.rs",
        ];
        if few.contains(&inside.as_str()) || inside.starts_with("src/capi/") {
            let needs = text.matches("unsafe {").count() + text.matches("unsafe impl").count();
            assert_eq!(text.matches("// SAFETY: ").count(), needs, "{inside}");
            continue;
        }
        assert!(!code(&text).contains("unsafe "), "{inside}: unsafe");
        assert!(!code(&text).contains("allow(unsafe_code)"), "{inside}: unsafe allowed");
    }
}

#[test]
fn the_library_never_prints_or_exits() {
    for (path, text) in sources() {
        if ["exporter", "bin"].contains(&module(&path).as_str()) {
            continue;
        }
        for word in [
            "println!",
            "eprintln!",
            "print!(",
            "process::exit",
            "process::abort",
            "dbg!(",
            "todo!(",
            "unimplemented!(",
        ] {
            assert!(!code(&text).contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn the_changelog_and_the_licences_are_there() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(env!("CARGO_PKG_VERSION")), "the changelog does not know this version");
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"] {
        assert!(root().join(file).exists(), "{file}");
    }
}
