//! What the VRRP process tells its parent, so that the parent can stand in for it when it dies by surprise.
//!
//! Frames over a stream socketpair: four bytes of length (little endian, of what follows), the version, the kind, the
//! body. A parent that does not know a version or kind ignores the frame: both ends are the same program, but one of them
//! may have been replaced on disk between a start and a restart.

use netlink::{Client, Operation, Protocol};
use reactor::raw::{Family, Outbox, RawSocket, Target};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The version of the frames.
pub const VERSION: u8 = 1;

/// The longest frame: a virtual router with 255 IPv6 addresses and as many routes stays far below.
pub const MAX_FRAME: usize = 1 << 20;

/// What the VRRP process says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It has read its configuration, opened its sockets and runs; said again after each reload, whatever came of it.
    Ready,
    /// It is Master of a virtual router, and this is what to do if it dies; replaces what it said of the router before.
    Holds(Hold),
    /// It is Master of that virtual router no longer, and has cleaned up after itself.
    Releases(u32),
    /// It is about to end, having cleaned up: nobody need stand in.
    Ending,
    /// What it has set up besides, for as long as it or a successor runs: netlink requests that take it back, in this order
    /// ([`Operation::encode`]); replaces what it said before.
    Leaves(Vec<Vec<u8>>),
}

/// What is needed to stand in for a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// A number that stays the same as long as the process runs.
    pub router: u32,
    /// The instance's name, for the log.
    pub name: String,
    /// Advertisements of priority 0, ready to be sent.
    pub farewells: Vec<Farewell>,
    /// Netlink requests that take back addresses, routes and rules, in this order: `netlink::Operation::encode`.
    pub undo: Vec<Vec<u8>>,
}

/// A packet to be sent once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Out of the interface of this index.
    pub interface: u32,
    /// From whom (IPv6; of IPv4 the header says it).
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Its hop limit (IPv6; of IPv4 the header says it).
    pub hop_limit: u8,
    /// With the IP header for IPv4, without for IPv6.
    pub bytes: Vec<u8>,
}

impl Report {
    /// Appends the report as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; 4]);
        out.push(VERSION);
        match self {
            Self::Ready => out.push(1),
            Self::Holds(hold) => {
                out.push(2);
                hold.encode(out);
            }
            Self::Releases(router) => {
                out.push(3);
                out.extend(router.to_le_bytes());
            }
            Self::Ending => out.push(4),
            Self::Leaves(undo) => {
                out.push(5);
                put_list(out, undo);
            }
        }
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length);
        }
    }

    /// Takes the first frame of `bytes`, if it is whole: how long it is, and what it says, unless it is not understood.
    ///
    /// # Errors
    /// When it cannot be a frame.
    pub fn decode(bytes: &[u8]) -> io::Result<Option<(usize, Option<Self>)>> {
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if !(2..=MAX_FRAME).contains(&length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame of impossible length"));
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        Ok(Some((length + 4, Self::decode_frame(frame))))
    }

    fn decode_frame(frame: &[u8]) -> Option<Self> {
        let (&[version, kind], body) = frame.split_first_chunk()?;
        let mut body = Reader(body);
        let report = match (version, kind) {
            (VERSION, 1) => Self::Ready,
            (VERSION, 2) => Self::Holds(Hold::decode(&mut body)?),
            (VERSION, 3) => Self::Releases(body.number()?),
            (VERSION, 4) => Self::Ending,
            (VERSION, 5) => Self::Leaves(body.list()?),
            _ => return None,
        };
        body.0.is_empty().then_some(report)
    }
}

