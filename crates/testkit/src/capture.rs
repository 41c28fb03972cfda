//! What stations of a segment send, as a packet socket sees it, and as text that can be compared.

use crate::lab::Host;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use wire::{ah, ipv4, vrrp};

/// A frame, and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When.
    pub at: Instant,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A VRRP advertisement, behind an authentication header or not.
    Advert,
    /// A gratuitous ARP.
    Arp,
    /// An unsolicited neighbour advertisement.
    Neighbour,
    /// A report of multicast membership: IGMP, MLD.
    Membership,
    /// Anything else.
    Other,
}

/// Watches all interfaces of a host until it is dropped.
#[derive(Debug)]
pub struct Capture {
    frames: Arc<Mutex<Vec<Frame>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts to watch.
    ///
    /// # Panics
    /// Without the right to open a packet socket.
    pub fn start(host: &Host) -> Self {
        let open = || {
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
                .expect("a packet socket")
        };
        let fd: OwnedFd = host.inside(open);
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(0, 100_000)).expect("a timeout");
        let frames = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (into, until) = (frames.clone(), ended.clone());
        let thread = thread::spawn(move || watch(&fd, &into, &until));
        Self { frames, ended, thread: Some(thread) }
    }

    /// The frames so far whose sender is `source`, in order.
    pub fn of(&self, source: &[[u8; 6]]) -> Vec<Frame> {
        let frames = self.frames.lock().expect("frames");
        frames.iter().filter(|frame| source.contains(&frame.source())).cloned().collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(fd: &OwnedFd, frames: &Mutex<Vec<Frame>>, ended: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !ended.load(Ordering::Relaxed) {
        match recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(len) => {
                let frame = Frame { at: Instant::now(), bytes: buffer[..len].to_vec() };
                frames.lock().expect("frames").push(frame);
            }
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => {}
            Err(error) => panic!("receiving frames: {error}"),
        }
    }
}

