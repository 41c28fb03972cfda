//! Addresses, routes and rules of the configuration as requests to the kernel.

use crate::interfaces::Interfaces;
use crate::lower::Plan;
use keepalived_conf::model;
use netlink::OnLink;
use netlink::address::{self, Address, AddressFlags};
use netlink::route::{self, Encapsulation, Metric, NextHop, Placement, Preference, Route, RouteKind};
use netlink::rule::{self, Action, Rule};
use netlink::{Operation, Prefix};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrp::{LinkId, RouterId};

/// Who made routes and rules: `keepalived` in `/etc/iproute2/rt_protos`.
const PROTOCOL: u8 = 18;

/// What is to be done, and what it is about for the log.
#[derive(Debug)]
pub struct Step {
    /// The request.
    pub operation: Operation<()>,
    /// For the log: `address 10.0.0.1/24 dev eth0`.
    pub what: String,
}

fn prefix(from: model::Prefix) -> Prefix {
    Prefix::new(from.address, from.length)
}

fn family(family: model::Family) -> netlink::Family {
    match family {
        model::Family::V4 => netlink::Family::V4,
        model::Family::V6 => netlink::Family::V6,
    }
}

/// An address on the interface of an index.
pub fn address(from: &model::Address, link: u32, is_virtual: bool) -> Address {
    let mut to = Address::new(link, prefix(from.prefix));
    to.peer = from.peer.map(|peer| peer.address);
    if let Some(peer) = from.peer {
        to.local.length = peer.length;
    }
    to.broadcast = match from.broadcast {
        Some(model::Broadcast::Address(address)) => Some(address),
        Some(model::Broadcast::HostBitsSet) => to.derived_broadcast(),
        Some(model::Broadcast::HostBitsClear) => match from.prefix.address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(u32::from(from.prefix.length)).unwrap_or(0);
                Some((v4.to_bits() & !host).into())
            }
            IpAddr::V6(_) => None,
        },
        None => None,
    };
    to.label.clone_from(&from.label);
    to.scope = netlink::address::Scope(from.scope.map_or(0, |scope| scope.0));
    let v6 = from.prefix.address.is_ipv6();
    let mut flags = 0;
    for (wanted, flag) in [
        // A virtual address is where it is because nobody else has it: asking would delay it.
        (from.flags.nodad || (v6 && is_virtual), AddressFlags::NO_DAD),
        (from.flags.home, AddressFlags::HOME),
        (from.flags.mngtmpaddr, AddressFlags::MANAGE_TEMPORARY),
        (from.flags.noprefixroute, AddressFlags::NO_PREFIX_ROUTE),
        (from.flags.autojoin, AddressFlags::AUTO_JOIN),
    ] {
        if wanted {
            flags |= flag.0;
        }
    }
    to.flags = AddressFlags(flags);
    to.preferred = match from.preferred_lifetime {
        Some(model::PreferredLifetime::Forever) => None,
        Some(model::PreferredLifetime::Seconds(seconds)) => Some(seconds),
        // Not to be chosen as the source of this host's own connections.
        None if v6 && from.prefix.length == 128 => Some(0),
        None => None,
    };
    to
}

fn metrics(from: &model::Metrics) -> netlink::route::Metrics {
    let mut to = netlink::route::Metrics::default();
    let pairs = [
        (Metric::Mtu, from.mtu),
        (Metric::HopLimit, from.hoplimit),
        (Metric::AdvertisedMss, from.advmss),
        (Metric::Rtt, from.rtt),
        (Metric::RttVar, from.rttvar),
        (Metric::Reordering, from.reordering),
        (Metric::Window, from.window),
        (Metric::CongestionWindow, from.cwnd),
        (Metric::SlowStartThreshold, from.ssthresh),
        (Metric::MinimumTimeout, from.rto_min),
        (Metric::InitialWindow, from.initcwnd),
        (Metric::InitialReceiveWindow, from.initrwnd),
    ];
    for (metric, value) in pairs {
        match value {
            Some(value) if value.locked => drop(to.lock(metric, value.value)),
            Some(value) => drop(to.set(metric, value.value)),
            None => {}
        }
    }
    if let Some(on) = from.quickack {
        to.set(Metric::QuickAck, u32::from(on));
    }
    if from.ecn {
        to.set(Metric::Features, 1);
    }
    if let Some(on) = from.fastopen_no_cookie {
        to.set(Metric::FastOpenNoCookie, u32::from(on));
    }
    to
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

fn v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    }
}