impl Hold {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.router.to_le_bytes());
        put_bytes(out, self.name.as_bytes());
        out.extend((self.farewells.len() as u32).to_le_bytes());
        for farewell in &self.farewells {
            out.extend(farewell.interface.to_le_bytes());
            put_address(out, farewell.source);
            put_address(out, farewell.destination);
            out.push(farewell.hop_limit);
            put_bytes(out, &farewell.bytes);
        }
        put_list(out, &self.undo);
    }

    fn decode(body: &mut Reader<'_>) -> Option<Self> {
        let router = body.number()?;
        let name = String::from_utf8(body.bytes()?.to_vec()).ok()?;
        let mut farewells = Vec::new();
        for _ in 0..body.number()? {
            farewells.push(Farewell {
                interface: body.number()?,
                source: body.address()?,
                destination: body.address()?,
                hop_limit: body.byte()?,
                bytes: body.bytes()?.to_vec(),
            });
        }
        Some(Self { router, name, farewells, undo: body.list()? })
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn put_list(out: &mut Vec<u8>, list: &[Vec<u8>]) {
    out.extend((list.len() as u32).to_le_bytes());
    for bytes in list {
        put_bytes(out, bytes);
    }
}

fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.push(4);
            out.extend(address.octets());
        }
        IpAddr::V6(address) => {
            out.push(6);
            out.extend(address.octets());
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut list = Vec::new();
        for _ in 0..self.number()? {
            list.push(self.bytes()?.to_vec());
        }
        Some(list)
    }

    fn address(&mut self) -> Option<IpAddr> {
        match self.byte()? {
            4 => self.array::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
            6 => self.array::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
            _ => None,
        }
    }
}

/// Keeps the reports of a VRRP process, and does what is to be done when it dies without having said that it ends.
#[derive(Debug, Default)]
pub struct StandIn {
    buffer: Vec<u8>,
    /// By their numbers, as they came: most are never looked at again.
    holds: BTreeMap<u32, Box<[u8]>>,
    leaves: Vec<Vec<u8>>,
    readies: u64,
}

