//! What a master tells a worker: the text of the configuration, and which listening sockets follow.
//!
//! The text is the one the master read, so that both see the same bytes whatever became of the files meanwhile. It
//! travels in a sealed memory file over the worker's standard input, a Unix socket; the sockets follow on it.

use haproxy_cfg::Input;
use haproxy_cfg::model::Address;
use proxyd::Bound;
use proxyd::listeners::{BoundStats, Key};
use reactor::process::{self, MAX_PASSED};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;

/// First bytes; the number rises when the layout changes.
const MAGIC: &[u8] = b"evenkeel plan 2\n";

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

    /// All sockets, in the order in which [`encode`](Self::encode) counts them.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
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
        let decoded = Self::decode(&text).ok_or_else(malformed)?;
        let mut sockets = Vec::new();
        while sockets.len() < decoded.wanted() {
            let (read, fds) = process::receive_descriptors(socket, &mut byte)?;
            if read == 0 || fds.is_empty() {
                return Err(malformed());
            }
            sockets.extend(fds);
        }
        Ok(decoded.with(sockets))
    }

    /// Everything but the sockets.
    pub(crate) fn encode(&self) -> Vec<u8> {
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
            out.key(&bound.key);
            out.number(bound.sockets.len());
        }
        out.number(self.stats.len());
        for bound in &self.stats {
            out.number(bound.index);
            out.key(&bound.key);
        }
        out.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(text: &[u8]) -> Option<Decoded> {
        let mut from = Reader(text.strip_prefix(MAGIC)?);
        let mut plan = Self { threads: from.number()?, ..Self::default() };
        for _ in 0..from.number()? {
            let name = from.text()?;
            plan.inputs.push(Input { name, text: from.bytes()?.to_vec() });
        }
        let mut counts = Vec::new();
        for _ in 0..from.number()? {
            let (proxy, bind, key) = (from.number()?, from.number()?, from.key()?);
            plan.listeners.push(Bound { proxy, bind, key, sockets: Vec::new() });
            counts.push(from.number()?);
        }
        let mut stats = Vec::new();
        for _ in 0..from.number()? {
            stats.push((from.number()?, from.key()?));
        }
        from.0.is_empty().then_some(Decoded { plan, counts, stats })
    }
}

/// A plan before its sockets came.
pub(crate) struct Decoded {
    plan: Plan,
    /// How many sockets each listener has.
    counts: Vec<usize>,
    /// The indices and keys of the stats sockets.
    stats: Vec<(usize, Key)>,
}

impl Decoded {
    /// How many sockets belong to it.
    pub(crate) fn wanted(&self) -> usize {
        self.counts.iter().sum::<usize>() + self.stats.len()
    }

    /// The whole plan; `sockets` in the order of [`Plan::sockets`].
    pub(crate) fn with(self, sockets: Vec<OwnedFd>) -> Plan {
        let Self { mut plan, counts, stats } = self;
        let mut sockets = sockets.into_iter();
        for (bound, count) in plan.listeners.iter_mut().zip(counts) {
            bound.sockets = sockets.by_ref().take(count).collect();
        }
        let stats = stats.into_iter().zip(sockets);
        plan.stats = stats.map(|((index, key), socket)| BoundStats { index, key, socket }).collect();
        plan
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the master's plan cannot be read")
}

/// Puts numbers and byte strings one behind the other.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn number(&mut self, n: usize) {
        self.0.extend((n as u64).to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend(bytes);
    }

    fn key(&mut self, key: &Key) {
        let interface = key.interface.as_deref().unwrap_or_default();
        self.bytes(interface.as_bytes());
        let (kind, text) = match &key.address {
            Address::Ip(addr) => (0, addr.to_string().into_bytes()),
            Address::Unix(path) => (1, path.as_os_str().as_bytes().to_vec()),
            Address::Abstract(name, false) => (2, name.clone()),
            Address::Abstract(name, true) => (3, name.clone()),
            Address::Fd(number) => (4, number.to_string().into_bytes()),
            // Nothing listens there.
            Address::SockPair(_) | Address::IpRelative(..) => (5, Vec::new()),
        };
        self.number(kind);
        self.bytes(&text);
    }
}

/// Reads what a [`Writer`] wrote; `None` when it is not that.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn number(&mut self) -> Option<usize> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*bytes)).ok()
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn key(&mut self) -> Option<Key> {
        let interface = Some(self.text()?).filter(|name| !name.is_empty());
        let (kind, bytes) = (self.number()?, self.bytes()?);
        let text = || std::str::from_utf8(bytes).ok();
        let address = match kind {
            0 => Address::Ip(text()?.parse().ok()?),
            1 => Address::Unix(OsString::from_vec(bytes.to_vec()).into()),
            2 | 3 => Address::Abstract(bytes.to_vec(), kind == 3),
            4 => Address::Fd(text()?.parse().ok()?),
            _ => return None,
        };
        Some(Key { address, interface })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_arrives_as_it_was_sent() {
        let listener = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let many = 2 * MAX_PASSED / 3;
        let key = |address| Key { address, interface: None };
        let bound = |proxy, bind, key| {
            let sockets = std::iter::repeat_with(listener).take(many).collect();
            Bound { proxy, bind, key, sockets }
        };
        let sent = Plan {
            inputs: vec![Input { name: "a.cfg".into(), text: b"global\n\0\xff".to_vec() }],
            threads: 3,
            listeners: vec![
                bound(1, 0, Key { interface: Some("lo".into()), ..key(Address::Fd(7)) }),
                bound(4, 2, key(Address::Ip("[::1]:80".parse().unwrap()))),
            ],
            stats: vec![BoundStats { index: 7, key: key(Address::Unix("/x".into())), socket: listener() }],
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        sent.send(&ours).unwrap();
        let got = Plan::receive(&theirs).unwrap();
        assert_eq!(got.inputs, sent.inputs);
        assert_eq!(got.threads, 3);
        let shape = |plan: &Plan| -> Vec<_> {
            plan.listeners.iter().map(|b| (b.proxy, b.bind, b.key.clone(), b.sockets.len())).collect()
        };
        assert_eq!(shape(&got), shape(&sent));
        assert_eq!((got.stats[0].index, &got.stats[0].key), (7, &sent.stats[0].key));
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
