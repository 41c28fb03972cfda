//! How things stand, for status and dumps.

use crate::cause::Cause;
use crate::director::Director;
use crate::ids::{CheckerId, RealServerId, VirtualServerId};
use crate::plane::ServiceKey;
use ek_time::Instant;

/// A virtual server as it is.
#[derive(Clone, Debug)]
pub struct VirtualServerStatus<'a> {
    /// Its name in log lines.
    pub name: &'a str,
    /// The kernel services it stands for.
    pub keys: &'a [ServiceKey],
    /// Whether the quorum is there.
    pub quorum_up: bool,
    /// The sum of the weights of the servers that are up.
    pub weight: u64,
    /// The sorry server's name, and whether it stands in.
    pub sorry_server: Option<(&'a str, bool)>,
    /// What weights in the kernel's table are multiplied with (100 with a slow start, else 1).
    pub scale: u32,
    /// `ha_suspend`: its checkers rest.
    pub suspended: bool,
    /// When the quorum last came or went.
    pub since: Instant,
    /// Why.
    pub cause: &'a Cause,
}

/// A real server as it is.
#[derive(Clone, Debug)]
pub struct RealServerStatus<'a> {
    /// Its name in log lines.
    pub name: &'a str,
    /// Where it is.
    pub service: VirtualServerId,
    /// Whether it is up.
    pub up: bool,
    /// Its weight, with what checkers add, 0–2147483647.
    pub weight: u32,
    /// Its weight in the kernel's table; `None`: it is not there.
    pub table_weight: Option<u32>,
    /// How many of its checkers have failed.
    pub failed: usize,
    /// In its slow start: the percentage of its weight that it has.
    pub slow_start: Option<u32>,
    /// When it last came up or went down.
    pub since: Instant,
    /// Why.
    pub cause: &'a Cause,
}

/// A checker as it is.
#[derive(Clone, Debug)]
pub struct CheckerStatus<'a> {
    /// Its kind.
    pub kind: &'static str,
    /// Whose it is.
    pub server: RealServerId,
    /// Whether it counts as passed.
    pub up: bool,
    /// Whether it has found anything yet.
    pub has_run: bool,
    /// What it adds to its server's weight.
    pub plus: i64,
    /// Whether it runs.
    pub enabled: bool,
    /// What it found last.
    pub reason: &'a str,
    /// When it last changed its mind.
    pub since: Instant,
}

impl Director {
    /// A virtual server as it is.
    pub fn virtual_server(&self, id: VirtualServerId) -> Option<VirtualServerStatus<'_>> {
        let state = self.virtuals.get(id.index())?;
        let config = self.config.virtual_servers.get(id.index())?;
        Some(VirtualServerStatus {
            name: &state.name,
            keys: &state.keys,
            quorum_up: state.quorum_up,
            weight: self.live_weight(id.index()),
            sorry_server: state.sorry.as_ref().map(|sorry| (&*sorry.name, sorry.alive)),
            scale: state.scale,
            suspended: config.ha_suspend && state.present.is_empty(),
            since: state.since,
            cause: &state.cause,
        })
    }

    /// The real servers of a virtual server.
    pub fn real_servers(&self, id: VirtualServerId) -> impl Iterator<Item = RealServerId> {
        let range = self.virtuals.get(id.index()).map_or(0..0, |state| state.servers.clone());
        range.map(RealServerId::at)
    }

    /// A real server as it is.
    pub fn real_server(&self, id: RealServerId) -> Option<RealServerStatus<'_>> {
        let real = self.reals.get(id.index())?;
        Some(RealServerStatus {
            name: &real.name,
            service: VirtualServerId::at(real.service),
            up: real.alive,
            weight: real.effective(),
            table_weight: if self.running { self.wish(id.index()) } else { None },
            failed: real.failed,
            slow_start: real.ramp.map(|_| self.ramped(id.index(), 100)),
            since: real.since,
            cause: &real.cause,
        })
    }

    /// The checkers of a real server.
    pub fn checkers(&self, id: RealServerId) -> impl Iterator<Item = CheckerId> {
        let range = self.reals.get(id.index()).map_or(0..0, |real| real.checkers.clone());
        range.map(CheckerId::at)
    }

    /// A checker as it is.
    pub fn checker(&self, id: CheckerId) -> Option<CheckerStatus<'_>> {
        let probe = self.probes.get(id.index())?;
        Some(CheckerStatus {
            kind: self.checker_config(id.index())?.kind,
            server: probe.server,
            up: probe.up,
            has_run: probe.has_run,
            plus: probe.plus,
            enabled: probe.enabled,
            reason: &probe.reason,
            since: probe.since,
        })
    }
}
