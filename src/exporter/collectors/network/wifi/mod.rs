//! `wifi`: wireless interfaces, their networks and stations. Source: nl80211, the kernel's
//! `include/uapi/linux/nl80211.h`.

mod nl80211;

use nl80211::{Info, Network, Station, kind};
use rustix::io::Errno;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::netlink::{Peer, Request};
use crate::exporter::engine::parse::{NO_TEXT, lossy};
use crate::exporter::engine::patience::{Answer, Batch, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::rows::Rows;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Number, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new(
        "collector.wifi",
        FlagKind::Switch,
        &["Wireless interfaces, their networks and stations."],
    ),
    default: false,
    flags: &[],
    build: Build::Ready(&Wifi),
};

struct Wifi;

/// So many wireless interfaces are looked at. An access point with every radio full has some fifty.
const MOST_INTERFACES: usize = 256;

impl Source for Wifi {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { names, numbers, rows, batch, seen, .. } = scratch;
        let ask = |batch: &mut Batch| machine.patience.ask(batch, &|| page.is_expired());
        batch.clear();
        let question = put(batch, nl80211::ask_family());
        ask(batch);
        let family = match batch.answer(question) {
            Answer::Failed(Errno::NOENT) => {
                return Err(Problem::NoData("this kernel has no wireless networks"));
            }
            _ => nl80211::family(text(batch, question)?).ok_or(Problem::Failed("nl80211 has no number"))?,
        };
        let question = put(batch, nl80211::ask_interfaces(family));
        ask(batch);
        names.clear();
        numbers.clear();
        rows.clear();
        seen.clear();
        for interface in nl80211::interfaces(text(batch, question)?).take(MOST_INTERFACES) {
            let mut spare = NO_TEXT;
            let device = lossy(interface.name, &mut spare);
            if !seen.is_new(device.as_bytes()) {
                continue;
            }
            names.push(interface.name);
            numbers.push(interface.index.into());
            if let Some(megahertz) = interface.frequency {
                let name = "node_wifi_interface_frequency_hertz";
                let help = "The frequency that the interface uses, in hertz.";
                rows.add(Kind::Gauge, &[name], help, &[("device", device)], u64::from(megahertz) * 1_000_000);
            }
        }
        let first = question + 1;
        for index in numbers.iter().filter_map(|index| u32::try_from(*index).ok()) {
            put(batch, nl80211::ask_networks(family, index));
            put(batch, nl80211::ask_stations(family, index));
        }
        ask(batch);
        for (at, name) in names.iter().enumerate() {
            let mut spare = NO_TEXT;
            let device = lossy(name, &mut spare);
            // An interface without a network, or a driver that does not tell its stations, has none.
            let answers =
                [first + 2 * at, first + 2 * at + 1].map(|question| batch.text(question).unwrap_or_default());
            if let Some(network) = nl80211::network(answers[0]) {
                write_network(device, &network, rows);
            }
            seen.clear();
            for station in nl80211::stations(answers[1]) {
                if seen.is_new(&station.mac) {
                    write_station(device, &station, rows);
                }
            }
        }
        rows.write(page);
        Ok(())
    }
}

fn put(batch: &mut Batch, request: Request) -> usize {
    batch.ask(Question::Netlink(Peer::Generic), request)
}

fn text(batch: &Batch, question: usize) -> Result<&[u8], Problem> {
    match batch.answer(question) {
        Answer::Text(text) => Ok(text),
        Answer::Failed(errno) => Err(Problem::unreadable("nl80211", errno)),
        _ => Err(Problem::Failed("nl80211 did not answer in time")),
    }
}

fn write_network(device: &str, network: &Network<'_>, rows: &mut Rows) {
    let (mut spare, mut bssid) = (NO_TEXT, NO_ADDRESS);
    let labels = [
        ("device", device),
        ("bssid", hexadecimal(network.bssid, &mut bssid)),
        ("ssid", lossy(network.ssid, &mut spare)),
        ("mode", network.mode),
    ];
    let help = "The network that the interface belongs to. Always 1.";
    rows.add(Kind::Gauge, &["node_wifi_station_info"], help, &labels, 1_u32);
}

fn write_station(device: &str, station: &Station<'_>, rows: &mut Rows) {
    let mut mac = NO_ADDRESS;
    let labels = [("device", device), ("mac_address", hexadecimal(station.mac, &mut mac))];
    for (kind, name, help, value) in values(&station.info) {
        if let Some(value) = value {
            rows.add(kind, &["node_wifi_station_", name], help, &labels, value);
        }
    }
}

