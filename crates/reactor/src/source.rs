//! A descriptor that the reactor can watch, and what is known of its readiness.

use crate::reactor;
use crate::slab::Key;
use crate::syscall;
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Worth reading: assumed at first, then as epoll says.
pub(crate) const READABLE: u16 = 1;
/// Worth writing.
pub(crate) const WRITABLE: u16 = 1 << 1;
/// The peer closed its direction, or both, or the connection broke: the next reads say which, and must be made.
const READ_CLOSED: u16 = 1 << 2;
/// The connection broke or is wholly closed: the next write says so.
const WRITE_CLOSED: u16 = 1 << 3;
/// A close was seen; unlike the two above this is never cleared.
const PEER_CLOSED: u16 = 1 << 4;
/// A short read means that the queue is empty (TCP without urgent data; not Unix sockets, which stop at messages).
pub(crate) const SHORT_IS_DRAINED: u16 = 1 << 5;
/// A connect was begun and its result was not seen yet.
pub(crate) const CONNECTING: u16 = 1 << 6;
/// The kernel refused to watch it: every transfer that would wait fails instead.
const UNWATCHABLE: u16 = 1 << 7;
/// epoll reports when it becomes writable. It would do so at once for every new connection, so it is asked only where
/// somebody has waited for that.
const REPORTS_WRITABLE: u16 = 1 << 8;

/// Urgent data is reported for the sake of [`SHORT_IS_DRAINED`]; Miri does not know it.
const URGENT: libc::c_int = if cfg!(miri) { 0 } else { libc::EPOLLPRI };
const EVENTS: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET | URGENT) as u32;
const EVENTS_AND_WRITABLE: u32 = EVENTS | libc::EPOLLOUT as u32;

pub(crate) struct Source {
    fd: OwnedFd,
    flags: Cell<u16>,
    /// Which reactor watches it (0: none), and its key there.
    reactor: Cell<u32>,
    key: Cell<Key>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

/// The owner of a [`Source`]; the reactor's table has the other reference.
pub(crate) struct Watched(Rc<Source>);

impl Watched {
    /// Takes a non-blocking descriptor, assumed to be ready, with further `flags`.
    pub(crate) fn new(fd: OwnedFd, flags: u16) -> Self {
        Self(Rc::new(Source {
            fd,
            flags: Cell::new(READABLE | WRITABLE | flags),
            reactor: Cell::new(0),
            key: Cell::new(Key::NONE),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }

    pub(crate) fn has(&self, flags: u16) -> bool {
        self.0.flags.get() & flags != 0
    }

    pub(crate) fn set(&self, flags: u16) {
        self.0.flags.set(self.0.flags.get() | flags);
    }

    pub(crate) fn clear(&self, flags: u16) {
        self.0.flags.set(self.0.flags.get() & !flags);
    }

    pub(crate) fn peer_closed(&self) -> bool {
        self.has(PEER_CLOSED)
    }

    pub(crate) fn is_watched(&self) -> bool {
        let watching = self.0.reactor.get();
        watching != 0 && reactor::with(|reactor| reactor.id) == Some(watching)
    }

    fn check_watchable(&self) -> io::Result<()> {
        if self.has(UNWATCHABLE) {
            return Err(io::Error::other("the descriptor cannot be watched"));
        }
        Ok(())
    }

    /// Makes a read call if it can bring anything, and notes when the queue was found empty.
    #[inline]
    pub(crate) fn read<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        if !self.has(READABLE | READ_CLOSED) {
            self.check_watchable()?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = call(self.fd());
        if would_block(&result) {
            self.clear(READABLE | READ_CLOSED);
        }
        result
    }

    /// Reading is to wait for the next event.
    pub(crate) fn would_block(&self) {
        self.clear(READABLE | READ_CLOSED);
    }

    /// A read brought less than it asked for.
    #[inline]
    pub(crate) fn read_short(&self) {
        if self.has(SHORT_IS_DRAINED) {
            self.clear(READABLE);
        }
    }

    /// Makes a write call if it can bring anything, and notes when the queue was found full.
    #[inline]
    pub(crate) fn write<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        if !self.has(WRITABLE | WRITE_CLOSED) {
            self.check_watchable()?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = call(self.fd());
        if would_block(&result) {
            self.clear(WRITABLE | WRITE_CLOSED);
        }
        result
    }

    /// Ready when a read is worth a call. At most one task waits: the last to ask.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has(READABLE | READ_CLOSED) || !self.watch(0) {
            return Poll::Ready(());
        }
        set_waker(&self.0.reader, cx.waker());
        Poll::Pending
    }

    /// Ready when a write is worth a call.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has(WRITABLE | WRITE_CLOSED) || !self.watch(REPORTS_WRITABLE) {
            return Poll::Ready(());
        }
        set_waker(&self.0.writer, cx.waker());
        Poll::Pending
    }

