//! `netstat`: the counters of the network protocols. Source: `/proc/net/netstat`, `/proc/net/snmp` and
//! `/proc/net/snmp6`, the kernel's `Documentation/networking/snmp_counter.rst`.

use std::boxed::Box;

use regex_lite::Regex;

use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::filter::regex;
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, lines, signed, split_once, unsigned};
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::seen::Seen;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Number, Page, copy};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.netstat", FlagKind::Switch, &["Counters of the network protocols."]),
    default: true,
    flags: &[&FIELDS],
    build: Build::By(|choices| {
        let fields = match choices.value(&FIELDS) {
            Some(pattern) => Fields::Matching(regex(&FIELDS, pattern)?),
            None => Fields::Default,
        };
        Ok(Box::new(Netstat { fields }))
    }),
};

static FIELDS: Flag = Flag::new(
    "collector.netstat.fields",
    FlagKind::Value("REGEX"),
    &["Only counters whose name, as Tcp_InSegs, matches. Default some forty that matter."],
);

struct Netstat {
    fields: Fields,
}

enum Fields {
    Default,
    Matching(Regex),
}

impl Source for Netstat {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let Scratch { file, seen, .. } = scratch;
        seen.clear();
        let mut result = Ok(());
        for path in ["net/netstat", "net/snmp", SNMP6] {
            match machine.procfs.held_short(path, file) {
                Ok(text) if path == SNMP6 => self.write_list(text, seen, page),
                Ok(text) => self.write_pairs(text, seen, page),
                // A kernel without IPv6.
                Err(problem) if path == SNMP6 && problem.is_no_data() => {}
                Err(problem) => result = result.and(Err(problem)),
            }
        }
        result
    }
}

const SNMP6: &str = "net/snmp6";

impl Netstat {
    /// A line with names, and one with the values: `Tcp: InSegs OutSegs`, `Tcp: 1 2`. One without its other is left
    /// out alone.
    fn write_pairs(&self, text: &[u8], seen: &mut Seen, page: &mut Page<'_>) {
        let mut before = None;
        for line in lines(text) {
            let Some((protocol, rest)) = split_once(line, b':') else { continue };
            match before.take() {
                Some((same, names)) if same == protocol => {
                    for (name, value) in fields(names).zip(fields(rest)) {
                        self.write(protocol, name, value, seen, page);
                    }
                }
                _ => before = Some((protocol, rest)),
            }
        }
    }

    /// A name and a value in each line: `Ip6InReceives 5`.
    fn write_list(&self, text: &[u8], seen: &mut Seen, page: &mut Page<'_>) {
        for line in lines(text) {
            let mut fields = fields(line);
            let (Some(name), Some(value)) = (fields.next(), fields.next()) else { continue };
            let Some(six) = name.iter().position(|byte| *byte == b'6') else { continue };
            let (protocol, name) = name.split_at(six + 1);
            self.write(protocol, name, value, seen, page);
        }
    }

    fn write(&self, protocol: &[u8], name: &[u8], value: &[u8], seen: &mut Seen, page: &mut Page<'_>) {
        // Most are not wanted by default, which is seen without putting the name together.
        if matches!(self.fields, Fields::Default) && !is_default(protocol, name) {
            return;
        }
        let mut room = [0; LONGEST];
        let Some(metric) = put_together(&[PREFIX, protocol, b"_", name], &mut room) else { return };
        if let Fields::Matching(pattern) = &self.fields {
            if !pattern.is_match(metric.get(PREFIX.len()..).unwrap_or_default()) {
                return;
            }
        }
        let value = unsigned(value).map(Number::from).or_else(|| signed(value).map(Number::from));
        if let Some(value) = value.filter(|_| seen.is_new(metric.as_bytes())) {
            page.family(Kind::Unknown, metric, HELP).sample(&[], value);
        }
    }
}

const HELP: &str = "A counter of a network protocol, under the kernel's name.";

const PREFIX: &[u8] = b"node_netstat_";

/// The longest name of a counter. The kernel's have 32 characters at most, and those of protocols 10.
const LONGEST: usize = 96;

