//! What nl80211, the kernel's interface to wireless networks, answers. Source: the kernel's `include/uapi/linux/nl80211.h`
//! and `Documentation/userspace-api/netlink/intro.rst`.

use crate::exporter::engine::netlink::{
    Attributes, DUMP, Message, Messages, REQUEST, Request, u16_at, u32_at, u64_at,
};

/// Asks for the number that the kernel has given to nl80211.
pub(super) fn ask_family() -> Request {
    const GET_FAMILY: u8 = 3;
    Request::new(CONTROLLER, REQUEST, &[GET_FAMILY, 1, 0, 0]).attribute(FAMILY_NAME, b"nl80211\0")
}

/// The number, from the answer.
pub(super) fn family(answer: &[u8]) -> Option<u16> {
    let controller = Messages::new(answer).find(|message| message.kind == CONTROLLER)?;
    u16_at(attributes(controller).find(FAMILY_ID)?, 0).filter(|family| *family > CONTROLLER)
}

const CONTROLLER: u16 = 16;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// Asks for all interfaces.
pub(super) fn ask_interfaces(family: u16) -> Request {
    const GET_INTERFACE: u8 = 5;
    Request::new(family, REQUEST | DUMP, &[GET_INTERFACE, 1, 0, 0])
}

/// Asks for the networks that an interface knows of.
pub(super) fn ask_networks(family: u16, interface: u32) -> Request {
    const GET_SCAN: u8 = 32;
    Request::new(family, REQUEST | DUMP, &[GET_SCAN, 1, 0, 0]).attribute(INDEX, &interface.to_ne_bytes())
}

/// Asks for the stations that an interface speaks with.
pub(super) fn ask_stations(family: u16, interface: u32) -> Request {
    const GET_STATION: u8 = 17;
    Request::new(family, REQUEST | DUMP, &[GET_STATION, 1, 0, 0]).attribute(INDEX, &interface.to_ne_bytes())
}

const INDEX: u16 = 3;
const NAME: u16 = 4;
const MAC: u16 = 6;
const STATION_INFO: u16 = 21;
const FREQUENCY: u16 = 38;
const BSS: u16 = 47;

/// A wireless interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface<'a> {
    pub(super) index: u32,
    pub(super) name: &'a [u8],
    /// In megahertz.
    pub(super) frequency: Option<u32>,
}

/// The interfaces that have a name.
pub(super) fn interfaces(answer: &[u8]) -> impl Iterator<Item = Interface<'_>> {
    messages(answer).filter_map(|message| {
        let all = attributes(message);
        let name = all.clone().find(NAME)?;
        let name = name.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
        let index = u32_at(all.clone().find(INDEX)?, 0)?;
        let frequency = all.find(FREQUENCY).and_then(|value| u32_at(value, 0));
        Some(Interface { index, name, frequency })
    })
}

/// The network that an interface belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network<'a> {
    pub(super) bssid: [u8; 6],
    pub(super) ssid: &'a [u8],
    pub(super) mode: &'static str,
}

/// Of all networks that an interface knows of, the one that it belongs to.
pub(super) fn network(answer: &[u8]) -> Option<Network<'_>> {
    const BSSID: u16 = 1;
    const ELEMENTS: u16 = 6;
    const STATUS: u16 = 9;
    messages(answer).find_map(|message| {
        let all = Attributes::new(attributes(message).find(BSS)?);
        let mode = match u32_at(all.clone().find(STATUS)?, 0)? {
            // Authenticated, associated.
            0 | 1 => "client",
            2 => "ad-hoc",
            _ => "unknown",
        };
        let bssid = *all.clone().find(BSSID)?.first_chunk()?;
        Some(Network { bssid, ssid: all.find(ELEMENTS).and_then(ssid).unwrap_or_default(), mode })
    })
}

/// The name of a network, among its information elements: number, length, value.
fn ssid(mut elements: &[u8]) -> Option<&[u8]> {
    while let [number, length, rest @ ..] = elements {
        let (value, next) = rest.split_at_checked(usize::from(*length))?;
        if *number == 0 {
            return Some(value);
        }
        elements = next;
    }
    None
}

/// A station that an interface speaks with.
#[derive(Clone, Debug)]
pub(super) struct Station<'a> {
    pub(super) mac: [u8; 6],
    pub(super) info: Info<'a>,
}

