//! What a master tells a worker: the text of the configuration, and which listening sockets follow.
//!
//! The text is the one the master read, so that both see the same bytes whatever became of the files meanwhile. It
//! travels in a sealed memory file over the worker's standard input, a Unix socket; the sockets follow on it.

use haproxy_cfg::Input;
use proxyd::Bound;
use proxyd::listeners::BoundStats;
use reactor::process::{self, MAX_PASSED};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// First bytes; the number rises when the layout changes.
const MAGIC: &[u8] = b"evenkeel plan 1\n";

/// One generation, as the master holds it and as the worker gets it.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The files, as they were read.
    pub(crate) inputs: Vec<Input>,
    /// Worker threads.
    pub(crate) threads: usize,
    /// The listening sockets.
    pub(crate) listeners: Vec<Bound>,
    /// The sockets of the runtime API.
    pub(crate) stats: Vec<BoundStats>,
}

impl Plan {
    /// Sends everything to a worker.
    pub(crate) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let file = process::memory_file("evenkeel-plan", &self.encode())?;
        process::send_descriptors(socket, b"P", &[file.as_fd()])?;
        let fds: Vec<BorrowedFd<'_>> = self.sockets().collect();
        for chunk in fds.chunks(MAX_PASSED) {
            process::send_descriptors(socket, b"S", chunk)?;
        }
        Ok(())
    }

    fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listeners = self.listeners.iter().flat_map(|bound| bound.sockets.iter());
        listeners.chain(self.stats.iter().map(|bound| &bound.socket)).map(AsFd::as_fd)
    }

    /// Receives what [`send`](Self::send) sent.
    pub(crate) fn receive(socket: &UnixStream) -> io::Result<Self> {
        let mut byte = [0];
        let (_, fds) = process::receive_descriptors(socket, &mut byte)?;
        let [file] = <[OwnedFd; 1]>::try_from(fds).map_err(|_| malformed())?;
        let (mut text, mut file) = (Vec::new(), File::from(file));
        file.rewind()?;
        file.read_to_end(&mut text)?;
        let Decoded { mut plan, counts, stats } = Self::decode(&text).ok_or_else(malformed)?;
        let wanted = counts.iter().sum::<usize>() + stats.len();
        let mut sockets = Vec::new();
        while sockets.len() < wanted {
            let (read, fds) = process::receive_descriptors(socket, &mut byte)?;
            if read == 0 || fds.is_empty() {
                return Err(malformed());
            }
            sockets.extend(fds);
        }
        let mut sockets = sockets.into_iter();
        for (bound, count) in plan.listeners.iter_mut().zip(counts) {
            bound.sockets = sockets.by_ref().take(count).collect();
        }
        let stats = stats.into_iter().zip(sockets);
        plan.stats = stats.map(|(index, socket)| BoundStats { index, socket }).collect();
        Ok(plan)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.number(self.threads);
        out.number(self.inputs.len());
        for input in &self.inputs {
            out.bytes(input.name.as_bytes());
            out.bytes(&input.text);
        }
        out.number(self.listeners.len());
        for bound in &self.listeners {
            out.number(bound.proxy);
            out.number(bound.bind);
            out.number(bound.sockets.len());
        }
        out.number(self.stats.len());
        for bound in &self.stats {
            out.number(bound.index);
        }
        out.0
    }

    fn decode(text: &[u8]) -> Option<Decoded> {
        let mut from = Reader(text.strip_prefix(MAGIC)?);
        let mut plan = Self { threads: from.number()?, ..Self::default() };
        for _ in 0..from.number()? {
            let name = String::from_utf8(from.bytes()?.to_vec()).ok()?;
            plan.inputs.push(Input { name, text: from.bytes()?.to_vec() });
        }
        let mut counts = Vec::new();
        for _ in 0..from.number()? {
            plan.listeners.push(Bound { proxy: from.number()?, bind: from.number()?, sockets: Vec::new() });
            counts.push(from.number()?);
        }
        let mut stats = Vec::new();
        for _ in 0..from.number()? {
            stats.push(from.number()?);
        }
        from.0.is_empty().then_some(Decoded { plan, counts, stats })
    }
}

/// A plan before its sockets came.
struct Decoded {
    plan: Plan,
    /// How many sockets each listener has.
    counts: Vec<usize>,
    /// The indices of the stats sockets.
    stats: Vec<usize>,
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the master's plan cannot be read")
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, n: usize) {
        self.0.extend((n as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend(bytes);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<usize> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*bytes)).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_arrives_as_it_was_sent() {
        let listener = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let many = 2 * MAX_PASSED / 3;
        let sent = Plan {
            inputs: vec![Input { name: "a.cfg".into(), text: b"global\n\0\xff".to_vec() }],
            threads: 3,
            listeners: vec![
                Bound { proxy: 1, bind: 0, sockets: std::iter::repeat_with(listener).take(many).collect() },
                Bound { proxy: 4, bind: 2, sockets: std::iter::repeat_with(listener).take(many).collect() },
            ],
            stats: vec![BoundStats { index: 7, socket: listener() }],
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        sent.send(&ours).unwrap();
        let got = Plan::receive(&theirs).unwrap();
        assert_eq!(got.inputs, sent.inputs);
        assert_eq!(got.threads, 3);
        let shape = |plan: &Plan| -> Vec<_> {
            plan.listeners.iter().map(|b| (b.proxy, b.bind, b.sockets.len())).collect()
        };
        assert_eq!(shape(&got), shape(&sent));
        assert_eq!(got.stats[0].index, 7);
        let address =
            |fd: &OwnedFd| std::net::TcpListener::from(fd.try_clone().unwrap()).local_addr().unwrap();
        assert_eq!(address(&got.stats[0].socket), address(&sent.stats[0].socket));
        assert_eq!(address(&got.listeners[1].sockets[0]), address(&sent.listeners[1].sockets[0]));
    }

    #[test]
    fn a_plan_cut_short_is_refused() {
        let whole = Plan { inputs: vec![Input { name: "n".into(), text: b"t".to_vec() }], ..Plan::default() };
        let text = whole.encode();
        assert!(Plan::decode(&text).is_some());
        for end in 0..text.len() {
            assert!(Plan::decode(&text[..end]).is_none(), "{end}");
        }
    }
}
