//! What is configured of a checker's rounds.

use crate::random::Numbers;
use core::time::Duration;

/// The keyword of a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `TCP_CHECK`.
    Tcp,
    /// `HTTP_GET`.
    Http,
    /// `SSL_GET`.
    Ssl,
    /// `SMTP_CHECK`.
    Smtp,
    /// `DNS_CHECK`.
    Dns,
    /// `UDP_CHECK`.
    Udp,
    /// `PING_CHECK`.
    Ping,
    /// `MISC_CHECK`.
    Misc,
}

impl Kind {
    /// Whether it asks for urls.
    pub const fn asks_urls(self) -> bool {
        matches!(self, Self::Http | Self::Ssl)
    }
}

/// What is configured of a checker's rounds; all that it inherits is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its keyword.
    pub kind: Kind,
    /// `delay_loop`: between two rounds.
    pub delay_loop: Duration,
    /// `delay_before_retry`: between two attempts of a round.
    pub delay_before_retry: Duration,
    /// `warmup`: the first round begins at a random time within it.
    pub warmup: Duration,
    /// `retry`: attempts of a round beyond the first.
    pub retry: u32,
    /// How many `url`s an `HTTP_GET` has; at least one, zero for others.
    pub urls: u16,
    /// `alpha`: down until a round succeeds.
    pub alpha: bool,
    /// `fast_recovery` of `HTTP_GET`.
    pub fast_recovery: bool,
    /// `log_all_failures`, or `checker_log_all_failures` of the whole.
    pub log_all_failures: bool,
    /// `misc_dynamic`: exit statuses from 2 to 255 set the weight.
    pub dynamic: bool,
}

impl Settings {
    /// What every checker waits at least before its first round.
    pub const BOOTSTRAP: Duration = Duration::from_secs(1);

    /// From the start to the first round: a second, and a random part of `warmup` so that servers are not all checked at
    /// once. Each checker needs a seed of its own.
    pub fn first_delay(&self, seed: u64) -> Duration {
        let micros = u64::try_from(self.warmup.as_micros()).unwrap_or(u64::MAX);
        Self::BOOTSTRAP.saturating_add(Duration::from_micros(Numbers::new(seed).below_or_at(micros)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rounds_are_spread_over_the_warmup() {
        let settings = Settings {
            kind: Kind::Tcp,
            delay_loop: Duration::from_secs(6),
            delay_before_retry: Duration::from_secs(1),
            warmup: Duration::from_secs(4),
            retry: 1,
            urls: 0,
            alpha: false,
            fast_recovery: false,
            log_all_failures: false,
            dynamic: false,
        };
        let delays: Vec<Duration> = (0..1000).map(|seed| settings.first_delay(seed)).collect();
        assert!(delays.iter().all(|delay| (1..=5).contains(&delay.as_secs())));
        for second in 1..5 {
            let here = delays.iter().filter(|delay| delay.as_secs() == second).count();
            assert!((180..320).contains(&here), "{here} of 1000 in second {second}");
        }
        assert_eq!(settings.first_delay(7), settings.first_delay(7));
        assert_eq!(Settings { warmup: Duration::ZERO, ..settings }.first_delay(7), Settings::BOOTSTRAP);
        assert!(Settings { warmup: Duration::MAX, ..settings }.first_delay(7) > Settings::BOOTSTRAP);
    }
}
