//! The state machine of one virtual router (RFC 9568 6.4), with keepalived's Fault.

use crate::action::{Action, Notification, Subject};
use crate::cause::Cause;
use crate::config::{Initial, Mode};
use crate::event::{Event, What};
use crate::ids::RouterId;
use crate::instance::{Takeover, interval};
use crate::router::{Router, Timer};
use crate::state::State;
use crate::transmit::source_of;
use core::time::Duration;
use ek_time::Instant;
use wire::Family;
use wire::vrrp::{OWNER, RESIGN, Version};

impl Router {
    /// RFC 9568 6.4.1, Initialize; and keepalived's order: what cannot run says so first, then groups, then routers.
    pub(crate) fn start(&mut self, now: Instant) {
        for id in self.ids() {
            self.assess_at_start(now, id);
        }
        self.start_groups(now);
        for id in self.ids() {
            self.start_one(now, id);
        }
    }

    fn start_one(&mut self, now: Instant, id: RouterId) {
        let group = self.group_state(id);
        let group_waits = self.group_waits(id);
        let Some((router, instance)) = self.pair_mut(id) else { return };
        if instance.faults > 0 {
            instance.want = State::Fault;
        }
        let next = group.unwrap_or(instance.want);
        let held = instance.waiting > 0 || group_waits;
        let able = instance.faults == 0 && next != State::Fault && !held;
        let owner = router.initial == Initial::Master && instance.owner();
        if able && owner && next == State::Master {
            // The shortest way to become Master is by a timer that has all but run out.
            instance.takeover = Takeover::Owner;
            instance.down = Duration::from_micros(1);
            instance.state = State::Backup;
            self.arm_down(now, id);
            return;
        }
        instance.down = if next == State::Backup && instance.want == State::Master && group.is_some() {
            instance.master_interval + instance.skew(router, u8::MAX)
        } else {
            instance.master_down(router)
        };
        if !instance.owner() {
            self.actions.push_back(Action::Clear(id));
        }
        if able {
            self.enter_backup(now, id, true, Cause::Start);
        } else if !held || next == State::Fault {
            // Those in Fault have said so.
            self.set_state(now, id, State::Fault, self.fault_cause(id));
        }
    }

