//! Connected stream sockets.

use crate::address::{RawAddr, SockAddr, invalid};
use crate::pipe::Pipe;
use crate::source::{CONNECTING, READABLE, SHORT_IS_DRAINED, WRITABLE, Watched, would_block};
use crate::syscall;
use ek_time::Duration;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

/// How a connection is made. The default asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The address to come from (port 0: any).
    pub source: Option<SocketAddr>,
    /// `source` need not be an address of this host (`IP_TRANSPARENT`; needs `CAP_NET_ADMIN`).
    pub transparent: bool,
    /// The interface to go through (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Send small segments at once.
    pub nodelay: bool,
    /// The largest segment to announce, in bytes.
    pub mss: Option<u16>,
    /// How long sent data may stay unacknowledged before the connection is dropped.
    pub user_timeout: Option<Duration>,
    /// Send the first data with the SYN when the peer allows it (`TCP_FASTOPEN_CONNECT`).
    pub fast_open: bool,
    /// Firewall mark of the packets (`SO_MARK`; needs `CAP_NET_ADMIN`).
    pub mark: Option<u32>,
    /// Keep-alive probes.
    pub keep_alive: Option<KeepAlive>,
    /// The kernel's receive buffer, in bytes, instead of one it sizes itself.
    pub receive_buffer: Option<u32>,
    /// The kernel's send buffer, in bytes, instead of one it sizes itself.
    pub send_buffer: Option<u32>,
}

/// TCP keep-alive probes; what is `None` is the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// Idle time before the first probe, in whole seconds.
    pub idle: Option<Duration>,
    /// Time between probes, in whole seconds.
    pub interval: Option<Duration>,
    /// Unanswered probes after which the connection is dropped.
    pub count: Option<u32>,
}

/// A TCP or Unix stream connection. It never blocks: what cannot be done now returns `WouldBlock`, after which the
/// matching `poll_…` says when to try again. One task at a time can wait for each direction.
pub struct Stream(Watched);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.0.fd()).finish()
    }
}

fn is_tcp(addr: &SockAddr) -> u16 {
    if addr.ip().is_some() { SHORT_IS_DRAINED } else { 0 }
}

impl Stream {
    /// Begins to connect. Wait for [`connected`](Self::connected), or write at once: that fails with `WouldBlock`
    /// while the connection is being made, with the reason when it could not be.
    ///
    /// # Errors
    /// Those of `socket`, the options, `bind` and `connect`. A Unix socket's full backlog is `WouldBlock`.
    pub fn connect(addr: &SockAddr, options: &ConnectOptions) -> io::Result<Self> {
        let raw = RawAddr::encode(addr)?;
        let fd = syscall::socket(addr.family(), libc::SOCK_STREAM)?;
        if addr.ip().is_some() {
            options.apply(fd.as_fd(), addr)?;
        }
        let connecting = match syscall::connect(fd.as_fd(), &raw) {
            Ok(()) => 0,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => CONNECTING,
            Err(error) => return Err(error),
        };
        Ok(Self(Watched::new(fd, connecting | is_tcp(addr))))
    }

