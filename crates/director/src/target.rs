//! What a virtual server stands for in the kernel, and its names.

use crate::config::{GroupEntry, RealServer, SorryServer, Target, VirtualServer};
use crate::plane::{Destination, Forwarding, Granularity, Protocol, Service, ServiceKey};
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// No group entry stands for more addresses.
const MAX_RANGE: usize = 65536;

impl VirtualServer {
    /// The kernel services it stands for: addresses first, then marks.
    pub fn keys(&self) -> Vec<ServiceKey> {
        let protocol = self.protocol.unwrap_or(Protocol::Tcp);
        match &self.target {
            Target::Address { address, port } => {
                vec![ServiceKey::Address { protocol, address: *address, port: *port }]
            }
            Target::Mark(mark) => vec![ServiceKey::Mark { family: self.family, mark: *mark }],
            Target::Group { entries, .. } => {
                let mut keys = Vec::new();
                for entry in entries {
                    if matches!(entry, GroupEntry::Addresses { .. }) {
                        keys.extend(self.entry_keys(entry));
                    }
                }
                for entry in entries {
                    if matches!(entry, GroupEntry::Mark { .. }) {
                        keys.extend(self.entry_keys(entry));
                    }
                }
                let mut seen = std::collections::HashSet::new();
                keys.retain(|key| seen.insert(*key));
                keys
            }
        }
    }

    /// Those of one entry of its group.
    pub(crate) fn entry_keys(&self, entry: &GroupEntry) -> Vec<ServiceKey> {
        let protocol = self.protocol.unwrap_or(Protocol::Tcp);
        match *entry {
            GroupEntry::Addresses { first, last, port } => addresses(first, last)
                .map(|address| ServiceKey::Address { protocol, address, port })
                .collect(),
            GroupEntry::Mark { mark, family } => {
                vec![ServiceKey::Mark { family: family.unwrap_or(self.family), mark }]
            }
        }
    }

    /// The service of one of its keys.
    pub fn service(&self, key: ServiceKey) -> Service {
        // keepalived gives a group's services no granularity.
        let granularity = match self.target {
            Target::Group { .. } => None,
            _ => self.granularity.filter(|_| self.persistence.is_some()),
        };
        Service {
            key,
            scheduler: self.scheduler.clone(),
            flags: self.flags,
            persistence: self.persistence,
            granularity: granularity.unwrap_or(Granularity::single(key.family())),
            engine: self.engine.clone().filter(|_| self.persistence.is_some()),
        }
    }

    /// Whether an address is one of those it stands for.
    pub(crate) fn covers(&self, wanted: IpAddr) -> bool {
        match &self.target {
            Target::Address { address, .. } => *address == wanted,
            Target::Mark(_) => false,
            Target::Group { entries, .. } => entries.iter().any(|entry| match entry {
                GroupEntry::Addresses { first, last, .. } => {
                    first.is_ipv4() == wanted.is_ipv4() && *first <= wanted && wanted <= *last
                }
                GroupEntry::Mark { .. } => false,
            }),
        }
    }

    /// Its name in log lines; `member` is its place among the virtual servers of its group.
    pub(crate) fn name(&self, member: usize) -> String {
        match &self.target {
            Target::Address { address, port } => {
                format!("[{address}]:{}:{port}", protocol_name(self.protocol))
            }
            Target::Mark(mark) => format!("FWM {mark}"),
            Target::Group { name, .. } => format!("[{name}]:{member}"),
        }
    }

    /// A server's name in its log lines.
    pub(crate) fn server_name(&self, address: IpAddr, port: u16) -> String {
        format!("[{address}]:{}:{port}", protocol_name(self.protocol))
    }

    /// What a group's entry is called when it comes.
    pub(crate) fn added_entry(&self, entry: &GroupEntry) -> String {
        match entry {
            GroupEntry::Mark { mark, .. } => format!("FWM {mark}"),
            addresses @ GroupEntry::Addresses { .. } => self.gone_entry(addresses),
        }
    }

    /// What it is called when it goes.
    pub(crate) fn gone_entry(&self, entry: &GroupEntry) -> String {
        match entry {
            GroupEntry::Mark { mark, .. } => mark.to_string(),
            GroupEntry::Addresses { first, last, port } => {
                let mut text = self.server_name(*first, *port);
                if first != last {
                    let _ = write!(text, "-{last}");
                }
                text
            }
        }
    }
}

fn protocol_name(protocol: Option<Protocol>) -> &'static str {
    protocol.map_or("none", Protocol::name)
}

fn addresses(first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
    let (from, to, v4) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            (u128::from(u32::from(first)), u128::from(u32::from(last)), true)
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => (u128::from(first), u128::from(last), false),
        // Families that do not match: the first alone.
        (IpAddr::V4(first), _) => (u128::from(u32::from(first)), u128::from(u32::from(first)), true),
        (IpAddr::V6(first), _) => (u128::from(first), u128::from(first), false),
    };
    (from..=to).take(MAX_RANGE).map(move |number| {
        if v4 {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)))
        } else {
            IpAddr::V6(Ipv6Addr::from(number))
        }
    })
}

/// What a server's destinations are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    address: IpAddr,
    port: u16,
    forwarding: Forwarding,
    upper: u32,
    lower: u32,
}

impl Shape {
    /// The destination in a service. With anything but NAT packets reach a server with the port they have.
    pub(crate) fn destination(&self, key: &ServiceKey, weight: u32) -> Destination {
        let port = match (self.forwarding, key) {
            (Forwarding::Nat, _) => self.port,
            (_, ServiceKey::Address { port, .. }) => *port,
            (_, ServiceKey::Mark { .. }) => 0,
        };
        Destination {
            upper_threshold: self.upper,
            lower_threshold: self.lower,
            ..Destination::new(self.address, port, self.forwarding, weight)
        }
    }
}

impl RealServer {
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            address: self.address,
            port: self.port,
            forwarding: self.forwarding,
            upper: self.upper_threshold,
            lower: self.lower_threshold,
        }
    }

    /// The destination it is in a service.
    pub fn destination(&self, key: &ServiceKey, weight: u32) -> Destination {
        self.shape().destination(key, weight)
    }
}

impl SorryServer {
    pub(crate) fn shape(&self) -> Shape {
        Shape { address: self.address, port: self.port, forwarding: self.forwarding, upper: 0, lower: 0 }
    }

    /// The destination it is in a service.
    pub fn destination(&self, key: &ServiceKey, weight: u32) -> Destination {
        self.shape().destination(key, weight)
    }
}
