//! All virtual routers of a process: inputs, actions, timers. What happens to each is in the files beside: `receive`,
//! `election`, `sync`, `faults`, `announce`, `guard`, `reload`.

use crate::action::{Action, Notification, Subject};
use crate::cause::Cause;
use crate::config::{Config, VirtualRouter};
use crate::counters::{Counters, Strays};
use crate::event::{Event, Name, What};
use crate::ids::{GroupId, LinkId, RouterId, TrackId};
use crate::input::LinkChange;
use crate::instance::{Instance, Noise};
use crate::limit::Limit;
use crate::lookup::Lookup;
use crate::state::State;
use crate::sync::GroupState;
use crate::timers::Timers;
use crate::track::TrackState;
use core::net::IpAddr;
use core::time::Duration;
use ek_time::Instant;
use std::collections::VecDeque;

/// All virtual routers of a process.
#[derive(Debug)]
pub struct Router {
    pub(crate) config: Config,
    pub(crate) instances: Vec<Instance>,
    pub(crate) groups: Vec<GroupState>,
    pub(crate) users: crate::faults::Users,
    pub(crate) lookup: Lookup,
    pub(crate) timers: Timers,
    pub(crate) queues: Vec<crate::announce::Queue>,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) pool: Vec<Vec<u8>>,
    /// `vrrp_startup_delay`: until when.
    pub(crate) delayed: Option<Instant>,
    pub(crate) unknown_limit: Limit,
    pub(crate) truncated_limit: Limit,
    pub(crate) strays: Strays,
    pub(crate) jitter: u64,
    stopped: bool,
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
    pub master_interval: Duration,
    /// The master-down interval.
    pub master_down: Duration,
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
    /// The address adverts are sent from, if there is one.
    pub source: Option<IpAddr>,
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

/// The timers of a virtual router.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// Next advert of a Master; end of the master-down interval of a Backup.
    Main,
    /// `garp_master_delay`.
    Delayed,
    /// `garp_lower_prio_delay`.
    LowerPriority,
    /// The guard may put an address back.
    Guard,
}

const TIMERS: usize = 4;
/// Room for actions that is kept when all are done.
const KEPT_ACTIONS: usize = 1024;

impl Router {
    /// Starts all virtual routers. `seed` makes choices that must differ between hosts.
    pub fn new(now: Instant, seed: u64, config: Config) -> Self {
        let mut router = Self::bare(now, seed, config);
        if !router.config.settings.startup_delay.is_zero() {
            router.delayed = Some(now + router.config.settings.startup_delay);
            router.actions.push_back(Action::Log(Event::StartupDelay(router.config.settings.startup_delay)));
        }
        router.start(now);
        router
    }

    /// All in its place, and nothing started.
    pub(crate) fn bare(now: Instant, seed: u64, config: Config) -> Self {
        let mut membership = vec![None; config.routers.len()];
        for (position, group) in config.groups.iter().enumerate() {
            for member in &group.members {
                if let Some(place) = membership.get_mut(member.index()) {
                    place.get_or_insert(GroupId::at(position));
                }
            }
        }
        let instances =
            config.routers.iter().zip(membership).map(|(router, group)| Instance::new(now, router, group));
        Self {
            instances: instances.collect(),
            groups: config.groups.iter().map(|_| GroupState::new(now)).collect(),
            users: crate::faults::Users::new(&config),
            lookup: Lookup::new(&config),
            timers: Timers::new(config.routers.len() * TIMERS + config.paces.len() * 2),
            queues: crate::announce::queues(&config),
            actions: VecDeque::new(),
            pool: Vec::new(),
            delayed: None,
            unknown_limit: Limit::default(),
            truncated_limit: Limit::default(),
            strays: Strays::default(),
            jitter: seed,
            stopped: false,
            config,
        }
    }

    /// An interface changed.
    pub fn handle_link(&mut self, now: Instant, link: LinkId, change: LinkChange) {
        if self.stopped {
            return;
        }
        let Some(place) = self.config.links.get_mut(link.index()) else { return };
        match change {
            LinkChange::Up => place.up = true,
            LinkChange::Down => place.up = false,
            LinkChange::SourceV4(source) => place.source_v4 = source,
            LinkChange::SourceV6(source) => place.source_v6 = source,
        }
        for user in 0..self.users.of_link(link).len() {
            if let Some(&id) = self.users.of_link(link).get(user) {
                self.reconsider(now, id);
            }
        }
    }

    /// Something tracked changed; reports that bring no change are fine.
    pub fn handle_track(&mut self, now: Instant, track: TrackId, state: TrackState) {
        if self.stopped {
            return;
        }
        match self.config.tracks.get_mut(track.index()) {
            Some(place) if place.state != state => place.state = state,
            _ => return,
        }
        for user in 0..self.users.of_track(track).len() {
            if let Some(&id) = self.users.of_track(track).get(user) {
                self.reconsider(now, id);
            }
        }
    }

