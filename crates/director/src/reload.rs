//! Another configuration, applied as a difference: what is the same in both is not touched and keeps its state.
//!
//! A virtual server is the same if it stands for the same address, port and protocol, the same mark, or if it is as many-th
//! of the same group. A real server is the same if its address and port are, in the same virtual server. A checker is the
//! same if its identity is, at the same real server.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::action::Action;
use crate::cause::Cause;
use crate::config::{Config, GroupEntry, RealServer, Target, VirtualServer};
use crate::director::Director;
use crate::event::What;
use crate::ids::CheckerId;
use crate::input::Verdict;
use crate::plane::{Destination, DestinationKey, Family, Protocol, ServiceKey};
use crate::state::{Probe, Real, Virtual};
use ek_time::Instant;
use std::collections::{HashMap, HashSet};

/// The lists of the configuration before.
struct Before {
    config: Config,
    virtuals: Vec<Virtual>,
    reals: Vec<Real>,
    probes: Vec<Probe>,
}

impl Director {
    /// Goes over to another configuration. Actions before [`Action::Reloaded`] speak of the one before.
    pub fn handle_reload(&mut self, now: Instant, config: Config) {
        if !self.running {
            return;
        }
        let cause = Cause::Reload;
        let pairs = pair_services(&self.config, &config);
        for (service, new) in pairs.iter().enumerate() {
            match new.and_then(|new| config.virtual_servers.get(new)) {
                Some(new) => self.drop_of(now, service, new, &cause),
                None => self.drop_service(now, service, &cause),
            }
        }
        self.actions.push_back(Action::Reloaded);
        let before = self.replace(now, config, &cause);
        self.inherited = vec![None; self.probes.len()];
        for (old, new) in pairs.iter().enumerate() {
            if let Some(new) = *new {
                self.take_over(&before, old, new, &cause);
            }
        }
        for service in 0..self.virtuals.len() {
            self.settle(now, service, &cause);
        }
        self.announce_checkers(&cause);
    }

    /// The new lists in place of the old.
    fn replace(&mut self, now: Instant, config: Config, cause: &Cause) -> Before {
        let before = Before {
            config: std::mem::take(&mut self.config),
            virtuals: std::mem::take(&mut self.virtuals),
            reals: std::mem::take(&mut self.reals),
            probes: std::mem::take(&mut self.probes),
        };
        self.build(now, config, cause);
        before
    }

    /// A virtual server is configured no more.
    fn drop_service(&mut self, now: Instant, service: usize, cause: &Cause) {
        let (name, group) = match &self.config.virtual_servers[service].target {
            Target::Group { name, .. } => (name.as_str().into(), true),
            Target::Address { .. } | Target::Mark(_) => (self.virtuals[service].name.clone(), false),
        };
        self.log(What::ServiceGone { service: name, group }, cause);
        self.clear_service(now, service, false, cause);
    }

    /// Of a virtual server that stays, what is configured no more: group entries, real servers, the sorry server.
    fn drop_of(&mut self, now: Instant, service: usize, new: &VirtualServer, cause: &Cause) {
        for entry in gone(&self.config.virtual_servers[service], new) {
            let what = self.entry_gone(service, &entry);
            self.log(what, cause);
        }
        let keys: HashSet<ServiceKey> = new.keys().into_iter().collect();
        let stay: HashMap<_, &RealServer> =
            new.real_servers.iter().map(|one| ((one.address, one.port), one)).collect();
        for server in self.virtuals[service].servers.clone() {
            let Some(config) = self.server_config(server) else { continue };
            match stay.get(&(config.address, config.port)) {
                Some(same) => {
                    let same = same.shape();
                    self.move_server(server, &same, cause);
                }
                None => self.drop_server(now, server, &keys, cause),
            }
        }
        let sorry = self.config.virtual_servers[service].sorry_server;
        if let Some(sorry) = sorry {
            let same = new.sorry_server.is_some_and(|one| {
                (one.address, one.port) == (sorry.address, sorry.port)
                    && keys.iter().all(|key| one.destination(key, 0).key == sorry.destination(key, 0).key)
            });
            if !same {
                self.drop_sorry(service, cause);
            }
        }
        self.drop_keys(service, &keys, cause);
    }

