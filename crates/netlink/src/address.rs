//! Addresses of links.

use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;
use crate::operation::{Operation, Protocol, nothing};
use crate::prefix::{Family, Prefix};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

/// Flags of an address (`IFA_F_…`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AddressFlags(pub u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident $constant:ident = $bit:literal;)*) => {
        impl AddressFlags {
            $($(#[$doc])* pub const $constant: Self = Self($bit);)*
            $($(#[$doc])* pub fn $name(self) -> bool { self.0 & $bit != 0 })*
        }
        impl fmt::Debug for AddressFlags {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut set = f.debug_set();
                $(if self.$name() { set.entry(&format_args!("{}", stringify!($name))); })*
                set.finish()
            }
        }
    };
}

flags! {
    /// Another address of the same subnet came first (IPv4), or it is temporary (IPv6).
    secondary SECONDARY = 0x01;
    /// `nodad`: usable without asking whether somebody else has it.
    no_dad NO_DAD = 0x02;
    /// Usable while that is being asked.
    optimistic OPTIMISTIC = 0x04;
    /// Somebody else has it.
    dad_failed DAD_FAILED = 0x08;
    /// `home`: a home address of Mobile IPv6.
    home HOME = 0x10;
    /// Not to be used for new connections.
    deprecated DEPRECATED = 0x20;
    /// Not yet known to be unique.
    tentative TENTATIVE = 0x40;
    /// It has no end.
    permanent PERMANENT = 0x80;
    /// `mngtmpaddr`: temporary addresses are made from it.
    manage_temporary MANAGE_TEMPORARY = 0x100;
    /// `noprefixroute`: no route to its subnet was made.
    no_prefix_route NO_PREFIX_ROUTE = 0x200;
    /// `autojoin`: a multicast address that is joined.
    auto_join AUTO_JOIN = 0x400;
    /// Made by RFC 7217.
    stable_privacy STABLE_PRIVACY = 0x800;
}

impl std::ops::BitOr for AddressFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for AddressFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// How far an address or route is valid (`/etc/iproute2/rt_scopes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(pub u8);

impl Scope {
    /// Everywhere.
    pub const GLOBAL: Self = Self(0);
    /// Within the site (IPv6, obsolete).
    pub const SITE: Self = Self(200);
    /// On the link.
    pub const LINK: Self = Self(253);
    /// In this host.
    pub const HOST: Self = Self(254);
    /// Nowhere.
    pub const NOWHERE: Self = Self(255);
}

impl Default for Scope {
    fn default() -> Self {
        Self::GLOBAL
    }
}

/// An address of a link: what is to be added, and what the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link's index.
    pub link: u32,
    /// The address and the length of its subnet; with a `peer`, the length is the peer's.
    pub local: Prefix,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The broadcast address (IPv4).
    pub broadcast: Option<Ipv4Addr>,
    /// IPv4: up to 15 bytes, beginning with the link's name. When adding, `None` stands for that name.
    pub label: Option<String>,
    /// How far it is valid. IPv6 derives it from the address.
    pub scope: Scope,
    /// Flags; those that the kernel sets itself are ignored when adding.
    pub flags: AddressFlags,
    /// Seconds for which it is preferred; `None`: forever. 0 deprecates it (IPv6).
    pub preferred: Option<u32>,
    /// Seconds for which it is valid; `None`: forever.
    pub valid: Option<u32>,
    /// The metric of its subnet's route, when not the usual one.
    pub metric: Option<u32>,
    /// Who made it (`/etc/iproute2/rt_addrprotos`); kernels before 5.18 do not keep it.
    pub protocol: Option<u8>,
}

impl Address {
    /// A plain address on a link.
    pub fn new(link: u32, local: Prefix) -> Self {
        Self {
            link,
            local,
            peer: None,
            broadcast: None,
            label: None,
            scope: Scope::GLOBAL,
            flags: AddressFlags::default(),
            preferred: None,
            valid: None,
            metric: None,
            protocol: None,
        }
    }

    /// The broadcast address that follows from the subnet (`brd +`): all host bits set.
    pub fn derived_broadcast(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.local.address else { return None };
        let host = u32::MAX.checked_shr(u32::from(self.local.length)).unwrap_or(0);
        Some(Ipv4Addr::from(u32::from(address) | host))
    }

    /// Whether this is the same address as far as the kernel tells addresses apart: link, address, length of the subnet, and
    /// peer.
    pub fn is_same(&self, other: &Self) -> bool {
        self.link == other.link && self.local == other.local && self.peer == other.peer
    }

