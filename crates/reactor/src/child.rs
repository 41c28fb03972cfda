//! Child processes.
#![allow(unsafe_code)]

use crate::address::invalid;
use crate::process;
use crate::reactor;
use crate::signal;
use crate::source::Watched;
use crate::syscall;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::ptr;
use std::task::Poll;

/// A program run by this process, watched by its pidfd. Dropping it lets the child run on.
pub struct Child {
    /// `None` once it was reaped, or is left to a task.
    inner: Option<Handle>,
    pid: u32,
    source: Option<Watched>,
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Child").field("pid", &self.pid).finish()
    }
}

/// How a child is waited for.
enum Handle {
    Started(std::process::Child),
    /// By the program that ran in this process before.
    Adopted(libc::pid_t),
}

impl Handle {
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Started(child) => child.try_wait(),
            Self::Adopted(pid) => {
                let mut status = 0;
                // SAFETY: the pointer is to a live int.
                match syscall::check(unsafe { libc::waitpid(*pid, &mut status, libc::WNOHANG) })? {
                    0 => Ok(None),
                    _ => Ok(Some(ExitStatus::from_raw(status))),
                }
            }
        }
    }
}

/// What a child gets besides the command.
#[derive(Debug, Default)]
pub struct SpawnOptions<'a> {
    /// Descriptors that it inherits under their numbers.
    pub inherit: &'a [BorrowedFd<'a>],
    /// The signal it gets when the thread that started it ends (`PR_SET_PDEATHSIG`).
    pub death_signal: Option<i32>,
    /// A process group of its own, so that it can be signalled with what it starts.
    pub own_group: bool,
    /// The permission bits that its new files do not get.
    pub file_mask: Option<u32>,
    /// Whom it runs as; needs `CAP_SETUID` and `CAP_SETGID`.
    pub user: Option<RunAs<'a>>,
}

/// The user of a child, all in one: none of the parent's groups stays.
#[derive(Clone, Copy, Debug)]
pub struct RunAs<'a> {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'a [u32],
}

/// Starts a program, with no signal blocked, whatever this thread blocks.
///
/// # Errors
/// Those of starting it, and of `pidfd_open`.
pub fn spawn(command: &mut Command, options: &SpawnOptions<'_>) -> io::Result<Child> {
    let inherit: Vec<i32> = options.inherit.iter().map(AsRawFd::as_raw_fd).collect();
    let death_signal = options.death_signal;
    let (own_group, file_mask) = (options.own_group, options.file_mask);
    let user = options.user.map(|user| (user.uid, user.gid, user.groups.to_vec()));
    let none = signal::set_of(&[])?;
    let prepare = move || {
        for fd in &inherit {
            // SAFETY: no pointers.
            if unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        if own_group {
            // SAFETY: no pointers.
            crate::syscall::check(unsafe { libc::setpgid(0, 0) })?;
        }
        if let Some(mask) = file_mask {
            // SAFETY: no pointers; cannot fail.
            unsafe { libc::umask(mask as libc::mode_t) };
        }
        if let Some((uid, gid, groups)) = &user {
            // SAFETY: the pointer is to `groups.len()` ids; the others have none.
            unsafe {
                crate::syscall::check(libc::setgroups(groups.len(), groups.as_ptr()))?;
                crate::syscall::check(libc::setgid(*gid))?;
                crate::syscall::check(libc::setuid(*uid))?;
            }
        }
        // A change of users would clear it.
        if let Some(number) = death_signal {
            // SAFETY: no pointers.
            if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, number as libc::c_ulong) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // SAFETY: the pointers are to an initialised sigset_t and, allowed for the old mask, null.
        match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &none, ptr::null_mut()) } {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    };
    // SAFETY: between fork and exec `prepare` makes only async-signal-safe calls (system calls, and pthread_sigmask) and does
    // not allocate: iterating a Vec reads, and an io::Error of an errno is a plain value.
    unsafe { command.pre_exec(prepare) };
    let inner = command.spawn()?;
    let pid = inner.id();
    // The pid is still its: nobody else can reap it.
    let source = Watched::new(process::pidfd(pid)?, 0);
    Ok(Child { inner: Some(Handle::Started(inner)), pid, source: Some(source) })
}

