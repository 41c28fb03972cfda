//! Reading the configuration again: what goes on goes on, without a change of state that its own content does not ask for.

use crate::action::Action;
use crate::cause::Cause;
use crate::config::{Config, Mode, VirtualRouter};
use crate::ids::{GroupId, LinkId, RouterId};
use crate::instance::{AddressState, interval};
use crate::router::{Router, Timer};
use crate::state::State;
use crate::track::{Kind, Track};
use ek_time::Instant;
use wire::vrrp::Version;

impl Router {
    /// The configuration was read again. All actions have to be taken before. States, counters and sequence numbers of
    /// virtual routers with the same name go on; those that are gone, or are another on the wire (interface, VRID, IP
    /// version, multicast or unicast), resign and are taken down.
    pub fn handle_reload(&mut self, now: Instant, config: Config) {
        if self.stopped() {
            return;
        }
        let mut fresh = Self::bare(now, self.jitter, config);
        let same: Vec<Option<RouterId>> = fresh
            .config
            .routers
            .iter()
            .map(|router| {
                let id = self.find(&router.name)?;
                let old = self.config.routers.get(id.index())?;
                same_on_the_wire((&self.config, old), (&fresh.config, router)).then_some(id)
            })
            .collect();
        for id in self.ids().filter(|id| !same.contains(&Some(*id))) {
            let deleted = fresh.find(&self.name(id)).is_none();
            self.take_down(id, deleted);
        }
        self.actions.push_back(Action::Reloaded);
        fresh.actions = core::mem::take(&mut self.actions);
        fresh.pool = core::mem::take(&mut self.pool);
        fresh.delayed = self.delayed;
        fresh.unknown_limit = self.unknown_limit;
        fresh.truncated_limit = self.truncated_limit;
        for track in &mut fresh.config.tracks {
            let old = self.config.tracks.iter().find(|old| same_track(old, track));
            if let Some(old) = old {
                track.state = old.state;
            }
        }
        let old = core::mem::replace(self, fresh);
        for (position, from) in same.iter().enumerate() {
            if let Some(from) = *from {
                self.carry(now, &old, from, RouterId::at(position));
            }
        }
        for (position, group) in self.config.groups.iter().enumerate() {
            let before = old.config.groups.iter().position(|before| before.name == group.name);
            let before = before.and_then(|before| old.groups.get(before));
            if let (Some(before), Some(place)) = (before, self.groups.get_mut(position)) {
                place.clone_from(before);
            }
        }
        self.settle(now, &same);
    }

    /// Takes over what an old router is at the moment.
    fn carry(&mut self, now: Instant, old: &Self, from: RouterId, id: RouterId) {
        let Some((old_router, before)) = old.pair(from) else { return };
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let group = instance.group;
        let base = instance.base;
        *instance = before.clone();
        instance.group = group;
        instance.base = base;
        instance.addresses = vec![AddressState::default(); router.addresses.len()];
        if before.state != State::Backup || router.version == Version::V2 {
            instance.master_interval = interval(router);
        }
        let (state, installed, repeat) = (before.state, before.installed, router.announce.repeat);
        let Some((router, _)) = self.pair(id) else { return };
        let added: Vec<usize> = (router.addresses.iter().enumerate())
            .filter(|(_, address)| {
                let is = |before: &crate::config::Address| {
                    before.address == address.address
                        && link_name(&old.config, Some(before.link))
                            == link_name(&self.config, Some(address.link))
                };
                !old_router.addresses.iter().any(is)
            })
            .map(|(position, _)| position)
            .collect();
        for timer in [Timer::Main, Timer::Delayed, Timer::LowerPriority] {
            if let Some(at) = old.timer(from, timer) {
                self.set_timer(id, timer, at);
            }
        }
        if state == State::Master {
            // What the advert says may have changed.
            self.set_timer(id, Timer::Main, now);
        }
        if installed {
            self.actions.push_back(Action::Adjust(id));
            for _ in 0..repeat {
                for position in &added {
                    self.announce_one(now, id, *position);
                }
            }
        }
    }

