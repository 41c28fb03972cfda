//! `ha_suspend`: checkers rest while the service's address is on another host.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::action::Action;
use crate::cause::Cause;
use crate::director::Director;
use crate::event::What;
use crate::ids::CheckerId;
use core::net::IpAddr;
use ek_time::Instant;

impl Director {
    /// An address is on this host now (on one interface or several), or is not any more. Addresses that are here from the
    /// start are to be told of before [`Director::adopt`].
    pub fn handle_presence(&mut self, _now: Instant, address: IpAddr, present: bool) {
        for service in 0..self.virtuals.len() {
            let config = &self.config.virtual_servers[service];
            if !config.ha_suspend || !config.covers(address) {
                continue;
            }
            let here = &mut self.virtuals[service].present;
            let before = !here.is_empty();
            if present {
                here.insert(address);
            } else {
                here.remove(&address);
            }
            let active = !here.is_empty();
            if self.running && active != before {
                self.set_activity(service, active);
            }
        }
    }

    fn set_activity(&mut self, service: usize, active: bool) {
        for server in self.virtuals[service].servers.clone() {
            for at in self.reals[server].checkers.clone() {
                if std::mem::replace(&mut self.probes[at].enabled, active) == active {
                    continue;
                }
                let what = What::Activity {
                    server: self.reals[server].name.clone(),
                    service: self.virtuals[service].name.clone(),
                    active,
                };
                self.log(what, &Cause::Presence);
                let id = CheckerId::at(at);
                self.actions.push_back(if active { Action::Resume(id) } else { Action::Suspend(id) });
            }
        }
    }
}
