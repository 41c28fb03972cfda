//! The system calls of netlink sockets.
#![allow(unsafe_code)]

use libc::{c_int, c_void, socklen_t};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Room for one datagram: the kernel fills up to 32 KiB when listing.
pub(crate) const ROOM: usize = 64 * 1024;

/// What a receiving call brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A datagram of the kernel, this long.
    Datagram(usize),
    /// One that is to be ignored: not from the kernel.
    Foreign,
    /// Nothing is there.
    Nothing,
    /// Some were lost: the buffer was full, or one was longer than the room for it.
    Overrun,
}

pub(crate) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn address(groups: u32) -> libc::sockaddr_nl {
    // SAFETY: a sockaddr_nl is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = groups;
    address
}

/// Opens a non-blocking socket and binds it to a port of the kernel's choice. `groups` is a mask of the first 32.
pub(crate) fn open(protocol: c_int, groups: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
    // SAFETY: the kernel just made it, and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = address(groups);
    let len = size_of::<libc::sockaddr_nl>() as socklen_t;
    // SAFETY: the pointer is to a live sockaddr_nl of this length.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) })?;
    Ok(fd)
}

fn set<T>(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as socklen_t;
    // SAFETY: the pointer is to a live `T` of this length, plain data at all callers.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), len) })?;
    Ok(())
}

/// Asks for errors in words, short acknowledgements and exact checks. Old kernels know less: that is not an error.
pub(crate) fn ask_for_words(fd: BorrowedFd<'_>) {
    for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
        let _ = set::<c_int>(fd, libc::SOL_NETLINK, option, &1);
    }
}

/// Joins a multicast group by number.
pub(crate) fn join(fd: BorrowedFd<'_>, group: u32) -> io::Result<()> {
    set(fd, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)
}

/// The port that the kernel gave to a socket.
pub(crate) fn port(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let mut own = address(0);
    let mut len = size_of::<libc::sockaddr_nl>() as socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, its size, into `own`.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut own).cast(), &raw mut len) })?;
    Ok(own.nl_pid)
}

/// Makes the receive buffer this large, beyond the system's limit when the process may.
pub(crate) fn set_receive_buffer(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    set(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes)
        .or_else(|_| set(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &bytes))
}

/// Has the kernel pass only what `program` accepts.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &mut [libc::sock_filter]) -> io::Result<()> {
    let len = libc::c_ushort::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // The kernel copies and checks the program; the slice outlives the call.
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Sends a datagram to the kernel, which acts on it before this returns.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let kernel = address(0);
    let len = size_of::<libc::sockaddr_nl>() as socklen_t;
    loop {
        // SAFETY: the pointers are to `bytes.len()` bytes and to a live sockaddr_nl of this length.
        let sent = unsafe {
            libc::sendto(
                fd.as_raw_fd(),
                bytes.as_ptr().cast::<c_void>(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
                (&raw const kernel).cast(),
                len,
            )
        };
        if sent >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Receives one datagram without waiting.
pub(crate) fn receive(fd: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<Received> {
    let mut sender = address(0);
    let mut len = size_of::<libc::sockaddr_nl>() as socklen_t;
    loop {
        // SAFETY: the kernel writes at most `room.len()` bytes into `room`, and at most `len` bytes, its size, into `sender`.
        let got = unsafe {
            libc::recvfrom(
                fd.as_raw_fd(),
                room.as_mut_ptr().cast::<c_void>(),
                room.len(),
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                (&raw mut sender).cast(),
                &raw mut len,
            )
        };
        let Ok(got) = usize::try_from(got) else {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => continue,
                Some(libc::ENOBUFS) => return Ok(Received::Overrun),
                _ if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                _ => return Err(error),
            }
        };
        return Ok(match sender.nl_pid {
            0 if got > room.len() => Received::Overrun,
            0 => Received::Datagram(got),
            _ => Received::Foreign,
        });
    }
}

/// The same with nothing there as the error that the reactor waits by.
pub(crate) fn receive_or_block(fd: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<Received> {
    match receive(fd, room)? {
        Received::Nothing => Err(io::ErrorKind::WouldBlock.into()),
        received => Ok(received),
    }
}

/// Waits until something can be received; false when `until` came first.
pub(crate) fn wait(fd: BorrowedFd<'_>, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, so that the last wait is not a busy one.
        let millis = left.saturating_add(Duration::from_micros(999)).as_millis();
        let mut poll = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one live pollfd.
        match check(unsafe { libc::poll(&raw mut poll, 1, c_int::try_from(millis).unwrap_or(c_int::MAX)) }) {
            Ok(0) if Instant::now() >= until => return Ok(false),
            Ok(0) => {}
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