    /// The main timer ran out.
    pub(crate) fn main_timer(&mut self, now: Instant, at: Instant, id: RouterId) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        match instance.state {
            State::Backup => self.master_down(now, at, id),
            State::Master => {
                let pause = now.since(at);
                let limit = router
                    .timer_expired_backup
                    .map(|priority| instance.others_wait(router, priority).saturating_sub(interval(router)));
                if limit.is_some_and(|limit| pause > limit) {
                    self.leave_master(now, id, State::Backup, false, Cause::Paused { pause, from: None });
                    self.after_leaving(now, id);
                } else {
                    // After so long a pause another router may have taken over and be gone again.
                    let paused = pause + interval(router) >= instance.others_wait(router, OWNER - 1);
                    self.master_tick(now, id);
                    if paused {
                        self.announce_lower(now, id, true);
                    }
                }
            }
            State::Init | State::Fault => {}
        }
    }

    /// RFC 9568 6.4.2, (365): the master-down timer fires.
    fn master_down(&mut self, now: Instant, at: Instant, id: RouterId) {
        let late = now.since(at);
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        let waited = matches!(instance.takeover, Takeover::Silence);
        if waited && late >= instance.master_interval && !instance.late {
            // Adverts may have been lost while this host stood still: silence is not the Master's. Only once, so that a
            // host that is always late does take over.
            instance.late = true;
            self.say(id, What::Late { late });
            self.rearm_down(now, id);
            return;
        }
        let cause = match instance.takeover {
            Takeover::Silence => Cause::MasterDown {
                master: instance.master.map(|(master, _)| master),
                silence: now.since(instance.heard),
            },
            Takeover::Resigned(master) => Cause::Resigned { master },
            Takeover::Preempting(master, priority) => Cause::Preempted { master, priority },
            Takeover::Owner => Cause::Owner,
        };
        self.say(id, What::MasterDown);
        self.goto_master(now, id, cause);
        if self.state(id) == Some(State::Master) {
            self.sync_master(now, id);
        }
    }

    /// Backup or Fault to Master, if the sync group lets it.
    pub(crate) fn goto_master(&mut self, now: Instant, id: RouterId, cause: Cause) {
        let alone = self.others_want_master(id);
        let Some((router, instance)) = self.pair_mut(id) else { return };
        instance.want = State::Master;
        if !alone {
            // Time for the other members to want it, too.
            instance.down = instance.master_down(router);
            self.arm_down(now, id);
            return;
        }
        instance.sequence.restart();
        let from = core::mem::replace(&mut instance.state, State::Master);
        let priority = instance.effective;
        instance.since = now;
        instance.cause = cause.clone();
        instance.counters.became_master += 1;
        instance.takeover = Takeover::Silence;
        instance.late = false;
        let own = interval(router);
        let before = core::mem::replace(&mut instance.master_interval, own);
        let version = router.version;
        self.set_timer(id, Timer::Main, now + own);

        // The advert first: the old Master has to let go of the addresses before they are announced.
        self.send(id, priority);
        self.log(Event::Entering { router: self.name(id), state: State::Master, init: false });
        self.log(Event::Changed { router: self.name(id), from, to: State::Master, cause: cause.clone() });
        if version == Version::V3 && before != own {
            self.say(id, What::IntervalOwn { from: before, to: own });
        }
        self.install(id);
        self.announce_first(now, id);
        self.actions.push_back(Action::Notify(Notification::State {
            subject: Subject::Router(id),
            from,
            to: State::Master,
            priority,
            cause,
        }));
    }

    /// RFC 9568 6.4.3: the advert timer fires.
    fn master_tick(&mut self, now: Instant, id: RouterId) {
        let Some((router, instance)) = self.pair(id) else { return };
        let next = now + interval(router);
        self.send(id, instance.effective);
        self.set_timer(id, Timer::Main, next);
        self.announce_refresh(now, id);
    }

    /// Master to Backup or Fault. `zero`: resign, as one that leaves of its own.
    pub(crate) fn leave_master(&mut self, now: Instant, id: RouterId, to: State, zero: bool, cause: Cause) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        instance.want = to;
        instance.takeover = Takeover::Silence;
        instance.late = false;
        instance.heard = now;
        instance.counters.released_master += 1;
        instance.down = instance.master_down(router);
        let from = core::mem::replace(&mut instance.state, to);
        let priority = instance.effective;
        instance.since = now;
        instance.cause = cause.clone();
        self.log(Event::Entering { router: self.name(id), state: to, init: false });
        self.log(Event::Changed { router: self.name(id), from, to, cause: cause.clone() });
        if to == State::Fault {
            // keepalived sends it here, uncounted, and once more below.
            self.send(id, RESIGN);
        } else if let Some(instance) = self.instances.get_mut(id.index()) {
            instance.preempt_at = None;
        }
        if zero {
            self.resign(id);
        }
        self.withdraw(id);
        self.actions.push_back(Action::Notify(Notification::State {
            subject: Subject::Router(id),
            from,
            to,
            priority,
            cause,
        }));
        match to {
            State::Backup => self.arm_down(now, id),
            _ => self.clear_timer(id, Timer::Main),
        }
    }

    /// Init or Fault to Backup.
    pub(crate) fn enter_backup(&mut self, now: Instant, id: RouterId, init: bool, cause: Cause) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        if !init {
            instance.want = State::Backup;
            instance.master_interval = interval(router);
            instance.down = instance.master_down(router);
        }
        instance.preempt_at = None;
        instance.takeover = Takeover::Silence;
        instance.late = false;
        instance.heard = now;
        self.log(Event::Entering { router: self.name(id), state: State::Backup, init });
        self.set_state(now, id, State::Backup, cause);
        self.arm_down(now, id);
    }

    /// Init or Backup to Fault.
    pub(crate) fn enter_fault(&mut self, now: Instant, id: RouterId, cause: Cause) {
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        instance.want = State::Fault;
        if instance.state == State::Fault {
            return;
        }
        self.log(Event::Entering { router: self.name(id), state: State::Fault, init: false });
        self.set_state(now, id, State::Fault, cause);
        self.clear_timer(id, Timer::Main);
    }

    /// What kept a router in Init or Fault is gone, for it and its sync group.
    pub(crate) fn leave_fault(&mut self, now: Instant, id: RouterId, cause: Cause) {
        if self.instances.get(id.index()).is_some_and(|instance| instance.want == State::Master) {
            self.goto_master(now, id, cause.clone());
            if self.state(id) == Some(State::Master) {
                return;
            }
        }
        self.enter_backup(now, id, false, cause);
        self.announce_source(id);
    }

    /// Peers may have forgotten our hardware address, and could not send us adverts in time.
    fn announce_source(&mut self, id: RouterId) {
        let Some((router, _)) = self.pair(id) else { return };
        if let (Mode::Unicast(_), Some(link), Some(address)) =
            (&router.mode, router.link, source_of(&self.config, router))
        {
            let announcement = crate::action::Announcement { router: id, link, address };
            self.actions.push_back(Action::Announce(announcement));
        }
    }

    /// Sets state and cause, and tells.
    fn set_state(&mut self, now: Instant, id: RouterId, to: State, cause: Cause) {
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        let from = core::mem::replace(&mut instance.state, to);
        instance.since = now;
        instance.cause = cause.clone();
        let priority = instance.effective;
        self.log(Event::Changed { router: self.name(id), from, to, cause: cause.clone() });
        self.actions.push_back(Action::Notify(Notification::State {
            subject: Subject::Router(id),
            from,
            to,
            priority,
            cause,
        }));
    }

    /// Starts the master-down timer with the interval last computed; within the startup delay, at its end.
    pub(crate) fn arm_down(&mut self, now: Instant, id: RouterId) {
        let Some(instance) = self.instances.get(id.index()) else { return };
        let start = match self.delayed {
            Some(until) if now < until => until,
            _ => {
                self.delayed = None;
                now
            }
        };
        self.set_timer(id, Timer::Main, start + instance.down);
    }

    /// Starts it with the full master-down interval.
    pub(crate) fn rearm_down(&mut self, now: Instant, id: RouterId) {
        if let Some((router, instance)) = self.pair_mut(id) {
            instance.down = instance.master_down(router);
            self.arm_down(now, id);
        }
    }

    /// Puts the addresses in place.
    pub(crate) fn install(&mut self, id: RouterId) {
        if let Some(instance) = self.instances.get_mut(id.index()) {
            instance.installed = true;
            for address in &mut instance.addresses {
                address.missing = false;
            }
            self.actions.push_back(Action::Install(id));
            self.say_addresses(id, true);
        }
    }

    /// Takes the addresses away, if they are in place, and forgets what waits to be announced.
    pub(crate) fn withdraw(&mut self, id: RouterId) {
        self.stop_announcing(id);
        self.clear_timer(id, Timer::Guard);
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        for address in &mut instance.addresses {
            address.missing = false;
        }
        if core::mem::take(&mut instance.installed) {
            self.actions.push_back(Action::Withdraw(id));
            self.say_addresses(id, false);
        }
    }

    fn say_addresses(&mut self, id: RouterId, setting: bool) {
        let Some((router, _)) = self.pair(id) else { return };
        let has = |advertised| router.addresses.iter().any(|address| address.advertised == advertised);
        let (vips, excluded) = (has(true), has(false));
        if vips {
            self.say(id, What::Addresses { setting, excluded: false });
        }
        if excluded {
            self.say(id, What::Addresses { setting, excluded: true });
        }
    }
}

/// The IP version's number.
pub(crate) fn number(family: Family) -> u8 {
    match family {
        Family::V4 => 4,
        Family::V6 => 6,
    }
}
