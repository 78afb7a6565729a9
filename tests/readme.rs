//! What the README says can be checked.

use std::fs;
use std::path::Path;

const README: &str = include_str!("../README.md");
/// What the guide for C speaks of.
const HEADER: &str = include_str!("../include/scrapeport.h");

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

/// The README and the pages of docs/, by their paths, with their texts.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            pages.push(format!("docs/{}", entry.file_name().to_str().unwrap()));
        }
    }
    assert!(pages.len() > 5);
    pages.into_iter().map(|page| (page.clone(), fs::read_to_string(root().join(page)).unwrap())).collect()
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The last part of a link to each heading, as GitHub makes it.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for (page, text) in pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in prose(&text).split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            assert!(file.is_empty() || folder.join(file).exists(), "{page}: {link}");
            if !anchor.is_empty() {
                let there = if file.is_empty() {
                    text.clone()
                } else {
                    fs::read_to_string(folder.join(file)).unwrap()
                };
                assert!(anchors(&there).iter().any(|heading| heading == anchor), "{page}: {link}");
            }
            count += 1;
        }
    }
    assert!(count > 15);
}

#[test]
fn every_page_is_linked() {
    let pages = pages();
    for (page, _) in &pages[1..] {
        let name = page.trim_start_matches("docs/");
        let linked = pages.iter().any(|(other, text)| other != page && text.contains(&format!("{name})")))
            || pages.iter().any(|(other, text)| other != page && text.contains(&format!("{name}#")));
        assert!(linked, "nothing leads to {page}");
    }
}

/// The longest pieces of a text that begin so and have only these characters.
fn words<'a>(text: &'a str, begin: &str, may_follow: fn(char) -> bool) -> Vec<&'a str> {
    let found = text
        .match_indices(begin)
        .filter(|(place, _)| !text[..*place].ends_with(|c: char| c.is_alphanumeric() || "-_./".contains(c)));
    found
        .map(|(place, _)| {
            let rest = &text[place..];
            let end =
                rest[begin.len()..].find(|c| !may_follow(c)).map_or(rest.len(), |end| begin.len() + end);
            rest[..end].trim_end_matches(['.', '-'])
        })
        .collect()
}

#[test]
fn every_flag_exists() {
    let flags = fs::read_to_string(root().join("src/exporter/cli/flags.rs")).unwrap();
    let mut all = String::new();
    sources(&root().join("src/exporter"), &mut all);
    let is_flag = |name: &str| all.contains(&format!("\"{name}\","));
    assert!(is_flag("web.listen-address"));
    let mut count = 0;
    for (page, text) in pages() {
        // Those of other programs stand in their command lines.
        let ours = text.replace("\\\n", " ");
        for line in ours.lines().filter(|line| {
            ![
                "curl ",
                "openssl ",
                "prometheus --",
                "cargo ",
                "nginx ",
                "promtool ",
                "ask ",
                "build ",
                "dpkg ",
                "systemctl ",
                "apk ",
                "pkg-config ",
                "git ",
                "packaging/c/install ",
            ]
            .iter()
            .any(|program| line.contains(program))
        }) {
            for flag in words(line, "--", |c| c.is_ascii_alphanumeric() || ".-".contains(c)) {
                let name = flag.trim_start_matches('-');
                let negative = name.strip_prefix("no-").is_some_and(is_flag);
                let elsewhere = [
                    "",
                    "cacert",
                    "flag",
                    "no",
                    "collector.NAME",
                    "no-collector.NAME",
                    "collector.zfs",
                    "no-collector.zfs",
                ]
                .contains(&name)
                    || (page == "README.md" && !name.starts_with("web."));
                assert!(elsewhere || negative || is_flag(name), "{page}: {flag}");
                count += 1;
            }
        }
    }
    assert!(count > 20);
    // And each is explained.
    let operating = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    for flag in words(&flags, "web.", |c| c.is_ascii_lowercase() || ".-".contains(c)) {
        assert!(operating.contains(&format!("--{flag}")), "docs/operating.md lacks --{flag}");
    }
}