type Value = (Kind, &'static str, &'static str, Option<Number>);

fn values(info: &Info<'_>) -> [Value; 12] {
    let number = |kind| info.number(kind).map(Number::from);
    let rate = |kind| info.rate(kind).map(Number::from);
    let long = |kind, old| info.long(kind, old).map(Number::from);
    let inactive =
        info.number(kind::INACTIVE_TIME).map(|milliseconds| Number::from(milliseconds as f64 / 1000.0));
    let connected = number(kind::CONNECTED_TIME);
    let (received, sent) = (long(kind::RX_BYTES64, kind::RX_BYTES), long(kind::TX_BYTES64, kind::TX_BYTES));
    let signal = info.signal().map(Number::from);
    let counter = |name, help, value| (Kind::Counter, name, help, value);
    let gauge = |name, help, value| (Kind::Gauge, name, help, value);
    [
        counter(
            "beacon_loss_total",
            "How often no beacon of the station was heard.",
            number(kind::BEACON_LOSS),
        ),
        counter("connected_seconds_total", "How long the station has been connected.", connected),
        gauge("inactive_seconds", "How long nothing has come from the station.", inactive),
        gauge("receive_bits_per_second", "The rate of what was received last.", rate(kind::RX_BITRATE)),
        counter("receive_bytes_total", "Bytes received from the station.", received),
        counter("received_packets_total", "Packets received from the station.", number(kind::RX_PACKETS)),
        gauge("signal_dbm", "How strongly the station is heard, in dBm.", signal),
        gauge("transmit_bits_per_second", "The rate of what was sent last.", rate(kind::TX_BITRATE)),
        counter("transmit_bytes_total", "Bytes sent to the station.", sent),
        counter("transmit_failed_total", "Packets that could not be sent.", number(kind::TX_FAILED)),
        counter("transmit_retries_total", "Packets that were sent again.", number(kind::TX_RETRIES)),
        counter("transmitted_packets_total", "Packets sent to the station.", number(kind::TX_PACKETS)),
    ]
}

/// Room for a hardware address.
type Address = [u8; 17];

const NO_ADDRESS: Address = [b':'; 17];

/// A hardware address as text: `02:00:00:00:00:01`.
fn hexadecimal(address: [u8; 6], text: &mut Address) -> &str {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0') as u8;
    for (byte, place) in address.into_iter().zip(text.chunks_mut(3)) {
        if let [high, low, ..] = place {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
    core::str::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::{Outcome, Tree, page_of};

    fn written(answer: &[u8]) -> String {
        let mut rows = Rows::default();
        if let Some(network) = nl80211::network(answer) {
            write_network("wlan0", &network, &mut rows);
        }
        nl80211::stations(answer).take(1).for_each(|station| write_station("wlan0", &station, &mut rows));
        page_of(|page| rows.write(page))
    }

    #[test]
    fn a_station_is_shown() {
        let page = written(&nl80211::tests::station());
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        let labels = "{device=\"wlan0\",mac_address=\"02:00:00:00:00:ff\"}";
        let samples = samples.map(|line| line.replace(labels, "").replace("node_wifi_station_", ""));
        assert!(samples.eq([
            "connected_seconds_total 99",
            "inactive_seconds 1.5",
            "receive_bits_per_second 6000000",
            "receive_bytes_total 1099511627776",
            "signal_dbm -56",
            "transmit_bits_per_second 7000000000",
            "transmit_bytes_total 8",
        ]));
    }

    #[test]
    fn a_network_is_shown() {
        let network = Network { bssid: [2, 0xab, 0, 0, 0, 1], ssid: b"a \"b\xff", mode: "client" };
        let mut rows = Rows::default();
        write_network("wlan0", &network, &mut rows);
        let page = page_of(|page| rows.write(page));
        let expected =
            "{device=\"wlan0\",bssid=\"02:ab:00:00:00:01\",ssid=\"a \\\"b\u{fffd}\",mode=\"client\"} 1\n";
        assert!(page.ends_with(expected), "{page}");
    }

    #[test]
    fn this_machine_is_asked() {
        // Whatever wireless networks it has, the kernel answers, or there is no data.
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert!(
            outcome.result.is_ok_and(|()| true) || outcome.result.is_err_and(|problem| problem.is_no_data())
        );
        outcome.assert_sound();
    }

    proptest! {
        #[test]
        fn any_answer_makes_a_page(answer in nl80211::tests::damaged()) {
            Outcome { result: Ok(()), page: written(&answer) }.assert_sound();
        }
    }
}
