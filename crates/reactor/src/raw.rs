//! Raw and packet sockets: whole datagrams of a protocol, and frames of a link.
//!
//! Both directions go by the batch: what waits is received with one system call, and what is to be sent is gathered in an
//! [`Outbox`] and sent with one.
#![allow(unsafe_code)]

mod outbox;

pub use outbox::{Outbox, Target};

use crate::address::{RawAddr, SockAddr};
use crate::source::Watched;
use crate::syscall;
use libc::c_int;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::task::{Context, Poll};

/// A raw IP socket, or a packet socket. It never blocks.
pub struct RawSocket {
    source: Watched,
    family: c_int,
}

impl fmt::Debug for RawSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSocket").field("fd", &self.source.fd()).field("family", &self.family).finish()
    }
}

/// The two versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4. Received datagrams begin with their IP header.
    V4,
    /// IPv6. Received datagrams begin behind the IP header.
    V6,
}

impl RawSocket {
    /// A socket that receives every datagram of an IP protocol that this host gets, with the interface it came in on and,
    /// for IPv6, its destination and hop limit.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_RAW`; when there are no descriptors left.
    pub fn receiver(family: Family, protocol: u8) -> io::Result<Self> {
        let socket = Self::open(family, c_int::from(protocol))?;
        match family {
            Family::V4 => {
                socket.set(libc::SOL_IP, libc::IP_MULTICAST_ALL, 0)?;
                socket.set(libc::SOL_IP, libc::IP_PKTINFO, 1)?;
            }
            Family::V6 => {
                socket.set(libc::SOL_IPV6, libc::IPV6_MULTICAST_ALL, 0)?;
                socket.set(libc::SOL_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
                socket.set(libc::SOL_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            }
        }
        Ok(socket)
    }

    /// A socket that only sends. For IPv4 what it is given begins with the IP header (`IP_HDRINCL`); for IPv6 behind it, and
    /// the header's hop limit is 255 and its traffic class 0xc0 (network control); but neighbour discovery (ICMPv6) has
    /// neither traffic class nor flow label, as keepalived's and the kernel's own. Multicast is not looped back.
    ///
    /// # Errors
    /// As [`receiver`](Self::receiver).
    pub fn sender(family: Family, protocol: u8) -> io::Result<Self> {
        // Protocol IPPROTO_RAW receives nothing; with another one the queue would fill with what nobody reads.
        let socket = match family {
            Family::V4 => Self::open(family, libc::IPPROTO_RAW)?,
            Family::V6 => Self::open(family, c_int::from(protocol))?,
        };
        match family {
            Family::V4 => {
                socket.set(libc::SOL_IP, libc::IP_HDRINCL, 1)?;
                socket.set(libc::SOL_IP, libc::IP_MULTICAST_LOOP, 0)?;
                socket.set(libc::SOL_IP, libc::IP_TOS, 0xc0)?;
            }
            Family::V6 => {
                socket.refuse_all()?;
                socket.set(libc::SOL_IPV6, libc::IPV6_MULTICAST_ALL, 0)?;
                socket.set(libc::SOL_IPV6, libc::IPV6_MULTICAST_HOPS, 255)?;
                socket.set(libc::SOL_IPV6, libc::IPV6_UNICAST_HOPS, 255)?;
                socket.set(libc::SOL_IPV6, libc::IPV6_MULTICAST_LOOP, 0)?;
                if c_int::from(protocol) == libc::IPPROTO_ICMPV6 {
                    socket.set(libc::SOL_IPV6, libc::IPV6_AUTOFLOWLABEL, 0)?;
                } else {
                    socket.set(libc::SOL_IPV6, libc::IPV6_TCLASS, 0xc0)?;
                }
            }
        }
        Ok(socket)
    }

    /// A packet socket that sends frames, whole with their link header, and receives none.
    ///
    /// # Errors
    /// As [`receiver`](Self::receiver).
    pub fn frames() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers.
        let fd = syscall::own(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        Ok(Self { source: Watched::new(fd, 0), family: libc::AF_PACKET })
    }

    fn open(family: Family, protocol: c_int) -> io::Result<Self> {
        let family = match family {
            Family::V4 => libc::AF_INET,
            Family::V6 => libc::AF_INET6,
        };
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers.
        let fd = syscall::own(unsafe { libc::socket(family, kind, protocol) })?;
        Ok(Self { source: Watched::new(fd, 0), family })
    }

    fn set(&self, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
        syscall::set_option(self.source.fd(), level, name, value)
    }

    /// Attaches a filter that keeps nothing.
    fn refuse_all(&self) -> io::Result<()> {
        let mut code = [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 }];
        let program = libc::sock_fprog { len: 1, filter: code.as_mut_ptr() };
        self.set_struct(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    fn set_struct<T>(&self, level: c_int, name: c_int, value: &T) -> io::Result<()> {
        let fd = self.source.fd().as_raw_fd();
        let len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the pointer is to a live struct of that size (and what it points to lives as long as the caller's
        // borrow), which the kernel reads.
        syscall::check(unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), len) })?;
        Ok(())
    }

    /// Keeps to one interface (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    /// When there is no interface of that name.
    pub fn bind_to_device(&self, interface: &str) -> io::Result<()> {
        syscall::set_option_text(self.source.fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, interface)
    }

    /// Receives only what was sent to `address`; `scope` is the interface's index for a link-local IPv6 address.
    ///
    /// # Errors
    /// Those of `bind`.
    pub fn bind(&self, address: IpAddr, scope: u32) -> io::Result<()> {
        syscall::bind(self.source.fd(), &raw_address(address, scope)?)
    }

    /// Joins a multicast group on the interface of an index.
    ///
    /// # Errors
    /// When there is no such interface, or the socket is in as many groups as allowed (20 for IPv4).
    pub fn join(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        self.membership(group, interface, libc::IP_ADD_MEMBERSHIP, libc::IPV6_ADD_MEMBERSHIP)
    }

    /// Leaves a multicast group on the interface of an index.
    ///
    /// # Errors
    /// When it was not joined.
    pub fn leave(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        self.membership(group, interface, libc::IP_DROP_MEMBERSHIP, libc::IPV6_DROP_MEMBERSHIP)
    }

    fn membership(&self, group: IpAddr, interface: u32, v4: c_int, v6: c_int) -> io::Result<()> {
        match group {
            IpAddr::V4(group) => self.set_struct(
                libc::SOL_IP,
                v4,
                &libc::ip_mreqn {
                    imr_multiaddr: libc::in_addr { s_addr: u32::from_ne_bytes(group.octets()) },
                    imr_address: libc::in_addr { s_addr: 0 },
                    imr_ifindex: interface as c_int,
                },
            ),
            IpAddr::V6(group) => self.set_struct(
                libc::SOL_IPV6,
                v6,
                &libc::ipv6_mreq {
                    ipv6mr_multiaddr: libc::in6_addr { s6_addr: group.octets() },
                    ipv6mr_interface: interface,
                },
            ),
        }
    }

    /// Sets the size of the kernel's receive queue in bytes; beyond `net.core.rmem_max` if this process may.
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_receive_buffer(&self, size: u32) -> io::Result<()> {
        let size = c_int::try_from(size).unwrap_or(c_int::MAX);
        if self.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size).is_err() {
            self.set(libc::SOL_SOCKET, libc::SO_RCVBUF, size)?;
        }
        Ok(())
    }

