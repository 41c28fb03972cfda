//! When to check: intervals by state, spread so that servers are not all checked at once.

use crate::health::Health;
use crate::random::Numbers;
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
    numbers: Numbers,
    percent: u32,
}

impl Jitter {
    /// `percent` is `spread-checks`, 0–50 (more counts as 50); each server needs a seed of its own.
    pub fn new(percent: u32, seed: u64) -> Self {
        Self { numbers: Numbers::new(seed), percent: percent.min(50) }
    }

    /// Up to `percent` of `delay`, either way.
    pub fn spread(&mut self, delay: Duration) -> Spread {
        let reach = delay.as_millis().saturating_mul(u128::from(self.percent)) / 100;
        let reach = i64::try_from(reach).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        let back = self.numbers.below_or_at(2 * reach as u64);
        Spread { millis: reach - back as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Outcome, Status};

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn paces_follow_the_state() {
        let pace = Pace { inter: ms(2000), fast: Some(ms(500)), down: Some(ms(5000)) };
        let plain = Pace { inter: ms(2000), fast: None, down: None };
        let mut health = Health::new(2, 2, true);
        let good = || Outcome::new(Status::L4Ok);
        let bad = || Outcome::new(Status::L4Connection);
        let mut seen = vec![pace.delay(&health)];
        for outcome in [good(), bad(), bad(), good(), good()] {
            health.handle(outcome);
            seen.push(pace.delay(&health));
            assert_eq!(plain.delay(&health), ms(2000));
        }
        assert_eq!(seen, [500, 2000, 500, 5000, 500, 2000].map(ms));
        health.hurry();
        assert_eq!(pace.delay(&health), ms(500));
    }

    #[test]
    fn first_checks_are_laid_out_over_the_shortest_interval() {
        let all = [ms(2000), ms(300), ms(4000)];
        let at = |own, position| first_delay(all, own, (position, 4), Spread::default(), None);
        assert_eq!([0, 1, 2, 3].map(|position| at(ms(300), position)), [0, 500, 1000, 1500].map(ms));
        assert_eq!(at(ms(4000), 1), ms(1000), "its own interval when that is longer");
        let limited = first_delay(all, ms(4000), (1, 4), Spread::default(), Some(ms(100)));
        assert_eq!(limited, ms(25));
        assert_eq!(first_delay([ms(300)], ms(300), (1, 2), Spread::default(), None), ms(150));
    }

    #[test]
    fn jitter_goes_both_ways_within_its_share() {
        let mut jitter = Jitter::new(10, 1);
        let delays: Vec<u64> =
            (0..1000).map(|_| jitter.spread(ms(2000)).apply(ms(2000)).as_millis() as u64).collect();
        assert!(delays.iter().all(|delay| (1800..=2200).contains(delay)));
        assert!(delays.iter().any(|&delay| delay < 1850) && delays.iter().any(|&delay| delay > 2150));
        assert_eq!(Jitter::new(0, 1).spread(ms(2000)).apply(ms(2000)), ms(2000));
    }
}