fn encapsulation(from: &model::Encap) -> Encapsulation {
    match from {
        model::Encap::Mpls { labels } => Encapsulation::Mpls { labels: labels.clone(), ttl: None },
        model::Encap::Ip { family: model::Family::V4, id, destination, source, tos, ttl, flags } => {
            Encapsulation::Ip {
                id: *id,
                destination: destination.and_then(v4).unwrap_or(Ipv4Addr::UNSPECIFIED),
                source: source.and_then(v4),
                ttl: ttl.unwrap_or(0),
                tos: tos.unwrap_or(0),
                flags: flags.unwrap_or(0),
            }
        }
        model::Encap::Ip { id, destination, source, tos, ttl, flags, .. } => Encapsulation::Ip6 {
            id: *id,
            destination: destination.and_then(v6).unwrap_or(Ipv6Addr::UNSPECIFIED),
            source: source.and_then(v6),
            hop_limit: ttl.unwrap_or(0),
            traffic_class: tos.unwrap_or(0),
            flags: flags.unwrap_or(0),
        },
        model::Encap::Ila { locator } => Encapsulation::Ila { locator: *locator },
    }
}

/// A route; `index` finds interfaces by name (0: there is none), `default` is that of the instance.
fn to_route(from: &model::Route, index: &dyn Fn(&str) -> u32) -> Route {
    let mut to = Route::new(prefix(from.destination));
    to.kind = match from.kind {
        model::RouteType::Unicast | model::RouteType::Nat => RouteKind::Unicast,
        model::RouteType::Local => RouteKind::Local,
        model::RouteType::Broadcast => RouteKind::Broadcast,
        model::RouteType::Anycast => RouteKind::Anycast,
        model::RouteType::Multicast => RouteKind::Multicast,
        model::RouteType::Blackhole => RouteKind::Blackhole,
        model::RouteType::Unreachable => RouteKind::Unreachable,
        model::RouteType::Prohibit => RouteKind::Prohibit,
        model::RouteType::Throw => RouteKind::Throw,
    };
    to.source = from.source.map(prefix);
    let local = matches!(
        from.kind,
        model::RouteType::Local
            | model::RouteType::Broadcast
            | model::RouteType::Anycast
            | model::RouteType::Nat
    );
    to.table = from.table.unwrap_or(if local { route::LOCAL_TABLE } else { route::MAIN_TABLE });
    to.protocol = from.protocol.unwrap_or(PROTOCOL);
    to.scope = from.scope.map(|scope| netlink::address::Scope(scope.0));
    to.tos = from.tos;
    to.metric = from.metric;
    to.preferred_source = from.preferred_source;
    to.metrics = metrics(&from.metrics);
    to.preference = from.preference.map(|preference| match preference {
        model::RouterPreference::Low => Preference::Low,
        model::RouterPreference::Medium => Preference::Medium,
        model::RouterPreference::High => Preference::High,
    });
    to.expires = from.expires.map(|span| u32::try_from(span.as_secs()).unwrap_or(u32::MAX));
    to.ttl_propagate = from.ttl_propagate;
    let hop = |hop: &model::NextHop| {
        let mut way = NextHop::new(hop.interface.as_ref().map(|name| index(&name.text)), hop.gateway);
        way.on_link = hop.onlink;
        way.weight = hop.weight.max(1);
        way.realms = hop.realms;
        way.encapsulation = hop.encap.as_ref().map(encapsulation);
        way
    };
    to.realms = from.hop.realms;
    if from.hops.is_empty() {
        let mut way = hop(&from.hop);
        way.realms = None;
        if way.link.is_some() || way.via.is_some() {
            to.next_hops.push(way);
        }
        if let Some(other) = from.alternative_gateway {
            to.next_hops.push(NextHop::new(None, Some(other)));
        }
    } else {
        to.next_hops = from.hops.iter().map(hop).collect();
    }
    to
}

