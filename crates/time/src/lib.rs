//! Instants and wall-clock times as plain numbers.
//!
//! The cores know no clock: time reaches them as an [`Instant`] that their driver read. Spans of time are
//! [`core::time::Duration`].

use core::ops::{Add, Sub};
pub use core::time::Duration;

mod civil;
pub use civil::Civil;

/// A point on the monotonic clock, in nanoseconds since an arbitrary origin (on Linux: boot).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin; no real instant of a running program comes before it.
    pub const ZERO: Self = Self(0);
    /// Later than every instant a clock can show (584 years).
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin, as HAProxy's tick counter.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds from `earlier` to `self`, as they stand in log lines; zero when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.as_millis().saturating_sub(earlier.as_millis())
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::FAR_FUTURE`].
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::ZERO`].
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A wall-clock time: microseconds since 1970-01-01T00:00:00Z, and the local zone's offset at that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallTime {
    /// Microseconds since the epoch.
    pub unix_micros: u64,
    /// Seconds to add to UTC for local time (east is positive).
    pub local_offset: i32,
}

impl WallTime {
    /// Whole seconds since the epoch.
    pub const fn unix_seconds(self) -> u64 {
        self.unix_micros / 1_000_000
    }

    /// Milliseconds within the second, 0–999.
    pub const fn millis(self) -> u32 {
        (self.unix_micros / 1_000 % 1_000) as u32
    }

    /// The calendar date and time in local time.
    pub fn local(self) -> Civil {
        Civil::from_unix(self.unix_seconds() as i64 + i64::from(self.local_offset))
    }

    /// The calendar date and time in UTC.
    pub fn utc(self) -> Civil {
        Civil::from_unix(self.unix_seconds() as i64)
    }
}
