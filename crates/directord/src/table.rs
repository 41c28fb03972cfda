//! The table of virtual services as it is wanted, kept up in a data plane that may fail, and that others may change.

use crate::command;
use director::plane::{
    Change, DataPlane, Destination, DestinationKey, Entry, PlaneError, Service, ServiceKey, Table,
};
use ek_time::{Duration, Instant};
use netlink::ipvs::Asked;
use notice::log::{Level, Log};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Pauses between attempts when the data plane fails: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a table that is well is looked at, and how many times as long as a look takes, at least.
const LOOKS: Duration = Duration::from_secs(15);
const SHARE: u32 = 500;
/// How often the same thing is put right before it is left to whoever wants it otherwise.
const PATIENCE: u32 = 3;

/// What went wrong and right with the data plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes made.
    pub changes: u64,
    /// Changes refused or not possible.
    pub failures: u64,
    /// Changes made because the table was not as it should be.
    pub repairs: u64,
}

/// Keeps a table.
pub struct Keeper {
    plane: Box<dyn DataPlane>,
    log: Rc<Log>,
    wanted: Table,
    /// Services of the configuration, and those removed whose removal has not been seen to succeed.
    owned: BTreeSet<ServiceKey>,
    /// Destinations that were removed, and whose removal failed.
    leftover: BTreeSet<(ServiceKey, DestinationKey)>,
    counts: Counts,
    /// The last failure, while there is one.
    failing: Option<String>,
    pause: Duration,
    next_look: Option<Instant>,
    /// Changes that were refused for what they are, with keepalived's line.
    refused: BTreeMap<Thing, String>,
    /// How often a thing was put right.
    repaired: BTreeMap<Thing, u32>,
}

