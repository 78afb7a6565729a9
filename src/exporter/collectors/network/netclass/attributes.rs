//! What `netclass` shows of a device, and where it stands: in a file of sysfs, most of it in rtnetlink(7) too.

use crate::exporter::collectors::network::link::Number;
use crate::text::Kind;

/// An attribute that is a number.
pub(super) struct Attribute {
    pub(super) file: &'static str,
    /// Where rtnetlink tells it.
    pub(super) told: Number,
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

const fn gauge(file: &'static str, told: Number, name: &'static str, help: &'static str) -> Attribute {
    Attribute { file, told, kind: Kind::Gauge, name, help }
}

const fn counter(file: &'static str, told: Number, name: &'static str, help: &'static str) -> Attribute {
    Attribute { file, told, kind: Kind::Counter, name, help }
}

pub(super) static NUMBERS: [Attribute; 17] = [
    gauge(
        "addr_assign_type",
        Number::File,
        "node_network_address_assign_type",
        "How the hardware address was chosen.",
    ),
    gauge("carrier", Number::Carrier, "node_network_carrier", "Whether the device has a carrier."),
    counter(
        "carrier_changes",
        Number::Word(35),
        "node_network_carrier_changes_total",
        "How often the carrier came or went.",
    ),
    counter(
        "carrier_down_count",
        Number::Word(48),
        "node_network_carrier_down_changes_total",
        "How often the carrier went.",
    ),
    counter(
        "carrier_up_count",
        Number::Word(47),
        "node_network_carrier_up_changes_total",
        "How often the carrier came.",
    ),
    gauge(
        "dev_id",
        Number::File,
        "node_network_device_id",
        "The number of the device among those of one hardware address.",
    ),
    gauge(
        "dormant",
        Number::Dormant,
        "node_network_dormant",
        "Whether the device waits for something else, as for a login.",
    ),
    // Rtnetlink mixes in what the device does at the moment.
    gauge(FLAGS, Number::File, "node_network_flags", "The flags of the device, netdevice(7)."),
    gauge(INDEX, Number::Index, "node_network_iface_id", "The index of the device."),
    gauge(
        "iflink",
        Number::Below,
        "node_network_iface_link",
        "The index of the device below this one, or its own.",
    ),
    gauge(
        "link_mode",
        Number::Byte(17),
        "node_network_iface_link_mode",
        "Who says that the device is up: 0 the driver, 1 a program.",
    ),
    gauge("mtu", Number::Word(4), "node_network_mtu_bytes", "The largest packet that is sent, in bytes."),
    gauge("name_assign_type", Number::File, "node_network_name_assign_type", "How the name was chosen."),
    gauge("netdev_group", Number::Word(27), "node_network_net_dev_group", "The group of the device."),
    gauge(
        "type",
        Number::Type,
        "node_network_protocol_type",
        "What the device carries: the number of the hardware type.",
    ),
    gauge(SPEED, Number::File, "node_network_speed_bytes", "The speed of the link, in bytes per second."),
    gauge(
        "tx_queue_len",
        Number::Word(13),
        "node_network_transmit_queue_length",
        "How many packets wait to be sent at most.",
    ),
];

pub(super) const FLAGS: &str = "flags";
pub(super) const INDEX: &str = "ifindex";
pub(super) const SPEED: &str = "speed";

/// Attributes that are texts, as they are called in `node_network_info`. Of these only one is in a file alone.
pub(super) const TEXTS: [&str; 5] = ["address", "broadcast", "duplex", "operstate", "ifalias"];
pub(super) const DUPLEX: usize = 2;
pub(super) const OPERSTATE: usize = 3;

/// What there is to ask about one device: the numbers, then the texts.
pub(super) const QUESTIONS: usize = NUMBERS.len() + TEXTS.len();

/// Whether it is in a file alone.
pub(super) fn only_in_file(place: usize) -> bool {
    match NUMBERS.get(place) {
        Some(attribute) => matches!(attribute.told, Number::File),
        None => place == NUMBERS.len() + DUPLEX,
    }
}

/// How many are in files alone.
pub(super) const FILES: usize = 6;

/// Where one stands among those that are in files alone.
pub(super) fn among_files(place: usize) -> usize {
    (0..place).filter(|place| only_in_file(*place)).count()
}

/// Whether rtnetlink is compared with what stands at this place: the index, and the address.
pub(super) fn is_compared(place: usize) -> bool {
    NUMBERS.get(place).map_or(place == NUMBERS.len(), |attribute| attribute.file == INDEX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted() {
        assert_eq!(among_files(QUESTIONS), FILES);
        assert_eq!(among_files(0), 0);
    }
}