/// A name that fits, and that a metric may have.
fn put_together<'a>(pieces: &[&[u8]], room: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    let mut length = 0;
    for piece in pieces {
        if !piece.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return None;
        }
        copy(piece, room.get_mut(length..length + piece.len())?);
        length += piece.len();
    }
    core::str::from_utf8(room.get(..length)?).ok()
}

/// The counters of a protocol that are shown by default, as the node exporter's pattern has them.
fn is_default(protocol: &[u8], name: &[u8]) -> bool {
    let listed: &[&[u8]] = match protocol {
        b"Ip" => &[b"Forwarding"],
        b"Ip6" | b"IpExt" => &[b"InOctets", b"OutOctets"],
        b"Icmp" | b"Icmp6" => &[b"InMsgs", b"OutMsgs"],
        b"Tcp" => &[
            b"ActiveOpens",
            b"InSegs",
            b"OutSegs",
            b"OutRsts",
            b"PassiveOpens",
            b"RetransSegs",
            b"CurrEstab",
        ],
        b"Udp" | b"Udp6" => &[b"InDatagrams", b"OutDatagrams", b"NoPorts", b"RcvbufErrors", b"SndbufErrors"],
        // By far the most.
        b"TcpExt" => match name.first() {
            Some(b'L') => return name.starts_with(b"Listen") || is_error(name),
            Some(b'S') => return name.starts_with(b"Syncookies") || is_error(name),
            Some(b'T') => &[b"TCPSynRetrans", b"TCPTimeouts", b"TCPOFOQueue", b"TCPRcvQDrop"],
            _ => &[],
        },
        _ => &[],
    };
    listed.contains(&name) || is_error(name)
}

fn is_error(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"ors").or_else(|| name.strip_suffix(b"s"));
    let before = name.and_then(|name| name.strip_suffix(b"InErr"));
    before.is_some_and(|before| matches!(before, [] | [.., b'_']))
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::choices::Choices;
    use crate::exporter::engine::testing::Tree;

    const NETSTAT: &str = "\
TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows TCPTimeouts TCPOFOQueue TW
TcpExt: 1 2 3 4 5 6
IpExt: InNoRoutes InOctets OutOctets
IpExt: 7 18446744073709551615 9
";
    const SNMP: &str = "\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm MaxConn ActiveOpens InErrs CurrEstab
