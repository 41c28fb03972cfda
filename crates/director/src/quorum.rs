//! Quorum and sorry server.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::cause::Cause;
use crate::director::Director;
use crate::event::What;
use ek_time::Instant;

impl Director {
    /// The sum of the weights of the servers that are up.
    pub(crate) fn live_weight(&self, service: usize) -> u64 {
        let servers = self.virtuals[service].servers.clone();
        self.reals[servers].iter().filter(|real| real.alive).map(|real| u64::from(real.effective())).sum()
    }

    /// What is needed to change the state of the quorum.
    pub(crate) fn threshold(&self, service: usize) -> i64 {
        let config = &self.config.virtual_servers[service];
        let (quorum, hysteresis) = (i64::from(config.quorum), i64::from(config.hysteresis));
        if self.virtuals[service].quorum_up { quorum - hysteresis } else { quorum + hysteresis }
    }

    /// Looks whether the quorum is gained or lost. `initially`: at the start, or after a reload.
    pub(crate) fn update_quorum(&mut self, now: Instant, service: usize, initially: bool, cause: &Cause) {
        let weight = self.live_weight(service);
        let threshold = self.threshold(service);
        let enough = i64::try_from(weight).unwrap_or(i64::MAX) >= threshold;
        let config = &self.config.virtual_servers[service];
        let (quorum, hysteresis) = (config.quorum, config.hysteresis);
        let name = self.virtuals[service].name.clone();
        let up = self.virtuals[service].quorum_up;
        let sorry_waits = self.virtuals[service].sorry.as_ref().is_some_and(|sorry| !sorry.alive);
        if !up && enough {
            self.set_quorum(now, service, true, cause);
            self.log(What::QuorumGained { service: name, quorum, hysteresis, threshold, weight }, cause);
            self.dismiss_sorry(service, cause);
            self.notify_quorum(service, initially, threshold, weight, cause);
        } else if (up && (weight == 0 || !enough)) || (initially && !up && sorry_waits) {
            if up {
                self.set_quorum(now, service, false, cause);
            }
            let what = What::QuorumLost { service: name, quorum, hysteresis, threshold, weight, initially };
            self.log(what, cause);
            self.call_sorry(service, cause);
            self.notify_quorum(service, initially, threshold, weight, cause);
        }
    }

    fn set_quorum(&mut self, now: Instant, service: usize, up: bool, cause: &Cause) {
        let state = &mut self.virtuals[service];
        state.quorum_up = up;
        state.since = now;
        state.cause = cause.clone();
    }

    /// The sorry server takes the place of the real servers that are left.
    fn call_sorry(&mut self, service: usize, cause: &Cause) {
        let inhibit = self.config.virtual_servers[service].sorry_server.is_some_and(|one| one.inhibit);
        let state = &mut self.virtuals[service];
        let name = state.name.clone();
        let Some(sorry) = state.sorry.as_mut().filter(|sorry| !sorry.alive) else { return };
        sorry.alive = true;
        let what = What::SorryUp { server: sorry.name.clone(), service: name, inhibit };
        self.log(what, cause);
        self.place_pool(service, false, cause);
        self.place_sorry(service, cause);
    }

    /// The real servers take the place of the sorry server.
    fn dismiss_sorry(&mut self, service: usize, cause: &Cause) {
        let inhibit = self.config.virtual_servers[service].sorry_server.is_some_and(|one| one.inhibit);
        let state = &mut self.virtuals[service];
        let name = state.name.clone();
        let Some(sorry) = state.sorry.as_mut().filter(|sorry| sorry.alive) else { return };
        sorry.alive = false;
        let what = What::SorryDown { server: sorry.name.clone(), service: name, inhibit };
        self.log(what, cause);
        self.place_sorry(service, cause);
        self.place_pool(service, true, cause);
    }

    /// Places all servers that are up.
    pub(crate) fn place_pool(&mut self, service: usize, add: bool, cause: &Cause) {
        self.log(What::Pool { service: self.virtuals[service].name.clone(), add }, cause);
        for server in self.virtuals[service].servers.clone() {
            if self.reals[server].alive {
                self.place_server(server, cause);
            }
        }
    }
}