/// Makes a program end, by the signal `number`, when the thread that starts it does, and even when it does so before the
/// program runs.
pub fn end_with_starter(command: &mut Command, number: i32) {
    let starter = std::process::id();
    let prepare = move || {
        // SAFETY: no pointers.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, number as libc::c_ulong) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: no pointers; cannot fail.
        if unsafe { libc::getppid() } as u32 != starter {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: between fork and exec `prepare` makes only async-signal-safe calls (prctl, getppid) and does not allocate.
    unsafe { command.pre_exec(prepare) };
}

impl Child {
    /// A child that was started before this process executed the present program, by its id.
    ///
    /// # Errors
    /// `ECHILD` when this process has no such child.
    pub fn adopt(pid: u32) -> io::Result<Self> {
        let number = libc::pid_t::try_from(pid).map_err(|_| invalid("the number is no process id"))?;
        // SAFETY: siginfo_t is integers and pointers that may be null.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: the pointer is to a live siginfo_t. The child is left as it is.
        syscall::check(unsafe { libc::waitid(libc::P_PID, pid, &mut info, how) })?;
        let source = Watched::new(process::pidfd(pid)?, 0);
        Ok(Self { inner: Some(Handle::Adopted(number)), pid, source: Some(source) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The standard library's handle, for the pipes to and from the child. `None` once it has exited, and for one that
    /// was adopted.
    pub fn inner(&mut self) -> Option<&mut std::process::Child> {
        match &mut self.inner {
            Some(Handle::Started(child)) => Some(child),
            Some(Handle::Adopted(_)) | None => None,
        }
    }

    /// Waits until it has exited, and reaps it.
    ///
    /// # Errors
    /// Those of `waitpid`; `NotFound` when it was reaped already.
    pub async fn exited(&mut self) -> io::Result<ExitStatus> {
        let (Some(inner), Some(source)) = (&mut self.inner, &self.source) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let status = exit_of(inner, source).await?;
        self.inner = None;
        Ok(status)
    }

    /// Sends it a signal; never to another process that has its number.
    ///
    /// # Errors
    /// When it has exited; when the number is no signal.
    pub fn kill(&self, number: i32) -> io::Result<()> {
        match &self.source {
            Some(source) => process::pidfd_signal(source.fd(), number),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The pidfd: readable when the child has exited.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(Watched::fd)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let (Some(mut inner), Some(source)) = (self.inner.take(), self.source.take()) else { return };
        // Closed now, not when it has exited: it may be waiting for the end of its input.
        if let Handle::Started(child) = &mut inner {
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
        }
        if matches!(inner.try_wait(), Ok(None))
            && reactor::with(|reactor| reactor.ending.get()) == Some(false)
        {
            // Reaped when it exits, so that it does not stay a zombie.
            crate::spawn(async move {
                let _ = exit_of(&mut inner, &source).await;
            });
        }
    }
}

async fn exit_of(inner: &mut Handle, source: &Watched) -> io::Result<ExitStatus> {
    poll_fn(|cx| {
        loop {
            match inner.try_wait() {
                Ok(Some(status)) => return Poll::Ready(Ok(status)),
                Ok(None) => source.would_block(),
                Err(error) => return Poll::Ready(Err(error)),
            }
            std::task::ready!(source.poll_readable(cx));
        }
    })
    .await
}

/// A process that need not be a child, watched by its pidfd.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// Finds it by its id.
    ///
    /// # Errors
    /// `NoSuchProcess` (`ESRCH`) when there is none.
    pub fn open(pid: u32) -> io::Result<Self> {
        Ok(Self(process::pidfd(pid)?))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has exited, or may not be signalled.
    pub fn kill(&self, number: i32) -> io::Result<()> {
        process::pidfd_signal(self.0.as_fd(), number)
    }

    /// Waits until it has exited.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub async fn exited(&self) -> io::Result<()> {
        let source = Watched::new(self.0.try_clone()?, 0);
        source.would_block();
        poll_fn(|cx| source.poll_readable(cx)).await;
        source.unwatch_shared();
        Ok(())
    }
}
