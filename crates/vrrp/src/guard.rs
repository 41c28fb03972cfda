//! The guard: an address of a Master that another program takes away is put back, and hosts are told where it is.

use crate::action::Action;
use crate::event::What;
use crate::ids::RouterId;
use crate::input::AddressChange;
use crate::router::{Router, Timer};
use core::time::Duration;
use ek_time::Instant;

/// An address is put back at once, but no more than a few times within a while: a program that insists must not keep us
/// busy.
const OFTEN: u8 = 5;
const WHILE: Duration = Duration::from_secs(1);

impl Router {
    /// An address came or went on an interface. What this router asked for itself may be reported, too.
    pub fn handle_address(&mut self, now: Instant, change: AddressChange) {
        if self.stopped() || !self.config.settings.guard {
            return;
        }
        for id in self.ids() {
            let Some((router, instance)) = self.pair(id) else { continue };
            if !instance.installed {
                continue;
            }
            let same = |address: &crate::config::Address| {
                address.link == change.link && address.address == change.address
            };
            let Some(position) = router.addresses.iter().position(same) else { continue };
            if change.present {
                self.mark(id, position, false);
            } else {
                self.mark(id, position, true);
                self.restore_or_wait(now, id, position);
            }
        }
    }

    fn mark(&mut self, id: RouterId, position: usize, missing: bool) {
        let instance = self.instances.get_mut(id.index());
        if let Some(address) = instance.and_then(|instance| instance.addresses.get_mut(position)) {
            address.missing = missing;
        }
    }

    fn restore_or_wait(&mut self, now: Instant, id: RouterId, position: usize) {
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        let Some(address) = instance.addresses.get_mut(position) else { return };
        let until = address.restored_until.filter(|until| *until > now);
        if until.is_none() {
            address.restored = 0;
        }
        match until.filter(|_| address.restored >= OFTEN) {
            Some(at) => {
                if self.timer(id, Timer::Guard).is_none_or(|timer| timer > at) {
                    self.set_timer(id, Timer::Guard, at);
                }
            }
            None => self.restore(now, id, position),
        }
    }

    /// The time to put addresses back again has come.
    pub(crate) fn restore_due(&mut self, now: Instant, id: RouterId) {
        let count = self.instances.get(id.index()).map_or(0, |instance| instance.addresses.len());
        for position in 0..count {
            let Some((_, instance)) = self.pair(id) else { return };
            if instance.addresses.get(position).is_some_and(|address| address.missing) {
                self.restore_or_wait(now, id, position);
            }
        }
    }

    fn restore(&mut self, now: Instant, id: RouterId, position: usize) {
        // Two hosts that put the same address back should not do it in step.
        self.jitter = self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let end = now + WHILE + Duration::from_millis(self.jitter >> 57);
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let Some(state) = instance.addresses.get_mut(position) else { return };
        state.missing = false;
        if state.restored == 0 {
            state.restored_until = Some(end);
        }
        state.restored += 1;
        instance.counters.addresses_restored += 1;
        let Some(address) = router.addresses.get(position).copied() else { return };
        let link = self.config.links.get(address.link.index());
        let link = link.map_or_else(|| "none".into(), |link| link.name.clone());
        self.say(id, What::Restored { address: address.address, link });
        self.actions.push_back(Action::Restore { router: id, address: position });
        self.announce_one(now, id, position);
    }
}
