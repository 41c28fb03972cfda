//! Listening sockets.

use crate::address::{RawAddr, SockAddr, invalid};
use crate::clock::now;
use crate::reactor;
use crate::source::Watched;
use crate::stream::Stream;
use crate::syscall;
use crate::timer::Timer;
use ek_time::Duration;
use std::cell::Cell;
use std::fmt;
use std::fs::Permissions;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

/// How long accepting rests when the process or the system has no descriptors or memory left.
const REST: Duration = Duration::from_millis(100);
/// Connections [`Listener::accept`] gives out per turn of the loop; then other tasks have theirs.
const ACCEPTS_PER_TURN: u32 = 64;

/// Whether the process or the system has no descriptors or memory left.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// How a socket listens.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted; the system's limit is `net.core.somaxconn`.
    pub backlog: u32,
    /// Several sockets share the address and the kernel spreads connections over them (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// An IPv6 socket takes no IPv4 connections (`Some(true)`) or does (`Some(false)`); else as the system is set.
    pub v6only: Option<bool>,
    /// The address need not be one of this host (`IP_TRANSPARENT`; needs `CAP_NET_ADMIN`).
    pub transparent: bool,
    /// The address need not be one of this host yet (`IP_FREEBIND`).
    pub free_bind: bool,
    /// Only connections through this interface (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Accept when data has come, or after about so long (`TCP_DEFER_ACCEPT`, whole seconds).
    pub defer_accept: Option<Duration>,
    /// The largest segment to announce, in bytes.
    pub mss: Option<u16>,
    /// Connections whose data may come with the SYN (`TCP_FASTOPEN`): how many may wait.
    pub fast_open: Option<u32>,
    /// The kernel's receive buffer of accepted sockets, in bytes, instead of one it sizes itself.
    pub receive_buffer: Option<u32>,
    /// The kernel's send buffer of accepted sockets, in bytes, instead of one it sizes itself.
    pub send_buffer: Option<u32>,
    /// Accepted connections send small segments at once. On by default.
    pub nodelay: bool,
    /// Permissions of a Unix socket's file.
    pub mode: Option<u32>,
    /// Owner of a Unix socket's file.
    pub uid: Option<u32>,
    /// Group of a Unix socket's file.
    pub gid: Option<u32>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 1024,
            reuse_port: false,
            v6only: None,
            transparent: false,
            free_bind: false,
            interface: None,
            defer_accept: None,
            mss: None,
            fast_open: None,
            receive_buffer: None,
            send_buffer: None,
            nodelay: true,
            mode: None,
            uid: None,
            gid: None,
        }
    }
}

/// A listening TCP or Unix stream socket.
pub struct Listener {
    source: Watched,
    /// Set while accepting rests.
    rest: Timer,
    /// The turn of the loop, and how many connections [`accept`](Self::accept) gave out in it.
    given: Cell<(u64, u32)>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.source.fd()).finish()
    }
}

impl Listener {
    /// Binds and listens. A Unix socket's file is made beside its place and renamed over it, so that an earlier
    /// process's socket is replaced without a moment in which there is none.
    ///
    /// # Errors
    /// Those of `socket`, the options, `bind`, `listen` and of the file's owner, mode and name.
    pub fn bind(addr: &SockAddr, options: &ListenOptions) -> io::Result<Self> {
        let fd = syscall::socket(addr.family(), libc::SOCK_STREAM)?;
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        match addr {
            SockAddr::Path(path) => bind_path(fd.as_fd(), path, options, backlog)?,
            _ => {
                options.apply(fd.as_fd(), addr)?;
                syscall::bind(fd.as_fd(), &RawAddr::encode(addr)?)?;
                syscall::listen(fd.as_fd(), backlog)?;
            }
        }
        Ok(Self::new(fd))
    }