    /// Brings all into the states they should be in now.
    fn settle(&mut self, now: Instant, same: &[Option<RouterId>]) {
        let is_new = |id: RouterId| same.get(id.index()).is_none_or(Option::is_none);
        for id in self.ids() {
            if is_new(id) {
                self.assess_at_start(now, id);
            } else {
                self.weigh_at_reload(now, id);
                self.reconsider(now, id);
            }
        }
        for id in self.ids().filter(|id| is_new(*id)) {
            // Its group is seen to below.
            self.start_alone(now, id);
        }
        for id in self.ids() {
            let Some((_, instance)) = self.pair(id) else { continue };
            let able = instance.faults == 0 && instance.waiting == 0;
            if able && matches!(instance.state, State::Fault | State::Init) && !self.group_holds(id) {
                self.try_up(now, id, false, Cause::Reload);
            }
        }
        for position in 0..self.groups.len() {
            self.settle_group(now, GroupId::at(position));
        }
    }

    fn start_alone(&mut self, now: Instant, id: RouterId) {
        let Some((_, instance)) = self.pair(id) else { return };
        if !instance.owner() {
            self.actions.push_back(Action::Clear(id));
        }
        let Some((_, instance)) = self.pair(id) else { return };
        if instance.state != State::Init {
            // Its sync group has brought it along.
        } else if instance.faults > 0 {
            let cause = self.fault_cause(id);
            self.enter_fault(now, id, cause);
        } else if instance.waiting == 0 && !self.group_holds(id) {
            self.enter_backup(now, id, false, Cause::Reload);
        }
    }

    /// Members that were put together may be in different states.
    fn settle_group(&mut self, now: Instant, group: GroupId) {
        let members: Vec<(RouterId, State)> =
            self.members(group).filter_map(|id| Some((id, self.state(id)?))).collect();
        let is = |state| move |member: &&(RouterId, State)| member.1 == state;
        let Some(&(_, first)) = members.first() else { return };
        if members.iter().all(|(_, state)| *state == first) {
            if self.groups.get(group.index()).is_some_and(|place| place.state != first) {
                self.set_group(now, group, first, Cause::Reload);
            }
            return;
        }
        if let Some(&(id, _)) = members.iter().find(is(State::Fault)) {
            self.regroup(group);
            self.sync_fault(now, id);
        } else if let Some(&(id, _)) = members.iter().find(is(State::Init)) {
            // A new member waits for what it tracks, and the others with it.
            let cause = Cause::Group { group: self.group_name(group), member: self.name(id) };
            for &(id, state) in &members {
                match state {
                    State::Master => self.leave_master(now, id, State::Fault, true, cause.clone()),
                    State::Backup => self.enter_fault(now, id, cause.clone()),
                    State::Init | State::Fault => {}
                }
            }
            self.regroup(group);
        } else if let Some(&(id, _)) = members.iter().find(is(State::Backup)) {
            for &(id, _) in members.iter().filter(is(State::Master)) {
                self.leave_master(now, id, State::Backup, true, Cause::Reload);
            }
            self.regroup(group);
            self.sync_backup(now, id);
        }
    }

    /// So that a group's members are looked at, whatever state it was in.
    fn regroup(&mut self, group: GroupId) {
        if let Some(place) = self.groups.get_mut(group.index()) {
            place.state = State::Init;
        }
    }
}

fn link_name(config: &Config, link: Option<LinkId>) -> Option<&str> {
    link.and_then(|link| config.links.get(link.index())).map(|link| &*link.name)
}

/// Whether others see the same virtual router.
fn same_on_the_wire(
    (old_config, old): (&Config, &VirtualRouter),
    (config, router): (&Config, &VirtualRouter),
) -> bool {
    let unicast = |mode: &Mode| matches!(mode, Mode::Unicast(_));
    old.vrid == router.vrid
        && old.family == router.family
        && link_name(old_config, old.link) == link_name(config, router.link)
        && unicast(&old.mode) == unicast(&router.mode)
}

/// Whether a track is the same as before. Interfaces are looked at anew.
fn same_track(old: &Track, track: &Track) -> bool {
    let kind = |kind: Kind| core::mem::discriminant(&kind);
    old.name == track.name && kind(old.kind) == kind(track.kind)
}
