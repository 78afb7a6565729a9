//! What the kernel says of the network: devices, protocols, sockets.

mod arp;
mod bonding;
mod conntrack;
mod link;
mod netclass;
mod netdev;
mod netstat;
mod sockets;
mod sockstat;
mod softnet;
mod tcpstat;
mod udp_queues;
mod wifi;

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[
    &arp::ENTRY,
    &bonding::ENTRY,
    &conntrack::ENTRY,
    &netclass::ENTRY,
    &netdev::ENTRY,
    &netstat::ENTRY,
    &sockstat::ENTRY,
    &softnet::ENTRY,
    &tcpstat::ENTRY,
    &udp_queues::ENTRY,
    &wifi::ENTRY,
];
