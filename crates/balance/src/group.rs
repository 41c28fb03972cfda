//! Who stands in the backend: weights, usability, and which of the two groups has the work.

use crate::balancer::{Member, Settings};

/// Effective weights are counted in sixteenths, so that a slow start has steps between two weights.
pub(crate) const WEIGHT_SCALE: u32 = 16;
/// The largest `weight`.
pub(crate) const WEIGHT_MAX: u32 = 256;
/// The largest effective weight.
pub(crate) const EFFECTIVE_MAX: u32 = WEIGHT_MAX * WEIGHT_SCALE;

/// Active servers, or backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Active,
    Backup,
}

/// Who is to be chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usable {
    /// All usable servers of the group.
    Group(Group),
    /// Only this backup.
    Sole(usize),
    /// No server is left.
    Nobody,
}

/// What changed for a server when its state or weight was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing the algorithm needs to know.
    None,
    /// It became usable.
    Enters,
    /// It stopped being usable; its last effective weight.
    Leaves(u32),
    /// It stays usable with another weight; the effective weight it had.
    Reweighed(u32),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    weight: u32,
    effective: u32,
    group: Group,
    up: bool,
}

/// The servers with their weights.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    entries: Vec<Entry>,
    all_backups: bool,
    /// What a weight is divided by (`static-rr` shortens its round by the common divisor).
    divisor: u32,
    /// What a weight is multiplied with.
    scale: u32,
    active: u32,
    backup: u32,
    active_weight: u32,
    backup_weight: u32,
    /// The backup that works alone when no active server is usable.
    sole: Option<usize>,
}

impl Roster {
    pub(crate) fn new(members: &[Member], settings: Settings, scale: u32, divisor: u32) -> Self {
        let mut roster = Self {
            entries: Vec::with_capacity(members.len()),
            all_backups: settings.all_backups,
            divisor: divisor.max(1),
            scale,
            active: 0,
            backup: 0,
            active_weight: 0,
            backup_weight: 0,
            sole: None,
        };
        for member in members {
            let group = if member.backup { Group::Backup } else { Group::Active };
            roster.entries.push(Entry { weight: member.weight, effective: 0, group, up: false });
            let server = roster.entries.len() - 1;
            let _ = roster.set(server, member.usable, member.weight);
        }
        roster
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn weight(&self, server: usize) -> u32 {
        self.entries.get(server).map_or(0, |entry| entry.weight)
    }

    /// Weight in the unit of the algorithm.
    pub(crate) fn effective(&self, server: usize) -> u32 {
        self.entries.get(server).map_or(0, |entry| entry.effective)
    }

    pub(crate) fn group(&self, server: usize) -> Group {
        self.entries.get(server).map_or(Group::Active, |entry| entry.group)
    }

    pub(crate) fn up(&self, server: usize) -> bool {
        self.entries.get(server).is_some_and(|entry| entry.up)
    }

    /// Up and with a weight.
    pub(crate) fn usable(&self, server: usize) -> bool {
        self.entries.get(server).is_some_and(|entry| entry.up && entry.effective != 0)
    }

    pub(crate) fn count(&self, group: Group) -> u32 {
        match group {
            Group::Active => self.active,
            Group::Backup => self.backup,
        }
    }

    /// Sum of the effective weights of the group's usable servers.
    pub(crate) fn total(&self, group: Group) -> u32 {
        match group {
            Group::Active => self.active_weight,
            Group::Backup => self.backup_weight,
        }
    }

    /// Who has the work now.
    pub(crate) fn working(&self) -> Usable {
        if self.active != 0 {
            Usable::Group(Group::Active)
        } else if let Some(server) = self.sole {
            Usable::Sole(server)
        } else if self.backup != 0 {
            Usable::Group(Group::Backup)
        } else {
            Usable::Nobody
        }
    }

    /// Usable servers of a group, in order of declaration.
    pub(crate) fn usable_in(&self, group: Group) -> impl Iterator<Item = usize> + '_ {
        (0..self.entries.len()).filter(move |&i| self.group(i) == group && self.usable(i))
    }

    /// Sets state and weight of a server and says what that means.
    pub(crate) fn set(&mut self, server: usize, up: bool, weight: u32) -> Change {
        let weight = weight.min(WEIGHT_MAX);
        let effective = (weight * self.scale).div_ceil(self.divisor);
        let Some(entry) = self.entries.get_mut(server) else { return Change::None };
        let before = if entry.up { entry.effective } else { 0 };
        let after = if up { effective } else { 0 };
        (entry.up, entry.weight, entry.effective) = (up, weight, effective);
        let group = entry.group;
        let (count, total) = match group {
            Group::Active => (&mut self.active, &mut self.active_weight),
            Group::Backup => (&mut self.backup, &mut self.backup_weight),
        };
        *total = total.saturating_sub(before).saturating_add(after);
        match (before, after) {
            (0, 0) => Change::None,
            (0, _) => {
                *count += 1;
                if group == Group::Backup && !self.all_backups && self.sole.is_none_or(|sole| server < sole) {
                    self.sole = Some(server);
                }
                Change::Enters
            }
            (before, 0) => {
                *count = count.saturating_sub(1);
                if self.sole == Some(server) {
                    self.sole = (server + 1..self.entries.len())
                        .find(|&i| self.group(i) == Group::Backup && self.usable(i));
                }
                Change::Leaves(before)
            }
            (before, after) if before == after => Change::None,
            (before, _) => Change::Reweighed(before),
        }
    }
}
