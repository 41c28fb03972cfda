//! What can be changed.

use super::{Destination, DestinationKey, Service, ServiceKey};

/// One change of the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A service that is not there.
    AddService(Service),
    /// Everything of a service but its key.
    EditService(Service),
    /// A service, with its destinations.
    RemoveService(ServiceKey),
    /// A destination that is not there.
    AddDestination(ServiceKey, Destination),
    /// Everything of a destination but its key.
    EditDestination(ServiceKey, Destination),
    /// A destination; its connections go on as long as the kernel remembers them.
    RemoveDestination(ServiceKey, DestinationKey),
}

impl Change {
    /// The service that is changed, or in which something is.
    pub const fn service(&self) -> &ServiceKey {
        match self {
            Self::AddService(service) | Self::EditService(service) => &service.key,
            Self::RemoveService(key)
            | Self::AddDestination(key, _)
            | Self::EditDestination(key, _)
            | Self::RemoveDestination(key, _) => key,
        }
    }

    /// The destination that is changed.
    pub const fn destination(&self) -> Option<&DestinationKey> {
        match self {
            Self::AddDestination(_, destination) | Self::EditDestination(_, destination) => {
                Some(&destination.key)
            }
            Self::RemoveDestination(_, key) => Some(key),
            Self::AddService(_) | Self::EditService(_) | Self::RemoveService(_) => None,
        }
    }
}
