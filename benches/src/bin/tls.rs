//! The price of HTTPS: a server's processor time for handshakes and kept scrapes, and its memory for connections that
//! wait, against nginx with the same certificate in the same run.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use scrapeport_benches::data::{LARGE, SMALL, Shape};
use scrapeport_benches::load::{Connections, ask, run_over};
use scrapeport_benches::ours;
use scrapeport_benches::process::{cpu_time, memory, pin};
use scrapeport_benches::rounds::Rounds;
use scrapeport_benches::running::{
    Nginx, Program, Running, Under, calls_per_request, instructions_per_request,
};
use scrapeport_benches::table::{Table, maybe, ratio, short};
use scrapeport_benches::tls::{Client, Encrypted, Pair};

const KINDS: [&str; 3] = ["scrapeport", "nginx", "nginx, tuned"];
/// Connections that are kept at once.
const IDLE: usize = 100;

/// What is compared.
struct Scenario {
    key: &'static str,
    title: &'static str,
    large: bool,
    how: Connections,
    resuming: bool,
    requests: u32,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        key: "full",
        title: "A full TLS 1.3 handshake and one page of 3 kB",
        large: false,
        how: Connections::Fresh,
        resuming: false,
        requests: 150,
    },
    Scenario {
        key: "resumed",
        title: "A resumed TLS 1.3 handshake and one page of 3 kB",
        large: false,
        how: Connections::Fresh,
        resuming: true,
        requests: 200,
    },
    Scenario {
        key: "kept small",
        title: "Page of 3 kB, one kept TLS connection",
        large: false,
        how: Connections::Kept,
        resuming: false,
        requests: 1_500,
    },
    Scenario {
        key: "kept large",
        title: "Page of 100 kB, one kept TLS connection",
        large: true,
        how: Connections::Kept,
        resuming: false,
        requests: 400,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value_of = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    if let (Some(size), Some(certificate), Some(key)) =
        (value_of("--page"), value_of("--certificate"), value_of("--key"))
    {
        let connections = value_of("--connections").map_or(16, |number| number.parse().unwrap());
        let pair = [certificate, key].map(PathBuf::from);
        return ours::serve_encrypted(shape(size == "large"), [&pair[0], &pair[1]], connections, |address| {
            println!("{}", address.port());
            std::io::stdout().flush().unwrap();
        });
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = value_of("--scenario");
    let wanted = |key: &str| only.as_ref().is_none_or(|only| only == key);
    let pair = Pair::make();
    // Server and scraper take turns on one processor: what wakes whom where is then no matter of luck.
    pin(value_of("--processor").map_or(1, |at| at.parse().unwrap()));
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.key)) {
        compare(scenario, &pair, quick);
    }
    if wanted("memory") {
        compare_memory(&pair);
    }
}

const fn shape(large: bool) -> Shape {
    if large { LARGE } else { SMALL }
}

/// nginx, or this program again.
fn program(kind: &str, large: bool, pair: &Pair, connections: usize) -> Program {
    let (certificate, key) = (&pair.certificate, &pair.key);
    if kind.starts_with("nginx") {
        let pair = Some((certificate.clone(), key.clone()));
        return Program::Nginx(Nginx { page: shape(large), tuned: kind == "nginx, tuned", pair });
    }
    let size = if large { "large" } else { "small" };
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let connections = connections.to_string();
    let arguments =
        ["--page", size, "--certificate", certificate, "--key", key, "--connections", &connections];
    Program::Own(arguments.map(str::to_owned).into())
}

