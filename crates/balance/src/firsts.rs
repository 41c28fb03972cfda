//! `first`: the first server, by id, that is not full; the others may sleep.

use crate::balancer::{Load, Member};
use crate::group::{Group, Roster, Usable};
use std::collections::BTreeSet;

/// Usable servers by id.
#[derive(Clone, Debug)]
pub(crate) struct Firsts {
    ids: Vec<u32>,
    active: BTreeSet<(u32, usize)>,
    backup: BTreeSet<(u32, usize)>,
}

impl Firsts {
    pub(crate) fn new(roster: &Roster, members: &[Member]) -> Self {
        let mut firsts = Self {
            ids: members.iter().map(|member| member.id).collect(),
            active: BTreeSet::new(),
            backup: BTreeSet::new(),
        };
        for server in (0..roster.len()).filter(|&server| roster.usable(server)) {
            firsts.enter(roster, server);
        }
        firsts
    }

    fn parts(&mut self, roster: &Roster, server: usize) -> (&mut BTreeSet<(u32, usize)>, (u32, usize)) {
        let entry = (self.ids.get(server).copied().unwrap_or(0), server);
        let set = match roster.group(server) {
            Group::Active => &mut self.active,
            Group::Backup => &mut self.backup,
        };
        (set, entry)
    }

    pub(crate) fn enter(&mut self, roster: &Roster, server: usize) {
        let (set, entry) = self.parts(roster, server);
        set.insert(entry);
    }

    pub(crate) fn leave(&mut self, roster: &Roster, server: usize) {
        let (set, entry) = self.parts(roster, server);
        set.remove(&entry);
    }

    pub(crate) fn pick(&self, roster: &Roster, load: &dyn Load, avoid: Option<usize>) -> Option<usize> {
        let set = match roster.working() {
            Usable::Nobody => return None,
            Usable::Sole(server) => return Some(server),
            Usable::Group(Group::Active) => &self.active,
            Usable::Group(Group::Backup) => &self.backup,
        };
        let mut avoided = None;
        for &(_, server) in set {
            if load.full(server) {
                continue;
            }
            if Some(server) != avoid {
                return Some(server);
            }
            avoided = avoid;
        }
        avoided
    }
}