    /// Reads the payload of RTM_NEWADDR or RTM_DELADDR; `None` for families other than IP.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&[family, length, flags, scope, i0, i1, i2, i3], attributes)) =
            payload.split_first_chunk::<8>()
        else {
            return Err(Malformed("an address message is too short"));
        };
        let Some(family) = Family::from_number(family) else { return Ok(None) };
        if length > family.bits() {
            return Err(Malformed("an address has a longer prefix than bits"));
        }
        let mut address = Self::new(u32::from_ne_bytes([i0, i1, i2, i3]), Prefix::all(family));
        address.scope = Scope(scope);
        address.flags = AddressFlags(flags.into());
        let (mut local, mut other) = (None, None);
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            match attribute.kind {
                IFA_LOCAL => local = Some(attribute.ip()?),
                IFA_ADDRESS => other = Some(attribute.ip()?),
                IFA_BROADCAST => {
                    if let IpAddr::V4(v4) = attribute.ip()? {
                        address.broadcast = Some(v4);
                    }
                }
                IFA_LABEL => address.label = Some(attribute.text()),
                IFA_FLAGS => address.flags = AddressFlags(attribute.u32()?),
                IFA_CACHEINFO => {
                    let Some(&[p0, p1, p2, p3, v0, v1, v2, v3]) = attribute.payload.first_chunk::<8>() else {
                        return Err(Malformed("an address's lifetimes are cut"));
                    };
                    let finite = |seconds: u32| (seconds != u32::MAX).then_some(seconds);
                    address.preferred = finite(u32::from_ne_bytes([p0, p1, p2, p3]));
                    address.valid = finite(u32::from_ne_bytes([v0, v1, v2, v3]));
                }
                IFA_RT_PRIORITY => address.metric = Some(attribute.u32()?),
                IFA_PROTO => address.protocol = Some(attribute.u8()?),
                _ => {}
            }
        }
        // IFA_ADDRESS is the peer where there is one, else the address itself; IFA_LOCAL may then be missing (IPv6).
        let local = local.or(other).ok_or(Malformed("an address message without address"))?;
        if Family::of(local) != family {
            return Err(Malformed("an address of another family than its message"));
        }
        address.local = Prefix::new(local, length);
        address.peer = other.filter(|other| *other != local);
        Ok(Some(address))
    }

    fn encode(&self) -> Writer {
        let mut body = Writer::new();
        let flags = self.flags.0.to_ne_bytes();
        let low = if cfg!(target_endian = "little") { flags.first() } else { flags.last() };
        body.fixed(&[
            self.local.family().number(),
            self.local.length,
            low.copied().unwrap_or(0),
            self.scope.0,
        ]);
        body.fixed(&self.link.to_ne_bytes());
        body.ip(IFA_LOCAL, self.local.address);
        body.ip(IFA_ADDRESS, self.peer.unwrap_or(self.local.address));
        if let Some(broadcast) = self.broadcast {
            body.ip(IFA_BROADCAST, broadcast.into());
        }
        if let Some(label) = &self.label {
            body.text(IFA_LABEL, label);
        }
        if self.flags.0 > 0xff {
            body.u32(IFA_FLAGS, self.flags.0);
        }
        if self.preferred.is_some() || self.valid.is_some() {
            let mut lifetimes = Vec::with_capacity(16);
            for seconds in [self.preferred, self.valid] {
                lifetimes.extend_from_slice(&seconds.unwrap_or(u32::MAX).to_ne_bytes());
            }
            lifetimes.extend_from_slice(&[0; 8]);
            body.bytes(IFA_CACHEINFO, &lifetimes);
        }
        if let Some(metric) = self.metric {
            body.u32(IFA_RT_PRIORITY, metric);
        }
        if let Some(protocol) = self.protocol {
            body.u8(IFA_PROTO, protocol);
        }
        body
    }

    fn wrong(&self) -> Option<String> {
        if self.local.length > self.local.family().bits() {
            return Some(format!("{}: the prefix is longer than the address", self.local));
        }
        if self.peer.is_some_and(|peer| Family::of(peer) != self.local.family()) {
            return Some(format!("{}: the peer is of another family", self.local));
        }
        if self.label.as_ref().is_some_and(|label| label.len() >= libc::IFNAMSIZ) {
            return Some(format!("{}: the label is longer than 15 bytes", self.local));
        }
        None
    }
}

/// All addresses of the namespace, or of one family.
pub fn list(family: Option<Family>) -> Operation<Vec<Address>> {
    Operation::new(Protocol::Route, "listing addresses", take).message(
        libc::RTM_GETADDR,
        libc::NLM_F_DUMP as u16,
        list_body(family),
    )
}

pub(crate) fn list_body(family: Option<Family>) -> Writer {
    let mut body = Writer::new();
    body.fixed(&[family.map_or(0, Family::number), 0, 0, 0, 0, 0, 0, 0]);
    body
}

fn take(addresses: &mut Vec<Address>, kind: u16, payload: &[u8]) -> Result<(), Malformed> {
    if kind == libc::RTM_NEWADDR {
        addresses.extend(Address::decode(payload)?);
    }
    Ok(())
}

fn send(what: &'static str, kind: u16, flags: i32, address: &Address) -> Operation<()> {
    Operation::new(Protocol::Route, what, nothing)
        .message(kind, (libc::NLM_F_ACK | flags) as u16, address.encode())
        .refuse(address.wrong())
}

/// Adds an address; fails when the link has it already.
pub fn add(address: &Address) -> Operation<()> {
    send("adding an address", libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, address)
}

/// Adds an address, or changes what can be changed of one that is there (lifetimes, flags, metric).
pub fn replace(address: &Address) -> Operation<()> {
    send("adding an address", libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, address)
}

/// Removes an address: that of the same link, address, prefix length, peer and (if given) label.
pub fn delete(address: &Address) -> Operation<()> {
    send("removing an address", libc::RTM_DELADDR, 0, address)
}
