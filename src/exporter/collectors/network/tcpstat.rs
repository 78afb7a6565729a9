//! `tcpstat`: TCP connections by their states. Source: `/proc/net/tcp` and `/proc/net/tcp6`, proc_pid_net(5), the
//! kernel's `Documentation/networking/proc_net_tcp.rst`.
//!
//! The tables are read, not `inet_diag`: they hold the same sockets, and reading them does not load a kernel module.

use super::sockets::each;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.tcpstat", FlagKind::Switch, &["TCP connections by their states."]),
    default: false,
    flags: &[],
    build: Build::Ready(&Tcpstat),
};

struct Tcpstat;

/// The states by their numbers, which count from 1.
const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

impl Source for Tcpstat {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut counts = [0_u64; STATES.len()];
        let (mut sent, mut received) = (0_u64, 0_u64);
        let (mut tables, mut missing) = (0, Ok(()));
        for path in ["net/tcp", "net/tcp6"] {
            let result = each(machine, path, &mut scratch.file, page, |socket| {
                let Some(place) = usize::try_from(socket.state).ok().and_then(|state| state.checked_sub(1))
                else {
                    return;
                };
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
                // Those of listening sockets hold connections, not bytes; the node exporter adds them all the same.
                sent = sent.saturating_add(socket.sent);
                received = received.saturating_add(socket.received);
            });
            match result {
                Ok(()) => tables += 1,
                Err(problem) if problem.is_no_data() => missing = Err(problem),
                Err(problem) => return Err(problem),
            }
        }
        if tables == 0 {
            return missing;
        }
        let help = "TCP connections in a state; rx_queued_bytes and tx_queued_bytes: what they wait to have read and sent.";
        let mut family = page.family(Kind::Gauge, "node_tcp_connection_states", help);
        let queues = [("rx_queued_bytes", received), ("tx_queued_bytes", sent)];
        for (state, number) in STATES.into_iter().zip(counts).chain(queues) {
            family.sample(&[("state", state)], number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sockets::tests::TCP;
    use super::*;
    use crate::exporter::engine::testing::Tree;

    #[test]
    fn connections_are_counted() {
        let outcome = Tree::new(&[("proc/net/tcp", TCP), ("proc/net/tcp6", TCP)]).run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples().replace("node_tcp_connection_states", ""),
            "{state=\"established\"} 2\n{state=\"syn_sent\"} 0\n{state=\"syn_recv\"} 0\n{state=\"fin_wait1\"} 0\n\
             {state=\"fin_wait2\"} 0\n{state=\"time_wait\"} 2\n{state=\"close\"} 0\n{state=\"close_wait\"} 0\n\
             {state=\"last_ack\"} 0\n{state=\"listen\"} 2\n{state=\"closing\"} 0\n\
             {state=\"rx_queued_bytes\"} 74\n{state=\"tx_queued_bytes\"} 32\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn one_version_of_ip_is_enough() {
        let outcome = Tree::new(&[("proc/net/tcp6", TCP)]).run(&ENTRY, &[]);
        assert!(outcome.result.is_ok() && outcome.samples().contains("{state=\"established\"} 1\n"));
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert!(outcome.result.unwrap_err().is_no_data() && outcome.page.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_socket_is_survived(state in any::<u64>(), sent in any::<u64>(), few in 0_u64..14) {
            let line = |state| std::format!("0: 0:0 0:0 {state:02X} {sent:x}:{sent:x}\n");
            let text = [line(state), line(few)].concat().repeat(3);
            let outcome = Tree::new(&[("proc/net/tcp", &text)]).run(&ENTRY, &[]);
            outcome.assert_sound();
            prop_assert!(outcome.result.is_ok());
        }
    }
}
