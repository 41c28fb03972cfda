//! What a virtual router depends on: its interface and address, and what it and its sync group track. All of it is
//! computed anew when something changes; there are no running sums to go wrong.

use crate::action::{Action, Notification};
use crate::cause::{Cause, FaultReason};
use crate::config::{Config, Group, Initial, Mode, Tracking, VirtualRouter};
use crate::election::number;
use crate::event::{Event, What};
use crate::ids::{LinkId, RouterId, TrackId};
use crate::router::{Router, Timer};
use crate::state::State;
use crate::track::{Kind, Track, TrackState};
use crate::transmit::source_of;
use ek_time::Instant;
use wire::vrrp::OWNER;

/// The value of a file, and what it adds, are kept within this (keepalived's limits).
const FILE_LIMIT: i64 = 254;

/// Who depends on what.
#[derive(Debug, Default)]
pub(crate) struct Users {
    links: Vec<Vec<RouterId>>,
    tracks: Vec<Vec<RouterId>>,
}

impl Users {
    pub(crate) fn new(config: &Config) -> Self {
        let mut users = Self {
            links: vec![Vec::new(); config.links.len()],
            tracks: vec![Vec::new(); config.tracks.len()],
        };
        for (position, router) in config.routers.iter().enumerate() {
            let id = RouterId::at(position);
            for link in [router.link, router.base_link].into_iter().flatten() {
                add(&mut users.links, link.index(), id);
            }
            let groups = config.groups.iter().filter(|group| group.members.contains(&id));
            let tracks = groups.flat_map(|group| &group.tracks).chain(&router.tracks);
            for tracking in tracks {
                let Some(track) = config.tracks.get(tracking.track.index()) else { continue };
                match track.kind {
                    Kind::Interface(link) => add(&mut users.links, link.index(), id),
                    _ => add(&mut users.tracks, tracking.track.index(), id),
                }
            }
        }
        users
    }

    /// The routers whose standing an interface can change.
    pub(crate) fn of_link(&self, link: LinkId) -> &[RouterId] {
        self.links.get(link.index()).map_or(&[], Vec::as_slice)
    }

    /// The routers whose standing a track can change.
    pub(crate) fn of_track(&self, track: TrackId) -> &[RouterId] {
        self.tracks.get(track.index()).map_or(&[], Vec::as_slice)
    }
}

fn add(lists: &mut [Vec<RouterId>], position: usize, id: RouterId) {
    if let Some(list) = lists.get_mut(position)
        && !list.contains(&id)
    {
        list.push(id);
    }
}

/// What something tracked does to a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Added to the priority.
    Weight(i64),
    /// A failure; of files, with the value that made it one.
    Fault(i64),
    /// It has to report first.
    Wait,
}

/// What all that a router depends on comes to.
#[derive(Clone, Debug, Default)]
struct Standing {
    total: i32,
    faults: u32,
    waiting: u32,
    reason: Option<FaultReason>,
}

impl Router {
    /// At the start: says what keeps the router from running.
    pub(crate) fn assess_at_start(&mut self, now: Instant, id: RouterId) {
        let mut lines = Vec::new();
        let Some(standing) = self.standing(id, |what| lines.push(what)) else { return };
        for what in lines {
            self.say(id, what);
        }
        if standing.faults > 0 {
            self.say(id, What::FaultEntered);
        }
        if let Some(instance) = self.instances.get_mut(id.index()) {
            instance.faults = standing.faults;
            instance.waiting = standing.waiting;
            instance.reason = standing.reason;
        }
        self.set_priority(now, id, standing.total);
    }

    /// Something a router depends on may have changed.
    pub(crate) fn reconsider(&mut self, now: Instant, id: RouterId) {
        let Some(standing) = self.standing(id, |_| {}) else { return };
        let Some(instance) = self.instances.get_mut(id.index()) else { return };
        let (had_faults, waited) = (instance.faults > 0, instance.waiting > 0);
        let reason = core::mem::replace(&mut instance.reason, standing.reason);
        instance.faults = standing.faults;
        instance.waiting = standing.waiting;
        let state = instance.state;
        self.set_priority(now, id, standing.total);
        if standing.faults > 0 {
            if !had_faults || state == State::Init {
                self.down(now, id);
            }
        } else if standing.waiting > 0 {
            if had_faults && let Some(instance) = self.instances.get_mut(id.index()) {
                instance.want = State::Backup;
            }
        } else if had_faults || waited {
            let cause = reason.map_or(Cause::Start, Cause::Recovered);
            self.try_up(now, id, waited && !had_faults, cause);
        }
    }

