//! Addresses that are put on interfaces.

use super::{Family, Name, Place, Prefix};
use std::net::IpAddr;

/// Where an address is valid, as `ip address … scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(pub u8);

impl Scope {
    /// `global`.
    pub const GLOBAL: Self = Self(0);
    /// `site`.
    pub const SITE: Self = Self(200);
    /// `link`.
    pub const LINK: Self = Self(253);
    /// `host`.
    pub const HOST: Self = Self(254);
    /// `nowhere`.
    pub const NOWHERE: Self = Self(255);
}

/// `brd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// That address.
    Address(std::net::Ipv4Addr),
    /// `+`: the network with all host bits set.
    HostBitsSet,
    /// `-`: the network with all host bits cleared.
    HostBitsClear,
}

/// `preferred_lft`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PreferredLifetime {
    /// `forever`.
    Forever,
    /// Seconds; 0: deprecated from the start.
    Seconds(u32),
}

/// Flags of an address, as of `ip address`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressFlags {
    /// `home`: an IPv6 home address (RFC 6275).
    pub home: bool,
    /// `-nodad` or `nodad`: no duplicate address detection. keepalived sets it on every IPv6 VIP; that is the role's to do.
    pub nodad: bool,
    /// `mngtmpaddr`.
    pub mngtmpaddr: bool,
    /// `noprefixroute`.
    pub noprefixroute: bool,
    /// `autojoin`: joins the multicast group on the interface.
    pub autojoin: bool,
}

/// A line of `virtual_ipaddress`, `virtual_ipaddress_excluded` or `static_ipaddress`.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// The address and its mask; without a mask /32 or /128.
    pub prefix: Prefix,
    /// Whether the mask was written.
    pub mask_written: bool,
    /// `dev`; `None`: the instance's interface (or its VMAC), for static addresses `default_interface`.
    pub interface: Option<Box<Name>>,
    /// `use_vmac` on the address: a VMAC of its own on `interface`.
    pub use_vmac: Option<Box<AddressVmac>>,
    /// `peer`.
    pub peer: Option<Prefix>,
    /// `brd`; IPv4 only.
    pub broadcast: Option<Broadcast>,
    /// `scope`; `None`: the kernel's or the file's default, which for keepalived is global.
    pub scope: Option<Scope>,
    /// `label`; IPv4 only, at most 15 characters.
    pub label: Option<String>,
    /// `preferred_lft`; `None`: forever, but 0 for an IPv6 address of 128 bits.
    pub preferred_lifetime: Option<PreferredLifetime>,
    /// Flags.
    pub flags: AddressFlags,
    /// `no_track`: its loss changes nothing. Virtual addresses only.
    pub no_track: bool,
    /// `track_group`: the instances of this group fail when it is lost. Static addresses only.
    pub track_group: Option<Box<Name>>,
    /// Where.
    pub place: Place,
}

impl Address {
    /// An address with nothing else said.
    pub fn new(address: IpAddr, length: u8) -> Self {
        Self {
            prefix: Prefix { address, length },
            mask_written: true,
            interface: None,
            use_vmac: None,
            peer: None,
            broadcast: None,
            scope: None,
            label: None,
            preferred_lifetime: None,
            flags: AddressFlags::default(),
            no_track: false,
            track_group: None,
            place: None,
        }
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.prefix.address)
    }
}

/// `use_vmac [NAME] [MAC]` on an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressVmac {
    /// The name of the interface; `None`: made from `vmac_addr_prefix`.
    pub name: Option<String>,
    /// Its address; `None`: the RFC's, from the VRID and family.
    pub mac: Option<[u8; 6]>,
}
