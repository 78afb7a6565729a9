//! Tables of sockets, a line for each: `/proc/net/tcp` and its kin, proc_pid_net(5). They may be far longer than the
//! buffers, so they are read piece by piece.

use rustix::io::Errno;
use rustix::param::page_size;

use crate::exporter::engine::machine::Machine;
use crate::exporter::engine::parse::{fields, hexadecimal, split_once};
use crate::exporter::engine::problem::Problem;
use crate::resident::Bytes;
use crate::text::Page;

/// A socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) state: u64,
    /// Bytes that wait to be sent, and to be read.
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// Reads a table. A line that is no socket is passed over.
pub(super) fn each(
    machine: &Machine,
    path: &'static str,
    buffer: &mut Bytes,
    page: &Page<'_>,
    mut take: impl FnMut(Socket),
) -> Result<(), Problem> {
    let unreadable = |errno| Problem::unreadable(path, errno);
    let mut file = machine.procfs.held(path).map_err(unreadable)?;
    buffer.clear();
    buffer.reserve(BUFFER);
    let buffer = buffer.spare().get_mut(..BUFFER).unwrap_or_default();
    let mut held = 0;
    for _ in 0..MOST_READS {
        if page.is_expired() {
            return Err(Problem::Failed("the time for this scrape is over"));
        }
        let room = buffer.get_mut(held..).unwrap_or_default();
        let full = room.len().min(page_size());
        let length = file.read(room).map_err(unreadable)?;
        // The kernel fills a page, but for less than a line, as long as there is more. One read less matters: to find
        // out that there is no more it would look through its whole table again.
        let is_last = length < full / 2;
        let text = buffer.get(..held + length).unwrap_or_default();
        let newline = || text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let whole = if is_last { text.len() } else { newline() };
        let lines = text.get(..whole).unwrap_or_default();
        lines.split(|byte| *byte == b'\n').filter_map(socket).for_each(&mut take);
        if is_last {
            return Ok(());
        }
        held = text.len() - whole;
        buffer.copy_within(whole..whole + held, 0);
        if held == BUFFER {
            // No line is that long.
            held = 0;
        }
    }
    Err(unreadable(Errno::FBIG))
}

/// Room for a few pages: the kernel gives one at a time.
const BUFFER: usize = 16 << 10;

/// One read gives some 27 sockets: this is for four millions.
const MOST_READS: usize = 150_000;

/// `   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 …`
fn socket(line: &[u8]) -> Option<Socket> {
    let mut fields = fields(line).skip(3);
    let state = hexadecimal(fields.next()?)?;
    let (sent, received) = split_once(fields.next()?, b':')?;
    Some(Socket { state, sent: hexadecimal(sent)?, received: hexadecimal(received)? })
}

#[cfg(test)]
pub(super) mod tests {
    use std::vec::Vec;

    use std::net::UdpSocket;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::exporter::engine::machine::Paths;
    use crate::exporter::engine::testing::{Tree, page_of};

    pub(in super::super) const TCP: &str = "  \
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1234 0100007F:0016 01 00000010:00000020 01:00000014 00000000     0        0 2 4 0000000000000000 20 4 30 10 -1
   2: 0100007F:1235 0100007F:0016 06 00000000:00000000 03:000003F2 00000000     0        0 0 3 0000000000000000
";

    fn read_all(text: impl AsRef<[u8]>) -> Vec<Socket> {
        let tree = Tree::new(&[]);
        tree.write("proc/net/tcp", text);
        let mut sockets = Vec::new();
        page_of(|page| {
            each(&tree.machine(), "net/tcp", &mut Bytes::default(), page, |socket| sockets.push(socket))
                .unwrap();
        });
        sockets
    }

    #[test]
    fn sockets_are_read() {
        let socket = |state, sent, received| Socket { state, sent, received };
        assert_eq!(read_all(TCP), [socket(10, 0, 5), socket(1, 16, 32), socket(6, 0, 0)]);
        assert_eq!(read_all("a b c 1 2:3"), [socket(1, 2, 3)]);
        assert_eq!(read_all("a b c 1\n\n1 2 3 g 2:3\n1 2 3 4 5 6\n"), []);
    }

    #[test]
    fn a_long_table_is_read_piece_by_piece() {
        let lines: String =
            (0..10_000).map(|n| std::format!("{n}: 0:0 0:0 01 {n:x}:0 {:150}\n", "")).collect();
        let sockets = read_all(lines);
        assert_eq!(sockets.len(), 10_000);
        assert!(sockets.iter().zip(0..).all(|(socket, number)| socket.sent == number));
        // A line longer than the buffer is passed over, the next one is read.
        let long = std::format!("{:40000}\na b c 1 2:3\n", "");
        assert_eq!(read_all(long).len(), 1);
    }

    #[test]
    fn the_kernels_own_table_is_read_to_its_end() {
        // More than two pages of them.
        let open: Vec<_> = (0..80).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let machine = Machine::open(&Paths::default()).unwrap();
        let mut count = 0;
        page_of(|page| each(&machine, "net/udp", &mut Bytes::default(), page, |_| count += 1).unwrap());
        assert!(count >= open.len(), "{count}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[a0: \n]{0,200}") {
            let lines = text.lines().filter_map(|line| socket(line.as_bytes()));
            prop_assert_eq!(lines.collect::<Vec<_>>(), read_all(&text));
            read_all(bytes);
        }
    }
}