    fn entry_gone(&self, service: usize, entry: &GroupEntry) -> What {
        let config = &self.config.virtual_servers[service];
        What::EntryGone { entry: config.gone_entry(entry), group: group_name(config) }
    }

    /// A real server that stays, but in another form: as another destination it is out first.
    fn move_server(&mut self, server: usize, same: &crate::target::Shape, cause: &Cause) {
        let Some(shape) = self.server_config(server).map(RealServer::shape) else { return };
        let holder = self.reals[server].holder;
        let keys = self.virtuals[self.reals[server].service].keys.clone();
        for key in keys.iter() {
            let (old, new) = (shape.destination(key, 0).key, same.destination(key, 0).key);
            if old != new {
                let change = self.mirror.release(holder, key, &old);
                self.change(change, cause);
            }
        }
    }

    /// A real server is configured no more.
    fn drop_server(&mut self, now: Instant, server: usize, keys: &HashSet<ServiceKey>, cause: &Cause) {
        let name = self.reals[server].name.clone();
        self.log(What::ServerGone { server: name.clone() }, cause);
        let wish = self.wish(server);
        let Some(config) = self.server_config(server) else { return };
        let (time, shape) = (config.drain, config.shape());
        if time.is_zero() || wish.is_none_or(|weight| weight == 0) {
            self.clear_server(now, server, wish.is_some(), false, cause);
            return;
        }
        let state = &self.virtuals[self.reals[server].service];
        let names = (name, state.name.clone());
        let holders = (self.reals[server].holder, state.holder);
        let places: Vec<(ServiceKey, Destination)> = state
            .keys
            .iter()
            .filter(|key| keys.contains(key))
            .map(|key| (*key, shape.destination(key, 0)))
            .collect();
        self.begin_drain(now, names, holders, places, time);
        self.close_server(now, server, false, cause);
    }

    fn drop_sorry(&mut self, service: usize, cause: &Cause) {
        let state = &self.virtuals[service];
        if let Some(sorry) = state.sorry.as_ref().filter(|sorry| sorry.alive) {
            let (server, service) = (sorry.name.clone(), state.name.clone());
            self.log(What::SorryDown { server, service, inhibit: false }, cause);
        }
        self.release_sorry(service, cause);
    }

    /// Takes out the services that a group no longer names.
    fn drop_keys(&mut self, service: usize, keys: &HashSet<ServiceKey>, cause: &Cause) {
        let dropped: Vec<ServiceKey> =
            self.virtuals[service].keys.iter().copied().filter(|key| !keys.contains(key)).collect();
        if dropped.is_empty() {
            return;
        }
        let holder = self.virtuals[service].holder;
        let all = std::mem::replace(&mut self.virtuals[service].keys, dropped.clone().into());
        for server in self.virtuals[service].servers.clone() {
            self.release_server(server, cause);
        }
        let alive = self.virtuals[service].sorry.as_ref().is_some_and(|sorry| sorry.alive);
        self.release_sorry(service, cause);
        if let Some(sorry) = self.virtuals[service].sorry.as_mut() {
            sorry.alive = alive;
        }
        self.end_drains_at(holder, &dropped, cause);
        self.release_services(holder, &dropped, cause);
        self.virtuals[service].keys = all;
    }

    /// A virtual server that stays: its state, and its servers'.
    fn take_over(&mut self, before: &Before, old: usize, new: usize, cause: &Cause) {
        let (was, config) = (&before.virtuals[old], &before.config.virtual_servers[old]);
        for entry in gone(&self.config.virtual_servers[new], config) {
            let config = &self.config.virtual_servers[new];
            let what = What::EntryAdded { entry: config.added_entry(&entry), group: group_name(config) };
            self.log(what, cause);
        }
        let config_now = &self.config.virtual_servers[new];
        let next = &mut self.virtuals[new];
        next.holder = was.holder;
        next.quorum_up = was.quorum_up;
        next.told = was.told;
        next.since = was.since;
        next.cause = was.cause.clone();
        if config_now.ha_suspend {
            next.present = was.present.iter().copied().filter(|one| config_now.covers(*one)).collect();
        }
        let same = config
            .sorry_server
            .zip(config_now.sorry_server)
            .is_some_and(|(a, b)| (a.address, a.port) == (b.address, b.port));
        if let (true, Some(sorry), Some(was)) = (same, next.sorry.as_mut(), was.sorry.as_ref()) {
            sorry.holder = was.holder;
            sorry.alive = was.alive;
        }
        let replaced = was.sorry.as_ref().is_some_and(|sorry| sorry.alive);
        let olds: HashMap<_, usize> = was
            .servers
            .clone()
            .zip(&config.real_servers)
            .map(|(at, one)| ((one.address, one.port), at))
            .collect();
        for server in self.virtuals[new].servers.clone() {
            let Some(config) = self.server_config(server) else { continue };
            if let Some(old_server) = olds.get(&(config.address, config.port)) {
                self.take_over_server(before, *old_server, server, replaced);
            }
        }
    }