Tcp: 1 -1 10 11 12
Udp: InDatagrams InErrors MemErrors
Udp: 13 14 15
UdpLite: InDatagrams InErrors
UdpLite: 16 17
";
    const SNMP6: &str = "\
Ip6InReceives                   \t20
Ip6InOctets                     \t21
Icmp6InMsgs                     \t22
Icmp6OutType143                 \t23
Udp6RcvbufErrors                \t24
UdpLite6InErrors                \t25
";

    fn tree() -> Tree {
        Tree::new(&[("proc/net/netstat", NETSTAT), ("proc/net/snmp", SNMP), ("proc/net/snmp6", SNMP6)])
    }

    #[test]
    fn counters_that_matter_are_shown() {
        let outcome = tree().run(&ENTRY, &[]);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            outcome.samples().replace("node_netstat_", ""),
            "TcpExt_SyncookiesSent 1\nTcpExt_SyncookiesRecv 2\nTcpExt_ListenOverflows 3\nTcpExt_TCPTimeouts 4\n\
             TcpExt_TCPOFOQueue 5\nIpExt_InOctets 18446744073709551615\nIpExt_OutOctets 9\nIp_Forwarding 1\n\
             Tcp_ActiveOpens 10\nTcp_InErrs 11\nTcp_CurrEstab 12\nUdp_InDatagrams 13\nUdp_InErrors 14\n\
             UdpLite_InErrors 17\nIp6_InOctets 21\nIcmp6_InMsgs 22\nUdp6_RcvbufErrors 24\nUdpLite6_InErrors 25\n"
        );
        assert!(outcome.page.contains("# TYPE node_netstat_Tcp_ActiveOpens untyped\n"));
    }

    #[test]
    fn others_are_shown_if_wanted() {
        let samples = tree().run(&ENTRY, &[("collector.netstat.fields", "^Tcp_M|Type")]).samples();
        assert_eq!(samples, "node_netstat_Tcp_MaxConn -1\nnode_netstat_Icmp6_OutType143 23\n");
        assert!(ENTRY.source(&Choices::of(&[("collector.netstat.fields", "[")])).is_err());
    }

    #[test]
    fn a_kernel_without_ipv6_or_without_network() {
        let outcome = Tree::new(&[("proc/net/netstat", NETSTAT), ("proc/net/snmp", SNMP)]).run(&ENTRY, &[]);
        assert_eq!((outcome.result, outcome.samples().lines().count()), (Ok(()), 14));
        let outcome = Tree::new(&[("proc/net/netstat", NETSTAT)]).run(&ENTRY, &[]);
        assert!(outcome.result.unwrap_err().is_no_data());
        let outcome = Tree::new(&[("proc/net/snmp", SNMP), ("proc/net/snmp6", SNMP6)]).run(&ENTRY, &[]);
        assert!(outcome.result.unwrap_err().is_no_data());
        assert_eq!(outcome.samples().lines().count(), 7 + 4);
    }

    #[test]
    fn a_bad_line_does_not_part_the_others() {
        let text = "Tcp: 1\nIp: Forwarding\nIp: 2\nIp: 3\nbad\nTcp: InErrs\n\nTcp: 4\nUdp: NoPorts\nIcmp: InMsgs\nIcmp: 5\n";
        let samples =
            Tree::new(&[("proc/net/netstat", text), ("proc/net/snmp", "")]).run(&ENTRY, &[]).samples();
        let expected = "Ip_Forwarding 2\nTcp_InErrs 4\nIcmp_InMsgs 5\n";
        assert_eq!(samples.replace("node_netstat_", ""), expected);
    }

    #[test]
    fn what_is_no_counter_is_left_out() {
        let text = "Udp: NoPorts InErrors InErrors\nUdp: x 5 6\nTcp: InSegs\nUdp: 9\n\u{fffd}: InErrors\n\u{fffd}: 1\nx\n";
        let files = [("proc/net/netstat", text), ("proc/net/snmp", "Udp: InErrors\nUdp: 7\n")];
        assert_eq!(Tree::new(&files).run(&ENTRY, &[]).samples(), "node_netstat_Udp_InErrors 5\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[a6: 0-9\n]{0,200}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let tree = Tree::new(&[]);
                for file in ["netstat", "snmp", "snmp6"] {
                    tree.write(&format!("proc/net/{file}"), bytes);
                }
                let outcome = tree.run(&ENTRY, &[("collector.netstat.fields", ".")]);
                outcome.assert_sound();
            }
        }

        #[test]
        fn the_default_is_the_pattern_of_the_node_exporter(
            protocol in "(Ip|Ip6|IpExt|Icmp|Icmp6|Tcp|TcpExt|Udp|Udp6|UdpLite|UdpLite6|[A-Z][a-z_]{0,3})?",
            name in "(In|Out)?(Octets|Msgs|Segs|Rsts|Errors|Errs|Datagrams)?|Listen[A-Z]{0,2}|Syncookies[a-z]?|Forwarding|\
                     TCP(SynRetrans|Timeouts|OFOQueue|RcvQDrop)|(Active|Passive)Opens|RetransSegs|CurrEstab|NoPorts|\
                     (Rcv|Snd)bufErrors",
            more in "[_a]?",
        ) {
            let pattern = Regex::new(
                "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|\
                 TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|\
                 Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|\
                 Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
            ).unwrap();
            for (protocol, name) in [
                (protocol.clone(), format!("{name}{more}")),
                (format!("{protocol}{more}"), name.clone()),
                (protocol.clone(), format!("{more}{name}")),
                (protocol.clone(), format!("a{more}{name}")),
            ] {
                let found = is_default(protocol.as_bytes(), name.as_bytes());
                prop_assert_eq!(found, pattern.is_match(&format!("{protocol}_{name}")), "{} {}", protocol, name);
            }
        }
    }
}
