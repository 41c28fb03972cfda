//! One deadline, to the precision of the kernel's high-resolution timers, on a clock that goes on while the machine
//! sleeps.
#![allow(unsafe_code)]

use crate::clock::gettime;
use crate::source::Watched;
use crate::syscall;
use ek_time::Instant;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

/// The time since boot with the time the machine was suspended (`CLOCK_BOOTTIME`), read now.
pub fn boot_time() -> Instant {
    let read = gettime(libc::CLOCK_BOOTTIME);
    Instant::from_nanos(
        (read.tv_sec.max(0) as u64).saturating_mul(1_000_000_000) + read.tv_nsec.max(0) as u64,
    )
}

/// A timer of its own in the kernel (`timerfd`) on the clock of [`boot_time`].
///
/// A [`Timer`](crate::Timer) is cheaper and up to a millisecond late; this one is for what must not be.
pub struct Alarm {
    source: Watched,
    deadline: Cell<Option<Instant>>,
    /// For when the kernel's timer is set, until it was seen to have run out: never after the deadline.
    armed: Cell<Option<Instant>>,
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("deadline", &self.deadline).finish()
    }
}

impl Alarm {
    /// An alarm without a deadline.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new() -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: no pointers.
        let fd = syscall::own(unsafe { libc::timerfd_create(libc::CLOCK_BOOTTIME, flags) })?;
        let source = Watched::new(fd, 0);
        source.would_block();
        Ok(Self { source, deadline: Cell::new(None), armed: Cell::new(None) })
    }

    /// Sets, moves or (`None`) removes the deadline; one that has passed is due at once. Setting what is set costs nothing, and
    /// neither does moving it to later: the kernel's timer is set again when it runs out.
    ///
    /// # Errors
    /// Those of `timerfd_settime`.
    pub fn set(&self, deadline: Option<Instant>) -> io::Result<()> {
        let Some(at) = deadline else {
            self.deadline.set(None);
            return Ok(());
        };
        // One that has run out already, seen or not, does not run out again.
        let pending = self.armed.get().is_some_and(|armed| armed <= at && armed > boot_time());
        if !pending {
            self.arm(at)?;
        }
        self.deadline.set(deadline);
        Ok(())
    }

    fn arm(&self, at: Instant) -> io::Result<()> {
        // All zeros would disarm it, so the origin is taken for the nanosecond after it.
        let nanos = at.as_nanos().max(1);
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let value = libc::timespec {
            tv_sec: (nanos / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        };
        let spec = libc::itimerspec { it_interval: zero, it_value: value };
        let fd = self.source.fd().as_raw_fd();
        // SAFETY: the pointers are to a live itimerspec and, allowed for the old value, null.
        syscall::check(unsafe {
            libc::timerfd_settime(fd, libc::TFD_TIMER_ABSTIME, &spec, std::ptr::null_mut())
        })?;
        self.armed.set(Some(at));
        // What it had counted is gone; the next expiry is a new edge.
        self.source.would_block();
        Ok(())
    }

    /// Ready once the deadline has come; it is then removed.
    pub fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.deadline.get().filter(|deadline| boot_time() >= *deadline);
            if due.is_some() {
                self.deadline.set(None);
                return Poll::Ready(());
            }
            std::task::ready!(self.source.poll_readable(cx));
            self.source.would_block();
            // It ran out, perhaps for a deadline that was moved to later meanwhile.
            self.armed.set(None);
            if let Some(deadline) = self.deadline.get()
                && self.arm(deadline).is_err()
            {
                // Better too early than never.
                self.deadline.set(None);
                return Poll::Ready(());
            }
        }
    }

    /// Waits for the deadline.
    pub async fn due(&self) {
        poll_fn(|cx| self.poll_due(cx)).await;
    }
}
