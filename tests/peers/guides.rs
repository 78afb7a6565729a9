//! The guides, followed to the letter: the shell blocks of each run in order, in one bash, in an empty directory.
//!
//! Only the ports are others. A `text` block right after a shell block is what that block prints, all of it; `…`
//! stands for any text within a line. Lines of the program's log come when they come: those that a `text` block has
//! are looked for in everything that was printed.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Running, Scratch, free_address, tool};
use crate::services::stripped;

/// A guide takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// The ports that the guides name.
const PORTS: [&str; 4] = ["9100", "9101", "9090", "8443"];

const GUIDES: [&str; 7] = ["tls", "basic-auth", "nginx", "prometheus", "errors", "operating", "services"];

/// The guide that begins in the directory of these sources, where the program is built.
const SOURCES_NEEDED: &str = "services";

/// Stands between the output of two blocks.
const MARK: &str = "@@ block";

pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// The line of the page at which it begins.
    line: usize,
}

pub(crate) fn page(name: &str) -> String {
    let path = format!("{}/docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        open = match (open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                Some(Block { language: language.into(), text: String::new(), line: number + 1 })
            }
            (Some(block), Some(_)) => {
                blocks.push(block);
                None
            }
            (Some(block), None) => Some(Block { text: block.text + line + "\n", ..block }),
            (None, None) => None,
        };
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// Whether a line is as the guide says.
fn fits(line: &str, pattern: &str) -> bool {
    let Some((begin, mut rest)) = pattern.split_once('…') else { return line == pattern };
    let Some(mut line) = line.strip_prefix(begin) else { return false };
    while let Some((part, more)) = rest.split_once('…') {
        let Some(place) = line.find(part) else { return false };
        line = &line[place + part.len()..];
        rest = more;
    }
    line.ends_with(rest)
}

/// The processes of a session, by their ids.
fn session(leader: u32) -> Vec<u32> {
    let of = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold blanks; state, parent, group and session follow it.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let dead = fields.next()? == "Z";
        (!dead && fields.nth(2)?.parse() == Ok(leader)).then_some(id)
    };
    fs::read_dir("/proc").expect("processes are listed").filter_map(|entry| of(entry.ok()?)).collect()
}

fn end(id: u32) {
    // A process may have ended by itself.
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::KILL);
    }
}

/// A guide that is being followed. Whatever it started ends with the value.
struct Walk {
    bash: Running,
    scratch: Scratch,
}

impl Drop for Walk {
    fn drop(&mut self) {
        session(self.bash.id()).into_iter().for_each(end);
        // nginx leaves the session of the one who starts it.
        for directory in fs::read_dir(self.scratch.path()).into_iter().flatten().flatten() {
            let id = fs::read_to_string(directory.path().join("nginx.pid"));
            id.ok().and_then(|id| id.trim().parse().ok()).into_iter().for_each(end);
        }
    }
}

impl Walk {
    /// In a session of its own, so that what it leaves behind is known.
    fn start(name: &str, script: &str) -> Self {
        let scratch = Scratch::new(name);
        // Not in the directory itself, which is as empty as the reader's.
        let script_file = scratch.write("walk.sh", script);
        let output = scratch.path().join("output");
        let directory = scratch.path().join("home");
        fs::create_dir(&directory).expect("the target directory can be written");
        if name == SOURCES_NEEDED {
            lay_out_sources(&directory);
        }
        let file = File::create(&output).expect("the target directory can be written");
        let program = Path::new(env!("CARGO_BIN_EXE_scrapeport")).parent().expect("a file is in a directory");
        let mut command = Command::new(tool("setsid"));
        command.arg(tool("bash")).args(["--noprofile", "--norc"]).arg(&script_file);
        command.current_dir(&directory).env_clear();
        // That of a Debian user.
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", program.display()));
        command.env("HOME", &directory).env("no_proxy", "*").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stderr(file.try_clone().expect("descriptors are left")).stdout(file);
        Self { bash: Running::start(&mut command), scratch }
    }

    fn output(&self) -> String {
        let output = fs::read(self.scratch.path().join("output")).expect("it was made before");
        String::from_utf8_lossy(&output).into_owned()
    }
}

/// What that guide uses of the sources.
fn lay_out_sources(directory: &Path) {
    let packaging = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging");
    symlink(packaging, directory.join("packaging")).expect("the target directory can be written");
    let release = directory.join("target/release");
    fs::create_dir_all(&release).expect("the target directory can be written");
    symlink(stripped(), release.join("scrapeport")).expect("the target directory can be written");
}