    /// Takes a connected stream socket, for instance an inherited one; makes it non-blocking and close-on-exec.
    ///
    /// # Errors
    /// When it is not a TCP or Unix stream socket, or a listening one.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let (family, listening) = syscall::stream_kind(fd.as_fd())?;
        if listening {
            return Err(invalid("a connection is expected, not a listening socket"));
        }
        syscall::set_nonblocking(fd.as_fd())?;
        syscall::set_cloexec(fd.as_fd())?;
        Ok(Self(Watched::new(fd, if family == libc::AF_UNIX { 0 } else { SHORT_IS_DRAINED })))
    }

    /// Two Unix stream sockets, connected to each other.
    ///
    /// # Errors
    /// Those of `socketpair`.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = syscall::socketpair(libc::SOCK_STREAM)?;
        Ok((Self(Watched::new(one, 0)), Self(Watched::new(other, 0))))
    }

    pub(crate) fn accepted(fd: OwnedFd, peer: &SockAddr) -> Self {
        Self(Watched::new(fd, is_tcp(peer)))
    }

    /// Gives the descriptor away, no longer watched.
    ///
    /// # Errors
    /// When it cannot be duplicated (no descriptors left).
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        let fd = self.0.fd().try_clone_to_owned()?;
        self.0.unwatch_shared();
        Ok(fd)
    }

    /// Waits until the connection is made.
    ///
    /// # Errors
    /// Why it could not be made.
    pub async fn connected(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_connected(cx)).await
    }

    /// Ready when the connection is made or has failed.
    ///
    /// # Errors
    /// Why it could not be made; reported once.
    pub fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.0.has(CONNECTING) {
                return Poll::Ready(Ok(()));
            }
            // Sending nothing waits for the connection or tells why there is none, as sending something does.
            match self.0.write(|fd| syscall::send(fd, &[], 0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.0.clear(CONNECTING);
                    return Poll::Ready(result.map(drop));
                }
            }
            std::task::ready!(self.0.poll_writable(cx));
        }
    }

    /// Reads what is there; 0: the peer has ended its direction (or `buf` is empty).
    ///
    /// After a short read from TCP no call is made until epoll reports more, unless the peer's close was reported: then
    /// reading goes on to the end, so that it is never missed.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; those of `recv`.
    #[inline]
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(|fd| syscall::recv_into(fd, buf, 0))?;
        if len < buf.len() {
            self.0.read_short();
        }
        Ok(len)
    }

    /// [`try_read`](Self::try_read) into memory that was never written; returns the part that now is.
    ///
    /// # Errors
    /// As `try_read`.
    #[inline]
    pub fn try_read_uninit<'b>(&self, buf: &'b mut [MaybeUninit<u8>]) -> io::Result<&'b mut [u8]> {
        let room = buf.len();
        let read = self.0.read(|fd| syscall::recv(fd, buf))?;
        if read.len() < room {
            self.0.read_short();
        }
        Ok(read)
    }

    /// Reads without taking: the same bytes come again.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(|fd| syscall::recv_into(fd, buf, libc::MSG_PEEK))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, or while connecting; those of `send`. Never a SIGPIPE.
    #[inline]
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.write(buf.len(), |fd| syscall::send(fd, buf, 0))
    }

    /// [`try_write`](Self::try_write) of several parts with one call; `more`: further data follows at once, so a last
    /// incomplete segment may wait for it (`MSG_MORE`).
    ///
    /// # Errors
    /// As `try_write`.
    #[inline]
    pub fn try_write_vectored(&self, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let flags = if more { libc::MSG_MORE } else { 0 };
        if let [part] = parts {
            // The kernel has less to copy in and to check.
            return self.write(part.len(), |fd| syscall::send(fd, part, flags));
        }
        let all = parts.iter().map(|part| part.len()).sum();
        self.write(all, |fd| syscall::send_parts(fd, parts, flags))
    }

    #[inline]
    fn write(&self, all: usize, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        let len = self.0.write(call)?;
        self.0.clear(CONNECTING);
        if len < all {
            self.0.clear(WRITABLE);
        }
        Ok(len)
    }

    /// Moves up to `max` bytes from the socket into `pipe`; 0: the peer has ended its direction.
    ///
    /// Drain the pipe first: a socket without data and a pipe without room are told apart only when the pipe is empty.
    ///
    /// # Errors
    /// `WouldBlock`: when `pipe` is empty, nothing is there; else that, or it has no room. Those of `splice`.
    pub fn splice_to(&self, pipe: &mut Pipe, max: usize) -> io::Result<usize> {
        let was_empty = pipe.is_empty();
        let result = self.0.read(|fd| pipe.fill(fd, max));
        if !was_empty && would_block(&result) {
            self.0.set(READABLE);
        }
        result
    }

    /// Moves what is in `pipe` into the socket (splice raises SIGPIPE when the peer is gone; Rust programs ignore it from their
    /// start, and must go on to); `more` as in [`try_write_vectored`](Self::try_write_vectored).
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; those of `splice`.
    pub fn splice_from(&self, pipe: &mut Pipe, more: bool) -> io::Result<usize> {
        if pipe.is_empty() {
            return Ok(0);
        }
        // Short is no sign of a full socket here: splice also stops at segment boundaries.
        let len = self.0.write(|fd| pipe.drain(fd, more))?;
        self.0.clear(CONNECTING);
        Ok(len)
    }

    /// Ready when a read is worth trying; may be so in vain.
    #[inline]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(cx)
    }

    /// Ready when a write is worth trying; may be so in vain.
    #[inline]
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_writable(cx)
    }

    /// Waits until a read is worth trying.
    pub async fn readable(&self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }

    /// Waits until a write is worth trying.
    pub async fn writable(&self) {
        poll_fn(|cx| self.poll_writable(cx)).await;
    }

    /// Ready when the peer has closed, whatever is still unread. It takes the place of a task that waits for reading;
    /// look at [`peer_closed`](Self::peer_closed) when it is ready.
    pub fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_peer_closed(cx)
    }

    /// Ready when the connection broke or both directions ended: nothing that is sent can arrive. It takes the place of a
    /// task that waits for reading.
    pub fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_broken(cx)
    }

    /// Whether this thread's reactor watches it, so that waiting costs no system call any more.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.0.is_watched()
    }

    /// Whether epoll has reported that the peer closed or the connection broke. It can only know of a stream for which
    /// somebody has waited.
    #[inline]
    pub fn peer_closed(&self) -> bool {
        self.0.peer_closed()
    }

    /// The pending error of the socket, which is cleared.
    pub fn take_error(&self) -> Option<io::Error> {
        match syscall::option(self.0.fd(), libc::SOL_SOCKET, libc::SO_ERROR) {
            Ok(0) => None,
            Ok(code) => Some(io::Error::from_raw_os_error(code)),
            Err(error) => Some(error),
        }
    }

    /// Ends the direction of writing (a FIN); reading goes on.
    ///
    /// # Errors
    /// `NotConnected` when the connection is gone.
    pub fn shutdown_write(&self) -> io::Result<()> {
        syscall::shutdown(self.0.fd(), libc::SHUT_WR)
    }

    /// Makes the close a reset that drops what is unsent (no `TIME_WAIT`).
    ///
    /// # Errors
    /// Those of `setsockopt`, as of the following.
    pub fn set_linger_zero(&self) -> io::Result<()> {
        syscall::set_linger_zero(self.0.fd())
    }

    /// Sends small segments at once (TCP).
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        syscall::set_option(self.0.fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, on.into())
    }

    /// Acknowledges at once (TCP; until the kernel thinks otherwise).
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_quickack(&self, on: bool) -> io::Result<()> {
        syscall::set_option(self.0.fd(), libc::IPPROTO_TCP, libc::TCP_QUICKACK, on.into())
    }

    /// Sends keep-alive probes (TCP).
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_keepalive(&self, keep_alive: KeepAlive) -> io::Result<()> {
        keep_alive.apply(self.0.fd())
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        syscall::local_addr(self.0.fd())
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SockAddr> {
        syscall::peer_addr(self.0.fd())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }
}

