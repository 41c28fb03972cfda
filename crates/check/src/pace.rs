//! When to check: intervals by state, spread so that servers are not all checked at once.

use crate::health::Health;
use core::time::Duration;

/// `inter`, `fastinter`, `downinter` of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `inter`: all is well.
    pub inter: Duration,
    /// `fastinter`: on the way up or down; `inter` when unset.
    pub fast: Option<Duration>,
    /// `downinter`: down; `inter` when unset.
    pub down: Option<Duration>,
}

impl Pace {
    /// From the end of one check to the start of the next.
    pub fn delay(&self, health: &Health) -> Duration {
        if health.steady() {
            self.inter
        } else if health.bottom() {
            self.down.unwrap_or(self.inter)
        } else {
            self.fast.unwrap_or(self.inter)
        }
    }
}

/// Intervals shorter than this neither set nor follow the common rhythm of the first checks.
const SHORT: Duration = Duration::from_secs(1);

/// When the first check of a server is due after the start: the checks of all servers are laid out evenly over the
/// shortest interval among all servers (not counting those under a second), or this server's own if that is longer.
///
/// `position` is this server's among the `count` that are checked; `spread` is what [`Jitter::spread`] adds or takes;
/// `limit` is `max-spread-checks`.
pub fn first_delay(
    intervals: impl IntoIterator<Item = Duration>,
    own: Duration,
    (position, count): (usize, usize),
    spread: Spread,
    limit: Option<Duration>,
) -> Duration {
    let shortest = intervals.into_iter().filter(|&inter| inter >= SHORT).min().unwrap_or(Duration::ZERO);
    let mut span = spread.apply(shortest.max(own));
    if let Some(limit) = limit {
        span = span.min(limit);
    }
    let (position, count) = (position as u128, count.max(1) as u128);
    let millis = span.as_millis() * position / count;
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Something to add to a delay, or to take from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    millis: i64,
}

impl Spread {
    /// The delay with it.
    pub fn apply(self, delay: Duration) -> Duration {
        let span = Duration::from_millis(self.millis.unsigned_abs());
        if self.millis < 0 { delay.saturating_sub(span) } else { delay.saturating_add(span) }
    }
}

/// `spread-checks`: random deviations, from a seed.
#[derive(Clone, Debug)]
pub struct Jitter {
    state: u64,
    percent: u32,
}

impl Jitter {
    /// `percent` is `spread-checks`, 0–50 (more counts as 50); each server needs a seed of its own.
    pub fn new(percent: u32, seed: u64) -> Self {
        Self { state: seed, percent: percent.min(50) }
    }

    /// Up to `percent` of `delay`, either way.
    pub fn spread(&mut self, delay: Duration) -> Spread {
        let reach = delay.as_millis().saturating_mul(u128::from(self.percent)) / 100;
        let reach = i64::try_from(reach).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        // SplitMix64, the high half of a product as the number below a bound.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let back = (u128::from(z) * (2 * reach as u128 + 1)) >> 64;
        Spread { millis: reach - back as i64 }
    }
}
