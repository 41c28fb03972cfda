//! Lines of `virtual_routes` and `static_routes`.

use super::metrics::metric;
use super::{Lower, name_of};
use crate::code;
use crate::model::{Family, Metrics, NextHop, Prefix, Route, RouteType, RouterPreference};
use crate::word::{Line, Word};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A route being read: what its words have said so far.
struct Draft {
    kind: RouteType,
    family: Option<Family>,
    destination: Option<Destination>,
    route: Route,
    /// Addresses whose family must be the route's.
    families: Vec<Family>,
}

/// `default` has the family of the rest.
#[derive(Clone, Copy)]
enum Destination {
    Default,
    Prefix(Prefix),
}

impl Lower<'_> {
    /// A route; `None` when the line is left out.
    pub(crate) fn route(&mut self, line: &Line, fixed: bool) -> Option<Route> {
        let mut draft = Draft {
            kind: RouteType::Unicast,
            family: None,
            destination: None,
            route: empty(),
            families: Vec::new(),
        };
        draft.route.place = Some(line.span);
        let mut index = 0;
        while let Some(word) = line.words.get(index) {
            if word.text == "nexthop" {
                self.next_hops(line, index, &mut draft)?;
                break;
            }
            index = self.route_word(line, index, fixed, &mut draft)?;
        }
        self.route_checks(line, fixed, draft)
    }

    /// Reads the option at `index`; where the next one is.
    fn route_word(&mut self, line: &Line, index: usize, fixed: bool, draft: &mut Draft) -> Option<usize> {
        let word = line.words.get(index)?;
        let route = &mut draft.route;
        match word.text.as_str() {
            "inet" => draft.family = draft.family.or(Some(Family::V4)),
            "inet6" => draft.family = draft.family.or(Some(Family::V6)),
            "no_track" => route.no_track = true,
            "append" => route.append = true,
            "onlink" => route.hop.onlink = true,
            "encap" => return self.encap(line, index + 1, &mut route.hop),
            keyword @ ("src" | "from" | "as" | "via" | "gw" | "or" | "to") => {
                let mut at = index + 1;
                let mut hop_family = None;
                match (keyword, line.words.get(at).map(|word| word.text.as_str())) {
                    ("via", Some("inet")) => hop_family = Some(Family::V4),
                    ("via", Some("inet6")) => hop_family = Some(Family::V6),
                    _ => {}
                }
                at += usize::from(
                    hop_family.is_some()
                        || (keyword == "as" && line.words.get(at).is_some_and(|w| w.text == "to")),
                );
                let value = self.word(line, at)?;
                self.route_address(keyword, value, hop_family, draft)?;
                return Some(at + 1);
            }
            keyword @ ("tos" | "dsfield" | "table" | "protocol" | "scope" | "metric" | "priority"
            | "preference" | "dev" | "oif" | "realms" | "vrf" | "expires" | "ttl-propagate"
            | "pref" | "features" | "quickack" | "fastopen_no_cookie" | "congctl"
            | "track_group") => {
                if keyword == "track_group" && !fixed {
                    self.say(code::EXCESS, word.span, "unknown route keyword track_group");
                    return None;
                }
                let locked =
                    keyword == "congctl" && line.words.get(index + 1).is_some_and(|w| w.text == "lock");
                let value = self.word(line, index + 1 + usize::from(locked))?;
                self.route_value(keyword, value, draft)?;
                return Some(index + 2 + usize::from(locked));
            }
            keyword => {
                if metric(&mut route.metrics, keyword).is_some() {
                    return self.metric(line, index, &mut route.metrics);
                }
                if let Some(kind) = kind_of(keyword).filter(|_| draft.destination.is_none()) {
                    draft.kind = kind;
                } else {
                    self.route_destination(word, draft)?;
                }
            }
        }
        Some(index + 1)
    }

    fn route_destination(&mut self, word: &Word, draft: &mut Draft) -> Option<()> {
        let text = word.text.as_str();
        let found = if matches!(text, "default" | "all" | "any") {
            Some(Destination::Default)
        } else {
            self.route_prefix(word).map(Destination::Prefix)
        };
        let Some(found) = found.filter(|_| draft.destination.is_none()) else {
            self.say(code::ROUTE, word.span, format!("unknown route keyword {text}"));
            return None;
        };
        if let Destination::Prefix(prefix) = found {
            draft.families.push(Family::of(prefix.address));
        }
        draft.destination = Some(found);
        Some(())
    }

    /// `IP[/LENGTH]`, with keepalived's message when it is none.
    pub(crate) fn route_prefix(&mut self, word: &Word) -> Option<Prefix> {
        let (ip, length) = match word.text.split_once('/') {
            Some((ip, length)) => (ip, Some(length)),
            None => (word.text.as_str(), None),
        };
        let Ok(address) = ip.parse::<IpAddr>() else {
            let message = format!("VRRP parsed invalid IP {}. skipping IP...", word.text);
            self.say(code::ADDRESS, word.span, message);
            return None;
        };
        let bits = Family::of(address).bits();
        let Some(length) = length else { return Some(Prefix { address, length: bits }) };
        let length_word = Word { text: length.to_owned(), span: word.span };
        let found =
            self.unsigned(&length_word, 0, u32::from(bits)).and_then(|length| u8::try_from(length).ok());
        if found.is_none() {
            let message =
                format!("Invalid address prefix len {length} for address {} - using {bits}", word.text);
            self.say(code::NUMBER, word.span, message);
        }
        Some(Prefix { address, length: found.unwrap_or(bits) })
    }

    fn route_address(
        &mut self,
        keyword: &str,
        value: &Word,
        hop_family: Option<Family>,
        draft: &mut Draft,
    ) -> Option<()> {
        if keyword == "to" {
            return self.route_destination(value, draft);
        }
        let text = &value.text;
        let Some(prefix) = self.route_prefix(value) else {
            let message = match keyword {
                "src" => format!("invalid route src address {text}"),
                "from" => format!("invalid route from address {text}"),
                "or" => format!("Invalid \"or\" address {text}"),
                _ => format!("invalid route via address {text}"),
            };
            self.say(code::ROUTE, value.span, message);
            return None;
        };
        let family = Family::of(prefix.address);
        if keyword == "from" && family == Family::V4 {
            let message = format!("route from address only supported with IPv6 ({text})");
            self.say(code::ROUTE, value.span, message);
            return None;
        }
        if hop_family.is_some_and(|wanted| wanted != family) {
            self.say(code::ROUTE, value.span, format!("invalid route via address {text}"));
            return None;
        }
        let route = &mut draft.route;
        match keyword {
            "src" => route.preferred_source = Some(prefix.address),
            "from" => route.source = Some(prefix),
            "as" => {
                let message = "as of routes is known, not served yet";
                self.report.push(diag::Diagnostic::error(code::NOT_YET, message).at(value.span));
            }
            "or" => {
                let message = "\"or\" for routes is deprecated. Please use \"nexthop\"";
                self.say(code::DEPRECATED, value.span, message);
                route.alternative_gateway = Some(prefix.address);
            }
            _ => {
                if keyword == "gw" {
                    self.say(
                        code::DEPRECATED,
                        value.span,
                        "\"gw\" for routes is deprecated. Please use \"via\"",
                    );
                }
                draft.route.hop.gateway = Some(prefix.address);
            }
        }
        draft.families.push(family);
        Some(())
    }

    fn route_value(&mut self, keyword: &str, value: &Word, draft: &mut Draft) -> Option<()> {
        let text = value.text.as_str();
        let route = &mut draft.route;
        let byte = |number: Option<u32>| number.and_then(|number| u8::try_from(number).ok());
        let message = match keyword {
            "tos" | "dsfield" => match byte(self.named_number("rt_dsfield", text, 16)) {
                Some(tos) => {
                    route.tos = tos;
                    return Some(());
                }
                None => format!("TOS value {text} is invalid"),
            },
            "table" => match self.table(text) {
                Some(table) => {
                    route.table = Some(table);
                    return Some(());
                }
                None => format!("Routing table {text} not found for route"),
            },
            "protocol" => match byte(self.protocol(text)) {
                Some(protocol) => {
                    route.protocol = Some(protocol);
                    return Some(());
                }
                None => format!("Protocol {text} not found or invalid for route"),
            },
            "scope" => match self.scope(text) {
                Some(scope) => {
                    route.scope = Some(scope);
                    return Some(());
                }
                None => format!("Scope {text} not found or invalid for route"),
            },
            "metric" | "priority" | "preference" => match self.unsigned(value, 0, u32::MAX) {
                Some(metric) => {
                    route.metric = Some(metric);
                    return Some(());
                }
                None => format!("Invalid metric {text} specified for route"),
            },
            "dev" | "oif" => {
                route.hop.interface = Some(name_of(value));
                if self.interfaces.find(text).is_some() {
                    return Some(());
                }
                let message = format!("WARNING - interface {text} for VROUTE nexthop doesn't exist");
                self.no_interface(value.span, message);
                return Some(());
            }
            "realms" => match self.realms(text) {
                Some(realms) => {
                    route.hop.realms = Some(realms);
                    return Some(());
                }
                None => format!("Invalid realms {text} for route"),
            },
            "expires" => match self.unsigned(value, 0, i32::MAX.unsigned_abs()) {
                Some(seconds) => {
                    route.expires = Some(Duration::from_secs(u64::from(seconds)));
                    return Some(());
                }
                None => format!("Invalid expires time {text} specified for route"),
            },
            "ttl-propagate" => match text {
                "enabled" => {
                    route.ttl_propagate = Some(true);
                    return Some(());
                }
                "disabled" => {
                    route.ttl_propagate = Some(false);
                    return Some(());
                }
                _ => format!("ttl-propagate value {text} not recognised"),
            },
            "pref" => {
                route.preference = match text {
                    "low" => Some(RouterPreference::Low),
                    "medium" => Some(RouterPreference::Medium),
                    "high" => Some(RouterPreference::High),
                    _ => None,
                };
                // keepalived looks at the family first, when it knows it.
                if route.preference.is_some() || draft.families.first() == Some(&Family::V4) {
                    route.preference = route.preference.or(Some(RouterPreference::Medium));
                    return Some(());
                }
                format!("Invalid pref value {text} specified for route")
            }
            "features" => {
                if text == "ecn" {
                    route.metrics.ecn = true;
                    return Some(());
                }
                format!("feature {text} not supported")
            }
            "quickack" | "fastopen_no_cookie" => {
                let Some(on) = self.unsigned(value, 0, 1) else {
                    let message = format!("Invalid {keyword} value {text} specified for route");
                    self.say(code::ROUTE, value.span, message);
                    return None;
                };
                let slot = if keyword == "quickack" {
                    &mut route.metrics.quickack
                } else {
                    &mut route.metrics.fastopen_no_cookie
                };
                *slot = Some(on == 1);
                return Some(());
            }
            "vrf" if self.interfaces.find(text).is_none() => format!("VRF {text} not found for route"),
            "congctl" | "vrf" => {
                let message = format!("{keyword} of routes is known, not served yet");
                self.report.push(diag::Diagnostic::error(code::NOT_YET, message).at(value.span));
                return Some(());
            }
            _ => {
                if route.track_group.is_some() {
                    format!("track_group {text} is a duplicate")
                } else if !self.track_groups.iter().any(|group| group == text) {
                    self.say(code::UNDEFINED, value.span, format!("track_group {text} not found"));
                    return Some(());
                } else {
                    route.track_group = Some(name_of(value));
                    return Some(());
                }
            }
        };
        self.say(code::ROUTE, value.span, message);
        None
    }

    /// `nexthop [via …] [dev …] [weight …] …`, again and again.
    fn next_hops(&mut self, line: &Line, start: usize, draft: &mut Draft) -> Option<()> {
        let mut index = start;
        while let Some(word) = line.words.get(index) {
            if word.text == "nexthop" {
                draft.route.hops.push(NextHop { weight: 1, ..NextHop::default() });
                index += 1;
                continue;
            }
            let Some(hop) = draft.route.hops.last_mut() else { break };
            match word.text.as_str() {
                "via" => {
                    let mut at = index + 1;
                    at += usize::from(
                        line.words.get(at).is_some_and(|w| w.text == "inet" || w.text == "inet6"),
                    );
                    let value = self.word(line, at)?;
                    let Ok(gateway) = value.text.parse::<IpAddr>() else {
                        let message = format!("invalid nexthop address {}", value.text);
                        self.say(code::ROUTE, value.span, message);
                        return None;
                    };
                    hop.gateway = Some(gateway);
                    index = at + 1;
                }
                "dev" => {
                    let value = self.word(line, index + 1)?;
                    if self.interfaces.find(&value.text).is_none() {
                        let message =
                            format!("WARNING - interface {} for VROUTE nexthop doesn't exist", value.text);
                        self.no_interface(value.span, message);
                    }
                    hop.interface = Some(name_of(value));
                    index += 2;
                }
                "weight" => {
                    let value = self.word(line, index + 1)?;
                    match self.unsigned(value, 0, 256).and_then(|weight| u16::try_from(weight).ok()) {
                        Some(weight) => hop.weight = weight.max(1),
                        None => {
                            let message = format!("Invalid weight {} specified for route", value.text);
                            self.say(code::ROUTE, value.span, message);
                        }
                    }
                    index += 2;
                }
                "onlink" => {
                    hop.onlink = true;
                    index += 1;
                }
                "realms" => {
                    let value = self.word(line, index + 1)?;
                    hop.realms = self.realms(&value.text);
                    if hop.realms.is_none() {
                        let message = format!("Invalid realms {} for route", value.text);
                        self.say(code::ROUTE, value.span, message);
                    }
                    index += 2;
                }
                "encap" => index = self.encap(line, index + 1, hop)?,
                "no_track" => {
                    draft.route.no_track = true;
                    index += 1;
                }
                other => {
                    let message = format!("Route has trailing nonsense after nexthops - {other}");
                    self.say(code::ROUTE, word.span, message);
                    return None;
                }
            }
        }
        Some(())
    }

    fn route_checks(&mut self, line: &Line, fixed: bool, draft: Draft) -> Option<Route> {
        let Draft { kind, family, destination, mut route, families } = draft;
        let deduced = families.first().copied();
        if let (Some(said), Some(found)) = (family, deduced)
            && said != found
        {
            let (said, found) = if said == Family::V6 { ("inet6", "IPv4") } else { ("inet", "IPv6") };
            self.say(code::ROUTE, line.span, format!("{said} specified for {found} route"));
            return None;
        }
        if families.iter().any(|one| Some(*one) != deduced) {
            // IPv4 routes may have an IPv6 gateway, but only where `via inet6` says so.
            self.say(code::ROUTE, line.span, "Cannot mix IPv4 and IPv6 addresses for route");
            return None;
        }
        route.family = family.or(deduced).unwrap_or(Family::V4);
        route.kind = kind;
        route.destination = match destination {
            None => {
                self.say(code::ROUTE, line.span, "Route must have a destination");
                return None;
            }
            Some(Destination::Default) => match route.family {
                Family::V4 => Prefix { address: Ipv4Addr::UNSPECIFIED.into(), length: 0 },
                Family::V6 => Prefix { address: Ipv6Addr::UNSPECIFIED.into(), length: 0 },
            },
            Some(Destination::Prefix(prefix)) => prefix,
        };
        if route.family == Family::V4 {
            if route.preference.is_some() {
                self.say(code::ROUTE, line.span, "pref is only valid for IPv6");
                return None;
            }
            if route.expires.is_some() {
                self.say(code::ROUTE, line.span, "expires is only valid for IPv6");
                return None;
            }
        }
        let tracked = if fixed { route.track_group.is_some() } else { !route.no_track };
        if tracked && route.protocol.is_some_and(|protocol| protocol != KEEPALIVED) {
            let message = format!(
                "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED({KEEPALIVED}), resetting protocol"
            );
            self.say(code::ROUTE, line.span, message);
            route.protocol = None;
        }
        let nowhere = route.hop.interface.is_none();
        if nowhere && !route.no_track && (tracked || fixed) {
            let destination = &route.destination;
            let bits = route.family.bits();
            let shown = if destination.length == bits {
                destination.address.to_string()
            } else {
                format!("{}/{}", destination.address, destination.length)
            };
            let message =
                format!("Warning - cannot track route {shown} with no interface specified, not tracking");
            self.say(code::ROUTE, line.span, message);
            route.no_track = true;
        }
        Some(route)
    }

    /// A number, in decimal or `radix` with `0x`, or a name of a table of iproute2.
    pub(crate) fn named_number(&self, table: &str, text: &str, radix: u32) -> Option<u32> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let number = match digits {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => u32::from_str_radix(text, radix).ok(),
        };
        number.or_else(|| self.reader.route_name(table, text))
    }

    /// A routing table.
    pub(crate) fn table(&self, text: &str) -> Option<u32> {
        match text {
            "default" => Some(253),
            "main" => Some(254),
            "local" => Some(255),
            _ => self.named_number("rt_tables", text, 10),
        }
    }

    fn protocol(&self, text: &str) -> Option<u32> {
        let known =
            [("redirect", 1), ("kernel", 2), ("boot", 3), ("static", 4), ("bird", 12), ("keepalived", 18)];
        let known = known.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        known.or_else(|| self.named_number("rt_protos", text, 10))
    }

    /// `[FROM/]TO`, as the kernel has it: the source realm in the upper half.
    pub(crate) fn realms(&self, text: &str) -> Option<u32> {
        let one = |text: &str| self.named_number("rt_realms", text, 10).filter(|realm| *realm <= 0xffff);
        match text.split_once('/') {
            Some((from, to)) => Some(one(from)? << 16 | one(to)?),
            None => one(text),
        }
    }
}

/// keepalived's number among protocols that make routes.
pub(crate) const KEEPALIVED: u8 = 18;

fn empty() -> Route {
    Route {
        kind: RouteType::Unicast,
        family: Family::V4,
        destination: Prefix { address: Ipv4Addr::UNSPECIFIED.into(), length: 0 },
        source: None,
        preferred_source: None,
        hop: NextHop { weight: 1, ..NextHop::default() },
        alternative_gateway: None,
        hops: Vec::new(),
        new_destination: None,
        table: None,
        vrf: None,
        tos: 0,
        protocol: None,
        scope: None,
        metric: None,
        metrics: Metrics::default(),
        expires: None,
        ttl_propagate: None,
        preference: None,
        append: false,
        no_track: false,
        track_group: None,
        place: None,
    }
}

fn kind_of(text: &str) -> Option<RouteType> {
    use RouteType::{
        Anycast, Blackhole, Broadcast, Local, Multicast, Nat, Prohibit, Throw, Unicast, Unreachable,
    };
    let all = [Unicast, Local, Broadcast, Anycast, Multicast, Blackhole, Unreachable, Prohibit, Throw, Nat];
    all.into_iter().find(|kind| kind.name() == text)
}
