//! The coarse clock: read once per turn of the loop.
#![allow(unsafe_code)]

use crate::reactor;
use ek_time::{Instant, WallTime};
use std::cell::Cell;
use std::sync::Once;

/// The monotonic time at which this turn of the loop began; the exact time where no reactor runs.
pub fn now() -> Instant {
    reactor::with(|reactor| reactor.clock.now()).unwrap_or_else(monotonic)
}

/// The wall-clock time of this turn of the loop, with the local zone's offset; the exact time where no reactor runs.
pub fn wall() -> WallTime {
    reactor::with(|reactor| reactor.clock.wall()).unwrap_or_else(|| Clock::new().wall())
}

/// The processor time that this thread has used so far.
pub fn cpu_time() -> ek_time::Duration {
    let used = gettime(libc::CLOCK_THREAD_CPUTIME_ID);
    ek_time::Duration::new(used.tv_sec.max(0) as u64, used.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// What one reactor remembers of the clocks.
pub(crate) struct Clock {
    now: Cell<Instant>,
    /// `None` until somebody asks in this turn.
    wall: Cell<Option<WallTime>>,
    /// The minute for which the offset was looked up; zones change at whole minutes.
    minute: Cell<u64>,
    offset: Cell<i32>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            now: Cell::new(monotonic()),
            wall: Cell::new(None),
            minute: Cell::new(u64::MAX),
            offset: Cell::new(0),
        }
    }

    /// Reads the monotonic clock; the wall clock is read when it is first asked for.
    pub(crate) fn tick(&self) {
        self.now.set(monotonic());
        self.wall.set(None);
    }

    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(crate) fn wall(&self) -> WallTime {
        if let Some(wall) = self.wall.get() {
            return wall;
        }
        let read = gettime(libc::CLOCK_REALTIME);
        let seconds = read.tv_sec.max(0) as u64;
        if seconds / 60 != self.minute.get() {
            self.minute.set(seconds / 60);
            self.offset.set(local_offset(read.tv_sec));
        }
        let wall = WallTime {
            unix_micros: seconds * 1_000_000 + read.tv_nsec.max(0) as u64 / 1_000,
            local_offset: self.offset.get(),
        };
        self.wall.set(Some(wall));
        wall
    }
}

fn monotonic() -> Instant {
    let read = gettime(libc::CLOCK_MONOTONIC);
    Instant::from_nanos(
        (read.tv_sec.max(0) as u64).saturating_mul(1_000_000_000) + read.tv_nsec.max(0) as u64,
    )
}

pub(crate) fn gettime(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; the call writes nothing else.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time
}

fn local_offset(seconds: libc::time_t) -> i32 {
    static ZONE: Once = Once::new();
    unsafe extern "C" {
        fn tzset();
    }
    // Miri has no time zones.
    if !cfg!(miri) {
        // SAFETY: tzset reads TZ and the zone file into libc's own state, under libc's lock. (A program that changes its
        // environment does so before it has threads: `std::env::set_var` is unsafe for that reason.)
        ZONE.call_once(|| unsafe { tzset() });
    }
    // SAFETY: all zeros is a value of struct tm (integers and a pointer that may be null).
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right types; localtime_r is the re-entrant form.
    unsafe { libc::localtime_r(&seconds, &mut tm) };
    tm.tm_gmtoff as i32
}
