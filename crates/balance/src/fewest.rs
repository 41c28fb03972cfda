//! `leastconn`: the server with the fewest connections relative to its weight.

use crate::balancer::Load;
use crate::group::{EFFECTIVE_MAX, Group, Roster, Usable};
use crate::queue::{Place, Queue};

/// Servers sorted by load; a server whose load changed goes behind its equals, so that idle ones take turns.
#[derive(Clone, Debug)]
pub(crate) struct Fewest {
    active: Queue,
    backup: Queue,
    places: Vec<Option<Place>>,
    served: Vec<u32>,
}

/// One connection more than it has, relative to the weight: what picking it would make of it. Idle servers are equal
/// whatever their weight, so that under little load not only the heaviest one works.
fn key(served: u32, weight: u32) -> u64 {
    if served == 0 {
        0
    } else {
        (u64::from(served) + 1) * u64::from(EFFECTIVE_MAX) / u64::from(weight.max(1))
    }
}

impl Fewest {
    pub(crate) fn new(roster: &Roster) -> Self {
        let mut fewest = Self {
            active: Queue::default(),
            backup: Queue::default(),
            places: vec![None; roster.len()],
            served: vec![0; roster.len()],
        };
        for server in (0..roster.len()).filter(|&server| roster.usable(server)) {
            fewest.enter(roster, server);
        }
        fewest
    }

    fn queue(&mut self, group: Group) -> &mut Queue {
        match group {
            Group::Active => &mut self.active,
            Group::Backup => &mut self.backup,
        }
    }

    pub(crate) fn enter(&mut self, roster: &Roster, server: usize) {
        let served = self.served.get(server).copied().unwrap_or(0);
        let place = self.queue(roster.group(server)).insert(key(served, roster.effective(server)), server);
        if let Some(slot) = self.places.get_mut(server) {
            *slot = Some(place);
        }
    }

    pub(crate) fn leave(&mut self, roster: &Roster, server: usize) {
        if let Some(place) = self.places.get_mut(server).and_then(Option::take) {
            self.queue(roster.group(server)).remove(place);
        }
    }

    pub(crate) fn reweigh(&mut self, roster: &Roster, server: usize) {
        self.leave(roster, server);
        self.enter(roster, server);
    }

    pub(crate) fn served_changed(&mut self, roster: &Roster, server: usize, served: u32) {
        if let Some(slot) = self.served.get_mut(server) {
            *slot = served;
        }
        let Some(place) = self.places.get(server).copied().flatten() else { return };
        if place.key != key(served, roster.effective(server)) {
            self.reweigh(roster, server);
        }
    }

    pub(crate) fn pick(&self, roster: &Roster, load: &dyn Load, avoid: Option<usize>) -> Option<usize> {
        let queue = match roster.working() {
            Usable::Nobody => return None,
            Usable::Sole(server) => return Some(server),
            Usable::Group(Group::Active) => &self.active,
            Usable::Group(Group::Backup) => &self.backup,
        };
        let mut avoided = None;
        for place in queue.iter() {
            if load.queue_full(place.server) {
                continue;
            }
            if Some(place.server) != avoid {
                return Some(place.server);
            }
            avoided = avoid;
        }
        avoided
    }
}
