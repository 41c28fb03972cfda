//! What is counted.

use super::{DestinationKey, ServiceKey};
use std::collections::BTreeMap;

/// Totals since the service or destination was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients; only what passes the director (NAT).
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}

/// The same per second, as the kernel estimates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Connections.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}

/// Of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationStatistics {
    /// Totals.
    pub counters: Counters,
    /// Per second.
    pub rates: Rates,
    /// Connections that are open.
    pub active: u32,
    /// Connections that are remembered but not open.
    pub inactive: u32,
    /// Clients that persistence holds.
    pub persistent: u32,
}

/// Of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceStatistics {
    /// Totals.
    pub counters: Counters,
    /// Per second.
    pub rates: Rates,
    /// Of its destinations.
    pub destinations: BTreeMap<DestinationKey, DestinationStatistics>,
}

/// Of all services.
pub type Statistics = BTreeMap<ServiceKey, ServiceStatistics>;