    /// A real server that stays.
    fn take_over_server(&mut self, before: &Before, old: usize, new: usize, replaced: bool) {
        let was = &before.reals[old];
        let config_before = &before.config.virtual_servers[was.service].real_servers
            [old - before.virtuals[was.service].servers.start];
        let real = &mut self.reals[new];
        real.holder = was.holder;
        real.alive = was.alive;
        real.seen_up = was.seen_up;
        real.weight = was.weight;
        real.told = was.told;
        real.leftover = was.leftover;
        real.since = was.since;
        real.cause = was.cause.clone();
        real.reloaded = true;
        if was.ramp.is_some() {
            real.ramp = was.ramp;
            self.ramping.push(new);
        }
        for at in self.reals[new].checkers.clone() {
            let Some(config) = self.checker_config(at) else { continue };
            if config.known.is_some() {
                continue;
            }
            let same = |(_, one): &(usize, &crate::config::Checker)| {
                one.known.is_none() && (one.kind, &one.identity) == (config.kind, &config.identity)
            };
            let list = || was.checkers.clone().zip(&config_before.checkers);
            // While the sorry server stands in, a server whose checkers are others now stays as it is, too.
            let other = || list().find(|(_, one)| replaced && one.known.is_none());
            if let Some((from, _)) = list().find(same).or_else(other) {
                let probe = &before.probes[from];
                let mine = &mut self.probes[at];
                if probe.has_run {
                    mine.up = probe.up;
                }
                mine.has_run = probe.has_run;
                mine.plus = probe.plus;
                mine.reason = probe.reason.clone();
                mine.since = probe.since;
                self.inherited[at] = Some(CheckerId::at(from));
            }
        }
        self.count_failed(new);
    }

    /// How many checkers of a server that stays have failed. Those that have not run yet count as passed, in alpha mode too,
    /// if the server was up and nothing else speaks against it.
    fn count_failed(&mut self, server: usize) {
        let checkers = self.reals[server].checkers.clone();
        let known =
            |director: &Self, at: usize| director.checker_config(at).is_some_and(|one| one.known.is_some());
        let failed = checkers
            .clone()
            .filter(|at| self.probes[*at].has_run && !self.probes[*at].up && !known(self, *at))
            .count();
        let doubtful = failed > 0 || !self.reals[server].alive;
        for at in checkers.clone() {
            if !self.probes[at].has_run {
                let alpha = self.checker_config(at).is_some_and(|one| one.alpha);
                self.probes[at].up = !(alpha && doubtful);
            }
        }
        self.reals[server].failed = checkers.filter(|at| !self.probes[*at].up).count();
    }

    /// Brings a virtual server of the new configuration to where it is to be.
    fn settle(&mut self, now: Instant, service: usize, cause: &Cause) {
        self.place_services(service, cause);
        for server in self.virtuals[service].servers.clone() {
            if self.reals[server].reloaded {
                self.settle_server(now, server, cause);
            }
        }
        self.start_servers(now, service, cause);
        self.resume_drained(service, cause);
        self.update_quorum(now, service, true, cause);
        self.place_sorry(service, cause);
        for server in self.virtuals[service].servers.clone() {
            self.reals[server].reloaded = false;
        }
    }

    fn settle_server(&mut self, now: Instant, server: usize, cause: &Cause) {
        for at in self.reals[server].checkers.clone() {
            if let Some(known) = self.checker_config(at).and_then(|one| one.known.clone()) {
                self.set_known(now, at, &known);
                if !known.up {
                    self.probes[at].up = false;
                    self.reals[server].failed += 1;
                }
            }
        }
        let weight = self.configured_weight(server);
        self.set_weight(server, weight, cause);
        if self.ramping.contains(&server) && self.virtuals[self.reals[server].service].scale == 1 {
            self.end_ramp(server);
        }
        let up = self.reals[server].failed == 0;
        if up != self.reals[server].alive {
            self.turn_quietly(now, server, up, cause);
        }
        self.place_server(server, cause);
    }

