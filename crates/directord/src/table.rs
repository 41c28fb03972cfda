//! The table of virtual services, kept as the core wants it in a data plane that may fail, and that others may change.

use crate::command;
use director::plane::{Change, DataPlane, DestinationKey, PlaneError, ServiceKey, Table};
use ek_time::{Duration, Instant};
use netlink::ipvs::Asked;
use nix::errno::Errno;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes made.
    pub changes: u64,
    /// Changes refused or not possible.
    pub failures: u64,
    /// Changes made because somebody else had changed the table.
    pub repairs: u64,
}

/// Keeps a table.
pub struct Keeper {
    plane: Box<dyn DataPlane>,
    log: Rc<Log>,
    /// Destinations that were removed, and whose removal failed.
    leftover: BTreeSet<(ServiceKey, DestinationKey)>,
    counts: Counts,
    /// The last failure, while nothing can be changed.
    failing: Option<String>,
    /// Changes that were refused for what they are, with keepalived's line.
    refused: BTreeMap<Thing, String>,
    /// How often a thing was put right.
    repaired: BTreeMap<Thing, u32>,
    pause: Duration,
    next_look: Option<Instant>,
}

type Thing = (ServiceKey, Option<DestinationKey>);

/// A table that was looked at.
#[derive(Debug)]
pub struct Look {
    /// What there is.
    pub table: Table,
    /// Changes were not possible before: what differs is not somebody else's doing.
    pub made_up: bool,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Of a data plane.
    pub fn new(plane: Box<dyn DataPlane>, log: Rc<Log>) -> Self {
        Self {
            plane,
            log,
            leftover: BTreeSet::new(),
            counts: Counts::default(),
            failing: None,
            refused: BTreeMap::new(),
            repaired: BTreeMap::new(),
            pause: FIRST_PAUSE,
            next_look: None,
        }
    }

    /// The data plane, for what is not about the table.
    pub fn plane(&mut self) -> &mut dyn DataPlane {
        &mut *self.plane
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Why the table is not as it should be, while that is so.
    pub fn failing(&self) -> Option<&str> {
        self.failing.as_deref().or_else(|| self.refused.values().next().map(String::as_str))
    }

    /// The table at the start; empty, with the reason in the log, when it cannot be had.
    pub fn first_table(&mut self, now: Instant) -> Table {
        self.next_look = Some(now + LOOKS);
        self.plane.table().unwrap_or_else(|error| {
            self.fail(&Asked::Look, &error, now);
            Table::new()
        })
    }

    /// Makes changes, in their order.
    pub fn apply(&mut self, changes: &[Change], now: Instant) {
        if changes.is_empty() {
            return;
        }
        for change in changes {
            self.repaired.remove(&thing(change));
            self.refused.remove(&thing(change));
            match change {
                Change::RemoveDestination(key, destination) if self.failing.is_some() => {
                    self.leftover.insert((*key, *destination));
                }
                Change::AddDestination(key, destination) | Change::EditDestination(key, destination) => {
                    self.leftover.remove(&(*key, destination.key));
                }
                _ => {}
            }
        }
        if self.failing.is_none() {
            self.carry_out(changes, now);
        } else {
            self.counts.failures += changes.len() as u64;
        }
    }

    /// Removes every service.
    pub fn flush(&mut self, now: Instant) {
        self.leftover.clear();
        if let Err(error) = self.plane.flush() {
            self.fail(&Asked::Flush, &error, now);
        }
    }

    /// When [`look`](Self::look) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_look
    }