fn compare(scenario: &Scenario, pair: &Pair, quick: bool) {
    let rounds = if quick { 7 } else { 31 };
    let mut running: Vec<(&str, Running, Client)> = KINDS
        .iter()
        .filter_map(|kind| {
            let server = Running::start(&program(kind, scenario.large, pair, 16), Under::Nothing)?;
            Some((*kind, server, Client::new(&pair.certificate, scenario.resuming)))
        })
        .collect();
    let mut times = vec![Rounds::default(); running.len()];
    let mut bodies = vec![0; running.len()];
    for (kind, server, client) in &running {
        load(client, server.address, scenario, 20, Duration::from_secs(5))
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    for round in 0..rounds {
        for place in 0..running.len() {
            let at = (place + round) % running.len();
            let (kind, server, client) = &running[at];
            let before = cpu_time(server.pid).unwrap();
            let (requests, body) =
                load(client, server.address, scenario, scenario.requests, Duration::from_secs(2))
                    .unwrap_or_else(|error| panic!("{kind}: {error}"));
            let used = cpu_time(server.pid).unwrap() - before;
            times[at].0.push(used.as_secs_f64() * 1e6 / f64::from(requests));
            bodies[at] = body;
        }
    }
    let names: Vec<&str> = running.iter().map(|(kind, ..)| *kind).collect();
    running.iter_mut().for_each(|(_, server, _)| server.stop());

    println!("### {}\n", scenario.title);
    let mut table = Table::new(&[
        "",
        "CPU µs per request, median",
        "least",
        "to nginx",
        "to nginx, tuned",
        "user instructions per request",
        "system calls per request",
        "bytes",
    ]);
    let times_of = |name: &str| names.iter().position(|other| *other == name).map(|at| &times[at]);
    for (at, kind) in names.iter().enumerate() {
        let to = |name| times_of(name).map_or_else(|| "–".into(), |other| ratio(times[at].ratio_to(other)));
        let program = program(kind, scenario.large, pair, 16);
        let again = |address, requests| {
            // Under valgrind a handshake takes its time.
            let client = Client::new(&pair.certificate, scenario.resuming);
            load(&client, address, scenario, requests, Duration::from_secs(60)).map(drop)
        };
        table.row(vec![
            (*kind).to_owned(),
            short(times[at].median()),
            short(times[at].least()),
            to("nginx"),
            to("nginx, tuned"),
            maybe((!quick).then(|| instructions_per_request(&program, [20, 80], &again)).flatten()),
            calls_per_request(&program, [20, 80], &again),
            bodies[at].to_string(),
        ]);
    }
    table.print();
}

/// Asks so many times; gives how often it came to that, and the length of a page.
fn load(
    client: &Client,
    address: SocketAddr,
    scenario: &Scenario,
    requests: u32,
    limit: Duration,
) -> std::io::Result<(u32, usize)> {
    if scenario.resuming && !client.has_ticket() {
        // Not to be counted, but there is no other way to a ticket: one in all the rounds.
        run_over(|| client.connect(address), Connections::Fresh, 1, limit)?;
    }
    let done = run_over(|| client.connect_as_planned(address), scenario.how, requests, limit)?;
    Ok((done.requests, done.body))
}

/// What a connection costs that has been asked once and is kept.
fn compare_memory(pair: &Pair) {
    println!(
        "### Memory of one and of {} kept TLS connections that wait, after one page of 3 kB each\n",
        IDLE + 1
    );
    let mut table = Table::new(&[
        "",
        "kB resident at start",
        "with one",
        "with all",
        "per further connection",
        "kB private at start",
        "with one",
        "with all",
        "per further connection",
    ]);
    for kind in KINDS {
        let Some(mut server) = Running::start(&program(kind, false, pair, IDLE + 1), Under::Nothing) else {
            continue;
        };
        let client = Client::new(&pair.certificate, false);
        let connect = || -> Encrypted {
            let mut stream = client.connect_as_planned(server.address).unwrap();
            ask(&mut stream).unwrap();
            stream
        };
        // What only a handshake needs may be given back when it is over.
        let settled = || {
            std::thread::sleep(Duration::from_secs(1));
            memory(server.pid)
        };
        let idle = settled();
        let first = connect();
        let one = settled();
        let kept: Vec<Encrypted> = (0..IDLE).map(|_| connect()).collect();
        let many = settled();
        drop((first, kept));
        server.stop();
        let mut cells = vec![kind.to_owned()];
        for at in 0..2 {
            let each = (many[at] as f64 - one[at] as f64) / IDLE as f64;
            cells.extend([idle[at].to_string(), one[at].to_string(), many[at].to_string(), short(each)]);
        }
        table.row(cells);
    }
    table.print();
}
