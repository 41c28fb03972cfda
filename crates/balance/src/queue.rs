//! An ordered queue of servers: lowest key first, and first come first served among equals.

use std::collections::BTreeSet;

/// A place in a [`Queue`]; needed to take the server out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) key: u64,
    /// Order of arrival.
    turn: u64,
    pub(crate) server: usize,
}

/// Servers sorted by key and then by arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    places: BTreeSet<Place>,
    arrivals: u64,
}

impl Queue {
    /// Puts `server` behind all others of the same `key`.
    pub(crate) fn insert(&mut self, key: u64, server: usize) -> Place {
        self.arrivals = self.arrivals.wrapping_add(1);
        let place = Place { key, turn: self.arrivals, server };
        self.places.insert(place);
        place
    }

    /// Takes a server out.
    pub(crate) fn remove(&mut self, place: Place) {
        self.places.remove(&place);
    }

    /// The server whose turn it is.
    pub(crate) fn first(&self) -> Option<Place> {
        self.places.first().copied()
    }

    /// All servers in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        self.places.iter().copied()
    }
}
