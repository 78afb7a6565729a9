//! What the kernel tells of all network devices in one answer, where sysfs has a file for each device and attribute.
//!
//! Source: `RTM_GETLINK`, rtnetlink(7), and the kernel's `include/uapi/linux/if_link.h`. The values are those that its
//! `net/core/net-sysfs.c` shows.

use crate::exporter::engine::names::Names;
use crate::exporter::engine::netlink::{
    Attributes, DUMP, Messages, REQUEST, Request, u16_at, u32_at, u64_at,
};

/// Asks for all devices.
pub(super) fn request() -> Request {
    Request::new(RTM_GETLINK, REQUEST | DUMP, &[0; HEAD])
}

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;

/// `struct ifinfomsg`: family, type, index, flags, and which of these matter.
const HEAD: usize = 16;
const TYPE: usize = 2;
const INDEX: usize = 4;
const IFF: usize = 8;

const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 1 << 3;
const IFF_DORMANT: u32 = 1 << 17;

pub(super) const ADDRESS: u16 = 1;
pub(super) const BROADCAST: u16 = 2;
const NAME: u16 = 3;
const LINK: u16 = 5;
const OPERSTATE: u16 = 16;
const ALIAS: u16 = 20;
const STATS64: u16 = 23;
const CARRIER: u16 = 33;

/// Where `struct rtnl_link_stats64` has the packets that nobody took, since Linux 4.6.
const NO_HANDLER: usize = 23 * 8;

/// Where a number stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// In a file alone.
    File,
    Index,
    Type,
    /// In an attribute of 32 or of 8 bits.
    Word(u16),
    Byte(u16),
    /// The device below this one: only told if there is one.
    Below,
    /// What only a device has that is up; the file cannot be read before.
    Carrier,
    Dormant,
}

/// One device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a>(&'a [u8]);

impl<'a> Link<'a> {
    /// The devices of an answer.
    pub(super) fn all(answer: &'a [u8]) -> impl Iterator<Item = Self> + Clone {
        let links = Messages::new(answer).filter(|message| message.kind == RTM_NEWLINK);
        links.map(|message| Self(message.body)).filter(|link| link.0.len() >= HEAD)
    }

    /// Finds the devices in an answer: for each of the sorted names where in the answer it is told of, for
    /// [`Link::at`].
    pub(super) fn find_all(answer: &[u8], names: &Names, mut found: impl FnMut(usize, u64)) {
        for link in Link::all(answer) {
            if let Some(name) = names.find(link.name()) {
                let begin = link.0.as_ptr().addr() - answer.as_ptr().addr();
                found(name, (begin as u64) << 32 | link.0.len() as u64);
            }
        }
    }

    pub(super) fn at(answer: &'a [u8], place: u64) -> Option<Self> {
        let (begin, length) = ((place >> 32) as usize, place as u32 as usize);
        answer.get(begin..)?.get(..length).filter(|body| body.len() >= HEAD).map(Self)
    }

    pub(super) fn number(self, number: Number) -> Option<i64> {
        let is_up = self.is_up();
        Some(match number {
            Number::File => return None,
            Number::Type => u16_at(self.0, TYPE)?.into(),
            Number::Index => self.word(INDEX)?.into(),
            Number::Word(kind) => u32_at(self.attribute(kind)?, 0)?.into(),
            Number::Below => self.number(Number::Word(LINK)).or_else(|| self.number(Number::Index))?,
            Number::Byte(kind) => (*self.attribute(kind)?.first()?).into(),
            Number::Carrier if is_up => self.number(Number::Byte(CARRIER))?,
            Number::Dormant if is_up => (self.word(IFF)? & IFF_DORMANT != 0).into(),
            Number::Carrier | Number::Dormant => return None,
        })
    }

    /// A hardware address, with a colon between its bytes.
    pub(super) fn address(self, kind: u16, room: &mut Room) -> &[u8] {
        let bytes = self.attribute(kind).unwrap_or_default();
        let mut length = 0;
        for (place, byte) in room.chunks_exact_mut(3).zip(bytes) {
            let digit = |value: u8| b"0123456789abcdef".get(usize::from(value)).copied().unwrap_or(0);
            place.copy_from_slice(&[digit(byte >> 4), digit(byte & 15), b':']);
            length += 3;
        }
        room.get(..usize::saturating_sub(length, 1)).unwrap_or_default()
    }

    /// RFC 2863's `ifOperStatus` in the kernel's words.
    pub(super) fn state(self) -> &'static [u8] {
        const STATES: [&[u8]; 7] =
            [b"unknown", b"notpresent", b"down", b"lowerlayerdown", b"testing", b"dormant", b"up"];
        let state = self.number(Number::Byte(OPERSTATE)).and_then(|state| usize::try_from(state).ok());
        state.and_then(|state| STATES.get(state)).copied().unwrap_or_default()
    }

    /// Whether somebody has set it up.
    pub(super) fn is_up(self) -> bool {
        self.word(IFF).is_some_and(|flags| flags & IFF_UP != 0)
    }

    pub(super) fn is_loopback(self) -> bool {
        self.word(IFF).is_some_and(|flags| flags & IFF_LOOPBACK != 0)
    }

    pub(super) fn name(self) -> &'a [u8] {
        until_nul(self.attribute(NAME).unwrap_or_default())
    }

    /// Received packets that nobody took.
    pub(super) fn unhandled(self) -> Option<u64> {
        u64_at(self.attribute(STATS64)?, NO_HANDLER)
    }

    /// Type, index and flags.
    pub(super) fn head(self) -> &'a [u8] {
        self.0.get(..IFF + 4).unwrap_or_default()
    }

    /// What somebody else calls the device.
    pub(super) fn alias(self) -> &'a [u8] {
        until_nul(self.attribute(ALIAS).unwrap_or_default())
    }

    fn word(self, at: usize) -> Option<u32> {
        u32_at(self.0, at)
    }

    pub(super) fn attribute(self, kind: u16) -> Option<&'a [u8]> {
        Attributes::after(HEAD, self.0).find(kind)
    }
}

