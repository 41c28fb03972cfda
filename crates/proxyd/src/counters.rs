//! Counters: one set per worker, summed when read.
//!
//! Each counter has one writer, its worker; readers add the workers' values up. What limits are decided on (current
//! connections) is shared and lives beside the thing it limits, not here.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A number that only its worker raises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. A plain load and store: there is one writer.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes another value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// Takes `value` when it is higher.
    pub fn raise(&self, value: u64) {
        if value > self.get() {
            self.set(value);
        }
    }

    /// The value so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many of the last requests a mean is about, as with HAProxy's.
pub const SAMPLES: u64 = 512;

/// A time that each request took: a sliding sum, and the longest. The sum grows with the first [`SAMPLES`] requests; from
/// then on each new time takes the place of a mean one.
#[derive(Debug, Default)]
pub struct Span {
    sum: Counter,
    longest: Counter,
}

impl Span {
    /// Notes the time of one of `requests` so far, in milliseconds.
    pub fn note(&self, time: u64, requests: u64) {
        let sum = self.sum.get();
        let gone = if requests > SAMPLES { sum.div_ceil(SAMPLES) } else { 0 };
        self.sum.set((sum - gone).saturating_add(time));
        self.longest.raise(time);
    }

    /// The sliding sum.
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }

    /// The longest time there was.
    pub fn longest(&self) -> u64 {
        self.longest.get()
    }
}

/// The times of requests: `qtime`, `ctime`, `rtime` and `ttime` of the statistics.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the phases' names")]
pub struct Times {
    pub queue: Span,
    pub connect: Span,
    pub response: Span,
    pub total: Span,
}

/// Responses by class: 1xx, 2xx, 3xx, 4xx, 5xx, and anything else.
#[derive(Debug, Default)]
pub struct ByClass([Counter; 6]);

impl ByClass {
    /// Counts a response with this status; 0 counts as "anything else".
    pub fn count(&self, status: u16) {
        let class = match status / 100 {
            n @ 1..=5 => usize::from(n) - 1,
            _ => 5,
        };
        if let Some(counter) = self.0.get(class) {
            counter.add(1);
        }
    }

    /// The six values.
    pub fn get(&self) -> [u64; 6] {
        self.0.each_ref().map(Counter::get)
    }
}

/// What a worker counts for a frontend and for each of its listeners. Fields are named after the statistics they
/// become (management guide, "Statistics").
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "named after the statistics fields")]
pub struct FrontendCounters {
    pub connections: Counter,
    pub sessions: Counter,
    pub requests: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub request_errors: Counter,
    pub denied_requests: Counter,
    pub intercepted: Counter,
    pub responses: ByClass,
}

/// What a worker counts for a backend and for each of its servers.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "named after the statistics fields")]
pub struct BackendCounters {
    pub sessions: Counter,
    pub chosen: Counter,
    pub requests: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub connect_errors: Counter,
    pub response_errors: Counter,
    pub retries: Counter,
    pub redispatches: Counter,
    pub client_aborts: Counter,
    pub server_aborts: Counter,
    pub connects: Counter,
    pub reuses: Counter,
    pub responses: ByClass,
    pub times: Times,
    /// When it was last given a session, milliseconds on the monotonic clock; 0: never.
    pub last_session: Counter,
}

impl BackendCounters {
    /// The requests that [`Times`] go by: of a server in HTTP mode those that it answered.
    pub fn answered(&self, http: bool, server: bool) -> u64 {
        match (http, server) {
            (true, true) => self.responses.get().iter().sum(),
            (true, false) => self.requests.get(),
            (false, _) => self.chosen.get(),
        }
    }
}

/// Everything one worker counts.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// By proxy index.
    pub frontends: Vec<FrontendCounters>,
    /// By proxy index, then bind index.
    pub listeners: Vec<Vec<FrontendCounters>>,
    /// By proxy index.
    pub backends: Vec<BackendCounters>,
    /// By proxy index, then server index.
    pub servers: Vec<Vec<BackendCounters>>,
    /// What the last whole second was like.
    pub second: Second,
}

/// What the last whole second of a worker was like.
#[derive(Debug)]
pub struct Second {
    /// Thousandths of it in which the thread did not use its processor.
    pub idle: Counter,
    /// Bytes sent to clients.
    pub bytes_out: Counter,
    /// Pipes in use at its end.
    pub pipes_used: Counter,
    /// Pipes kept for use at its end.
    pub pipes_free: Counter,
}

impl WorkerCounters {
    /// Zeroed counters in the shape of `config`.
    pub fn new(config: &haproxy_cfg::model::Config) -> Self {
        fn several<T: Default>(n: usize) -> Vec<T> {
            std::iter::repeat_with(T::default).take(n).collect()
        }
        Self {
            frontends: several(config.proxies.len()),
            listeners: config.proxies.iter().map(|p| several(p.binds.len())).collect(),
            backends: several(config.proxies.len()),
            servers: config.proxies.iter().map(|p| several(p.servers.len())).collect(),
            second: Second::default(),
        }
    }
}

