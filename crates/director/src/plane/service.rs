//! Virtual services.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use wire::Family;

/// The protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Its number in IP headers.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The protocol of a number in IP headers.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            132 => Some(Self::Sctp),
            _ => None,
        }
    }

    /// Its name as log lines and FIFOs have it: `tcp`, `udp`, `sctp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// What the kernel finds a service by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// Where packets go.
    Address {
        /// Their protocol.
        protocol: Protocol,
        /// Their destination.
        address: IpAddr,
        /// Their destination port; 0: every port that no other service has.
        port: u16,
    },
    /// The firewall mark they carry.
    Mark {
        /// The family of the packets.
        family: Family,
        /// The mark, not 0.
        mark: u32,
    },
}

impl ServiceKey {
    /// The family of the packets.
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(address),
            Self::Mark { family, .. } => *family,
        }
    }
}

impl fmt::Display for ServiceKey {
    /// As keepalived writes them: `[10.0.0.1]:tcp:80`, `FWM 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => write!(f, "[{address}]:{}:{port}", protocol.name()),
            Self::Mark { mark, .. } => write!(f, "FWM {mark}"),
        }
    }
}

/// How a service chooses a destination for a new connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheduler {
    /// `rr`.
    RoundRobin,
    /// `wrr`.
    WeightedRoundRobin,
    /// `lc`.
    LeastConnection,
    /// `wlc`.
    WeightedLeastConnection,
    /// `lblc`.
    LocalityLeastConnection,
    /// `lblcr`.
    LocalityLeastConnectionReplicated,
    /// `dh`.
    DestinationHash,
    /// `sh`.
    SourceHash,
    /// `mh`.
    MaglevHash,
    /// `sed`.
    ShortestExpectedDelay,
    /// `nq`.
    NeverQueue,
    /// `fo`.
    Failover,
    /// `ovf`.
    Overflow,
    /// `twos`.
    TwoChoices,
    /// One of another module, by its name of at most 15 bytes.
    Other(String),
}

impl Scheduler {
    /// Those with a variant of their own, by the kernel's name.
    pub const ALL: [(&'static str, Self); 14] = [
        ("rr", Self::RoundRobin),
        ("wrr", Self::WeightedRoundRobin),
        ("lc", Self::LeastConnection),
        ("wlc", Self::WeightedLeastConnection),
        ("lblc", Self::LocalityLeastConnection),
        ("lblcr", Self::LocalityLeastConnectionReplicated),
        ("dh", Self::DestinationHash),
        ("sh", Self::SourceHash),
        ("mh", Self::MaglevHash),
        ("sed", Self::ShortestExpectedDelay),
        ("nq", Self::NeverQueue),
        ("fo", Self::Failover),
        ("ovf", Self::Overflow),
        ("twos", Self::TwoChoices),
    ];

    /// The scheduler of a name.
    pub fn from_name(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|(one, _)| *one == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, scheduler)| scheduler)
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => Self::ALL.iter().find(|(_, one)| one == known).map_or("", |(name, _)| name),
        }
    }
}

/// Flags of a service. Persistence is not among them (see [`Service::persistence`]), nor is the kernel's own `HASHED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags {
    /// `ops`: each packet is scheduled alone (UDP).
    pub one_packet: bool,
    /// `flag-1`: of sh and mh, `fallback`.
    pub flag_1: bool,
    /// `flag-2`: of sh and mh, `port`.
    pub flag_2: bool,
    /// `flag-3`.
    pub flag_3: bool,
}

/// Which clients count as one to persistence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// Those with the same bits under a mask (IPv4).
    Netmask(Ipv4Addr),
    /// Those with the same leading bits, 1–128 (IPv6).
    Prefix(u8),
}

impl Granularity {
    /// Each client for itself.
    pub const fn single(family: Family) -> Self {
        match family {
            Family::V4 => Self::Netmask(Ipv4Addr::BROADCAST),
            Family::V6 => Self::Prefix(128),
        }
    }
}

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// What it is found by.
    pub key: ServiceKey,
    /// How it chooses.
    pub scheduler: Scheduler,
    /// Its flags.
    pub flags: Flags,
    /// For how many seconds a client stays with its destination; `None`: it is not persistent.
    pub persistence: Option<u32>,
    /// Which clients are one to persistence. The kernel keeps a value even without persistence.
    pub granularity: Granularity,
    /// The persistence engine (`sip`).
    pub engine: Option<String>,
}

impl Service {
    /// A service with nothing special about it.
    pub fn new(key: ServiceKey, scheduler: Scheduler) -> Self {
        Self {
            key,
            scheduler,
            flags: Flags::default(),
            persistence: None,
            granularity: Granularity::single(key.family()),
            engine: None,
        }
    }
}