/// Room for the text of an address. The longest has 32 bytes (`MAX_ADDR_LEN`).
pub(super) type Room = [u8; 32 * 3];

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The name, the flags, and what else is told.
    type Told<'a> = (&'a [u8], u32, &'a [(u16, &'a [u8])]);

    /// An answer as the kernel gives it.
    pub(in super::super) fn answer(links: &[Told<'_>]) -> Vec<u8> {
        let mut answer = Vec::new();
        for (name, flags, attributes) in links {
            let mut head = [0; HEAD];
            head[TYPE..TYPE + 2].copy_from_slice(&1_u16.to_ne_bytes());
            head[INDEX..INDEX + 4].copy_from_slice(&7_u32.to_ne_bytes());
            head[IFF..IFF + 4].copy_from_slice(&flags.to_ne_bytes());
            let mut message = Request::new(RTM_NEWLINK, 2, &head).attribute(NAME, name).as_ref().to_vec();
            for (kind, value) in *attributes {
                message.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
                message.extend_from_slice(&kind.to_ne_bytes());
                message.extend_from_slice(value);
                message.resize(message.len().next_multiple_of(4), 0);
            }
            let length = message.len() as u32;
            message[..4].copy_from_slice(&length.to_ne_bytes());
            answer.extend(message);
        }
        answer
    }

    /// Counters of traffic, of which this one is that of packets nobody took.
    pub(in super::super) fn unhandled(count: u64) -> Vec<u8> {
        let mut counters = std::vec![0; NO_HANDLER];
        counters.extend(count.to_ne_bytes());
        counters.extend([0; 8]);
        counters
    }

    /// Where each of these names, in their order, is told of.
    fn places(answer: &[u8], all: &[&[u8]]) -> Vec<u64> {
        let mut names = Names::default();
        all.iter().for_each(|name| names.push(name));
        names.sort();
        let mut places = std::vec![0; all.len()];
        Link::find_all(answer, &names, |name, place| places[name] = place);
        places
    }

    #[test]
    fn each_device_is_found_by_its_name() {
        let answer = answer(&[
            (b"eth10\0", 0, &[(4, &9000_u32.to_ne_bytes())]),
            (b"not-listed\0", 0, &[]),
            (b"eth2\0", IFF_UP, &[(4, &1500_u32.to_ne_bytes())]),
        ]);
        let places = places(&answer, &[b"eth2", b"bonding_masters", b"eth10"]);
        let mtu = |place: &u64| Link::at(&answer, *place)?.number(Number::Word(4));
        assert_eq!(places.iter().map(mtu).collect::<Vec<_>>(), [None, Some(1500), Some(9000)]);
    }

    #[test]
    fn values_read_as_in_the_files() {
        let up = IFF_UP | IFF_DORMANT;
        let parts: &[(u16, &[u8])] =
            &[(ADDRESS, &[0, 0x1a, 0xff]), (OPERSTATE, &[6]), (CARRIER, &[1]), (ALIAS, b"the uplink\0")];
        let answer = answer(&[(b"a\0", up, parts), (b"b\0", 0, &[(CARRIER, &[1]), (LINK, &[0; 4])])]);
        let places = places(&answer, &[b"a", b"b"]);
        let [a, b] = [0, 1].map(|at| Link::at(&answer, places[at]).unwrap());
        assert_eq!(a.address(ADDRESS, &mut [0; 96]), b"00:1a:ff");
        assert_eq!(b.address(ADDRESS, &mut [0; 96]), b"");
        assert_eq!((a.state(), b.state()), (&b"up"[..], &b""[..]));
        assert_eq!((a.name(), b.name()), (&b"a"[..], &b"b"[..]));
        assert_eq!((a.alias(), b.alias()), (&b"the uplink"[..], &b""[..]));
        let both = |number| (a.number(number), b.number(number));
        assert_eq!(both(Number::Carrier), (Some(1), None));
        assert_eq!(both(Number::Dormant), (Some(1), None));
        assert_eq!(both(Number::Below), (Some(7), Some(0)));
        assert_eq!((both(Number::Type), both(Number::File)), ((Some(1), Some(1)), (None, None)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, place: u64, kind: u16) {
            let places = places(&bytes, &[b"a"]);
            for place in [place, places[0], bytes.len() as u64] {
                let Some(link) = Link::at(&bytes, place) else { continue };
                for number in [Number::Word(kind), Number::Byte(kind), Number::Below, Number::Carrier, Number::Dormant] {
                    let _ = link.number(number);
                }
                let _ = (link.address(kind, &mut [0; 96]), link.state(), link.alias(), link.name(), link.unhandled(), link.head());
            }
        }
    }
}
