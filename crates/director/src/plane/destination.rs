//! Real servers in the table.

use core::fmt;
use core::net::IpAddr;

/// What a destination is found by within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0: that of the connection.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    /// `10.0.0.1:80`, `[2001:db8::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// Checksums of a GUE or GRE tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelChecksum {
    /// None.
    #[default]
    None,
    /// Over the whole packet.
    Full,
    /// Remote checksum offload; GUE only.
    Remote,
}

/// How packets are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// IP in IP.
    #[default]
    IpIp,
    /// Generic UDP encapsulation.
    Gue {
        /// The destination's UDP port.
        port: u16,
        /// Checksums.
        checksum: TunnelChecksum,
    },
    /// GRE.
    Gre {
        /// Checksums; `Remote` is not possible.
        checksum: TunnelChecksum,
    },
}

/// How packets reach a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    /// Addresses are rewritten both ways.
    #[default]
    Nat,
    /// To its MAC address, unchanged.
    DirectRouting,
    /// Wrapped.
    Tunnel(Tunnel),
    /// To this host itself; only seen in tables of old kernels.
    Local,
    /// Around IPVS, for transparent proxies; only seen in tables.
    Bypass,
}

/// A destination of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// What it is found by.
    pub key: DestinationKey,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its weight, 0–2147483647; 0: no new connections.
    pub weight: u32,
    /// From this many connections on it gets no new ones; 0: no limit.
    pub upper_threshold: u32,
    /// Below this many it gets new ones again; 0: three quarters of the upper threshold.
    pub lower_threshold: u32,
}

impl Destination {
    /// A destination without thresholds.
    pub const fn new(address: IpAddr, port: u16, forwarding: Forwarding, weight: u32) -> Self {
        Self {
            key: DestinationKey { address, port },
            forwarding,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }
}