pub(super) fn stations(answer: &[u8]) -> impl Iterator<Item = Station<'_>> {
    messages(answer).filter_map(|message| {
        let all = attributes(message);
        let mac = *all.clone().find(MAC)?.first_chunk()?;
        Some(Station { mac, info: Info(Attributes::new(all.find(STATION_INFO)?)) })
    })
}

/// What is known of a station. Each is absent if the driver does not tell it.
#[derive(Clone, Debug)]
pub(super) struct Info<'a>(Attributes<'a>);

impl Info<'_> {
    pub(super) fn number(&self, kind: u16) -> Option<u64> {
        u32_at(self.0.clone().find(kind)?, 0).map(u64::from)
    }

    /// A number of 64 bits, or of 32 where the kernel is old.
    pub(super) fn long(&self, kind: u16, old: u16) -> Option<u64> {
        self.0.clone().find(kind).and_then(|value| u64_at(value, 0)).or_else(|| self.number(old))
    }

    /// A strength of reception, in dBm.
    pub(super) fn signal(&self) -> Option<i64> {
        const SIGNAL: u16 = 7;
        self.0.clone().find(SIGNAL)?.first().map(|value| i8::from_ne_bytes([*value]).into())
    }

    /// Bits per second.
    pub(super) fn rate(&self, kind: u16) -> Option<u64> {
        const RATE: u16 = 1;
        const LONG_RATE: u16 = 5;
        let rate = Attributes::new(self.0.clone().find(kind)?);
        let long = rate.clone().find(LONG_RATE).and_then(|value| u32_at(value, 0)).map(u64::from);
        let rate = long.or_else(|| u16_at(rate.find(RATE)?, 0).map(u64::from))?;
        // The kernel tells them in 100 kilobits.
        Some(rate * 100_000)
    }
}

/// The kinds of [`Info::number`] and its kin.
pub(super) mod kind {
    pub(in super::super) const INACTIVE_TIME: u16 = 1;
    pub(in super::super) const RX_BYTES: u16 = 2;
    pub(in super::super) const TX_BYTES: u16 = 3;
    pub(in super::super) const TX_BITRATE: u16 = 8;
    pub(in super::super) const RX_PACKETS: u16 = 9;
    pub(in super::super) const TX_PACKETS: u16 = 10;
    pub(in super::super) const TX_RETRIES: u16 = 11;
    pub(in super::super) const TX_FAILED: u16 = 12;
    pub(in super::super) const RX_BITRATE: u16 = 14;
    pub(in super::super) const CONNECTED_TIME: u16 = 16;
    pub(in super::super) const BEACON_LOSS: u16 = 18;
    pub(in super::super) const RX_BYTES64: u16 = 23;
    pub(in super::super) const TX_BYTES64: u16 = 24;
}

/// The messages of nl80211, without those that end an answer.
fn messages(answer: &[u8]) -> impl Iterator<Item = Message<'_>> {
    Messages::new(answer).filter(|message| message.kind > CONTROLLER)
}

