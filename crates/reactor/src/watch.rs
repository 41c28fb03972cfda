//! Descriptors of any kind, watched by the reactor: netlink and raw sockets, inotify, FIFOs.

use crate::source::Watched;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

/// A non-blocking descriptor whose reads and writes are the caller's, and whose readiness is the reactor's.
///
/// Calls go through [`try_read`](Self::try_read) and [`try_write`](Self::try_write), which note when there is nothing to
/// do: only then does waiting wait. Two tasks may wait, one for each direction.
pub struct Watch {
    source: Watched,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("fd", &self.source.fd()).finish()
    }
}

impl Watch {
    /// Takes a descriptor that epoll can watch, and makes it non-blocking.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        crate::syscall::set_nonblocking(fd.as_fd())?;
        Ok(Self { source: Watched::new(fd, 0) })
    }

    /// Makes a reading call unless it is known to be in vain. The call must say `WouldBlock` when nothing is there.
    ///
    /// # Errors
    /// Those of the call; `WouldBlock`, also without a call.
    pub fn try_read<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        self.source.read(call)
    }

    /// Makes a writing call unless it is known to be in vain. The call must say `WouldBlock` when there is no room.
    ///
    /// # Errors
    /// Those of the call; `WouldBlock`, also without a call.
    pub fn try_write<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        self.source.write(call)
    }

    /// Ready when reading is worth trying; may be so in vain.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_readable(cx)
    }

    /// Ready when writing is worth trying; may be so in vain.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_writable(cx)
    }

    /// Waits until reading is worth trying.
    pub async fn readable(&self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }

    /// Waits until writing is worth trying.
    pub async fn writable(&self) {
        poll_fn(|cx| self.poll_writable(cx)).await;
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }
}
