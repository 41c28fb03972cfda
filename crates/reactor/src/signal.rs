//! Signals as something to wait for.
#![allow(unsafe_code)]

use crate::source::Watched;
use crate::syscall;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::size_of;
use std::ptr;
use std::task::{Context, Poll};

pub use libc::{
    SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number, as [`SIGTERM`].
    pub number: i32,
    /// The process that sent it (0: the kernel).
    pub pid: u32,
    /// The user who sent it.
    pub uid: u32,
}

/// The signals of a set, in place of their handlers (`signalfd`).
pub struct Signals(Watched);

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signals").field(&self.0.fd()).finish()
    }
}

pub(crate) fn set_of(numbers: &[i32]) -> io::Result<libc::sigset_t> {
    // SAFETY: sigset_t is an array of integers; sigemptyset gives it its meaning.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live sigset_t.
    unsafe { libc::sigemptyset(&mut set) };
    for number in numbers {
        // SAFETY: the pointer is to an initialised sigset_t; a number that is no signal is refused.
        syscall::check(unsafe { libc::sigaddset(&mut set, *number) })?;
    }
    Ok(set)
}

fn mask(how: i32, numbers: &[i32]) -> io::Result<()> {
    let set = set_of(numbers)?;
    // SAFETY: the pointers are to a live sigset_t and, allowed for the old mask, null.
    match unsafe { libc::pthread_sigmask(how, &set, ptr::null_mut()) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Holds signals back on this thread, and on threads it starts from now on: call it before there are others.
///
/// # Errors
/// When a number is no signal.
pub fn block(numbers: &[i32]) -> io::Result<()> {
    mask(libc::SIG_BLOCK, numbers)
}

/// Lets signals through again on this thread.
///
/// # Errors
/// When a number is no signal.
pub fn unblock(numbers: &[i32]) -> io::Result<()> {
    mask(libc::SIG_UNBLOCK, numbers)
}

/// Gives a signal its default action back, which whoever started this process may have taken away.
///
/// # Errors
/// When the number is no signal whose action can be set.
pub fn restore(number: i32) -> io::Result<()> {
    // SAFETY: SIG_DFL is no function, so nothing of ours runs in a signal handler.
    if unsafe { libc::signal(number, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Ignores a signal, in this process and in programs it executes.
///
/// # Errors
/// When the number is no signal that can be ignored.
pub fn ignore(number: i32) -> io::Result<()> {
    // SAFETY: SIG_IGN is no function, so nothing of ours runs in a signal handler.
    if unsafe { libc::signal(number, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

impl Signals {
    /// Blocks the signals on this thread and receives them here. A process-directed signal goes to any thread that does not
    /// block it, so all threads must: make this, or call [`block`], before others start.
    ///
    /// # Errors
    /// When a number is no signal; those of `signalfd`.
    pub fn new(numbers: &[i32]) -> io::Result<Self> {
        block(numbers)?;
        let set = set_of(numbers)?;
        // SAFETY: the pointer is to a live sigset_t.
        let fd = syscall::own(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
        Ok(Self(Watched::new(fd, 0)))
    }

    /// Takes a signal that came. Several of one number that came meanwhile are one.
    ///
    /// # Errors
    /// `WouldBlock` when none did.
    pub fn try_next(&self) -> io::Result<Received> {
        let mut bytes = [0; size_of::<libc::signalfd_siginfo>()];
        let len = self.0.read(|fd| syscall::read(fd, &mut bytes))?;
        if len != bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: signalfd_siginfo is integers only, for which every bit pattern is valid, and has the array's size.
        let info: libc::signalfd_siginfo = unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) };
        Ok(Received { number: info.ssi_signo as i32, pid: info.ssi_pid, uid: info.ssi_uid })
    }

    /// Ready when a signal may have come.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_readable(cx)
    }

    /// Waits for the next signal.
    ///
    /// # Errors
    /// Those of reading the signalfd.
    pub async fn next(&self) -> io::Result<Received> {
        poll_fn(|cx| {
            loop {
                std::task::ready!(self.poll_readable(cx));
                match self.try_next() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
        })
        .await
    }
}
