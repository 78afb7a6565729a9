//! The counters of a network device, and what they are called. Source: proc_pid_net(5) for the columns of
//! `/proc/net/dev`, the kernel's `Documentation/ABI/testing/sysfs-class-net-statistics` for the files.

/// A counter.
pub(super) struct Column {
    /// Its file below `statistics`; empty for a column of `/proc/net/dev`.
    pub(super) file: &'static str,
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

/// What `/proc/net/dev` does not have.
pub(super) const NO_HANDLER: &str = "rx_nohandler";

const fn column(name: &'static str, help: &'static str) -> Column {
    Column { file: "", name, help }
}

const fn detail(file: &'static str, name: &'static str, help: &'static str) -> Column {
    Column { file, name, help }
}

const BYTES_IN: &str = "Bytes received.";
const PACKETS_IN: &str = "Packets received.";
const BYTES_OUT: &str = "Bytes sent.";
const PACKETS_OUT: &str = "Packets sent.";
const ERRORS_IN: &str = "Bad packets received.";
const ERRORS_OUT: &str = "Packets that could not be sent.";
const COMPRESSED_IN: &str = "Compressed packets received.";
const COMPRESSED_OUT: &str = "Compressed packets sent.";
const MULTICAST: &str = "Multicast packets received.";
const COLLISIONS: &str = "Collisions while sending.";
const FIFO_IN: &str = "Packets lost because a buffer of the device was full.";
const FIFO_OUT: &str = "Packets not sent because a buffer of the device ran empty.";
const UNHANDLED: &str = "Packets received by an inactive device of a bond or the like, and dropped.";

/// The columns of `/proc/net/dev` in their order, and one more.
pub(super) static COLUMNS: [Column; 17] = [
    column("node_network_receive_bytes_total", BYTES_IN),
    column("node_network_receive_packets_total", PACKETS_IN),
    column("node_network_receive_errs_total", ERRORS_IN),
    column("node_network_receive_drop_total", "Packets received and dropped for want of room, or missed."),
    column("node_network_receive_fifo_total", FIFO_IN),
    column("node_network_receive_frame_total", "Packets received with a wrong length, checksum or framing."),
    column("node_network_receive_compressed_total", COMPRESSED_IN),
    column("node_network_receive_multicast_total", MULTICAST),
    column("node_network_transmit_bytes_total", BYTES_OUT),
    column("node_network_transmit_packets_total", PACKETS_OUT),
    column("node_network_transmit_errs_total", ERRORS_OUT),
    column("node_network_transmit_drop_total", "Packets dropped instead of sent."),
    column("node_network_transmit_fifo_total", FIFO_OUT),
    column("node_network_transmit_colls_total", COLLISIONS),
    column(
        "node_network_transmit_carrier_total",
        "Packets not sent for want of a carrier, a heartbeat or time.",
    ),
    column("node_network_transmit_compressed_total", COMPRESSED_OUT),
    detail(NO_HANDLER, "node_network_receive_nohandler_total", UNHANDLED),
];

/// Every counter by itself.
pub(super) static DETAILS: [Column; 24] = [
    detail("collisions", "node_network_collisions_total", COLLISIONS),
    detail("multicast", "node_network_multicast_total", MULTICAST),
    detail("rx_bytes", "node_network_receive_bytes_total", BYTES_IN),
    detail("rx_compressed", "node_network_receive_compressed_total", COMPRESSED_IN),
    detail(
        "rx_crc_errors",
        "node_network_receive_crc_errors_total",
        "Packets received with a wrong checksum.",
    ),
    detail(
        "rx_dropped",
        "node_network_receive_dropped_total",
        "Packets received and dropped for want of room.",
    ),
    detail("rx_errors", "node_network_receive_errors_total", ERRORS_IN),
    detail("rx_fifo_errors", "node_network_receive_fifo_errors_total", FIFO_IN),
    detail(
        "rx_frame_errors",
        "node_network_receive_frame_errors_total",
        "Packets received with wrong framing.",
    ),
    detail(
        "rx_length_errors",
        "node_network_receive_length_errors_total",
        "Packets received with a wrong length.",
    ),
    detail(
        "rx_missed_errors",
        "node_network_receive_missed_errors_total",
        "Packets that the host did not take.",
    ),
    detail(NO_HANDLER, "node_network_receive_nohandler_total", UNHANDLED),
    detail("rx_over_errors", "node_network_receive_over_errors_total", "Packets too long for the buffer."),
    detail("rx_packets", "node_network_receive_packets_total", PACKETS_IN),
    detail(
        "tx_aborted_errors",
        "node_network_transmit_aborted_errors_total",
        "Packets given up while sending.",
    ),
    detail("tx_bytes", "node_network_transmit_bytes_total", BYTES_OUT),
    detail(
        "tx_carrier_errors",
        "node_network_transmit_carrier_errors_total",
        "Packets not sent for want of a carrier.",
    ),
    detail("tx_compressed", "node_network_transmit_compressed_total", COMPRESSED_OUT),
    detail("tx_dropped", "node_network_transmit_dropped_total", "Packets dropped instead of sent."),
    detail("tx_errors", "node_network_transmit_errors_total", ERRORS_OUT),
    detail("tx_fifo_errors", "node_network_transmit_fifo_errors_total", FIFO_OUT),
    detail(
        "tx_heartbeat_errors",
        "node_network_transmit_heartbeat_errors_total",
        "Packets sent without heartbeat.",
    ),
    detail("tx_packets", "node_network_transmit_packets_total", PACKETS_OUT),
    detail(
        "tx_window_errors",
        "node_network_transmit_window_errors_total",
        "Packets sent too late: collisions.",
    ),
];
