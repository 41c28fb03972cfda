//! Drain: a server that is no longer configured gets no new connections, and leaves when the ones it has ended.

use crate::cause::Cause;
use crate::director::Director;
use crate::event::{Name, What};
use crate::mirror::Holder;
use crate::plane::{Destination, DestinationStatistics, Protocol, ServiceKey, Statistics};
use crate::state::Draining;
use core::time::Duration;
use ek_time::Instant;

impl Director {
    /// Whether servers wait for their connections to end: then the driver reads the counters now and then, and hands them
    /// over.
    pub fn is_draining(&self) -> bool {
        !self.draining.is_empty()
    }

    /// The names of those that wait, with the virtual server they were of and until when they may.
    pub fn draining(&self) -> impl Iterator<Item = (&str, &str, Instant)> {
        self.draining.iter().map(|one| (&*one.name, &*one.service, one.until))
    }

    /// What is counted. Servers that wait for their connections to end leave when they have.
    pub fn handle_connections(&mut self, _now: Instant, statistics: &Statistics) {
        let done = |one: &Draining| {
            one.places.iter().all(|(key, destination)| {
                statistics
                    .get(key)
                    .and_then(|service| service.destinations.get(&destination.key))
                    .is_none_or(|counted| is_idle(key, counted))
            })
        };
        let (leave, stay) = std::mem::take(&mut self.draining).into_iter().partition(done);
        self.draining = stay;
        self.end_drains(leave, &Cause::Drained { timeout: false });
    }

    /// Those whose time is over.
    pub(crate) fn expire_drains(&mut self, now: Instant) {
        let (leave, stay) = std::mem::take(&mut self.draining).into_iter().partition(|one| one.until <= now);
        self.draining = stay;
        self.end_drains(leave, &Cause::Drained { timeout: true });
    }

    /// Lets servers leave that waited.
    pub(crate) fn end_drains(&mut self, leave: Vec<Draining>, cause: &Cause) {
        for one in leave {
            let what = What::ServerLeaves {
                server: one.name.clone(),
                service: one.service.clone(),
                inhibited: false,
                stopping: *cause == Cause::Shutdown,
            };
            self.log(what, cause);
            for (key, destination) in &one.places {
                let change = self.mirror.release(one.holder, key, &destination.key);
                self.change(change, cause);
            }
        }
    }

    /// Lets those of one virtual server leave: it leaves itself.
    pub(crate) fn end_drains_within(&mut self, within: Holder, cause: &Cause) {
        let (leave, stay) =
            std::mem::take(&mut self.draining).into_iter().partition(|one| one.within == within);
        self.draining = stay;
        self.end_drains(leave, cause);
    }

    /// Those of one virtual server leave some of its services: a group no longer names them.
    pub(crate) fn end_drains_at(&mut self, within: Holder, keys: &[ServiceKey], cause: &Cause) {
        let mut leave = Vec::new();
        for one in self.draining.iter_mut().filter(|one| one.within == within) {
            let (gone, stay): (Vec<_>, Vec<_>) =
                std::mem::take(&mut one.places).into_iter().partition(|(key, _)| keys.contains(key));
            one.places = stay;
            leave.extend(gone.into_iter().map(|(key, destination)| (one.holder, key, destination.key)));
        }
        for (holder, key, destination) in leave {
            let change = self.mirror.release(holder, &key, &destination);
            self.change(change, cause);
        }
    }

    /// A server that is in the table waits there.
    pub(crate) fn begin_drain(
        &mut self,
        now: Instant,
        (server, service): (Name, Name),
        (holder, within): (Holder, Holder),
        places: Vec<(ServiceKey, Destination)>,
        time: Duration,
    ) {
        let what = What::Draining { server: server.clone(), service: service.clone(), time };
        self.log(what, &Cause::Reload);
        for (key, destination) in &places {
            let change = self.mirror.hold(holder, key, *destination);
            self.change(change, &Cause::Reload);
        }
        let until = now + time;
        self.draining.push(Draining { name: server, service, holder, within, places, until });
    }
}

/// Whether nobody is served any more. Of TCP and SCTP the kernel knows which connections are open; of anything else it
/// only knows which it has seen lately.
fn is_idle(key: &ServiceKey, counted: &DestinationStatistics) -> bool {
    let knows = matches!(key, ServiceKey::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. });
    counted.active == 0 && (knows || counted.inactive == 0)
}