    /// A server that comes up or goes down by the reload; the quorum is looked at when all are done.
    fn turn_quietly(&mut self, now: Instant, server: usize, alive: bool, cause: &Cause) {
        let inhibit = self.server_config(server).is_some_and(|one| one.inhibit);
        let name = self.reals[server].name.clone();
        let within = self.virtuals[self.reals[server].service].name.clone();
        let what = if alive {
            What::ServerUp { server: name, service: within, inhibit }
        } else {
            What::ServerDown { server: name, service: within, inhibit }
        };
        self.log(what, cause);
        let real = &mut self.reals[server];
        real.alive = alive;
        real.seen_up |= alive;
        real.since = now;
        real.cause = cause.clone();
        if !alive {
            self.end_ramp(server);
        }
        self.place_server(server, cause);
        self.notify_server(server, false, cause);
    }

    /// Servers that were waiting to leave and are configured again: the new ones hold the places now.
    fn resume_drained(&mut self, service: usize, cause: &Cause) {
        let within = self.virtuals[service].holder;
        let keys = self.virtuals[service].keys.clone();
        let wanted: HashSet<(ServiceKey, DestinationKey)> = self.virtuals[service]
            .servers
            .clone()
            .filter_map(|server| self.server_config(server).map(RealServer::shape))
            .flat_map(|shape| keys.iter().map(move |key| (*key, shape.destination(key, 0).key)))
            .collect();
        let (back, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.draining).into_iter().partition(|one| {
                one.within == within
                    && one.places.iter().any(|(key, place)| wanted.contains(&(*key, place.key)))
            });
        self.draining = stay;
        for one in back {
            for (key, place) in &one.places {
                let change = self.mirror.release(one.holder, key, &place.key);
                self.change(change, cause);
            }
        }
    }

    /// What a checker knows without having run.
    pub(crate) fn set_known(&mut self, now: Instant, at: usize, known: &Verdict) {
        let server = self.probes[at].server.index();
        let configured = self.server_config(server).map_or(0, |one| i64::from(one.weight));
        let plus = known.weight.map_or(0, |weight| weight.plus(configured));
        let probe = &mut self.probes[at];
        probe.has_run = true;
        probe.since = now;
        probe.reason = (&*known.reason).into();
        probe.plus = plus;
    }
}

/// What a virtual server is recognised by. The number tells apart those of one group, and those that are alike.
#[derive(PartialEq, Eq, Hash)]
enum Identity<'a> {
    Group(&'a str, usize),
    Other(&'a Target, Option<Protocol>, Family, usize),
}

fn identities(config: &Config) -> impl Iterator<Item = Identity<'_>> {
    let mut seen: HashMap<Identity<'_>, usize> = HashMap::new();
    config.virtual_servers.iter().map(move |one| {
        let kind = |number| match &one.target {
            Target::Group { name, .. } => Identity::Group(name, number),
            other => Identity::Other(other, one.protocol, one.family, number),
        };
        let number = seen.entry(kind(0)).or_default();
        *number += 1;
        kind(*number)
    })
}

/// For each virtual server of the configuration before, its place in the new one.
fn pair_services(old: &Config, new: &Config) -> Vec<Option<usize>> {
    let places: HashMap<Identity<'_>, usize> = identities(new).zip(0..).collect();
    identities(old).map(|one| places.get(&one).copied()).collect()
}

/// What is in one group and not in another.
fn gone(from: &VirtualServer, to: &VirtualServer) -> Vec<GroupEntry> {
    match (&from.target, &to.target) {
        (Target::Group { entries, .. }, Target::Group { entries: others, .. }) => {
            entries.iter().filter(|one| !others.contains(one)).copied().collect()
        }
        _ => Vec::new(),
    }
}

fn group_name(config: &VirtualServer) -> String {
    match &config.target {
        Target::Group { name, .. } => name.clone(),
        Target::Address { .. } | Target::Mark(_) => String::new(),
    }
}