    /// A router cannot run any more.
    fn down(&mut self, now: Instant, id: RouterId) {
        let cause = self.fault_cause(id);
        match self.state(id) {
            Some(State::Master) => self.leave_master(now, id, State::Fault, true, cause),
            Some(_) => self.enter_fault(now, id, cause),
            None => return,
        }
        self.sync_fault(now, id);
    }

    /// Nothing keeps a router from running any more; its sync group may.
    pub(crate) fn try_up(&mut self, now: Instant, id: RouterId, from_init: bool, cause: Cause) {
        let held = self.group_holds(id);
        let Some((router, instance)) = self.pair_mut(id) else { return };
        if !matches!(instance.state, State::Init | State::Fault) {
            return;
        }
        let owner = from_init && router.initial == Initial::Master && instance.owner();
        instance.want = if owner { State::Master } else { State::Backup };
        if held {
            return;
        }
        if owner
            && !self.others_want_master(id)
            && let Some(instance) = self.instances.get_mut(id.index())
        {
            instance.want = State::Backup;
        }
        self.leave_fault(now, id, cause);
        match self.state(id) {
            Some(State::Master) => self.sync_master(now, id),
            _ => self.sync_backup(now, id),
        }
    }

    /// Why a router is in Fault: its own reason, or that of its group's member.
    pub(crate) fn fault_cause(&self, id: RouterId) -> Cause {
        let own = self.pair(id).and_then(|(_, instance)| instance.reason.clone());
        if let Some(reason) = own {
            return Cause::Fault(reason);
        }
        let Some(group) = self.group_of(id) else { return Cause::Start };
        let member =
            self.members(group).find(|member| self.pair(*member).is_some_and(|(_, other)| other.faults > 0));
        let member = member.map_or_else(|| self.name(id), |member| self.name(member));
        Cause::Group { group: self.group_name(group), member }
    }

    /// Sets the priority that weights come to, and says so.
    fn set_priority(&mut self, now: Instant, id: RouterId, total: i32) {
        let Some((from, to)) = self.weigh(now, id, total) else { return };
        self.log(Event::Router { router: self.name(id), what: What::Priority { from, to }, suppressed: 0 });
        let Some((router, instance)) = self.pair(id) else { return };
        if router.notify_priority_changes {
            let state = instance.state;
            self.actions.push_back(Action::Notify(Notification::Priority { router: id, state, from, to }));
        }
    }

    /// The priority may be another with a new configuration: no news to who wrote it, and keepalived says nothing either.
    pub(crate) fn weigh_at_reload(&mut self, now: Instant, id: RouterId) {
        if let Some(standing) = self.standing(id, |_| {}) {
            self.weigh(now, id, standing.total);
        }
    }

    /// Sets the priority that weights come to, between 1 and 254; an address owner's stays 255. If it has changed: from
    /// what, to what.
    fn weigh(&mut self, now: Instant, id: RouterId, total: i32) -> Option<(u8, u8)> {
        let (router, instance) = self.pair_mut(id)?;
        instance.total = total;
        let to = if instance.owner() {
            OWNER
        } else {
            u8::try_from(total.clamp(1, i32::from(OWNER) - 1)).unwrap_or(OWNER - 1)
        };
        let from = core::mem::replace(&mut instance.effective, to);
        if from == to {
            return None;
        }
        let before = instance.down;
        instance.down = instance.master_down(router);
        let (state, down) = (instance.state, instance.down);
        if state == State::Backup
            && let Some(deadline) = self.timer(id, Timer::Main)
        {
            // The skew has changed under a timer that runs.
            let deadline =
                if down >= before { deadline + (down - before) } else { deadline - (before - down) };
            self.set_timer(id, Timer::Main, deadline.max(now));
        }
        Some((from, to))
    }

