//! What there is besides services.

use core::net::IpAddr;

/// How long connections are remembered, in whole seconds; 0 in a request: as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Open TCP connections.
    pub tcp: u32,
    /// TCP connections after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

/// Which end of connection synchronisation a daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncRole {
    /// It sends.
    Master,
    /// It receives.
    Backup,
}

/// A daemon of connection synchronisation. What is `None` is the kernel's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDaemon {
    /// Which end.
    pub role: SyncRole,
    /// The interface it sends or listens on.
    pub interface: String,
    /// Daemons with the same number belong together; a receiving one with 0 takes all.
    pub id: u8,
    /// The longest datagram, in bytes.
    pub max_length: Option<u16>,
    /// The multicast group; default 224.0.0.81.
    pub group: Option<IpAddr>,
    /// The UDP port; default 8848.
    pub port: Option<u16>,
    /// The time to live, 1–255; default 1.
    pub ttl: Option<u8>,
}

/// What is known of the implementation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Its version, for example 1, 2, 1.
    pub version: (u8, u8, u8),
    /// Buckets of the connection table.
    pub connection_table_size: u32,
}
