//! Sync groups: all members are Master, or all Backup, or all in Fault.

use crate::action::{Action, Notification, Subject};
use crate::cause::Cause;
use crate::event::Event;
use crate::ids::{GroupId, RouterId};
use crate::receive::starts_as_owner;
use crate::router::Router;
use crate::state::State;
use ek_time::Instant;

/// A sync group at run time.
#[derive(Clone, Debug)]
pub(crate) struct GroupState {
    pub(crate) state: State,
    pub(crate) since: Instant,
    pub(crate) cause: Cause,
}

impl GroupState {
    pub(crate) fn new(now: Instant) -> Self {
        Self { state: State::Init, since: now, cause: Cause::Start }
    }
}

impl Router {
    /// At the start: Fault when a member cannot run, Init when one waits, Master when all own their addresses.
    pub(crate) fn start_groups(&mut self, now: Instant) {
        for position in 0..self.groups.len() {
            let group = GroupId::at(position);
            let state = self.due_state(group);
            if state == State::Fault {
                let faulty = self.faulty_member(group);
                let (group, member) = (self.group_name(group), faulty.map(|member| self.name(member)));
                if let Some(member) = member {
                    self.log(Event::GroupFault { group, member });
                }
            }
            if matches!(state, State::Fault | State::Backup) {
                self.set_group(now, group, state, Cause::Start);
            } else if let Some(place) = self.groups.get_mut(position) {
                place.state = state;
            }
        }
    }

    /// What a group that starts is in.
    fn due_state(&self, group: GroupId) -> State {
        let members = || self.members(group).filter_map(|member| self.pair(member));
        if members().any(|(_, instance)| instance.faults > 0) {
            State::Fault
        } else if members().any(|(_, instance)| instance.waiting > 0) {
            State::Init
        } else if members().all(|(router, _)| starts_as_owner(router)) {
            State::Master
        } else {
            State::Backup
        }
    }

    fn faulty_member(&self, group: GroupId) -> Option<RouterId> {
        self.members(group).find(|member| self.pair(*member).is_some_and(|(_, instance)| instance.faults > 0))
    }

    /// The members of a group.
    pub(crate) fn members(&self, group: GroupId) -> impl Iterator<Item = RouterId> + '_ {
        let members = self.config.groups.get(group.index()).map_or(&[][..], |group| &group.members);
        members.iter().copied().filter(move |member| self.group_of(*member) == Some(group))
    }

    pub(crate) fn group_name(&self, group: GroupId) -> crate::event::Name {
        self.config.groups.get(group.index()).map_or_else(|| "".into(), |group| group.name.clone())
    }

    /// The state of a router's group.
    pub(crate) fn group_state(&self, id: RouterId) -> Option<State> {
        self.groups.get(self.group_of(id)?.index()).map(|group| group.state)
    }

    /// Whether a member waits for what it tracks.
    pub(crate) fn group_waits(&self, id: RouterId) -> bool {
        self.any_member(id, |instance| instance.waiting > 0)
    }

    /// Whether a member other than this one cannot run, or waits.
    pub(crate) fn group_holds(&self, id: RouterId) -> bool {
        self.any_member(id, |instance| instance.faults > 0 || instance.waiting > 0)
    }

    fn any_member(&self, id: RouterId, is: impl Fn(&crate::instance::Instance) -> bool) -> bool {
        let Some(group) = self.group_of(id) else { return false };
        self.members(group).filter_map(|member| self.pair(member)).any(|(_, instance)| is(instance))
    }

    /// Whether a router may become Master: it has no group, its group is Master, or all other members want to be.
    pub(crate) fn others_want_master(&self, id: RouterId) -> bool {
        let Some(group) = self.group_of(id) else { return true };
        self.group_state(id) == Some(State::Master)
            || self
                .members(group)
                .filter(|member| *member != id)
                .filter_map(|member| self.pair(member))
                .all(|(_, instance)| instance.want == State::Master)
    }

    /// A member became Master: the others follow.
    pub(crate) fn sync_master(&mut self, now: Instant, id: RouterId) {
        let Some(group) = self.group_of(id) else { return };
        if self.group_state(id) == Some(State::Master) || !self.others_want_master(id) {
            return;
        }
        self.sync_members(now, id, group, State::Master);
    }

    /// A member became Backup: the others follow.
    pub(crate) fn sync_backup(&mut self, now: Instant, id: RouterId) {
        let Some(group) = self.group_of(id) else { return };
        if self.group_state(id) != Some(State::Backup) {
            self.sync_members(now, id, group, State::Backup);
        }
    }

    /// A member cannot run: the others follow.
    pub(crate) fn sync_fault(&mut self, now: Instant, id: RouterId) {
        let Some(group) = self.group_of(id) else { return };
        if self.group_state(id) != Some(State::Fault) {
            self.sync_members(now, id, group, State::Fault);
        }
    }

    /// A member left Master: the group follows to the state it is in.
    pub(crate) fn after_leaving(&mut self, now: Instant, id: RouterId) {
        match self.state(id) {
            Some(State::Backup) => self.sync_backup(now, id),
            Some(State::Fault) => self.sync_fault(now, id),
            _ => {}
        }
    }

    fn sync_members(&mut self, now: Instant, id: RouterId, group: GroupId, to: State) {
        self.log(Event::GroupSyncing { group: self.group_name(group), state: to });
        let cause = Cause::Group { group: self.group_name(group), member: self.name(id) };
        let count = self.config.groups.get(group.index()).map_or(0, |group| group.members.len());
        for position in 0..count {
            let member =
                self.config.groups.get(group.index()).and_then(|group| group.members.get(position)).copied();
            let Some(member) = member.filter(|member| *member != id) else { continue };
            if self.group_of(member) != Some(group) {
                continue;
            }
            let Some(state) = self.state(member).filter(|state| *state != to) else { continue };
            match (to, state) {
                (State::Master, _) => {
                    if let Some(instance) = self.instances.get_mut(member.index()) {
                        instance.want = State::Master;
                    }
                    self.goto_master(now, member, cause.clone());
                }
                (State::Backup | State::Fault, State::Master) => {
                    self.leave_master(now, member, to, false, cause.clone());
                }
                (State::Backup, _) => {
                    if let Some(instance) = self.instances.get_mut(member.index()) {
                        instance.want = State::Backup;
                    }
                    self.leave_fault(now, member, cause.clone());
                }
                _ => self.enter_fault(now, member, cause.clone()),
            }
        }
        self.set_group(now, group, to, cause_of(self, id, group));
    }

    /// Sets a group's state, and tells.
    pub(crate) fn set_group(&mut self, now: Instant, group: GroupId, to: State, cause: Cause) {
        let Some(place) = self.groups.get_mut(group.index()) else { return };
        let from = core::mem::replace(&mut place.state, to);
        place.since = now;
        place.cause = cause.clone();
        self.log(Event::GroupChanged { group: self.group_name(group), from, to, cause: cause.clone() });
        self.actions.push_back(Action::Notify(Notification::State {
            subject: Subject::Group(group),
            from,
            to,
            priority: 0,
            cause,
        }));
    }
}

/// A group changes for the reason its member has.
fn cause_of(router: &Router, id: RouterId, group: GroupId) -> Cause {
    match router.pair(id) {
        Some((_, instance)) => instance.cause.clone(),
        None => Cause::Group { group: router.group_name(group), member: router.name(id) },
    }
}
