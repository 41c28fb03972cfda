//! Routes, rules and addresses that others may take away: what of the configuration is there, as the kernel tells it.
//!
//! What is static and lost is put back, and so are virtual routes and rules of a Master, like its addresses (which the core
//! guards). Of `track_group` and `track_src_ip` it is said whether all is there.

use crate::install::{Installer, Step, static_interface};
use ek_time::{Duration, Instant};
use keepalived_conf::model;
use netlink::Change;
use netlink::route::Route;
use netlink::rule::Rule;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use vrrp::{RouterId, TrackState};

/// A route or rule of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A place in `static_ipaddress`.
    StaticAddress(usize),
    /// A place in `static_routes`.
    StaticRoute(usize),
    /// A place in `static_rules`.
    StaticRule(usize),
    /// A place in `virtual_routes`.
    Route(RouterId, usize),
    /// A place in `virtual_rules`.
    Rule(RouterId, usize),
}

/// Again no sooner than this: a program that insists must not keep this one busy.
const AGAIN: Duration = Duration::from_secs(1);

/// What the kernel has said.
#[derive(Debug, Default)]
pub struct Presence {
    /// Addresses by the number of the interface they are on.
    addresses: HashSet<(u32, IpAddr)>,
    items: HashSet<Item>,
    restored: HashMap<Item, Instant>,
}

impl Presence {
    /// An address came or went.
    pub fn address(&mut self, link: u32, address: IpAddr, present: bool) {
        if present {
            self.addresses.insert((link, address));
        } else {
            self.addresses.remove(&(link, address));
        }
    }

    /// A route came or went; those of the configuration that it is.
    pub fn route(&mut self, installer: &Installer<'_>, change: Change, route: &Route) -> Vec<Item> {
        let model = &installer.plan.model;
        let fixed = model.static_routes.iter().enumerate().map(|(at, from)| (Item::StaticRoute(at), from));
        let moved = (0_u32..).zip(&model.instances).flat_map(|(router, instance)| {
            let routes = instance.routes.iter().enumerate();
            routes.map(move |(at, from)| (Item::Route(RouterId(router), at), from))
        });
        let same: Vec<_> = fixed
            .chain(moved)
            .filter(|(_, from)| installer.is_route(from, route))
            .map(|(item, _)| item)
            .collect();
        self.mark(&same, change);
        same
    }

    /// A rule came or went; those of the configuration that it is.
    pub fn rule(&mut self, installer: &Installer<'_>, change: Change, rule: &Rule) -> Vec<Item> {
        let model = &installer.plan.model;
        let fixed = model.static_rules.iter().enumerate().map(|(at, from)| (Item::StaticRule(at), from));
        let moved = (0_u32..).zip(&model.instances).flat_map(|(router, instance)| {
            let rules = instance.rules.iter().enumerate();
            rules.map(move |(at, from)| (Item::Rule(RouterId(router), at), from))
        });
        let same: Vec<_> = fixed
            .chain(moved)
            .filter(|(_, from)| Installer::is_rule(from, rule))
            .map(|(item, _)| item)
            .collect();
        self.mark(&same, change);
        same
    }

    fn mark(&mut self, items: &[Item], change: Change) {
        for item in items {
            if change == Change::Deleted {
                self.items.remove(item);
            } else {
                self.items.insert(*item);
            }
        }
    }

    /// The static addresses that an address on an interface is.
    pub fn static_addresses(installer: &Installer<'_>, link: u32, address: IpAddr) -> Vec<Item> {
        let model = &installer.plan.model;
        let addresses = model.static_addresses.iter().enumerate();
        addresses
            .filter(|(_, from)| from.prefix.address == address)
            .filter(|(_, from)| installer.index(static_interface(model, from)) == link)
            .map(|(at, _)| Item::StaticAddress(at))
            .collect()
    }

    /// It has been put back; the kernel will say so, too.
    pub fn is_back(&mut self, installer: &Installer<'_>, item: Item) {
        let model = &installer.plan.model;
        if let Item::StaticAddress(at) = item
            && let Some(from) = model.static_addresses.get(at)
        {
            self.addresses.insert((installer.index(static_interface(model, from)), from.prefix.address));
        } else {
            self.items.insert(item);
        }
    }

