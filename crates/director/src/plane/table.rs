//! A whole table.

use super::{Destination, DestinationKey, Service, ServiceKey};
use std::collections::BTreeMap;

/// A service and its destinations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service.
    pub service: Service,
    /// Its destinations in the order in which schedulers walk them: the kernel puts a new one first.
    pub destinations: Vec<Destination>,
}

impl Entry {
    /// The destination of a key.
    pub fn destination(&self, key: &DestinationKey) -> Option<&Destination> {
        self.destinations.iter().find(|one| one.key == *key)
    }
}

/// All services.
pub type Table = BTreeMap<ServiceKey, Entry>;