    /// Looks at the table, if it is time to. What is to be changed in it is for [`repair`](Self::repair).
    pub fn look(&mut self, now: Instant) -> Option<Look> {
        if self.next_look.is_none_or(|at| at > now) {
            return None;
        }
        let before = reactor::cpu_time();
        let table = match self.plane.table() {
            Ok(table) => table,
            Err(error) => {
                self.fail(&Asked::Look, &error, now);
                return None;
            }
        };
        let cost = reactor::cpu_time().saturating_sub(before);
        self.next_look = Some(now + LOOKS.max(cost.saturating_mul(SHARE)));
        let made_up = self.failing.take().is_some();
        if made_up {
            self.repaired.clear();
        }
        let leftover = self.leftover.iter().filter(|(key, destination)| {
            table.get(key).is_some_and(|entry| entry.destination(destination).is_some())
        });
        let late: Vec<Change> =
            leftover.map(|(key, destination)| Change::RemoveDestination(*key, *destination)).collect();
        self.leftover.clear();
        self.carry_out(&late, now);
        Some(Look { table, made_up })
    }

    /// Makes the changes that a [`Look`] has shown to be necessary.
    pub fn repair(&mut self, mut changes: Vec<Change>, made_up: bool, now: Instant) {
        if made_up {
            let count = changes.len();
            self.log.info(format_args!("IPVS can be reached again, {count} changes are made up for"));
        } else {
            changes.retain(|change| self.may_repair(change));
        }
        self.carry_out(&changes, now);
        if self.failing.is_none() && self.refused.is_empty() {
            self.pause = FIRST_PAUSE;
        }
    }

    /// Says what somebody else has changed, unless it is in vain.
    fn may_repair(&mut self, change: &Change) -> bool {
        let thing = thing(change);
        if self.refused.contains_key(&thing) {
            return true;
        }
        let times = self.repaired.entry(thing).or_default();
        if *times >= PATIENCE {
            return false;
        }
        *times += 1;
        self.counts.repairs += 1;
        let last = if *times == PATIENCE { ", for the last time" } else { "" };
        self.log.write(
            Level::Warning,
            format_args!(
                "The IPVS table was changed by somebody else, putting it right{last}: {}",
                command::shown(change)
            ),
        );
        true
    }

    fn carry_out(&mut self, changes: &[Change], now: Instant) {
        if changes.is_empty() {
            return;
        }
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
    }

    fn refused(&mut self, change: &Change, error: &PlaneError, now: Instant) {
        self.counts.failures += 1;
        if let Change::RemoveDestination(key, destination) = change
            && !matches!(error, PlaneError::NotFound | PlaneError::NoService)
        {
            self.leftover.insert((*key, *destination));
        }
        let instead = match (change, error) {
            // It is as it should be; another has done it.
            (
                Change::RemoveService(_) | Change::RemoveDestination(..),
                PlaneError::NoService | PlaneError::NotFound,
            ) => return self.log.info(Asked::Change(change).line(error)),
            (Change::AddService(service), PlaneError::Exists) => Change::EditService(service.clone()),
            (Change::AddDestination(key, destination), PlaneError::Exists) => {
                Change::EditDestination(*key, *destination)
            }
            _ => return self.not_made(change, error, now),
        };
        self.log.info(Asked::Change(change).line(error));
        match self.plane.apply(&instead) {
            Ok(()) => self.made(&instead),
            Err(error) => self.not_made(&instead, &error, now),
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

    /// Nothing can be changed: once said, tried again after a pause, and after longer ones.
    fn fail(&mut self, asked: &Asked<'_>, error: &PlaneError, now: Instant) {
        let why = asked.why(error).into_owned();
        if self.failing.as_ref() != Some(&why) {
            self.log.write(Level::Warning, asked.line(error));
        }
        self.failing = Some(why);
        // What there was to look at earlier fails as well.
        self.next_look = None;
        self.later(now);
    }

    fn later(&mut self, now: Instant) {
        let at = now + self.pause;
        if self.next_look.is_none_or(|next| next > at || next <= now) {
            self.next_look = Some(at);
            self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
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
            Errno::from_raw(*errno),
            Errno::EPERM | Errno::EACCES | Errno::ENOMEM | Errno::ENOBUFS | Errno::ENOSPC
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
