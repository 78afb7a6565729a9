//! What the peers of TLS talk to: a server as the builder makes it, in a process of its own, so that its counters
//! count what one test does.
//!
//! Each argument is `SETTING=VALUE` with the builder's names, or `beside`: a second server, which lets everybody in.
//! Prints the addresses. Each line of input has the files read again and prints what comes of it; the end of input is
//! the end.

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::time::Duration;

use scrapeport::{Counter, GaugeFamily, Registry, Server, TlsVersion};

static REQUESTS: Counter = Counter::new("demo_requests_total", "Requests served.");
static ROWS: GaugeFamily<1, 1000> = GaugeFamily::new("demo_rows", "Rows for a long page.", ["row"]);
static REGISTRY: Registry = Registry::new(&[&REQUESTS, &ROWS]);

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Server::builder(&REGISTRY);
    let mut other = Server::builder(&REGISTRY);
    let mut names = Vec::new();
    let mut beside = false;
    for argument in std::env::args().skip(1) {
        if argument == "beside" {
            beside = true;
            continue;
        }
        let (setting, value) = argument.split_once('=').ok_or("an argument is SETTING=VALUE")?;
        let milliseconds = || value.parse().map(Duration::from_millis);
        builder = match setting {
            "certfile" => {
                other = other.certfile(value);
                builder.certfile(value)
            }
            "keyfile" => {
                other = other.keyfile(value);
                builder.keyfile(value)
            }
            "web_config_file" => builder.web_config_file(value),
            "client_cafile" => builder.client_cafile(value),
            "client_capath" => builder.client_capath(value),
            "client_auth_required" => builder.client_auth_required(value.parse()?),
            "client_allowed_names" => {
                names.push(value.to_owned());
                builder
            }
            "tls_min_version" => builder.tls_min_version(match value {
                "1.2" => TlsVersion::Tls12,
                "1.3" => TlsVersion::Tls13,
                _ => return Err("no such version".into()),
            }),
            "handshake_timeout" => builder.handshake_timeout(milliseconds()?),
            "max_connections" => builder.max_connections(value.parse()?),
            "rows" => {
                for row in 0..value.parse::<u32>()? {
                    ROWS.with([&*String::leak(format!("{row:04}"))]).set(f64::from(row));
                }
                builder
            }
            _ => return Err(format!("no such setting: {setting}").into()),
        };
    }
    if !names.is_empty() {
        builder = builder.client_allowed_names(names);
    }
    REQUESTS.inc_by(3);
    let (server, thread) = builder.start_on("127.0.0.1:0")?;
    let mut line = server.local_addr().expect("a TCP address").to_string();
    let other = if beside { Some(other.start_on("127.0.0.1:0")?) } else { None };
    if let Some((other, _)) = &other {
        line += &format!(" {}", other.local_addr().expect("a TCP address"));
    }
    say(&line)?;
    for line in stdin().lines() {
        line?;
        say(&server.reload().map_or_else(|error| error.to_string(), |()| "read".into()))?;
    }
    server.shutdown();
    thread.join().expect("the server does not panic");
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(stdout(), "{line}")?;
    stdout().flush()
}
