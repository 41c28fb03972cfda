//! All virtual routers of a process: inputs, actions, timers.

use crate::action::Action;
use crate::cause::Cause;
use crate::config::Config;
use crate::counters::Counters;
use crate::ids::{GroupId, LinkId, RouterId, TrackId};
use crate::input::{AddressChange, LinkChange, Received};
use crate::state::State;
use crate::track::TrackState;
use core::net::IpAddr;
use ek_time::Instant;
use std::collections::VecDeque;

/// All virtual routers of a process.
#[derive(Debug)]
pub struct Router {
    config: Config,
    actions: VecDeque<Action>,
}

/// A virtual router as it is now, for dumps and status.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// The state it would be in without its sync group.
    pub wanted: State,
    /// The base priority (an address owner that met another has 254).
    pub base_priority: u8,
    /// Base and weights, before the limits are applied.
    pub total_priority: i32,
    /// The priority it advertises.
    pub effective_priority: u8,
    /// Whether its addresses are in place.
    pub addresses_set: bool,
    /// The last Master heard, and its priority.
    pub master: Option<(IpAddr, u8)>,
    /// The Master's interval (version 3), or our own.
    pub master_interval: core::time::Duration,
    /// When the state last changed.
    pub since: Instant,
    /// Why.
    pub cause: Cause,
    /// When its timer runs out: the next advert, or the end of the master-down interval.
    pub deadline: Option<Instant>,
    /// Reasons for Fault at the moment.
    pub faults: u32,
    /// Tracks that have not reported.
    pub waiting: u32,
}

/// A sync group as it is now.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Its state.
    pub state: State,
    /// When it last changed.
    pub since: Instant,
    /// Why.
    pub cause: Cause,
}

impl Router {
    /// Starts all virtual routers. `seed` makes choices that must differ between hosts.
    pub fn new(now: Instant, seed: u64, config: Config) -> Self {
        let _ = (now, seed);
        Self { config, actions: VecDeque::new() }
    }

    /// A packet came in.
    pub fn handle_packet(&mut self, now: Instant, received: &Received<'_>) {
        let _ = (now, received);
    }

    /// An interface changed.
    pub fn handle_link(&mut self, now: Instant, link: LinkId, change: LinkChange) {
        let _ = (now, link, change);
    }

    /// Something tracked changed; reports that bring no change are fine.
    pub fn handle_track(&mut self, now: Instant, track: TrackId, state: TrackState) {
        let _ = (now, track, state);
    }

    /// An address came or went on an interface.
    pub fn handle_address(&mut self, now: Instant, change: AddressChange) {
        let _ = (now, change);
    }

    /// The configuration was read again. All actions have to be taken before. States, counters and sequence numbers of
    /// virtual routers with the same name go on; those that are gone resign and are taken down.
    pub fn handle_reload(&mut self, now: Instant, config: Config) {
        let _ = now;
        self.config = config;
        self.actions.push_back(Action::Reloaded);
    }

    /// The process stops: Masters resign and take their addresses away, and nothing happens afterwards.
    pub fn handle_shutdown(&mut self, now: Instant) {
        let _ = now;
    }

    /// Does what is due. Call it at [`Router::poll_timeout`] or later, after all received packets have been handed over.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When [`Router::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes back the buffer of an advert that was sent.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        let _ = bytes;
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The virtual router of this name.
    pub fn find(&self, name: &str) -> Option<RouterId> {
        self.config.routers.iter().position(|router| &*router.name == name).map(RouterId::at)
    }

    /// A virtual router's counters.
    pub fn counters(&self, router: RouterId) -> Option<&Counters> {
        let _ = router;
        None
    }

    /// Sets all counters to zero (the signal for "statistics and clear").
    pub fn clear_counters(&mut self) {}

    /// A virtual router as it is now.
    pub fn status(&self, router: RouterId) -> Option<Status> {
        let _ = router;
        None
    }

    /// A sync group as it is now.
    pub fn group_status(&self, group: GroupId) -> Option<GroupStatus> {
        let _ = group;
        None
    }

    /// The datagrams with which a Master resigns, for a process that stands in when this one is gone: as
    /// [`Action::Send`] would carry them, without counting or changing anything. Empty unless Master.
    pub fn resignation(&self, router: RouterId) -> Vec<crate::action::Advert> {
        let _ = router;
        Vec::new()
    }
}
