//! When a Master says where its addresses are: at once, after a delay, each so often, and after hearing another Master;
//! with a least time between two announcements on an interface.

use crate::action::{Action, Announcement};
use crate::config::Config;
use crate::event::{Event, What};
use crate::ids::{LinkId, RouterId};
use crate::router::{Router, Timer};
use core::net::IpAddr;
use core::time::Duration;
use ek_time::Instant;
use std::collections::VecDeque;

/// Announcements of one kind on one pace, waiting for their turn.
#[derive(Debug)]
pub(crate) struct Queue {
    interval: Duration,
    /// When the next may go.
    next: Instant,
    waiting: VecDeque<(RouterId, usize)>,
}

/// Two queues for each pace: ARP, neighbour advertisements.
pub(crate) fn queues(config: &Config) -> Vec<Queue> {
    let intervals = config.paces.iter().flat_map(|pace| [pace.garp_interval, pace.gna_interval]);
    intervals.map(|interval| Queue { interval, next: Instant::ZERO, waiting: VecDeque::new() }).collect()
}

impl Router {
    /// It became Master.
    pub(crate) fn announce_first(&mut self, now: Instant, id: RouterId) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let announce = router.announce;
        let at = |span: Duration| (!span.is_zero()).then(|| now + span);
        instance.refresh_at = at(announce.refresh);
        instance.extra_at = at(announce.extra);
        self.announce_all(now, id, announce.repeat);
        if let Some(at) = at(announce.delay) {
            self.set_timer(id, Timer::Delayed, at);
        }
    }

    /// `garp_master_delay` has passed.
    pub(crate) fn announce_again(&mut self, now: Instant, id: RouterId) {
        let repeat = self.pair(id).map_or(0, |(router, _)| router.announce.repeat);
        self.announce_all(now, id, repeat);
    }

    /// `garp_lower_prio_delay` has passed.
    pub(crate) fn announce_again_lower(&mut self, now: Instant, id: RouterId) {
        let repeat = self.pair(id).map_or(0, |(router, _)| router.announce.lower_prio_repeat);
        self.announce_all(now, id, repeat);
    }

    /// A lower-priority Master was heard, which may have told hosts that it has the addresses; the members of the sync
    /// group announce theirs, too. `always`: even if it is configured to be zero times.
    pub(crate) fn announce_lower(&mut self, now: Instant, id: RouterId, always: bool) {
        let Some(group) = self.group_of(id) else {
            self.announce_lower_one(now, id, always);
            return;
        };
        let members: Vec<RouterId> = self.members(group).collect();
        for member in members {
            self.announce_lower_one(now, member, always);
        }
    }

    fn announce_lower_one(&mut self, now: Instant, id: RouterId, always: bool) {
        let Some((router, instance)) = self.pair(id) else { return };
        let announce = router.announce;
        let installed = instance.installed;
        if announce.lower_prio_repeat > 0 {
            self.announce_all(now, id, announce.lower_prio_repeat);
            let free = self.timer(id, Timer::LowerPriority).is_none();
            if installed && free && !announce.lower_prio_delay.is_zero() {
                self.set_timer(id, Timer::LowerPriority, now + announce.lower_prio_delay);
            }
        } else if always {
            self.announce_all(now, id, announce.repeat);
        }
    }

    /// With an advert: what is due each so often.
    pub(crate) fn announce_refresh(&mut self, now: Instant, id: RouterId) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let announce = router.announce;
        if instance.refresh_at.is_some_and(|at| now > at) {
            instance.refresh_at = Some(now + announce.refresh);
            self.announce_all(now, id, announce.refresh_repeat);
        }
        let Some((_, instance)) = self.pair_mut(id) else { return };
        if instance.extra_at.is_some_and(|at| now > at) {
            instance.extra_at = Some(now + announce.extra);
            self.announce_extra(now, id, announce.extra_all);
        }
    }

    /// One announcement on each interface that sends no adverts: switches learn hardware addresses from traffic.
    fn announce_extra(&mut self, now: Instant, id: RouterId, all: bool) {
        let Some((router, _)) = self.pair(id) else { return };
        let mut done: Vec<LinkId> = Vec::new();
        let mut positions = Vec::new();
        for (position, address) in router.addresses.iter().enumerate() {
            let ours = self.config.links.get(address.link.index()).is_some_and(|link| link.virtual_mac);
            if (ours || all) && Some(address.link) != router.link && !done.contains(&address.link) {
                done.push(address.link);
                positions.push(position);
            }
        }
        for position in positions {
            self.announce_one(now, id, position);
        }
    }

    /// All addresses, `times` times, if they are in place.
    fn announce_all(&mut self, now: Instant, id: RouterId, times: u32) {
        let Some((router, instance)) = self.pair(id) else { return };
        if !instance.installed {
            return;
        }
        let count = router.addresses.len();
        for round in 0..times {
            for position in 0..count {
                if round == 0 {
                    self.say_announcing(id, position);
                }
                self.announce_one(now, id, position);
            }
        }
    }

    fn say_announcing(&mut self, id: RouterId, position: usize) {
        let Some(address) = self.pair(id).and_then(|(router, _)| router.addresses.get(position).copied())
        else {
            return;
        };
        if let Some(link) = self.config.links.get(address.link.index()) {
            let what = What::Announcing { link: link.name.clone(), address: address.address };
            self.log(Event::Router { router: self.name(id), what, suppressed: 0 });
        }
    }

    /// One address, now or when its interface's pace lets it. An address waits once, however often it is announced.
    pub(crate) fn announce_one(&mut self, now: Instant, id: RouterId, position: usize) {
        let Self { config, instances, queues, actions, .. } = self;
        let (Some(router), Some(instance)) = (config.routers.get(id.index()), instances.get_mut(id.index()))
        else {
            return;
        };
        let Some(address) = router.addresses.get(position) else { return };
        let pace = config.links.get(address.link.index()).and_then(|link| link.pace);
        let number =
            pace.map(|pace| pace.index() * 2 + usize::from(matches!(address.address, IpAddr::V6(_))));
        let queue =
            number.and_then(|number| queues.get_mut(number)).filter(|queue| !queue.interval.is_zero());
        if let Some(queue) = queue {
            if now < queue.next || !queue.waiting.is_empty() {
                let Some(state) = instance.addresses.get_mut(position) else { return };
                if !core::mem::replace(&mut state.queued, true) {
                    queue.waiting.push_back((id, position));
                    let (at, key) = (queue.next.max(now), self.queue_key(number.unwrap_or(0)));
                    if self.timers.get(key).is_none() {
                        self.timers.set(key, at);
                    }
                }
                return;
            }
            queue.next = now + queue.interval;
        }
        actions.push_back(Action::Announce(Announcement {
            router: id,
            link: address.link,
            address: address.address,
        }));
    }

    /// The next of a queue may go.
    pub(crate) fn announce_queued(&mut self, now: Instant, number: usize) {
        let key = self.queue_key(number);
        let Self { config, instances, queues, actions, timers, .. } = self;
        let Some(queue) = queues.get_mut(number) else { return };
        let Some((id, position)) = queue.waiting.pop_front() else { return };
        let address = config.routers.get(id.index()).and_then(|router| router.addresses.get(position));
        let state = instances.get_mut(id.index()).and_then(|instance| instance.addresses.get_mut(position));
        if let (Some(address), Some(state)) = (address, state) {
            state.queued = false;
            actions.push_back(Action::Announce(Announcement {
                router: id,
                link: address.link,
                address: address.address,
            }));
        }
        queue.next = now + queue.interval;
        if !queue.waiting.is_empty() {
            timers.set(key, queue.next);
        }
    }

    /// The addresses are taken away: nothing more is said of them.
    pub(crate) fn stop_announcing(&mut self, id: RouterId) {
        self.clear_timer(id, Timer::Delayed);
        self.clear_timer(id, Timer::LowerPriority);
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        instance.refresh_at = None;
        instance.extra_at = None;
        if instance.addresses.iter().any(|address| address.queued) {
            for address in &mut instance.addresses {
                address.queued = false;
            }
            for queue in &mut self.queues {
                queue.waiting.retain(|(waiting, _)| *waiting != id);
            }
        }
    }
}
