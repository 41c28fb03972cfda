//! What goes over a segment: VRRP packets, as another host of it sees them.

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;
use testkit::lab::{Host, eventually};

/// An advertisement over IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) source: Ipv4Addr,
    pub(crate) priority: u8,
}

/// Somebody who listens; stops when dropped.
pub(crate) struct Listener {
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// In this host, on all its links.
    pub(crate) fn at(host: &Host) -> Self {
        let socket = host.inside(|| {
            let fd = socket(
                AddressFamily::Packet,
                SockType::Datagram,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthIp,
            );
            let fd = fd.expect("a packet socket");
            setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(50)).unwrap();
            fd
        });
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (to, ended) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 2048];
            while !ended.load(Ordering::Relaxed) {
                let flags = nix::sys::socket::MsgFlags::empty();
                let Ok(length) = recv(socket.as_raw_fd(), &mut packet, flags) else { continue };
                if let Some(advert) = advert(&packet[..length]) {
                    to.lock().unwrap().push(advert);
                }
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits for an advertisement that was not there at `from` (a number of those seen).
    pub(crate) fn wait_for(&self, what: &str, from: usize, is: impl Fn(&Seen) -> bool) -> Seen {
        let mut found = None;
        eventually(what, || {
            found = self.seen().get(from..).unwrap_or_default().iter().find(|seen| is(seen)).copied();
            found.is_some()
        });
        found.unwrap()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn advert(packet: &[u8]) -> Option<Seen> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    if packet.get(9) != Some(&112) {
        return None;
    }
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let priority = *packet.get(header + 2)?;
    Some(Seen { at: Instant::now(), source: source.into(), priority })
}
