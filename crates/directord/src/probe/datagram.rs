//! `DNS_CHECK`, `UDP_CHECK` and `PING_CHECK`: one datagram out, one back.

use super::engine::Ended;
use super::link::{Link, errno, failed};
use super::plan::Context;
use check::checker::dns::{self, DnsQuery};
use check::checker::ping::Ping;
use check::checker::udp::UdpPattern;
use check::checker::{Attempt, Failure, Obstacle};
use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sockopt,
};
use reactor::{Watch, now, timeout_at};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// A socket that knows its only partner.
struct Socket(Watch);

/// What a socket could not do.
enum Step {
    Open(io::Error),
    Bind(io::Error),
    Connect(io::Error),
}

impl Socket {
    fn open(
        link: &Link,
        to: SocketAddr,
        kind: SockType,
        protocol: Option<SockProtocol>,
    ) -> Result<Self, Step> {
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd: OwnedFd =
            socket::socket(family, kind, flags, protocol).map_err(|error| Step::Open(error.into()))?;
        Self::prepare(link, &fd).map_err(|error| Step::Bind(error.into()))?;
        let connected = socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(to));
        connected.map_err(|error| Step::Connect(error.into()))?;
        Ok(Self(Watch::new(fd).map_err(Step::Open)?))
    }

    fn prepare(link: &Link, fd: &OwnedFd) -> nix::Result<()> {
        if let Some(interface) = &link.interface {
            socket::setsockopt(fd, sockopt::BindToDevice, &OsString::from(&**interface))?;
        }
        if let Some(mark) = link.mark {
            socket::setsockopt(fd, sockopt::Mark, &mark)?;
        }
        if let Some(source) = link.source {
            socket::bind(fd.as_raw_fd(), &SockaddrStorage::from(source))?;
        }
        Ok(())
    }

    fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.0.try_write(|fd| Ok(socket::send(fd.as_raw_fd(), datagram, MsgFlags::MSG_NOSIGNAL)?))
    }

    /// The next datagram, cut where `buffer` ends; `None`: none came in time.
    async fn receive(&self, buffer: &mut [u8], link: &Link) -> Option<io::Result<usize>> {
        let received = async {
            loop {
                match self.0.try_read(|fd| Ok(socket::recv(fd.as_raw_fd(), buffer, MsgFlags::empty())?)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.0.readable().await,
                    result => return result,
                }
            }
        };
        timeout_at(now() + link.timeout, received).await.ok()
    }
}

impl Step {
    fn ended(self, link: &Link) -> Ended {
        match self {
            Self::Open(error) => match link.not_begun(&error, Obstacle::Socket) {
                Ended::Shortage => Ended::Shortage,
                _ => Ended::PutOff(Obstacle::Socket, None),
            },
            Self::Bind(error) => link.not_begun(&error, Obstacle::Bind),
            Self::Connect(error) => match link.not_begun(&error, Obstacle::Bind) {
                Ended::PutOff(..) => failed(Failure::Unreachable, &error),
                ended => ended,
            },
        }
    }
}

/// The longest datagram of interest where there is no other limit.
const ROOM: usize = 2048;
/// Datagrams that are not the answer, after which it is no more waited for.
const STRANGERS: usize = 64;

/// `DNS_CHECK`.
pub(super) async fn dns(link: &Link, to: SocketAddr, query: &DnsQuery, context: &Context) -> Ended {
    let socket = match Socket::open(link, to, SockType::Datagram, None) {
        Ok(socket) => socket,
        Err(step) => return step.ended(link),
    };
    let id = context.draw() as u16;
    let datagram = query.datagram(id);
    match socket.send(&datagram) {
        Ok(len) if len == datagram.len() => {}
        Ok(_) => return Ended::failed(Failure::ShortWrite),
        Err(error) => return failed(Failure::Write(errno(&error) as i32), &error),
    }
    let mut buffer = [0; ROOM];
    for _ in 0..STRANGERS {
        let len = match socket.receive(&mut buffer, link).await {
            None => break,
            Some(Ok(len)) => len,
            Some(Err(error)) => return failed(Failure::Read(errno(&error) as i32), &error),
        };
        if let Some(result) = dns::answer(id, buffer.get(..len).unwrap_or_default()) {
            return Ended::Attempt(Attempt::from(result), None);
        }
    }
    Ended::failed(Failure::ReadTimeout)
}

/// `UDP_CHECK`.
pub(super) async fn udp(link: &Link, to: SocketAddr, pattern: &UdpPattern) -> Ended {
    let socket = match Socket::open(link, to, SockType::Datagram, None) {
        Ok(socket) => socket,
        Err(step) => return step.ended(link),
    };
    if let Err(error) = socket.send(&pattern.datagram()) {
        return failed(Failure::Unreachable, &error);
    }
    let mut buffer = vec![0; pattern.room()];
    let result = match socket.receive(&mut buffer, link).await {
        None => pattern.silence(),
        Some(Ok(len)) => pattern.judge(buffer.get(..len).unwrap_or_default()),
        Some(Err(error)) => return failed(Failure::Refused, &error),
    };
    Ended::Attempt(Attempt::from(result), None)
}

/// `PING_CHECK`: by a datagram socket of the kernel where this process may have one (`net.ipv4.ping_group_range`), else by a
/// raw one. keepalived widens that range for the whole host.
pub(super) async fn ping(link: &Link, to: SocketAddr, context: &Context) -> Ended {
    let v6 = to.is_ipv6();
    let protocol = Some(if v6 { SockProtocol::IcmpV6 } else { SockProtocol::Icmp });
    // A port means nothing here.
    let whom = SocketAddr::new(to.ip(), 0);
    let (socket, raw) = match Socket::open(link, whom, SockType::Datagram, protocol) {
        Err(Step::Open(error)) if errno(&error) == Errno::EACCES => {
            (Socket::open(link, whom, SockType::Raw, protocol), true)
        }
        opened => (opened, false),
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(step) => return step.ended(link),
    };
    let ping = Ping { v6, id: context.draw() as u16, sequence: context.sequence() };
    if let Err(error) = socket.send(&ping.packet()) {
        return failed(Failure::Write(errno(&error) as i32), &error);
    }
    let mut buffer = [0; ROOM];
    for _ in 0..STRANGERS {
        let len = match socket.receive(&mut buffer, link).await {
            None => break,
            Some(Ok(len)) => len,
            Some(Err(error)) => return failed(Failure::Read(errno(&error) as i32), &error),
        };
        let packet = buffer.get(..len).unwrap_or_default();
        let packet = match raw {
            false => Some(packet),
            true => own_reply(packet, ping),
        };
        if let Some(result) = packet.and_then(|packet| ping.answer(packet)) {
            return Ended::Attempt(Attempt::from(result), None);
        }
    }
    Ended::failed(Failure::ReadTimeout)
}

/// What a raw socket received, from the ICMP header on, if it is a reply to this request and not another's, nor a request
/// (of a host that pings itself).
fn own_reply(packet: &[u8], ping: Ping) -> Option<&[u8]> {
    let packet = if ping.v6 {
        packet
    } else {
        let length = usize::from(packet.first()? & 0x0f) * 4;
        packet.get(length..)?
    };
    let (&[kind, _, _, _, high, low, ..], _) = packet.split_first_chunk::<8>()?;
    let reply = if ping.v6 { 129 } else { 0 };
    (kind == reply && u16::from_be_bytes([high, low]) == ping.id).then_some(packet)
}
