//! Routes, rules and addresses that others may take away: what of the configuration is there, as the kernel tells it.
//!
//! Virtual routes and rules of a Master that are lost are put back, like its addresses (which the core guards). Of
//! `track_group` and `track_src_ip` it is said whether all is there.

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

    /// An interface went down: the kernel has dropped the routes through it, and says nothing of it.
    pub fn link_down(&mut self, model: &model::Config, name: &str) {
        let through = |route: &model::Route| {
            let mut hops = route.hops.iter().chain([&route.hop]);
            hops.any(|hop| hop.interface.as_ref().is_some_and(|interface| interface.text == name))
        };
        self.items.retain(|item| match item {
            Item::StaticRoute(at) => model.static_routes.get(*at).is_none_or(|route| !through(route)),
            _ => true,
        });
    }

    /// Places in another configuration mean something else.
    pub fn forget_items(&mut self) {
        self.items.clear();
        self.restored.clear();
    }

    /// What is to be done about a lost item of a Master; `Err`: not before then.
    pub fn restore(
        &mut self,
        installer: &Installer<'_>,
        item: Item,
        now: Instant,
    ) -> Result<Option<Step>, Instant> {
        let step = match item {
            Item::Route(router, at) => installer.restore_route(router, at),
            Item::Rule(router, at) => installer.restore_rule(router, at),
            Item::StaticRoute(_) | Item::StaticRule(_) => None,
        };
        let Some(step) = step else { return Ok(None) };
        if self.items.contains(&item) {
            return Ok(None);
        }
        if let Some(last) = self.restored.get(&item)
            && *last + AGAIN > now
        {
            return Err(*last + AGAIN);
        }
        self.restored.insert(item, now);
        Ok(Some(step))
    }

    /// Whether all that a track group names is there.
    pub fn track_group(&self, installer: &Installer<'_>, group: &str) -> TrackState {
        let model = &installer.plan.model;
        let named = |name: &Option<model::Name>| name.as_ref().is_some_and(|name| name.text == group);
        let addresses =
            model.static_addresses.iter().filter(|address| named(&address.track_group)).all(|address| {
                let link = installer.index(static_interface(model, address));
                self.addresses.contains(&(link, address.prefix.address))
            });
        let routes = model.static_routes.iter().enumerate();
        let mut routes =
            routes.filter(|(_, route)| named(&route.track_group)).map(|(at, _)| Item::StaticRoute(at));
        let rules = model.static_rules.iter().enumerate();
        let mut rules =
            rules.filter(|(_, rule)| named(&rule.track_group)).map(|(at, _)| Item::StaticRule(at));
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
