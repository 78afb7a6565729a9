//! The price of a scrape of this machine: processor time, system calls, memory and start of the exporter, of the node
//! exporter with the same collectors, and of nano-exporter (C), in the same run.
//!
//! The programs are those of the environment: `SCRAPEPORT` and `SCRAPEPORT_SMALL` (the static one), `NODE_EXPORTER`,
//! and `NANO_EXPORTER`, which is left out without.

use std::env;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use scrapeport_benches::load::{Connections, Done, run, run_gzip};
use scrapeport_benches::process::{cpu_time, kernel_share, memory, pin, stop};
use scrapeport_benches::rounds::Rounds;
use scrapeport_benches::running::{Program, Running, Under, calls_per_request};
use scrapeport_benches::table::{Table, ratio, short};

/// What Debian's package has changed in it is undone.
const AS_UPSTREAM: &[&str] = &[
    "--no-collector.systemd",
    "--collector.netdev.device-exclude=",
    "--collector.textfile.directory=",
    "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
];

/// What small exporters have in common.
const NINE: &[&str] =
    &["cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "stat", "time", "uname"];

/// What nano-exporter has.
const NANO: &[&str] =
    &["cpu", "diskstats", "filesystem", "hwmon", "meminfo", "netdev", "stat", "textfile", "uname"];

/// A program, and what it shows.
struct Candidate {
    title: &'static str,
    line: Vec<String>,
}

fn scrapeport(title: &'static str, variable: &str, collectors: &[&str]) -> Option<Candidate> {
    let mut line = vec![env::var(variable).ok()?, "--web.listen-address=127.0.0.1:PORT".to_owned()];
    line.extend(only(collectors));
    Some(Candidate { title, line })
}

fn node_exporter(title: &'static str, collectors: &[&str]) -> Option<Candidate> {
    let mut line = vec![env::var("NODE_EXPORTER").ok()?, "--web.listen-address=127.0.0.1:PORT".to_owned()];
    line.extend(AS_UPSTREAM.iter().map(|&flag| flag.to_owned()));
    line.extend(only(collectors));
    Some(Candidate { title, line })
}

fn nano_exporter() -> Option<Candidate> {
    let program = env::var("NANO_EXPORTER").ok()?;
    let line = vec![program, "--foreground".to_owned(), "--port=PORT".to_owned()];
    Some(Candidate { title: "nano-exporter", line })
}

/// The flags for some collectors; none for the default set.
fn only(collectors: &[&str]) -> Vec<String> {
    let all_off = (!collectors.is_empty()).then(|| "--collector.disable-defaults".to_owned());
    all_off.into_iter().chain(collectors.iter().map(|name| format!("--collector.{name}"))).collect()
}

fn main() {
    let quick = env::args().any(|argument| argument == "--quick");
    // Server and scraper take turns on one processor: what wakes whom where is then no matter of luck.
    pin(1);
    let (default, nine): (&[&str], _) = (&[], NINE);
    for (title, how, gzip, candidates) in [
        ("Default collectors, one kept connection", Connections::Kept, false, sets(default)),
        ("Default collectors, one kept connection, gzip", Connections::Kept, true, sets(default)),
        ("Nine collectors, one kept connection", Connections::Kept, false, sets(nine)),
        ("Nine collectors, one kept connection, gzip", Connections::Kept, true, sets(nine)),
        (
            "The nine collectors of nano-exporter, fresh connections",
            Connections::Fresh,
            false,
            sets(NANO).into_iter().chain(nano_exporter()).collect(),
        ),
    ] {
        compare(title, how, gzip, &candidates, quick);
    }
    let programs: Vec<Candidate> = [
        scrapeport("scrapeport", "SCRAPEPORT", &[]),
        scrapeport("scrapeport, static", "SCRAPEPORT_SMALL", &[]),
        node_exporter("node_exporter", &[]),
        nano_exporter(),
    ]
    .into_iter()
    .flatten()
    .collect();
    compare_memory(&programs);
    let same = scrapeport("scrapeport, static, nano-exporter's nine collectors", "SCRAPEPORT_SMALL", NANO);
    let programs: Vec<Candidate> = programs.into_iter().chain(same).collect();
    compare_starts(&programs, if quick { 11 } else { 31 });
}

fn sets(collectors: &[&str]) -> Vec<Candidate> {
    let ours = |title, variable| scrapeport(title, variable, collectors);
    let node = node_exporter("node_exporter", collectors);
    [ours("scrapeport", "SCRAPEPORT"), ours("scrapeport, static", "SCRAPEPORT_SMALL"), node]
        .into_iter()
        .flatten()
        .collect()
}

fn ask(address: SocketAddr, how: Connections, gzip: bool, requests: u32) -> std::io::Result<Done> {
    let limit = Duration::from_secs(20);
    if gzip { run_gzip(address, how, requests, limit) } else { run(address, how, requests, limit) }
}

fn compare(title: &str, how: Connections, gzip: bool, candidates: &[Candidate], quick: bool) {
    let (rounds, requests) = if quick { (5, 20) } else { (31, 40) };
    let program = |candidate: &Candidate| Program::Other(candidate.line.clone());
    let mut running: Vec<(&Candidate, Running)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate, Running::start(&program(candidate), Under::Nothing)?)))
        .collect();
    let mut times = vec![Rounds::default(); running.len()];
    let mut bodies = vec![0; running.len()];
    for (candidate, server) in &running {
        ask(server.address, how, gzip, 20).unwrap_or_else(|error| panic!("{}: {error}", candidate.title));
    }
    for round in 0..rounds {
        for place in 0..running.len() {
            let at = (place + round) % running.len();
            let (candidate, server) = &running[at];
            let before = cpu_time(server.pid).unwrap();
            let done = ask(server.address, how, gzip, requests)
                .unwrap_or_else(|error| panic!("{}: {error}", candidate.title));
            let used = cpu_time(server.pid).unwrap() - before;
            times[at].0.push(used.as_secs_f64() * 1e6 / f64::from(done.requests));
            bodies[at] = done.body;
        }
    }
    let kernel: Vec<f64> = running.iter().map(|(_, server)| kernel_share(server.pid)).collect();
    running.iter_mut().for_each(|(_, server)| server.stop());
    println!("### {title}\n");
    let mut table = Table::new(&[
        "",
        "CPU µs per scrape, median",
        "least",
        "of node_exporter's",
        "in the kernel",
        "system calls per scrape",
        "bytes",
    ]);
    let theirs = running.iter().position(|(candidate, _)| candidate.title == "node_exporter");
    for (at, (candidate, _)) in running.iter().enumerate() {
        let load = |address, requests| ask(address, how, gzip, requests).map(drop);
        table.row(vec![
            candidate.title.to_owned(),
            short(times[at].median()),
            short(times[at].least()),
            theirs.map_or_else(|| "–".into(), |theirs| ratio(times[at].ratio_to(&times[theirs]))),
            format!("{:.0} %", 100.0 * kernel[at]),
            calls_per_request(&program(candidate), [10, 40], &load),
            bodies[at].to_string(),
        ]);
    }
    table.print();
}

