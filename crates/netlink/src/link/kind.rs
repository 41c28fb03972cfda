//! Kinds of virtual links, and their modes.

/// A macvlan's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacvlanMode {
    /// Never talks to the others on the same link; what keepalived's VMACs are.
    Private,
    /// Talks to them by way of the switch.
    Vepa,
    /// Talks to them directly.
    Bridge,
    /// Takes the whole link.
    Passthru,
    /// By source address.
    Source,
}

impl MacvlanMode {
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Private => 1,
            Self::Vepa => 2,
            Self::Bridge => 4,
            Self::Passthru => 8,
            Self::Source => 16,
        }
    }

    pub(super) fn from_number(number: u32) -> Option<Self> {
        [Self::Private, Self::Vepa, Self::Bridge, Self::Passthru, Self::Source]
            .into_iter()
            .find(|mode| mode.number() == number)
    }
}

/// An ipvlan's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpvlanMode {
    /// As a bridge; what keepalived makes.
    L2,
    /// As a router.
    L3,
    /// As a router, with connection tracking.
    L3s,
}

impl IpvlanMode {
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::L2 => 0,
            Self::L3 => 1,
            Self::L3s => 2,
        }
    }

    pub(super) fn from_number(number: u16) -> Option<Self> {
        [Self::L2, Self::L3, Self::L3s].into_iter().find(|mode| mode.number() == number)
    }
}

/// How a link gets its IPv6 link-local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressGeneration {
    /// From the hardware address.
    Eui64,
    /// It gets none; RFC 9568 section 7.4 wants it of virtual MACs.
    None,
    /// Stable and private, from a secret that is set (RFC 7217).
    StablePrivacy,
    /// The same, from a secret made up at boot.
    Random,
}

impl AddressGeneration {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Eui64 => 0,
            Self::None => 1,
            Self::StablePrivacy => 2,
            Self::Random => 3,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Eui64, Self::None, Self::StablePrivacy, Self::Random]
            .into_iter()
            .find(|mode| mode.number() == number)
    }
}

/// What kind of virtual link it is, with what matters of its settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// macvlan; the mode when it is known here.
    Macvlan(Option<MacvlanMode>),
    /// ipvlan.
    Ipvlan(Option<IpvlanMode>),
    /// A VRF with its routing table.
    Vrf(u32),
    /// Any other, by the kernel's name (`veth`, `bridge`, `bond`, `vlan` …).
    Other(String),
}

impl LinkKind {
    /// The kernel's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Macvlan(_) => "macvlan",
            Self::Ipvlan(_) => "ipvlan",
            Self::Vrf(_) => "vrf",
            Self::Other(name) => name,
        }
    }
}
