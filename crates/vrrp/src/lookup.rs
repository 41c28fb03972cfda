//! Which virtual router a packet is for: by interface, IP version and VRID, hashed.

use crate::config::{Config, Mode, VirtualRouter};
use crate::ids::{LinkId, RouterId};
use core::hash::{BuildHasherDefault, Hasher};
use core::net::IpAddr;
use std::collections::HashMap;
use wire::Family;

/// Virtual routers by what packets say.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    first: HashMap<u64, RouterId, BuildHasherDefault<Mix>>,
    /// Of each router, the next one with the same key: several may share interface and VRID when their adverts have
    /// different destinations.
    next: Vec<Option<RouterId>>,
}

impl Lookup {
    pub(crate) fn new(config: &Config) -> Self {
        let mut lookup = Self { next: vec![None; config.routers.len()], ..Self::default() };
        for (position, router) in config.routers.iter().enumerate().rev() {
            let id = RouterId::at(position);
            let before = lookup.first.insert(key(router.link, router.family, router.vrid), id);
            if let Some(next) = lookup.next.get_mut(position) {
                *next = before;
            }
        }
        lookup
    }

    /// The router for a packet: the one whose adverts have this destination; else any with this interface and VRID, which
    /// will say what is wrong; else the same among those without an interface.
    pub(crate) fn find(
        &self,
        config: &Config,
        link: Option<LinkId>,
        vrid: u8,
        destination: IpAddr,
    ) -> Option<RouterId> {
        let family = Family::of(&destination);
        let of = |link| {
            let first = self.first.get(&key(link, family, vrid)).copied()?;
            let mut candidate = Some(first);
            while let Some(id) = candidate {
                let router = config.routers.get(id.index())?;
                if listens(config, router, destination) {
                    return Some(id);
                }
                candidate = self.next.get(id.index()).copied().flatten();
            }
            Some(first)
        };
        of(link).or_else(|| link.and_then(|_| of(None)))
    }
}

/// Whether a router's socket would get packets for this destination.
fn listens(config: &Config, router: &VirtualRouter, destination: IpAddr) -> bool {
    match &router.mode {
        Mode::Unicast(_) => router.source.map_or(!destination.is_multicast(), |source| source == destination),
        Mode::Group(group) => *group == destination,
        Mode::Multicast => match router.family {
            Family::V4 => destination == IpAddr::V4(config.settings.group_v4),
            Family::V6 => destination == IpAddr::V6(config.settings.group_v6),
        },
    }
}

fn key(link: Option<LinkId>, family: Family, vrid: u8) -> u64 {
    let link = link.map_or(0, |link| u64::from(link.0) + 1);
    link << 16 | u64::from(family == Family::V6) << 8 | u64::from(vrid)
}

/// A multiplicative hash: the keys are ours but for the VRID, so that nobody can make many collide.
#[derive(Default)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}