    /// What is to be done about a lost item; `Err`: not before then.
    pub fn restore(
        &mut self,
        installer: &Installer<'_>,
        item: Item,
        now: Instant,
    ) -> Result<Option<Step>, Instant> {
        let step = match item {
            Item::Route(router, at) => installer.restore_route(router, at),
            Item::Rule(router, at) => installer.restore_rule(router, at),
            Item::StaticAddress(at) => installer.static_address(at),
            Item::StaticRoute(at) => installer.static_route(at),
            Item::StaticRule(at) => installer.static_rule(at),
        };
        let Some(step) = step else { return Ok(None) };
        if self.items.contains(&item) {
            return Ok(None);
        }
        if let Item::StaticAddress(at) = item
            && let Some(from) = installer.plan.model.static_addresses.get(at)
        {
            let link = installer.index(static_interface(&installer.plan.model, from));
            if self.addresses.contains(&(link, from.prefix.address)) {
                return Ok(None);
            }
        }
        if let Some(last) = self.restored.get(&item)
            && *last + AGAIN > now
        {
            return Err(*last + AGAIN);
        }
        self.restored.insert(item, now);
        Ok(Some(step))
    }

    /// Whether all that a track group names is there, and the interfaces are up.
    pub fn track_group(&self, installer: &Installer<'_>, group: &str) -> TrackState {
        let model = &installer.plan.model;
        let named = |name: Option<&model::Name>| name.is_some_and(|name| name.text == group);
        let up = |name: &str| {
            let interface =
                installer.interfaces.by_name(name).and_then(|link| installer.interfaces.get(link));
            interface.is_some_and(|interface| interface.usable)
        };
        if !tracked_interfaces(model, named).into_iter().all(up) {
            return TrackState::Down;
        }
        let addresses =
            model.static_addresses.iter().filter(|address| named(address.track_group.as_deref())).all(
                |address| {
                    let link = installer.index(static_interface(model, address));
                    self.addresses.contains(&(link, address.prefix.address))
                },
            );
        let routes = model.static_routes.iter().enumerate();
        let mut routes = routes
            .filter(|(_, route)| named(route.track_group.as_ref()))
            .map(|(at, _)| Item::StaticRoute(at));
        let rules = model.static_rules.iter().enumerate();
        let mut rules =
            rules.filter(|(_, rule)| named(rule.track_group.as_ref())).map(|(at, _)| Item::StaticRule(at));
        let there = |item: Item| self.items.contains(&item);
        if addresses && routes.all(there) && rules.all(there) { TrackState::Up } else { TrackState::Down }
    }

    /// Whether an address is on an interface, or anywhere.
    pub fn has_address(&self, link: Option<u32>, address: IpAddr) -> TrackState {
        let there = match link {
            Some(link) => self.addresses.contains(&(link, address)),
            None => self.addresses.iter().any(|(_, known)| *known == address),
        };
        if there { TrackState::Up } else { TrackState::Down }
    }
}

/// The interfaces of static addresses, routes and rules whose track group is wanted.
pub fn tracked_interfaces(model: &model::Config, wanted: impl Fn(Option<&model::Name>) -> bool) -> Vec<&str> {
    let addresses = model.static_addresses.iter().filter(|address| wanted(address.track_group.as_deref()));
    let addresses = addresses.map(|address| static_interface(model, address));
    let routes = model.static_routes.iter().filter(|route| wanted(route.track_group.as_ref()));
    let routes = routes
        .flat_map(|route| route.hops.iter().chain([&route.hop]))
        .filter_map(|hop| hop.interface.as_ref());
    let rules = model.static_rules.iter().filter(|rule| wanted(rule.track_group.as_ref()));
    let rules = rules.filter_map(|rule| rule.input_interface.as_ref());
    addresses.chain(routes.chain(rules).map(|name| name.text.as_str())).collect()
}