    fn standing(&self, id: RouterId, mut line: impl FnMut(What)) -> Option<Standing> {
        let (router, instance) = self.pair(id)?;
        let group = instance.group.and_then(|group| self.config.groups.get(group.index()));
        let mut standing = Standing { total: i32::from(instance.base), ..Standing::default() };
        let mut fault = |standing: &mut Standing, reason: FaultReason, what: What| {
            standing.faults += 1;
            standing.reason.get_or_insert(reason);
            line(what);
        };
        if !router.dont_track_primary {
            for link in [router.link, router.base_link].into_iter().flatten() {
                if let Some(link) = self.config.links.get(link.index()).filter(|link| !link.up) {
                    let name = link.name.clone();
                    fault(&mut standing, FaultReason::Link(name.clone()), What::FaultLink(name));
                }
            }
        }
        if matches!(&router.mode, Mode::Unicast(unicast) if unicast.peers.is_empty()) {
            fault(&mut standing, FaultReason::NoPeers, What::FaultNoPeers);
        }
        if source_of(&self.config, router).is_none() {
            let link = router.link.and_then(|link| self.config.links.get(link.index()));
            let name = link.map_or_else(|| "none".into(), |link| link.name.clone());
            fault(&mut standing, FaultReason::NoSource(name), What::FaultNoSource(number(router.family)));
        }
        for tracking in trackings(router, group, instance.owner(), &self.config) {
            let Some(track) = self.config.tracks.get(tracking.track.index()) else { continue };
            match effect(&self.config, track, &tracking) {
                Effect::Weight(weight) => standing.total += weight as i32,
                Effect::Wait => standing.waiting += 1,
                Effect::Fault(value) => {
                    let reason = match track.kind {
                        Kind::Interface(_) => FaultReason::Link(track.name.clone()),
                        _ if tracking.weight != 0 => FaultReason::Weight(track.name.clone()),
                        _ => FaultReason::Track(track.name.clone()),
                    };
                    fault(&mut standing, reason, fault_line(track, value));
                }
            }
        }
        Some(standing)
    }
}

fn fault_line(track: &Track, value: i64) -> What {
    let name = track.name.clone();
    match track.kind {
        Kind::Interface(_) => What::FaultLink(name),
        Kind::Script => What::FaultScript(name),
        Kind::Process => What::FaultProcess(name),
        Kind::File => What::FaultFile(name, value),
        Kind::Bfd => What::FaultBfd(name),
        Kind::Presence => What::FaultMissing(name),
    }
}

/// What counts for a router: its own tracks and its group's. Weights of its own do not count in a group that does not say
/// `sync_group_tracking_weight`, nor for an address owner; of files, what is left is whether they are zero.
fn trackings<'a>(
    router: &'a VirtualRouter,
    group: Option<&'a Group>,
    owner: bool,
    config: &'a Config,
) -> impl Iterator<Item = Tracking> + 'a {
    let is_file = move |tracking: &Tracking| {
        config.tracks.get(tracking.track.index()).is_some_and(|track| track.kind == Kind::File)
    };
    let weightless = owner || group.is_some_and(|group| !group.tracking_weight);
    let own = router.tracks.iter().map(move |tracking| (weightless, *tracking));
    let groups = group.map_or(&[][..], |group| &group.tracks).iter().map(move |tracking| (owner, *tracking));
    own.chain(groups).filter_map(move |(weightless, tracking)| match tracking {
        Tracking { weight: 0, .. } => Some(tracking),
        _ if !weightless => Some(tracking),
        _ if is_file(&tracking) => Some(Tracking { weight: 0, ..tracking }),
        _ => None,
    })
}

fn effect(config: &Config, track: &Track, tracking: &Tracking) -> Effect {
    let sign = if tracking.reverse { -1 } else { 1 };
    let weight = i64::from(tracking.weight.clamp(-254, 254));
    if track.kind == Kind::File {
        let value = match track.state {
            TrackState::Value(value) => value.clamp(-FILE_LIMIT, FILE_LIMIT),
            TrackState::Unknown | TrackState::Up => 0,
            TrackState::Down => 1,
        };
        return if weight == 0 {
            if (value != 0) != tracking.reverse { Effect::Fault(value) } else { Effect::Weight(0) }
        } else {
            match value * weight * sign {
                status if status <= -FILE_LIMIT => Effect::Fault(status),
                status => Effect::Weight(status.min(FILE_LIMIT - 1)),
            }
        };
    }
    let well = match (track.kind, track.state) {
        (Kind::Interface(link), _) => Some(config.links.get(link.index()).is_some_and(|link| link.up)),
        (_, TrackState::Unknown) => None,
        (_, state) => Some(matches!(state, TrackState::Up | TrackState::Value(0))),
    };
    match (weight, well) {
        (0, None) => Effect::Wait,
        (0, Some(well)) if well == tracking.reverse => Effect::Fault(0),
        (0, Some(_)) | (_, None) => Effect::Weight(0),
        (weight, Some(true)) => Effect::Weight(weight.max(0) * sign),
        (weight, Some(false)) => Effect::Weight(weight.min(0) * sign),
    }
}