fn compare_memory(programs: &[Candidate]) {
    println!(
        "### Memory a second after 1,000 scrapes of the default collectors, half of them over fresh connections\n"
    );
    let mut table = Table::new(&["", "kB resident", "kB private", "bytes of the program"]);
    for candidate in programs {
        let Some(mut server) = Running::start(&Program::Other(candidate.line.clone()), Under::Nothing) else {
            continue;
        };
        let kept = if candidate.title == "nano-exporter" { Connections::Fresh } else { Connections::Kept };
        for how in [kept, Connections::Fresh] {
            run(server.address, how, 500, Duration::from_secs(60))
                .unwrap_or_else(|error| panic!("{}: {error}", candidate.title));
        }
        // What only scrapes need may be given back when they are over.
        std::thread::sleep(Duration::from_secs(1));
        let [resident, private] = memory(server.pid);
        server.stop();
        let size = std::fs::metadata(&candidate.line[0]).map_or(0, |file| file.len());
        table.row(vec![
            candidate.title.to_owned(),
            resident.to_string(),
            private.to_string(),
            size.to_string(),
        ]);
    }
    table.print();
}

/// From the start of the process to the end of the first page.
fn compare_starts(programs: &[Candidate], rounds: usize) {
    println!("### From start to the end of the first scrape\n");
    let mut times = vec![Rounds::default(); programs.len()];
    for round in 0..rounds {
        for place in 0..programs.len() {
            let at = (place + round) % programs.len();
            times[at].0.push(start(&programs[at]).as_secs_f64() * 1e3);
        }
    }
    let mut table = Table::new(&["", "ms, median", "least"]);
    for (candidate, times) in programs.iter().zip(&times) {
        table.row(vec![candidate.title.to_owned(), short(times.median()), short(times.least())]);
    }
    table.print();
}

fn start(candidate: &Candidate) -> Duration {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let line: Vec<String> =
        candidate.line.iter().map(|argument| argument.replace("PORT", &port.to_string())).collect();
    let begin = Instant::now();
    let mut child = Command::new(&line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(address).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{} does not listen", candidate.title);
        std::thread::sleep(Duration::from_micros(200));
    }
    run(address, Connections::Fresh, 1, Duration::from_secs(20))
        .unwrap_or_else(|error| panic!("{}: {error}", candidate.title));
    let took = begin.elapsed();
    let pid = child.id();
    stop(&mut child, pid);
    took
}
