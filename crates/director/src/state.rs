//! What a director remembers of its servers and checkers.

use crate::cause::Cause;
use crate::event::Name;
use crate::ids::RealServerId;
use crate::mirror::Holder;
use crate::plane::ServiceKey;
use core::net::IpAddr;
use core::ops::Range;
use ek_time::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A virtual server.
#[derive(Clone, Debug)]
pub(crate) struct Virtual {
    pub(crate) name: Name,
    pub(crate) holder: Holder,
    /// The kernel services it stands for, in keepalived's order: addresses, then marks.
    pub(crate) keys: Arc<[ServiceKey]>,
    /// Its real servers' positions.
    pub(crate) servers: Range<usize>,
    pub(crate) quorum_up: bool,
    /// What notifiers were told last.
    pub(crate) told: Option<bool>,
    pub(crate) sorry: Option<Sorry>,
    /// `ha_suspend`: those of its addresses that are on this host.
    pub(crate) present: BTreeSet<IpAddr>,
    /// What weights are multiplied with, so that a slow start has steps.
    pub(crate) scale: u32,
    /// Since when the quorum is as it is, and why.
    pub(crate) since: Instant,
    pub(crate) cause: Cause,
}

/// A sorry server.
#[derive(Clone, Debug)]
pub(crate) struct Sorry {
    pub(crate) name: Name,
    pub(crate) holder: Holder,
    /// It stands in for the real servers.
    pub(crate) alive: bool,
}

/// A real server.
#[derive(Clone, Debug)]
pub(crate) struct Real {
    pub(crate) name: Name,
    pub(crate) holder: Holder,
    pub(crate) service: usize,
    pub(crate) checkers: Range<usize>,
    pub(crate) alive: bool,
    /// It was up at some time.
    pub(crate) seen_up: bool,
    /// Its configured weight and what checkers make of it; may be below 0.
    pub(crate) weight: i64,
    /// How many of its checkers have failed.
    pub(crate) failed: usize,
    /// What notifiers were told last.
    pub(crate) told: Option<bool>,
    /// At the start it was in the kernel's table though it had not been checked; it stays until it is.
    pub(crate) leftover: bool,
    pub(crate) ramp: Option<Ramp>,
    /// A reload brought it over from the configuration before.
    pub(crate) reloaded: bool,
    pub(crate) since: Instant,
    pub(crate) cause: Cause,
}

/// A slow start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    pub(crate) since: Instant,
    /// Steps done.
    pub(crate) step: u32,
}

/// A checker.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) server: RealServerId,
    pub(crate) up: bool,
    pub(crate) has_run: bool,
    /// What it adds to the server's weight.
    pub(crate) plus: i64,
    pub(crate) enabled: bool,
    pub(crate) reason: Arc<str>,
    pub(crate) since: Instant,
}

/// A server that is configured no more and waits for its connections to end.
#[derive(Clone, Debug)]
pub(crate) struct Draining {
    pub(crate) name: Name,
    pub(crate) service: Name,
    /// Of the server.
    pub(crate) holder: Holder,
    /// Of the virtual server.
    pub(crate) within: Holder,
    /// Where it is in the table.
    pub(crate) places: Vec<(ServiceKey, crate::plane::Destination)>,
    pub(crate) until: Instant,
}

/// The greatest weight keepalived and the kernel know.
pub(crate) const MAX_WEIGHT: u32 = i32::MAX as u32;

impl Real {
    /// The weight as keepalived counts it, 0–2147483647.
    pub(crate) fn effective(&self) -> u32 {
        u32::try_from(self.weight.clamp(0, i64::from(MAX_WEIGHT))).unwrap_or(0)
    }
}
