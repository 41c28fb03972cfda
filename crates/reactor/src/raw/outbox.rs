//! What is to be sent, gathered and sent by the batch.

use super::{CONTROL, Control, MOST, RawSocket, raw_address};
use crate::address::RawAddr;
use crate::syscall;
use libc::c_int;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::os::fd::AsRawFd;

/// Where something in an [`Outbox`] goes.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// To an address, out of the interface of an index (0: as routed). The source counts for IPv6 only; unspecified: the
    /// kernel's choice. `hop_limit` likewise: `None` is the socket's.
    Ip {
        /// To whom.
        destination: IpAddr,
        /// From whom.
        source: IpAddr,
        /// Out of which interface.
        interface: u32,
        /// With which hop limit.
        hop_limit: Option<u8>,
    },
    /// As a frame out of the interface of an index.
    Link {
        /// Out of which interface.
        interface: u32,
    },
}

/// Datagrams or frames to be sent by one socket with as few system calls as possible.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    items: Vec<(Target, Range<usize>)>,
}

impl Outbox {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one: `write` appends its bytes.
    pub fn push(&mut self, target: Target, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.items.push((target, start..self.bytes.len()));
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Sends them all and empties it, keeping its memory. One that cannot be sent is reported to `failed` with the reason
    /// and its place in the order of [`push`](Self::push); the others are sent all the same.
    pub fn flush(&mut self, socket: &RawSocket, mut failed: impl FnMut(usize, &Target, io::Error)) {
        let mut from = 0;
        while let Some(rest) = self.items.get(from..).filter(|rest| !rest.is_empty()) {
            match send_batch(socket, &self.bytes, rest) {
                Ok(sent) => from += sent.max(1),
                Err(error) => {
                    if let Some((target, _)) = rest.first() {
                        failed(from, target, error);
                    }
                    from += 1;
                }
            }
        }
        self.items.clear();
        self.bytes.clear();
    }
}

/// Sends the first of `items`, at most [`MOST`]; returns how many went. An error: not even the first.
fn send_batch(socket: &RawSocket, bytes: &[u8], items: &[(Target, Range<usize>)]) -> io::Result<usize> {
    let mut messages: [MaybeUninit<libc::mmsghdr>; MOST] = [const { MaybeUninit::uninit() }; MOST];
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MOST];
    let mut names: [MaybeUninit<RawAddr>; MOST] = [const { MaybeUninit::uninit() }; MOST];
    let mut controls: [MaybeUninit<Control>; MOST] = [const { MaybeUninit::uninit() }; MOST];
    let mut count = 0;
    let places = messages.iter_mut().zip(&mut parts).zip(&mut names).zip(&mut controls);
    for ((((message, part), name), control), (target, range)) in places.zip(items) {
        let payload = bytes.get(range.clone()).unwrap_or_default();
        part.iov_base = payload.as_ptr().cast_mut().cast();
        part.iov_len = payload.len();
        let name = name.write(match target {
            Target::Ip { destination, interface, .. } => raw_address(*destination, *interface)?,
            Target::Link { interface } => link_address(*interface, payload),
        });
        // SAFETY: mmsghdr is integers and pointers that may be null.
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        header.msg_hdr.msg_name = (&raw mut name.storage).cast();
        header.msg_hdr.msg_namelen = name.len;
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
        if let Target::Ip { interface, source, hop_limit, .. } = target {
            let control = control.write(Control([0; CONTROL]));
            let used = write_control(control, *interface, *source, *hop_limit, socket.family);
            if used > 0 {
                header.msg_hdr.msg_control = (&raw mut control.0).cast();
                header.msg_hdr.msg_controllen = used;
            }
        }
        message.write(header);
        count += 1;
    }
    let start = messages.as_mut_ptr().cast::<libc::mmsghdr>();
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    loop {
        // SAFETY: the first `count` headers are initialised and point to live memory of this frame, or borrowed by it; the
        // kernel reads the payloads only.
        let sent = unsafe {
            libc::sendmmsg(socket.source.fd().as_raw_fd(), start, count as libc::c_uint, flags as _)
        };
        match syscall::check(sent) {
            Ok(sent) => return Ok(sent as usize),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn link_address(interface: u32, frame: &[u8]) -> RawAddr {
    let protocol = match frame.get(12..14) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    };
    // SAFETY: sockaddr_ll is integers; all zeros is a value of it.
    let mut link: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    link.sll_family = libc::AF_PACKET as libc::c_ushort;
    link.sll_protocol = protocol.to_be();
    link.sll_ifindex = interface as c_int;
    link.sll_halen = 6;
    for (place, byte) in link.sll_addr.iter_mut().zip(frame.iter().take(6)) {
        *place = *byte;
    }
    RawAddr::of(link)
}

/// Writes the control messages for one datagram; returns how many bytes they take.
fn write_control(
    control: &mut Control,
    interface: u32,
    source: IpAddr,
    hop_limit: Option<u8>,
    family: c_int,
) -> usize {
    let mut at = 0;
    if family == libc::AF_INET {
        if interface != 0 {
            let info = libc::in_pktinfo {
                ipi_ifindex: interface as c_int,
                ipi_spec_dst: libc::in_addr { s_addr: 0 },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            put_control(control, &mut at, libc::SOL_IP, libc::IP_PKTINFO, info);
        }
        return at;
    }
    let source = match source {
        IpAddr::V6(source) => source,
        IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
    };
    let info =
        libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: source.octets() }, ipi6_ifindex: interface };
    put_control(control, &mut at, libc::SOL_IPV6, libc::IPV6_PKTINFO, info);
    if let Some(hop_limit) = hop_limit {
        put_control(control, &mut at, libc::SOL_IPV6, libc::IPV6_HOPLIMIT, c_int::from(hop_limit));
    }
    at
}

fn put_control<T: Copy>(control: &mut Control, at: &mut usize, level: c_int, kind: c_int, value: T) {
    // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
    let (space, len) = unsafe {
        (libc::CMSG_SPACE(size_of::<T>() as u32) as usize, libc::CMSG_LEN(size_of::<T>() as u32) as usize)
    };
    if *at + space > CONTROL {
        return;
    }
    // SAFETY: all zeros is a value of cmsghdr, whose padding differs between C libraries.
    let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
    header.cmsg_len = len as _;
    header.cmsg_level = level;
    header.cmsg_type = kind;
    // SAFETY: `space` bytes from `at` are inside the buffer (checked above); a header and the data behind it (CMSG_LEN) fit
    // into `space`. Writes are unaligned-tolerant.
    unsafe {
        let start = control.0.as_mut_ptr().add(*at);
        start.cast::<libc::cmsghdr>().write_unaligned(header);
        start.add(len - size_of::<T>()).cast::<T>().write_unaligned(value);
    }
    *at += space;
}