impl StandIn {
    /// For a process that was just started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes that came over the socketpair.
    ///
    /// # Errors
    /// When they are no frames; the connection is of no use any more then.
    pub fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend(bytes);
        let mut at = 0;
        while let Some((length, report)) = Report::decode(self.buffer.get(at..).unwrap_or_default())? {
            at += length;
            match report {
                None => {}
                Some(Report::Ready) => self.readies += 1,
                Some(Report::Holds(hold)) => {
                    let mut body = Vec::new();
                    hold.encode(&mut body);
                    self.holds.insert(hold.router, body.into_boxed_slice());
                }
                Some(Report::Releases(router)) => drop(self.holds.remove(&router)),
                Some(Report::Leaves(undo)) => self.leaves = undo,
                Some(Report::Ending) => {
                    self.holds.clear();
                    self.leaves.clear();
                }
            }
        }
        self.buffer.drain(..at);
        Ok(())
    }

    /// Whether the process has said that it runs.
    pub fn is_ready(&self) -> bool {
        self.readies > 0
    }

    /// How often it has said so: once at its start, once after each reload.
    pub fn readies(&self) -> u64 {
        self.readies
    }

    /// Gives back room for more than there is.
    pub fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
    }

    /// What the process holds, in the order of their numbers.
    pub fn holds(&self) -> Vec<Hold> {
        self.holds.values().filter_map(|body| Hold::decode(&mut Reader(body))).collect()
    }

    /// Sends the advertisements of priority 0 for everything that is held, in one go per family. The requests that take
    /// back addresses come afterwards: see [`Hold::undo`].
    ///
    /// Returns what went wrong, packet by packet; the others were sent all the same.
    pub fn say_farewell(&self) -> Vec<io::Error> {
        let mut errors = Vec::new();
        let holds = self.holds();
        for family in [Family::V4, Family::V6] {
            let mut outbox = Outbox::new();
            for farewell in holds.iter().flat_map(|hold| &hold.farewells) {
                if farewell.destination.is_ipv4() != (family == Family::V4) {
                    continue;
                }
                let target = Target::Ip {
                    destination: farewell.destination,
                    source: farewell.source,
                    interface: farewell.interface,
                    hop_limit: Some(farewell.hop_limit),
                };
                outbox.push(target, |out| out.extend(&farewell.bytes));
            }
            if outbox.is_empty() {
                continue;
            }
            match RawSocket::sender(family, 112) {
                Ok(socket) => outbox.flush(&socket, |_, _, error| errors.push(error)),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Takes back the addresses, routes and rules of everything that is held. What is gone already is no failure.
    ///
    /// Returns what went wrong; the rest was done all the same.
    pub fn take_back(&self) -> Vec<netlink::Error> {
        run(self.holds().iter().flat_map(|hold| &hold.undo))
    }

    /// What the process has left that the next one takes over: to be [taken away](take_away) when there is no next one.
    pub fn take_leaves(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.leaves)
    }

    /// The process that was watched is gone, and was stood in for: nothing is held any more.
    pub fn reset(&mut self) {
        *self = Self { leaves: self.take_leaves(), ..Self::default() };
    }
}

/// Takes back what a process has left: interfaces of virtual MACs, packet filters, static addresses, routes and rules. What
/// is gone already is no failure.
///
/// Returns what went wrong; the rest was done all the same.
pub fn take_away(leaves: &[Vec<u8>]) -> Vec<netlink::Error> {
    run(leaves)
}

/// Runs requests in their order; those of one protocol after those of the other.
fn run<'a>(requests: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<netlink::Error> {
    let operations = requests.into_iter().filter_map(|request| Operation::decode(request));
    let (route, filter): (Vec<_>, Vec<_>) = operations.partition(|one| one.protocol() == Protocol::Route);
    let mut errors = Vec::new();
    for (protocol, operations) in [(Protocol::Netfilter, filter), (Protocol::Route, route)] {
        if operations.is_empty() {
            continue;
        }
        match Client::open(protocol) {
            Ok(mut client) => errors.extend(client.run_all(operations).into_iter().filter_map(Result::err)),
            Err(error) => errors.push(error),
        }
    }
    errors.retain(|error| !error.is_missing());
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        Hold {
            router: 7,
            name: "VI_1".to_owned(),
            farewells: vec![
                Farewell {
                    interface: 2,
                    source: "10.0.0.1".parse().unwrap(),
                    destination: "224.0.0.18".parse().unwrap(),
                    hop_limit: 255,
                    bytes: vec![0x45, 0xc0],
                },
                Farewell {
                    interface: 3,
                    source: "fe80::1".parse().unwrap(),
                    destination: "ff02::12".parse().unwrap(),
                    hop_limit: 255,
                    bytes: vec![0x31],
                },
            ],
            undo: vec![vec![1, 2, 3], vec![]],
        }
    }

    #[test]
    fn reports_survive_the_way_in_pieces_of_any_size() {
        let leaves = Report::Leaves(vec![vec![4, 5], vec![]]);
        let reports = [Report::Ready, Report::Holds(hold()), Report::Releases(9), leaves, Report::Ending];
        let mut bytes = Vec::new();
        for report in &reports {
            report.encode(&mut bytes);
        }
        for size in 1..bytes.len() {
            let (mut buffer, mut got) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(size) {
                buffer.extend(piece);
                while let Some((length, report)) = Report::decode(&buffer).unwrap() {
                    got.push(report.unwrap());
                    buffer.drain(..length);
                }
            }
            assert_eq!(got, reports);
        }
    }

    #[test]
    fn cut_or_changed_bodies_are_not_understood() {
        let mut whole = Vec::new();
        Report::Holds(hold()).encode(&mut whole);
        for cut in 6..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            let length = (cut as u32 - 4).to_le_bytes();
            bytes[..4].copy_from_slice(&length);
            assert_eq!(Report::decode(&bytes).unwrap(), Some((cut, None)), "cut at {cut}");
        }
        assert_eq!(Report::decode(&[2, 0, 0, 0, 99, 1]).unwrap(), Some((6, None)));
        assert!(Report::decode(&[1, 0, 0, 0, 1]).is_err());
        assert!(Report::decode(&[255, 255, 255, 255]).is_err());
    }

    #[test]
    fn the_stand_in_forgets_what_was_released() {
        let mut stand_in = StandIn::new();
        let mut bytes = Vec::new();
        Report::Ready.encode(&mut bytes);
        Report::Holds(hold()).encode(&mut bytes);
        Report::Holds(Hold { router: 8, ..Hold::default() }).encode(&mut bytes);
        Report::Holds(Hold { router: 7, ..hold() }).encode(&mut bytes);
        Report::Releases(8).encode(&mut bytes);
        Report::Leaves(vec![vec![1]]).encode(&mut bytes);
        Report::Leaves(vec![vec![2], vec![3]]).encode(&mut bytes);
        stand_in.receive(&bytes).unwrap();
        assert!(stand_in.is_ready());
        assert_eq!(stand_in.holds(), [hold()]);
        assert_eq!(stand_in.leaves, [[2], [3]]);
        bytes.clear();
        Report::Ending.encode(&mut bytes);
        stand_in.receive(&bytes).unwrap();
        assert!(stand_in.holds().is_empty());
        assert!(stand_in.take_leaves().is_empty());
    }
}
