//! Datagram sockets, as log lines travel.

use crate::address::{RawAddr, SockAddr};
use crate::source::Watched;
use crate::syscall;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

/// A UDP or Unix datagram socket. It never blocks.
pub struct Datagram {
    source: Watched,
    /// Where datagrams go; `None` for one that only receives.
    target: Option<RawAddr>,
    /// Whether neighbours of one length are handed to the kernel as one.
    joins: Cell<bool>,
    /// Whether the kernel knows it. A Unix target that vanished is looked up anew for every call until it is back.
    connected: Cell<bool>,
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram").field("fd", &self.source.fd()).field("connected", &self.connected).finish()
    }
}

impl Datagram {
    /// A socket that sends to `target`. A Unix target need not exist yet.
    ///
    /// # Errors
    /// Those of `socket`; of `connect` for UDP, for instance when there is no route.
    pub fn connect(target: &SockAddr) -> io::Result<Self> {
        let raw = RawAddr::encode(target)?;
        let fd = syscall::socket(target.family(), libc::SOCK_DGRAM)?;
        let connected = match syscall::connect(fd.as_fd(), &raw) {
            Ok(()) => true,
            Err(_) if target.ip().is_none() => false,
            Err(error) => return Err(error),
        };
        let joins = Cell::new(target.ip().is_some() && syscall::can_join(fd.as_fd()));
        Ok(Self { source: Watched::new(fd, 0), target: Some(raw), joins, connected: Cell::new(connected) })
    }

    /// A socket that receives at `addr`.
    ///
    /// # Errors
    /// Those of `socket` and `bind`.
    pub fn bind(addr: &SockAddr) -> io::Result<Self> {
        let fd = syscall::socket(addr.family(), libc::SOCK_DGRAM)?;
        syscall::bind(fd.as_fd(), &RawAddr::encode(addr)?)?;
        let (joins, connected) = (Cell::new(false), Cell::new(false));
        Ok(Self { source: Watched::new(fd, 0), target: None, joins, connected })
    }

    /// Sends one datagram; see [`try_send_many`](Self::try_send_many).
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        self.try_send_many(&[IoSlice::new(datagram)]).map(drop)
    }

    /// Sends each slice as a datagram, 64 per system call; returns how many the kernel took, in order.
    ///
    /// UDP datagrams of one length that follow one another, and a shorter one after them, go through the kernel as one
    /// and are cut up at the end of their way, where kernel and interface can do that.
    ///
    /// A vanished Unix target (a restarted log daemon) is looked for again once. A refusal that answers an earlier UDP
    /// datagram does not fail this one.
    ///
    /// # Errors
    /// Why not even the first went: `WouldBlock` when the receiver's queue is full, `NotFound` or `ConnectionRefused` when
    /// nobody listens, `EMSGSIZE` when it is too long. The caller drops it or tries later.
    pub fn try_send_many(&self, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = datagrams.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.send_batch(rest) {
                Ok(count) => {
                    sent += count;
                    if count < rest.len().min(syscall::BATCH) {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn send_batch(&self, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
        self.look_up()?;
        // Readiness is not asked: a full queue costs one call per batch, and needs no registration.
        let result = self.send_now(datagrams);
        match &result {
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(
                        libc::ECONNREFUSED
                            | libc::ENOTCONN
                            | libc::ENOENT
                            | libc::ECONNRESET
                            | libc::EPIPE
                            | libc::EDESTADDRREQ
                    )
                ) =>
            {
                if self.is_unix() {
                    self.connected.set(false);
                    self.look_up()?;
                }
                self.send_now(datagrams)
            }
            _ => result,
        }
    }

    fn send_now(&self, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
        const REFUSALS: [libc::c_int; 4] = [libc::EINVAL, libc::EIO, libc::EMSGSIZE, libc::EOPNOTSUPP];
        let joins = self.joins.get();
        let result = syscall::send_many(self.source.fd(), datagrams, joins);
        match &result {
            Err(error) if joins && error.raw_os_error().is_some_and(|code| REFUSALS.contains(&code)) => {
                let alone = syscall::send_many(self.source.fd(), datagrams, false);
                // Not the datagram's fault: a small MTU, or an interface that leaves checksums to others.
                self.joins.set(alone.is_err());
                alone
            }
            _ => result,
        }
    }

    fn is_unix(&self) -> bool {
        self.target.as_ref().is_some_and(|raw| libc::c_int::from(raw.storage.ss_family) == libc::AF_UNIX)
    }

    fn look_up(&self) -> io::Result<()> {
        if let (false, Some(target)) = (self.connected.get(), &self.target) {
            syscall::connect(self.source.fd(), target)?;
            self.connected.set(true);
        }
        Ok(())
    }

    /// Receives one datagram; what is longer than `buf` is cut.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.read(|fd| syscall::recv_into(fd, buf, 0))
    }

    /// Ready when receiving is worth trying; may be so in vain.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_readable(cx)
    }

    /// Waits until receiving is worth trying.
    pub async fn readable(&self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        syscall::local_addr(self.source.fd())
    }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }
}
