//! The host's interfaces as the virtual routers see them.

use netlink::link::Link;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrp::{LinkChange, LinkId};

/// An interface that the configuration names; it need not exist.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index; 0 while it does not exist.
    pub index: u32,
    /// Its hardware address, if it is Ethernet's.
    pub mac: Option<[u8; 6]>,
    /// What the kernel says of it.
    pub link: Option<Link>,
    /// Up and running, as far as that counts (delays applied).
    pub usable: bool,
    /// Its addresses, in the kernel's order, without secondary ones.
    pub addresses: Vec<IpAddr>,
    /// Of a virtual MAC's interface: the one below, whose addresses are sent from.
    pub base: Option<LinkId>,
}

impl Interface {
    /// One that is not known to exist.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// All interfaces that the configuration names, by [`LinkId`].
#[derive(Clone, Debug, Default)]
pub struct Interfaces {
    list: Vec<Interface>,
    /// Addresses that this process puts on interfaces: never sent from, unless nothing else is there to choose.
    virtual_addresses: Vec<IpAddr>,
}

impl Interfaces {
    /// Interfaces of these names.
    pub fn new(list: Vec<Interface>, virtual_addresses: Vec<IpAddr>) -> Self {
        Self { list, virtual_addresses }
    }

    /// Those of a link.
    pub fn get(&self, link: LinkId) -> Option<&Interface> {
        self.list.get(link.index())
    }

    /// Each with its id.
    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Interface)> {
        self.list.iter().enumerate().map(|(position, interface)| (LinkId(position as u32), interface))
    }

    /// The one of an index.
    pub fn by_index(&self, index: u32) -> Option<LinkId> {
        if index == 0 {
            return None;
        }
        self.iter().find(|(_, interface)| interface.index == index).map(|(link, _)| link)
    }

    /// The one of a name.
    pub fn by_name(&self, name: &str) -> Option<LinkId> {
        self.iter().find(|(_, interface)| interface.name == name).map(|(link, _)| link)
    }

    /// The index of a link; 0 while it does not exist.
    pub fn index(&self, link: LinkId) -> u32 {
        self.get(link).map_or(0, |interface| interface.index)
    }

    /// Whose addresses a link's packets carry: its own, or those of the interface below.
    fn with_addresses(&self, link: LinkId) -> Option<&Interface> {
        let interface = self.get(link)?;
        interface.base.and_then(|base| self.get(base)).or(Some(interface))
    }

    /// The IPv4 address that a link's adverts carry.
    pub fn source_v4(&self, link: LinkId) -> Option<Ipv4Addr> {
        self.with_addresses(link)?.addresses.iter().find_map(|address| match address {
            IpAddr::V4(v4) if !self.virtual_addresses.contains(address) => Some(*v4),
            _ => None,
        })
    }

    /// The IPv6 address that a link's adverts carry: link-local.
    pub fn source_v6(&self, link: LinkId) -> Option<Ipv6Addr> {
        self.with_addresses(link)?.addresses.iter().find_map(|address| match address {
            IpAddr::V6(v6)
                if v6.segments().first().is_some_and(|first| first & 0xffc0 == 0xfe80)
                    && !self.virtual_addresses.contains(address) =>
            {
                Some(*v6)
            }
            _ => None,
        })
    }

    /// The core's view of them.
    pub fn core_link(&self, link: LinkId, pace: Option<vrrp::PaceId>) -> vrrp::Link {
        let interface = self.get(link);
        vrrp::Link {
            name: interface.map_or("", |interface| interface.name.as_str()).into(),
            up: interface.is_some_and(|interface| interface.usable),
            source_v4: self.source_v4(link),
            source_v6: self.source_v6(link),
            virtual_mac: interface.is_some_and(|interface| interface.base.is_some()),
            pace,
        }
    }

    fn edit(&mut self, link: LinkId, f: impl FnOnce(&mut Interface)) {
        if let Some(interface) = self.list.get_mut(link.index()) {
            f(interface);
        }
    }

    /// Takes news of a link; returns which it is, and whether it is usable now as far as the kernel knows.
    pub fn update_link(&mut self, link: &Link) -> Option<(LinkId, bool)> {
        let id = match self.by_index(link.index) {
            // Renamed: it is no longer the one of the configuration.
            Some(id) if self.get(id).is_some_and(|interface| interface.name != link.name) => {
                self.remove_link(link.index);
                self.by_name(&link.name)?
            }
            Some(id) => id,
            None => self.by_name(&link.name)?,
        };
        let usable = link.is_usable();
        self.edit(id, |interface| {
            if interface.index != link.index {
                interface.addresses.clear();
            }
            interface.index = link.index;
            interface.mac = link.address.ethernet();
            interface.link = Some(link.clone());
        });
        Some((id, usable))
    }

    /// A link is gone.
    pub fn remove_link(&mut self, index: u32) -> Option<LinkId> {
        let id = self.by_index(index)?;
        self.edit(id, |interface| {
            interface.index = 0;
            interface.mac = None;
            interface.link = None;
            interface.addresses.clear();
        });
        Some(id)
    }

    /// Whether a link counts as usable from now on; true: that is new.
    pub fn set_usable(&mut self, link: LinkId, usable: bool) -> bool {
        let mut changed = false;
        self.edit(link, |interface| changed = std::mem::replace(&mut interface.usable, usable) != usable);
        changed
    }

    /// An address came or went.
    pub fn update_address(&mut self, link: LinkId, address: IpAddr, secondary: bool, present: bool) {
        self.edit(link, |interface| {
            let at = interface.addresses.iter().position(|known| *known == address);
            match (at, present && !secondary) {
                (None, true) => interface.addresses.push(address),
                (Some(at), false) => drop(interface.addresses.remove(at)),
                _ => {}
            }
        });
    }

    /// What the core has to be told of a link's addresses: of itself, and of those above that send from them.
    pub fn sources(&self, link: LinkId) -> Vec<(LinkId, LinkChange)> {
        self.iter()
            .filter(|(id, interface)| *id == link || interface.base == Some(link))
            .flat_map(|(id, _)| {
                [
                    (id, LinkChange::SourceV4(self.source_v4(id))),
                    (id, LinkChange::SourceV6(self.source_v6(id))),
                ]
            })
            .collect()
    }
}
