//! The system calls of descriptors and sockets as safe functions.
//!
//! Descriptors come in as [`BorrowedFd`], which are open by type, and go out as [`OwnedFd`] when the kernel made them.
#![allow(unsafe_code)]

use crate::address::{RawAddr, SockAddr};
use libc::{c_int, c_void};
use std::io::{self, IoSlice};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

pub(crate) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Takes a descriptor that the kernel just made.
pub(crate) fn own(result: c_int) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: callers pass the result of a system call that makes a descriptor, so it is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

// epoll and eventfd

/// Room for what one `epoll_wait` reports.
pub(crate) struct Events(Vec<libc::epoll_event>);

impl Events {
    pub(crate) fn new(count: usize) -> Self {
        Self(vec![libc::epoll_event { events: 0, u64: 0 }; count])
    }
}

pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

pub(crate) fn epoll_add(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>, events: u32, key: u64) -> io::Result<()> {
    epoll_set(libc::EPOLL_CTL_ADD, epoll, fd, events, key)
}

pub(crate) fn epoll_modify(
    epoll: BorrowedFd<'_>,
    fd: BorrowedFd<'_>,
    events: u32,
    key: u64,
) -> io::Result<()> {
    epoll_set(libc::EPOLL_CTL_MOD, epoll, fd, events, key)
}

fn epoll_set(how: c_int, epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>, events: u32, key: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: key };
    // SAFETY: `event` lives through the call, which copies it.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), how, fd.as_raw_fd(), &mut event) })?;
    Ok(())
}

pub(crate) fn epoll_delete(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the event pointer is not used when deleting and may be null.
    check(unsafe {
        libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, fd.as_raw_fd(), ptr::null_mut())
    })?;
    Ok(())
}

/// Waits; returns (events, key) pairs. An interrupting signal ends the wait with none.
pub(crate) fn epoll_wait<'a>(
    epoll: BorrowedFd<'_>,
    events: &'a mut Events,
    timeout: c_int,
) -> io::Result<impl Iterator<Item = (u32, u64)> + use<'a>> {
    let room = c_int::try_from(events.0.len()).unwrap_or(c_int::MAX);
    // SAFETY: the pointer is to `room` initialised events that live through the call.
    let count = check(unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.0.as_mut_ptr(), room, timeout) });
    let count = match count {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
        count => count? as usize,
    };
    Ok(events.0.iter().take(count).map(|event| (event.events, event.u64)))
}

pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

pub(crate) fn eventfd_write(fd: BorrowedFd<'_>) {
    let one = 1_u64;
    // SAFETY: the pointer is to the eight bytes of `one`. The only failures are a full counter, after 2^64 - 2 writes.
    unsafe { libc::write(fd.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
}

// descriptors

pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    if flags & libc::O_NONBLOCK == 0 {
        // SAFETY: no pointers.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    }
    Ok(())
}

pub(crate) fn set_cloexec(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(())
}

pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `buf.len()` bytes into `buf`.
    retry(|| check_size(unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) }))
}

pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: the pointer is to two ints.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    let [read, write] = fds;
    Ok((own(read)?, own(write)?))
}

/// Asks for a pipe of `size` bytes; returns what it has.
pub(crate) fn set_pipe_size(fd: BorrowedFd<'_>, size: usize) -> io::Result<usize> {
    let size = c_int::try_from(size).unwrap_or(c_int::MAX);
    // SAFETY: no pointers.
    Ok(check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, size) })? as usize)
}

pub(crate) fn pipe_size(fd: BorrowedFd<'_>) -> io::Result<usize> {
    // SAFETY: no pointers.
    Ok(check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETPIPE_SZ) })? as usize)
}

/// Moves up to `max` bytes; one of the two is a pipe.
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, max: usize, more: bool) -> io::Result<usize> {
    let mut flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    if more {
        flags |= libc::SPLICE_F_MORE;
    }
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: the offset pointers may be null, and are.
    retry(|| check_size(unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), max, flags) }))
}

// sockets

/// A new non-blocking socket; `kind` is `SOCK_STREAM` or `SOCK_DGRAM`.
pub(crate) fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    own(unsafe { libc::socket(family, kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) })
}