    /// The queueing priority of what is sent (`SO_PRIORITY`, 0–7).
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_priority(&self, priority: u8) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_PRIORITY, c_int::from(priority))
    }

    /// Ready when receiving is worth trying; may be so in vain.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_readable(cx)
    }

    /// Waits until receiving is worth trying.
    pub async fn readable(&self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }

    /// Receives what waits, as much as `inbox` holds, in place of what it held; returns how many datagrams.
    ///
    /// # Errors
    /// `WouldBlock` when none waits.
    pub fn try_receive(&self, inbox: &mut Inbox) -> io::Result<usize> {
        inbox.count = 0;
        let count = self.source.read(|fd| inbox.fill(fd))?;
        inbox.count = count;
        if count < inbox.room() {
            // The queue was drained; the next datagram is a new edge.
            self.source.would_block();
        }
        Ok(count)
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }
}

fn raw_address(address: IpAddr, scope: u32) -> io::Result<RawAddr> {
    RawAddr::encode(&SockAddr::Ip(match address {
        IpAddr::V4(_) => SocketAddr::new(address, 0),
        IpAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(v6, 0, 0, scope)),
    }))
}

/// Room for control messages: two of at most 20 bytes, each with a header of 16; aligned as the headers must be.
const CONTROL: usize = 128;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Room for a batch of received datagrams. One serves all sockets of a thread.
pub struct Inbox {
    bytes: Vec<u8>,
    size: usize,
    names: Vec<RawAddr>,
    controls: Vec<Control>,
    marks: Vec<Mark>,
    count: usize,
}

/// What came with a datagram.
#[derive(Clone, Copy, Default)]
struct Mark {
    len: usize,
    interface: u32,
    destination: Option<IpAddr>,
    hop_limit: Option<u8>,
    truncated: bool,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("room", &self.room()).field("count", &self.count).finish()
    }
}