type Thing = (ServiceKey, Option<DestinationKey>);

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Keeper {
    /// With nothing wanted.
    pub fn new(plane: Box<dyn DataPlane>, log: Rc<Log>) -> Self {
        Self {
            plane,
            log,
            wanted: Table::new(),
            owned: BTreeSet::new(),
            leftover: BTreeSet::new(),
            counts: Counts::default(),
            failing: None,
            pause: FIRST_PAUSE,
            next_look: None,
            refused: BTreeMap::new(),
            repaired: BTreeMap::new(),
        }
    }

    /// The data plane, for what is not about the table.
    pub fn plane(&mut self) -> &mut dyn DataPlane {
        &mut *self.plane
    }

    /// What was done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Why the table is not as it should be, while that is so.
    pub fn failing(&self) -> Option<&str> {
        self.failing.as_deref().or_else(|| self.refused.values().next().map(String::as_str))
    }

    /// The table as it should be.
    pub fn wanted(&self) -> &Table {
        &self.wanted
    }

    /// Counts what is there already for what is wanted, of the services named: what a predecessor left.
    pub fn adopt(&mut self, table: &Table, services: &[ServiceKey]) {
        for key in services {
            if let Some(entry) = table.get(key) {
                self.owned.insert(*key);
                self.wanted.insert(*key, entry.clone());
            }
        }
    }

    /// Makes changes, in their order.
    pub fn apply(&mut self, changes: &[Change], now: Instant) {
        if changes.is_empty() {
            return;
        }
        for change in changes {
            self.want(change);
        }
        if self.failing.is_none() {
            self.carry_out(changes, now);
        }
        if self.next_look.is_none() {
            self.next_look = Some(now + LOOKS);
        }
    }

    /// When [`look`](Self::look) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_look
    }

    /// Looks whether the table is as it should be, and puts it right.
    pub fn look(&mut self, now: Instant) {
        if self.next_look.is_none_or(|at| at > now) {
            return;
        }
        let before = reactor::cpu_time();
        let table = match self.plane.table() {
            Ok(table) => table,
            Err(error) => return self.fail(&Asked::Look, &error, now),
        };
        let was_failing = self.failing.take().is_some();
        let changes = self.difference(&table);
        // Once nobody asks any more what became of it.
        self.owned.retain(|key| self.wanted.contains_key(key) || table.contains_key(key));
        let cost = reactor::cpu_time().saturating_sub(before);
        self.next_look = (!self.wanted.is_empty() || !self.owned.is_empty())
            .then(|| now + LOOKS.max(cost.saturating_mul(SHARE)));
        if was_failing {
            self.repaired.clear();
            self.log
                .info(format_args!("IPVS can be reached again, {} changes are made up for", changes.len()));
        }
        for change in &changes {
            let thing = thing(change);
            if was_failing || self.refused.contains_key(&thing) {
                continue;
            }
            let times = self.repaired.entry(thing).or_default();
            *times += 1;
            let last = if *times == PATIENCE { ", for the last time" } else { "" };
            self.log.write(
                Level::Warning,
                format_args!(
                    "The IPVS table was changed by somebody else, putting it right{last}: {}",
                    command::shown(change)
                ),
            );
            self.counts.repairs += 1;
        }
        self.carry_out(&changes, now);
        if self.failing.is_none() && self.refused.is_empty() {
            self.pause = FIRST_PAUSE;
        }
    }

    fn carry_out(&mut self, changes: &[Change], now: Instant) {
        let results = self.plane.apply_all(changes);
        for (change, result) in changes.iter().zip(results) {
            match result {
                Ok(()) => self.made(change),
                Err(error) => self.refused(change, &error, now),
            }
        }
    }

    fn made(&mut self, change: &Change) {
        self.counts.changes += 1;
        self.refused.remove(&thing(change));
        if let Some(destination) = change.destination() {
            self.leftover.remove(&(*change.service(), *destination));
        }
    }

    fn refused(&mut self, change: &Change, error: &PlaneError, now: Instant) {
        self.counts.failures += 1;
        if let Change::RemoveDestination(key, destination) = change
            && !matches!(error, PlaneError::NotFound | PlaneError::NoService)
        {
            self.leftover.insert((*key, *destination));
        }
        match (change, error) {
            // It is as it should be; another may have done it.
            (
                Change::RemoveService(_) | Change::RemoveDestination(..),
                PlaneError::NoService | PlaneError::NotFound,
            ) => self.log.info(Asked::Change(change).line(error)),
            (Change::AddService(service), PlaneError::Exists) => {
                self.log.info(Asked::Change(change).line(error));
                self.instead(&Change::EditService(service.clone()), now);
            }
            (Change::AddDestination(key, destination), PlaneError::Exists) => {
                self.log.info(Asked::Change(change).line(error));
                self.instead(&Change::EditDestination(*key, *destination), now);
            }
            _ => self.not_made(change, error, now),
        }
    }

    fn instead(&mut self, change: &Change, now: Instant) {
        match self.plane.apply(change) {
            Ok(()) => self.made(change),
            Err(error) => self.not_made(change, &error, now),
        }
    }

    fn not_made(&mut self, change: &Change, error: &PlaneError, now: Instant) {
        let asked = Asked::Change(change);
        if is_of_the_plane(error) {
            return self.fail(&asked, error, now);
        }
        // Others may succeed. This one is tried again, less and less often.
        let line = asked.line(error);
        let before = self.refused.insert(thing(change), line.clone());
        if before.as_ref() != Some(&line) {
            self.log.write(Level::Warning, line);
        }
        self.later(now);
    }

    fn later(&mut self, now: Instant) {
        let at = now + self.pause;
        if self.next_look.is_none_or(|next| next > at || next <= now) {
            self.next_look = Some(at);
            self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Something is not as it should be: once said, tried again after a pause, and after longer ones.
    fn fail(&mut self, asked: &Asked<'_>, error: &PlaneError, now: Instant) {
        let line = asked.line(error);
        let again = self.failing.as_ref() == Some(&line);
        // What there was to look at earlier fails as well.
        self.next_look = None;
        self.later(now);
        if !again {
            self.log.write(Level::Warning, &line);
        }
        self.failing = Some(line);
    }

    /// Changes the wanted table.
    fn want(&mut self, change: &Change) {
        self.repaired.remove(&thing(change));
        self.refused.remove(&thing(change));
        match change {
            Change::AddService(service) | Change::EditService(service) => {
                self.owned.insert(service.key);
                match self.wanted.get_mut(&service.key) {
                    Some(entry) => entry.service = service.clone(),
                    None => {
                        let entry = Entry { service: service.clone(), destinations: Vec::new() };
                        self.wanted.insert(service.key, entry);
                    }
                }
            }
            Change::RemoveService(key) => {
                self.owned.insert(*key);
                self.wanted.remove(key);
                self.leftover.retain(|(service, _)| service != key);
            }
            Change::AddDestination(key, destination) | Change::EditDestination(key, destination) => {
                self.leftover.remove(&(*key, destination.key));
                let Some(entry) = self.wanted.get_mut(key) else { return };
                match entry.destinations.iter_mut().find(|one| one.key == destination.key) {
                    Some(one) => *one = *destination,
                    None => entry.destinations.push(*destination),
                }
            }
            Change::RemoveDestination(key, destination) => {
                let Some(entry) = self.wanted.get_mut(key) else { return };
                entry.destinations.retain(|one| one.key != *destination);
                if self.failing.is_some() {
                    self.leftover.insert((*key, *destination));
                }
            }
        }
    }

    /// What is to be changed in a table to make it the wanted one. What the configuration does not name stays.
    fn difference(&self, table: &Table) -> Vec<Change> {
        let tried = |key: &ServiceKey, destination: Option<&DestinationKey>| {
            self.repaired.get(&(*key, destination.copied())).is_some_and(|times| *times >= PATIENCE)
        };
        let mut changes = Vec::new();
        for key in self.owned.iter().filter(|key| !self.wanted.contains_key(key)) {
            if table.contains_key(key) && !tried(key, None) {
                changes.push(Change::RemoveService(*key));
            }
        }
        for (key, wanted) in &self.wanted {
            let there = table.get(key);
            match there {
                None if !tried(key, None) => changes.push(Change::AddService(wanted.service.clone())),
                Some(there) if !is_same_service(&there.service, &wanted.service) && !tried(key, None) => {
                    changes.push(Change::EditService(wanted.service.clone()));
                }
                _ => {}
            }
            for destination in &wanted.destinations {
                let is = there.and_then(|there| there.destination(&destination.key));
                if tried(key, Some(&destination.key)) {
                    continue;
                }
                match is {
                    None => changes.push(Change::AddDestination(*key, *destination)),
                    Some(is) if !is_same_destination(is, destination) => {
                        changes.push(Change::EditDestination(*key, *destination));
                    }
                    Some(_) => {}
                }
            }
            for (_, leftover) in self.leftover.iter().filter(|(service, _)| service == key) {
                if there.is_some_and(|there| there.destination(leftover).is_some()) {
                    changes.push(Change::RemoveDestination(*key, *leftover));
                }
            }
        }
        changes
    }
}

fn thing(change: &Change) -> Thing {
    (*change.service(), change.destination().copied())
}

/// Whether every other change would fail as well.
fn is_of_the_plane(error: &PlaneError) -> bool {
    match error {
        PlaneError::Unavailable(_) => true,
        PlaneError::System(errno) => matches!(
            nix::errno::Errno::from_raw(*errno),
            nix::errno::Errno::EPERM
                | nix::errno::Errno::EACCES
                | nix::errno::Errno::ENOMEM
                | nix::errno::Errno::ENOBUFS
                | nix::errno::Errno::ENOSPC
        ),
        _ => false,
    }
}

/// Whether the kernel shows a service as it was asked for: it keeps no granularity that means nothing.
fn is_same_service(is: &Service, wanted: &Service) -> bool {
    is.scheduler == wanted.scheduler
        && is.flags == wanted.flags
        && is.persistence == wanted.persistence
        && is.engine == wanted.engine
        && (wanted.persistence.is_none() || is.granularity == wanted.granularity)
}

fn is_same_destination(is: &Destination, wanted: &Destination) -> bool {
    is.forwarding == wanted.forwarding
        && is.weight == wanted.weight
        && is.upper_threshold == wanted.upper_threshold
        && is.lower_threshold == wanted.lower_threshold
}