pub(crate) fn socketpair(kind: c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the pointer is to two ints.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    let [one, other] = fds;
    Ok((own(one)?, own(other)?))
}

pub(crate) fn connect(fd: BorrowedFd<'_>, addr: &RawAddr) -> io::Result<()> {
    // SAFETY: the pointer is to a sockaddr_storage of which `len` bytes are an address.
    retry(|| check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const addr.storage).cast(), addr.len) }))?;
    Ok(())
}

pub(crate) fn bind(fd: BorrowedFd<'_>, addr: &RawAddr) -> io::Result<()> {
    // SAFETY: as in `connect`.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr.storage).cast(), addr.len) })?;
    Ok(())
}

pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(())
}

pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<(OwnedFd, SockAddr)> {
    let mut addr = RawAddr::empty();
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let new = retry(|| {
        // SAFETY: the pointers are to a sockaddr_storage and its length.
        own(unsafe { libc::accept4(fd.as_raw_fd(), (&raw mut addr.storage).cast(), &mut addr.len, flags) })
    })?;
    Ok((new, addr.decode()))
}

pub(crate) fn local_addr(fd: BorrowedFd<'_>) -> io::Result<SockAddr> {
    let mut addr = RawAddr::empty();
    // SAFETY: the pointers are to a sockaddr_storage and its length.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut addr.storage).cast(), &mut addr.len) })?;
    Ok(addr.decode())
}

pub(crate) fn peer_addr(fd: BorrowedFd<'_>) -> io::Result<SockAddr> {
    let mut addr = RawAddr::empty();
    // SAFETY: the pointers are to a sockaddr_storage and its length.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), (&raw mut addr.storage).cast(), &mut addr.len) })?;
    Ok(addr.decode())
}

pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) })?;
    Ok(())
}

/// # Safety
/// `value` points to `len` readable bytes.
unsafe fn set_option_raw(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: usize,
) -> io::Result<()> {
    let len = len as libc::socklen_t;
    // SAFETY: as the caller promises; the kernel only reads them.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, len) })?;
    Ok(())
}

/// Sets an option whose value is an int.
pub(crate) fn set_option(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the pointer is to a live int of that size.
    unsafe { set_option_raw(fd, level, name, (&raw const value).cast(), size_of::<c_int>()) }
}

/// Sets the kernel's buffer sizes, in bytes, where given.
pub(crate) fn set_buffers(fd: BorrowedFd<'_>, receive: Option<u32>, send: Option<u32>) -> io::Result<()> {
    for (name, size) in [(libc::SO_RCVBUF, receive), (libc::SO_SNDBUF, send)] {
        if let Some(size) = size {
            set_option(fd, libc::SOL_SOCKET, name, i32::try_from(size).unwrap_or(i32::MAX))?;
        }
    }
    Ok(())
}

/// Sets an option whose value is text.
pub(crate) fn set_option_text(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &str) -> io::Result<()> {
    // SAFETY: the pointer is to the text's bytes.
    unsafe { set_option_raw(fd, level, name, value.as_ptr().cast(), value.len()) }
}

/// A close then resets the connection and drops what is unsent.
pub(crate) fn set_linger_zero(fd: BorrowedFd<'_>) -> io::Result<()> {
    let value = libc::linger { l_onoff: 1, l_linger: 0 };
    let (place, len) = ((&raw const value).cast(), size_of::<libc::linger>());
    // SAFETY: the pointer is to a live struct of that size.
    unsafe { set_option_raw(fd, libc::SOL_SOCKET, libc::SO_LINGER, place, len) }
}

pub(crate) fn option(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    let place = (&raw mut value).cast::<c_void>();
    // SAFETY: the pointers are to an int and its length.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, place, &mut len) })?;
    Ok(value)
}

/// The family of a stream socket, and whether it listens.
pub(crate) fn stream_kind(fd: BorrowedFd<'_>) -> io::Result<(c_int, bool)> {
    let of = |name| option(fd, libc::SOL_SOCKET, name);
    let family = of(libc::SO_DOMAIN)?;
    if of(libc::SO_TYPE)? != libc::SOCK_STREAM
        || ![libc::AF_INET, libc::AF_INET6, libc::AF_UNIX].contains(&family)
    {
        return Err(crate::address::invalid("a TCP or Unix stream socket is expected"));
    }
    Ok((family, of(libc::SO_ACCEPTCONN)? != 0))
}

