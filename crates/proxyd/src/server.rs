//! One server as all workers see it.

use crate::backend::Changes;
use crate::counters::{Gauge, Rate};
use haproxy_cfg::model;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Whether a server takes traffic, as operators and checks have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// In service, as far as its checks allow.
    Ready,
    /// Taken out by `disabled` or on the runtime API.
    Maintenance,
}

/// One server as all workers see it. Whether it is usable is decided under the backend's lock, see
/// [`crate::backend::Backend`]; the copies here are for reading.
#[derive(Debug)]
pub struct Server {
    /// What was read.
    pub config: model::Server,
    /// Streams on it now (`scur`).
    pub streams: Gauge,
    /// How many of them were given to waiting streams that have not taken their place yet.
    pub promised: AtomicU32,
    /// Streams that began on it, a second.
    pub rate: Rate,
    /// Whether it takes traffic.
    up: AtomicU8,
    admin: AtomicU8,
    /// Weight now, 0–256.
    pub weight: AtomicU32,
    /// Changes of its state.
    pub changes: Changes,
    /// What its checks say, as of the last one; `None` before the first and without checks.
    pub health: Mutex<Option<check::Health>>,
    /// Checks that failed.
    pub checks_failed: AtomicU64,
    /// Whether a check is under way.
    pub checking: AtomicBool,
    /// Idle connections to it, over all workers: those that carried one request so far, and those that carried several.
    idle: [AtomicU32; 2],
}

impl Server {
    /// A server in the state it starts in: up, or in maintenance when `disabled`.
    pub fn new(config: model::Server) -> Self {
        Self {
            streams: Gauge::default(),
            promised: AtomicU32::new(0),
            rate: Rate::default(),
            up: AtomicU8::new(1),
            admin: AtomicU8::new(u8::from(config.disabled)),
            weight: AtomicU32::new(config.weight),
            changes: Changes::default(),
            health: Mutex::new(None),
            checks_failed: AtomicU64::new(0),
            checking: AtomicBool::new(false),
            idle: Default::default(),
            config,
        }
    }

    /// Whether its checks have it up (always, without checks).
    pub fn is_up(&self) -> bool {
        self.up.load(Relaxed) != 0
    }

    /// What operators decided.
    pub fn admin(&self) -> Admin {
        if self.admin.load(Relaxed) == 0 { Admin::Ready } else { Admin::Maintenance }
    }

    /// Whether it takes traffic.
    pub fn usable(&self) -> bool {
        self.is_up() && self.admin() == Admin::Ready && self.weight.load(Relaxed) > 0
    }

    /// Idle connections to it that carried several requests (`proven`), or one.
    pub fn idle(&self, proven: bool) -> &AtomicU32 {
        let [fresh, several] = &self.idle;
        if proven { several } else { fresh }
    }

    /// All idle connections to it.
    pub fn idle_now(&self) -> u32 {
        self.idle(false).load(Relaxed).saturating_add(self.idle(true).load(Relaxed))
    }

    /// Streams that have taken their place on it (`%sc`).
    pub fn taken(&self) -> u32 {
        self.streams.get().saturating_sub(self.promised.load(Relaxed))
    }

    /// Whether `maxconn` is reached.
    pub fn full(&self) -> bool {
        self.config.maxconn != 0 && self.streams.get() >= self.config.maxconn
    }

    /// Notes that checks have it up or down since `now_ms`; returns whether that is news.
    pub(crate) fn set_up(&self, up: bool, now_ms: u64) -> bool {
        let news = self.up.swap(u8::from(up), Relaxed) != u8::from(up);
        if news {
            self.changes.note(up, now_ms);
        }
        news
    }
}