/// A rule.
fn to_rule(from: &model::Rule) -> Rule {
    let action = match from.action {
        model::RuleAction::Table(table) => Action::Table(table),
        model::RuleAction::Goto(preference) => Action::Goto(preference),
        model::RuleAction::Nop => Action::Nop,
        model::RuleAction::Blackhole => Action::Blackhole,
        model::RuleAction::Unreachable => Action::Unreachable,
        model::RuleAction::Prohibit => Action::Prohibit,
        model::RuleAction::L3mdev => Action::L3mdev,
    };
    let mut to = Rule::new(family(from.family), action);
    to.priority = from.preference;
    to.invert = from.invert;
    to.from = from.from.map(prefix);
    to.to = from.to.map(prefix);
    to.tos = from.tos;
    to.mark = from.fwmark.map(|(mark, _)| mark);
    to.mask = from.fwmark.map(|(_, mask)| mask);
    to.input = from.input_interface.as_ref().map(|name| name.text.clone());
    to.output = from.output_interface.as_ref().map(|name| name.text.clone());
    to.users.clone_from(&from.uid_range);
    to.ip_protocol = from.ip_protocol;
    to.source_ports.clone_from(&from.source_ports);
    to.destination_ports.clone_from(&from.destination_ports);
    to.tunnel = from.tunnel_id;
    to.realms = from.realms;
    to.suppress_prefix_length = from.suppress_prefix_length.map(u32::from);
    to.suppress_group = from.suppress_interface_group;
    to.protocol = Some(from.protocol.unwrap_or(PROTOCOL));
    to
}

/// The requests of one plan, with the interfaces as they are.
#[derive(Clone, Copy, Debug)]
pub struct Installer<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The interfaces.
    pub interfaces: &'a Interfaces,
}

/// The interface of a static address.
pub fn static_interface<'a>(model: &'a model::Config, address: &'a model::Address) -> &'a str {
    let default = model.global.default_interface.as_ref().map_or("eth0", |name| name.text.as_str());
    address.interface.as_ref().map_or(default, |name| name.text.as_str())
}

