//! The device page in headless Chromium: `browser.py` drives it and looks, these tests start what it looks at.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::nginx::Nginx;
use crate::process::{Running, Scratch, Served, tool};

/// A minute is usual on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs the script, and gives the names of its checks, which must all have come out well.
fn look(arguments: &[&str]) -> BTreeSet<String> {
    // Missing tools are told before anything is started.
    tool("chromedriver");
    tool("chromium");
    let scratch = Scratch::new("browser");
    let output = scratch.path().join("output");
    let file = File::create(&output).expect("the target directory can be written");
    let mut command = Command::new(tool("python3"));
    command.arg("-I").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/browser.py"));
    command.arg(arguments[0]).arg(scratch.path()).args(&arguments[1..]);
    command.stdin(Stdio::null()).stderr(file.try_clone().expect("descriptors are left")).stdout(file);
    let mut running = Running::start(&mut command);
    let status = running.wait(PATIENCE);
    // The browser ends with the script, before its files go.
    drop(running);
    let output = fs::read(&output).expect("it was made before");
    let output = String::from_utf8_lossy(&output);
    assert!(status.is_some_and(|status| status.success()), "{arguments:?}: {status:?}\n{output}");
    let checks: Vec<_> = output.lines().filter_map(|line| line.split_once('\t')).collect();
    let failed: Vec<_> = checks.iter().filter(|(_, outcome)| *outcome != "ok").collect();
    assert!(failed.is_empty(), "{arguments:?}: {failed:#?}");
    checks.into_iter().map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn a_device_in_the_browser() {
    let program = Served::program(&[]);
    let checks = look(&["show", &program.address.to_string()]);
    for name in [
        "panel CPU has User",
        "the filter leaves what fits",
        "markup is text",
        "the tabulator reaches slider",
        "nothing sticks out at 360",
        "there is a light and a dark form",
        "the console is empty",
        "silence is told",
        "so are the links",
    ] {
        assert!(checks.contains(name), "{name} was not looked at: {checks:#?}");
    }
}

#[test]
fn the_program_s_own_metrics_in_the_browser() {
    let program = Served::program(&["--web.telemetry-path=/own/metrics"]);
    assert_eq!(look(&["open", &format!("http://{}/", program.address), "own/metrics"]).len(), 4);
}

#[test]
fn the_page_below_a_path_of_nginx() {
    let url = "--web.external-url=http://proxy.example/prometheus/";
    let whole = Served::program(&[url]);
    let stripped = Served::program(&[url, "--web.route-prefix=/"]);
    let nginx = Nginx::start(
        "",
        &format!(
            "location /prometheus {{ proxy_pass http://{}; }}\nlocation /stripped/ {{ proxy_pass http://{}/; }}\n",
            whole.address, stripped.address
        ),
    );
    // The first is led to the slash by the program.
    for path in ["prometheus", "prometheus/", "stripped/"] {
        assert_eq!(look(&["open", &format!("http://{}/{path}", nginx.address), "metrics"]).len(), 4);
    }
    assert_eq!(nginx.errors(), "");
}

#[test]
fn without_scripts_there_are_links() {
    let program = Served::program(&[]);
    assert_eq!(look(&["scriptless", &format!("http://{}/", program.address)]).len(), 3);
}
