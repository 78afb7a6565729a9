//! curl: the first client that anybody tries.

use std::process::{Command, Output};

use crate::process::{Served, tool};

/// Runs curl, which never asks a proxy and gives up after a while.
pub(crate) fn curl(arguments: &[&str]) -> Output {
    Command::new(tool("curl"))
        .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"])
        .args(arguments)
        .output()
        .expect("curl runs")
}

pub(crate) fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("the page is UTF-8")
}

#[test]
fn a_page_in_every_version_of_http() {
    let ours = Served::every_kind(&[]);
    let url = format!("http://{}/metrics", ours.address);
    let page = text(&curl(&[&url]));
    assert!(page.contains("\ndemo_requests_total 3\n"), "{page}");
    for arguments in [
        &["--http1.0"][..],
        &["--http1.1"],
        // Asks to upgrade and takes no for an answer.
        &["--http2"],
        &["--compressed"],
        &["--compressed", "--http1.0"],
        &["-H", "Expect: 100-continue"],
        &["-H", "Transfer-Encoding: chunked", "-X", "GET", "-d", "hello"],
        &["--tcp-fastopen"],
    ] {
        assert_eq!(text(&curl(&[arguments, &[&url]].concat())), page, "{arguments:?}");
    }
}

#[test]
fn several_requests_take_one_connection() {
    let ours = Served::every_kind(&[]);
    let url = format!("http://{}", ours.address);
    let report = ["-o", "/dev/null", "-w", "%{num_connects} %{http_code}\n"];
    let targets: Vec<_> =
        ["/", "/favicon.ico", "/metrics", "/x"].iter().map(|path| url.clone() + path).collect();
    let mut arguments = Vec::new();
    for target in &targets {
        arguments.extend(report);
        arguments.push(target);
        arguments.push("--next");
        arguments.extend(["--noproxy", "*", "--silent"]);
    }
    arguments.extend(report);
    arguments.extend(["-X", "POST", "--data-binary", "hello", &targets[0]]);
    let output = text(&curl(&arguments));
    assert_eq!(output, "1 200\n0 200\n0 200\n0 200\n0 405\n");
}

#[test]
fn methods_as_curl_sends_them() {
    let ours = Served::every_kind(&[]);
    let url = format!("http://{}/", ours.address);
    let code = |arguments: &[&str]| {
        text(&curl(&[arguments, &["-o", "/dev/null", "-w", "%{http_code}", &url]].concat()))
    };
    assert_eq!(code(&["--head"]), "405");
    assert_eq!(code(&["-X", "OPTIONS"]), "200");
    assert_eq!(code(&["-X", "OPTIONS", "--request-target", "*"]), "200");
    assert_eq!(code(&["-T", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")]), "405");
    assert_eq!(code(&["-d", "a=b"]), "405");
    let large = "x".repeat(40_000);
    assert_eq!(code(&["-d", &large]), "405");
    assert_eq!(code(&["-d", &large, "-H", "Transfer-Encoding: chunked"]), "405");
    assert_eq!(code(&["-d", &large, "-H", "Expect: 100-continue"]), "405");
}

#[test]
fn a_body_too_long_for_us_still_gets_its_answer() {
    let ours = Served::every_kind(&[]);
    let url = format!("http://{}/", ours.address);
    let scratch = crate::process::Scratch::new("curl");
    let file = scratch.write("large", &"x".repeat(1_000_000));
    let output = curl(&["-T", file.to_str().expect("a path in UTF-8"), "-w", "%{http_code}", &url]);
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains("# HTTP 405 Method Not Allowed: PUT"), "{answer} {output:?}");
}

#[test]
fn other_protocols_are_told_off_at_once() {
    let ours = Served::every_kind(&[]);
    for (arguments, url) in [
        (&["--http2-prior-knowledge"][..], format!("http://{}/", ours.address)),
        (&["--insecure"], format!("https://{}/", ours.address)),
    ] {
        let begun = std::time::Instant::now();
        let output = curl(&[arguments, &[&url]].concat());
        assert!(!output.status.success(), "{arguments:?}");
        assert!(begun.elapsed().as_secs() < 4, "{arguments:?} had to wait");
    }
    // And the next one is served.
    text(&curl(&[&format!("http://{}/", ours.address)]));
}