impl Default for Second {
    /// Before the first second is over, nothing was done.
    fn default() -> Self {
        let idle = Counter::default();
        idle.set(1_000);
        let [bytes_out, pipes_used, pipes_free] = Default::default();
        Self { idle, bytes_out, pipes_used, pipes_free }
    }
}

/// A number of things present now, and the most there ever were.
#[derive(Debug, Default)]
pub struct Gauge {
    current: AtomicU32,
    max: AtomicU32,
}

impl Gauge {
    /// One more.
    pub fn enter(&self) {
        let now = self.current.fetch_add(1, Relaxed) + 1;
        if now > self.max.load(Relaxed) {
            self.max.fetch_max(now, Relaxed);
        }
    }

    /// One more unless there are `limit` already (0: no limit). Returns whether it was counted. The most is not noted
    /// yet, see [`Gauge::note_max`].
    pub fn try_enter(&self, limit: u32) -> bool {
        let limit = if limit == 0 { u32::MAX } else { limit };
        self.current.fetch_update(Relaxed, Relaxed, |n| (n < limit).then_some(n + 1)).is_ok()
    }

    /// Takes the present count for the most when it is. To be called when what entered has come to stay.
    pub fn note_max(&self) {
        self.max.fetch_max(self.get(), Relaxed);
    }

    /// One less.
    pub fn leave(&self) {
        let before = self.current.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "a gauge was left more often than entered");
    }

    /// How many now.
    pub fn get(&self) -> u32 {
        self.current.load(Relaxed)
    }

    /// The most there ever were.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }
}

/// Events in the last second, as HAProxy's `rate` columns: the count of this second so far, topped up with the
/// share of the second before that is still within a second's reach.
#[derive(Debug, Default)]
pub struct Rate {
    /// Second in the upper half, events in it in the lower.
    current: AtomicU64,
    previous: AtomicU64,
    max: AtomicU32,
}

impl Rate {
    /// Counts an event at `now_ms` (milliseconds on the monotonic clock).
    pub fn count(&self, now_ms: u64) {
        let second = now_ms / 1000;
        let mut seen = self.current.load(Relaxed);
        loop {
            let (at, n) = (seen >> 32, seen & 0xffff_ffff);
            let next = if at == second & 0xffff_ffff { seen + 1 } else { (second << 32) | 1 };
            match self.current.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => {
                    if at != second & 0xffff_ffff {
                        self.previous.store((at << 32) | n, Relaxed);
                    }
                    let n = (next & 0xffff_ffff) as u32;
                    if n > self.max.load(Relaxed) {
                        self.max.fetch_max(n, Relaxed);
                    }
                    return;
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Events within the second before `now_ms`.
    pub fn get(&self, now_ms: u64) -> u32 {
        u32::try_from(self.thousandths(now_ms) / 1_000).unwrap_or(u32::MAX)
    }

    /// The same with the fraction.
    pub fn exact(&self, now_ms: u64) -> f64 {
        self.thousandths(now_ms) as f64 / 1_000.0
    }

    fn thousandths(&self, now_ms: u64) -> u64 {
        let second = (now_ms / 1000) & 0xffff_ffff;
        let current = self.current.load(Relaxed);
        let previous = self.previous.load(Relaxed);
        let remaining = 1000 - now_ms % 1000;
        if current >> 32 == second {
            let before = if (previous >> 32) + 1 == second { previous & 0xffff_ffff } else { 0 };
            (current & 0xffff_ffff) * 1_000 + before * remaining
        } else if (current >> 32) + 1 == second {
            (current & 0xffff_ffff) * remaining
        } else {
            0
        }
    }

    /// The most events counted in one second.
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_stops_at_its_limit() {
        let gauge = Gauge::default();
        assert!(gauge.try_enter(2) && gauge.try_enter(2));
        assert!(!gauge.try_enter(2));
        gauge.note_max();
        gauge.leave();
        assert!(gauge.try_enter(2));
        assert_eq!((gauge.get(), gauge.max()), (2, 2));
    }

    #[test]
    fn a_span_forgets_slowly() {
        let span = Span::default();
        for requests in 1..=SAMPLES {
            span.note(10, requests);
        }
        assert_eq!((span.sum(), span.longest()), (10 * SAMPLES, 10));
        // A new time takes the place of a mean one.
        span.note(522, SAMPLES + 1);
        assert_eq!((span.sum(), span.longest()), (10 * SAMPLES + 512, 522));
        for requests in SAMPLES..SAMPLES * 20 {
            span.note(0, requests + 2);
        }
        assert_eq!((span.sum(), span.longest()), (0, 522));
    }

    #[test]
    fn a_rate_fades_over_the_following_second() {
        let rate = Rate::default();
        for _ in 0..100 {
            rate.count(5_500);
        }
        assert_eq!(rate.get(5_900), 100);
        assert_eq!(rate.get(6_500), 50);
        rate.count(6_500);
        assert_eq!(rate.get(6_500), 51);
        assert!((rate.exact(6_501) - 50.9).abs() < 1e-9);
        assert_eq!(rate.get(8_000), 0);
        assert_eq!(rate.max(), 100);
    }
}
