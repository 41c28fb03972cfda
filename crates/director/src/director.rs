//! All virtual servers of a process: inputs, actions, what everything is. What happens to each is in the files beside:
//! `servers`, `quorum`, `notices`, `start`, `reload`, `stop`, `slow_start`, `drain`, `presence`.

use crate::action::Action;
use crate::cause::Cause;
use crate::config::Config;
use crate::event::{Event, What};
use crate::ids::{CheckerId, RealServerId, VirtualServerId};
use crate::mirror::{Holder, Mirror};
use crate::plane::{Change, ServiceKey, Table};
use crate::state::{Draining, Probe, Real, Virtual};
use ek_time::Instant;
use std::collections::VecDeque;

/// All virtual servers of a process.
///
/// Between [`Director::new`] and [`Director::adopt`] it takes [`handle_presence`](Director::handle_presence) only.
#[derive(Debug)]
pub struct Director {
    pub(crate) config: Config,
    pub(crate) virtuals: Vec<Virtual>,
    pub(crate) reals: Vec<Real>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) draining: Vec<Draining>,
    /// Real servers in their slow start.
    pub(crate) ramping: Vec<usize>,
    pub(crate) mirror: Mirror,
    pub(crate) actions: VecDeque<Action>,
    /// The predecessor of each checker, of the last reload.
    pub(crate) inherited: Vec<Option<CheckerId>>,
    pub(crate) next_holder: u32,
    pub(crate) running: bool,
}

impl Director {
    /// Sets everything up. Nothing is done before [`Director::adopt`].
    pub fn new(now: Instant, config: Config) -> Self {
        let mut director = Self {
            config: Config::default(),
            virtuals: Vec::new(),
            reals: Vec::new(),
            probes: Vec::new(),
            draining: Vec::new(),
            ramping: Vec::new(),
            mirror: Mirror::default(),
            actions: VecDeque::new(),
            inherited: Vec::new(),
            next_holder: 0,
            running: false,
        };
        director.build(now, config, &Cause::Start);
        director
    }

    /// The next thing to be done; `None` when all is done.
    pub fn poll_action(&mut self) -> Option<Action> {
        let next = self.actions.pop_front();
        if next.is_none() {
            // A start or a reload leaves room for thousands, and that is the last of it.
            self.actions.shrink_to(64);
        }
        next
    }

    /// When [`Director::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_step().into_iter().chain(self.draining.iter().map(|one| one.until)).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.running {
            self.step_ramps(now);
            self.expire_drains(now);
        }
    }

    /// The kernel's table has been read anew, for example because a change was refused, or because another program may
    /// have changed it. What differs from what this director wants is set right; what is not configured stays.
    pub fn handle_table(&mut self, table: &Table, cause: &Cause) {
        if self.running {
            for change in self.mirror.repair(table) {
                self.change(Some(change), cause);
            }
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// After a reload, until the next: the checker of the configuration before that this one goes on for.
    pub fn inherited(&self, checker: CheckerId) -> Option<CheckerId> {
        self.inherited.get(checker.index()).copied().flatten()
    }

    /// The real server of a checker.
    pub fn server_of(&self, checker: CheckerId) -> Option<RealServerId> {
        self.probes.get(checker.index()).map(|probe| probe.server)
    }

    /// The virtual server of a real server.
    pub fn service_of(&self, server: RealServerId) -> Option<VirtualServerId> {
        self.reals.get(server.index()).map(|real| VirtualServerId::at(real.service))
    }

    pub(crate) fn new_holder(&mut self) -> Holder {
        self.next_holder = self.next_holder.wrapping_add(1);
        Holder(self.next_holder)
    }

    pub(crate) fn change(&mut self, change: Option<Change>, cause: &Cause) {
        if let Some(change) = change {
            self.actions.push_back(Action::Change(change, cause.clone()));
        }
    }

    pub(crate) fn log(&mut self, what: What, cause: &Cause) {
        self.actions.push_back(Action::Event(Event { what, cause: cause.clone() }));
    }

    /// Puts a virtual server's services into the table, or sets them right.
    pub(crate) fn place_services(&mut self, service: usize, cause: &Cause) {
        let Some((state, config)) = self.virtuals.get(service).zip(self.config.virtual_servers.get(service))
        else {
            return;
        };
        let (keys, holder) = (state.keys.clone(), state.holder);
        let services: Vec<_> = keys.iter().map(|key| config.service(*key)).collect();
        for one in services {
            let change = self.mirror.hold_service(holder, one);
            self.change(change, cause);
        }
    }

    /// Takes a virtual server's services out, those of `keys`.
    pub(crate) fn release_services(&mut self, holder: Holder, keys: &[ServiceKey], cause: &Cause) {
        for key in keys {
            let change = self.mirror.release_service(holder, key);
            self.change(change, cause);
        }
    }
}
