//! `udp_queues`: what waits in UDP sockets. Source: `/proc/net/udp` and `/proc/net/udp6`, proc_pid_net(5).

use super::sockets::each;
use crate::exporter::cli::flags::{Flag, Kind as FlagKind};
use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::problem::Problem;
use crate::exporter::engine::scratch::Scratch;
use crate::exporter::engine::source::{Build, Entry, Source};
use crate::text::{Kind, Page};

pub(super) static ENTRY: Entry = Entry {
    switch: Flag::new("collector.udp_queues", FlagKind::Switch, &["What waits in UDP sockets."]),
    default: true,
    flags: &[],
    build: Build::Ready(&UdpQueues),
};

struct UdpQueues;

impl Source for UdpQueues {
    fn collect(&self, machine: &Machine, scratch: &mut Scratch, page: &mut Page<'_>) -> Result<(), Problem> {
        let mut queues = [None; 2];
        let mut missing = Ok(());
        for (sums, path) in queues.iter_mut().zip(["net/udp", "net/udp6"]) {
            let (mut sent, mut received) = (0_u64, 0_u64);
            let result = each(machine, path, &mut scratch.file, page, |socket| {
                sent = sent.saturating_add(socket.sent);
                received = received.saturating_add(socket.received);
            });
            match result {
                Ok(()) => *sums = Some([("rx", received), ("tx", sent)]),
                // A kernel without this version of IP.
                Err(problem) if problem.is_no_data() => missing = Err(problem),
                Err(problem) => return Err(problem),
            }
        }
        if queues == [None; 2] {
            return missing;
        }
        let help = "Bytes that wait to be read (rx) and sent (tx) in all UDP sockets.";
        let mut family = page.family(Kind::Gauge, "node_udp_queues", help);
        for (sums, version) in queues.into_iter().zip(["v4", "v6"]) {
            for (queue, sum) in sums.into_iter().flatten() {
                family.sample(&[("queue", queue), ("ip", version)], sum);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::testing::Tree;

    const UDP: &str = "  \
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   98: 00000000:0044 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 1 2 0000000000000000 0
  101: 00000000:0045 00000000:0000 07 00000010:00000001 00:00000000 00000000     0        0 2 2 0000000000000000 0
";

    #[test]
    fn queues_are_added_up() {
        let outcome = Tree::new(&[("proc/net/udp", UDP), ("proc/net/udp6", "header\n")]).run(&ENTRY, &[]);
        assert_eq!(
            outcome.samples().replace("node_udp_queues", ""),
            "{queue=\"rx\",ip=\"v4\"} 769\n{queue=\"tx\",ip=\"v4\"} 16\n{queue=\"rx\",ip=\"v6\"} 0\n{queue=\"tx\",ip=\"v6\"} 0\n"
        );
        assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn a_missing_version_is_left_out() {
        let outcome = Tree::new(&[("proc/net/udp", UDP)]).run(&ENTRY, &[]);
        assert!(outcome.result.is_ok() && !outcome.samples().contains("v6"));
        let outcome = Tree::new(&[]).run(&ENTRY, &[]);
        assert!(outcome.result.unwrap_err().is_no_data() && outcome.page.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let tree = Tree::new(&[]);
            tree.write("proc/net/udp", [UDP.as_bytes(), &bytes].concat());
            let outcome = tree.run(&ENTRY, &[]);
            outcome.assert_sound();
            prop_assert!(outcome.result.is_ok());
        }
    }
}