/// One received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// With the IP header for IPv4, without for IPv6.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub source: IpAddr,
    /// To whom, where the kernel says so.
    pub destination: Option<IpAddr>,
    /// The index of the interface it came in on; 0: unknown.
    pub interface: u32,
    /// The hop limit, where the kernel says so (IPv6).
    pub hop_limit: Option<u8>,
    /// It was longer than the room for it.
    pub truncated: bool,
}

/// The most datagrams one call receives.
const MOST: usize = 32;

impl Inbox {
    /// Room for `count` datagrams (1–32) of `size` bytes each. Memory is touched only as it is used.
    pub fn new(count: usize, size: usize) -> Self {
        let count = count.clamp(1, MOST);
        Self {
            bytes: vec![0; count * size],
            size,
            names: (0..count).map(|_| RawAddr::empty()).collect(),
            controls: vec![Control([0; CONTROL]); count],
            marks: vec![Mark::default(); count],
            count: 0,
        }
    }

    /// How many datagrams it can hold.
    pub fn room(&self) -> usize {
        self.marks.len()
    }

    fn fill(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        let room = self.room();
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MOST];
        let mut messages: [MaybeUninit<libc::mmsghdr>; MOST] = [const { MaybeUninit::uninit() }; MOST];
        let buffers = self.bytes.chunks_exact_mut(self.size.max(1));
        let places =
            messages.iter_mut().zip(&mut parts).zip(buffers).zip(&mut self.names).zip(&mut self.controls);
        for ((((message, part), buffer), name), control) in places {
            part.iov_base = buffer.as_mut_ptr().cast();
            part.iov_len = buffer.len();
            // SAFETY: mmsghdr is integers and pointers that may be null.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = (&raw mut name.storage).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut control.0).cast();
            header.msg_hdr.msg_controllen = CONTROL;
            message.write(header);
        }
        let start = messages.as_mut_ptr().cast::<libc::mmsghdr>();
        let none = std::ptr::null_mut();
        let flags = libc::MSG_DONTWAIT;
        let count = loop {
            // SAFETY: the first `room` headers are initialised (each of the zipped collections has that many or more) and point
            // to live memory of the stated lengths, borrowed from `self` and this frame through the call.
            let count =
                unsafe { libc::recvmmsg(fd.as_raw_fd(), start, room as libc::c_uint, flags as _, none) };
            match syscall::check(count) {
                Ok(count) => break count as usize,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        for ((message, mark), name) in messages.iter().zip(&mut self.marks).zip(&mut self.names).take(count) {
            // SAFETY: the kernel reports at most `room` messages, and those were initialised above.
            let message = unsafe { message.assume_init_ref() };
            name.len = message.msg_hdr.msg_namelen;
            *mark = Mark {
                len: (message.msg_len as usize).min(self.size),
                truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                ..Mark::default()
            };
            read_control(&message.msg_hdr, mark);
        }
        Ok(count)
    }

    /// What the last call received, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = Incoming<'_>> {
        let buffers = self.bytes.chunks_exact(self.size.max(1));
        self.marks.iter().zip(buffers).zip(&self.names).take(self.count).map(|((mark, buffer), name)| {
            Incoming {
                bytes: buffer.get(..mark.len).unwrap_or_default(),
                source: name.decode().ip().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()),
                destination: mark.destination,
                interface: mark.interface,
                hop_limit: mark.hop_limit,
                truncated: mark.truncated,
            }
        })
    }
}

fn read_control(message: &libc::msghdr, mark: &mut Mark) {
    // SAFETY: the kernel has written whole control messages into the buffer and set msg_controllen to their extent, in which
    // the CMSG macros walk; data is read unaligned, and only as much as the message's length covers.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(current) = header.as_ref() {
            let data = libc::CMSG_DATA(header);
            let covers = |size: usize| current.cmsg_len >= libc::CMSG_LEN(size as libc::c_uint) as usize;
            match (current.cmsg_level, current.cmsg_type) {
                (libc::SOL_IP, libc::IP_PKTINFO) if covers(size_of::<libc::in_pktinfo>()) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    mark.interface = info.ipi_ifindex as u32;
                    mark.destination = Some(IpAddr::V4(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes())));
                }
                (libc::SOL_IPV6, libc::IPV6_PKTINFO) if covers(size_of::<libc::in6_pktinfo>()) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    mark.interface = info.ipi6_ifindex;
                    mark.destination = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
                }
                (libc::SOL_IPV6, libc::IPV6_HOPLIMIT) if covers(size_of::<c_int>()) => {
                    mark.hop_limit = u8::try_from(data.cast::<c_int>().read_unaligned()).ok();
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}