impl ConnectOptions {
    fn apply(&self, fd: BorrowedFd<'_>, addr: &SockAddr) -> io::Result<()> {
        let set = |level, name, value| syscall::set_option(fd, level, name, value);
        if self.nodelay {
            set(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
        }
        if let Some(mss) = self.mss {
            set(libc::IPPROTO_TCP, libc::TCP_MAXSEG, mss.into())?;
        }
        if let Some(timeout) = self.user_timeout {
            let millis = timeout.as_millis().try_into().unwrap_or(i32::MAX);
            set(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, millis)?;
        }
        if self.fast_open {
            set(libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)?;
        }
        if let Some(mark) = self.mark {
            set(libc::SOL_SOCKET, libc::SO_MARK, mark as i32)?;
        }
        if let Some(keep_alive) = self.keep_alive {
            keep_alive.apply(fd)?;
        }
        syscall::set_buffers(fd, self.receive_buffer, self.send_buffer)?;
        if let Some(interface) = &self.interface {
            syscall::set_option_text(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, interface)?;
        }
        if self.transparent {
            syscall::set_transparent(fd, addr.family())?;
        }
        if let Some(source) = self.source {
            if source.port() == 0 {
                // The port is chosen at connect, when the whole 4-tuple is known: many more connections fit.
                set(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
            } else {
                set(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
            }
            syscall::bind(fd, &RawAddr::encode(&SockAddr::Ip(source))?)?;
        }
        Ok(())
    }
}

impl KeepAlive {
    fn apply(self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let seconds = |span: Duration| i32::try_from(span.as_secs().max(1)).unwrap_or(i32::MAX);
        let values = [
            (libc::TCP_KEEPIDLE, self.idle.map(seconds)),
            (libc::TCP_KEEPINTVL, self.interval.map(seconds)),
            (libc::TCP_KEEPCNT, self.count.map(|count| i32::try_from(count).unwrap_or(i32::MAX))),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                syscall::set_option(fd, libc::IPPROTO_TCP, name, value)?;
            }
        }
        syscall::set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)
    }
}
