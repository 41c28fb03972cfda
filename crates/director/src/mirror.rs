//! What the kernel's table holds, as far as is known, and who wants what in it.
//!
//! Several virtual servers may stand for one kernel service (two of one group and protocol, or of one mark). Each holds the
//! service and its own destinations in it; what nobody holds any more leaves. What nobody has ever held was there before,
//! is not configured, and stays.

use crate::plane::{Change, Destination, DestinationKey, Entry, Service, ServiceKey, Table};
use std::collections::{BTreeMap, HashMap};

/// Who wants something: a virtual, real, sorry or draining server, each with a number of its own that a reload keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holder(pub(crate) u32);

/// The kernel's table and who holds what.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    services: BTreeMap<ServiceKey, Held>,
}

#[derive(Debug)]
struct Held {
    service: Service,
    holders: Vec<Holder>,
    destinations: HashMap<DestinationKey, Place>,
}

/// A destination in the table. Nobody holds one that is foreign.
#[derive(Debug)]
struct Place {
    now: Destination,
    /// The last one's wish is fulfilled.
    wishes: Vec<(Holder, Destination)>,
}

impl Mirror {
    /// Begins anew with what the kernel has.
    pub(crate) fn of(table: &Table) -> Self {
        let held = |entry: &Entry| Held {
            service: entry.service.clone(),
            holders: Vec::new(),
            destinations: entry
                .destinations
                .iter()
                .map(|one| (one.key, Place { now: *one, wishes: Vec::new() }))
                .collect(),
        };
        Self { services: table.iter().map(|(key, entry)| (*key, held(entry))).collect() }
    }

    /// Forgets everything: the table was flushed.
    pub(crate) fn clear(&mut self) {
        self.services.clear();
    }

    /// Whether the service is in the table.
    pub(crate) fn has(&self, key: &ServiceKey) -> bool {
        self.services.contains_key(key)
    }

    /// Whether several virtual servers stand for the service.
    pub(crate) fn is_shared(&self, key: &ServiceKey) -> bool {
        self.services.get(key).is_some_and(|held| held.holders.len() > 1)
    }

    /// A destination that is in the table and that nobody holds.
    pub(crate) fn is_foreign(&self, key: &ServiceKey, destination: &DestinationKey) -> bool {
        self.services
            .get(key)
            .and_then(|held| held.destinations.get(destination))
            .is_some_and(|place| place.wishes.is_empty())
    }

    /// How many destinations of a service somebody holds, and how many nobody.
    pub(crate) fn count(&self, key: &ServiceKey) -> (usize, usize) {
        let Some(held) = self.services.get(key) else { return (0, 0) };
        let foreign = held.destinations.values().filter(|place| place.wishes.is_empty()).count();
        (held.destinations.len() - foreign, foreign)
    }

    /// `holder` wants the service. Of several that want it differently, the first has its way.
    pub(crate) fn hold_service(&mut self, holder: Holder, service: Service) -> Option<Change> {
        let Some(held) = self.services.get_mut(&service.key) else {
            let held = Held { service: service.clone(), holders: vec![holder], destinations: HashMap::new() };
            self.services.insert(service.key, held);
            return Some(Change::AddService(service));
        };
        if !held.holders.contains(&holder) {
            held.holders.push(holder);
        }
        if held.holders.first() == Some(&holder) && held.service != service {
            held.service = service.clone();
            return Some(Change::EditService(service));
        }
        None
    }

    /// `holder` wants it no more. Its destinations are to be released before.
    pub(crate) fn release_service(&mut self, holder: Holder, key: &ServiceKey) -> Option<Change> {
        let held = self.services.get_mut(key)?;
        let before = held.holders.len();
        held.holders.retain(|one| *one != holder);
        if held.holders.is_empty() && before > 0 {
            self.services.remove(key);
            return Some(Change::RemoveService(*key));
        }
        None
    }

    /// `holder` wants the destination so.
    pub(crate) fn hold(&mut self, holder: Holder, key: &ServiceKey, wish: Destination) -> Option<Change> {
        let held = self.services.get_mut(key)?;
        let Some(place) = held.destinations.get_mut(&wish.key) else {
            held.destinations.insert(wish.key, Place { now: wish, wishes: vec![(holder, wish)] });
            return Some(Change::AddDestination(*key, wish));
        };
        if place.wishes.contains(&(holder, wish)) {
            return None;
        }
        place.wishes.retain(|(one, _)| *one != holder);
        place.wishes.push((holder, wish));
        place.settle(key)
    }

    /// `holder` does not want the destination.
    pub(crate) fn release(
        &mut self,
        holder: Holder,
        key: &ServiceKey,
        destination: &DestinationKey,
    ) -> Option<Change> {
        let held = self.services.get_mut(key)?;
        let place = held.destinations.get_mut(destination)?;
        let before = place.wishes.len();
        place.wishes.retain(|(one, _)| *one != holder);
        if place.wishes.len() == before {
            return None;
        }
        if place.wishes.is_empty() {
            held.destinations.remove(destination);
            return Some(Change::RemoveDestination(*key, *destination));
        }
        place.settle(key)
    }

    /// Takes away a destination that nobody holds.
    pub(crate) fn remove_foreign(
        &mut self,
        key: &ServiceKey,
        destination: &DestinationKey,
    ) -> Option<Change> {
        if !self.is_foreign(key, destination) {
            return None;
        }
        self.services.get_mut(key)?.destinations.remove(destination);
        Some(Change::RemoveDestination(*key, *destination))
    }

    /// What is to change in `table`, which the kernel has, to make it what this says. Services and destinations that
    /// nobody holds are not missed, and new ones are taken in.
    pub(crate) fn repair(&mut self, table: &Table) -> Vec<Change> {
        let mut changes = Vec::new();
        self.services.retain(|key, held| !held.holders.is_empty() || table.contains_key(key));
        for (key, held) in &mut self.services {
            let there = table.get(key);
            match there {
                None => changes.push(Change::AddService(held.service.clone())),
                Some(entry) if entry.service != held.service => {
                    if held.holders.is_empty() {
                        held.service = entry.service.clone();
                    } else {
                        changes.push(Change::EditService(held.service.clone()));
                    }
                }
                Some(_) => {}
            }
            held.destinations.retain(|one, place| {
                !place.wishes.is_empty() || there.is_some_and(|e| e.destination(one).is_some())
            });
            let mut ours: Vec<&Place> = held.destinations.values().collect();
            ours.sort_by_key(|place| place.now.key);
            for place in ours.into_iter().filter(|place| !place.wishes.is_empty()) {
                match there.and_then(|entry| entry.destination(&place.now.key)) {
                    None => changes.push(Change::AddDestination(*key, place.now)),
                    Some(one) if *one != place.now => changes.push(Change::EditDestination(*key, place.now)),
                    Some(_) => {}
                }
            }
        }
        for (key, held) in Self::of(table).services {
            let mine = self.services.entry(key).or_insert(Held {
                service: held.service,
                holders: Vec::new(),
                destinations: HashMap::new(),
            });
            for (one, place) in held.destinations {
                mine.destinations.entry(one).or_insert(place);
            }
        }
        changes
    }
}

impl Place {
    /// Makes the last wish true.
    fn settle(&mut self, key: &ServiceKey) -> Option<Change> {
        let (_, wish) = self.wishes.last()?;
        if *wish == self.now {
            return None;
        }
        self.now = *wish;
        Some(Change::EditDestination(*key, *wish))
    }
}
