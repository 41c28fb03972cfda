//! Virtual and real servers.

use super::{Checker, Family, Name, Place, Script};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// `SSL`: what `SSL_GET` presents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssl {
    /// `password`.
    pub password: Option<String>,
    /// `ca`.
    pub ca: Option<PathBuf>,
    /// `certificate`.
    pub certificate: Option<PathBuf>,
    /// `key`.
    pub key: Option<PathBuf>,
}

/// `protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// `lb_algo` or `lvs_sched`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheduler {
    /// `rr`.
    RoundRobin,
    /// `wrr`.
    WeightedRoundRobin,
    /// `lc`.
    LeastConnection,
    /// `wlc`; what keepalived takes when none, or an unknown one, is named.
    #[default]
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
}

impl Scheduler {
    /// Those keepalived 2.2 and later know, by name.
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

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("wlc", |(name, _)| name)
    }
}

/// Checksums of a GUE or GRE tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TunnelChecksum {
    /// `nocsum`.
    #[default]
    None,
    /// `csum`.
    Checksum,
    /// `remcsum`; GUE only.
    Remote,
}

/// `TUN` and what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tunnel {
    /// `type ipip`.
    #[default]
    IpIp,
    /// `type gue port N`.
    Gue {
        /// The port.
        port: u16,
        /// Checksums.
        checksum: TunnelChecksum,
    },
    /// `type gre`.
    Gre {
        /// Checksums.
        checksum: TunnelChecksum,
    },
}

/// `lb_kind` or `lvs_method`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Forwarding {
    /// `NAT`.
    #[default]
    Nat,
    /// `DR`.
    DirectRouting,
    /// `TUN`.
    Tunnel(Tunnel),
}

/// A line of `virtual_server_group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEntry {
    /// Addresses `first` to `last`, both included.
    Addresses {
        /// The first.
        first: IpAddr,
        /// The last; the same as the first for a single one.
        last: IpAddr,
        /// The port; 0: all.
        port: u16,
        /// Where.
        place: Place,
    },
    /// `fwmark N [inet|inet6]`.
    Mark {
        /// The mark.
        mark: u32,
        /// Its family, when said.
        family: Option<Family>,
        /// Where.
        place: Place,
    },
}

/// `virtual_server_group`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualServerGroup {
    /// Its name.
    pub name: Name,
    /// What is in it; at least one.
    pub entries: Vec<GroupEntry>,
}

/// What a virtual server stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// `virtual_server IP [PORT]`; port 0: all, with persistence only.
    Address {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// `virtual_server fwmark N`.
    Mark(u32),
    /// `virtual_server group NAME`.
    Group {
        /// The group's name.
        name: Name,
        /// The how-manyth virtual server of the group it is, from 0: keepalived's lines show it in place of a port.
        member: u16,
    },
}

/// `persistence_timeout` and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persistence {
    /// `persistence_timeout`; 360 s when said without a value. At least 1 s, at most 31 days.
    pub timeout: Duration,
    /// `persistence_granularity` of IPv4.
    pub netmask: Option<Ipv4Addr>,
    /// `persistence_granularity` of IPv6, 1–128.
    pub prefix_length: Option<u8>,
    /// `persistence_engine`.
    pub engine: Option<String>,
}

/// Flags of a scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SchedulerFlags {
    /// `hashed`.
    pub hashed: bool,
    /// `ops`.
    pub one_packet: bool,
    /// `flag-1`, `sh-fallback` or `mh-fallback`.
    pub flag_1: bool,
    /// `flag-2`, `sh-port` or `mh-port`.
    pub flag_2: bool,
    /// `flag-3`.
    pub flag_3: bool,
}

/// `sorry_server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SorryServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// `sorry_server_inhibit`.
    pub inhibit: bool,
    /// `sorry_server_lvs_method`, else the virtual server's.
    pub forwarding: Forwarding,
    /// Where.
    pub place: Place,
}

/// `virtual_server`.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualServer {
    /// What it stands for.
    pub service: Service,
    /// Its family: of its address, its group, its servers, or `ip_family`; IPv4 when nothing says.
    pub family: Family,
    /// `protocol`; UDP when not said, `None` for marks.
    pub protocol: Option<Protocol>,
    /// `lb_algo`.
    pub scheduler: Scheduler,
    /// Its flags.
    pub flags: SchedulerFlags,
    /// `lb_kind`.
    pub forwarding: Forwarding,
    /// `persistence_timeout`.
    pub persistence: Option<Persistence>,
    /// `delay_loop`; default 60 s.
    pub delay_loop: Duration,
    /// `quorum`, at least 1; default 1.
    pub quorum: u32,
    /// `hysteresis`; default 0, less than the quorum.
    pub hysteresis: u32,
    /// `quorum_up`.
    pub quorum_up: Option<Script>,
    /// `quorum_down`.
    pub quorum_down: Option<Script>,
    /// `alpha`: servers are down until checked.
    pub alpha: bool,
    /// `omega`: down notifiers run on stop.
    pub omega: bool,
    /// `ha_suspend`: no checks while the address is not here.
    pub ha_suspend: bool,
    /// `virtualhost`.
    pub virtual_host: Option<String>,
    /// `smtp_alert`; `None`: global.
    pub smtp_alert: Option<bool>,
    /// `snmp_name`.
    pub snmp_name: Option<String>,
    /// `sorry_server`.
    pub sorry_server: Option<SorryServer>,
    /// `real_server`, without those that keepalived drops.
    pub real_servers: Vec<RealServer>,
    /// Where the block begins.
    pub place: Place,
}

/// `real_server`, what it inherits applied.
#[derive(Clone, Debug, PartialEq)]
pub struct RealServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0: that of the connection.
    pub port: u16,
    /// `weight`, 0–65535; default 1.
    pub weight: u16,
    /// `lvs_method`.
    pub forwarding: Forwarding,
    /// `uthreshold`; 0: none.
    pub upper_threshold: u32,
    /// `lthreshold`; 0: three quarters of the upper one.
    pub lower_threshold: u32,
    /// `slow_start`: when it returns, its weight grows to the whole in this time; zero: at once.
    pub slow_start: Duration,
    /// `drain`: when it is removed, it goes on with its connections for at most this long; zero: not.
    pub drain: Duration,
    /// `inhibit_on_failure`: weight 0 instead of leaving.
    pub inhibit_on_failure: bool,
    /// `notify_up`.
    pub notify_up: Option<Script>,
    /// `notify_down`.
    pub notify_down: Option<Script>,
    /// `smtp_alert`; `None`: global.
    pub smtp_alert: Option<bool>,
    /// `virtualhost`.
    pub virtual_host: Option<String>,
    /// `snmp_name`.
    pub snmp_name: Option<String>,
    /// Its checkers; all must pass.
    pub checkers: Vec<Checker>,
    /// Where the block begins.
    pub place: Place,
}
