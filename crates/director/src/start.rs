//! The start: the lists, what the kernel has already, the first table.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::action::Action;
use crate::cause::Cause;
use crate::config::{Config, Target, VirtualServer};
use crate::director::Director;
use crate::event::What;
use crate::ids::RealServerId;
use crate::mirror::Mirror;
use crate::plane::{ServiceKey, Table};
use crate::state::{Probe, Real, Sorry, Virtual};
use ek_time::Instant;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What weights are multiplied with in services with a slow start, so that a weight of 1 has steps.
const SLOW_START_SCALE: u32 = 100;

impl Director {
    /// Makes the lists of a configuration, all as at a start.
    pub(crate) fn build(&mut self, now: Instant, config: Config, cause: &Cause) {
        self.virtuals.clear();
        self.reals.clear();
        self.probes.clear();
        self.ramping.clear();
        let mut members: HashMap<&str, usize> = HashMap::new();
        for (service, virtual_server) in config.virtual_servers.iter().enumerate() {
            let member = match &virtual_server.target {
                Target::Group { name, .. } => {
                    let next = members.entry(name).or_default();
                    *next += 1;
                    *next - 1
                }
                Target::Address { .. } | Target::Mark(_) => 0,
            };
            let first = self.reals.len();
            self.build_servers(now, service, virtual_server, cause);
            let sorry = virtual_server.sorry_server.as_ref().map(|one| Sorry {
                name: virtual_server.server_name(one.address, one.port).into(),
                holder: self.new_holder(),
                alive: false,
            });
            let holder = self.new_holder();
            self.virtuals.push(Virtual {
                name: virtual_server.name(member).into(),
                holder,
                keys: virtual_server.keys().into(),
                servers: first..self.reals.len(),
                quorum_up: false,
                told: None,
                sorry,
                present: BTreeSet::new(),
                scale: scale(virtual_server),
                since: now,
                cause: cause.clone(),
            });
        }
        self.config = config;
    }

    fn build_servers(&mut self, now: Instant, service: usize, config: &VirtualServer, cause: &Cause) {
        for real_server in &config.real_servers {
            let server = RealServerId::at(self.reals.len());
            let first = self.probes.len();
            for checker in &real_server.checkers {
                // A checker that knows its state begins with success, and its verdict is heard at once.
                let up = checker.known.is_some() || !checker.alpha;
                self.probes.push(Probe {
                    server,
                    up,
                    has_run: checker.known.is_some(),
                    plus: 0,
                    enabled: true,
                    reason: Arc::from(""),
                    since: now,
                });
            }
            let real = Real {
                name: config.server_name(real_server.address, real_server.port).into(),
                holder: self.new_holder(),
                service,
                checkers: first..self.probes.len(),
                alive: false,
                seen_up: false,
                weight: i64::from(real_server.weight),
                failed: self.probes[first..].iter().filter(|probe| !probe.up).count(),
                told: None,
                leftover: false,
                ramp: None,
                reloaded: false,
                since: now,
                cause: cause.clone(),
            };
            self.reals.push(real);
        }
    }

    /// Starts, with what is in the kernel's table. What is configured and there already stays in place, and is edited where
    /// it differs; what is not configured stays as it is, unless [`Settings::flush`](crate::Settings::flush) is set.
    pub fn adopt(&mut self, now: Instant, table: &Table) {
        let cause = Cause::Start;
        self.running = true;
        if self.config.settings.flush {
            self.actions.push_back(Action::Flush(cause.clone()));
            self.mirror.clear();
        } else {
            self.mirror = Mirror::of(table);
        }
        for service in 0..self.virtuals.len() {
            let found: Vec<ServiceKey> =
                self.virtuals[service].keys.iter().copied().filter(|key| self.mirror.has(key)).collect();
            self.place_services(service, &cause);
            self.start_servers(now, service, &cause);
            self.update_quorum(now, service, true, &cause);
            self.place_sorry(service, &cause);
            self.note_leftovers(service, &cause);
            for key in found {
                let (kept, foreign) = self.mirror.count(&key);
                self.log(What::Adopted { service: key.to_string().into(), kept, foreign }, &cause);
            }
        }
        self.announce_checkers(&cause);
    }

    /// Places the servers that are new: those without failed checkers, and those that stay in the table when down.
    pub(crate) fn start_servers(&mut self, now: Instant, service: usize, cause: &Cause) {
        for server in self.virtuals[service].servers.clone() {
            if self.reals[server].reloaded {
                continue;
            }
            self.hear_known(now, server);
            if self.reals[server].failed == 0 {
                let real = &mut self.reals[server];
                real.alive = true;
                real.seen_up = true;
            }
            self.place_server(server, cause);
            if self.reals[server].alive && self.config.settings.init_notifies {
                self.notify_server(server, false, cause);
            }
        }
    }

    /// Of a server that is not placed yet, what its checkers know without having run.
    fn hear_known(&mut self, now: Instant, server: usize) {
        for at in self.reals[server].checkers.clone() {
            let Some(known) = self.checker_config(at).and_then(|one| one.known.clone()) else { continue };
            self.set_known(now, at, &known);
            if !known.up {
                self.probes[at].up = false;
                self.reals[server].failed += 1;
                self.reals[server].cause = self.cause_of(at);
            }
        }
        self.reals[server].weight = self.configured_weight(server);
    }

    /// A real server's weight as configured, and what its checkers add.
    pub(crate) fn configured_weight(&self, server: usize) -> i64 {
        let plus: i128 = self.reals[server].checkers.clone().map(|at| i128::from(self.probes[at].plus)).sum();
        let weight = self.server_config(server).map_or(0, |one| i128::from(one.weight)) + plus;
        i64::try_from(weight).unwrap_or(if weight < 0 { i64::MIN } else { i64::MAX })
    }

    /// What is there of servers that are down until checked stays until they are; a sorry server that is not needed goes.
    fn note_leftovers(&mut self, service: usize, cause: &Cause) {
        let keys = self.virtuals[service].keys.clone();
        for server in self.virtuals[service].servers.clone() {
            let Some(shape) = self.server_config(server).map(|one| one.shape()) else { continue };
            let foreign = keys.iter().any(|key| self.mirror.is_foreign(key, &shape.destination(key, 0).key));
            self.reals[server].leftover = foreign;
        }
        let Some(sorry) = self.config.virtual_servers[service].sorry_server else { return };
        for key in keys.iter() {
            let destination = sorry.destination(key, 0).key;
            let own = self.virtuals[service].servers.clone().any(|server| {
                self.server_config(server).is_some_and(|one| one.destination(key, 0).key == destination)
            });
            if !own {
                let change = self.mirror.remove_foreign(key, &destination);
                self.change(change, cause);
            }
        }
    }
}

fn scale(config: &VirtualServer) -> u32 {
    let slow = config.real_servers.iter().any(|one| !one.slow_start.is_zero());
    if slow && config.scheduler.grades() { SLOW_START_SCALE } else { 1 }
}
