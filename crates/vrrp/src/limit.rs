//! At most one line of a kind per second: others decide how many bad packets there are.

use core::time::Duration;
use ek_time::Instant;

const PERIOD: Duration = Duration::from_secs(1);

/// The limit of one kind of line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limit {
    next: Option<Instant>,
    suppressed: u64,
}

impl Limit {
    /// Whether a line may be logged now; if so, how many were not since the last.
    pub(crate) fn allow(&mut self, now: Instant) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.suppressed += 1;
            return None;
        }
        self.next = Some(now + PERIOD);
        Some(core::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_and_the_rest_are_counted() {
        let mut limit = Limit::default();
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let seen: Vec<_> = [0, 1, 999, 1000, 1001, 5000].map(|millis| limit.allow(at(millis))).into();
        assert_eq!(seen, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