#[test]
fn every_metric_exists_and_is_explained() {
    let mut all = String::new();
    sources(&root().join("src"), &mut all);
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let exists = |name: &str| all.contains(&format!("\"{name}\""));
    let mut named = String::new();
    for (page, text) in pages() {
        for prefix in ["scrapeport_", "process_"] {
            for name in words(&text, prefix, is_name) {
                // A part of a name stands before what takes its place, as in a pattern.
                let part = name.ends_with('_') || name == "process_";
                let is_of_c =
                    || HEADER.contains(&format!("{name}(")) || HEADER.contains(&format!(" {name};"));
                assert!(part || exists(name) || is_of_c(), "{page}: {name}");
            }
        }
        named += &text;
    }
    // Everything that the servers say of themselves.
    for file in ["src/server/metrics.rs", "src/tls/metrics.rs", "src/web_config/metrics.rs"] {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let names: Vec<_> = source
            .split('"')
            .filter(|text| text.starts_with("scrapeport_") && text.chars().all(is_name))
            .collect();
        assert!(names.len() >= 3, "{file}: {names:?}");
        for name in names {
            assert!(named.contains(&format!("`{name}`")), "no page explains {name}");
        }
    }
}

/// The reasons of failed handshakes are a table of the guide.
#[test]
fn every_reason_is_explained() {
    let source = fs::read_to_string(root().join("src/tls/failure.rs")).unwrap();
    let (_, list) = source.split_once("pub(crate) const REASONS").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let guide = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let (_, table) = guide.split_once("| reason | it means |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let reasons: Vec<_> = list.split('"').skip(1).step_by(2).collect();
    assert!(reasons.len() > 10);
    for reason in &reasons {
        assert!(table.contains(&format!("`{reason}`")), "docs/errors.md lacks {reason}");
    }
    for named in
        table.lines().flat_map(|line| line.split(" | ").next().unwrap_or("").split('`').skip(1).step_by(2))
    {
        assert!(reasons.contains(&named), "docs/errors.md has {named}, which is no reason");
    }
}

/// Settings of the web configuration file, and of the builder in tables and in prose about limits.
#[test]
fn every_setting_exists() {
    let mut file = String::new();
    sources(&root().join("src/web_config"), &mut file);
    let mut all = String::new();
    sources(&root().join("src"), &mut all);
    let mut count = 0;
    for (page, text) in pages() {
        let blocks = text.split("```").skip(1).step_by(2);
        for line in blocks.filter(|block| block.contains("tls_server_config:")).flat_map(str::lines) {
            let Some((key, _)) = line.split_once(':') else { continue };
            let key = key.trim_start_matches([' ', '-']);
            let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            // Users, and what stands in other files that are written in the same block.
            let other = ["scraper", "prometheus"].contains(&key);
            if is_key && !other {
                assert!(file.contains(&format!("\"{key}\"")), "{page}: {key}");
                count += 1;
            }
        }
        if page == "README.md" {
            continue;
        }
        // Names with an underline between backticks are settings, metrics, or reasons.
        for name in prose(&text).split('`').skip(1).step_by(2) {
            let is_name = name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let is_metric = name.starts_with("scrapeport_") || name.starts_with("process_");
            let elsewhere =
                page == "docs/metrics.md" || page == "docs/reference.md" || OF_OTHERS.contains(&name);
            if is_name && !is_metric && !elsewhere {
                let is_collector = all.contains(&format!("\"collector.{name}\""));
                let is_found = name.starts_with("node_") && (all.contains(name) || DASHBOARD.contains(name));
                if is_collector || is_found {
                    count += 1;
                    continue;
                }
                let is_of_c = page == "docs/c.md" && HEADER.contains(&format!("{name};"));
                let there = is_of_c
                    || file.contains(&format!("\"{name}\""))
                    || ["(", "<"].iter().any(|next| all.contains(&format!("fn {name}{next}")));
                assert!(there || all.contains(&format!("\"{name}\"")), "{page}: {name}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count}");
}

/// Settings of Prometheus, nginx and the rest.
const OF_OTHERS: [&str; 11] = [
    "auth_basic",
    "basic_auth",
    "ca_file",
    "key_file",
    "limit_req",
    "metrics_path",
    "proxy_pass",
    "scrape_interval",
    "server_name",
    "tls_config",
    "insecure_skip_verify",
];

/// Names of metrics that are put together at run time.
const DASHBOARD: &str = include_str!("data/dashboard-names.txt");

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
