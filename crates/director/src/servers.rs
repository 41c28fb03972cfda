//! Real servers: what checkers say of them, their weights, their places in the table.

#![expect(
    clippy::indexing_slicing,
    reason = "positions are those of the lists built together in `build`; what comes from outside is looked up with `get`"
)]

use crate::action::Action;
use crate::cause::Cause;
use crate::director::Director;
use crate::event::What;
use crate::ids::CheckerId;
use crate::input::{Verdict, Weight};
use crate::state::MAX_WEIGHT;
use ek_time::Instant;
use std::sync::Arc;

impl Director {
    /// A checker has found something. To be called with every result that ends a checker's retries, also when nothing has
    /// changed. What comes from a checker that is suspended is not heard.
    pub fn handle_check(&mut self, now: Instant, checker: CheckerId, verdict: &Verdict) {
        let Some(probe) = self.probes.get(checker.index()) else { return };
        if !self.running || !probe.enabled {
            return;
        }
        self.hear(now, checker.index(), verdict);
    }

    /// The same, also of what is known before checkers start.
    pub(crate) fn hear(&mut self, now: Instant, at: usize, verdict: &Verdict) {
        let server = self.probes[at].server.index();
        let changed = self.probes[at].up != verdict.up || !self.probes[at].has_run;
        if changed || *self.probes[at].reason != *verdict.reason {
            self.probes[at].reason = Arc::from(&*verdict.reason);
        }
        if changed {
            self.probes[at].since = now;
        }
        let cause = self.cause_of(at);
        if let Some(weight) = verdict.weight {
            self.weigh(now, at, weight, &cause);
        }
        let was_up = self.probes[at].up;
        let was_alive = self.reals[server].alive;
        if was_up == verdict.up {
            let first = !std::mem::replace(&mut self.probes[at].has_run, true);
            if first && !verdict.up {
                self.reals[server].cause = cause.clone();
                self.forget_leftover(server, &cause);
            }
            if first && (self.checker_config(at).is_some_and(|one| one.alpha) || !verdict.up) {
                self.notify_server(server, false, &cause);
            }
            return;
        }
        self.probes[at].has_run = true;
        self.probes[at].up = verdict.up;
        if verdict.up {
            self.reals[server].failed = self.reals[server].failed.saturating_sub(1);
            if self.reals[server].failed == 0 {
                self.turn(now, server, true, &cause);
            }
        } else {
            self.reals[server].failed += 1;
            self.forget_leftover(server, &cause);
            if self.reals[server].failed == 1 {
                self.turn(now, server, false, &cause);
            }
        }
        self.mail_check(server, was_alive, verdict);
    }

    /// Why, when a checker is the reason.
    pub(crate) fn cause_of(&self, at: usize) -> Cause {
        let kind = self.checker_config(at).map_or("", |one| one.kind);
        Cause::Checker { kind, reason: self.probes[at].reason.clone() }
    }

    pub(crate) fn checker_config(&self, at: usize) -> Option<&crate::config::Checker> {
        let probe = self.probes.get(at)?;
        let server = probe.server.index();
        let real = self.reals.get(server)?;
        self.server_config(server)?.checkers.get(at.checked_sub(real.checkers.start)?)
    }

    pub(crate) fn server_config(&self, server: usize) -> Option<&crate::config::RealServer> {
        let real = self.reals.get(server)?;
        let service = self.virtuals.get(real.service)?;
        let within = server.checked_sub(service.servers.start)?;
        self.config.virtual_servers.get(real.service)?.real_servers.get(within)
    }

    /// A server comes up or goes down.
    pub(crate) fn turn(&mut self, now: Instant, server: usize, alive: bool, cause: &Cause) {
        if self.reals[server].alive == alive {
            return;
        }
        let inhibit = self.server_config(server).is_some_and(|one| one.inhibit);
        let (name, service) = (self.reals[server].name.clone(), self.reals[server].service);
        let within = self.virtuals[service].name.clone();
        let what = if alive {
            What::ServerUp { server: name, service: within, inhibit }
        } else {
            What::ServerDown { server: name, service: within, inhibit }
        };
        self.log(what, cause);
        let real = &mut self.reals[server];
        real.alive = alive;
        real.since = now;
        real.cause = cause.clone();
        if alive {
            self.begin_ramp(now, server, cause);
            self.reals[server].seen_up = true;
        } else {
            self.end_ramp(server);
        }
        self.place_server(server, cause);
        self.notify_server(server, false, cause);
        self.update_quorum(now, service, false, cause);
    }