    /// The process stops: Masters resign and take their addresses away, and nothing happens afterwards.
    pub fn handle_shutdown(&mut self, _now: Instant) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        for id in self.ids() {
            self.take_down(id, false);
        }
        for (position, group) in self.groups.iter_mut().enumerate() {
            self.actions.push_back(Action::Notify(Notification::Gone {
                subject: Subject::Group(GroupId::at(position)),
                from: core::mem::take(&mut group.state),
                priority: 0,
                deleted: false,
            }));
        }
        self.timers = Timers::default();
    }

    /// Does what is due. Call it at [`Router::poll_timeout`] or later, after all received packets have been handed over.
    pub fn handle_timeout(&mut self, now: Instant) {
        // Every timer that runs out is set to a later time or not at all; the bound is for a clock that stands still.
        for _ in 0..=self.timers.keys() * 2 {
            let Some((key, at)) = self.timers.pop(now) else { return };
            let id = RouterId::at(key / TIMERS);
            if id.index() >= self.instances.len() {
                self.announce_queued(now, key - self.instances.len() * TIMERS);
                continue;
            }
            match key % TIMERS {
                0 => self.main_timer(now, at, id),
                1 => self.announce_again(now, id),
                2 => self.announce_again_lower(now, id),
                _ => self.restore_due(now, id),
            }
        }
    }

    /// When [`Router::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if action.is_none() && self.actions.capacity() > KEPT_ACTIONS {
            // Elections of many routers come in bursts that do not come again soon.
            self.actions = VecDeque::new();
        }
        action
    }

    /// Gives back what a start or a reload needed and ordinary work does not.
    pub fn shrink(&mut self) {
        self.actions.shrink_to_fit();
        self.pool = Vec::new();
        self.instances.shrink_to_fit();
        self.config.routers.shrink_to_fit();
    }

    /// The configuration in force, its links and tracks as last reported.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The virtual router of this name.
    pub fn find(&self, name: &str) -> Option<RouterId> {
        self.config.routers.iter().position(|router| &*router.name == name).map(RouterId::at)
    }

    /// A virtual router's state.
    pub fn state(&self, router: RouterId) -> Option<State> {
        self.instances.get(router.index()).map(|instance| instance.state)
    }

    /// A virtual router's counters.
    pub fn counters(&self, router: RouterId) -> Option<&Counters> {
        self.instances.get(router.index()).map(|instance| &instance.counters)
    }

    /// The packets that are in no virtual router's counters.
    pub fn strays(&self) -> Strays {
        self.strays
    }

    /// Sets all counters to zero (the signal for "statistics and clear").
    pub fn clear_counters(&mut self) {
        self.strays = Strays::default();
        for instance in &mut self.instances {
            instance.counters = Counters::default();
        }
    }

    /// A virtual router as it is now.
    pub fn status(&self, router: RouterId) -> Option<Status> {
        let (configured, instance) = self.pair(router)?;
        Some(Status {
            state: instance.state,
            wanted: instance.want,
            base_priority: instance.base,
            total_priority: instance.total,
            effective_priority: instance.effective,
            addresses_set: instance.installed,
            master: instance.master,
            master_interval: instance.master_interval,
            master_down: instance.down,
            since: instance.since,
            cause: instance.cause.clone(),
            deadline: self.timer(router, Timer::Main),
            faults: instance.faults,
            waiting: instance.waiting,
            source: crate::transmit::source_of(&self.config, configured),
        })
    }

    /// A sync group as it is now.
    pub fn group_status(&self, group: GroupId) -> Option<GroupStatus> {
        let group = self.groups.get(group.index())?;
        Some(GroupStatus { state: group.state, since: group.since, cause: group.cause.clone() })
    }

    /// The sync group of a virtual router.
    pub fn group_of(&self, router: RouterId) -> Option<GroupId> {
        self.instances.get(router.index()).and_then(|instance| instance.group)
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = RouterId> + use<> {
        (0..self.instances.len()).map(RouterId::at)
    }

    pub(crate) fn pair(&self, id: RouterId) -> Option<(&VirtualRouter, &Instance)> {
        Some((self.config.routers.get(id.index())?, self.instances.get(id.index())?))
    }

    pub(crate) fn pair_mut(&mut self, id: RouterId) -> Option<(&VirtualRouter, &mut Instance)> {
        Some((self.config.routers.get(id.index())?, self.instances.get_mut(id.index())?))
    }

    pub(crate) fn name(&self, id: RouterId) -> Name {
        self.config.routers.get(id.index()).map_or_else(|| Name::from(""), |router| router.name.clone())
    }

    pub(crate) fn timer(&self, id: RouterId, timer: Timer) -> Option<Instant> {
        self.timers.get(id.index() * TIMERS + timer as usize)
    }

    pub(crate) fn set_timer(&mut self, id: RouterId, timer: Timer, at: Instant) {
        self.timers.set(id.index() * TIMERS + timer as usize, at);
    }

    pub(crate) fn clear_timer(&mut self, id: RouterId, timer: Timer) {
        self.timers.clear(id.index() * TIMERS + timer as usize);
    }

    /// The key of a queue of announcements.
    pub(crate) fn queue_key(&self, queue: usize) -> usize {
        self.instances.len() * TIMERS + queue
    }

    pub(crate) fn log(&mut self, event: Event) {
        self.actions.push_back(Action::Log(event));
    }

    /// Logs a line about a virtual router.
    pub(crate) fn say(&mut self, id: RouterId, what: What) {
        let router = self.name(id);
        self.log(Event::Router { router, what, suppressed: 0 });
    }

    /// Logs a line that packets cause, once a second at most.
    pub(crate) fn say_limited(&mut self, now: Instant, id: RouterId, noise: Noise, what: What) {
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        if let Some(suppressed) = instance.limit_noise(now, noise) {
            let router = self.name(id);
            self.log(Event::Router { router, what, suppressed });
        }
    }

    /// Resigns if Master, takes the addresses away and says that the router is gone.
    pub(crate) fn take_down(&mut self, id: RouterId, deleted: bool) {
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        let (from, priority) = (core::mem::take(&mut instance.state), instance.effective);
        if from == State::Master {
            self.resign(id);
        }
        self.withdraw(id);
        self.actions.push_back(Action::Notify(Notification::Gone {
            subject: Subject::Router(id),
            from,
            priority,
            deleted,
        }));
    }
}