    /// Takes a listening socket that another process made; makes it non-blocking and close-on-exec.
    ///
    /// # Errors
    /// When it is not a TCP or Unix stream socket that listens.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if !syscall::stream_kind(fd.as_fd())?.1 {
            return Err(invalid("the inherited socket does not listen"));
        }
        syscall::set_nonblocking(fd.as_fd())?;
        syscall::set_cloexec(fd.as_fd())?;
        Ok(Self::new(fd))
    }

    fn new(fd: OwnedFd) -> Self {
        Self { source: Watched::new(fd, 0), rest: Timer::new(), given: Cell::new((0, 0)) }
    }

    /// Takes a connection that waits.
    ///
    /// Connections that died while they waited are passed over. When there are no descriptors or no memory left, the
    /// error is returned once and accepting rests for 100 ms.
    ///
    /// # Errors
    /// `WouldBlock` when none waits; those of `accept4`.
    pub fn try_accept(&self) -> io::Result<(Stream, SockAddr)> {
        if !self.rested() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            match self.source.read(syscall::accept) {
                Ok((fd, peer)) => return Ok((Stream::accepted(fd, &peer), peer)),
                Err(error) => match error.raw_os_error() {
                    // The connection's own misfortune (accept(2), "Error handling"), or a firewall's verdict.
                    Some(
                        libc::ECONNABORTED
                        | libc::EPROTO
                        | libc::ENOPROTOOPT
                        | libc::ENETDOWN
                        | libc::EHOSTDOWN
                        | libc::ENONET
                        | libc::EHOSTUNREACH
                        | libc::ENETUNREACH
                        | libc::EPERM,
                    ) => {}
                    _ => {
                        if is_shortage(&error) {
                            self.rest.set(Some(now() + REST));
                        }
                        return Err(error);
                    }
                },
            }
        }
    }

    /// Whether accepting does not rest (any more).
    fn rested(&self) -> bool {
        let rested = self.rest.deadline().is_none() || self.rest.is_expired();
        if rested {
            self.rest.set(None);
        }
        rested
    }

    /// Ready when accepting is worth trying; may be so in vain.
    pub fn poll_acceptable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.rested() {
            return self.rest.poll_expired(cx);
        }
        self.source.poll_readable(cx)
    }

    /// Waits for a connection. It leaves other tasks their turns, even when connections come without end.
    ///
    /// # Errors
    /// Those of [`try_accept`](Self::try_accept) but `WouldBlock`; it can be called again at once.
    pub async fn accept(&self) -> io::Result<(Stream, SockAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// [`accept`](Self::accept) as a poll.
    ///
    /// # Errors
    /// As there.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, SockAddr)>> {
        let turn = reactor::turn();
        let given = match self.given.get() {
            (when, count) if when == turn => count,
            _ => 0,
        };
        if given >= ACCEPTS_PER_TURN {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            std::task::ready!(self.poll_acceptable(cx));
            match self.try_accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.given.set((turn, given + 1));
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        syscall::local_addr(self.source.fd())
    }

    /// Another descriptor of the same socket, to be passed to another process.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        self.source.fd().try_clone_to_owned()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The socket may live on in other processes.
        self.source.unwatch_shared();
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }
}

impl ListenOptions {
    fn apply(&self, fd: BorrowedFd<'_>, addr: &SockAddr) -> io::Result<()> {
        let Some(ip) = addr.ip() else { return Ok(()) };
        let set = |level, name, value| syscall::set_option(fd, level, name, value);
        set(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        if self.reuse_port {
            set(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        if let (true, Some(only)) = (ip.is_ipv6(), self.v6only) {
            set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only.into())?;
        }
        if self.transparent {
            syscall::set_transparent(fd, addr.family())?;
        }
        if self.free_bind {
            set(libc::IPPROTO_IP, libc::IP_FREEBIND, 1)?;
        }
        if let Some(interface) = &self.interface {
            syscall::set_option_text(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, interface)?;
        }
        if let Some(span) = self.defer_accept {
            let seconds = i32::try_from(span.as_secs().max(1)).unwrap_or(i32::MAX);
            set(libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)?;
        }
        if let Some(mss) = self.mss {
            set(libc::IPPROTO_TCP, libc::TCP_MAXSEG, mss.into())?;
        }
        if let Some(count) = self.fast_open {
            set(libc::IPPROTO_TCP, libc::TCP_FASTOPEN, i32::try_from(count).unwrap_or(i32::MAX))?;
        }
        syscall::set_buffers(fd, self.receive_buffer, self.send_buffer)?;
        if self.nodelay {
            // Accepted sockets inherit it: no call per connection.
            set(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
        }
        Ok(())
    }
}

fn bind_path(fd: BorrowedFd<'_>, path: &Path, options: &ListenOptions, backlog: i32) -> io::Result<()> {
    // A name too long for its place is told of that place, not of the temporary one.
    RawAddr::encode(&SockAddr::Path(path.to_path_buf()))?;
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(name);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    syscall::bind(fd, &RawAddr::encode(&SockAddr::Path(beside.clone()))?)?;
    let finish = || {
        if let Some(mode) = options.mode {
            std::fs::set_permissions(&beside, Permissions::from_mode(mode))?;
        }
        if options.uid.is_some() || options.gid.is_some() {
            chown(&beside, options.uid, options.gid)?;
        }
        syscall::listen(fd, backlog)?;
        std::fs::rename(&beside, path)
    };
    finish().inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}