impl Installer<'_> {
    /// The number of an interface; 0 when there is none.
    pub fn index(&self, name: &str) -> u32 {
        match self.interfaces.by_name(name) {
            Some(link) => self.interfaces.index(link),
            None => nix::net::if_::if_nametoindex(name).unwrap_or(0),
        }
    }

    /// Addresses of a virtual router that have an interface to be on, advertised ones first, with their positions.
    fn addresses(&self, router: RouterId) -> Vec<(usize, LinkId, &model::Address, Address)> {
        let (Some(instance), Some(planned)) =
            (self.plan.instance(router), self.plan.routers.get(router.index()))
        else {
            return Vec::new();
        };
        instance
            .addresses
            .iter()
            .chain(&instance.excluded_addresses)
            .zip(&planned.addresses)
            .enumerate()
            .filter(|(_, (_, link))| self.interfaces.index(**link) != 0)
            .map(|(at, (from, link))| (at, *link, from, address(from, self.interfaces.index(*link), true)))
            .collect()
    }

    /// The addresses of a virtual router to which packets are not accepted, because it is not their owner.
    pub fn not_accepted(&self, router: RouterId) -> Vec<(IpAddr, Option<OnLink>)> {
        if self.plan.instance(router).is_none_or(|instance| instance.accept || instance.priority == 255) {
            return Vec::new();
        }
        self.addresses(router)
            .into_iter()
            .map(|(_, link, from, address)| {
                let address_ip = from.prefix.address;
                let link_local = matches!(address_ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
                let name = self.interfaces.get(link).map_or("", |interface| interface.name.as_str());
                let on = link_local.then(|| OnLink { index: address.link, name: name.to_owned() });
                (address_ip, on)
            })
            .collect()
    }

    fn shown(&self, address: &Address) -> String {
        format!("address {}", address.local)
    }

    /// Puts everything of a virtual router in place: addresses, routes, rules.
    pub fn install(&self, router: RouterId) -> Vec<Step> {
        let mut steps: Vec<_> = self
            .addresses(router)
            .into_iter()
            .map(|(_, _, _, address)| Step { operation: address::add(&address), what: self.shown(&address) })
            .collect();
        if let Some(instance) = self.plan.instance(router) {
            steps.extend(self.of_instance(instance));
        }
        steps
    }

    /// The routes and rules of a virtual router that are guarded.
    pub fn routes_and_rules(&self, router: RouterId) -> Vec<Step> {
        self.plan.instance(router).map(|instance| self.of_instance(instance).collect()).unwrap_or_default()
    }

    fn of_instance(&self, instance: &model::Instance) -> impl Iterator<Item = Step> {
        let routes = instance.routes.iter().map(|route| self.add_route(route));
        routes.chain(instance.rules.iter().map(Self::add_rule))
    }

    /// Takes it away, in the opposite order.
    pub fn withdraw(&self, router: RouterId) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(instance) = self.plan.instance(router) {
            steps.extend(instance.rules.iter().rev().map(Self::delete_rule));
            steps.extend(instance.routes.iter().rev().map(|route| self.delete_route(route)));
        }
        let addresses = self.addresses(router).into_iter().rev();
        steps.extend(addresses.map(|(_, _, _, address)| Step {
            operation: address::delete(&address),
            what: self.shown(&address),
        }));
        steps
    }

    /// Puts one address back.
    pub fn restore(&self, router: RouterId, position: usize) -> Option<Step> {
        let (_, _, _, address) = self.addresses(router).into_iter().find(|(at, ..)| *at == position)?;
        Some(Step { operation: address::add(&address), what: self.shown(&address) })
    }

    /// From what `old` has for a virtual router of the same name to what this plan has; touches nothing that is in both.
    pub fn adjust(&self, router: RouterId, old: &Installer<'_>, old_router: RouterId) -> Vec<Step> {
        let (has, wants) = (old.addresses(old_router), self.addresses(router));
        let mut steps: Vec<Step> = Vec::new();
        let routes = |installer: &Installer<'_>, id| {
            installer.plan.instance(id).map(|instance| instance.routes.clone()).unwrap_or_default()
        };
        let rules = |installer: &Installer<'_>, id| {
            installer.plan.instance(id).map(|instance| instance.rules.clone()).unwrap_or_default()
        };
        let (old_routes, new_routes) = (routes(old, old_router), routes(self, router));
        let (old_rules, new_rules) = (rules(old, old_router), rules(self, router));
        steps.extend(old_rules.iter().filter(|rule| !has_rule(&new_rules, rule)).map(Self::delete_rule));
        steps.extend(
            old_routes
                .iter()
                .filter(|route| !has_route(&new_routes, route))
                .map(|route| old.delete_route(route)),
        );
        for (_, _, _, address) in &has {
            if !wants.iter().any(|(_, _, _, wanted)| wanted == address) {
                steps.push(Step { operation: address::delete(address), what: self.shown(address) });
            }
        }
        for (_, _, _, address) in &wants {
            if !has.iter().any(|(_, _, _, had)| had == address) {
                steps.push(Step { operation: address::add(address), what: self.shown(address) });
            }
        }
        steps.extend(
            new_routes
                .iter()
                .filter(|route| !has_route(&old_routes, route))
                .map(|route| self.add_route(route)),
        );
        steps.extend(new_rules.iter().filter(|rule| !has_rule(&old_rules, rule)).map(Self::add_rule));
        steps
    }

    /// `static_ipaddress`, `static_routes`, `static_rules`: those that are not in `old`.
    pub fn add_static(&self, old: Option<&Installer<'_>>) -> Vec<Step> {
        let mut steps = Vec::new();
        let had = old.map(|old| old.static_addresses()).unwrap_or_default();
        for address in self.static_addresses() {
            if !had.contains(&address) {
                steps.push(Step { operation: address::add(&address), what: self.shown(&address) });
            }
        }
        let (routes, rules) = old.map_or((&[][..], &[][..]), |old| {
            (&old.plan.model.static_routes[..], &old.plan.model.static_rules[..])
        });
        let model = &self.plan.model;
        steps.extend(
            model
                .static_routes
                .iter()
                .filter(|route| !has_route(routes, route))
                .map(|route| self.add_route(route)),
        );
        steps.extend(model.static_rules.iter().filter(|rule| !has_rule(rules, rule)).map(Self::add_rule));
        steps
    }

    /// Static ones that are not in `new`, or all.
    pub fn remove_static(&self, new: Option<&Installer<'_>>) -> Vec<Step> {
        let mut steps = Vec::new();
        let (routes, rules) = new.map_or((&[][..], &[][..]), |new| {
            (&new.plan.model.static_routes[..], &new.plan.model.static_rules[..])
        });
        let model = &self.plan.model;
        steps.extend(model.static_rules.iter().filter(|rule| !has_rule(rules, rule)).map(Self::delete_rule));
        steps.extend(
            model
                .static_routes
                .iter()
                .filter(|route| !has_route(routes, route))
                .map(|route| self.delete_route(route)),
        );
        let wanted = new.map(|new| new.static_addresses()).unwrap_or_default();
        for address in self.static_addresses() {
            if !wanted.contains(&address) {
                steps.push(Step { operation: address::delete(&address), what: self.shown(&address) });
            }
        }
        steps
    }

    fn static_addresses(&self) -> Vec<Address> {
        let model = &self.plan.model;
        model
            .static_addresses
            .iter()
            .filter_map(|from| {
                let index = self.index(static_interface(model, from));
                (index != 0).then(|| address(from, index, false))
            })
            .collect()
    }

    /// Whether the kernel's route is one of the configuration.
    pub fn is_route(&self, from: &model::Route, route: &Route) -> bool {
        // Cheap first: hosts may have many routes.
        prefix(from.destination) == route.destination
            && to_route(from, &|name| self.index(name)).is_same(route)
    }

    /// Whether the kernel's rule is one of the configuration.
    pub fn is_rule(from: &model::Rule, rule: &Rule) -> bool {
        let own = to_rule(from);
        let real = |prefix: Option<Prefix>| prefix.filter(|prefix| prefix.length != 0);
        own.family == rule.family
            && own.priority == rule.priority
            && own.action == rule.action
            && own.invert == rule.invert
            && real(own.from) == real(rule.from)
            && real(own.to) == real(rule.to)
            && own.tos == rule.tos
            && own.mark.unwrap_or(0) == rule.mark.unwrap_or(0)
            && own.input == rule.input
            && own.output == rule.output
    }

    /// Puts a static address back.
    pub fn static_address(&self, position: usize) -> Option<Step> {
        let model = &self.plan.model;
        let from = model.static_addresses.get(position)?;
        let name = static_interface(model, from);
        let link = self.interfaces.by_name(name)?;
        let address = address(from, self.index(name), false);
        let shown = crate::dump::shown_address(from, link, self.interfaces, false);
        (address.link != 0)
            .then(|| Step { operation: address::add(&address), what: format!("address {shown}") })
    }

    /// Puts a static route back.
    pub fn static_route(&self, position: usize) -> Option<Step> {
        let route = self.plan.model.static_routes.get(position)?;
        Some(Step { what: format!("route {}", crate::dump::shown_route(route)), ..self.add_route(route) })
    }

    /// Puts a static rule back.
    pub fn static_rule(&self, position: usize) -> Option<Step> {
        let rule = self.plan.model.static_rules.get(position)?;
        Some(Step { what: format!("rule {}", crate::dump::shown_rule(rule)), ..Self::add_rule(rule) })
    }

    /// Puts one route back; `None` for one whose loss changes nothing.
    pub fn restore_route(&self, router: RouterId, position: usize) -> Option<Step> {
        let route = self.plan.instance(router)?.routes.get(position)?;
        (!route.no_track).then(|| self.add_route(route))
    }

    /// Puts one rule back; `None` for one whose loss changes nothing.
    pub fn restore_rule(&self, router: RouterId, position: usize) -> Option<Step> {
        let rule = self.plan.instance(router)?.rules.get(position)?;
        (!rule.no_track).then(|| Self::add_rule(rule))
    }

    fn add_route(&self, from: &model::Route) -> Step {
        let placement = if from.append { Placement::Last } else { Placement::First };
        let route = to_route(from, &|name| self.index(name));
        Step { operation: route::add(&route, placement), what: format!("route {}", route.destination) }
    }

    fn delete_route(&self, from: &model::Route) -> Step {
        let route = to_route(from, &|name| self.index(name));
        Step { operation: route::delete(&route), what: format!("route {}", route.destination) }
    }

    fn add_rule(from: &model::Rule) -> Step {
        let rule = to_rule(from);
        Step { operation: rule::add(&rule), what: format!("rule {}", rule.priority.unwrap_or(0)) }
    }

    fn delete_rule(from: &model::Rule) -> Step {
        let rule = to_rule(from);
        Step { operation: rule::delete(&rule), what: format!("rule {}", rule.priority.unwrap_or(0)) }
    }
}

/// The same but for where it is written.
fn has_route(routes: &[model::Route], wanted: &model::Route) -> bool {
    let index = |_: &str| 1;
    let names = |route: &model::Route| {
        let hops = route.hops.iter().chain([&route.hop]);
        hops.map(|hop| hop.interface.as_ref().map(|name| name.text.clone())).collect::<Vec<_>>()
    };
    routes.iter().any(|route| {
        to_route(route, &index) == to_route(wanted, &index)
            && names(route) == names(wanted)
            && route.append == wanted.append
    })
}

fn has_rule(rules: &[model::Rule], wanted: &model::Rule) -> bool {
    rules.iter().any(|rule| to_rule(rule) == to_rule(wanted))
}
