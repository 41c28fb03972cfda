//! Whether the program at the other end of a loopback connection has read what was sent to it: asked of the kernel
//! (sock_diag), so that a test can send a message in pieces without sleeping between them.

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_HDR: usize = 16;
/// Offset of `idiag_rqueue` in a reply.
const RQUEUE: usize = NLMSG_HDR + 4 + 48 + 4;

/// Waits until the socket with address `theirs`, connected to `ours`, has nothing unread; says whether that came.
/// Ends early, with `true`, when the socket is gone.
pub fn wait_read(theirs: SocketAddr, ours: SocketAddr, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut turns = 0_u32;
    loop {
        match unread(theirs, ours) {
            Some(0) | None => return true,
            Some(_) if Instant::now() >= deadline => return false,
            Some(_) if turns < 20 => thread::yield_now(),
            Some(_) => thread::park_timeout(Duration::from_millis(1)),
        }
        turns += 1;
    }
}

/// Unread bytes of the socket bound to `theirs` and connected to `ours`; `None` when there is none.
///
/// # Panics
/// When the kernel has no sock_diag: then split messages cannot be tested.
pub fn unread(theirs: SocketAddr, ours: SocketAddr) -> Option<u32> {
    let diag =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)
            .expect("no NETLINK_SOCK_DIAG socket: this kernel cannot say what a peer has read");
    let _ = setsockopt(&diag, sockopt::ReceiveTimeout, &TimeVal::seconds(5));
    let family = if theirs.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let mut request = Vec::with_capacity(72);
    request.extend(72_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, libc::IPPROTO_TCP as u8, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(theirs.port().to_be_bytes());
    request.extend(ours.port().to_be_bytes());
    for address in [theirs.ip(), ours.ip()] {
        let mut field = [0; 16];
        match address {
            IpAddr::V4(v4) => field[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => field = v6.octets(),
        }
        request.extend(field);
    }
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    sendto(diag.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty())
        .expect("sock_diag request");
    let mut reply = [0; 1024];
    let len = recv(diag.as_raw_fd(), &mut reply, MsgFlags::empty()).expect("sock_diag reply");
    let kind = u16::from_ne_bytes([reply[4], reply[5]]);
    let state = reply[NLMSG_HDR + 1];
    // An error reply says that there is no such socket; states from 6 (TIME_WAIT) and 7 (CLOSE) on read nothing.
    if len < RQUEUE + 4 || kind != SOCK_DIAG_BY_FAMILY || matches!(state, 6 | 7) {
        return None;
    }
    reply.get(RQUEUE..RQUEUE + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn unread_bytes_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let (theirs, ours) = (client.peer_addr().unwrap(), client.local_addr().unwrap());
        client.write_all(b"hello").unwrap();
        assert_eq!(unread(theirs, ours), Some(5));
        assert!(!wait_read(theirs, ours, Duration::from_millis(2)));
        accepted.read_exact(&mut [0; 5]).unwrap();
        assert!(wait_read(theirs, ours, crate::DEADLINE));
    }
}