/// Lets a socket have addresses that are not this host's.
pub(crate) fn set_transparent(fd: BorrowedFd<'_>, family: c_int) -> io::Result<()> {
    if family == libc::AF_INET6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, 1)
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_TRANSPARENT, 1)
    }
}

pub(crate) fn recv<'b>(fd: BorrowedFd<'_>, buf: &'b mut [MaybeUninit<u8>]) -> io::Result<&'b mut [u8]> {
    let (start, room) = (buf.as_mut_ptr().cast::<u8>(), buf.len());
    // SAFETY: the kernel writes at most `room` bytes from `start`, all inside `buf`.
    let len = retry(|| check_size(unsafe { raw::recv(fd, start, room, libc::MSG_DONTWAIT) }))?;
    // SAFETY: the kernel has initialised the first `len` bytes; `buf` stays borrowed for the result's lifetime.
    Ok(unsafe { std::slice::from_raw_parts_mut(start, len.min(room)) })
}

/// [`recv`] into initialised bytes; `flags` such as `MSG_PEEK`.
pub(crate) fn recv_into(fd: BorrowedFd<'_>, buf: &mut [u8], flags: c_int) -> io::Result<usize> {
    let (start, room) = (buf.as_mut_ptr(), buf.len());
    // SAFETY: the kernel writes at most `room` bytes, all inside `buf`.
    retry(|| check_size(unsafe { raw::recv(fd, start, room, libc::MSG_DONTWAIT | flags) }))
}

const SEND: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: the kernel reads at most `buf.len()` bytes of `buf`.
    retry(|| check_size(unsafe { raw::send(fd, buf.as_ptr(), buf.len(), SEND | flags) }))
}

/// The calls that every request makes several times. glibc's own are cancellation points, at which a program with threads
/// pays for two locked instructions; nothing here ever cancels a thread. Miri knows only glibc's.
#[cfg(all(target_pointer_width = "64", not(miri)))]
mod raw {
    use super::{AsRawFd, BorrowedFd, c_int};

    const NOBODY: usize = 0;

    /// As `recv(2)`: the kernel writes at most `len` bytes from `start`.
    pub(super) unsafe fn recv(fd: BorrowedFd<'_>, start: *mut u8, len: usize, flags: c_int) -> isize {
        // SAFETY: the caller vouches for the memory; the kernel takes null addresses.
        unsafe {
            libc::syscall(libc::SYS_recvfrom, fd.as_raw_fd(), start, len, flags, NOBODY, NOBODY) as isize
        }
    }

    /// As `send(2)`: the kernel reads at most `len` bytes from `start`.
    pub(super) unsafe fn send(fd: BorrowedFd<'_>, start: *const u8, len: usize, flags: c_int) -> isize {
        // SAFETY: the caller vouches for the memory; the kernel takes null addresses.
        unsafe { libc::syscall(libc::SYS_sendto, fd.as_raw_fd(), start, len, flags, NOBODY, NOBODY) as isize }
    }
}

#[cfg(not(all(target_pointer_width = "64", not(miri))))]
mod raw {
    use super::{AsRawFd, BorrowedFd, c_int};

    /// As `recv(2)`.
    pub(super) unsafe fn recv(fd: BorrowedFd<'_>, start: *mut u8, len: usize, flags: c_int) -> isize {
        // SAFETY: the caller vouches for the memory.
        unsafe { libc::recv(fd.as_raw_fd(), start.cast(), len, flags) }
    }

    /// As `send(2)`.
    pub(super) unsafe fn send(fd: BorrowedFd<'_>, start: *const u8, len: usize, flags: c_int) -> isize {
        // SAFETY: the caller vouches for the memory.
        unsafe { libc::send(fd.as_raw_fd(), start.cast(), len, flags) }
    }
}

/// The most parts one message takes (`UIO_MAXIOV`).
const MAX_PARTS: usize = 1024;