    /// Ready when the peer closed. It takes the reader's place.
    pub(crate) fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has(PEER_CLOSED) || !self.watch(0) {
            return Poll::Ready(());
        }
        set_waker(&self.0.reader, cx.waker());
        Poll::Pending
    }

    /// Ready when the connection broke, or both directions ended. It takes the reader's place.
    pub(crate) fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has(WRITE_CLOSED) || !self.watch(0) {
            return Poll::Ready(());
        }
        set_waker(&self.0.reader, cx.waker());
        Poll::Pending
    }

    /// Registers the descriptor with this thread's reactor unless it is, with [`REPORTS_WRITABLE`] or 0 for `reports`. False:
    /// impossible, and noted.
    fn watch(&self, reports: u16) -> bool {
        let watched = reactor::with(|reactor| {
            let known = self.0.reactor.get() == reactor.id;
            if known && (reports == 0 || self.has(REPORTS_WRITABLE)) {
                return true;
            }
            let events = if reports == 0 { EVENTS } else { EVENTS_AND_WRITABLE };
            let epoll = reactor.epoll.as_fd();
            if known {
                // As when it is added, what is already true is reported anew.
                let changed =
                    syscall::epoll_modify(epoll, self.fd(), events, self.0.key.get().bits()).is_ok();
                self.set(REPORTS_WRITABLE);
                return changed;
            }
            let key = reactor.sources.borrow_mut().insert(self.0.clone());
            if syscall::epoll_add(epoll, self.fd(), events, key.bits()).is_err() {
                drop(reactor.sources.borrow_mut().remove(key));
                return false;
            }
            self.0.reactor.set(reactor.id);
            self.0.key.set(key);
            self.clear(REPORTS_WRITABLE);
            self.set(reports);
            true
        });
        let watched = watched.unwrap_or(false);
        if !watched {
            self.set(UNWATCHABLE);
        }
        watched
    }

    /// Forgets the registration; with `delete` also in the kernel, which is needed only where the open file lives on
    /// in another descriptor (closing the last one does it otherwise).
    fn unwatch(&self, delete: bool) {
        if self.0.reactor.get() != 0 {
            reactor::with(|reactor| {
                if self.0.reactor.get() == reactor.id {
                    if delete {
                        let _ = syscall::epoll_delete(reactor.epoll.as_fd(), self.fd());
                    }
                    // Bound to a name, so that it is dropped after the table's borrow ends.
                    let _source = reactor.sources.borrow_mut().remove(self.0.key.get());
                }
            });
            self.0.reactor.set(0);
        }
    }

    /// Forgets the registration in the kernel, too.
    pub(crate) fn unwatch_shared(&self) {
        self.unwatch(true);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.unwatch(false);
    }
}

impl Source {
    /// Notes what epoll reported and wakes whom it concerns.
    pub(crate) fn notify(&self, events: u32) {
        let seen = |mask: libc::c_int| events & mask as u32 != 0;
        let mut flags = self.flags.get();
        if seen(libc::EPOLLIN) {
            flags |= READABLE;
        }
        if seen(libc::EPOLLOUT) {
            flags |= WRITABLE;
        }
        if seen(libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) {
            flags |= READ_CLOSED | PEER_CLOSED;
        }
        if seen(libc::EPOLLHUP | libc::EPOLLERR) {
            flags |= WRITE_CLOSED;
        }
        if seen(URGENT) {
            // Reads stop at the urgent mark, with more behind it.
            flags = flags & !SHORT_IS_DRAINED | READABLE;
        }
        self.flags.set(flags);
        let reader = if flags & (READABLE | READ_CLOSED) != 0 { self.reader.take() } else { None };
        let writer = if flags & (WRITABLE | WRITE_CLOSED) != 0 { self.writer.take() } else { None };
        if let Some(waker) = reader {
            waker.wake();
        }
        if let Some(waker) = writer {
            waker.wake();
        }
    }
}

/// Whether a call found nothing to do.
pub(crate) fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Stores a clone of `waker`, unless what is there wakes the same task.
pub(crate) fn set_waker(cell: &Cell<Option<Waker>>, waker: &Waker) {
    let stored = match cell.take() {
        Some(old) if old.will_wake(waker) => old,
        _ => waker.clone(),
    };
    cell.set(Some(stored));
}
