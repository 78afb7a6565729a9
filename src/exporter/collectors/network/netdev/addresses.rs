//! The addresses of network devices. Source: `RTM_GETADDR`, rtnetlink(7).

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::netdevice::index_to_name_inlined;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::netlink::{Attributes, DUMP, Message, Messages, Peer, REQUEST, Request, u32_at};
use crate::exporter::engine::parse::{NO_DIGITS, decimal};
use crate::exporter::engine::patience::{Answer, Batch, Question};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::seen::Seen;
use crate::text::{Kind, Page};

/// Writes the family of addresses. It asks through `batch`, which it clears.
pub(super) fn write(
    machine: &Machine,
    batch: &mut Batch,
    seen: &mut Seen,
    page: &mut Page<'_>,
) -> Result<(), Problem> {
    batch.clear();
    seen.clear();
    let request = Request::new(RTM_GETADDR, REQUEST | DUMP, &[0; HEAD]);
    let question = batch.ask(Question::Netlink(Peer::Route), request);
    machine.patience.ask(batch, &|| page.is_expired());
    let answer = match batch.answer(question) {
        Answer::Text(answer) => answer,
        Answer::Failed(errno) => return Err(Problem::unreadable("addresses from rtnetlink", errno)),
        _ => return Err(Problem::Failed("rtnetlink did not answer in time")),
    };
    // Names are asked for by any socket.
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| Problem::unreadable("a socket", errno))?;
    let help = "An address of a network device; netmask is the length of its prefix. Always 1.";
    let mut family = page.family(Kind::Gauge, "node_network_address_info", help);
    for (index, address, prefix) in Messages::new(answer).filter_map(address_of) {
        let Ok(name) = index_to_name_inlined(&socket, index) else { continue };
        let mut text = Text::EMPTY;
        let mut digits = NO_DIGITS;
        let netmask = decimal(prefix.into(), &mut digits);
        let is_told = write!(text, "{address}").is_ok();
        let mut key = Text::EMPTY;
        let _ = write!(key, "{index} {address}/{netmask}");
        if is_told && seen.is_new(key.as_str().as_bytes()) {
            let labels = [
                ("device", name.as_str()),
                ("address", text.as_str()),
                ("netmask", netmask),
                ("scope", scope(address)),
            ];
            family.sample(&labels, 1_u32);
        }
    }
    Ok(())
}

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

/// `struct ifaddrmsg`: family, length of the prefix, flags, scope; the index of the device.
const HEAD: usize = 8;

const IFA_ADDRESS: u16 = 1;
/// The own end of a point-to-point link, where the address is the other one.
const IFA_LOCAL: u16 = 2;

/// The index of the device, the address, and the length of the prefix.
fn address_of(message: Message<'_>) -> Option<(u32, IpAddr, u8)> {
    if message.kind != RTM_NEWADDR {
        return None;
    }
    let (index, prefix) = (u32_at(message.body, 4)?, *message.body.get(1)?);
    let attributes = Attributes::after(HEAD, message.body);
    let bytes = attributes.clone().find(IFA_LOCAL).or_else(|| attributes.find(IFA_ADDRESS))?;
    let address = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
        16 => IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?)),
        _ => return None,
    };
    Some((index, address, prefix))
}

/// How far an address reaches, in the words of the node exporter, which takes the loopback for a link.
fn scope(address: IpAddr) -> &'static str {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_loopback() || is_link_local {
        "link-local"
    } else if address.is_unspecified() || address.is_multicast() || is_broadcast {
        ""
    } else {
        "global"
    }
}

/// A short text on the stack: an address, and numbers beside it.
struct Text {
    bytes: [u8; 96],
    length: usize,
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; 96], length: 0 };

    fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length);
        text.and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    fn message(head: &[u8; 8], attributes: &[(u16, &[u8])]) -> Request {
        let request = Request::new(RTM_NEWADDR, 2, head);
        attributes.iter().fold(request, |request, (kind, value)| request.attribute(*kind, value))
    }

    fn read(request: &Request) -> Option<(u32, IpAddr, u8)> {
        address_of(Messages::new(request.as_ref()).next()?)
    }

    #[test]
    fn addresses_are_read() {
        let index = 7_u32.to_ne_bytes();
        let head = [2, 24, 0, 0, index[0], index[1], index[2], index[3]];
        let near = [(IFA_ADDRESS, &[10, 0, 0, 9][..]), (IFA_LOCAL, &[10, 0, 0, 1])];
        assert_eq!(read(&message(&head, &near)), Some((7, IpAddr::from([10, 0, 0, 1]), 24)));
        let six = [(IFA_ADDRESS, &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..])];
        let (_, address, _) = read(&message(&head, &six)).unwrap();
        assert_eq!((std::format!("{address}").as_str(), scope(address)), ("fe80::1", "link-local"));
        assert_eq!(read(&message(&head, &[(IFA_ADDRESS, &[1, 2, 3])])), None);
        assert_eq!(read(&message(&head, &[])), None);
        assert_eq!(read(&Request::new(3, 2, &head)), None);
    }

    #[test]
    fn scopes_are_those_of_the_node_exporter() {
        for (address, expected) in [
            ("127.0.0.1", "link-local"),
            ("::1", "link-local"),
            ("169.254.3.4", "link-local"),
            ("192.0.2.1", "global"),
            ("fd00::2", "global"),
            ("0.0.0.0", ""),
            ("255.255.255.255", ""),
            ("ff02::1", ""),
        ] {
            assert_eq!(scope(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn this_machine_has_a_loopback() {
        let flags = [("collector.netdev.address-info", "true")];
        let outcome = Tree::new(&[("proc/net/dev", "lo: 1\n")]).run(&super::super::ENTRY, &flags);
        let expected = "node_network_address_info{device=\"lo\",address=\"127.0.0.1\",netmask=\"8\",scope=\"link-local\"} 1\n";
        assert!(outcome.samples().contains(expected), "{}", outcome.page);
    }

    proptest! {
        #[test]
        fn any_message_is_survived(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let request = Request::new(RTM_NEWADDR, 2, &body);
            let _ = read(&request).map(|(_, address, _)| scope(address));
        }
    }
}