/// The hardware address in the usual form.
fn hardware(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An IP header's fields, and where what follows it begins.
struct Ip {
    protocol: u8,
    text: String,
    at: usize,
}

impl Frame {
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }

    /// The hardware address of the receiver.
    pub fn destination(&self) -> [u8; 6] {
        self.field(0)
    }

    /// The hardware address of the sender.
    pub fn source(&self) -> [u8; 6] {
        self.field(6)
    }

    fn ethertype(&self) -> u16 {
        u16::from_be_bytes(self.field(12))
    }

    fn ip(&self) -> Option<Ip> {
        let payload = self.bytes.get(14..)?;
        match self.ethertype() {
            0x0800 => {
                let datagram = ipv4::Datagram::parse(payload).ok()?;
                let header = datagram.header();
                let flags = u16::from_be_bytes([header[6], header[7]]);
                let text = format!(
                    "tos {:02x} ttl {} flags {flags:04x} options [{}] length {} {} > {}",
                    header[1],
                    datagram.ttl(),
                    hex(&header[ipv4::HEADER_LEN..]),
                    datagram.total_len(),
                    datagram.source(),
                    datagram.destination(),
                );
                Some(Ip { protocol: datagram.protocol(), text, at: 14 + header.len() })
            }
            0x86dd => {
                // Multicast reports have a hop-by-hop header before them.
                let (next, at) =
                    if self.field::<1>(20) == [0] { (self.field(54), 62) } else { (self.field(20), 54) };
                let [protocol] = next;
                let address = |at| Ipv6Addr::from(self.field::<16>(at));
                let text = format!(
                    "class and label {} hops {} length {} {} > {}",
                    hex(&self.field::<4>(14)),
                    self.field::<1>(21)[0],
                    u16::from_be_bytes(self.field(18)),
                    address(22),
                    address(38),
                );
                Some(Ip { protocol, text, at })
            }
            _ => None,
        }
    }

    /// What it carries.
    pub fn kind(&self) -> Kind {
        match (self.ethertype(), self.ip()) {
            // Sender and target are the same address.
            (0x0806, _) if self.field::<4>(28) == self.field::<4>(38) => Kind::Arp,
            (_, Some(Ip { protocol: wire::PROTOCOL_VRRP | wire::PROTOCOL_AH, .. })) => Kind::Advert,
            (_, Some(Ip { protocol: 2, .. })) => Kind::Membership,
            (_, Some(Ip { protocol: 58, at, .. })) => match self.field::<1>(at) {
                [136] => Kind::Neighbour,
                [131 | 132 | 143] => Kind::Membership,
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    /// The groups that a report of membership (IGMPv3, MLDv2) says are joined.
    pub fn groups(&self) -> Vec<IpAddr> {
        const JOINED: [u8; 2] = [2, 4];
        let Some(ip) = self.ip().filter(|_| self.kind() == Kind::Membership) else { return Vec::new() };
        let mut groups = Vec::new();
        let mut at = ip.at + 8;
        // Records without sources, of one size.
        for _ in 0..u16::from_be_bytes(self.field(ip.at + 6)) {
            let v6 = ip.protocol == 58;
            let group = if v6 { self.field::<16>(at + 4).into() } else { self.field::<4>(at + 4).into() };
            let [kind] = self.field(at);
            if JOINED.contains(&kind) {
                groups.push(group);
            }
            at += if v6 { 20 } else { 8 };
        }
        groups
    }

    /// The identification of an IPv4 datagram.
    pub fn id(&self) -> Option<u16> {
        (self.ethertype() == 0x0800).then(|| u16::from_be_bytes(self.field(18)))
    }

    fn advert(&self) -> Option<(Option<ah::Packet<'_>>, vrrp::Packet<'_>)> {
        let ip = self.ip()?;
        let payload = self.bytes.get(ip.at..)?;
        match ip.protocol {
            wire::PROTOCOL_VRRP => Some((None, vrrp::Packet::parse(payload).ok()?)),
            wire::PROTOCOL_AH => {
                let header = ah::Packet::parse(payload).ok()?;
                Some((Some(header), vrrp::Packet::parse(header.payload()).ok()?))
            }
            _ => None,
        }
    }

    /// The priority of an advertisement.
    pub fn priority(&self) -> Option<u8> {
        Some(self.advert()?.1.priority())
    }

    /// The sequence number of an authentication header.
    pub fn sequence(&self) -> Option<u32> {
        Some(self.advert()?.0?.sequence())
    }

    /// Whether the authentication header's value is that of the datagram and this key.
    pub fn is_authentic(&self, ttl: ah::Ttl, key: [u8; 8]) -> bool {
        self.bytes.get(14..).is_some_and(|datagram| ah::verify(datagram, ttl, &key))
    }

    /// All that it says, apart from what counts up (identification, sequence number) and what depends on it.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} > {} {:04x}",
            hardware(&self.source()),
            hardware(&self.destination()),
            self.ethertype()
        );
        let Some(ip) = self.ip() else {
            let _ = write!(out, " {}", hex(self.bytes.get(14..).unwrap_or_default()));
            return out;
        };
        let _ = write!(out, " {} protocol {}", ip.text, ip.protocol);
        let mut payload = self.bytes.get(ip.at..).unwrap_or_default();
        if let Some((Some(header), _)) = self.advert() {
            let _ = write!(out, " ah {} spi {}", hex(&payload[..4]), hex(&header.spi()));
            payload = header.payload();
        }
        let _ = write!(out, " {}", hex(payload));
        out
    }
}

/// How identifications follow each other.
pub fn progress(numbers: &[u32]) -> &'static str {
    let steps: Vec<u32> = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    match numbers {
        _ if numbers.iter().all(|number| *number == 0) => "all zero",
        _ if steps.iter().all(|step| *step == 1) => "each one more than the last",
        _ if steps.iter().all(|step| *step == 0) => "all the same",
        _ => "in no order",
    }
}
