//! What the README says can be checked.

use std::fs;
use std::path::Path;

const README: &str = include_str!("../README.md");

fn sources(directory: &Path, all: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_proof_exists() {
    let mut all = String::new();
    sources(&root().join("src"), &mut all);
    sources(&root().join("tests"), &mut all);
    let (_, table) = README.split_once("| it does this | proof |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut count = 0;
    for line in table.lines().skip(2) {
        let (_, proofs) = line.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        for proof in proofs.split(", ") {
            let proof = proof.trim_matches('`');
            let found = if proof.contains('/') {
                root().join(proof).exists()
            } else {
                all.contains(&format!("fn {proof}("))
            };
            assert!(found, "the README names the test {proof}, which is not there");
            count += 1;
        }
    }
    assert!(count > 20);
}

#[test]
fn every_link_leads_somewhere() {
    for page in ["README.md", "docs/metrics.md", "docs/operating.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let folder = root().join(page);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if !link.starts_with("http") {
                assert!(folder.parent().unwrap().join(link).exists(), "{page}: {link}");
            }
        }
    }
}

#[test]
fn every_dependency_is_explained() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    for line in dependencies.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('#'))
    {
        let (name, _) = line.split_once(" = ").unwrap();
        assert!(
            README.contains(&format!("| `{name}` | ")),
            "{name} is not in the README's table of dependencies"
        );
    }
}

#[test]
fn the_changelog_names_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains(concat!("## [", env!("CARGO_PKG_VERSION"), "]")));
}