    /// A checker sets a weight.
    fn weigh(&mut self, now: Instant, at: usize, weight: Weight, cause: &Cause) {
        let server = self.probes[at].server.index();
        let configured = self.server_config(server).map_or(0, |one| i64::from(one.weight));
        let plus = weight.plus(configured);
        let before = std::mem::replace(&mut self.probes[at].plus, plus);
        if plus != before {
            let new = self.configured_weight(server);
            if weight == Weight::Forgotten {
                self.reals[server].weight = new;
                return;
            }
            if self.set_weight(server, new, cause) {
                let service = self.reals[server].service;
                self.update_quorum(now, service, false, cause);
            }
        }
    }

    /// Sets a server's weight; whether that changed what counts.
    pub(crate) fn set_weight(&mut self, server: usize, weight: i64, cause: &Cause) -> bool {
        let real = &mut self.reals[server];
        let from = real.effective();
        real.weight = weight;
        let to = real.effective();
        if from == to {
            return false;
        }
        let what = What::Weight {
            server: real.name.clone(),
            service: self.virtuals[real.service].name.clone(),
            from,
            to,
            active: real.alive,
        };
        self.log(what, cause);
        self.place_server(server, cause);
        true
    }

    /// The weight a real server is to have in the kernel's table; `None`: it is not to be there.
    pub(crate) fn wish(&self, server: usize) -> Option<u32> {
        let real = self.reals.get(server)?;
        let service = self.virtuals.get(real.service)?;
        let replaced = service.sorry.as_ref().is_some_and(|sorry| sorry.alive);
        if real.alive && !replaced {
            let whole = real.effective().saturating_mul(service.scale).min(MAX_WEIGHT);
            return Some(self.ramped(server, whole));
        }
        self.server_config(server)?.inhibit.then_some(0)
    }

    /// Makes the table hold what it is to hold of a real server.
    pub(crate) fn place_server(&mut self, server: usize, cause: &Cause) {
        let wish = self.wish(server);
        let Some(config) = self.server_config(server) else { return };
        let (shape, holder) = (config.shape(), self.reals[server].holder);
        let keys = self.virtuals[self.reals[server].service].keys.clone();
        if wish.is_some() {
            self.reals[server].leftover = false;
        }
        for key in keys.iter() {
            let change = match wish {
                Some(weight) => self.mirror.hold(holder, key, shape.destination(key, weight)),
                None => self.mirror.release(holder, key, &shape.destination(key, 0).key),
            };
            self.change(change, cause);
        }
    }

    /// The same of a sorry server.
    pub(crate) fn place_sorry(&mut self, service: usize, cause: &Cause) {
        let Some(sorry) = self.virtuals[service].sorry.as_ref() else { return };
        let Some(config) = self.config.virtual_servers.get(service).and_then(|one| one.sorry_server) else {
            return;
        };
        let wish = if sorry.alive { Some(1) } else { config.inhibit.then_some(0) };
        let (holder, shape) = (sorry.holder, config.shape());
        let keys = self.virtuals[service].keys.clone();
        for key in keys.iter() {
            let change = match wish {
                Some(weight) => self.mirror.hold(holder, key, shape.destination(key, weight)),
                None => self.mirror.release(holder, key, &shape.destination(key, 0).key),
            };
            self.change(change, cause);
        }
    }

    /// A server that was in the table at the start turns out to be down.
    fn forget_leftover(&mut self, server: usize, cause: &Cause) {
        if !std::mem::take(&mut self.reals[server].leftover) {
            return;
        }
        let Some(config) = self.server_config(server) else { return };
        let shape = config.shape();
        let keys = self.virtuals[self.reals[server].service].keys.clone();
        for key in keys.iter() {
            let change = self.mirror.remove_foreign(key, &shape.destination(key, 0).key);
            self.change(change, cause);
        }
    }

    /// Says of all checkers whether they run.
    pub(crate) fn announce_checkers(&mut self, cause: &Cause) {
        for at in 0..self.probes.len() {
            let real = &self.reals[self.probes[at].server.index()];
            let service = &self.virtuals[real.service];
            let waits = self.config.virtual_servers[real.service].ha_suspend && service.present.is_empty();
            let what =
                What::Checker { server: real.name.clone(), service: service.name.clone(), suspended: waits };
            self.probes[at].enabled = !waits;
            // A tracked file is watched, whoever asks.
            if self.checker_config(at).is_none_or(|one| one.kind != "FILE_CHECK") {
                self.log(what, cause);
            }
            let id = CheckerId::at(at);
            self.actions.push_back(if waits { Action::Suspend(id) } else { Action::Resume(id) });
        }
    }
}