fn message(parts: &[IoSlice<'_>]) -> libc::msghdr {
    // SAFETY: msghdr is a C struct of integers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // IoSlice has the layout of iovec, as std promises. The kernel does not write through it when sending.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len().min(MAX_PARTS);
    message
}

pub(crate) fn send_parts(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>], flags: c_int) -> io::Result<usize> {
    let message = message(parts);
    // SAFETY: `message` points to `parts`, which point to readable bytes; all are borrowed through the call.
    retry(|| check_size(unsafe { libc::sendmsg(fd.as_raw_fd(), &message, SEND | flags) }))
}

/// Datagrams sent with one call.
pub(crate) const BATCH: usize = 64;

/// Bytes of a datagram that can be joined to others: any path carries as much in one packet.
const JOINED_EACH: usize = 1_200;
/// Bytes of joined datagrams together; a little less than IP carries.
const JOINED: usize = 60_000;

/// The control message that has the kernel cut one long datagram into pieces of `size` bytes (`UDP_SEGMENT`): the way
/// through its network layers is then gone once for all of them.
#[repr(C)]
struct Segments {
    header: libc::cmsghdr,
    size: u16,
}

/// Whether the kernel knows `UDP_SEGMENT` (Linux 4.18); an older one would send the pieces in one datagram.
pub(crate) fn can_join(fd: BorrowedFd<'_>) -> bool {
    option(fd, libc::SOL_UDP, libc::UDP_SEGMENT).is_ok()
}

/// How many of `datagrams`, from the first on, can be joined: they have one length, and a shorter one can be the last.
fn joinable(datagrams: &[IoSlice<'_>]) -> usize {
    let len = datagrams.first().map_or(0, |first| first.len());
    if !(1..=JOINED_EACH).contains(&len) {
        return 1;
    }
    let within = datagrams.get(..JOINED / len).unwrap_or(datagrams);
    let same = within.iter().take_while(|datagram| datagram.len() == len).count();
    same + usize::from(within.get(same).is_some_and(|next| (1..len).contains(&next.len())))
}

/// Sends the first [`BATCH`] of `datagrams`; returns how many went. An error: not even the first. `join`: the kernel and
/// the way to the target take joined datagrams.
pub(crate) fn send_many(fd: BorrowedFd<'_>, datagrams: &[IoSlice<'_>], join: bool) -> io::Result<usize> {
    let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut controls = [const { MaybeUninit::<Segments>::uninit() }; BATCH];
    let mut lens = [0; BATCH];
    let mut rest = datagrams.get(..BATCH).unwrap_or(datagrams);
    let mut count = 0;
    for ((place, control), len) in messages.iter_mut().zip(&mut controls).zip(&mut lens) {
        let joined = if join { joinable(rest) } else { 1 };
        let Some((parts, after)) = rest.split_at_checked(joined) else { break };
        let mut header = message(parts);
        if let [first, _, ..] = parts {
            // SAFETY: the call only computes.
            let control_len = unsafe { libc::CMSG_LEN(size_of::<u16>() as u32) };
            // SAFETY: cmsghdr is a C struct of integers.
            let mut segments = Segments { header: unsafe { std::mem::zeroed() }, size: first.len() as u16 };
            segments.header.cmsg_level = libc::SOL_UDP;
            segments.header.cmsg_type = libc::UDP_SEGMENT;
            segments.header.cmsg_len = control_len as usize;
            header.msg_control = ptr::from_mut(control.write(segments)).cast();
            header.msg_controllen = size_of::<Segments>();
        }
        place.write(libc::mmsghdr { msg_hdr: header, msg_len: 0 });
        *len = joined;
        rest = after;
        count += 1;
    }
    let start = messages.as_mut_ptr().cast();
    // SAFETY: the first `count` messages are initialised and point into `datagrams`, borrowed through the call, and to
    // `controls`, which are not touched after they were written.
    let sent = retry(|| Ok(check(unsafe { libc::sendmmsg(fd.as_raw_fd(), start, count, SEND) })? as usize))?;
    Ok(lens.iter().take(sent).sum())
}

/// Returns unused memory to the system, where the allocator can.
pub(crate) fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: takes the allocator's own locks and touches only what it has free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keeps the allocator from raising its thresholds.
pub(crate) fn keep_heap_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: sets numbers of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TOP_PAD, 32 << 10);
    }
}