fn is_log(line: &str) -> bool {
    line.starts_with("level=")
}

fn follow(name: &str) {
    let mut text = page(name);
    for port in PORTS {
        if text.contains(port) {
            text = text.replace(port, &free_address().port().to_string());
        }
    }
    let blocks = blocks(&text);
    let mut script = "set -em\n".to_owned();
    for block in blocks.iter().filter(|block| block.language == "sh") {
        script += &format!("echo '{MARK} {}'\n{}", block.line, block.text);
    }
    script += &format!("echo '{MARK} 0'\n");
    let mut walk = Walk::start(name, &script);
    let status = walk.bash.wait(PATIENCE);
    let output = walk.output();
    assert!(status.is_some_and(|status| status.success()), "docs/{name}.md: {status:?}\n{output}");
    assert_eq!(session(walk.bash.id()), [], "docs/{name}.md leaves processes behind\n{output}");

    let log: Vec<_> = output.lines().filter(|line| is_log(line)).collect();
    for pair in blocks.windows(2) {
        let [shell, said] = pair else { continue };
        if (&*shell.language, &*said.language) != ("sh", "text") {
            continue;
        }
        let (_, printed) =
            output.split_once(&format!("{MARK} {}\n", shell.line)).expect("each block is begun");
        let (printed, _) = printed.split_once(MARK).expect("each block is ended");
        let printed: Vec<_> = printed.trim_end_matches('\n').lines().filter(|line| !is_log(line)).collect();
        let (logged, wanted): (Vec<_>, Vec<_>) = said.text.lines().partition(|line| is_log(line));
        assert!(
            printed.len() == wanted.len() && printed.iter().zip(&wanted).all(|(line, fit)| fits(line, fit)),
            "docs/{name}.md, line {}: {wanted:#?} should be printed, but\n{output}",
            said.line
        );
        for pattern in logged {
            assert!(
                log.iter().any(|line| fits(line, pattern)),
                "docs/{name}.md, line {}: {pattern} is not logged\n{output}",
                said.line
            );
        }
    }
}

#[test]
fn every_page_with_commands_is_a_guide() {
    let docs = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).expect("there are pages");
    for entry in docs {
        let file = entry.expect("pages are listed").file_name();
        let Some(name) = file.to_str().and_then(|name| name.strip_suffix(".md")) else { continue };
        let has_commands = blocks(&page(name)).iter().any(|block| block.language == "sh");
        assert_eq!(has_commands, GUIDES.contains(&name), "docs/{name}.md");
    }
}

#[test]
fn patterns_fit_within_a_line() {
    assert!(fits("a{b} 1", "a{b} 1") && fits("a{b} 1", "a{…} 1") && fits("a{b} 17", "a{…} …"));
    assert!(!fits("a{b} 1", "a{b} 2") && !fits("a{b} 1", "a{…} 2") && !fits("a{b} 1", "…c… 1"));
    assert!(fits("", "") && fits("x", "…") && !fits("x", "y…"));
}

#[test]
fn tls() {
    follow("tls");
}

#[test]
fn basic_auth() {
    follow("basic-auth");
}

#[test]
fn nginx() {
    follow("nginx");
}

#[test]
fn prometheus() {
    follow("prometheus");
}

#[test]
fn errors() {
    follow("errors");
}

#[test]
fn operating() {
    follow("operating");
}

/// Its blocks for root and for routers are followed in `services.rs`.
#[test]
fn services() {
    follow("services");
}

/// Blocks of nginx's language that no shell block writes are at least such that nginx takes them.
#[test]
fn nginx_takes_what_the_pages_show() {
    for name in GUIDES {
        for block in blocks(&page(name)).iter().filter(|block| block.language == "nginx") {
            let scratch = Scratch::new("nginx-check");
            let text = format!(
                "pid nginx.pid;\nevents {{}}\nhttp {{\nserver {{\nlisten {};\n{}}}\n}}\n",
                free_address(),
                block.text
            );
            scratch.write("nginx.conf", &text);
            let mut command = Command::new(tool("nginx"));
            command.arg("-p").arg(scratch.path()).args(["-t", "-c", "nginx.conf", "-e", "errors.log"]);
            let output = command.output().expect("nginx runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "docs/{name}.md, line {}: {said}", block.line);
        }
    }
}