/// What follows the head of generic netlink: command, version, two bytes of nothing.
fn attributes(message: Message<'_>) -> Attributes<'_> {
    Attributes::after(4, message.body)
}

#[cfg(test)]
pub(super) mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Attributes in one: number and value.
    pub(in super::super) fn nest(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in attributes {
            bytes.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    /// A message of nl80211.
    pub(in super::super) fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let body = [&[0; 4][..], &nest(attributes)].concat();
        let length = u32::try_from(body.len() + 16).unwrap();
        [&length.to_ne_bytes()[..], &28_u16.to_ne_bytes(), &[0; 10], &body].concat()
    }

    pub(in super::super) fn station() -> Vec<u8> {
        let rate = nest(&[(1, &u16::MAX.to_ne_bytes()), (5, &70_000_u32.to_ne_bytes())]);
        let info = nest(&[
            (kind::INACTIVE_TIME, &1500_u32.to_ne_bytes()),
            (kind::RX_BYTES, &7_u32.to_ne_bytes()),
            (kind::TX_BYTES, &8_u32.to_ne_bytes()),
            (7, &[200]),
            (kind::TX_BITRATE, &rate),
            (kind::RX_BITRATE, &nest(&[(1, &60_u16.to_ne_bytes())])),
            (kind::CONNECTED_TIME, &99_u32.to_ne_bytes()),
            (kind::RX_BYTES64, &(1_u64 << 40).to_ne_bytes()),
        ]);
        message(&[(MAC, &[2, 0, 0, 0, 0, 0xff]), (STATION_INFO, &info)])
    }

    #[test]
    fn interfaces_are_read() {
        let answer = [
            message(&[
                (INDEX, &3_u32.to_ne_bytes()),
                (NAME, b"wlan0\0"),
                (FREQUENCY, &5180_u32.to_ne_bytes()),
            ]),
            // A device for peers has no name.
            message(&[(INDEX, &4_u32.to_ne_bytes())]),
            message(&[(INDEX, &5_u32.to_ne_bytes()), (NAME, b"ap\0")]),
        ]
        .concat();
        let interface = |index, name, frequency| Interface { index, name, frequency };
        let expected = [interface(3, &b"wlan0"[..], Some(5180)), interface(5, b"ap", None)];
        assert!(interfaces(&answer).eq(expected));
    }

    #[test]
    fn the_own_network_is_found() {
        let elements = [1, 2, 9, 9, 0, 4, b'h', b'o', b'm', b'e', 3, 1, 1];
        let other = nest(&[(1, &[1; 6]), (6, &elements)]);
        let own = nest(&[(1, &[2; 6]), (6, &elements), (9, &1_u32.to_ne_bytes())]);
        let answer = [message(&[(BSS, &other)]), message(&[(BSS, &own)])].concat();
        assert_eq!(network(&answer), Some(Network { bssid: [2; 6], ssid: b"home", mode: "client" }));
        assert_eq!(network(&message(&[(BSS, &other)])), None);
        assert_eq!((ssid(&[1, 5, 0]), ssid(&[0, 0]), ssid(&[7])), (None, Some(&[][..]), None));
    }

    #[test]
    fn stations_are_read() {
        let answer = station();
        let station = stations(&answer).next().unwrap();
        assert_eq!(station.mac, [2, 0, 0, 0, 0, 0xff]);
        let info = station.info;
        assert_eq!(info.number(kind::INACTIVE_TIME), Some(1500));
        assert_eq!(info.number(kind::TX_FAILED), None);
        assert_eq!(info.long(kind::RX_BYTES64, kind::RX_BYTES), Some(1 << 40));
        assert_eq!(info.long(kind::TX_BYTES64, kind::TX_BYTES), Some(8));
        assert_eq!(info.signal(), Some(-56));
        assert_eq!(info.rate(kind::TX_BITRATE), Some(7_000_000_000));
        assert_eq!(info.rate(kind::RX_BITRATE), Some(6_000_000));
    }

    #[test]
    fn the_family_is_asked_for_by_its_name() {
        let request = ask_family();
        let message = Messages::new(request.as_ref()).next().unwrap();
        assert_eq!(attributes(message).find(FAMILY_NAME), Some(&b"nl80211\0"[..]));
        let answer = Request::new(CONTROLLER, 0, &[1, 2, 0, 0]).attribute(FAMILY_ID, &28_u16.to_ne_bytes());
        assert_eq!(family(answer.as_ref()), Some(28));
        assert_eq!(family(request.as_ref()), None);
    }

    /// An answer in which some bytes have been changed.
    pub(in super::super) fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let elements = [0, 4, b'h', b'o', b'm', b'e'];
        let own = nest(&[(1, &[2; 6]), (6, &elements), (9, &1_u32.to_ne_bytes())]);
        let interface = message(&[(INDEX, &3_u32.to_ne_bytes()), (NAME, b"wlan0\0")]);
        let whole = [station(), message(&[(BSS, &own)]), interface].concat();
        let changes = proptest::collection::vec((0..whole.len(), any::<u8>()), 0..8);
        (changes, 0..=whole.len()).prop_map(move |(changes, end)| {
            let mut bytes = whole.clone();
            changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
            bytes.truncate(end);
            bytes
        })
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(answer in prop_oneof![damaged(), proptest::collection::vec(any::<u8>(), 0..200)]) {
            let _ = (family(&answer), network(&answer), interfaces(&answer).count());
            for station in stations(&answer) {
                for kind in 0..30 {
                    let info = &station.info;
                    let _ = (info.number(kind), info.long(kind, kind), info.rate(kind), info.signal());
                }
            }
            let _ = ssid(&answer);
        }
    }
}
